"""The course's annotation text: ``image x1 y1 x2 y2 [label]``, one face a line.

Boxes are taken as they stand, as half-open corners in pixels.  Read without fuss: a byte-order
mark, Windows line ends, tabs, blank lines, missing labels, labels with spaces.  An image's name
may hold spaces too if it has an image's suffix: the name ends at the first word with such a
suffix that is followed by four numbers; a name without suffix is a single word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple
from unicodedata import category

from facetl.boxes import FARTHEST, Boxes, as_boxes
from facetl.data.images import IMAGE_SUFFIXES
from facetl.errors import AnnotationError
from facetl.files import write_text

FORMAT = "image x1 y1 x2 y2 [label]"

_LONGEST = 500
"""So many characters are told of what was found: a file without line ends is one long line."""

DIFFICULT = "difficult"
"""The mark of Pascal VOC, which can be overruled."""

OnError = Literal["strict", "skip"]
"""What to do about wrong lines: stop at the end of reading, or leave them out and count."""


class Kind(StrEnum):
    """What can be wrong with a line of annotations or with the image it speaks of."""

    WRONG_FIELDS = "wrong field count"
    NOT_A_NUMBER = "not a number"
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

    @property
    def tolerated(self) -> bool:
        """Whether the kind is only counted, even under ``strict``."""
        return self in (Kind.CLIPPED, Kind.UNREADABLE, Kind.IGNORED, Kind.UNLISTED)


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
        line: where it stands, None where a format has no lines.
        path: the file it stands in, where a format has a file for each image; else None.
        mark: by which the file says that it is to be ignored: ``iscrowd``, ``ignore``, ``invalid``
            or ``difficult``; None for a face that counts.
    """

    image: str
    box: tuple[float, float, float, float]
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
        sizes: height and width by image name, of those whose size the file says.
    """

    path: Path
    lines: tuple[FaceLine, ...]
    problems: tuple[Problem, ...]
    images: tuple[str, ...] | None = None
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

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
        """Return the same as if nothing bore a mark: what did is a face like any other."""
        marked = [line for line in self.lines if line.mark == mark]
        reported = {*report_ignored(marked, self.path)}
        lines = (replace(line, mark=None) if line.mark == mark else line for line in self.lines)
        problems = tuple(problem for problem in self.problems if problem not in reported)
        return replace(self, lines=tuple(lines), problems=problems)


def load_annotations(path: Path | str, on_error: OnError = "strict") -> AnnotationFile:
    """Read an annotation file, without looking at the images it speaks of.

    Raises:
        AnnotationError: if it is no text file; under ``strict``, if any line is wrong: one
            message with the first such line and a count of all.
    """
    path = Path(path)
    texts = enumerate(read_text(path).split("\n"), start=1)
    parsed = [_parse_line(text, path, number) for number, text in texts if text.strip()]
    problems = tuple(value for value in parsed if isinstance(value, Problem))
    enforce(problems, on_error)
    return AnnotationFile(path, tuple(v for v in parsed if isinstance(v, FaceLine)), problems)


def save_annotations(path: Path, faces: Mapping[str, tuple[Boxes, Sequence[str | None]]]) -> None:
    """Write faces by image name as the course's text, atomically.

    Raises:
        AnnotationError: if a face would not be read back as it is (a name of two words without
            an image's suffix, say, or an empty box).
        OutputError: if the place cannot be written.
    """
    lines = [
        _format_line(image, box, label)
        for image, (boxes, labels) in faces.items()
        for box, label in zip(as_boxes(boxes).tolist(), labels, strict=True)
    ]
    write_text(path, "".join(f"{line}\n" for line in lines))


def faces_of(lines: Sequence[FaceLine]) -> Faces:
    """Return boxes and labels as columns, of the lines that are not to be ignored."""
    counted = [line for line in lines if line.mark is None]
    return Faces(as_boxes([line.box for line in counted]), tuple(line.label for line in counted))


def ignored_of(lines: Sequence[FaceLine]) -> Boxes:
    """Return the (N, 4) boxes of the lines that are to be ignored."""
    return as_boxes([line.box for line in lines if line.mark is not None])


def report_ignored(lines: Sequence[FaceLine], path: Path) -> list[Problem]:
    """Return a problem for each line that is to be ignored, to be counted.

    Args:
        lines: of one file or folder of files.
        path: where they stand that do not say it themselves.
    """
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

    Raises:
        AnnotationError: if it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise AnnotationError(
            f"{path} cannot be read ({error.strerror}); give an annotation file"
        ) from error


def _parse_line(text: str, path: Path, number: int) -> FaceLine | Problem:
    name, fields, label = _split_line(text)
    fault = _find_fault(name, fields)
    if fault:
        return Problem(fault[0], path, number, fault[1])
    x1, y1, x2, y2 = map(float, fields)
    image = name.replace("\\", "/").removeprefix("./")
    return FaceLine(image, (x1, y1, x2, y2), label, number)


def _split_line(text: str) -> tuple[str, list[str], str | None]:
    """Return the image's name, up to four fields after it, and the label."""
    words = list(re.finditer(r"\S+", text))
    end = _count_words_of_name([word.group() for word in words])
    name = text[words[0].start() : words[end - 1].end()]
    rest = [word.group() for word in words[end:]]
    return name, rest[:4], " ".join(rest[4:]) or None


def _find_fault(name: str, fields: Sequence[str]) -> tuple[Kind, str] | None:
    """Return what is wrong with the four fields of a box, if anything."""
    if len(fields) < 4:
        found = f"found {len(fields)} of 4 coordinates after {name!r}, expected `{FORMAT}`"
        return Kind.WRONG_FIELDS, found
    for word in fields:
        if not is_number(word):
            return Kind.NOT_A_NUMBER, f"found {word!r}, expected a number in `{FORMAT}`"
    x1, y1, x2, y2 = map(float, fields)
    if x2 <= x1 or y2 <= y1:
        return Kind.EMPTY_BOX, f"found the box {' '.join(fields)}, expected x2 > x1 and y2 > y1"
    return None


def _count_words_of_name(words: Sequence[str]) -> int:
    """Return how many words make the image's name: the rule at the head of this module."""
    ends = [i for i, word in enumerate(words, start=1) if _has_image_suffix(word)]
    candidates = [*ends, 1]
    return next((end for end in candidates if _are_numbers(words[end : end + 4])), candidates[0])


def _has_image_suffix(word: str) -> bool:
    return word.lower().endswith(IMAGE_SUFFIXES)


def _are_numbers(words: Sequence[str]) -> bool:
    return len(words) == 4 and all(map(is_number, words))


def is_number(word: str) -> bool:
    """Return whether a word is a number that can be a coordinate: not infinite, nor far from it."""
    try:
        return abs(float(word)) <= FARTHEST  # False for NaN
    except ValueError:
        return False


def _format_line(image: str, box: Sequence[float], label: str | None) -> str:
    corners = " ".join(f"{int(x)}" if x.is_integer() else repr(x) for x in box)
    line = f"{image} {corners} {label or ''}".rstrip()
    expected = FaceLine(image, (box[0], box[1], box[2], box[3]), label, line=1)
    odd = any(category(char) == "Cs" for char in line)  # broken Unicode, which UTF-8 cannot hold
    if odd or "\n" in line or "\r" in line or _parse_line(line, Path(), number=1) != expected:
        raise AnnotationError(f"{line!r} would not be read back the same; write `{FORMAT}`")
    return line
