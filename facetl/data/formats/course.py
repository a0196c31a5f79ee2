"""The course's annotation text: ``image x1 y1 x2 y2 [label]``, one face a line.

Boxes are taken as they stand, as half-open corners in pixels.  Ignored are a byte-order mark,
Windows line ends, tabs, blank lines; labels may be missing or have spaces.  An image's name may
have spaces too if it has an image's suffix: the name ends at the first word with such a suffix
that is followed by four numbers; a name without a suffix is a single word.

Frames and texts are found as

- folders with a text named after each beside them, ``NAME_annotations.txt``,
  ``task1_gt_NAME.txt`` or ``NAME.txt``; of several, names become ``NAME/0001.jpg``;
- one folder of images, with one text in it or beside it;
- beside ``task1_gt_NAME.txt``, which has no labels, ``task2_CHARACTER_gt_NAME.txt`` for each
  character: they say who the faces are, and the others are ``unknown``;
- parts of these kinds in ``antrenare`` (to train on), ``val`` and ``validare`` (to test on).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from glob import escape as glob_escape
from pathlib import Path
from unicodedata import category

from facetl.boxes import Boxes, as_boxes, clip
from facetl.data.annotations import (
    AnnotationFile,
    FaceLine,
    Faces,
    Kind,
    OnError,
    Problem,
    collect_faces,
    read_head,
    read_text,
)
from facetl.data.characters import UNKNOWN
from facetl.data.formats.base import AnnotationFormat, FramesByPart, NoSuchPartError, Source
from facetl.data.formats.corners import is_number
from facetl.data.formats.folders import (
    Find,
    files_with,
    find_entry,
    finder,
    image_root,
)
from facetl.data.formats.foreign import refuse_foreign
from facetl.data.formats.yolo import looks_like_labels
from facetl.data.frame import Frame, Part
from facetl.data.images import IMAGE_SUFFIXES
from facetl.errors import AnnotationError, InputError
from facetl.files import write_text

_LINE = "image x1 y1 x2 y2 [label]"
_PART_FOLDERS: dict[Part, str] = {"train": "antrenare", "val": "val", "test": "validare"}
_TEXT_NAMES = ("{}_annotations.txt", "task1_gt_{}.txt")
"""Names of the text beside a folder that hold the folder's, the one with labels first."""
_FOREIGN_SUFFIXES = (".json", ".xml", ".csv", ".zip")
"""Suffixes of the annotations of other tools."""
_LOOKED_AT = 20
"""How many files are looked at to see what they are."""


_ALL_FACES = re.compile(r"task1_gt_(.+)\.txt")
"""The name of a text of all faces, beside which those of characters may lie."""
_Corners = tuple[float, float, float, float]


class NoAnnotationsError(InputError):
    """There are images, and nothing that tells of faces in them."""


class Course(AnnotationFormat):
    """A text of faces; written as ``images_annotations.txt`` and ``images/``."""

    name = "course"
    suffixes = (".txt",)
    names_all_images = False
    single_suffix = ".txt"

    def looks_like(self, head: str) -> bool:
        """Return whether the first line is a face."""
        return _begins_with_face(head)

    def load(self, path: Path, on_error: OnError = "strict") -> AnnotationFile:
        """Read a text without its images."""
        return load_annotations(path, on_error)

    def sources(
        self, annotations: Path, images: Path | None, below: Path | None, part: Part
    ) -> list[Source]:
        """Return the images beside a text or below a folder, and the text."""
        return [
            _source(images or (image_root(below) if below else annotations.parent), annotations)
        ]

    def search(self, folder: Path, part: Part) -> list[Source]:
        """Return what a folder holds of a part; nothing if it holds no text of faces.

        Raises:
            InputError: if it is not clear which text is meant, or the part is missing.
        """
        chosen = _pick_part(folder, part)
        if sources := _find_pairs(chosen):
            _refuse_rivals(chosen)
            find = finder(chosen)
            for source in sources:
                _refuse_rivals(source.images, find)
            return sources
        images = image_root(chosen)
        if chosen != folder or self._has_text(images, folder):
            return [source_of_images(images, chosen)]
        return []

    def _has_text(self, images: Path, below: Path) -> bool:
        """Return whether there is a text that could be the annotations of a folder of images."""
        return bool(_own_text(images)) or any(map(self.find, (images, images.parent, below)))

    def image_place(self, part: Part, name: str, *, alone: bool) -> str:
        """Return where an image is written."""
        return f"{_part_folder(part, alone=alone)}images/{name}"

    def save(self, folder: Path, parts: FramesByPart, *, with_images: bool) -> None:
        """Write a text for each part."""
        for part, frames in parts.items():
            place = _part_folder(part, alone=len(parts) == 1)
            self.save_single(folder / f"{place}images_annotations.txt", frames)

    def save_single(self, path: Path, frames: Sequence[Frame]) -> None:
        """Write the faces of all frames to one text."""
        save_annotations(path, {frame.name: (frame.boxes, frame.labels) for frame in frames})


def load_annotations(path: Path | str, on_error: OnError = "strict") -> AnnotationFile:
    """Read an annotation file, without looking at the images it speaks of.

    Raises:
        AnnotationError: if it is no text file; under ``strict``, if any line is wrong: one
            message with the first such line and a count of all.
    """
    path = Path(path)
    texts = enumerate(read_text(path).split("\n"), start=1)
    parsed = [_parse_line(text, path, number) for number, text in texts if text.strip()]
    if characters := _characters_beside(path):
        parsed = [_with_label(each, characters) for each in parsed]
    return AnnotationFile(path, *collect_faces(parsed, path, on_error))


def _characters_beside(path: Path) -> dict[tuple[str, _Corners], str]:
    """Return who the faces of a text of all faces are, by the texts of characters beside it."""
    named = _ALL_FACES.fullmatch(path.name)
    if not named or path.is_symlink():
        return {}
    characters = {}
    for text in sorted(path.parent.glob(f"task2_*_gt_{glob_escape(named[1])}.txt")):
        name = text.name.removeprefix("task2_").removesuffix(f"_gt_{named[1]}.txt")
        for line in read_text(text).split("\n"):
            face = _parse_line(line, text, 1) if line.strip() else None
            if isinstance(face, FaceLine):
                characters[face.image, face.box] = name
    return characters


def _with_label(
    face: FaceLine | Problem, characters: Mapping[tuple[str, _Corners], str]
) -> FaceLine | Problem:
    """Return a face with its character, unknown if it is none's; one with a label as it is."""
    if isinstance(face, Problem) or face.label is not None:
        return face
    return replace(face, label=characters.get((face.image, face.box), UNKNOWN))


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


def replace_faces(text: str, image: str, faces: Faces, size_hw: tuple[int, int]) -> str:
    """Return a text with other faces of one image; all other lines stay as they are.

    Lines of faces that stay the same, once clipped to the image, stay as well.

    Raises:
        AnnotationError: if a face would not be read back as it is.
    """
    rest = list(zip(map(tuple, faces.boxes.tolist()), faces.labels, strict=True))
    lines, end = [], None
    for line in text.splitlines():
        parsed = _parse_line(line, Path(), 1) if line.strip() else None
        if not isinstance(parsed, FaceLine) or parsed.image != image:
            lines.append(line)
            continue
        face = tuple(clip(as_boxes([parsed.box]), size_hw)[0].tolist()), parsed.label
        if face in rest:
            rest.remove(face)
            lines.append(line)
        end = len(lines)
    added = [_format_line(image, box, label) for box, label in rest]
    end = len(lines) if end is None else end
    return "".join(f"{line}\n" for line in (*lines[:end], *added, *lines[end:]))


def source_of_images(images: Path, below: Path) -> Source:
    """Return a folder of images with its text: in it, beside it, or in ``below`` around it.

    Raises:
        InputError: if there is no text, or it is not clear which one is meant.
    """
    for passed in images.parents:
        if below in passed.parents:
            _refuse_rivals(passed)
    return _source(images, _find_text(images, below))


def _source(images: Path, annotations: Path, prefix: str = "") -> Source:
    return Source(
        images, annotations, lambda _: load_annotations(annotations, on_error="skip"), prefix
    )


def _part_folder(part: Part, *, alone: bool) -> str:
    return "" if alone else f"{_PART_FOLDERS[part]}/"


def _pick_part(root: Path, part: Part) -> Path:
    """Return the part of a folder that has parts, else the folder itself."""
    folders = {name: find_entry(root, folder) for name, folder in _PART_FOLDERS.items()}
    present = {name: path for name, path in folders.items() if path and path.is_dir()}
    if len(present) == 1 and all(map(_own_text, present.values())):
        return root  # it is the test part itself: inside lies a folder of the same name
    if set(present) <= {"val"}:
        return root
    chosen = present.get(part) or (present.get("val") if part == "test" else None)
    if not chosen:
        has, lacks = next(iter(present.values())).name, _PART_FOLDERS[part]
        raise NoSuchPartError(f"{root} holds {has} but no {lacks}; give the folder itself")
    return chosen


def _find_pairs(folder: Path) -> list[Source]:
    """Return the folders in a folder that have a text beside them, and that text."""
    find = finder(folder)
    names = (*_TEXT_NAMES, "{}.txt")
    named = (
        path for path in folder.iterdir() if any(find(name.format(path.name)) for name in names)
    )
    pairs = [
        (images, text)
        for images in sorted(path for path in named if path.is_dir())
        if (text := _text_beside(images, find))
    ]
    many = len(pairs) > 1
    return [_source(*pair, prefix=f"{pair[0].name}/" if many else "") for pair in pairs]


def _refuse_rivals(folder: Path, find: Find | None = None) -> None:
    """Raise if a folder's faces are in a text beside it and in others inside it.

    This happens when corrected annotations are written beside the frames: the ones inside are
    the uncorrected.
    """
    rival = _text_beside(folder, find)
    if rival and _begins_with_face(read_head(rival)) and (inside := _find_pairs(folder)):
        raise InputError(
            f"found {rival.name} beside {folder} and {inside[0].annotations.name} in it, and which "
            "one holds is not clear; pick --annotations, or move one away"
        )


def _own_text(images: Path, find: Find | None = None) -> Path | None:
    """Return the text that is named as the annotations of a folder, the one with labels first."""
    find = find or partial(find_entry, images.parent)
    paths = (find(name.format(images.name)) for name in _TEXT_NAMES)
    return next((path for path in paths if path and path.is_file()), None)


def _text_beside(images: Path, find: Find | None = None) -> Path | None:
    """Return a folder's own text, or one that is named like the folder and holds faces."""
    find = find or partial(find_entry, images.parent)
    if own := _own_text(images, find):
        return own
    path = find(f"{images.name}.txt")
    return path if path and path.is_file() and _begins_with_face(read_head(path)) else None


def _find_text(images: Path, below: Path) -> Path:
    """Return the one annotation file for the images: in their folder, beside it, or ``below``."""
    if not any(images.iterdir()):
        raise InputError(f"{images} is empty; give a folder of annotated frames")
    for folder in (images, below):
        if own := _text_beside(folder):
            refuse_foreign(own, read_head(own))
            return own
    for place in (images, images.parent, below):
        files = files_with(place, ".txt")
        _refuse_labels(place, files)
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:5]) + (", …" if len(files) > 5 else "")
            raise InputError(f"{place} holds {len(files)} text files ({names}); pick --annotations")
        if files:
            refuse_foreign(files[0], read_head(files[0]))
            return files[0]
        if place == images:  # annotated with another tool: a text elsewhere is of other frames
            _refuse_foreign(place, ".json", ".xml", ".csv")
    for place in dict.fromkeys((images, images.parent, below)):
        _refuse_foreign(place, *_FOREIGN_SUFFIXES)
    raise NoAnnotationsError(
        f"found no annotation file in {images} or beside it; give --annotations, or mark "
        f"the faces with: facetl annotate {shlex.quote(str(images))}"
    )


def _refuse_labels(place: Path, texts: Sequence[Path]) -> None:
    """Raise for labels that YOLO has for each image where nothing names their classes."""
    if texts and all(looks_like_labels(read_head(path)) for path in texts[:_LOOKED_AT]):
        raise InputError(
            f"{place} holds labels as YOLO has them and nothing that names their classes; add "
            "classes.txt, with a class a line"
        )


def _refuse_foreign(place: Path, *suffixes: str) -> None:
    """Raise for a file with annotations that facetl does not read, if there is one."""
    for path in files_with(place, *suffixes)[:_LOOKED_AT]:
        if path.is_file():
            refuse_foreign(path, read_head(path))


def _begins_with_face(head: str) -> bool:
    """Return whether the first line of a text has four numbers in a row after a name."""
    words = head.split("\n", 1)[0].split()
    return not looks_like_labels(head) and any(
        _are_numbers(words[i : i + 4]) for i in range(1, len(words) - 3)
    )


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
        found = f"found {len(fields)} of 4 coordinates after {name!r}, expected `{_LINE}`"
        return Kind.WRONG_FIELDS, found
    for word in fields:
        if not is_number(word):
            return Kind.NOT_A_NUMBER, f"found {word!r}, expected a number in `{_LINE}`"
    x1, y1, x2, y2 = map(float, fields)
    if x2 <= x1 or y2 <= y1:
        return Kind.EMPTY_BOX, f"found the box {' '.join(fields)}, expected x2 > x1 and y2 > y1"
    return None


def _count_words_of_name(words: Sequence[str]) -> int:
    """Return how many words are the image's name, by the rule at the head of this module."""
    ends = [i for i, word in enumerate(words, start=1) if word.lower().endswith(IMAGE_SUFFIXES)]
    candidates = [*ends, 1]
    return next((end for end in candidates if _are_numbers(words[end : end + 4])), candidates[0])


def _are_numbers(words: Sequence[str]) -> bool:
    return len(words) == 4 and all(map(is_number, words))


def _format_line(image: str, box: Sequence[float], label: str | None) -> str:
    corners = " ".join(f"{int(x)}" if x.is_integer() else repr(x) for x in box)
    line = f"{image} {corners} {label or ''}".rstrip()
    expected = FaceLine(image, (box[0], box[1], box[2], box[3]), label, line=1)
    odd = any(category(char) == "Cs" for char in line)  # broken Unicode, which UTF-8 cannot hold
    if odd or "\n" in line or "\r" in line or _parse_line(line, Path(), number=1) != expected:
        raise AnnotationError(f"{line!r} would not be read back the same; write `{_LINE}`")
    return line
