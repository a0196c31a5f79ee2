"""What Label Studio exports: tasks with the annotations that people made, as JSON or JSON-MIN.

::

    [{"data": {"image": "/data/upload/1/15868427-a.png"},
      "annotations": [{"was_cancelled": false, "updated_at": "…", "result": [{
          "id": "x1", "type": "rectanglelabels", "original_width": 480, "original_height": 360,
          "value": {"x": 40, "y": 23.6, "width": 34.8, "height": 46.4, "rotation": 0,
                    "rectanglelabels": ["dad"]}}]}]}]

    [{"image": "/data/upload/1/15868427-a.png", "label": [{"x": 40, …, "original_width": 480}]}]

(https://labelstud.io/guide/export.)  Numbers are per cent of the image; a rectangle is turned about
its upper left corner.  Of several annotations of a task the one marked as ground truth counts, else
the newest; a task that nobody annotated, or that was skipped, says nothing about its image.
Predictions count where a task has no annotations at all, as in what facetl writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
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
from facetl.data.formats.corners import whole_size
from facetl.data.formats.csv_text import rows_of
from facetl.data.formats.json_text import load_json, object_in, objects_in
from facetl.data.formats.names import listed_name
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
from facetl.data.images import IMAGE_SUFFIXES
from facetl.data.name_matching import without_query
from facetl.files import parse_json

_Region = dict[str, Any]


def load_tasks(path: Path, on_error: OnError) -> AnnotationFile:
    """Read an export without its images.

    Raises:
        AnnotationError: if the file is broken; under ``strict``, if any shape is wrong.
    """
    parsed: list[FaceLine | Problem] = []
    sizes: dict[str, tuple[int, int]] = {}
    images: list[str] = []
    for number, task in enumerate(_tasks_in(path), start=1):
        where = f"task {task.get('id', number)!r}"[:60]
        regions = _regions_of(task, where, path, parsed)
        if regions is None:
            continue
        name = listed_name(_address_of(object_in(task.get("data")) or task))
        if name is None:
            found = f"{where}: found no name of an image"
            parsed.append(Problem(Kind.WRONG_FIELDS, path, None, found))
            continue
        images.append(name)
        for region in _merge_regions(regions):
            if size := whole_size(region.get("original_height"), region.get("original_width")):
                sizes[name] = size
            parsed += _read_region(region, size, name, where, path)
    lines, problems = collect_faces(parsed, path, on_error)
    names = tuple(dict.fromkeys(images))
    return AnnotationFile(path, lines, problems, names, sizes, frozenset(names))


def _tasks_in(path: Path) -> list[_Region]:
    """Return the tasks of JSON, or of a table, which has JSON-MIN in its cells."""
    head = read_head(path)
    if head.startswith("["):
        return objects_in(load_json(path), "tasks", path)
    delimiter = "\t" if "\t" in head.partition("\n")[0] else ","
    return [
        {key: _parse_cell(cell) for key, cell in row.items()} for row in rows_of(path, delimiter)
    ]


def _parse_cell(cell: str) -> Any:
    try:
        return parse_json(cell) if cell.startswith("[") else cell
    except ValueError:
        return cell


def _regions_of(
    task: _Region, where: str, path: Path, problems: list[FaceLine | Problem]
) -> list[_Region] | None:
    """Return what was drawn on an image; None if nobody has annotated it."""
    if not {"data", "annotations", "predictions"} & task.keys():
        return _regions_of_minimal(task, path)
    key = "annotations" if "annotations" in task else "predictions"
    versions = objects_in(task.get(key, []), key, path)
    kept = [each for each in versions if not each.get("was_cancelled")]
    if not kept:
        return None
    *others, last = sorted(kept, key=_rank)
    for _ in others:
        found = f"{where}: found another annotation of the image, which is left out"
        problems.append(Problem(Kind.OTHER_VERSION, path, None, found))
    return objects_in(last.get("result", []), "results", path)


def _rank(version: _Region) -> tuple[bool, str]:
    return bool(version.get("ground_truth")), str(version.get("updated_at", ""))


def _regions_of_minimal(task: _Region, path: Path) -> list[_Region]:
    """Return what JSON-MIN has, as JSON has it."""
    lists = (value for value in task.values() if isinstance(value, list))
    return [
        {**value, "value": value, "id": None}
        for values in lists
        if any(isinstance(value, dict) for value in values)
        for value in objects_in(values, "shapes", path)
    ]


def _address_of(data: Mapping[str, Any]) -> str | None:
    """Return where the image of a task is: what it calls ``image``, or looks like one."""
    texts = [value for value in data.values() if isinstance(value, str)]
    named = [data["image"]] if isinstance(data.get("image"), str) else []
    like = (text for text in texts if _suffix_of(text) in IMAGE_SUFFIXES)
    addresses = (text for text in texts if "/" in text)
    return next(iter((*named, *like, *addresses)), None)


def _suffix_of(address: str) -> str:
    return PurePosixPath(address.partition("?d=")[2] or without_query(address)).suffix.lower()


def _merge_regions(results: list[_Region]) -> list[_Region]:
    """Return each region once: its label may be a result of its own, with the same id."""
    regions: dict[object, _Region] = {}
    for number, result in enumerate(results):
        value = object_in(result.get("value"))
        own = result.get("id")
        key = own if isinstance(own, str) else number
        if key in regions:
            regions[key]["value"] = {**value, **regions[key]["value"]}
        elif _kind_of(value):
            regions[key] = {**result, "value": value}
    return list(regions.values())


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


def _read_region(
    region: _Region, size: tuple[int, int] | None, image: str, where: str, path: Path
) -> Iterator[FaceLine | Problem]:
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
