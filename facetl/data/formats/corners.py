"""Boxes as other formats write them, turned into half-open corners."""

from __future__ import annotations

import math

Corners = tuple[float, float, float, float]
"""``x1, y1, x2, y2`` in half-open pixels."""


def corners_of(x: float, y: float, width: float, height: float) -> Corners | None:
    """Return the corners of a box given by its upper left one and its size; None if empty.

    A corner that no float can hold makes a box empty too.
    """
    x2, y2 = x + width, y + height
    if not (x2 > x and y2 > y and math.isfinite(x2) and math.isfinite(y2)):
        return None
    return x, y, x2, y2
