"""Pascal VOC: a folder with an XML file for each image.

::

    <annotation>
        <filename>a.jpg</filename>
        <size><width>480</width><height>360</height><depth>3</depth></size>
        <object>
            <name>dad</name><truncated>0</truncated><difficult>0</difficult>
            <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>10</ymax></bndbox>
        </object>
    </annotation>

Corners are read as the development kit has them: the first pixel is 1 and the last belongs to
the box, so ``xmin - 1, ymin - 1, xmax, ymax`` is the half-open box (supervision reads it so
too).  Tools that count from 0 are one pixel off to the upper left then; their 0 is taken for 1.
Written are whole pixels, as the development kit expects them: corners are rounded, and a face
keeps at least one pixel.

A ``difficult`` face is one to be ignored, as the development kit's evaluation ignores it, unless
it is chosen to be a face; so are regions to be ignored written, of the class ``face``.  A
``truncated`` face is a face like any other.  An image is listed if it has a
file; one without an object has no faces.  Where the file says its size, the image must have it;
0 says nothing.  An XML file lies where its image lies, in another
folder: ``Annotations/dad/a.xml`` speaks of ``dad/a.jpg``.  If no image bears the name that the
file gives, the image of the same stem is meant: people rename images.

A box with an attribute ``rotation``, as CVAT writes it, is turned by so many degrees about its
centre: the upright box around it is read, and counted.
"""

from __future__ import annotations

import math
from codecs import BOM_UTF8
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO, StringIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.saxutils import escape

import defusedxml.sax
from defusedxml.common import DefusedXmlException

from facetl.data.annotations import (
    DIFFICULT,
    AnnotationFile,
    FaceLine,
    Kind,
    OnError,
    Problem,
    collect_faces,
    decode,
    find_encoding,
    is_number,
    read_bytes,
)
from facetl.data.formats.corners import Corners, upright_around, whole_size
from facetl.data.formats.names import class_label, class_name, listed_name
from facetl.data.images import name_below
from facetl.data.sources import has_suffix
from facetl.errors import AnnotationError
from facetl.files import write_text

if TYPE_CHECKING:
    from xml.sax.xmlreader import AttributesImpl

    from facetl.data.frame import Frame

SUFFIX = ".xml"
CORNERS = ("xmin", "ymin", "xmax", "ymax")
_OBJECT = ("annotation", "object")


@dataclass
class VocObject:
    """One object as the file has it: where it begins, its elements' text, CVAT's attributes."""

    line: int
    texts: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class VocFile:
    """One XML file as it stands."""

    path: Path
    root: str = ""
    filename: str = ""
    size: dict[str, str] = field(default_factory=dict)
    objects: list[VocObject] = field(default_factory=list)


def load_voc(
    folder: Path,
    on_error: OnError = "strict",
    *,
    images: Collection[str] = (),
    stems: Collection[str] | None = None,
) -> AnnotationFile:
    """Read all XML files below a folder.

    Args:
        folder: where they lie.
        on_error: whether wrong annotations raise.
        images: names of the images that there are, to see which one a file means.
        stems: if given, only files of these names (with folders, without suffix) are read.

    Raises:
        AnnotationError: under ``strict``, if a file is broken or an object wrong.
    """
    wanted = None if stems is None else frozenset(stems)
    by_stem = {str(PurePosixPath(name).with_suffix("")): name for name in images}
    parsed: list[FaceLine | Problem] = []
    listed: list[str] = []
    found: set[str] = set()
    sizes: dict[str, tuple[int, int]] = {}
    for path in voc_files(folder):
        stem = name_below(folder, path.with_suffix(""))
        if wanted is not None and stem not in wanted:
            continue
        found.add(stem)
        file = read_voc(path)
        if isinstance(file, Problem):
            parsed.append(file)
        elif name := _find_image(file, stem, images, by_stem):
            listed.append(name)
            parsed += _report_matched(file, stem, name)
            if size := _read_size(file):
                sizes[name] = size
            parsed += _read_objects(file, name)
        else:
            parsed.append(_escaped(file))
    parsed += _report_lost(folder, stems or (), found)
    lines, problems = collect_faces(parsed, folder, on_error)
    names = tuple(dict.fromkeys(listed))
    return AnnotationFile(folder, lines, problems, names, sizes, frozenset(names))


def voc_files(folder: Path) -> list[Path]:
    """Return all XML files below a folder, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if has_suffix(path, SUFFIX))


def read_voc(path: Path) -> VocFile | Problem:
    """Read one XML file; entities and other ways of making small files large are refused."""
    handler = _Handler(path)
    wrong = partial(Problem, Kind.WRONG_FIELDS, path)
    try:
        data = read_bytes(path)
        marked = find_encoding(data) != "utf-8" or data.startswith(BOM_UTF8)
        # the mark holds, whatever the XML itself says about its encoding
        defusedxml.sax.parse(StringIO(decode(data)) if marked else BytesIO(data), handler)
    except SAXParseException as error:
        return wrong(error.getLineNumber(), f"found broken XML ({error.getMessage()})")
    except DefusedXmlException:
        return wrong(None, "found XML with entities, which are not read")
    except (SAXException, ValueError, LookupError) as error:
        return wrong(None, f"found XML that cannot be read ({error})")
    except AnnotationError as error:
        return wrong(None, f"found a file that cannot be read: {error}")
    if handler.file.root != "annotation":
        return wrong(None, f"found <{handler.file.root}>, expected <annotation>")
    return handler.file


def save_voc(folder: Path, frames: Iterable[Frame], images_folder: str) -> None:
    """Write an XML file for each frame, each atomically.

    Args:
        folder: where they go, in subfolders if the frames' names have some.
        frames: what to write; no two may differ in their suffix alone.
        images_folder: what the file says the folder of images is called.
    """
    for frame in frames:
        path = folder / PurePosixPath(frame.name).with_suffix(SUFFIX)
        write_text(path, format_voc(frame, images_folder))


def format_voc(frame: Frame, images_folder: str) -> str:
    """Return the XML of a frame."""
    height, width = frame.size_hw
    objects = [
        _format_object(whole_pixels(box), class_name(label))
        for box, label in zip(frame.boxes.tolist(), frame.labels, strict=True)
    ]
    objects += [
        _format_object(whole_pixels(box), class_name(None), difficult=1)
        for box in frame.ignored.tolist()
    ]
    head = [
        "<annotation>",
        f"    <folder>{escape(images_folder)}</folder>",
        f"    <filename>{escape(PurePosixPath(frame.name).name)}</filename>",
        f"    <size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
        "    <segmented>0</segmented>",
    ]
    return "\n".join([*head, *objects, "</annotation>", ""])


def whole_pixels(box: Sequence[float]) -> tuple[int, int, int, int]:
    """Return ``xmin, ymin, xmax, ymax`` as VOC counts them: from 1, the last pixel included."""
    x1, y1, x2, y2 = box
    left, right = _round_apart(x1, x2)
    top, bottom = _round_apart(y1, y2)
    return left + 1, top + 1, right, bottom


def _round_apart(start: float, end: float) -> tuple[int, int]:
    """Round both ends of a stretch, and keep at least one pixel of it."""
    first, last = round(start), round(end)
    if last > first:
        return first, last
    return math.floor(start), math.floor(start) + 1


def _format_object(corners: Sequence[int], name: str, difficult: int = 0) -> str:
    box = "".join(f"<{key}>{value}</{key}>" for key, value in zip(CORNERS, corners, strict=True))
    return "\n".join(
        [
            "    <object>",
            f"        <name>{escape(name)}</name>",
            "        <pose>Unspecified</pose>",
            "        <truncated>0</truncated>",
            f"        <difficult>{difficult}</difficult>",
            f"        <bndbox>{box}</bndbox>",
            "    </object>",
        ]
    )


class _Handler(ContentHandler):
    """Notes what an annotation holds, and on which lines the objects begin."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.file = VocFile(path)
        self._places: list[str] = []
        self._text: list[str] = []
        self._attribute = ""

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        self._places.append(name)
        self._text = []
        self.file.root = self.file.root or name
        if self._places == list(_OBJECT):
            self.file.objects.append(VocObject(self._locator.getLineNumber()))  # type: ignore[attr-defined]

    def characters(self, content: str) -> None:
        self._text.append(content)

    def endElement(self, name: str) -> None:  # noqa: N802
        text = "".join(self._text).strip()
        match self._places:
            case ["annotation", "filename"]:
                self.file.filename = text
            case ["annotation", "size", _]:
                self.file.size[name] = text
            case ["annotation", "object", "name" | "difficult"]:
                self.file.objects[-1].texts[name] = text
            case ["annotation", "object", "bndbox", _]:
                self.file.objects[-1].texts[name] = text
            case ["annotation", "object", "attributes", "attribute", "name"]:
                self._attribute = text
            case ["annotation", "object", "attributes", "attribute", "value"]:
                self.file.objects[-1].attributes[self._attribute] = text
        self._text = []
        self._places.pop()


def _find_image(
    file: VocFile, stem: str, images: Collection[str], by_stem: dict[str, str]
) -> str | None:
    """Return the image that a file means, or its name if there is none; None if it has no name."""
    parent = PurePosixPath(stem).parent
    given = listed_name(file.filename) if file.filename else stem
    if given is None:
        return None
    for name in (str(parent / given), given, str(parent / PurePosixPath(given).name)):
        if name in images:
            return name
    return by_stem.get(stem, str(parent / given))


def _report_lost(folder: Path, stems: Collection[str], found: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each file that a list of a part's images promises and is not there."""
    for stem in stems:
        if stem not in found:
            yield Problem(Kind.MISSING, folder, None, f"found no {stem}{SUFFIX}, which is listed")


def _report_matched(file: VocFile, stem: str, image: str) -> Iterator[Problem]:
    """Yield a problem if the image bears only the end of the name that the file gives."""
    given = listed_name(file.filename) or image
    names = (given, str(PurePosixPath(stem).parent / given))
    if image not in names and PurePosixPath(image).name == PurePosixPath(given).name:
        yield Problem(Kind.MATCHED, file.path, None, f"found {given}, taken for {image}")


def _read_objects(file: VocFile, image: str) -> Iterator[FaceLine | Problem]:
    for each in file.objects:
        fault = _find_fault(each.texts)
        if fault:
            yield Problem(fault[0], file.path, each.line, fault[1])
        else:
            label = class_label(each.texts.get("name", ""))
            box = _corners(each.texts)
            if (upright := upright_around(box, each.attributes.get("rotation"))) != box:
                yield Problem(Kind.ROTATED, file.path, each.line, "found a rotated box")
            mark = DIFFICULT if each.texts.get("difficult", "").lower() in ("1", "true") else None
            yield FaceLine(image, upright, label, each.line, file.path, mark)


def _read_size(file: VocFile) -> tuple[int, int] | None:
    height, width = (file.size.get(key, "") for key in ("height", "width"))
    if is_number(height) and is_number(width):
        return whole_size(float(height), float(width))
    return None


def _find_fault(texts: dict[str, str]) -> tuple[Kind, str] | None:
    missing = [key for key in CORNERS if key not in texts]
    if missing:
        return Kind.WRONG_FIELDS, f"found an object without <{missing[0]}> in its <bndbox>"
    for key in CORNERS:
        if not is_number(texts[key]):
            return Kind.NOT_A_NUMBER, f"found {texts[key]!r} as <{key}>, expected a number"
    x1, y1, x2, y2 = _corners(texts)
    if not (x2 > x1 and y2 > y1):
        found = " ".join(texts[key] for key in CORNERS)
        return Kind.EMPTY_BOX, f"found the box {found}, expected xmax >= xmin and ymax >= ymin"
    return None


def _corners(texts: dict[str, str]) -> Corners:
    """Return the half-open box; a corner at 0 was counted from 0."""
    xmin, ymin, xmax, ymax = (float(texts[key]) for key in CORNERS)
    x1, y1 = (max(least - 1, min(least, 0.0)) for least in (xmin, ymin))
    return x1, y1, xmax, ymax


def _escaped(file: VocFile) -> Problem:
    found = f"found the file name {file.filename!r}, which is not in the folder of images"
    return Problem(Kind.ESCAPE, file.path, None, found)
