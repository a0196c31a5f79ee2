"""COCO: one JSON with images, categories and annotations.

::

    {"images": [{"id": 1, "file_name": "a.jpg", "width": 480, "height": 360}],
     "categories": [{"id": 1, "name": "dad"}],
     "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [x, y, width, height],
                      "area": 100.0, "iscrowd": 0, "segmentation": []}]}

(https://cocodataset.org/#format-data.)  ``x, y`` is the upper left corner, so a box is half open
as ours are.  The file lists all images that count: others in the folder are not looked at.  Where
it says an image's width and height, the upright image must have them; 0 says nothing.  An
annotation with ``iscrowd`` or ``ignore`` is a region to be ignored; such regions are written with
``iscrowd``, as pycocotools ignores those, and of the class ``face``.

Ids are whole numbers or texts; tools mix them (VIA), so ``"1"`` and ``1.0`` mean ``1`` where
nothing has that very id.  Without a ``bbox`` the box around the ``segmentation`` counts: polygons,
or runs of pixels, packed or not.  With an attribute ``rotation``, as CVAT writes it, ``bbox`` is
turned by so many degrees about its centre: the upright box around it is read, and counted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from facetl.boxes import as_boxes, clip
from facetl.data.annotations import (
    AnnotationFile,
    FaceLine,
    Faces,
    Kind,
    OnError,
    Problem,
    collect_faces,
)
from facetl.data.formats.base import AnnotationFormat, FramesByPart
from facetl.data.formats.corners import (
    bbox_around,
    corners_of,
    is_coordinate,
    upright_around,
    whole_size,
)
from facetl.data.formats.foreign import is_foreign, looks_like_json
from facetl.data.formats.json_text import load_json
from facetl.data.formats.names import class_label, class_name, class_names, listed_name
from facetl.data.frame import Frame, Part
from facetl.errors import AnnotationError
from facetl.files import write_text

_LISTS = re.compile(r'"(images|annotations)"\s*:')
_CATEGORIES = re.compile(r'"categories"\s*:')
_FEW = 10_000
"""Letters by which any COCO has named a list that it needs; categories alone are no data set."""
_OWN = re.compile(r'\{\s*"format"\s*:\s*"facetl-')
"""How facetl's own JSON begins, such as manifests: their settings may speak of images too."""

_NO = ("", "0", "0.0", "false", "no", "none", "null")
"""Texts, in lower case, by which tools say that an annotation is not to be ignored."""

_LONGEST_ID = 20
"""Digits of a number that is an id."""


class Coco(AnnotationFormat):
    """One JSON file; written as ``annotations.json``, or a file a part, and ``images/``."""

    name = "coco"
    suffixes: tuple[str, ...] = (".json",)
    subfolder = "annotations"
    keeps_ignored = True
    single_suffix = ".json"

    def looks_like(self, head: str) -> bool:
        """Return whether a file begins as a COCO data set does."""
        if not head.startswith("{") or is_foreign(head) or _OWN.match(head):
            return False
        begins = len(head) > _FEW and _CATEGORIES.search(head) is not None
        return looks_like_json(head) and (begins or _LISTS.search(head) is not None)

    def find(self, folder: Path) -> list[Path]:
        """Return the data sets in a folder; of those that one tool writes, the one with boxes."""
        found = super().find(folder)
        boxes = [path for path in found if path.stem.startswith("instances_")]
        return boxes if boxes and all(map(_is_derived, {*found} - {*boxes})) else found

    def load(self, path: Path, on_error: OnError = "strict") -> AnnotationFile:
        """Read a file without its images."""
        document = load_document(path)
        entries = [each if isinstance(each, dict) else {} for each in document["images"]]
        images, strays = _read_images(entries, path)
        categories = _read_categories(document.get("categories", []), path)
        images_by_id, categories_by_id = _with_aliases(images), _with_aliases(categories)
        parsed = [
            each
            for place, entry in enumerate(document["annotations"])
            for each in _read_annotation(entry, place, images_by_id, categories_by_id, path)
        ]
        lines, problems = collect_faces((*strays, *parsed), path, on_error)
        return AnnotationFile(
            path, lines, problems, tuple(images.values()), _read_sizes(entries, images)
        )

    def image_place(self, part: Part, name: str, *, alone: bool) -> str:
        """Return where an image is written."""
        return f"images/{name}" if alone else f"images/{part}/{name}"

    def save(self, folder: Path, parts: FramesByPart, *, with_images: bool) -> None:
        """Write a file for each part."""
        for part, frames in parts.items():
            several = f"annotations/instances_{part}.json"
            self.save_single(folder / ("annotations.json" if len(parts) == 1 else several), frames)

    def save_single(self, path: Path, frames: Sequence[Frame]) -> None:
        """Write all frames and faces to one file; ids count from 1 in the order given."""
        write_text(path, json.dumps(_describe_frames(frames), ensure_ascii=False) + "\n")


def replace_faces(
    document: dict[str, Any], image: str, faces: Faces, size_hw: tuple[int, int]
) -> None:
    """Change a COCO document: other faces of one image, and everything else as it is.

    Entries of faces that stay the same, once clipped to the image, stay as well, and so do
    regions to be ignored.  Labels that are new become categories.
    """
    rest = list(zip(map(tuple, faces.boxes.tolist()), faces.labels, strict=True))
    [own_id] = [each["id"] for each in document["images"] if _names(each, image)]
    categories = document.setdefault("categories", [])
    known = _with_aliases({own_id: image}), _with_aliases(_read_categories(categories, Path()))
    kept = []
    for place, entry in enumerate(document["annotations"]):
        read = _read_annotation(entry, place, *known, Path())
        line = next((each for each in read if isinstance(each, FaceLine)), None)
        if line and line.mark is None:
            face = tuple(clip(as_boxes([line.box]), size_hw)[0].tolist()), line.label
            if face not in rest:
                continue
            rest.remove(face)
        kept.append(entry)
    next_id = 1 + max((each["id"] for each in kept if isinstance(each.get("id"), int)), default=0)
    for number, (added, label) in enumerate(rest, next_id):
        kept.append(describe_box(number, own_id, _category_of(categories, label), added))
    document["annotations"] = kept


def _names(entry: Any, image: str) -> bool:
    return isinstance(entry, dict) and listed_name(entry.get("file_name")) == image


def _category_of(categories: list[dict[str, Any]], label: str | None) -> int:
    """Return the id of a label's category, which is added if there is none."""
    name = class_name(label)
    for each in categories:
        if each.get("name") == name and isinstance(each.get("id"), int):
            return int(each["id"])
    numbers = (each["id"] for each in categories if isinstance(each.get("id"), int))
    categories.append({"id": 1 + max(numbers, default=0), "name": name, "supercategory": ""})
    return int(categories[-1]["id"])


def load_document(path: Path) -> dict[str, Any]:
    """Read a COCO data set as it stands.

    Raises:
        AnnotationError: if it is none.
    """
    document = load_json(path)
    if not _is_coco(document):
        raise AnnotationError(
            f"{path}: found JSON without lists of images and annotations; give a COCO data set"
        )
    return document  # type: ignore[no-any-return]


def _is_derived(path: Path) -> bool:
    """Return whether CVAT and others write a file beside that of the boxes."""
    return path.stem.startswith(("image_info_", "stuff_", "captions_", "labels_", "panoptic_"))


def _is_coco(document: object) -> bool:
    """Return whether JSON has the lists that make it a COCO data set."""
    return isinstance(document, dict) and all(
        isinstance(document.get(key), list) for key in ("images", "annotations")
    )


def _describe_frames(frames: Sequence[Frame]) -> dict[str, Any]:
    """Return frames and faces as a COCO document."""
    names = class_names([label for frame in frames for label, *_ in _regions_of(frame)])
    ids = {name: number for number, name in enumerate(names or [class_name(None)], start=1)}
    regions = [
        (number, ids[class_name(label)], box, is_ignored)
        for number, frame in enumerate(frames, start=1)
        for label, box, is_ignored in _regions_of(frame)
    ]
    images = [(frame.name, frame.size_hw) for frame in frames]
    boxes = [describe_box(number, *region) for number, region in enumerate(regions, start=1)]
    return describe_dataset("frames of a cartoon, written by facetl", images, ids, boxes)


def describe_dataset(
    what: str,
    images: Sequence[tuple[str, tuple[int, int]]],
    ids: Mapping[str, int],
    boxes: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return a COCO document.

    Args:
        what: its description.
        images: name, height and width of each; their ids count from 1.
        ids: of the categories, by name.
        boxes: entries as :func:`describe_box` makes them.
    """
    return {
        "info": {"description": what},
        "images": [
            {"id": number, "file_name": name, "width": width, "height": height}
            for number, (name, (height, width)) in enumerate(images, start=1)
        ],
        "categories": [
            {"id": number, "name": name, "supercategory": ""} for name, number in ids.items()
        ],
        "annotations": boxes,
    }


def describe_box(
    annotation_id: int,
    image_id: int,
    category_id: int,
    box: Sequence[float],
    is_ignored: bool = False,
) -> dict[str, Any]:
    """Return the entry of a face; ``segmentation`` is empty, so tools take it for a rectangle."""
    x, y, width, height = bbox_of(box)
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": [x, y, width, height],
        "area": width * height,
        "iscrowd": int(is_ignored),
        "segmentation": [],
    }


def bbox_of(box: Sequence[float]) -> tuple[float, float, float, float]:
    """Return a half-open box as COCO's ``x, y, width, height``."""
    x1, y1, x2, y2 = box
    return x1, y1, x2 - x1, y2 - y1


def _regions_of(frame: Frame) -> list[tuple[str | None, list[float], bool]]:
    """Return label and box of each face, then of each region to be ignored, and which it is."""
    faces = zip(frame.labels, frame.boxes.tolist(), strict=True)
    return [
        *((label, box, False) for label, box in faces),
        *((None, box, True) for box in frame.ignored.tolist()),
    ]


def _read_images(
    entries: Sequence[Mapping[str, Any]], path: Path
) -> tuple[dict[Any, str], list[Problem]]:
    """Return image names by id, each once, and what is wrong with the entries.

    Two entries with one id, or of one file, are both left out: faces could belong to either.
    """
    named: list[tuple[Any, str]] = []
    problems = []
    for place, fields in enumerate(entries):
        name, key = listed_name(fields.get("file_name")), fields.get("id")
        if _is_id(key) and name is not None:
            named.append((key, name))
        else:
            problems.append(_report_image(fields, place, path))
    ids, names = (Counter(column) for column in zip(*named, strict=True)) if named else ({}, {})
    twins = {pair for pair in named if ids[pair[0]] > 1 or names[pair[1]] > 1}
    problems += [_report_twin(*pair, path) for pair in named if pair in twins]
    return {key: name for key, name in named if (key, name) not in twins}, problems


def _report_twin(key: Any, name: str, path: Path) -> Problem:
    found = f"image {key!r}: found its id or its file name {name!r} at another image too"
    return Problem(Kind.TWICE, path, None, found)


def _read_sizes(
    entries: Sequence[Mapping[str, Any]], images: Mapping[Any, str]
) -> dict[str, tuple[int, int]]:
    """Return height and width by image name, where an entry says both."""
    sizes = {}
    for fields in entries:
        key, height, width = (fields.get(field) for field in ("id", "height", "width"))
        if _is_id(key) and key in images and (size := whole_size(height, width)):
            sizes[images[key]] = size
    return sizes


def _report_image(fields: Mapping[str, Any], place: int, path: Path) -> Problem:
    name = fields.get("file_name")
    if _is_id(fields.get("id")) and isinstance(name, str):
        found = f"image {fields['id']}: found the file name {name!r}, which is not in the folder"
        return Problem(Kind.ESCAPE, path, None, found)
    found = f"image number {place + 1}: expected an id and a file name"
    return Problem(Kind.WRONG_FIELDS, path, None, found)


def _read_categories(entries: Any, path: Path) -> dict[Any, str]:
    """Return the names of the categories by id; those without a name cannot be referred to."""
    if not isinstance(entries, list):
        raise AnnotationError(f"{path}: expected a list of categories; save the file again")
    return {
        entry["id"]: entry["name"]
        for entry in entries
        if isinstance(entry, dict)
        and _is_id(entry.get("id"))
        and isinstance(entry.get("name"), str)
    }


def _with_aliases(named: Mapping[Any, str]) -> dict[Any, str]:
    """Return names by id, and by what else may mean it: ``"1"`` and ``1`` are one id."""
    aliases = Counter(_alias(key) for key in named)
    others = {_alias(key): name for key, name in named.items() if aliases[_alias(key)] == 1}
    return others | dict(named)


def _alias(key: Any) -> Any:
    """Return a whole number for a text of one, else the id itself."""
    text = key.strip() if isinstance(key, str) else ""
    return int(text) if text.isdecimal() and len(text) < _LONGEST_ID else key


def _look_up(named: Mapping[Any, str], key: Any) -> str | None:
    """Return what has an id, None if nothing has; see :func:`_with_aliases`."""
    return named.get(key, named.get(_alias(key))) if _is_id(key) else None


def _read_annotation(
    entry: Any,
    place: int,
    images: Mapping[Any, str],
    categories: Mapping[Any, str],
    path: Path,
) -> Iterator[FaceLine | Problem]:
    """Yield a face, or what is wrong with it; or both, if it is wrong but can be read."""
    fields = entry if isinstance(entry, dict) else {}
    which = f"annotation {fields['id']!r}" if "id" in fields else f"annotation no. {place + 1}"
    fields = {**fields, "bbox": _bbox_given(fields)}
    fault = next(_find_faults(fields, images, categories), None)
    if fault:
        yield Problem(fault[0], path, None, f"{which}: {fault[1]}")
        return
    box = corners_of(*map(float, fields["bbox"]))
    image = _look_up(images, fields["image_id"])
    assert box is not None, "an empty box is a fault"
    assert image is not None, "an unknown image is a fault"
    name = _look_up(categories, fields.get("category_id"))
    if (upright := upright_around(box, _rotation(fields))) != box:
        yield Problem(Kind.ROTATED, path, None, f"{which}: found a rotated box")
    label = class_label(name) if name else None
    yield FaceLine(image, upright, label, None, mark=_find_mark(fields))


def _bbox_given(fields: Mapping[str, Any]) -> Any:
    """Return ``x, y, width, height`` of an annotation; without any, of what is segmented."""
    given = fields.get("bbox")
    return given if given or not (found := bbox_around(fields.get("segmentation"))) else found


def _rotation(fields: Mapping[str, Any]) -> Any:
    attributes = fields.get("attributes")
    return attributes.get("rotation") if isinstance(attributes, dict) else None


def _find_faults(
    fields: Mapping[str, Any], images: Mapping[Any, str], categories: Mapping[Any, str]
) -> Iterator[tuple[Kind, str]]:
    """Yield what is wrong with an annotation, the weightiest first."""
    image, category, box = (fields.get(key) for key in ("image_id", "category_id", "bbox"))
    if _look_up(images, image) is None:
        yield Kind.UNKNOWN, f"found the image_id {image!r}, which no image has, or two"
    if "category_id" in fields and _look_up(categories, category) is None:
        yield Kind.UNKNOWN, f"found the category_id {category!r}, which no category has"
    if (mark := _find_mark(fields)) and not _holds_pixels(box):
        yield Kind.IGNORED, f"found {mark}, and no box that could be ignored: it is left out"
    if not (isinstance(box, list) and len(box) == 4):
        yield Kind.WRONG_FIELDS, f"found the bbox {_shorten(box)}, expected [x, y, width, height]"
    elif not all(map(is_coordinate, box)):
        yield Kind.NOT_A_NUMBER, f"found the bbox {_shorten(box)}, expected four numbers of pixels"
    elif corners_of(*map(float, box)) is None:
        yield Kind.EMPTY_BOX, f"found the bbox {_shorten(box)}, expected width and height above 0"


def _holds_pixels(box: object) -> bool:
    """Return whether JSON's value is a bbox that is not empty."""
    is_box = isinstance(box, list) and len(box) == 4 and all(map(is_coordinate, box))
    return is_box and corners_of(*map(float, box)) is not None  # type: ignore[call-overload]


def _find_mark(fields: Mapping[str, Any]) -> str | None:
    """Return what marks an annotation as one to be ignored; None if nothing does."""
    marks = (key for key in ("iscrowd", "ignore") if fields.get(key))
    return next((key for key in marks if str(fields[key]).strip().lower() not in _NO), None)


def _is_id(value: object) -> bool:
    """Return whether it is a whole number, as JSON's ``1.0`` is too, or a text."""
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int | str) and not isinstance(value, bool)


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
