"""What lies in a folder: files by suffix, entries whatever their case, images by name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from facetl.data.annotations import read_head
from facetl.data.formats.names import image_name
from facetl.data.frame import Part
from facetl.data.images import IMAGE_SUFFIXES, image_paths, name_below
from facetl.data.name_matching import folded, match_names
from facetl.errors import AnnotationError, InputError
from facetl.files import is_there

Find = Callable[[str], Path | None]
"""Finds an entry of a folder by its name."""

PART_WORDS: dict[Part, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""Words in the names of folders and files that say which part they are."""

_ANNOTATION_FOLDERS = ("annotations", "wider_face_split")
"""Folders of annotations whose images lie beside them."""
_LOOKED_FOR = 20
"""How many images of a list are looked for to find the folder that they are relative to."""


def find_entry(folder: Path, *names: str) -> Path | None:
    """Return what lies below a folder by names, one a level; None if there is nothing.

    A missing name means the only one that differs from it in case, or in how its accents are
    composed: ``Labels`` for ``labels``.
    """
    place: Path | None = folder
    for name in names:
        if place and is_there(place / name):
            place = place / name
        elif place:
            place = finder(place)(name)
    return place


def finder(folder: Path) -> Find:
    """Return what finds entries as :func:`find_entry` does, in a folder that is listed once."""
    names = frozenset(_names_in(folder))
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(folded(name), []).append(name)

    def find(name: str) -> Path | None:
        found = [name] if name in names else alike.get(folded(name), [])
        return folder / found[0] if len(found) == 1 else None

    return find


def files_with(folder: Path, *suffixes: str) -> list[Path]:
    """Return what lies in a folder and has one of some suffixes, in any case, by name.

    Hidden files are left out: those of macOS, ``._faces.txt``, are no text at all.
    """
    names = (name for name in _names_in(folder) if name.lower().endswith(suffixes))
    return sorted(path for name in names if has_suffix(path := folder / name, *suffixes))


def has_suffix(path: Path, *suffixes: str) -> bool:
    """Return whether a file has one of some suffixes, in any case, and is not hidden."""
    return path.suffix.lower() in suffixes and not path.name.startswith(".")


def is_like(path: Path, looks: Callable[[str], object]) -> bool:
    """Return whether a path is a readable file whose beginning looks right."""
    try:
        return path.is_file() and bool(looks(read_head(path)))
    except AnnotationError:
        return False


def image_root(folder: Path) -> Path:
    """Return the folder to which image names are relative: the first one that branches.

    A folder that holds a single folder and no image is passed through, so that ``validare``
    means ``validare/validare``.
    """
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir()]
    has_images = any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries)
    return folder if has_images or len(folders) != 1 else image_root(folders[0])


def part_named(name: str) -> Part | None:
    """Return the part that a name of a folder or file contains, if any."""
    words = {*re.findall("[a-z]+", name.lower())}
    return next((part for part, of_part in PART_WORDS.items() if words & {*of_part}), None)


def find_images(root: Path, annotations: Path, names: Collection[str]) -> Path:
    """Return the folder, ``root`` or below, to which names are relative.

    Of folders that hold equally many of the images, the one named after the same part as the
    file of annotations is meant.

    Raises:
        InputError: if several folders may be meant.
    """
    some = list(islice(names, _LOOKED_FOR))
    plain = [name for name in some if image_name(name)]
    held = {
        folder: sum((folder / name).is_file() for name in plain) for folder in _image_folders(root)
    }
    exact = any(held.values())
    if not exact:
        held = {folder: _count_matches(some, folder) for folder in held}
    most = max(held.values())
    best = [folder for folder, count in held.items() if count == most]
    if most and not exact:
        best = _lowest(best)
    part = part_named(annotations.stem)
    own = [folder for folder in best if part and part_named(folder.name) == part]
    first, *others = own or best
    if most and others:
        raise InputError(
            f"{annotations}: found its images in {first} and in {others[0]}; pick --images"
        )
    return first


def _names_in(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - of many, only names


def _count_matches(names: Collection[str], folder: Path) -> int:
    """Return how many names mean an image below a folder, though none is there exactly."""
    return len(match_names(names, [name_below(folder, path) for path in image_paths(folder)]))


def _lowest(folders: Sequence[Path]) -> list[Path]:
    """Return the folders that contain no other one of them."""
    return [folder for folder in folders if not any(folder in other.parents for other in folders)]


def _image_folders(folder: Path) -> Iterator[Path]:
    """Yield where images may lie: beside the file, in its folders, or beside ``annotations``."""
    yield folder
    places = [folder]
    if folder.name in _ANNOTATION_FOLDERS:
        yield folder.parent
        places.append(folder.parent)
    for place in places:
        below = sorted(path for path in place.glob("*") if path.is_dir())
        yield from below
        for each in below:
            yield from sorted(path for path in each.glob("*") if path.is_dir())
