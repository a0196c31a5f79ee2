"""What annotation files say, whatever their format: faces, and what is wrong with them."""

from __future__ import annotations

import codecs
import lzma
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from io import BytesIO, StringIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from facetl.boxes import Boxes, as_boxes
from facetl.data.choices import OnError as OnError
from facetl.errors import AnnotationError
from facetl.files import open_regular

_LONGEST = 500
"""Characters of a message: a file without line ends is one long line."""

_HEAD = 65_536
"""How many bytes of a file are looked at to see what it is."""

_ZIP = b"PK\x03\x04"
"""How a ZIP begins."""
MOST_UNPACKED = 2**28
"""How large an annotation file in a ZIP may be when unpacked."""

_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, ValueError),
)
"""What reading a damaged ZIP raises."""
_SUFFIXES = (".json", ".txt", ".xml", ".csv", ".yaml", ".yml")
_MOST_NAMED = 3

DIFFICULT = "difficult"
"""The mark of Pascal VOC, which can be overruled."""


class Kind(StrEnum):
    """What can be wrong with a line of annotations or with its image."""

    WRONG_FIELDS = "wrong field count"
    NOT_A_NUMBER = "not a number"
    NOT_A_SHARE = "not a share of the image"
    EMPTY_BOX = "empty box"
    OUTSIDE = "outside the frame"
    CLIPPED = "clipped"
    UNKNOWN = "unknown image or class"
    ESCAPE = "path out of its folder"
    TWICE = "image listed twice"
    RESIZED = "image of another size"
    MISSING = "image missing"
    UNREADABLE = "image unreadable"
    IGNORED = "marked to be ignored"
    UNLISTED = "image not listed"
    MATCHED = "matched by the end of the name"
    REPEATED = "repeated"
    ROTATED = "rotated"
    OUTLINE = "polygon or ellipse"
    NO_BOX = "shape without a box"
    MASK = "mask of pixels"
    OTHER_VERSION = "other annotation of an image"
    NO_FRAME = "frame of a video without an image"
    NO_PART = "part missing"

    @property
    def tolerated(self) -> bool:
        """Whether the kind is only counted, even under ``strict``."""
        return self in _TOLERATED


_TOLERATED = (
    *(Kind.CLIPPED, Kind.UNREADABLE, Kind.IGNORED, Kind.UNLISTED),
    *(Kind.MATCHED, Kind.REPEATED, Kind.ROTATED, Kind.NO_PART),
    *(Kind.OUTLINE, Kind.NO_BOX, Kind.OTHER_VERSION, Kind.NO_FRAME),
)


@dataclass(frozen=True)
class Problem:
    """Something wrong, and where: ``path`` and ``line`` (None if the whole file is meant)."""

    kind: Kind
    path: Path
    line: int | None
    found: str

    def __str__(self) -> str:
        where = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        long = len(self.found) > _LONGEST
        return f"{where}: {self.found[:_LONGEST]}…" if long else f"{where}: {self.found}"


_Box = tuple[float, float, float, float]
"""``x1, y1, x2, y2``."""


class Faces(NamedTuple):
    """The faces of one image: (N, 4) boxes and N labels, None where the file has none."""

    boxes: Boxes
    labels: tuple[str | None, ...]


@dataclass(frozen=True)
class FaceLine:
    """One face as a line of the file says it.

    Attributes:
        image: the image's name.
        box: half-open pixels, ``x1, y1, x2, y2``.
        label: who it is, None where not known.
        line: its number, None where a format has no lines.
        path: its file, where a format has a file for each image; else None.
        mark: by which the file says that it is to be ignored: ``iscrowd``, ``ignore``, ``invalid``
            or ``difficult``; None for a face that counts.
    """

    image: str
    box: _Box
    label: str | None
    line: int | None
    path: Path | None = None
    mark: str | None = None


@dataclass(frozen=True)
class AnnotationFile:
    """What an annotation file says, and which of its lines could not be understood.

    Attributes:
        path: the file, or the folder of files.
        lines: the faces, in the order of the file, those to be ignored too.
        problems: what could not be understood, and what is to be ignored.
        images: all images that the file lists, those without faces too; None where a format
            has no such list, and an image without a line is one without faces.
        sizes: height and width by image name, where the file says them.
        without_faces: images of which the file itself says that they have no faces, where a
            format can: those with an empty file of their own, say.
    """

    path: Path
    lines: tuple[FaceLine, ...]
    problems: tuple[Problem, ...]
    images: tuple[str, ...] | None = None
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    without_faces: frozenset[str] = frozenset()

    @property
    def lines_by_image(self) -> dict[str, list[FaceLine]]:
        """Lines by image name, in the order of the file; listed images without faces too."""
        by_image: dict[str, list[FaceLine]] = {image: [] for image in self.images or ()}
        for line in self.lines:
            by_image.setdefault(line.image, []).append(line)
        return by_image

    @property
    def faces(self) -> dict[str, Faces]:
        """Faces that count by image name, in the order of the file."""
        return {image: faces_of(lines) for image, lines in self.lines_by_image.items()}

    @property
    def ignored(self) -> dict[str, Boxes]:
        """(N, 4) regions to be ignored by image name, of the images that have any."""
        by_image = {image: ignored_of(lines) for image, lines in self.lines_by_image.items()}
        return {image: boxes for image, boxes in by_image.items() if len(boxes)}

    def without_mark(self, mark: str) -> AnnotationFile:
        """Return the same without a mark: what had it is a face like any other."""
        reported = {*_report_ignored(self.lines, self.path)}
        others = (problem for problem in self.problems if problem not in reported)
        unmarked = (replace(line, mark=None) if line.mark == mark else line for line in self.lines)
        lines, problems = collect_faces((*others, *unmarked), self.path, "skip")
        return replace(self, lines=lines, problems=problems)


def collect_faces(
    parsed: Iterable[object], path: Path, on_error: OnError
) -> tuple[tuple[FaceLine, ...], tuple[Problem, ...]]:
    """Return the faces among what was parsed, each once, and the problems.

    A box that an image has already is the same face, unless both have labels and they differ.
    Regions to be ignored may lie upon each other.

    Args:
        parsed: faces and problems, in the order of the file; anything else is left out.
        path: the file.
        on_error: whether a problem raises.

    Raises:
        AnnotationError: under ``strict``, if there is a problem that is not merely counted.
    """
    lines: list[FaceLine] = []
    problems: list[Problem] = []
    known: dict[tuple[str, _Box], list[int]] = {}
    for each in parsed:
        if isinstance(each, Problem):
            problems.append(each)
        elif isinstance(each, FaceLine) and each.mark is not None:
            lines.append(each)
        elif isinstance(each, FaceLine):
            places = known.setdefault((each.image, each.box), [])
            if _is_repeated(each, lines, places):
                problems.append(_report_repeated(each, path))
            else:
                places.append(len(lines))
                lines.append(each)
    problems += _report_ignored(lines, path)
    enforce(problems, on_error)
    return tuple(lines), tuple(problems)


def _is_repeated(face: FaceLine, lines: list[FaceLine], places: Iterable[int]) -> bool:
    """Return whether a face is one of those in some places, which gets its label then."""
    for place in places:
        label = lines[place].label
        if face.label is None or label in (None, face.label):
            lines[place] = replace(lines[place], label=label or face.label)
            return True
    return False


def faces_of(lines: Sequence[FaceLine]) -> Faces:
    """Return boxes and labels as columns, of the lines that are not to be ignored."""
    counted = [line for line in lines if line.mark is None]
    return Faces(as_boxes([line.box for line in counted]), tuple(line.label for line in counted))


def ignored_of(lines: Sequence[FaceLine]) -> Boxes:
    """Return the (N, 4) boxes of the lines that are to be ignored."""
    return as_boxes([line.box for line in lines if line.mark is not None])


def _report_ignored(lines: Sequence[FaceLine], path: Path) -> list[Problem]:
    """Return a problem for each line that is to be ignored, to be counted."""
    return [
        Problem(
            Kind.IGNORED,
            line.path or path,
            line.line,
            f"found a face marked {line.mark} in {line.image}, which counts neither way"
            + ("; facetl convert --difficult face makes it one" if line.mark == DIFFICULT else ""),
        )
        for line in lines
        if line.mark is not None
    ]


def count_problems(problems: Sequence[Problem]) -> str:
    """Return a summary such as ``2 not a number, 1 image missing``; empty without problems."""
    counts = Counter(problem.kind for problem in problems)
    return ", ".join(f"{counts[kind]} {kind}" for kind in Kind if kind in counts)


def describe_problems(problems: Sequence[Problem]) -> str:
    """Return the summary and the first of the problems, of which there is at least one."""
    return f"{count_problems(problems)}; the first is {problems[0]}"


def enforce(problems: Sequence[Problem], on_error: OnError) -> None:
    """Raise under ``strict`` if a problem is of a kind that is not merely counted.

    Raises:
        AnnotationError: one line with the first problem, a count of the others, and the remedy.
    """
    serious = [problem for problem in problems if not problem.kind.tolerated]
    if on_error == "skip" or not serious:
        return
    first, others = serious[0], serious[1:]
    rest = f"; and {len(others)} more: {count_problems(others)}" if others else ""
    them = "them" if others else "it"
    raise AnnotationError(f"{first}{rest}; mend {them} or leave {them} out with --on-error skip")


def read_text(path: Path) -> str:
    """Return the text of an annotation file, without a byte-order mark.

    It is UTF-8 or, as Windows writes it, UTF-16; of a ZIP the one annotation file in it is read.

    Raises:
        AnnotationError: if it cannot be read, or is other text or none.
    """
    try:
        text = _decode(_read_bytes(path))
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path} is not UTF-8 text; save it as UTF-8") from error


def open_marked(path: Path) -> StringIO | BytesIO:
    """Return an annotation file to be parsed, as text if a mark or its zeros tell how to decode it.

    Raises:
        AnnotationError: as :func:`read_text` does.
        UnicodeDecodeError: if it is no text of the kind that its mark tells.
    """
    data = _read_bytes(path)
    is_marked = _find_encoding(data) != "utf-8" or data.startswith(codecs.BOM_UTF8)
    return StringIO(_decode(data)) if is_marked else BytesIO(data)


def _read_bytes(path: Path, most: int | None = None) -> bytes:
    """Return the bytes of an annotation file, or of the one in a ZIP.

    Args:
        path: the file.
        most: how many bytes of it are wanted; None for all.

    Raises:
        AnnotationError: if it cannot be read, is too large, or is a ZIP of anything else.
    """
    try:
        with open_regular(path) as stream:
            if stream.read(len(_ZIP)) == _ZIP:
                return _read_member(path, most)
            stream.seek(0)
            return stream.read(-1 if most is None else most)
    except OSError as error:
        raise AnnotationError(
            f"{path} cannot be read ({error.strerror}); give an annotation file"
        ) from error


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Give a ZIP over the block.

    Raises:
        AnnotationError: if the block meets something damaged or encrypted in it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _DAMAGES as error:
        raise AnnotationError(f"{path} is a damaged ZIP ({error}); download it again") from error
    except RuntimeError as error:
        raise AnnotationError(
            f"{path} is an encrypted ZIP; unpack it and give what it holds"
        ) from error


def _read_member(path: Path, most: int | None = None) -> bytes:
    """Return the bytes of the one annotation file in a ZIP, as labelling tools offer it."""
    with (
        open_zip(path) as archive,
        archive.open(_choose_member(path, archive.namelist())) as stream,
    ):
        data = stream.read(MOST_UNPACKED + 1 if most is None else min(most, MOST_UNPACKED))
    if len(data) > MOST_UNPACKED:
        raise AnnotationError(
            f"{path} is a ZIP whose annotations grow beyond {MOST_UNPACKED:,} bytes; unpack it and "
            "give what it holds"
        )
    return data


def _choose_member(path: Path, names: Sequence[str]) -> str:
    """Return the name of the one annotation file: the one JSON, or the one text."""
    if is_office(names):
        raise AnnotationError(f"{path} is an Office file; save it as plain text or as COCO JSON")
    files = [name for name in names if _may_be_annotations(PurePosixPath(name))]
    jsons = [name for name in files if name.lower().endswith(".json")]
    for chosen in (jsons, files):
        if len(chosen) == 1 and chosen[0].lower().endswith((".json", ".txt")):
            return chosen[0]
    shown = ", ".join(files[:_MOST_NAMED]) + (", …" if len(files) > _MOST_NAMED else "")
    raise AnnotationError(
        f"{path} is a ZIP that holds {shown or 'no annotation file'}; unpack it and give the folder"
    )


def is_office(names: Iterable[str]) -> bool:
    """Return whether a ZIP that holds these names is a document of an office program."""
    return any(name.startswith(("xl/", "word/", "ppt/")) for name in names)


def is_zip(path: Path) -> bool:
    """Return whether a file is a ZIP that holds something."""
    try:
        with open_regular(path, sys.maxsize) as stream:
            return stream.read(len(_ZIP)) == _ZIP
    except OSError:
        return False


def _may_be_annotations(name: PurePosixPath) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in name.parts)
    fits = name.suffix.lower() in _SUFFIXES and not name.stem.lower().startswith("readme")
    return fits and not hidden


def _decode(data: bytes, errors: str = "strict") -> str:
    """Return bytes as text: UTF-16 if they begin as it does, else UTF-8; without its mark.

    Raises:
        UnicodeDecodeError: if they are no such text, unless ``errors`` says otherwise.
    """
    return data.decode(_find_encoding(data), errors).removeprefix("\ufeff")


def _find_encoding(data: bytes) -> str:
    """Return how bytes are encoded: UTF-16 has a mark, or a zero beside each plain letter."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    zeros = [not byte for byte in data[:4]]
    plain = {"utf-16-le": [False, True] * 2, "utf-16-be": [True, False] * 2}
    return next((name for name, places in plain.items() if zeros == places), "utf-8")


def read_head(path: Path) -> str:
    """Return how a file begins, whatever it is; of a ZIP, how the annotation file in it does.

    Raises:
        AnnotationError: if it cannot be read.
    """
    return _decode(_read_bytes(path, _HEAD), "replace").lstrip(" \t\r\n")


def _report_repeated(face: FaceLine, path: Path) -> Problem:
    corners = " ".join(f"{corner:g}" for corner in face.box)
    found = f"found the box {corners} of {face.image} once more"
    return Problem(Kind.REPEATED, face.path or path, face.line, found)
