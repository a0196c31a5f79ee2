"""The image pyramid, and from windows to boxes and back as the pretrained networks have them.

facetl's windows are half open: columns ``x1`` up to but not including ``x2``.  The pretrained
networks come from a world that counts pixels from 1 and includes the last, so that their box
``x1, x2`` stands for the window ``x1 - 1, x2``; and PNet's box starts one pixel of the pyramid
level late.  Everything that has to know this is here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import FARTHEST
from facetl.mtcnn.candidates import Floats

PNET_WINDOW, PNET_STRIDE = 12, 2


def pnet_boxes(cells: Floats, scale: Floats | float) -> Floats:
    """Return the (N, 4) boxes that PNet's (N, 2) cells ``column, row`` stand for.

    Args:
        cells: places in PNet's output maps.
        scale: of the level, or (N, 1) of each cell's level.
    """
    first = np.floor((PNET_STRIDE * cells + 1) / scale)
    last = np.floor((PNET_STRIDE * cells + PNET_WINDOW) / scale)
    return np.concatenate([first, last], axis=1)


def pnet_windows(boxes: Floats) -> Floats:
    """Return the (N, 4) windows that PNet saw where it gave these boxes, up to rounding."""
    late = sides(boxes) / (PNET_WINDOW - 1)
    return np.concatenate([boxes[:, :2] - late, boxes[:, 2:]], axis=1)


def as_windows(boxes: Floats) -> Floats:
    """Return the (N, 4) half-open windows that boxes with inclusive corners stand for."""
    return boxes - np.array([1, 1, 0, 0], boxes.dtype)


def sides(boxes: Floats) -> Floats:
    """Return (N, 2) widths and heights."""
    return boxes[:, 2:] - boxes[:, :2]


def inclusive_sides(boxes: Floats) -> Floats:
    """Return (N, 2) widths and heights that count both edge pixels."""
    return sides(boxes) + 1


def move(boxes: Floats, offsets: Floats, by_sides: Floats) -> Floats:
    """Return (N, 4) boxes moved by (N, 4) offsets, which are fractions of (N, 2) sides."""
    return np.asarray(boxes + offsets * np.tile(by_sides, 2))


def square(boxes: Floats) -> Floats:
    """Return squares with the same centres and the longer edges as sides.

    The same as :func:`facetl.boxes.square`, but in the order of facenet-pytorch's arithmetic:
    the corners are truncated to pixels next, where the last bit decides.
    """
    longer = sides(boxes).max(axis=1, keepdims=True)
    corners = boxes[:, :2] + sides(boxes) * 0.5 - longer * 0.5
    return np.concatenate([corners, corners + longer], axis=1)


def place_landmarks(landmarks: Floats, boxes: Floats) -> Floats:
    """Return (N, 10) landmarks, five x then five y, in pixels instead of fractions of boxes."""
    scale = inclusive_sides(boxes).repeat(5, axis=1)
    corner = boxes[:, :2].repeat(5, axis=1)
    return np.asarray(scale * landmarks + corner - 1)


def place_windows(
    windows: NDArray[np.floating], size_hw: tuple[int, int], *, padding: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the whole pixels that a network is shown of windows, and which show any at all.

    Args:
        windows: (N, 4) half-open windows; corners are rounded down to whole pixels.
        size_hw: height and width of the image.
        padding: whether windows may leave the image, or are clipped at its border.

    Returns:
        (N, 4) int64 windows and (N,) booleans: whether a window holds a pixel of the image.
        What holds none, or is no window at all, may come back turned inside out.
    """
    height, width = size_hw
    near = np.abs(windows).max(axis=1, initial=0) <= FARTHEST
    whole = np.floor(np.where(near[:, None], windows, 0)).astype(np.int64)
    clipped = np.concatenate(
        [whole[:, :2].clip(min=0), np.minimum(whole[:, 2:], [width, height])], axis=1
    )
    visible = near & (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
    return (whole if padding else clipped), visible


def pyramid_scales(size_hw: tuple[int, int], min_face: float, factor: float) -> list[float]:
    """Return the scales of the levels, largest first.

    At the first scale a face of ``min_face`` pixels is 12 pixels high; each further level is
    ``factor`` times smaller, as long as its shorter edge still holds a 12-pixel window.

    Args:
        size_hw: height and width of the picture in pixels.
        min_face: side of the smallest face to look for, in pixels, above 0.
        factor: ratio of neighbouring levels, between 0 and 1.

    Returns:
        Scales in descending order; empty if the picture is too small for any face.
    """
    scale = PNET_WINDOW / min_face
    shorter_edge = min(size_hw) * scale
    scales = []
    while shorter_edge >= PNET_WINDOW:
        scales.append(scale)
        scale *= factor
        shorter_edge *= factor
    return scales


def level_size(size_hw: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return height and width in pixels of the level at ``scale``."""
    height, width = size_hw
    return int(height * scale + 1), int(width * scale + 1)


def map_size(size_hw: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns of the windows that PNet classifies on a level with its border.

    Windows lie 2 pixels apart; on an odd side the last one hangs over the edge by a pixel,
    because PNet's pooling counts what is left over.
    """
    height, width = size_hw
    return (height - PNET_WINDOW + 3) // 2, (width - PNET_WINDOW + 3) // 2
