"""Detections of others, in the three NumPy arrays that the course's evaluator reads.

``detections_all_faces.npy`` (N, 4) boxes, ``scores_all_faces.npy`` (N,) and
``file_names_all_faces.npy`` (N,) strings, row by row the same detection.  Scores may be any
finite numbers.  Frames without detections do not occur.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import FARTHEST, Boxes, as_boxes
from facetl.errors import DetectionsError
from facetl.files import atomic_path, require_regular

ALL = "all_faces"
"""What the course calls the faces of everybody, where a character's have its name."""
_STEMS = ("detections", "scores", "file_names")
BOXES, SCORES, FILE_NAMES = (f"{stem}_{ALL}.npy" for stem in _STEMS)


@dataclass(frozen=True, eq=False)
class PeerDetections:
    """What somebody's detector found, one row a detection.

    Attributes:
        boxes: (N, 4) pixels, as they stand in the file.
        scores: (N,) finite numbers, the greater the surer.
        file_names: the image of each detection.
    """

    boxes: Boxes
    scores: NDArray[np.float64]
    file_names: tuple[str, ...]

    def __post_init__(self) -> None:
        counts = (len(self.boxes), len(self.scores), len(self.file_names))
        if len(set(counts)) != 1:
            raise ValueError(f"expected as many boxes as scores and names, got {counts}")
        if not (np.isfinite(self.boxes).all() and np.isfinite(self.scores).all()):
            raise ValueError("expected finite boxes and scores")
        if (np.abs(self.boxes) > FARTHEST).any():
            raise ValueError(f"expected boxes within {FARTHEST:g} pixels of the image")

    def __len__(self) -> int:
        return len(self.boxes)

    def rows(self, rows: Sequence[int], factors: NDArray[np.float64]) -> PeerDetections:
        """Return some of the detections, their scores times (N,) factors."""
        names = tuple(self.file_names[row] for row in rows)
        chosen = np.asarray(rows, np.intp)
        return PeerDetections(self.boxes[chosen], self.scores[chosen] * factors, names)


def load_peer(folder: Path) -> PeerDetections:
    """Read the three arrays of a folder; pickled objects in them are never loaded.

    Raises:
        DetectionsError: if an array is missing, pickled, of the wrong kind or the wrong length.
    """
    boxes = _load_array(folder / BOXES, "numbers", "iuf")
    scores = _load_array(folder / SCORES, "numbers", "iuf")
    names = _load_array(folder / FILE_NAMES, "text", "U")
    try:
        return PeerDetections(
            boxes=as_boxes(boxes),
            scores=scores.astype(np.float64).reshape(-1),
            file_names=tuple(str(name) for name in names.reshape(-1)),
        )
    except ValueError as error:
        raise DetectionsError(f"{folder}: {error}; write the three arrays again") from error


def save_peer(folder: Path, peer: PeerDetections, whose: str = ALL) -> None:
    """Write the three arrays of a character, or of all faces, into a folder, each atomically.

    Raises:
        OutputError: if the place cannot be written.
    """
    arrays = (peer.boxes, peer.scores, np.array(peer.file_names, dtype=np.str_))
    for stem, array in zip(_STEMS, arrays, strict=True):
        with atomic_path(folder / f"{stem}_{whose}.npy") as temporary:
            np.save(temporary, array, allow_pickle=False)


def _load_array(path: Path, content: str, kinds: str) -> NDArray[Any]:
    """Return the array at ``path`` if its values are of one of NumPy's ``kinds``."""
    try:
        require_regular(path, sys.maxsize)
        # mapped, so that the size that a header claims is never asked of the memory
        with warnings.catch_warnings(action="ignore"):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DetectionsError(
            f"{path}: not found; expected {BOXES}, {SCORES} and {FILE_NAMES} in one folder"
        ) from error
    except MemoryError:
        raise  # there is nothing wrong with the file
    except Exception as error:  # NumPy's reader of headers raises anything at all on damaged ones
        raise DetectionsError(
            f"{path}: no NumPy array of {content} that is safe to read; pickled objects are never "
            "loaded, save it again as np.array(values.tolist())"
        ) from error
    if not isinstance(array, np.ndarray) or (array.size and array.dtype.kind not in kinds):
        raise DetectionsError(
            f"{path}: expected an array of {content}, found {_kind(array)}; save it again as such"
        )
    if array.dtype.kind == "U" and not _is_unicode(array):
        raise DetectionsError(f"{path}: found text that is not Unicode; save it again")
    return array


def _is_unicode(names: NDArray[np.str_]) -> bool:
    """Return whether all characters are ones that Python knows; NumPy reads any four bytes."""
    points = np.frombuffer(names.tobytes(), dtype=names.dtype.byteorder.replace("|", "=") + "u4")
    return bool((points < sys.maxunicode + 1).all())


def _kind(loaded: object) -> str:
    return f"one of {loaded.dtype}" if isinstance(loaded, np.ndarray) else "an archive of arrays"
