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
    if images or annotations:
        folder = images or image_root(given)
        return [Source(folder, annotations or _find_annotations(folder))]
    folder = _pick_part(given, part)
    pairs = _find_pairs(folder)
    if len(pairs) > 1:
        return [Source(images, file, f"{images.name}/") for images, file in pairs]
    folder = image_root(folder)
    return [Source(folder, _find_annotations(folder))]


def image_root(folder: Path) -> Path:
    """Return the folder to which names are relative: the first one downwards that branches.

    A folder that holds no image and a single folder is passed through, so ``validare`` means
    ``validare/validare``.
    """
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir()]
    has_images = any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries)
    return folder if has_images or len(folders) != 1 else image_root(folders[0])


def _pick_part(root: Path, part: Part) -> Path:
    wanted = _PART_FOLDERS[part]
    present = [name for name in _PART_FOLDERS.values() if (root / name).is_dir()]
    # The test part may hold its images in a folder of its own name: that is no choice of parts.
    if not present or root.name in present:
        return root
    if wanted not in present:
        raise InputError(f"{root} holds {present[0]} but no {wanted}; give the folder itself")
    return root / wanted


def _find_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Return the folders below that have an annotation file of their name beside them."""
    pairs = [(entry, _own_annotations(entry)) for entry in sorted(folder.iterdir())]
    return [(entry, file) for entry, file in pairs if entry.is_dir() and file.is_file()]


def _own_annotations(images: Path) -> Path:
    return images.with_name(f"{images.name}_annotations.txt")


def _find_annotations(images: Path) -> Path:
    """Return the one annotation file in the folder, beside it, or up to where it was found.

    A file of the folder's name wins over others: with labels before without.
    """
    for own in (_own_annotations(images), images.with_name(f"task1_gt_{images.name}.txt")):
        if own.is_file():
            return own
    for place in (images, images.parent):
        files = sorted(place.glob("*.txt"))
        if len(files) == 1:
            return files[0]
        if files:
            names = ", ".join(file.name for file in files)
            raise InputError(f"{place} holds {len(files)} text files ({names}); pick by --annotations")
    raise InputError(f"found no annotation file in {images} or beside it; give --annotations")
