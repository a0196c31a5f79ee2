from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from facetl.boxes import (
    Boxes,
    _intersection,
    area,
    as_boxes,
    clip,
    coverage,
    inclusive,
    iou,
    offsets,
    shift,
    square,
)

NOBODY = np.zeros((0, 4))


@st.composite
def boxes(draw: st.DrawFn) -> Boxes:
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 60), st.integers(1, 60)
            ),
            min_size=1,
            max_size=6,
        )
    )
    return as_boxes([(x, y, x + width, y + height) for x, y, width, height in rows])


def test_as_boxes_takes_lists_and_nothing_at_all() -> None:
    assert as_boxes([[1, 2, 3, 4]]).dtype == np.float64
    assert as_boxes([]).shape == as_boxes(np.zeros((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("wrong", [[1, 2, 3, 4], [[1, 2, 3]], [[[1, 2, 3, 4]]]])
def test_as_boxes_refuses_other_shapes(wrong: ArrayLike) -> None:
    with pytest.raises(ValueError, match=r"expected boxes of shape \(N, 4\), got"):
        as_boxes(wrong)


def test_overlap_by_hand() -> None:
    box, others = as_boxes([[0, 0, 4, 4]]), as_boxes([[2, 2, 6, 4], [4, 0, 8, 4], [0, 0, 4, 4]])
    # Shares 2 x 2 with the first, only an edge with the second, everything with the third.
    assert _intersection(box, others).tolist() == [[4, 0, 16]]
    # 4 / (16 + 8 - 4), 0, 1.
    assert iou(box, others).tolist() == [[0.2, 0, 1]]
    assert area(others).tolist() == [8, 16, 16]


def test_empty_boxes_overlap_with_nothing() -> None:
    point = as_boxes([[3, 3, 3, 3]])
    assert iou(point, point).tolist() == [[0]]
    assert iou(NOBODY, point).shape == (0, 1)
    assert iou(point, NOBODY).shape == (1, 0)


@given(boxes(), boxes())
@settings(max_examples=50)
def test_iou_is_symmetric_in_0_to_1_and_1_with_itself(some: Boxes, others: Boxes) -> None:
    shares = iou(some, others)
    assert np.array_equal(shares, iou(others, some).T)
    assert ((shares >= 0) & (shares <= 1)).all()
    assert (np.diag(iou(some, some)) == 1).all()


@given(boxes(), boxes())
@settings(max_examples=50)
def test_iou_counts_pixels(some: Boxes, others: Boxes) -> None:
    ours, theirs = _pixels(some[0]), _pixels(others[0])
    assert iou(some, others)[0, 0] == len(ours & theirs) / len(ours | theirs)


def test_inclusive_boxes_are_a_pixel_longer() -> None:
    # Pixels 3, 4 and 5 of a row and the single row 7.
    assert area(inclusive(as_boxes([[3, 7, 5, 7]]))).tolist() == [3]


def test_clip_cuts_at_the_border() -> None:
    leaving = as_boxes([[-5, -5, 30, 9], [2, 3, 4, 5], [50, 50, 60, 60]])
    assert clip(leaving, (10, 20)).tolist() == [[0, 0, 20, 9], [2, 3, 4, 5], [20, 10, 20, 10]]


def test_square_keeps_the_centre_and_the_longer_edge() -> None:
    assert square(as_boxes([[0, 0, 4, 2], [1, 0, 2, 10]])).tolist() == [
        [0, -1, 4, 3],
        [-3.5, 0, 6.5, 10],
    ]


def test_offsets_by_hand() -> None:
    # The box starts a quarter of the width to the right and ends where the window ends.
    window, box = as_boxes([[0, 0, 8, 4]]), as_boxes([[2, 1, 8, 4]])
    assert offsets(window, box).tolist() == [[0.25, 0.25, 0, 0]]


@given(boxes(), boxes())
@settings(max_examples=50)
def test_shift_undoes_offsets(windows: Boxes, targets: Boxes) -> None:
    count = min(len(windows), len(targets))
    windows, targets = windows[:count], targets[:count]
    np.testing.assert_allclose(shift(windows, offsets(windows, targets)), targets, atol=1e-9)


@pytest.mark.parametrize("function", [area, inclusive, square])
def test_no_boxes_are_fine(function: Callable[[Boxes], Boxes]) -> None:
    assert len(function(NOBODY)) == 0
    assert clip(NOBODY, (5, 5)).shape == offsets(NOBODY, NOBODY).shape == (0, 4)


def _pixels(box: Boxes) -> set[tuple[int, int]]:
    x1, y1, x2, y2 = (int(corner) for corner in box)
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


def test_coverage_is_the_share_of_the_box_in_the_region_that_covers_most() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 4, 5], [50, 50, 60, 60], [3, 3, 3, 3]])
    regions = np.array([[5.0, 0, 100, 10], [0, 0, 10, 2]])
    # 50 of 100; none and 8 of 20; 500 px away; an empty box
    assert coverage(boxes, regions).tolist() == [0.5, 0.4, 0, 0]
    assert coverage(boxes, np.zeros((0, 4))).tolist() == [0, 0, 0, 0]
    assert coverage(np.zeros((0, 4)), regions).tolist() == []
