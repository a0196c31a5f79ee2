"""The annotation text of WIDER FACE: for each image its path, a count, and a line a face.

::

    0--Parade/0_Parade_marchingband_1_849.jpg
    1
    449 330 122 149 0 0 0 0 0 0

(http://shuoyang1213.me/WIDERFACE.)  A line is ``x y width height blur expression illumination
invalid occlusion pose``; the last six may be missing.  A face marked invalid is to be ignored, as
the benchmark ignores it.  An image without faces has the count 0 and one line of
zeros after it, or none.  The file lists all images that count.  There are no labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from facetl.data.annotations import (
    AnnotationFile,
    FaceLine,
    Kind,
    OnError,
    Problem,
    collect_faces,
    read_text,
)
from facetl.data.formats.base import AnnotationFormat
from facetl.data.formats.corners import corners_of, is_number
from facetl.data.formats.names import listed_name
from facetl.data.images import IMAGE_SUFFIXES

_FIELDS = ("x", "y", "width", "height", "blur", "expression", "illumination", "invalid")
_INVALID = _FIELDS.index("invalid")


class Wider(AnnotationFormat):
    """A text that names all images; it is not written."""

    name = "wider"
    suffixes = (".txt",)
    subfolder = "wider_face_split"

    def looks_like(self, head: str) -> bool:
        """Return whether a text begins with an image, and a count alone on a line."""
        first = [line.strip() for line in head.split("\n") if line.strip()][:2]
        return len(first) == 2 and _is_image(first[0]) and first[1].isdecimal()

    def load(self, path: Path, on_error: OnError = "strict") -> AnnotationFile:
        """Read a text without its images."""
        parsed = list(_parse(read_text(path).split("\n"), path))
        lines, problems = collect_faces(parsed, path, on_error)
        images = tuple(dict.fromkeys(each for each in parsed if isinstance(each, str)))
        return AnnotationFile(path, lines, problems, images, without_faces=frozenset(images))


def _parse(texts: list[str], path: Path) -> Iterator[str | FaceLine | Problem]:
    """Yield images, faces and problems in the order of the file."""
    image: str | None = None
    left = 0  # faces still to come
    for number, text in enumerate(map(str.strip, texts), start=1):
        if _is_image(text):
            if left and image:
                found = f"found the next image where {left} more faces were announced"
                yield Problem(Kind.WRONG_FIELDS, path, number, found)
            image, left = listed_name(text), 0
            found = f"found the path {text!r}, which is not in the folder of images"
            yield image or Problem(Kind.ESCAPE, path, number, found)
        elif text.isdecimal():
            left = _read_count(text, len(texts))
        elif text and image and left:
            left -= 1
            yield _parse_face(text, image, path, number)
        elif text and (image or left == 0) and set(text.split()) != {"0"}:
            found = f"found {text[:60]!r}, expected an image's path or a count"
            yield Problem(Kind.WRONG_FIELDS, path, number, found)


def _read_count(text: str, most: int) -> int:
    """Return a count, at most as many as there are lines: no file has 10**5000 faces."""
    return min(int(text), most) if len(text) < 10 else most


def _parse_face(text: str, image: str, path: Path, number: int) -> FaceLine | Problem:
    words = text.split()
    if len(words) < 4:
        found = f"found {len(words)} fields, expected `{' '.join(_FIELDS)} …`"
        return Problem(Kind.WRONG_FIELDS, path, number, found)
    if not all(map(is_number, words[:4])):
        found = f"found {' '.join(words[:4])!r}, expected four numbers"
        return Problem(Kind.NOT_A_NUMBER, path, number, found)
    mark = "invalid" if len(words) > _INVALID and words[_INVALID] == "1" else None
    box = corners_of(*map(float, words[:4]))
    if box is None and mark:
        found = "found a face marked invalid, and no box that could be ignored: it is left out"
        return Problem(Kind.IGNORED, path, number, found)
    if box is None:
        found = f"found a box of {words[2]} by {words[3]} pixels, expected both above 0"
        return Problem(Kind.EMPTY_BOX, path, number, found)
    return FaceLine(image, box, None, number, mark=mark)


def _is_image(text: str) -> bool:
    return text.lower().endswith(IMAGE_SUFFIXES)
