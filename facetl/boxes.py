"""Geometry of boxes: free functions on (N, 4) arrays.

A box is ``x1, y1, x2, y2`` in pixels, half open: its width is ``x2 - x1``.  All functions take
and return floating-point arrays and accept N = 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Boxes = NDArray[np.floating[Any]]
"""(N, 4) boxes, ``x1, y1, x2, y2`` in pixels."""

FARTHEST = 1e9
"""The largest distance of a coordinate from the image's corner, in pixels; areas stay finite."""

THINNEST = 1e-4
"""The sides of a box must be longer, in pixels, for it to be written as a face and read again."""


def as_boxes(boxes: ArrayLike) -> Boxes:
    """Return ``boxes`` as an (N, 4) float64 array; an empty list becomes (0, 4).

    Raises:
        ValueError: if the shape is not (N, 4).
    """
    array = np.asarray(boxes, dtype=np.float64)
    if array.size == 0:
        return np.zeros((0, 4))
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"expected boxes of shape (N, 4), got {array.shape}")
    return array


def area(boxes: Boxes) -> NDArray[np.floating[Any]]:
    """Return the (N,) areas in square pixels."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def _intersection(boxes: Boxes, others: Boxes) -> NDArray[np.floating[Any]]:
    """Return the (N, M) areas of overlap of each of N boxes with each of M others."""
    top_left = np.maximum(boxes[:, None, :2], others[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = np.clip(bottom_right - top_left, 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(boxes: Boxes, others: Boxes) -> NDArray[np.floating[Any]]:
    """Return the (N, M) intersection over union; 0 where both boxes are empty."""
    overlap = _intersection(boxes, others)
    union = area(boxes)[:, None] + area(others)[None, :] - overlap
    shares = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return np.asarray(shares)


def coverage(boxes: Boxes, regions: Boxes) -> NDArray[np.floating[Any]]:
    """Return (N,) fractions of the area of each box that its most overlapping region covers.

    Intersection over the box's own area, as pycocotools measures overlap with a crowd; 0 without
    regions, and for an empty box.
    """
    overlap = _intersection(boxes, regions).max(axis=1, initial=0)
    whole = area(boxes)
    return np.asarray(np.divide(overlap, whole, out=np.zeros_like(overlap), where=whole > 0))


def inclusive(boxes: Boxes) -> Boxes:
    """Return half-open boxes that cover the same pixels as boxes with inclusive corners.

    The course's evaluator counts ``x2`` and ``y2`` as belonging to the box, so that a width is
    ``x2 - x1 + 1``.  This is the only place where that convention is converted.
    """
    return np.asarray(boxes + np.array([0.0, 0.0, 1.0, 1.0]))


def clip(boxes: Boxes, size_hw: tuple[int, int]) -> Boxes:
    """Return the boxes clipped to an image of ``size_hw`` pixels."""
    height, width = size_hw
    return np.clip(boxes, 0, np.array([width, height, width, height]))


def square(boxes: Boxes) -> Boxes:
    """Return the squares with the same centres; the longer side of a box is that of its square."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def offsets(windows: Boxes, boxes: Boxes) -> NDArray[np.floating[Any]]:
    """Return (N, 4) offsets: box minus window, as fractions of the window's width and height.

    The regression target of the cascade (Zhang et al. 2016, section II-B), inverse of
    :func:`shift`.  Windows must not be empty.
    """
    return (boxes - windows) / _edges(windows)


def shift(windows: Boxes, by: NDArray[np.floating[Any]]) -> Boxes:
    """Return the boxes that lie ``by`` (N, 4) offsets away from the windows."""
    return windows + by * _edges(windows)


def _edges(windows: Boxes) -> NDArray[np.floating[Any]]:
    sides = windows[:, 2:] - windows[:, :2]
    return np.concatenate([sides, sides], axis=1)
