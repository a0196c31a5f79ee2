"""The frames of several folders together: whose names say which folder each is from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facetl.data.dataset import FaceDataset
from facetl.errors import InputError
from facetl.files import absolute


def join_folders(folders: Sequence[Path], datasets: Sequence[FaceDataset]) -> FaceDataset:
    """Return the frames of all folders, in their order; each name begins with its folder's.

    Args:
        folders: where the frames were read from, folders or annotation files.
        datasets: what was read there, one for each.

    Raises:
        InputError: if two folders hold the same image.
    """
    require_apart(folders, datasets)
    together = FaceDataset(())
    for name, dataset in zip(name_folders(folders), datasets, strict=True):
        together = together.joined(dataset, prefix=f"{name}/")
    return together


def name_folders(folders: Sequence[Path]) -> list[str]:
    """Return a name for each of some folders, all different and as short as may be.

    It is the folder's own name; where two have the same, the names of all have as many of their
    parents before them as it takes: ``first/frames`` and ``second/frames``.
    """
    parts = [Path(absolute(folder)).parts for folder in folders]
    names: list[str] = []
    for depth in range(1, max(map(len, parts), default=0) + 1):
        names = [Path(*each[-depth:]).as_posix() for each in parts]
        if len(set(names)) == len(names):
            break
    return names


def require_apart(folders: Sequence[Path], datasets: Sequence[FaceDataset]) -> None:
    """See that no image is in two folders: learnt from twice, it could be on both sides.

    Raises:
        InputError: if one is.
    """
    known: dict[Path, Path] = {}
    for folder, dataset in zip(folders, datasets, strict=True):
        paths = [frame.path.resolve() for frame in dataset]
        if both := next((path for path in paths if path in known), None):
            first = known[both]
            raise InputError(
                f"found {both} in both {first} and {folder}; give folders that share no frame"
                if first != folder
                else f"found {folder} twice; give each folder once"
            )
        known.update(dict.fromkeys(paths, folder))
