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
too).  Files of Label Studio, CVAT, Datumaro, X-AnyLabeling and labelImg, which count from 0, are
recognised by what they say about their source, and read as they are.  Other tools that count
from 0 are one pixel off to the upper left; their 0 is taken for 1.
Written are whole pixels, as the development kit expects them: corners are rounded, and a face
keeps at least one pixel.

A ``difficult`` face is one to be ignored, as the development kit's evaluation ignores it, unless
it is chosen to be a face; so are regions to be ignored written, of the class ``face``.  A
``truncated`` face is a face like any other.  An image is listed if it has a
file; one without an object has no faces.  Where the file says its size, the image must have it;
0 says nothing.  An XML file lies where its image lies, in another
folder: ``Annotations/dad/a.xml`` speaks of ``dad/a.jpg``.  If no image has the name that the
file gives, the image of the same stem is meant: people rename images.

A box with an attribute ``rotation``, as CVAT writes it, is turned by so many degrees about its
centre: the upright box around it is read, and counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
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
    Problem,
    collect_faces,
    open_marked,
    read_text,
)
from facetl.data.formats.base import (
    AnnotationFormat,
    FramesByPart,
    NoSuchPartError,
    Source,
    choose_part,
    folder_of,
)
from facetl.data.formats.corners import Corners, is_number, upright_around, whole_size
from facetl.data.formats.folders import files_with, find_entry, has_suffix, is_like
from facetl.data.formats.names import class_label, class_name, listed_name, stem_of
from facetl.data.frame import PARTS, Part
from facetl.data.images import name_below
from facetl.errors import AnnotationError
from facetl.files import write_text

if TYPE_CHECKING:
    from xml.sax.xmlreader import AttributesImpl

    from facetl.data.frame import Frame

_SUFFIX = ".xml"
_ANNOTATIONS, _IMAGES, _LISTS = "Annotations", "JPEGImages", "ImageSets/Main"
_ROOT = re.compile(r"<annotation[\s/>]")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_OBJECT = ("annotation", "object")


@dataclass
class _Object:
    """One object as the file has it: where it begins, its elements' text, CVAT's attributes."""

    line: int
    texts: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class _File:
    """One XML file."""

    path: Path
    root: str = ""
    filename: str = ""
    size: dict[str, str] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    objects: list[_Object] = field(default_factory=list)


class Voc(AnnotationFormat):
    """A folder of XML files; written as ``Annotations/``, ``JPEGImages/``, ``ImageSets/Main/``."""

    name = "voc"
    is_folder = True
    has_file_per_image = True
    keeps_ignored = True

    def looks_like(self, head: str) -> bool:
        """Return whether a file begins as an annotation of Pascal VOC does."""
        return head.startswith("<") and _ROOT.search(head) is not None

    def find(self, folder: Path) -> list[Path]:
        """Return the folder of the XML files: ``Annotations``, or the folder itself."""
        for place in (find_entry(folder, _ANNOTATIONS) or folder, folder):
            files = _voc_files(place) if place != folder else files_with(place, _SUFFIX)
            if files and is_like(files[0], self.looks_like):
                return [place]
        return []

    def sources(
        self, annotations: Path, images: Path | None, below: Path | None, part: Part
    ) -> list[Source]:
        """Return the images of a part and their folder of XML files, or a single file."""
        folder = folder_of(annotations)
        root = folder.parent if folder.name.lower() == _ANNOTATIONS.lower() else folder
        beside = [place for name in (_IMAGES, "images") if (place := find_entry(root, name))]
        listing = _find_listing(root, part) if folder == annotations else None
        stems = _read_stems(listing) if folder == annotations else [annotations.stem]
        read = partial(_load_voc, folder, stems)
        found = images or below or next((place for place in beside if place.is_dir()), root)
        return [Source(found, annotations, read, listing=listing)]

    def image_place(self, part: Part, name: str, *, alone: bool) -> str:
        """Return where an image is written: all parts share a folder."""
        return f"{_IMAGES}/{name}"

    def save(self, folder: Path, parts: FramesByPart, *, with_images: bool) -> None:
        """Write an XML file for each frame, each atomically, and the lists of several parts."""
        for part, frames in parts.items():
            for frame in frames:
                path = folder / _ANNOTATIONS / PurePosixPath(frame.name).with_suffix(_SUFFIX)
                write_text(path, _format_voc(frame))
            if len(parts) > 1:
                stems = "".join(f"{stem_of(frame.name)}\n" for frame in frames)
                write_text(folder / _LISTS / f"{part}.txt", stems)
        (folder / _ANNOTATIONS).mkdir(exist_ok=True)


def _load_voc(
    folder: Path, stems: Collection[str] | None = None, images: Collection[str] = ()
) -> AnnotationFile:
    """Read all XML files below a folder.

    Args:
        folder: where they lie.
        stems: if given, only files of these names (with folders, without suffix) are read.
        images: names of the images that there are, to see which one a file means.
    """
    wanted = None if stems is None else frozenset(stems)
    by_stem = {str(PurePosixPath(name).with_suffix("")): name for name in images}
    parsed: list[FaceLine | Problem] = []
    listed: list[str] = []
    found: set[str] = set()
    sizes: dict[str, tuple[int, int]] = {}
    leaves_out_empty = False
    for path in _voc_files(folder):
        stem = name_below(folder, path.with_suffix(""))
        if wanted is not None and stem not in wanted:
            continue
        found.add(stem)
        file = _read_voc(path)
        if isinstance(file, Problem):
            parsed.append(file)
            continue
        leaves_out_empty = leaves_out_empty or _is_of_cvat(file)
        if name := _find_image(file, stem, images, by_stem):
            listed.append(name)
            parsed += _report_matched(file, stem, name)
            if size := _read_size(file):
                sizes[name] = size
            parsed += _read_objects(file, name)
        else:
            escaped = f"found the file name {file.filename!r}, which is not in the folder of images"
            parsed.append(Problem(Kind.ESCAPE, path, None, escaped))
    lost = [stem for stem in stems or () if stem not in found]
    faceless = {stem for stem in lost if leaves_out_empty and stem in by_stem}
    listed += map(by_stem.__getitem__, sorted(faceless))
    parsed += _report_lost(folder, [stem for stem in lost if stem not in faceless])
    lines, problems = collect_faces(parsed, folder, "skip")
    names = tuple(dict.fromkeys(listed))
    return AnnotationFile(folder, lines, problems, names, sizes, frozenset(names))


def _voc_files(folder: Path) -> list[Path]:
    """Return all XML files below a folder, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if has_suffix(path, _SUFFIX))


def _read_voc(path: Path) -> _File | Problem:
    """Read one XML file; entities and other ways of making small files large are refused."""
    handler = _Handler(path)
    wrong = partial(Problem, Kind.WRONG_FIELDS, path)
    try:
        # a mark counts, whatever the XML itself says about its encoding
        defusedxml.sax.parse(open_marked(path), handler)
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


def _find_listing(root: Path, part: Part) -> Path | None:
    """Return the text that lists the images of a part; None if there are no parts."""
    texts: dict[Part, Path] = {each: root / _LISTS / f"{each}.txt" for each in PARTS}
    present = {each: path for each, path in texts.items() if path.is_file()}
    chosen = choose_part(present, part)
    if present and not chosen:
        raise NoSuchPartError(
            f"{root / _LISTS} lists {', '.join(present)} but nothing to {part}; add {part}.txt"
        )
    return chosen


def _read_stems(listing: Path | None) -> list[str] | None:
    if listing is None:
        return None
    return [line.strip() for line in read_text(listing).splitlines() if line.strip()]


def _format_voc(frame: Frame) -> str:
    """Return the XML of a frame."""
    height, width = frame.size_hw
    objects = [
        _format_object(_whole_pixels(box), class_name(label))
        for box, label in zip(frame.boxes.tolist(), frame.labels, strict=True)
    ]
    objects += [
        _format_object(_whole_pixels(box), class_name(None), difficult=1)
        for box in frame.ignored.tolist()
    ]
    head = [
        "<annotation>",
        f"    <folder>{_IMAGES}</folder>",
        f"    <filename>{escape(PurePosixPath(frame.name).name)}</filename>",
        f"    <size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
        "    <segmented>0</segmented>",
    ]
    return "\n".join([*head, *objects, "</annotation>", ""])


def _whole_pixels(box: Sequence[float]) -> tuple[int, int, int, int]:
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
    box = "".join(f"<{key}>{value}</{key}>" for key, value in zip(_CORNERS, corners, strict=True))
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
    """Records what an annotation holds, and on which lines the objects begin."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.file = _File(path)
        self._places: list[str] = []
        self._text: list[str] = []
        self._attribute = ""

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        self._places.append(name)
        self._text = []
        self.file.root = self.file.root or name
        if self._places == list(_OBJECT):
            self.file.objects.append(_Object(self._locator.getLineNumber()))  # type: ignore[attr-defined]

    def characters(self, content: str) -> None:
        self._text.append(content)

    def endElement(self, name: str) -> None:  # noqa: N802
        text = "".join(self._text).strip()
        match self._places:
            case ["annotation", "filename"]:
                self.file.filename = text
            case ["annotation", "size", _]:
                self.file.size[name] = text
            case ["annotation", "source" | "owner", _] | ["annotation", "path"]:
                self.file.source[name] = text
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
    file: _File, stem: str, images: Collection[str], by_stem: dict[str, str]
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


def _report_lost(folder: Path, stems: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each file that a list of a part's images names but does not exist."""
    for stem in stems:
        yield Problem(Kind.MISSING, folder, None, f"found no {stem}{_SUFFIX}, which is listed")


def _report_matched(file: _File, stem: str, image: str) -> Iterator[Problem]:
    """Yield a problem if the image has only the end of the name that the file gives."""
    given = listed_name(file.filename) or image
    names = (given, str(PurePosixPath(stem).parent / given))
    if image not in names and PurePosixPath(image).name == PurePosixPath(given).name:
        yield Problem(Kind.MATCHED, file.path, None, f"found {given}, taken for {image}")


def _read_objects(file: _File, image: str) -> Iterator[FaceLine | Problem]:
    first = 0 if _counts_from_0(file) else 1
    for each in file.objects:
        fault = _find_fault(each.texts, first)
        if fault:
            yield Problem(fault[0], file.path, each.line, fault[1])
        else:
            label = class_label(each.texts.get("name", ""))
            box = _corners(each.texts, first)
            if (upright := upright_around(box, each.attributes.get("rotation"))) != box:
                yield Problem(Kind.ROTATED, file.path, each.line, "found a rotated box")
            mark = DIFFICULT if each.texts.get("difficult", "").lower() in ("1", "true") else None
            yield FaceLine(image, upright, label, each.line, file.path, mark)


def _read_size(file: _File) -> tuple[int, int] | None:
    height, width = (file.size.get(key, "") for key in ("height", "width"))
    if is_number(height) and is_number(width):
        return whole_size(float(height), float(width))
    return None


def _find_fault(texts: dict[str, str], first: int) -> tuple[Kind, str] | None:
    missing = [key for key in _CORNERS if key not in texts]
    if missing:
        return Kind.WRONG_FIELDS, f"found an object without <{missing[0]}> in its <bndbox>"
    for key in _CORNERS:
        if not is_number(texts[key]):
            return Kind.NOT_A_NUMBER, f"found {texts[key]!r} as <{key}>, expected a number"
    x1, y1, x2, y2 = _corners(texts, first)
    if not (x2 > x1 and y2 > y1):
        found = " ".join(texts[key] for key in _CORNERS)
        return Kind.EMPTY_BOX, f"found the box {found}, expected xmax >= xmin and ymax >= ymin"
    return None


def _counts_from_0(file: _File) -> bool:
    """Return whether a tool wrote a file that counts pixels from 0."""
    source = file.source
    is_labelimg = "path" in source and source.get("database") == "Unknown"
    by_name = source.get("name") == "Label Studio" or "X-AnyLabeling" in source.get("database", "")
    return _is_of_cvat(file) or is_labelimg or by_name


def _is_of_cvat(file: _File) -> bool:
    """Return whether CVAT or Datumaro wrote a file; they write none for images without faces."""
    return file.source.get("annotation") == file.source.get("image") == "Unknown"


def _corners(texts: dict[str, str], first: int) -> Corners:
    """Return the half-open box; a corner at 0 was counted from 0."""
    xmin, ymin, xmax, ymax = (float(texts[key]) for key in _CORNERS)
    x1, y1 = (max(least - first, min(least, 0.0)) for least in (xmin, ymin))
    return x1, y1, xmax, ymax
