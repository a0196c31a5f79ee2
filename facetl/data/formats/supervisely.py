"""Supervisely: a folder ``img`` of images, and beside it ``ann`` with JSON for each.

::

    {"size": {"height": 360, "width": 480}, "objects": [
        {"classTitle": "dad", "geometryType": "rectangle",
         "points": {"exterior": [[192, 85], [358, 251]], "interior": []}}]}

(https://docs.supervisely.com, annotation format.)  The file of ``a.jpg`` is ``a.jpg.json``.  The
last pixel of a rectangle of whole pixels belongs to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facetl.data.formats.corners import whole_size
from facetl.data.formats.json_per_image import ImageShapes, JsonPerImage
from facetl.data.formats.json_text import object_in, objects_in
from facetl.data.formats.shapes import MASK, RECTANGLE, Point, Shape, numbers_of

_KINDS = {"bitmap": MASK, "alpha_mask": MASK, "line": "line", "polyline": "line"}


class Supervisely(JsonPerImage):
    """``ann`` beside ``img``."""

    name = "supervisely"
    folders = ("ann",)
    images_folder = "img"

    def read_image(self, document: dict[str, Any], path: Path) -> ImageShapes:
        """Return what a file says; it is named after the image."""
        size = object_in(document.get("size"))
        objects = objects_in(document.get("objects"), "objects", path)
        shapes = [_shape_of(each, f"object {n}") for n, each in enumerate(objects, start=1)]
        return ImageShapes(path.stem, whole_size(size.get("height"), size.get("width")), shapes)


def _shape_of(described: dict[str, Any], where: str) -> Shape:
    given = str(described.get("geometryType"))[:40]
    kind = _KINDS.get(given, given)
    exterior = object_in(described.get("points")).get("exterior")
    points: list[Point] = exterior if isinstance(exterior, list) else [[None]]
    if kind == RECTANGLE and len(points) == 2:
        points = [points[0], _after(points[1])]
    return Shape(kind, points, described.get("classTitle"), where)


def _after(last: Point) -> Point:
    """Return the corner after the last pixel."""
    numbers = numbers_of(*last) if isinstance(last, list) else None
    is_whole = numbers is not None and all(map(float.is_integer, numbers))
    return [side + 1 for side in numbers] if numbers and is_whole else last
