"""Files that facetl does not read, recognised by how they begin, and what to do with each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from facetl.data.formats.yolo import looks_like_labels
from facetl.errors import AnnotationError

_NEVER_EMPTY = (".json", ".xml", ".csv", ".yaml", ".yml", ".zip")
"""Suffixes of files that hold something even if no frame has a face."""


class _Foreign(NamedTuple):
    """Something that facetl does not read.

    Attributes:
        start: how it begins, as a pattern.
        words: what is in it, in lower case.
        what: what it is.
        remedy: what to do.
    """

    start: str
    words: tuple[str, ...]
    what: str
    remedy: str


_AS_COCO, _AS_COCO_1 = "export it as COCO", "export it as COCO 1.0"
_UNPACK = "unpack it and give what it holds"
_FOREIGN = (
    _Foreign("version https://git-lfs", (), "a Git LFS pointer", "fetch the file: git lfs pull"),
    _Foreign("<", ("<html",), "a web page", "download the file itself"),
    _Foreign("<", ("<annotations", "<track"), "CVAT for video", _AS_COCO_1),
    _Foreign("<", ("<annotations",), "CVAT for images", _AS_COCO_1),
    _Foreign("{", ('"_via_',), "a project of VIA", _AS_COCO),
    _Foreign("{", ('"shape_attributes"',), "JSON of VIA", _AS_COCO),
    _Foreign(r"\[", ('"rectanglelabels"',), "JSON of Label Studio", _AS_COCO),
    _Foreign(r"\[", ('"annotations"', '"result"'), "JSON of Label Studio", _AS_COCO),
    _Foreign("{", ('"shapes"', '"imagepath"'), "JSON of labelme", "turn it into COCO"),
    _Foreign("{", ('"classtitle"',), "JSON of Supervisely", _AS_COCO),
    _Foreign(r"\[", ('"coordinates"',), "JSON of Create ML", _AS_COCO),
    _Foreign("{", ('"dm_format_version"',), "JSON of Datumaro", _AS_COCO_1),
    _Foreign(r"[^\n,{<]*,", ("xmin",), "a CSV table of boxes", _AS_COCO),
    _Foreign("PK|Rar!|7z|\x1f", (), "a packed file", _UNPACK),
    _Foreign(r"\W?PNG|GIF8|.{4,8}(JFIF|Exif)", (), "a picture", "give the annotations"),
    _Foreign("%PDF", (), "a PDF", "give the annotations as COCO"),
    _Foreign("\ufffd\ufffd\x11\u0871", (), "an Office file", "save it as text"),
)


def refuse_foreign(path: Path, head: str) -> None:
    """Raise for a file that is known and not read.

    Args:
        path: the file.
        head: how it begins.

    Raises:
        AnnotationError: naming what it is and what to do.
    """
    if not head and path.suffix.lower() in _NEVER_EMPTY:
        raise AnnotationError(f"{path} is empty; export it again")
    if foreign := _find_foreign(head):
        raise AnnotationError(
            f"{path}: found {foreign.what}, which facetl does not read; {foreign.remedy}"
        )
    if looks_like_labels(head):
        raise AnnotationError(
            f"{path}: found the labels of one image as YOLO has them; give the folder of the data "
            "set, with data.yaml or classes.txt in it"
        )


def is_foreign(head: str) -> bool:
    """Return whether a file that begins so is known and not read."""
    return _find_foreign(head) is not None


def looks_like_json(head: str) -> bool:
    """Return whether a file begins as JSON does."""
    return re.match(r'[{[]\s*(["{}\[\]]|$)', head) is not None


def _find_foreign(head: str) -> _Foreign | None:
    lower = head.lower()
    for each in _FOREIGN:
        if re.match(each.start, head, re.DOTALL) and all(word in lower for word in each.words):
            return each
    return None
