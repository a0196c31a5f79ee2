"""Which format annotations are in, told from how a file begins, never from its name alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from facetl.data.annotations import decode, is_number, read_bytes
from facetl.data.formats.wider import looks_like_wider
from facetl.data.formats.yolo import looks_like_darknet, looks_like_labels
from facetl.data.sources import Format
from facetl.errors import AnnotationError

_HEAD = 65_536
"""So many bytes of a file are looked at."""

_COCO = re.compile(r'"(images|annotations)"\s*:')
_CATEGORIES = re.compile(r'"categories"\s*:')
_FEW = 10_000
"""So many letters hold whatever COCO that there is: categories alone are no data set then."""
_OWN = re.compile(r'\{\s*"format"\s*:\s*"facetl-')
"""How JSON of facetl's own begins, such as manifests: their settings may speak of images too."""
_YOLO = re.compile(r"^names\s*:", re.MULTILINE)
_VOC = re.compile(r"<annotation[\s/>]")

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


def recognise(path: Path) -> Format:
    """Return the format of an annotation file, or of a folder of them; the course's in doubt.

    Raises:
        AnnotationError: if the file cannot be read, is JSON of another kind, or is of a format
            that is known and not read.
    """
    if path.is_dir():
        return Format.VOC
    head = read_head(path)
    if looks_like_yolo(head) or looks_like_darknet(head):
        return Format.YOLO
    if looks_like_voc(head):
        return Format.VOC
    refuse_foreign(path, head)
    if looks_like_json(head):
        return _require_coco(path, head)
    return Format.WIDER if looks_like_wider(head) else Format.COURSE


def read_head(path: Path) -> str:
    """Return how a file begins, whatever it is; of a ZIP, how the annotation file in it does.

    Raises:
        AnnotationError: if it cannot be read.
    """
    return decode(read_bytes(path, _HEAD), "replace").lstrip(" \t\r\n")


def refuse_foreign(path: Path, head: str) -> None:
    """Raise for what is known, and known not to be read.

    Args:
        path: the file.
        head: how it begins.

    Raises:
        AnnotationError: with what it is and the way out.
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


def _find_foreign(head: str) -> _Foreign | None:
    lower = head.lower()
    for each in _FOREIGN:
        if re.match(each.start, head, re.DOTALL) and all(word in lower for word in each.words):
            return each
    return None


def looks_like_json(head: str) -> bool:
    """Return whether a file begins as JSON does."""
    return re.match(r'[{[]\s*(["{}\[\]]|$)', head) is not None


def looks_like_coco(head: str) -> bool:
    """Return whether a file begins as a COCO data set does."""
    own = _OWN.match(head) is not None
    if not head.startswith("{") or _find_foreign(head):
        return False
    begins = len(head) > _FEW and _CATEGORIES.search(head) is not None
    return looks_like_json(head) and not own and (begins or _COCO.search(head) is not None)


def looks_like_yolo(head: str) -> bool:
    """Return whether a file begins as a data.yaml does: it names classes."""
    return _YOLO.search(head) is not None


def looks_like_voc(head: str) -> bool:
    """Return whether a file begins as an annotation of Pascal VOC does."""
    return head.startswith("<") and _VOC.search(head) is not None


def looks_like_course(head: str) -> bool:
    """Return whether a text's first line holds four numbers in a row after a name."""
    words = head.split("\n", 1)[0].split()
    return not looks_like_labels(head) and any(
        all(map(is_number, words[i : i + 4])) for i in range(1, len(words) - 3)
    )


def _require_coco(path: Path, head: str) -> Format:
    if looks_like_coco(head):
        return Format.COCO
    raise AnnotationError(
        f"{path}: found JSON without images and annotations; give a COCO data set, or results to "
        "facetl convert"
    )
