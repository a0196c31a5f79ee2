"""What belongs together: a folder of images, its annotations, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeVar

from facetl.data.annotations import AnnotationFile
from facetl.data.name_matching import folded
from facetl.errors import InputError
from facetl.files import is_there

Part = Literal["train", "val", "test"]
"""Frames to learn from, to choose by, or to test on."""

T = TypeVar("T")

Reader = Callable[[Collection[str]], AnnotationFile]
"""Reads annotations, given the names of the images that there are; wrong ones it only notes."""

Find = Callable[[str], Path | None]
"""Finds an entry of a folder by its name."""


class Format(StrEnum):
    """How annotations are written."""

    COURSE = "course"
    COCO = "coco"
    YOLO = "yolo"
    VOC = "voc"
    WIDER = "wider"


@dataclass(frozen=True)
class Source:
    """A folder of images and its annotations.

    Attributes:
        images: the folder, to which the images' names are relative.
        annotations: the file or folder with the faces.
        read: reads them.
        prefix: what goes before the images' names.
        listing: a text that lists which of the images are meant; None if all are.
    """

    images: Path
    annotations: Path
    read: Reader = field(compare=False, repr=False)
    prefix: str = ""
    listing: Path | None = None


class NoSuchPartError(InputError):
    """Frames have parts, but not the one that was asked for."""


def entry_called(folder: Path, *names: str) -> Path | None:
    """Return what lies below a folder by names, one a level; None if there is nothing.

    A name that is not there means the only one that differs from it in its case, or in how its
    accents are composed: ``Labels`` for ``labels``.
    """
    place = folder
    for name in names:
        found = place / name
        if not is_there(found):
            wanted = folded(name)
            alike = [each for each in _names_in(place) if folded(each) == wanted]
            if len(alike) != 1:
                return None
            found = place / alike[0]
        place = found
    return place


def finder(folder: Path) -> Find:
    """Return what finds entries as :func:`entry_called` does, in a folder that is listed once."""
    names = frozenset(_names_in(folder))
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(folded(name), []).append(name)

    def find(name: str) -> Path | None:
        found = [name] if name in names else alike.get(folded(name), [])
        return folder / found[0] if len(found) == 1 else None

    return find


def files_with(folder: Path, *suffixes: str) -> list[Path]:
    """Return what lies in a folder and has one of some suffixes, in capitals or not, by name.

    Hidden files are left out: those of macOS, ``._faces.txt``, are no text at all.
    """
    names = (name for name in _names_in(folder) if name.lower().endswith(suffixes))
    return sorted(path for name in names if has_suffix(path := folder / name, *suffixes))


def has_suffix(path: Path, *suffixes: str) -> bool:
    """Return whether a file has one of some suffixes, in capitals or not, and is not hidden."""
    return path.suffix.lower() in suffixes and not path.name.startswith(".")


def _names_in(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - of many, only names


def choose_part(present: Mapping[Part, T], part: Part) -> T | None:
    """Return a part of what is present; None if it is not there.

    Where there is no ``test``, ``val`` is meant; where there is one part only, that one is.
    """
    if part == "test" and part not in present:
        part = "val"
    only = next(iter(present.values())) if len(present) == 1 else None
    return present.get(part, only)
