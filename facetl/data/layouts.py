"""Which images belong to which annotation file, in the folders that people have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from facetl.data.images import IMAGE_SUFFIXES
from facetl.errors import InputError

Part = Literal["train", "test"]
"""Frames to learn from, or frames to test on."""

_PART_FOLDERS = {"train": "antrenare", "test": "validare"}


@dataclass(frozen=True)
class Source:
    """A folder of images, their annotation file, and what goes before the images' names."""

    images: Path
    annotations: Path
    prefix: str = ""


def find_sources(
    root: Path | None,
    *,
    images: Path | None = None,
    annotations: Path | None = None,
    part: Part = "train",
) -> list[Source]:
    """Find the folders of images and their annotation files.

    Known layouts of ``root``:

    - a folder with ``antrenare`` and ``validare`` in it, of which ``part`` picks one;
    - several folders of images, each ``NAME`` with a ``NAME_annotations.txt`` beside it
      (names become ``NAME/0001.jpg``);
    - one folder of images, with one annotation file in it or beside it.

    Raises:
        InputError: if folders or files are missing, or more than one annotation file fits.
    """
    given = images or root
    if given is None:
        raise InputError("found no place to read from; give a data folder or --images")
    if not given.is_dir():
        raise InputError(f"{given} is not a folder; give the folder that holds the frames")
    if given.name in ("", ".."):  # the folder's name is part of the search
        given = given.resolve()
    if images or annotations:
        folder = given if images else image_root(given)
        return [Source(folder, annotations or _find_annotations(folder, below=given))]
    return _search(_pick_part(given, part))


def image_root(folder: Path) -> Path:
    """Return the folder to which image names are relative: the first one that branches.

    A folder that holds a single folder and no image is passed through, so that ``validare``
    means ``validare/validare``.
    """
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir()]
    has_images = any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries)
    return folder if has_images or len(folders) != 1 else image_root(folders[0])


def _pick_part(root: Path, part: Part) -> Path:
    """Return the part of a folder that has parts, else the folder itself."""
    parts = {name: root / folder for name, folder in _PART_FOLDERS.items()}
    # Inside the test part lies a folder of the same name; its annotations beside it tell.
    present = [path for path in parts.values() if path.is_dir() and not _own_annotations(path)]
    if not present:
        return root
    if parts[part] not in present:
        raise InputError(
            f"{root} holds {present[0].name} but no {parts[part].name}; give the folder itself"
        )
    return parts[part]


def _search(folder: Path) -> list[Source]:
    """Find pairs of a folder and an annotation file of its name; or one folder with one file."""
    folders = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    pairs = [(images, file) for images in folders if (file := _own_annotations(images))]
    if len(pairs) > 1:
        return [Source(images, file, prefix=f"{images.name}/") for images, file in pairs]
    if pairs:
        return [Source(*pairs[0])]
    images = image_root(folder)
    return [Source(images, _find_annotations(images, below=folder))]


def _own_annotations(images: Path) -> Path | None:
    """Return the annotation file that bears the folder's name, the one with labels first."""
    names = (f"{images.name}_annotations.txt", f"task1_gt_{images.name}.txt")
    return next((path for name in names if (path := images.parent / name).is_file()), None)


def _find_annotations(images: Path, below: Path) -> Path:
    """Return the one annotation file for the images: in their folder, beside it, or ``below``."""
    if own := _own_annotations(images):
        return own
    for place in (images, images.parent, below):
        files = sorted(place.glob("*.txt"))
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:5]) + (", …" if len(files) > 5 else "")
            raise InputError(f"{place} holds {len(files)} text files ({names}); pick --annotations")
        if files:
            return files[0]
    raise InputError(f"found no annotation file in {images} or beside it; give --annotations")
