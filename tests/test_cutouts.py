"""Faces cut out of images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facetl.data.crops import (
    CELL,
    COLUMNS,
    _tilt,
    cut_upright,
    cut_window,
    draw_sheet,
    fit_cell,
    in_view,
    windows_around,
)
from facetl.data.images import Pixels

HEIGHT, WIDTH = 60, 80
LEVEL = np.array([[0, 0], [10, 0], [5, 5], [2, 9], [8, 9]], np.float32)

corner = st.floats(-200, 200, allow_nan=False)


@pytest.fixture
def noise() -> Pixels:
    return np.random.default_rng(1).integers(1, 256, (HEIGHT, WIDTH, 3), np.uint8)


def slow_cut(image: Pixels, window: NDArray[np.int64], *, black: bool) -> Pixels:
    """The slow obvious way: pixel by pixel; what lies outside is black or left out."""
    rows = []
    for y in range(window[1], window[3]):
        cells = [
            image[y, x] if 0 <= y < HEIGHT and 0 <= x < WIDTH else np.zeros(3, np.uint8)
            for x in range(window[0], window[2])
            if black or 0 <= x < WIDTH
        ]
        if black or 0 <= y < HEIGHT:
            rows.append(cells)
    return np.array(rows, np.uint8)


def test_a_margin_is_a_share_of_width_and_height() -> None:
    boxes = np.array([[10.0, 20.0, 30.0, 60.0]])
    assert windows_around(boxes, 0.0).tolist() == [[10, 20, 30, 60]]
    assert windows_around(boxes, 0.1).tolist() == [[8, 16, 32, 64]]
    assert windows_around(boxes, 0.5).tolist() == [[0, 0, 40, 80]]


@given(
    boxes=st.lists(st.tuples(corner, corner, corner, corner), max_size=5),
    margin=st.floats(0, 1),
)
def test_windows_hold_their_boxes_and_a_pixel_at_least(
    boxes: list[tuple[float, ...]], margin: float
) -> None:
    windows = windows_around(np.array(boxes), margin)
    assert windows.shape == (len(boxes), 4)
    assert (windows[:, 2:] > windows[:, :2]).all()
    for window, (x1, y1, x2, y2) in zip(windows.tolist(), boxes, strict=True):
        if x1 <= x2 and y1 <= y2:
            assert window[0] <= x1
            assert window[1] <= y1
            assert window[2] >= x2
            assert window[3] >= y2


@given(box=st.tuples(corner, corner, corner, corner), margin=st.floats(0, 1))
def test_what_is_in_view_can_be_cut_and_nothing_else(
    box: tuple[float, float, float, float], margin: float
) -> None:
    image = np.full((HEIGHT, WIDTH, 3), 7, np.uint8)
    window = windows_around(np.array([box]), margin)[0]
    expected = slow_cut(image, window, black=False)
    if in_view(window[None], (HEIGHT, WIDTH))[0]:
        assert np.array_equal(cut_window(image, window), expected)
    else:
        assert expected.size == 0
        with pytest.raises(ValueError, match=r"lies outside the image of \(60, 80\)"):
            cut_window(image, window)
        with pytest.raises(ValueError, match=r"lies outside the image of \(60, 80\)"):
            cut_upright(image, window, LEVEL)


@pytest.mark.parametrize("window", [(10, 20, 31, 45), (-5, -7, 20, 30), (60, 50, 90, 71)])
def test_a_level_face_is_cut_as_it_is(noise: Pixels, window: tuple[int, ...]) -> None:
    place = np.array(window)
    assert np.array_equal(cut_upright(noise, place, LEVEL), slow_cut(noise, place, black=True))
    assert np.array_equal(cut_window(noise, place), slow_cut(noise, place, black=False))


def test_a_cut_is_a_copy(noise: Pixels) -> None:
    before = noise.copy()
    cut_window(noise, np.array([0, 0, 20, 20]))[:] = 0
    assert np.array_equal(noise, before)


@pytest.mark.parametrize(
    ("eyes", "expected"),
    [
        ([(0, 0), (10, 0)], 0),
        ([(0, 0), (10, 10)], 45),
        ([(0, 10), (10, 0)], -45),
        ([(0, 0), (0, 10)], 90),
        ([(0, 10), (0, 0)], 90),
        ([(10, 0), (0, 0)], 0),  # taken for each other
        ([(10, 10), (0, 0)], 45),
        ([(10, 0), (0, 10)], -45),
        ([(3, 3), (3, 3)], 0),
    ],
)
def test_the_tilt_of_the_eyes(eyes: list[tuple[int, int]], expected: float) -> None:
    landmarks = np.array([*eyes, (0, 0), (0, 0), (0, 0)], np.float32)
    assert _tilt(landmarks) == pytest.approx(expected)


@pytest.mark.parametrize("angle", [-70, -30, 0, 20, 90])
def test_eyes_are_level_afterwards(angle: int) -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    across, down = 30 * math.cos(math.radians(angle)), 30 * math.sin(math.radians(angle))
    eyes = np.array([[50.5 - across, 50.5 - down], [50.5 + across, 50.5 + down]])
    for x, y in eyes.astype(int):
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    landmarks = np.concatenate([eyes, np.zeros((3, 2))])
    turned = cut_upright(image, np.array([10, 10, 91, 91]), landmarks)
    assert turned.shape == (81, 81, 3)
    rows, columns = np.nonzero(turned[:, :, 0] > 127)
    left, right = columns < 40, columns >= 40
    assert abs(rows[left].mean() - rows[right].mean()) < 1.0
    assert abs(rows.mean() - 40) < 1.0
    assert columns[right].mean() - columns[left].mean() == pytest.approx(60, abs=1.5)


def test_a_sheet_has_a_score_below_each_face() -> None:
    cells = [fit_cell(np.full((20, 40, 3), value, np.uint8)) for value in (10, 90)]
    assert [cell.shape for cell in cells] == [(CELL, CELL, 3)] * 2
    assert cells[0][0, 0].tolist() == [255] * 3  # proportions are kept
    assert cells[0][CELL // 2, CELL // 2].tolist() == [10] * 3
    sheet = draw_sheet(cells, [0.9, 0.1])
    assert (sheet[8 + CELL : -8, 8 : 8 + CELL] < 100).any()
    assert not (sheet[:8] < 255).any()
    with pytest.raises(ValueError, match="expected 2 captions, got 1"):
        draw_sheet(cells, [0.9])


def test_sheets_have_rows() -> None:
    cells = [fit_cell(np.zeros((5, 5, 3), np.uint8))] * (COLUMNS + 1)
    height = draw_sheet(cells[:1], [0.5]).shape[0] - 8
    assert draw_sheet(cells, [0.5] * len(cells)).shape[0] == 2 * height + 8
