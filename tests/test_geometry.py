"""Between windows and boxes: what the networks' conventions do, and that training undoes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facetl import boxes as half_open
from facetl.mtcnn.geometry import (
    as_windows,
    inclusive_sides,
    level_size,
    move,
    place_landmarks,
    pnet_boxes,
    pyramid_scales,
    sides,
    square,
)
from facetl.mtcnn.stages import Stage
from facetl.training.losses import regression_targets

FRACTIONS = st.floats(-0.5, 0.5, width=32)
SHIFTS = st.tuples(FRACTIONS, FRACTIONS, FRACTIONS, FRACTIONS)


def targets_of(stage: Stage, window: half_open.Boxes, face: half_open.Boxes) -> NDArray[Any]:
    offsets = torch.from_numpy(half_open.offsets(window, face))
    sides = torch.from_numpy(window[:, 2] - window[:, 0])
    return regression_targets(stage, offsets, sides).numpy()


@given(st.integers(0, 100), st.integers(0, 100), st.floats(0.05, 1.2), SHIFTS)
@settings(max_examples=50)
def test_targets_undo_what_is_done_with_pnets_offsets(
    column: int, row: int, scale: float, shift: tuple[float, ...]
) -> None:
    # PNet sees the level's pixels 2c to 2c + 12.
    x, y, side = 2 * column / scale, 2 * row / scale, 12 / scale
    window = np.array([[x, y, x + side, y + side]])
    face = half_open.shift(window, np.array([shift]))
    targets = targets_of("pnet", window, face)
    cells = pnet_boxes(np.array([[column, row]], np.float64), scale)
    found = move(cells, targets, sides(cells))
    # The corner is rounded down by less than a pixel, the side by one in either direction.
    rounding = 1 + np.abs(targets).max()
    assert np.abs(found - face).max() < rounding


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 150), SHIFTS)
@settings(max_examples=50)
@pytest.mark.parametrize("stage", ["rnet", "onet"])
def test_targets_undo_what_is_done_with_the_later_networks_offsets(
    stage: Stage, x: int, y: int, side: int, shift: tuple[float, ...]
) -> None:
    window = np.array([[x, y, x + side, y + side]], dtype=np.float64)
    face = half_open.shift(window, np.array([shift]))
    # The box that stands for the window: the detector cuts exactly this window for it.
    box = np.array([[x + 1, y + 1, x + side, y + side]], np.float64)
    assert as_windows(box).tolist() == window.tolist()
    found = move(box, targets_of(stage, window, face), inclusive_sides(box))
    np.testing.assert_allclose(found, face, atol=1e-9)


def test_targets_by_hand() -> None:
    # A face that fills its window of 24 pixels: the box starts one pixel late, at 1/24.
    nothing, side = torch.zeros(1, 4), torch.tensor([24.0])
    torch.testing.assert_close(
        regression_targets("rnet", nothing, side), torch.tensor([[-1 / 24, -1 / 24, 0, 0]])
    )
    # PNet's box starts one of its 12 pixels late and is 11 long: -1/12 of 12/11.
    torch.testing.assert_close(
        regression_targets("pnet", nothing, side), torch.tensor([[-1 / 11, -1 / 11, 0, 0]])
    )


def test_cells_of_pnet_by_hand() -> None:
    # Half the size: cell (1, 0) sees the level's pixels 2 to 14 and 0 to 12.
    # Counted from 1 and rounded down: (2 + 1) / 0.5, (0 + 1) / 0.5, (2 + 12) / 0.5, 12 / 0.5.
    assert pnet_boxes(np.array([[1.0, 0.0]], np.float32), 0.5).tolist() == [[6, 2, 28, 24]]


@given(
    st.floats(-50, 50, width=32),
    st.floats(-50, 50, width=32),
    st.floats(1, 80, width=32),
    st.floats(1, 80, width=32),
)
@settings(max_examples=50)
def test_square_agrees_with_the_half_open_one(x: float, y: float, w: float, h: float) -> None:
    box = np.array([[x, y, x + w, y + h]])
    squared = square(box)
    np.testing.assert_allclose(squared, half_open.square(box), atol=1e-9)


def test_landmarks_by_hand() -> None:
    # Width 10 and height 20 with both edges; half way from pixel 1, minus one: 5 and 10.
    box = np.array([[1.0, 1.0, 10.0, 20.0]], np.float32)
    halves = np.full((1, 10), 0.5, np.float32)
    assert place_landmarks(halves, box).tolist() == [[5.0] * 5 + [10.0] * 5]


def test_pyramid_by_hand() -> None:
    # 12 / 24 = 0.5; the shorter edge 100 * 0.5 = 50, 25, 12.5 still hold a window, 6.25 not.
    assert pyramid_scales((100, 300), min_face=24, factor=0.5) == [0.5, 0.25, 0.125]
    assert level_size((100, 300), 0.125) == (13, 38)
    assert pyramid_scales((19, 300), min_face=20, factor=0.709) == []
    # An image just as large as the smallest face is searched once.
    assert pyramid_scales((20, 300), min_face=20, factor=0.709) == [0.6]
