"""The regions that Label Studio exports: shapes in per cent of the image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from facetl.data.annotations import FaceLine, Kind, Problem
from facetl.data.formats.corners import whole_size
from facetl.data.formats.json_text import object_in
from facetl.data.formats.shapes import (
    MASK,
    RECTANGLE,
    TURNED,
    Shape,
    ellipse_points,
    numbers_of,
    read_shape,
    turn_rectangle,
)

Region = dict[str, Any]


def merge_regions(results: list[Region]) -> list[Region]:
    """Return each region once: its label may be a result of its own, with the same id."""
    regions: dict[object, Region] = {}
    for number, result in enumerate(results):
        value = object_in(result.get("value"))
        own = result.get("id")
        key = own if isinstance(own, str) else number
        if key in regions:
            regions[key]["value"] = {**value, **regions[key]["value"]}
        elif _kind_of(value):
            regions[key] = {**result, "value": value}
    return list(regions.values())


def size_of(region: Region) -> tuple[int, int] | None:
    """Return height and width of the image in pixels, None if the region does not say them."""
    return whole_size(region.get("original_height"), region.get("original_width"))


def _kind_of(value: Mapping[str, Any]) -> str:
    """Return what a region is, in words; empty for what is no region, such as a choice."""
    if value.get("format") == "rle" or "rle" in value:
        return MASK
    if "sequence" in value:
        return "track of a video"
    if "points" in value:
        return "polygon"
    if "radiusX" in value:
        return "ellipse"
    if "x" in value:
        turned = TURNED if value.get("rotation") else RECTANGLE
        return turned if "height" in value else "point"
    return "path" if "vertices" in value else ""


def read_region(
    region: Region, size: tuple[int, int] | None, image: str, where: str, path: Path
) -> Iterator[FaceLine | Problem]:
    """Yield the face that a region is, and what is to be said about it.

    Args:
        region: as :func:`merge_regions` returns it.
        size: height and width of the image in pixels.
        image: its name.
        where: the task is, in words.
        path: the file.
    """
    value, kind = region["value"], _kind_of(region["value"])
    names = [value[key] for key in value if key.endswith("labels")]
    label = next((name[0] for name in names if isinstance(name, list) and name), None)
    points = _points_of(value, kind, size) if size else None
    if points is None and kind in (RECTANGLE, TURNED, "polygon", "ellipse"):
        expected = "numbers, and the original_width and original_height of the image"
        found = f"{where}: found a {kind} without what it needs, expected {expected}"
        yield Problem(Kind.NOT_A_NUMBER, path, None, found)
        return
    yield from read_shape(Shape(kind, points or (), label, where), image, path)


def _points_of(
    value: Mapping[str, Any], kind: str, size: tuple[int, int]
) -> list[tuple[float, float]] | None:
    """Return the points of a region in pixels; None if they are no numbers."""
    down, across = (side / 100 for side in size)
    if kind == "polygon":
        points = value["points"] if isinstance(value["points"], list) else [None]
        pairs = [numbers_of(*p) if isinstance(p, list) and len(p) == 2 else None for p in points]
        return [_rounded(p[0] * across, p[1] * down) for p in pairs if p] if all(pairs) else None
    keys = ("radiusX", "radiusY") if kind == "ellipse" else ("width", "height")
    turned = value.get("rotation") or 0
    numbers = numbers_of(*(value.get(key) for key in ("x", "y", *keys)), turned)
    if numbers is None:
        return None
    x, y, width, height, degrees = numbers
    make = ellipse_points if kind == "ellipse" else turn_rectangle
    corners = make(x * across, y * down, width * across, height * down, degrees)
    return [_rounded(*corner) for corner in corners]


def _rounded(x: float, y: float) -> tuple[float, float]:
    """Return a point to a millionth of a pixel: anything finer is noise of per cents."""
    return round(x, 6), round(y, 6)
