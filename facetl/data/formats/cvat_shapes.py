"""The shapes in CVAT's XML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facetl.data.formats.corners import is_number, upright_around
from facetl.data.formats.shapes import (
    MASK,
    RECTANGLE,
    TURNED,
    Point,
    Shape,
    ellipse_points,
    numbers_of,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_CORNERS = ("xtl", "ytl", "xbr", "ybr")
_NO_SHAPES = ("tag", "attribute")


def shape_of(element: Element, where: str) -> Shape | None:
    """Return the shape that an element is; None if it is none, such as a tag."""
    label, kind = element.get("label"), element.tag
    if kind in _NO_SHAPES:
        return None
    if kind == "box":
        kind = TURNED if _number(element.get("rotation", "0")) not in (0, None) else RECTANGLE
        return Shape(kind, _corners_of_box(element), label, where)
    if kind == "ellipse":
        return Shape(kind, _corners_of_ellipse(element), label, where)
    if kind == "mask":
        return Shape(MASK, (), label, where)
    return Shape(kind, _points_of(element), label, where)


def _corners_of_box(element: Element) -> list[Point]:
    """Return two corners of the upright box around a box that may be turned."""
    corners = [_number(element.get(key)) for key in _CORNERS]
    if None in corners:
        return [corners[:2], corners[2:]]
    x1, y1, x2, y2 = upright_around(tuple(corners), element.get("rotation"))  # type: ignore[arg-type]
    return [(x1, y1), (x2, y2)]


def _corners_of_ellipse(element: Element) -> list[Point]:
    turned = _number(element.get("rotation", "0")) or 0
    numbers = numbers_of(*(_number(element.get(key)) for key in ("cx", "cy", "rx", "ry")), turned)
    if numbers is None:
        return [(element.get("cx"), element.get("rx"))]
    x, y, across, down, degrees = numbers
    return list(ellipse_points(x, y, across, down, degrees))


def _points_of(element: Element) -> list[Point]:
    """Return the points in ``1.0,2.0;3.0,4.0``."""
    pairs = element.get("points", "").split(";")
    return [[_number(word) for word in pair.split(",")] for pair in pairs]


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and is_number(text) else None
