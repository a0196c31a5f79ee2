"""Boxes as other formats write them, turned into half-open corners.

Of what COCO calls a segmentation, polygons or runs of pixels, the box around it counts.  Runs are
counted column by column, first of pixels that do not belong, then of those that do, and so on:
``{"size": [height, width], "counts": [5, 3, …]}``.  ``counts`` may be a text, in which pycocotools
packs them (https://github.com/cocodataset/cocoapi, ``rleFrString``): each number in groups of five
bits, the lowest first, in letters from ``0`` on, as the difference to the number two places before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate

from facetl.boxes import FARTHEST

Corners = tuple[float, float, float, float]
"""``x1, y1, x2, y2`` in half-open pixels."""
_Bbox = list[float]
"""``x, y, width, height``."""

_GROUPS = 7
"""A number of a packed run has no more groups of five bits."""


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


def bbox_around(segmentation: object) -> _Bbox | None:
    """Return ``x, y, width, height`` of the box around a segmentation; None if there is none."""
    if isinstance(segmentation, dict):
        return _bbox_of_runs(segmentation)
    if not isinstance(segmentation, list):
        return None
    nested = any(isinstance(each, list) for each in segmentation)
    polygons = segmentation if nested else [segmentation]
    return _bbox_of_polygons(polygons)


def _bbox_of_polygons(polygons: Sequence[object]) -> _Bbox | None:
    xs: list[float] = []
    ys: list[float] = []
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) % 2:
            return None
        if not all(map(is_coordinate, polygon)):
            return None
        xs += polygon[0::2]
        ys += polygon[1::2]
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)] if xs else None


def _bbox_of_runs(runs: dict[str, object]) -> _Bbox | None:
    """Return the box around the runs that belong; a run that goes over columns fills them."""
    counts, height = _read_counts(runs.get("counts")), _read_height(runs.get("size"))
    if not counts or not height:
        return None
    ends = list(accumulate(counts))
    spans = [
        (start, end) for start, end in zip(ends[0::2], ends[1::2], strict=False) if end > start
    ]
    if not spans:
        return None
    left, right = spans[0][0] // height, (spans[-1][1] - 1) // height + 1
    rows = [_rows_of(start, end - 1, height) for start, end in spans]
    top, bottom = min(first for first, _ in rows), max(last for _, last in rows) + 1
    return [float(left), float(top), float(right - left), float(bottom - top)]


def _rows_of(first: int, last: int, height: int) -> tuple[int, int]:
    """Return the first and the last row of pixels from one to another."""
    if first // height != last // height:
        return 0, height - 1
    return first % height, last % height


def _read_height(size: object) -> int | None:
    match size:
        case [int(height), int(width)] if 0 < height < FARTHEST and 0 < width < FARTHEST:
            return height
        case _:
            return None


def _read_counts(counts: object) -> list[int] | None:
    """Return the lengths of the runs; None if they are none."""
    found = list(_unpack(counts)) if isinstance(counts, str) else counts
    if not isinstance(found, list) or not all(type(each) is int and each >= 0 for each in found):
        return None
    return found


def _unpack(text: str) -> Iterator[int]:
    """Yield the lengths of packed runs; a negative one where the text is broken."""
    before: list[int] = []
    value = groups = 0
    for letter in text:
        bits = ord(letter) - ord("0")
        if not 0 <= bits < 64 or groups == _GROUPS:
            yield -1
            return
        value |= (bits & 31) << 5 * groups
        groups += 1
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << 5 * groups
        if len(before) > 2:
            value += before[-2]
        before.append(value)
        yield value
        value = groups = 0
