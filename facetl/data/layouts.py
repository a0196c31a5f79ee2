"""Which images belong to which annotations, in the folders that people have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from facetl.data.annotations import AnnotationFile, load_annotations
from facetl.data.formats.places import formats_in, part_folder, sources_in, sources_of
from facetl.data.formats.recognition import (
    looks_like_course,
    read_head,
    recognise,
    refuse_foreign,
)
from facetl.data.formats.yolo import looks_like_labels
from facetl.data.images import IMAGE_SUFFIXES
from facetl.data.sources import (
    Find,
    Format,
    NoSuchPartError,
    Part,
    Source,
    entry_called,
    files_with,
    finder,
)
from facetl.errors import InputError

PARTS: tuple[Part, ...] = ("train", "val", "test")
COURSE_FOLDERS: dict[Part, str] = {"train": "antrenare", "val": "val", "test": "validare"}


_FOREIGN_SUFFIXES = (".json", ".xml", ".csv", ".zip")
"""Suffixes of the annotations of other tools."""
_LOOKED_AT = 20
"""So many files are looked at to tell what they are."""


def find_sources(
    root: Path | None,
    *,
    images: Path | None = None,
    annotations: Path | None = None,
    part: Part = "train",
    form: Format | None = None,
) -> list[Source]:
    """Find the folders of images and their annotations.

    Known layouts of ``root``, which may also be the annotation file itself:

    - a folder with ``antrenare``, ``val`` or ``validare`` in it, of which ``part`` picks one;
    - several folders of images, each ``NAME`` with a ``NAME_annotations.txt`` beside it, or a
      ``NAME.txt`` (names become ``NAME/0001.jpg``);
    - one folder of images, with one annotation file in it or beside it;
    - any folder with an annotation file in COCO or WIDER FACE that speaks of images below it;
    - a data set in COCO, YOLO, Pascal VOC or WIDER FACE as :mod:`facetl.data.formats.places`
      knows it, or a folder of such for each part, ``train``, ``valid`` and ``test``.

    Raises:
        InputError: if folders or files are missing, or more than one annotation file fits.
    """
    if root and root.is_file() and not annotations:
        return _sources_of_file(root, None, images, part, form)
    given = images or root
    if given is None:
        raise InputError("found no place to read from; give a data folder or --images")
    if not given.is_dir():
        raise InputError(f"{given} is not a folder; give the folder that holds the frames")
    if given.name in ("", ".."):  # the folder's name is part of the search
        given = given.resolve()
    if annotations:
        return _sources_of_file(annotations, given, images, part, form)
    if images:
        return _search_images(given, part, form)
    return _search(given, part, form)


def find_parts(
    root: Path | None,
    *,
    images: Path | None = None,
    form: Format | None = None,
    wanted: Collection[Part] = PARTS,
) -> dict[Part, list[Source]]:
    """Return the sources of each part; all frames are ``train`` where there are no parts.

    Args:
        root: as for :func:`find_sources`.
        images: as for :func:`find_sources`.
        form: as for :func:`find_sources`.
        wanted: parts that must not be left out for a fault; others may be.

    Raises:
        InputError: if nothing can be found at all, or if a part that is wanted is there but it is
            not clear which its images and annotations are.
        AnnotationError: if annotations are broken.
    """
    find = partial(find_sources, root, images=images, form=form)
    parts: dict[Part, list[Source]] = {}
    fault: InputError | None = None
    each: Part
    for each in PARTS:
        try:
            sources = find(part=each)
        except InputError as error:
            if each in wanted and not isinstance(error, NoSuchPartError):
                if not parts:
                    raise
                raise InputError(f"part {each}: {error}; or take another --part") from error
            fault = fault or error
            continue
        if sources not in parts.values():
            parts[each] = sources
    if not parts and fault:
        raise fault
    return parts


def course_source(images: Path, annotations: Path, prefix: str = "") -> Source:
    """Return images with an annotation file as the course writes it."""
    return Source(images, annotations, partial(_read_course, annotations), prefix)


def _read_course(annotations: Path, names: object) -> AnnotationFile:
    return load_annotations(annotations, on_error="skip")


def _sources_of_file(
    annotations: Path, given: Path | None, images: Path | None, part: Part, form: Format | None
) -> list[Source]:
    """Return the sources of an annotation file that is known."""
    form = form or recognise(annotations)
    if form in (Format.COCO, Format.WIDER):
        return sources_of(annotations, form, images, part, below=given)
    if form is not Format.COURSE:
        return sources_of(annotations, form, images or given, part)
    folder = images or (image_root(given) if given else annotations.parent)
    return [course_source(folder, annotations)]


def image_root(folder: Path) -> Path:
    """Return the folder to which image names are relative: the first one that branches.

    A folder that holds a single folder and no image is passed through, so that ``validare``
    means ``validare/validare``.
    """
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir()]
    has_images = any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries)
    return folder if has_images or len(folders) != 1 else image_root(folders[0])


def _passed_through(folder: Path) -> list[Path]:
    """Return a folder, and the only ones that lie in each other, down to :func:`image_root`."""
    root = image_root(folder)
    between = [place for place in reversed(root.parents) if folder in place.parents]
    return list(dict.fromkeys((folder, *between, root)))


def _search(folder: Path, part: Part, form: Format | None) -> list[Source]:
    """Find what a data folder holds: another format, parts, or images with the course's text."""
    for place in _passed_through(folder):
        if found := _only_format(place, form):
            return sources_in(place, found, part)
    chosen = _pick_part(folder, part) if _may_be_course(form) else folder
    if _may_be_course(form) and (sources := _find_pairs(chosen)):
        _refuse_rivals(chosen)
        find = finder(chosen)
        for source in sources:
            _refuse_rivals(source.images, find)
        return sources
    images = image_root(chosen)
    bare = chosen == folder and not (_may_be_course(form) and _has_annotations(images, folder))
    if bare and (below := part_folder(images, part)):
        return _search(below, part, form)
    return _course_images(images, chosen, form)


def _search_images(images: Path, part: Part, form: Format | None) -> list[Source]:
    """Find the annotations for a folder of images: in it, or beside it."""
    if found := _only_format(images, form):
        return sources_in(images, found, part)
    return _course_images(images, images, form)


def _course_images(images: Path, below: Path, form: Format | None) -> list[Source]:
    """Return a folder of images with the course's text.

    Raises:
        InputError: if there is none, or another format was asked for.
    """
    if not _may_be_course(form):
        raise InputError(f"{below} holds no annotations in the format {form}; see --format")
    for passed in images.parents:
        if below in passed.parents:
            _refuse_rivals(passed)
    return [course_source(images, _find_annotations(images, below=below))]


def _may_be_course(form: Format | None) -> bool:
    return form in (None, Format.COURSE)


def _only_format(folder: Path, form: Format | None) -> Format | None:
    """Return which format other than the course's a folder holds, None for none.

    Raises:
        InputError: if it holds several, and none was named.
    """
    if form:
        return form if form is not Format.COURSE and form in formats_in(folder) else None
    found = formats_in(folder)
    if found and _holds_course_text(folder):
        found.append(Format.COURSE)
    if len(found) > 1:
        raise InputError(
            f"{folder} holds annotations in the formats {' and '.join(found)}; pick one with "
            "--format or --annotations"
        )
    return found[0] if found else None


def _holds_course_text(folder: Path) -> bool:
    return any(looks_like_course(read_head(path)) for path in files_with(folder, ".txt"))


def _pick_part(root: Path, part: Part) -> Path:
    """Return the part of a folder that has parts, else the folder itself."""
    folders = {name: entry_called(root, folder) for name, folder in COURSE_FOLDERS.items()}
    present = {name: path for name, path in folders.items() if path and path.is_dir()}
    if len(present) == 1 and all(map(_own_annotations, present.values())):
        return root  # it is the test part itself: inside lies a folder of the same name
    if set(present) <= {"val"}:
        return root
    chosen = present.get(part) or (present.get("val") if part == "test" else None)
    if not chosen:
        has, lacks = next(iter(present.values())).name, COURSE_FOLDERS[part]
        raise NoSuchPartError(f"{root} holds {has} but no {lacks}; give the folder itself")
    return chosen


def _find_pairs(folder: Path) -> list[Source]:
    """Find pairs of a folder and an annotation file of its name."""
    find = finder(folder)
    named = (path for path in folder.iterdir() if any(map(find, _texts_called_after(path))))
    pairs = [
        (images, file)
        for images in sorted(path for path in named if path.is_dir())
        if (file := _own_annotations(images, find) or _text_of_name(images, find))
    ]
    many = len(pairs) > 1
    return [course_source(*pair, prefix=f"{pair[0].name}/" if many else "") for pair in pairs]


def _refuse_rivals(folder: Path, find: Find | None = None) -> None:
    """Raise if a folder's faces stand in a text beside it and in others inside it.

    So it is when annotations were corrected elsewhere and written beside the frames: to read the
    ones inside would be to learn from the uncorrected.
    """
    rival = _own_annotations(folder, find) or _text_of_name(folder, find)
    if rival and looks_like_course(read_head(rival)) and (inside := _find_pairs(folder)):
        raise InputError(
            f"found {rival.name} beside {folder} and {inside[0].annotations.name} in it, and which "
            "one holds is not clear; pick --annotations, or move one away"
        )


def _texts_called_after(images: Path) -> tuple[str, str, str]:
    """Return how the annotations beside a folder may be called, those with labels first."""
    name = images.name
    return f"{name}_annotations.txt", f"task1_gt_{name}.txt", f"{name}.txt"


def _own_annotations(images: Path, find: Find | None = None) -> Path | None:
    """Return the annotation file that bears the folder's name, the one with labels first.

    Args:
        images: the folder.
        find: finds what lies beside it, where many folders are looked at.
    """
    find = find or partial(entry_called, images.parent)
    paths = map(find, _texts_called_after(images)[:2])
    return next((path for path in paths if path and path.is_file()), None)


def _text_of_name(images: Path, find: Find | None = None) -> Path | None:
    """Return the text that bears a folder's name and nothing else, if it holds annotations."""
    find = find or partial(entry_called, images.parent)
    path = find(_texts_called_after(images)[2])
    fits = path and path.is_file() and looks_like_course(read_head(path))
    return path if fits else None


def _has_annotations(images: Path, below: Path) -> bool:
    """Return whether there is a text that could be the annotations of a folder of images."""
    places = (images, images.parent, below)
    return bool(_own_annotations(images)) or any(map(_holds_course_text, places))


def _find_annotations(images: Path, below: Path) -> Path:
    """Return the one annotation file for the images: in their folder, beside it, or ``below``."""
    if not any(images.iterdir()):
        raise InputError(f"{images} is empty; give a folder of annotated frames")
    for folder in (images, below):
        if own := _own_annotations(folder) or _text_of_name(folder):
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
    for place in dict.fromkeys((images, images.parent, below)):
        _refuse_foreign(place)
    raise InputError(f"found no annotation file in {images} or beside it; give --annotations")


def _refuse_labels(place: Path, texts: Sequence[Path]) -> None:
    """Raise for labels that YOLO has for each image where nothing names their classes."""
    if texts and all(looks_like_labels(read_head(path)) for path in texts[:_LOOKED_AT]):
        raise InputError(
            f"{place} holds labels as YOLO has them and nothing that names their classes; add "
            "classes.txt, with a class a line"
        )


def _refuse_foreign(place: Path) -> None:
    """Raise for a file with annotations that facetl does not read, if there is one."""
    for path in files_with(place, *_FOREIGN_SUFFIXES)[:_LOOKED_AT]:
        if path.is_file():
            refuse_foreign(path, read_head(path))
