"""Files of other tools, recognised by how they begin: which format reads each, or what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from facetl.data.formats.yolo import looks_like_labels
from facetl.errors import AnnotationError

_NEVER_EMPTY = (".json", ".xml", ".csv", ".yaml", ".yml", ".zip")
"""Suffixes of files that hold something even if no frame has a face."""


class _Foreign(NamedTuple):
    """A kind of file of another tool.

    Attributes:
        start: how it begins, as a pattern.
        words: what is in it, in lower case.
        what: what it is.
        remedy: what to do, if facetl does not read it.
        read_as: the format that reads it, if facetl does.
    """

    start: str
    words: tuple[str, ...]
    what: str
    remedy: str = ""
    read_as: str = ""


_AS_COCO, _AS_COCO_1 = "export it as COCO", "export it as COCO 1.0"
_UNPACK = "unpack it and give what it holds"
_FIRST_LINE = r"[^\n{<]*,[^\n{<]*"
_FOREIGN = (
    _Foreign("version https://git-lfs", (), "a Git LFS pointer", "fetch the file: git lfs pull"),
    _Foreign("<", ("<html",), "a web page", "download the file itself"),
    _Foreign("<", ("<annotations", "<track"), "CVAT for video", read_as="cvat"),
    _Foreign("<", ("<annotations",), "CVAT for images", read_as="cvat"),
    _Foreign("{", ('"_via_',), "a project of VIA", read_as="via"),
    _Foreign("{", ('"shape_attributes"',), "JSON of VIA", read_as="via"),
    _Foreign(r"\[", ('"rectanglelabels"',), "JSON of Label Studio", read_as="label-studio"),
    _Foreign(r"\[", ('"result"',), "JSON of Label Studio", read_as="label-studio"),
    _Foreign(r"\[", ('"original_width"',), "JSON of Label Studio", read_as="label-studio"),
    _Foreign(
        _FIRST_LINE.replace(",", "[,\t]") + "lead_time",
        ("annotator",),
        "a table of Label Studio",
        read_as="label-studio",
    ),
    _Foreign(_FIRST_LINE + "region_shape_attributes", (), "a table of VIA", read_as="via"),
    _Foreign(_FIRST_LINE + "xmin", ("filename", "class"), "a table of TensorFlow", read_as="csv"),
    _Foreign("{", ('"shapes"', '"imagepath"'), "JSON of labelme", read_as="labelme"),
    _Foreign("{", ('"shapes"', '"shape_type"'), "JSON of labelme", read_as="labelme"),
    _Foreign("{", ('"classtitle"',), "JSON of Supervisely", read_as="supervisely"),
    _Foreign(r"\[", ('"coordinates"',), "JSON of Create ML", read_as="createml"),
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
        if foreign.remedy:
            raise AnnotationError(
                f"{path}: found {foreign.what}, which facetl does not read; {foreign.remedy}"
            )
        raise AnnotationError(
            f"{path}: found {foreign.what}, which is not read here; give it as --annotations"
        )
    if looks_like_labels(head):
        raise AnnotationError(
            f"{path}: found the labels of one image as YOLO has them; give the folder of the data "
            "set, with data.yaml or classes.txt in it"
        )


def is_foreign(head: str) -> bool:
    """Return whether a file that begins so is known as one of another tool."""
    return _find_foreign(head) is not None


def known_as(head: str) -> str:
    """Return the format that reads a file of another tool, by how it begins; empty for others."""
    foreign = _find_foreign(head)
    return foreign.read_as if foreign else ""


def looks_like_json(head: str) -> bool:
    """Return whether a file begins as JSON does."""
    return re.match(r'[{[]\s*(["{}\[\]]|$)', head) is not None


def _find_foreign(head: str) -> _Foreign | None:
    lower = head.lower()
    for each in _FOREIGN:
        if re.match(each.start, head, re.DOTALL) and all(word in lower for word in each.words):
            return each
    return None
