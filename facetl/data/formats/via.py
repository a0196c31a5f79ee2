"""VIA, the VGG Image Annotator, version 1 or 2: its JSON, its projects and its tables.

::

    {"a.jpg12345": {"filename": "a.jpg", "size": 12345, "file_attributes": {}, "regions": [
        {"shape_attributes": {"name": "rect", "x": 192, "y": 85, "width": 167, "height": 167},
         "region_attributes": {"name": "dad"}}]}}

(https://www.robots.ox.ac.uk/~vgg/software/via.)  A project has this under ``_via_img_metadata``.  A
table has a row a region, with the attributes as JSON.  The label is the only attribute of a region
that is a text, or the first one of those called ``name``, ``label``, ``class`` or ``type``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import degrees
from pathlib import Path
from typing import Any

from facetl.data.annotations import (
    AnnotationFile,
    FaceLine,
    Kind,
    OnError,
    Problem,
    collect_faces,
    read_head,
)
from facetl.data.formats.base import AnnotationFormat
from facetl.data.formats.csv_text import rows_of
from facetl.data.formats.foreign import known_as
from facetl.data.formats.json_text import load_json, object_in, objects_in
from facetl.data.formats.names import listed_name
from facetl.data.formats.shapes import (
    RECTANGLE,
    Point,
    Shape,
    ellipse_points,
    numbers_of,
    read_shape,
)
from facetl.errors import AnnotationError
from facetl.files import parse_json

_LABELS = ("name", "label", "class", "type")
_RADII = {"circle": ("r", "r"), "ellipse": ("rx", "ry")}

_Region = dict[str, Any]


class Via(AnnotationFormat):
    """JSON or a table of VIA."""

    name = "via"
    suffixes = (".json", ".csv")
    subfolder = "annotations"

    def looks_like(self, head: str) -> bool:
        """Return whether a file begins as one of VIA does."""
        return known_as(head) == self.name

    def load(self, path: Path, on_error: OnError = "strict") -> AnnotationFile:
        """Read a file without its images."""
        is_json = read_head(path).startswith("{")
        parsed: list[FaceLine | Problem] = []
        images: dict[str, None] = {}
        for given, regions in _read_json(path) if is_json else _read_table(path):
            if (name := listed_name(given)) is None:
                found = f"found the file name {given!r}"[:100]
                parsed.append(Problem(Kind.WRONG_FIELDS, path, None, found))
                continue
            images[name] = None
            for number, region in enumerate(regions, start=1):
                shape = _shape_of(region, f"region {number} of {name}")
                parsed += read_shape(shape, name, path)
        lines, problems = collect_faces(parsed, path, on_error)
        return AnnotationFile(path, lines, problems, tuple(images))


def _read_json(path: Path) -> Iterator[tuple[object, list[_Region]]]:
    """Yield the name of each image, and its regions."""
    document = object_in(load_json(path))
    entries = document.get("_via_img_metadata", document)
    if not isinstance(entries, dict):
        raise AnnotationError(f"{path}: expected images by their ids; save the file again")
    for entry in objects_in(list(entries.values()), "images", path):
        regions = entry.get("regions", [])
        listed = list(regions.values()) if isinstance(regions, dict) else regions
        yield entry.get("filename"), objects_in(listed, "regions", path)


def _read_table(path: Path) -> Iterator[tuple[object, list[_Region]]]:
    """Yield the name of an image and one of its regions, or none."""
    keys = {"region_shape_attributes": "shape_attributes", "region_attributes": "region_attributes"}
    for row in rows_of(path):
        try:
            region = {key: parse_json(row.get(column) or "{}") for column, key in keys.items()}
        except ValueError as error:
            raise AnnotationError(
                f"{path}: found broken JSON in a cell ({error}); save the file again"
            ) from error
        yield row.get("filename"), [region] if region["shape_attributes"] else []


def _shape_of(region: _Region, where: str) -> Shape:
    attributes = object_in(region.get("shape_attributes"))
    kind = attributes.get("name")
    label = _label_of(object_in(region.get("region_attributes")))
    if kind == "rect":
        return Shape(RECTANGLE, _corners(attributes), label, where)
    if kind in _RADII:
        return Shape(str(kind), _around(attributes, *_RADII[str(kind)]), label, where)
    xs, ys = (attributes.get(f"all_points_{axis}") for axis in "xy")
    is_outline = isinstance(xs, list) and isinstance(ys, list) and len(xs) == len(ys)
    points = list(zip(xs, ys, strict=True)) if is_outline else [None]  # type: ignore[arg-type]
    return Shape(str(kind)[:40], points, label, where)  # type: ignore[arg-type]


def _corners(attributes: Mapping[str, Any]) -> list[Point]:
    given = [attributes.get(key) for key in ("x", "y", "width", "height")]
    if (numbers := numbers_of(*given)) is None:
        return [given[:2], given[2:]]
    x, y, width, height = numbers
    return [(x, y), (x + width, y + height)]


def _around(attributes: Mapping[str, Any], across: str, down: str) -> list[Point]:
    """Return two corners of the box around an ellipse; VIA turns it by radians."""
    given = [attributes.get(key) for key in ("cx", "cy", across, down)]
    numbers = numbers_of(*given, attributes.get("theta", 0))
    if numbers is None:
        return [given[:2], given[2:], (attributes.get("theta", 0), 0)]
    x, y, width, height, radians = numbers
    return list(ellipse_points(x, y, width, height, degrees(radians)))


def _label_of(attributes: Mapping[str, Any]) -> str | None:
    texts = {key: value for key, value in attributes.items() if isinstance(value, str) and value}
    named = (texts[key] for key in _LABELS if key in texts)
    return next(named, None) or (next(iter(texts.values())) if len(texts) == 1 else None)
