"""Which format annotations are in, told from how a file begins, never from its name alone."""

from __future__ import annotations

import re
from pathlib import Path

from facetl.data.annotations import is_number
from facetl.data.formats.wider import looks_like_wider
from facetl.data.sources import Format
from facetl.errors import AnnotationError

_HEAD = 65_536
"""So many bytes of a file are looked at."""

_COCO = re.compile(r'"(images|annotations|categories)"\s*:')
_OWN = re.compile(r'\{\s*"format"\s*:\s*"facetl-')
"""How JSON of facetl's own begins, such as manifests: their settings may speak of images too."""
_YOLO = re.compile(r"^names\s*:", re.MULTILINE)


def recognise(path: Path) -> Format:
    """Return the format of an annotation file, or of a folder of them; the course's in doubt.

    Raises:
        AnnotationError: if the file cannot be read, or is JSON of another kind.
    """
    if path.is_dir():
        return Format.VOC
    head = read_head(path)
    if looks_like_yolo(head):
        return Format.YOLO
    if looks_like_voc(head):
        return Format.VOC
    if looks_like_json(head):
        return _require_coco(path, head)
    return Format.WIDER if looks_like_wider(head) else Format.COURSE


def read_head(path: Path) -> str:
    """Return how a file begins, whatever it is.

    Raises:
        AnnotationError: if it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise AnnotationError(
            f"{path} cannot be read ({error.strerror}); give an annotation file"
        ) from error
    return head.decode("utf-8-sig", "replace").lstrip()


def looks_like_json(head: str) -> bool:
    """Return whether a file begins as JSON does."""
    return re.match(r'[{[]\s*(["{}\[\]]|$)', head) is not None


def looks_like_coco(head: str) -> bool:
    """Return whether a file begins as a COCO data set does."""
    own = _OWN.match(head) is not None
    return looks_like_json(head) and not own and _COCO.search(head) is not None


def looks_like_yolo(head: str) -> bool:
    """Return whether a file begins as a data.yaml does: it names classes."""
    return _YOLO.search(head) is not None


def looks_like_voc(head: str) -> bool:
    """Return whether a file begins as an annotation of Pascal VOC does."""
    return head.startswith("<") and "<annotation" in head


def looks_like_course(head: str) -> bool:
    """Return whether a text's first line holds four numbers in a row after a name."""
    words = head.split("\n", 1)[0].split()
    return any(all(map(is_number, words[i : i + 4])) for i in range(1, len(words) - 3))


def _require_coco(path: Path, head: str) -> Format:
    if looks_like_coco(head):
        return Format.COCO
    raise AnnotationError(
        f"{path}: found JSON without images and annotations; give a COCO data set, or results to "
        "facetl convert"
    )
