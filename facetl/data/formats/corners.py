"""Boxes as other formats write them, turned into half-open corners."""

from __future__ import annotations

import math

from facetl.boxes import FARTHEST

Corners = tuple[float, float, float, float]
"""``x1, y1, x2, y2`` in half-open pixels."""


def is_coordinate(value: object) -> bool:
    """Return whether JSON's value is a number that can be a coordinate."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= FARTHEST  # False for NaN


def is_number(word: str) -> bool:
    """Return whether a word is a number that can be a coordinate: not infinite, nor far from it."""
    try:
        return abs(float(word)) <= FARTHEST  # False for NaN
    except ValueError:
        return False


def whole_size(height: object, width: object) -> tuple[int, int] | None:
    """Return an image's size if both sides are numbers above 0; None if the file says none."""
    sides = (height, width)
    if all(isinstance(side, int | float) and 1 <= side < FARTHEST for side in sides):
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


def upright_around(box: Corners, degrees: object) -> Corners:
    """Return the upright box around one that is turned about its centre.

    Args:
        box: how it lies before it is turned.
        degrees: a number, or text of one; anything else leaves the box as it is.
    """
    angle = _number(degrees)
    if not angle % 180:
        return box
    cosine, sine = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    x1, y1, x2, y2 = box
    width = (x2 - x1) * cosine + (y2 - y1) * sine
    height = (x2 - x1) * sine + (y2 - y1) * cosine
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    x1, y1, x2, y2 = (round(side, 6) for side in sides)  # to a millionth of a pixel
    return x1, y1, x2, y2


def _number(value: object) -> float:
    """Return a finite number, 0 for anything else."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) else 0.0
