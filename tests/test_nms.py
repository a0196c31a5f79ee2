from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_mtcnn import greedy_nms, iou, overlap_with_smaller

from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.nms import suppress, suppress_nested

Row = tuple[tuple[float, float, float, float], float, int]


@st.composite
def rows(draw: st.DrawFn) -> Row:
    x, y = draw(st.integers(-20, 60)), draw(st.integers(-20, 60))
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    # Few different scores, so that some are equal and the order of the rows must decide.
    score = draw(st.integers(0, 8)) / 8
    return (x, y, x + width, y + height), score, draw(st.integers(0, 2))


def candidates_of(rows: Sequence[Row]) -> Candidates:
    count = len(rows)
    return Candidates(
        boxes=torch.tensor([box for box, _, _ in rows]).float().reshape(count, 4),
        scores=torch.tensor([score for _, score, _ in rows]).float(),
        image_index=torch.tensor([image for _, _, image in rows]).long(),
        offsets=torch.zeros(count, 4),
        landmarks=torch.zeros(count, 0),
    )


# Thresholds that no fraction of small integers meets exactly: rounding must not decide.
@given(st.lists(rows(), max_size=25), st.sampled_from([0.3001, 0.5001, 0.7001]))
@settings(max_examples=50)
def test_suppress_is_greedy_nms_within_each_image(rows: list[Row], threshold: float) -> None:
    expected = greedy_nms(*_columns(rows), iou, threshold)
    assert suppress(candidates_of(rows), threshold).tolist() == expected


@given(st.lists(rows(), max_size=25), st.sampled_from([0.3001, 0.5001, 0.7001]))
@settings(max_examples=50)
def test_suppress_nested_is_greedy_nms_by_the_smaller_box(
    rows: list[Row], threshold: float
) -> None:
    expected = greedy_nms(*_columns(rows), overlap_with_smaller, threshold)
    assert suppress_nested(candidates_of(rows), threshold).tolist() == expected


@given(st.lists(rows(), min_size=1, max_size=25))
@settings(max_examples=50)
def test_images_of_a_batch_do_not_touch_each_other(rows: list[Row]) -> None:
    together = candidates_of(rows)
    for nms in (suppress, suppress_nested):
        kept = together[nms(together, 0.5001)]
        for image in range(3):
            alone = together[together.image_index == image]
            expected = alone[nms(alone, 0.5001)]
            assert torch.equal(kept.boxes[kept.image_index == image], expected.boxes)


def test_a_small_box_inside_a_large_one_survives_iou_but_not_nesting() -> None:
    # IoU = 100 / 10,000; over the smaller area the overlap is whole.
    nested = candidates_of([((0, 0, 100, 100), 0.9, 0), ((40, 40, 50, 50), 0.8, 0)])
    assert suppress(nested, 0.7).tolist() == [0, 1]
    assert suppress_nested(nested, 0.7).tolist() == [0]


@pytest.mark.parametrize("images", [0, 3])
def test_nothing_stays_nothing(images: int) -> None:
    nobody = Candidates.concatenate([], torch.device("cpu"))
    assert suppress(nobody, 0.5).tolist() == suppress_nested(nobody, 0.5).tolist() == []
    assert nobody.counts(images) == [0] * images


def test_all_columns_are_filtered_together() -> None:
    three = candidates_of([((i, 0, i + 5, 5), i / 4, i) for i in range(3)])
    kept = three[torch.tensor([False, True, True])]
    assert len(kept) == 2
    assert kept.scores.tolist() == [0.25, 0.5]
    assert kept.image_index.tolist() == kept.boxes[:, 0].tolist() == [1, 2]
    assert kept.counts(4) == [0, 1, 1, 0]
    again = Candidates.concatenate([kept, three[torch.tensor([0])]], torch.device("cpu"))
    assert again.image_index.tolist() == [1, 2, 0]


def _columns(
    rows: Sequence[Row],
) -> tuple[list[tuple[float, float, float, float]], list[float], list[int]]:
    return [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]
