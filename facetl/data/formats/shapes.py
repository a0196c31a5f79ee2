"""What people draw in labelling tools, and the faces that come of it.

A rectangle is a face.  Of a rectangle that is turned, of a polygon, an ellipse and a circle the
upright box around it is, and it is counted.  Shapes that enclose nothing, such as points and
lines, are left out and counted.  Masks of pixels are not read: that is an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facetl.data.annotations import FaceLine, Kind, Problem
from facetl.data.formats.corners import Corners, corners_of, is_coordinate
from facetl.data.formats.names import class_label

RECTANGLE = "rectangle"
TURNED = "rotated box"
MASK = "mask of pixels"
_OUTLINES = ("polygon", "ellipse", "circle")

Point = Sequence[object]
"""``x, y``."""


@dataclass(frozen=True)
class Shape:
    """A shape as a file has it.

    Attributes:
        kind: what it is, in words: one of those that this module knows, or any other, which
            encloses nothing.
        points: in pixels, all of which its box encloses.
        label: the name that it has.
        where: it is in the file, in words.
        mark: by which the file says that it is to be ignored.
        line: its number, None where a format has no lines.
    """

    kind: str
    points: Sequence[Point]
    label: object = None
    where: str = "a shape"
    mark: str | None = None
    line: int | None = None


def read_shape(
    shape: Shape, image: str, path: Path, *, own_file: bool = False
) -> Iterator[FaceLine | Problem]:
    """Yield the face that a shape is, and what is to be said about it.

    Args:
        shape: what was drawn.
        image: the name of the image.
        path: the file.
        own_file: the image has a file of its own.
    """
    box, fault = None, _find_fault(shape)
    if fault is None and (box := box_around(shape.points)) is None:
        fault = Kind.EMPTY_BOX, f"found an empty {shape.kind}, expected width and height above 0"
    if fault or not box:
        kind, found = fault or (Kind.EMPTY_BOX, "")
        yield Problem(kind, path, shape.line, f"{shape.where}: {found}")
        return
    if shape.kind != RECTANGLE:
        kind = Kind.ROTATED if shape.kind == TURNED else Kind.OUTLINE
        yield Problem(kind, path, shape.line, f"{shape.where}: found a {shape.kind}")
    label = class_label(shape.label) if isinstance(shape.label, str) else None
    yield FaceLine(image, box, label, shape.line, path if own_file else None, shape.mark)


def box_around(points: Sequence[Point]) -> Corners | None:
    """Return the upright box around points that are numbers; None if it is empty."""
    xs = [float(x) for x, _ in points]  # type: ignore[arg-type]
    ys = [float(y) for _, y in points]  # type: ignore[arg-type]
    if not xs:
        return None
    return corners_of(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def turn_rectangle(
    x: float, y: float, width: float, height: float, degrees: float
) -> list[tuple[float, float]]:
    """Return the corners of a rectangle that is turned clockwise about its upper left corner."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    steps = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    return [
        (x + right * cosine - down * sine, y + right * sine + down * cosine)
        for right, down in steps
    ]


def ellipse_points(
    x: float, y: float, across: float, down: float, degrees: float
) -> list[tuple[float, float]]:
    """Return two corners of the upright box around an ellipse, given by its centre and radii."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half_width = math.hypot(across * cosine, down * sine)
    half_height = math.hypot(across * sine, down * cosine)
    return [(x - half_width, y - half_height), (x + half_width, y + half_height)]


def numbers_of(*values: object) -> list[float] | None:
    """Return JSON's values if all are numbers that can be coordinates, else None."""
    return [float(value) for value in values] if all(map(is_coordinate, values)) else None  # type: ignore[arg-type]


def _find_fault(shape: Shape) -> tuple[Kind, str] | None:
    """Return why a shape is no face, None if it may be one."""
    if shape.kind == MASK:
        found = f"found a {MASK}, which facetl does not read; draw a rectangle, or export as COCO"
        return Kind.MASK, found
    if shape.kind not in (RECTANGLE, TURNED, *_OUTLINES):
        return Kind.NO_BOX, f"found a {shape.kind}, which encloses no face: it is left out"
    for point in shape.points:
        if not isinstance(point, list | tuple) or len(point) != 2 or numbers_of(*point) is None:
            text = repr(point)[:60]
            return Kind.NOT_A_NUMBER, f"found the point {text}, expected two numbers of pixels"
    return None
