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

from collections.abc import Mapping
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
from facetl.data.formats.csv_text import rows_of
from facetl.data.formats.json_text import load_json, object_in, objects_in
from facetl.data.formats.label_studio_regions import merge_regions, read_region, size_of
from facetl.data.formats.names import listed_name
from facetl.data.images import IMAGE_SUFFIXES
from facetl.data.name_matching import without_query
from facetl.errors import AnnotationError
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
        for region in merge_regions(regions):
            if size := size_of(region):
                sizes[name] = size
            parsed += read_region(region, size, name, where, path)
    lines, problems = collect_faces(parsed, path, on_error)
    names = tuple(dict.fromkeys(images))
    return AnnotationFile(path, lines, problems, names, sizes, frozenset(names))


def _tasks_in(path: Path) -> list[_Region]:
    """Return the tasks of JSON, or of a table, which has JSON-MIN in its cells."""
    head = read_head(path)
    if head.startswith("["):
        entries = objects_in(load_json(path), "tasks", path)
    else:
        delimiter = "\t" if "\t" in head.partition("\n")[0] else ","
        rows = rows_of(path, delimiter)
        entries = [{key: _parse_cell(cell, path) for key, cell in row.items()} for row in rows]
    is_minimal = not any({"data", "annotations", "predictions"} & each.keys() for each in entries)
    return _gather_minimal(entries, path) if is_minimal else entries


def _parse_cell(cell: str, path: Path) -> Any:
    """Return what a cell holds: shapes as JSON, or a text."""
    try:
        return parse_json(cell) if cell.startswith("[{") else cell
    except ValueError as error:
        raise AnnotationError(
            f"{path}: found broken JSON in a cell ({error}); save the file again"
        ) from error


def _regions_of(
    task: _Region, where: str, path: Path, problems: list[FaceLine | Problem]
) -> list[_Region] | None:
    """Return what was drawn on an image; None if nobody has annotated it."""
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


def _gather_minimal(entries: list[_Region], path: Path) -> list[_Region]:
    """Return the tasks of JSON-MIN, which has an entry an annotation, as JSON has them."""
    tasks: dict[str, _Region] = {}
    for entry in entries:
        image = _address_of(entry)
        task = tasks.setdefault(repr((entry.get("id"), image)), {**entry, "annotations": []})
        lists = (value for value in entry.values() if isinstance(value, list))
        regions = [
            {**value, "value": value, "id": None}
            for values in lists
            if any(isinstance(value, dict) for value in values)
            for value in objects_in(values, "shapes", path)
        ]
        if regions or entry.get("annotation_id"):
            version = {"result": regions, "updated_at": entry.get("updated_at", "")}
            task["annotations"].append(version)
    return list(tasks.values())


def _address_of(data: Mapping[str, Any]) -> str | None:
    """Return where the image of a task is: what it calls ``image``, or looks like one."""
    texts = [value for value in data.values() if isinstance(value, str)]
    named = [data["image"]] if isinstance(data.get("image"), str) else []
    like = (text for text in texts if _suffix_of(text) in IMAGE_SUFFIXES)
    addresses = (text for text in texts if "/" in text)
    return next(iter((*named, *like, *addresses)), None)


def _suffix_of(address: str) -> str:
    return PurePosixPath(address.partition("?d=")[2] or without_query(address)).suffix.lower()
