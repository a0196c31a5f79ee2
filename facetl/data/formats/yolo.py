"""YOLO, as Ultralytics lays it out: ``data.yaml``, folders of images, a text file an image.

::

    path: .                     # optional
    train: images/train         # a folder, a list of folders, or a .txt with a path a line
    val: images/val
    names: {0: dad, 1: mom}     # or a list

The labels of ``images/train/a.jpg`` are in ``labels/train/a.txt`` (the last ``images`` of the
path changes; without one they lie beside the image), one face a line: ``class x y width height``,
the centre and the size as shares of the image's width and height
(https://docs.ultralytics.com/datasets/detect/).  A sixth number, a score, is left out.  Of a
polygon or of key points only the box counts.  An image without a file has no faces.  A file whose
name differs in case, or as :mod:`facetl.data.name_matching` allows, is an image's file too.

Labelling tools write no data.yaml, but ``classes.txt`` with a class a line, among the images and
labels or among the labels (labelImg, Label Studio); or, as Darknet has it, ``obj.data`` with
``names = …`` and ``train = …`` (CVAT).

Boxes may leave the image by half a pixel without being counted as clipped: files have six
decimals, or fewer.  Paths in ``data.yaml`` stay below its folder: ``../train/images``, as some
tools write it, means ``train/images``; a ``path`` that leads elsewhere is taken for the folder
of ``data.yaml``.  A ``val`` that is the same as ``test`` or ``train`` is no part of its own:
Ultralytics asks for one, so another is named twice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from facetl.data.annotations import (
    AnnotationFile,
    FaceLine,
    Kind,
    OnError,
    Problem,
    collect_faces,
    read_text,
)
from facetl.data.formats.base import (
    AnnotationFormat,
    FramesByPart,
    NoSuchPartError,
    Source,
    choose_part,
)
from facetl.data.formats.corners import Corners, corners_of, is_number
from facetl.data.formats.folders import files_with, find_entry, has_suffix, is_like
from facetl.data.formats.names import (
    class_label,
    class_name,
    class_names,
    image_name,
    leads_out,
    listed_name,
)
from facetl.data.frame import PARTS, Frame, Part
from facetl.data.images import image_paths, image_size, name_below
from facetl.data.name_matching import match_names, nearest_names
from facetl.errors import AnnotationError, ImageError
from facetl.files import write_text

LABELS = "labels"
"""The folder of labels."""

_FILE_NAME, _IMAGES = "data.yaml", "images"
_CLASSES = "classes.txt"
"""A text among the labels that labelling tools leave there."""

_LINE = "class x y width height"
_KEYS = re.compile(r"^names\s*:", re.MULTILINE)
"""What a data.yaml cannot do without."""
_DARKNET = re.compile(r"^names *=", re.MULTILINE)
"""What an obj.data cannot do without."""

_ROUNDING = 0.5
"""How far a box may leave its image before it counts as clipped, in pixels."""

_LARGEST_SHARE = 2
"""Boxes may leave their image, but a number above this is no share: the tool wrote pixels."""

_DECIMALS = 6
"""Of pixels: anything finer is noise of the division by the image's size."""


class _YoloSet(NamedTuple):
    """What a data.yaml says.

    Attributes:
        path: the file.
        labels: the label of each class by its number, None for ``face``.
        places: folders of images, or texts that list images, by part; those that exist.
        lost: what the file names but does not exist, by part.
        box_fields: how many fields a line with key points has; 0 if there are none.
    """

    path: Path
    labels: dict[int, str | None]
    places: dict[Part, list[Path]]
    lost: dict[Part, str]
    box_fields: int = 0

    @property
    def root(self) -> Path:
        """The folder that holds it all."""
        folder = self.path.parent
        among_labels = self.path.name.lower() == _CLASSES and folder.name.lower() == LABELS
        return folder.parent if among_labels else folder


class Yolo(AnnotationFormat):
    """Labels in shares of the image; written as data.yaml, ``images/PART/``, ``labels/PART/``."""

    name = "yolo"
    has_file_per_image = True

    def looks_like(self, head: str) -> bool:
        """Return whether a file begins as a data.yaml or an obj.data does: it names classes."""
        return bool(_KEYS.search(head) or _DARKNET.search(head))

    def find(self, folder: Path) -> list[Path]:
        """Return the data.yaml of a folder, whatever its name, or what stands in for it."""
        if (folder / _FILE_NAME).is_file():
            return [folder / _FILE_NAME]
        for suffixes, keys in (((".yaml", ".yml"), _KEYS), ((".data",), _DARKNET)):
            files = [path for path in files_with(folder, *suffixes) if is_like(path, keys.search)]
            if len(files) == 1:
                return files
        return _find_classes(folder)

    def sources(
        self, annotations: Path, images: Path | None, below: Path | None, part: Part
    ) -> list[Source]:
        """Return the folders or lists of images of a part, or the folder of images given."""
        yolo = _load_yolo_set(annotations)
        if folder := images or below:
            return [_source(yolo, folder)]
        places = _places_of(yolo, part)
        return [
            _source(yolo, place, prefix=f"{place.name}/" if len(places) > 1 else "")
            if place.is_dir()
            else _source(yolo, yolo.root, listing=place)
            for place in places
        ]

    def image_place(self, part: Part, name: str, *, alone: bool) -> str:
        """Return where an image is written, the same in a data set of one part."""
        return f"{_IMAGES}/{part}/{name}"

    def save(self, folder: Path, parts: FramesByPart, *, with_images: bool) -> None:
        """Write data.yaml and the labels of all frames, each atomically.

        Ultralytics does not train without a ``val``: ``test`` or ``train`` stands in for a
        missing one.
        """
        import yaml

        frames = [frame for part in parts.values() for frame in part]
        names = class_names([label for frame in frames for label in frame.labels])
        numbers = {name: number for number, name in enumerate(names or [class_name(None)])}
        for part, members in parts.items():
            for frame in members:
                image = folder / self.image_place(part, frame.name, alone=len(parts) == 1)
                write_text(_label_path(image, folder), "".join(_format_faces(frame, numbers)))
        document: dict[str, Any] = {part: f"{_IMAGES}/{part}" for part in parts}
        if stand_in := document.get("test", document.get("train")):
            document.setdefault("val", stand_in)
        document["names"] = {number: name for name, number in numbers.items()}
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        write_text(folder / _FILE_NAME, text)


def _load_yolo_set(path: Path) -> _YoloSet:
    """Read a data.yaml, or what tools write in its place: classes.txt or obj.data.

    Raises:
        AnnotationError: if it is broken or names no classes.
    """
    if path.suffix.lower() in (".txt", ".names"):
        return _read_classes(path)
    if _DARKNET.search(text := read_text(path)):
        return _read_darknet(path, text)
    document = _load_yaml(path)
    if not isinstance(document, dict):
        raise AnnotationError(f"{path}: found no keys, expected train, val and names")
    places, lost = _find_places(path, document)
    labels = _read_names(path, document.get("names"))
    return _YoloSet(path, labels, places, lost, _count_fields(document.get("kpt_shape")))


def looks_like_labels(text: str) -> bool:
    """Return whether a text begins with a face as YOLO has it: a class, and shares of the image."""
    words = text.split("\n", 1)[0].split()
    if len(words) < 5 or not words[0].isdecimal() or not all(map(is_number, words)):
        return False
    return all(0 <= float(word) <= _LARGEST_SHARE for word in words[1:])


def _load_yaml(path: Path) -> Any:
    """Read YAML of plain values."""
    import yaml  # not before: few commands meet YAML

    text = read_text(path)
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise AnnotationError(
            f"{path}:{line}: found broken YAML ({error.problem}); save the file again"
        ) from error
    except (yaml.YAMLError, ValueError, TypeError, LookupError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise AnnotationError(
            f"{path}: found YAML that cannot be read ({reason}); save the file again"
        ) from error


def _load_yolo(
    yolo: _YoloSet, images: Path, on_error: OnError = "strict", listing: Path | None = None
) -> AnnotationFile:
    """Read the faces of all images below a folder, or of those in a list.

    Args:
        yolo: what the data.yaml says.
        images: the folder of images, to which names are relative.
        on_error: whether wrong lines raise.
        listing: a text with a path a line, each relative to ``images``.

    Raises:
        AnnotationError: under ``strict``, if any line is wrong.
    """
    names, strays = _listed_names(listing, images) if listing else (_names_below(images), [])
    texts, renamed = _find_texts(yolo, images, names)
    parsed = [each for name in texts for each in _load_labels(yolo, images, name, texts[name])]
    orphans = [] if listing else _find_orphans(yolo, images, names, texts)
    lines, problems = collect_faces(
        (*_report_lost(yolo), *strays, *renamed, *parsed, *orphans), yolo.path, on_error
    )
    return AnnotationFile(yolo.path, lines, problems, names, without_faces=frozenset(texts))


def _label_path(image: Path, root: Path) -> Path:
    """Return the file with the labels of an image, by the rule at the head of this module."""
    below = image.relative_to(root) if image.is_relative_to(root) else image
    folders = list(below.parts[:-1])
    places = [place for place, name in enumerate(folders) if name.lower() == _IMAGES]
    if places:
        folders[places[-1]] = LABELS
    return root.joinpath(*folders, f"{image.stem}.txt")


def _format_faces(frame: Frame, numbers: Mapping[str, int]) -> Iterator[str]:
    """Yield a line for each face."""
    for box, label in zip(frame.boxes.tolist(), frame.labels, strict=True):
        yield f"{numbers[class_name(label)]} {format_shares(box, frame.size_hw)}\n"


def format_shares(box: Sequence[float], size_hw: tuple[int, int]) -> str:
    """Return centre, width and height as shares of the image, to a millionth of a pixel."""
    height, width = size_hw
    x1, y1, x2, y2 = box
    shares = (
        (x1 + x2) / 2 / width,
        (y1 + y2) / 2 / height,
        (x2 - x1) / width,
        (y2 - y1) / height,
    )
    return " ".join(f"{share:.12g}" for share in shares)


def _source(yolo: _YoloSet, images: Path, listing: Path | None = None, prefix: str = "") -> Source:
    def read(_: object) -> AnnotationFile:
        return _load_yolo(yolo, images, "skip", listing)

    return Source(images, yolo.path, read, prefix, listing)


def _find_classes(folder: Path) -> list[Path]:
    """Return the classes.txt of a folder or of its labels, if there are labels too."""
    places = [place for name in (".", LABELS) if (place := find_entry(folder, name))]
    classes = [path for place in places if (path := find_entry(place, _CLASSES))]
    texts = (path for place in places for path in files_with(place, ".txt"))
    return (
        classes[:1] if classes and any(is_like(path, looks_like_labels) for path in texts) else []
    )


def _places_of(yolo: _YoloSet, part: Part) -> list[Path]:
    """Return the places of a part."""
    if part in yolo.lost:
        raise NoSuchPartError(
            f"{yolo.path} names {yolo.lost[part]!r} as {part}, which is not below {yolo.root}; "
            "mend the path, or take the line out"
        )
    found = choose_part(yolo.places, part)
    if not found:
        has = ", ".join(yolo.places) or "no part that is there"
        raise NoSuchPartError(f"{yolo.path} names {has}, but nothing to {part}; add it there")
    return found


def _find_places(
    path: Path, document: Mapping[Any, Any]
) -> tuple[dict[Part, list[Path]], dict[Part, str]]:
    """Return the places of each part, and what is named but does not exist."""
    root = _find_root(path.parent, document.get("path"))
    places: dict[Part, list[Path]] = {}
    lost: dict[Part, str] = {}
    for part in PARTS:
        value = document.get(part)
        for each in value if isinstance(value, list) else [value] if value else []:
            if place := _find_place(each, root, path.parent):
                places.setdefault(part, []).append(place)
            else:
                lost.setdefault(part, each if isinstance(each, str) else type(each).__name__)
    found = {part: members for part, members in places.items() if part not in lost}
    if "val" in found and found["val"] in (found.get("test"), found.get("train")):
        del found["val"]
    return found, lost


def _find_root(folder: Path, given: object) -> Path:
    """Return the folder to which places are relative."""
    name = image_name(given)
    root = folder / name if name else folder
    return root if root.is_dir() else folder


def _find_place(given: object, *roots: Path) -> Path | None:
    """Return a folder of images, or a text with a list of them, that lies below a root.

    Of a path on another machine the longest end that is there counts; so it does for one that
    begins with the name of the root.
    """
    if not isinstance(given, str) or (text := listed_name(given)) is None:
        return roots[0] if given in (".", "./") else None
    parts = [part for part in text.split("/") if part not in ("", "..")]
    for root in roots:
        is_own = parts[0] == root.resolve().name
        ends = len(parts) if text.startswith("/") or PureWindowsPath(text).drive else 1 + is_own
        for start in range(ends):
            place = find_entry(root, *parts[start:])
            if place and (place.is_dir() or (place.suffix == ".txt" and place.is_file())):
                return place
    return None


def _read_classes(path: Path) -> _YoloSet:
    """Return the set of a classes.txt, whose images lie in ``images`` or beside it."""
    yolo = _YoloSet(path, _read_lines_of_names(path), {}, {})
    images = find_entry(yolo.root, _IMAGES)
    place = images if images and images.is_dir() else yolo.root
    return yolo._replace(places={"train": [place]})


def _read_darknet(path: Path, text: str) -> _YoloSet:
    """Return the set of an obj.data; its paths are those of another machine."""
    values = dict(re.findall(r"^(\w+) *= *(\S.*)$", text, re.MULTILINE))
    names = _find_end(path.parent, values.get("names", ""))
    if not names:
        raise AnnotationError(
            f"{path}: found no file of names beside it; add obj.names, a class a line"
        )
    places: dict[Part, list[Path]] = {}
    lost: dict[Part, str] = {}
    for part, key in zip(PARTS, ("train", "valid", "test"), strict=True):
        if place := _find_end(path.parent, values.get(key, "")):
            places[part] = [place]
        elif key in values:
            lost[part] = values[key]
    return _YoloSet(path, _read_lines_of_names(names), places, lost)


def _find_end(root: Path, text: str) -> Path | None:
    """Return the file below a root that has the longest end of a path in common."""
    parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    found = (find_entry(root, *parts[start:]) for start in range(len(parts)))
    return next((place for place in found if place and place.is_file()), None)


def _read_lines_of_names(path: Path) -> dict[int, str | None]:
    lines = read_text(path).rstrip().split("\n")
    return _read_names(path, [line.strip() for line in lines] if lines != [""] else [])


def _report_lost(yolo: _YoloSet) -> Iterator[Problem]:
    for part, place in yolo.lost.items():
        found = f"found {place!r} for the part {part}, which is not below {yolo.root}"
        yield Problem(Kind.NO_PART, yolo.path, None, found)


def _read_names(path: Path, names: object) -> dict[int, str | None]:
    """Return the label of each class by its number."""
    listed = names if isinstance(names, list) else []
    pairs = names.items() if isinstance(names, dict) else enumerate(listed)
    labels = {}
    for number, name in pairs:
        if not (_is_number_of_class(number) and isinstance(name, str | int | float)):
            raise AnnotationError(
                f"{path}: found a {type(number).__name__} with a {type(name).__name__} among the "
                "names, expected a class's number and name; write names: [face]"
            )
        labels[int(number)] = class_label(str(name))
    if not labels:
        raise AnnotationError(f"{path}: found no names of classes; write names: [face]")
    return labels


def _is_number_of_class(value: object) -> bool:
    """Return whether a key is a whole number; YAML's ``true`` is none, though Python's is."""
    if isinstance(value, str):
        return value.isdecimal() and len(value) < 10
    return isinstance(value, int) and not isinstance(value, bool)


def _count_fields(shape: object) -> int:
    """Return how many fields a line has that ends in key points, 0 if there are none."""
    match shape:
        case [int(count), int(size)] if 0 < count < 10_000 and size in (2, 3):
            return 5 + count * size
        case _:
            return 0


def _names_below(images: Path) -> tuple[str, ...]:
    return tuple(name_below(images, path) for path in image_paths(images))


def _listed_names(listing: Path, images: Path) -> tuple[tuple[str, ...], list[Problem]]:
    """Return the images that a text lists, and what is wrong with its lines."""
    problems = []
    lines: dict[str, int] = {}
    for number, text in enumerate(map(str.strip, read_text(listing).split("\n")), start=1):
        if name := listed_name(text):
            lines.setdefault(name, number)
        elif text:
            problems.append(_report_stray(text, listing, number))
    matched = match_names(lines, _names_below(images))
    for name, number in lines.items():
        if name not in matched and leads_out(name):
            problems.append(_report_stray(name, listing, number))
        elif matched.get(name, name) != name:
            found = f"found {name}, taken for {matched[name]}"
            problems.append(Problem(Kind.MATCHED, listing, number, found))
    kept = (name for name in lines if name in matched or not leads_out(name))
    return tuple(matched.get(name, name) for name in kept), problems


def _report_stray(text: str, listing: Path, number: int) -> Problem:
    found = f"found the path {text!r}, which is not below the folder of data.yaml"
    return Problem(Kind.ESCAPE, listing, number, found)


def _find_texts(
    yolo: _YoloSet, images: Path, names: Sequence[str]
) -> tuple[dict[str, Path], list[Problem]]:
    """Return the text of each image that has one, and a problem for each text of another name."""
    wanted: defaultdict[Path, defaultdict[str, list[str]]]
    wanted = defaultdict(lambda: defaultdict(list))
    for name in names:
        path = _label_path(images / name, yolo.root)
        wanted[path.parent][path.name].append(name)
    texts: dict[str, Path] = {}
    problems = []
    for folder, names_by_text in wanted.items():
        present = _texts_in(_label_folder(folder, yolo.root))
        for text, expected in match_names(present, names_by_text).items():
            texts |= dict.fromkeys(names_by_text[expected], present[text])
            if present[text] != folder / expected:
                found = f"found this text, taken for {folder / expected}"
                problems.append(Problem(Kind.MATCHED, present[text], None, found))
    if not texts and not images.is_relative_to(yolo.root):
        return _find_texts_elsewhere(yolo, names)
    return {name: texts[name] for name in names if name in texts}, problems


def _find_texts_elsewhere(
    yolo: _YoloSet, names: Sequence[str]
) -> tuple[dict[str, Path], list[Problem]]:
    """Return the text of each image by name, where the images lie in quite another folder."""
    present = {
        name_below(yolo.root, path): path
        for path in sorted(yolo.root.rglob("*"))
        if _is_text(path) and (is_like(path, looks_like_labels) or not path.stat().st_size)
    }
    images = {str(PurePosixPath(name).with_suffix(".txt")): name for name in names}
    matched = match_names(present, images)
    problems = [
        Problem(Kind.MATCHED, present[text], None, f"found this text, taken for {images[image]}")
        if text in matched
        else Problem(Kind.MISSING, present[text], None, "found no image of this name")
        for text in present
        for image in [matched.get(text, "")]
    ]
    return {images[image]: present[text] for text, image in matched.items()}, problems


def _label_folder(folder: Path, root: Path) -> Path:
    """Return a folder with labels under its name on the disk: ``Labels``, say."""
    if folder.is_dir() or not folder.is_relative_to(root):
        return folder
    return find_entry(root, *folder.relative_to(root).parts) or folder


def _texts_in(folder: Path) -> dict[str, Path]:
    return (
        {path.name: path for path in sorted(folder.iterdir()) if _is_text(path)}
        if folder.is_dir()
        else {}
    )


def _is_text(path: Path) -> bool:
    return has_suffix(path, ".txt") and path.name.lower() != _CLASSES and path.is_file()


def _load_labels(
    yolo: _YoloSet, images: Path, name: str, path: Path
) -> Iterator[FaceLine | Problem]:
    """Yield the faces of one image, and what is wrong with its file."""
    try:
        size_hw = image_size(images / name)
        text = read_text(path)
    except ImageError:
        return  # reported when the images are read
    except AnnotationError as error:
        yield Problem(Kind.WRONG_FIELDS, path, None, str(error))
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield _parse_line(line.split(), yolo, name, size_hw, path, number)


def _find_orphans(
    yolo: _YoloSet, images: Path, names: Sequence[str], texts: Mapping[str, Path]
) -> Iterator[Problem]:
    """Yield a problem for each file with labels whose image is not there."""
    folder = _label_path(images / "any.png", yolo.root).parent
    if folder == images:
        return  # a text among images may be anything
    known = set(texts.values())
    for path in sorted(_label_folder(folder, yolo.root).rglob("*")):
        if path not in known and _is_text(path) and path.stat().st_size:
            near, names = nearest_names(path.stem, names), ()  # only the first names one
            hint = f" (the nearest: {near})" if near else ""
            found = f"found no image of this name in {images}{hint}"
            yield Problem(Kind.MISSING, path, None, found)


def _parse_line(
    words: list[str], yolo: _YoloSet, name: str, size_hw: tuple[int, int], path: Path, number: int
) -> FaceLine | Problem:
    fault = _find_fault(words, yolo)
    if fault:
        return Problem(fault[0], path, number, fault[1])
    box = _box_of([float(word) for word in words[1:]], yolo.box_fields, size_hw)
    if box is None:
        found = f"found the box {' '.join(words[1:5])}, expected a width and height above 0"
        return Problem(Kind.EMPTY_BOX, path, number, found)
    return FaceLine(name, box, yolo.labels[int(float(words[0]))], number, path)


def _find_fault(words: Sequence[str], yolo: _YoloSet) -> tuple[Kind, str] | None:
    for word in words:
        if not is_number(word):
            return Kind.NOT_A_NUMBER, f"found {word[:40]!r}, expected a number in `{_LINE}`"
    if len(words) < 5:
        return Kind.WRONG_FIELDS, f"found {len(words)} fields, expected `{_LINE}`"
    if float(words[0]) not in yolo.labels:
        found = f"found the class {words[0][:40]}, which {yolo.path.name} does not name"
        return Kind.UNKNOWN, found
    if any(abs(float(word)) > _LARGEST_SHARE for word in words[1:5]):
        found = " ".join(words[1:5])
        return (
            Kind.NOT_A_SHARE,
            f"found {found}, expected shares from 0 to 1 in `{_LINE}`, not pixels",
        )
    return None


def _box_of(values: Sequence[float], box_fields: int, size_hw: tuple[int, int]) -> Corners | None:
    """Return the box of a line in pixels: of its first four values, or around a polygon."""
    height, width = size_hw
    if len(values) < 6 or len(values) + 1 == box_fields:
        x, y, w, h = values[:4]
        shares = (x - w / 2, y - h / 2, w, h)
    else:
        xs, ys = values[0::2][: len(values) // 2], values[1::2]
        shares = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    box = corners_of(shares[0] * width, shares[1] * height, shares[2] * width, shares[3] * height)
    return box and _trim(box, size_hw)


def _trim(box: Corners, size_hw: tuple[int, int]) -> Corners | None:
    """Return the box without the noise of rounding, at the image's border too."""
    height, width = size_hw
    x1, y1, x2, y2 = (round(corner, _DECIMALS) for corner in box)
    if x1 == x2 or y1 == y2:
        return None
    return _at_least(x1, 0), _at_least(y1, 0), -_at_least(-x2, -width), -_at_least(-y2, -height)


def _at_least(corner: float, border: float) -> float:
    """Return the corner, or the border if it is only just beyond it."""
    return border if border - _ROUNDING < corner < border else corner
