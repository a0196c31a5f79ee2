"""Boxes as other formats write them, turned into half-open corners."""

from __future__ import annotations

import math

Corners = tuple[float, float, float, float]
"""``x1, y1, x2, y2`` in half-open pixels."""

_LONGEST = 1e9
"""No image has a side of so many pixels."""


def whole_size(height: object, width: object) -> tuple[int, int] | None:
    """Return an image's size if both sides are numbers above 0; None if the file says none."""
    sides = (height, width)
    if all(isinstance(side, int | float) and 1 <= side < _LONGEST for side in sides):
        return int(height), int(width)  # type: ignore[call-overload]
    return None


def corners_of(x: float, y: float, width: float, height: float) -> Corners | None:
    """Return the corners of a box given by its upper left one and its size; None if empty.

    A corner that no float can hold makes a box empty too.
    """
    x2, y2 = x + width, y + height
    if not (x2 > x and y2 > y and math.isfinite(x2) and math.isfinite(y2)):
        return None
    return x, y, x2, y2
