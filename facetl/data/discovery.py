"""Which images belong to which annotations, in the folders that people have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from facetl.data.annotations import read_head
from facetl.data.archives import holds_images, unpacked
from facetl.data.formats.base import AnnotationFormat, NoSuchPartError, Source, choose_part
from facetl.data.formats.course import Course, source_of_images
from facetl.data.formats.folders import PART_WORDS, find_entry, image_root, part_named
from facetl.data.formats.foreign import looks_like_json, refuse_foreign
from facetl.data.formats.table import load_format, readable
from facetl.data.frame import PARTS, Part
from facetl.data.media_types import TEXT_SUFFIXES
from facetl.data.project import Project, is_project
from facetl.errors import AnnotationError, InputError

_MOST_NAMED = 5


def find_sources(
    root: Path | None,
    *,
    images: Path | None = None,
    annotations: Path | None = None,
    part: Part = "train",
    form: str | None = None,
) -> list[Source]:
    """Find the folders of images and their annotations.

    A ZIP is a folder; without images, it stands for the annotation file in it, beside the images.
    In ``root``, which may also be the annotation file itself, are looked for, in this order:

    - annotations in a format other than the course's, as the format's ``find`` knows them;
    - the course's text, as :mod:`facetl.data.formats.course` describes it;
    - a folder of either for each part, ``train``, ``valid`` and ``test``.

    Args:
        root: a data folder or an annotation file; of a project, its annotated frames are meant.
        images: the folder of images, if it is known.
        annotations: the annotation file, if it is known.
        part: which part is meant, where there are several.
        form: the name of the format; None for whichever is found.

    Raises:
        InputError: if folders or files are missing, or more than one annotation file fits.
    """
    if root and is_project(root):
        root = Project.open(root).frames
    images = images and unpacked(images)
    if file := annotations or (root if root and root.is_file() else None):
        place = unpacked(file)
        if not annotations and place != file and not images and holds_images(place):
            return _search(place, part, form)
        beside = images or (root and unpacked(root))
        folder = _require_folder(beside) if annotations else None
        found, path = _open_annotations(file, part, form)
        below = folder if path == file else folder or file.absolute().parent
        return found.sources(path, images, below, part)
    folder = _require_folder(images or root)
    if images:
        own = _annotations_below(root, part, form) if root and root != images else None
        if own:
            return own[0].sources(own[1], images, None, part)
        return _sources_in(images, part, form) or _images_with_text(images, images, form)
    return _search(folder, part, form)


def find_parts(
    root: Path | None,
    *,
    images: Path | None = None,
    form: str | None = None,
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


def recognise(path: Path) -> AnnotationFormat:
    """Return the format of an annotation file, or of a folder of them; the course's in doubt.

    Raises:
        AnnotationError: if the file cannot be read, is JSON of another kind, or is of a format
            that is known and not read.
    """
    others = _formats(None)
    if path.is_dir():
        folders = [each for each in others if each.is_folder]
        return next((each for each in folders if each.find(path)), folders[0])
    head = read_head(path)
    for each in others:
        if each.looks_like(head):
            return each
    refuse_foreign(path, head)
    if looks_like_json(head):
        raise AnnotationError(
            f"{path}: found JSON without images and annotations; give a COCO data set, or results "
            "to facetl convert"
        )
    return Course()


def find_annotations(folder: Path, part: Part, form: str | None) -> tuple[AnnotationFormat, Path]:
    """Return the annotations in a folder without images, and their format.

    Raises:
        InputError: if there are none, or several.
        AnnotationError: if they are of a format that is known and not read.
    """
    if found := _annotations_below(folder, part, form):
        return found
    texts = [path for place in _passed_through(folder) for path in Course().find(place)]
    if _may_be_course(form) and len(texts) == 1:
        return Course(), texts[0]
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in TEXT_SUFFIXES and path.is_file():
            refuse_foreign(path, read_head(path))
    raise InputError(
        f"{folder} holds no images, and no single file of annotations; unpack it and give --images "
        "and --annotations"
    )


def _annotations_below(
    folder: Path, part: Part, form: str | None
) -> tuple[AnnotationFormat, Path] | None:
    """Return the annotations in a folder, or in the one of a part, but for the course's text."""
    for place in _passed_through(folder):
        if found := _annotations_in(place, part, form):
            return found
    below = _part_folder(image_root(folder), part)
    return _annotations_below(below, part, form) if below else None


def _open_annotations(file: Path, part: Part, form: str | None) -> tuple[AnnotationFormat, Path]:
    """Return a file of annotations, or what a ZIP holds in its place, and its format."""
    if (place := unpacked(file)) != file:
        return find_annotations(place, part, form)
    return load_format(form) if form else recognise(file), file


def _formats(form: str | None) -> list[AnnotationFormat]:
    """Return the formats that are read but for the course's: the one named, or all."""
    names = [form] if form else readable()
    return [load_format(name) for name in names if name != Course.name]


def _require_folder(folder: Path | None) -> Path:
    if folder is None:
        raise InputError("found no place to read from; give a data folder or --images")
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the folder that holds the frames")
    # the folder's name is part of the search
    return folder.resolve() if folder.name in ("", "..") else folder


def _search(folder: Path, part: Part, form: str | None) -> list[Source]:
    """Return what a data folder holds: another format, the course's text, or a folder a part."""
    for place in _passed_through(folder):
        if sources := _sources_in(place, part, form):
            return sources
    if _may_be_course(form) and (sources := Course().search(folder, part)):
        return sources
    images = image_root(folder)
    if below := _part_folder(images, part):
        return _search(below, part, form)
    return _images_with_text(images, folder, form)


def _passed_through(folder: Path) -> list[Path]:
    """Return a folder, and the only ones that lie in each other, down to the images' root."""
    root = image_root(folder)
    between = [place for place in reversed(root.parents) if folder in place.parents]
    return list(dict.fromkeys((folder, *between, root)))


def _sources_in(folder: Path, part: Part, form: str | None) -> list[Source]:
    """Return what a folder holds in a format other than the course's; nothing if there is none."""
    if not (found := _annotations_in(folder, part, form)):
        return []
    only, path = found
    return only.sources(path, None, None, part)


def _annotations_in(
    folder: Path, part: Part, form: str | None
) -> tuple[AnnotationFormat, Path] | None:
    """Return the annotations in a folder in a format other than the course's."""
    found = {each: files for each in _formats(form) if (files := each.find(folder))}
    if not found:
        return None
    names = [each.name for each in found]
    if not form and Course().find(folder):
        names.append(Course.name)
    if len(names) > 1:
        raise InputError(
            f"{folder} holds annotations in the formats {' and '.join(names)}; pick one with "
            "--format or --annotations"
        )
    [(only, files)] = found.items()
    return only, _file_of_part(files, part)


def _file_of_part(files: Sequence[Path], part: Part) -> Path:
    """Return the file of a part: the only file, or the one with the part in its name."""
    if len(files) == 1:
        return files[0]
    by_part = {each: path for path in files if (each := part_named(path.stem))}
    is_clear = len(files) == len(by_part)
    if is_clear and (chosen := choose_part(by_part, part)):
        return chosen
    if is_clear:
        raise NoSuchPartError(
            f"{files[0].parent} holds {', '.join(path.name for path in files)} but nothing to "
            f"{part}; pick --annotations"
        )
    more = ", …" if len(files) > _MOST_NAMED else ""
    names = ", ".join(path.name for path in files[:_MOST_NAMED]) + more
    raise InputError(
        f"{files[0].parent} holds {names}, and which one is to {part} is not clear; "
        "pick --annotations"
    )


def _part_folder(folder: Path, part: Part) -> Path | None:
    """Return the subfolder for a part; None if there are no parts."""
    present = {
        each: place
        for each in PARTS
        for name in PART_WORDS[each]
        if (place := find_entry(folder, name)) and place.is_dir()
    }
    chosen = choose_part(present, part)
    if present and not chosen:
        raise NoSuchPartError(
            f"{folder} holds {', '.join(place.name for place in present.values())} but nothing to "
            f"{part}; give the folder itself"
        )
    return chosen


def _may_be_course(form: str | None) -> bool:
    return form in (None, Course.name)


def _images_with_text(images: Path, below: Path, form: str | None) -> list[Source]:
    """Return a folder of images with the course's text."""
    if not _may_be_course(form):
        raise InputError(f"{below} holds no annotations in the format {form}; see --format")
    return [source_of_images(images, below)]
