"""Near-duplicate frames: which pictures of a cartoon are almost the same picture.

The measure is the mean absolute grey difference of thumbnails: a frame is made grey, shrunk to
24 × 18 by averaging areas, and two frames are as far apart as their 432 grey values are on
average, from 0 (the same) to 255 (black and white).  Neighbouring frames of one shot are mostly
closer than :data:`NEAR_TWIN`; frames of different scenes are mostly further than :data:`UNLIKE`.

Figures on near-duplicates of the training frames show how well a detector remembers; those on
the unlike ones show how well it has learnt.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from facetl.data.dataset import FaceDataset
from facetl.data.frame import Frame
from facetl.data.images import Pixels, load_image
from facetl.data.resizing import as_grey, resize_area
from facetl.errors import ImageError

Thumbnails = NDArray[np.float32]
"""(N, 432) grey values from 0 to 255, a row a frame."""

WIDTH, HEIGHT = 24, 18
NEAR_TWIN = 5.0
"""Frames closer than this are near-duplicates."""
UNLIKE = 12.0
"""A frame at least this far from all others is like none of them."""
_BATCH = 64
"""Frames that one is compared with at a time."""


def thumbnail(pixels: Pixels) -> NDArray[np.float32]:
    """Return the (432,) grey values, 0 to 255, of a picture shrunk to 24 × 18.

    Args:
        pixels: (H, W, 3) uint8, RGB, of any size and shape.

    Raises:
        ValueError: if ``pixels`` is not (H, W, 3) uint8.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
    return resize_area(as_grey(pixels), (WIDTH, HEIGHT)).ravel()


def load_thumbnails(frames: Iterable[Frame]) -> dict[str, NDArray[np.float32]]:
    """Read the frames; return their thumbnails by name, without those that cannot be read."""
    thumbnails = {}
    for frame in frames:
        try:
            thumbnails[frame.name] = thumbnail(load_image(frame.path))
        except ImageError:
            continue
    return thumbnails


def stack_thumbnails(thumbnails: Iterable[NDArray[np.float32]]) -> Thumbnails:
    """Return thumbnails as rows, (0, 432) if there are none."""
    return np.array([*thumbnails], dtype=np.float32).reshape(-1, WIDTH * HEIGHT)


def nearest_distances(thumbnails: Thumbnails, others: Thumbnails) -> NDArray[np.float32]:
    """Return how far each frame is from the most similar one of the others.

    Others are tried in the order of how far their brightness is, up to where that alone is too
    far (the triangle inequality).  Memory does not grow with N × M.

    Args:
        thumbnails: (N, 432).
        others: (M, 432).

    Returns:
        (N,) mean absolute grey differences, 0 to 255; infinite if there are no others.

    Raises:
        ValueError: if a shape is another one.
    """
    thumbnails, others = _as_rows(thumbnails), _as_rows(others)
    if not (len(thumbnails) and len(others)):
        return np.full(len(thumbnails), np.inf, dtype=np.float32)
    brightness = others.mean(axis=1, dtype=np.float64)
    return np.array([_nearest_distance(row, others, brightness) for row in thumbnails], np.float32)


def _nearest_distance(
    row: NDArray[np.float32], others: Thumbnails, brightness: NDArray[np.float64]
) -> float:
    """Return how far a (432,) frame is from the most similar one of the others."""
    gaps = np.abs(brightness - row.mean(dtype=np.float64))
    order = np.argsort(gaps, kind="stable")
    nearest = np.inf
    for start in range(0, len(order), _BATCH):
        rivals = order[start : start + _BATCH]
        if gaps[rivals[0]] > nearest:
            break
        nearest = min(nearest, float(np.abs(others[rivals] - row).mean(axis=1).min()))
    return nearest


class SeenThumbnails:
    """Pictures that have been seen, to tell whether another one is almost the same as one of them.

    A picture takes 432 bytes; greys are rounded to whole levels.

    Args:
        limit: distance below which two pictures are taken for the same.
    """

    def __init__(self, limit: float = NEAR_TWIN) -> None:
        self._limit = limit
        self._rows = np.zeros((64, WIDTH * HEIGHT), np.uint8)
        self._brightness = np.zeros(64)
        self._count = 0

    def add(self, thumbnail: NDArray[np.float32]) -> None:
        """Remember a (432,) thumbnail."""
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._brightness = np.concatenate([self._brightness, np.zeros_like(self._brightness)])
        row = np.clip(np.rint(thumbnail), 0, 255).astype(np.uint8)
        self._rows[self._count], self._brightness[self._count] = row, row.mean()
        self._count += 1

    def has_twin(self, thumbnail: NDArray[np.float32]) -> bool:
        """Return whether a (432,) thumbnail is nearer than the limit to one that was added."""
        gaps = np.abs(self._brightness[: self._count] - thumbnail.mean())
        rivals = np.flatnonzero(gaps <= self._limit + 0.5)  # the triangle inequality, rounded
        for start in range(0, len(rivals), _BATCH):
            rows = self._rows[rivals[start : start + _BATCH]].astype(np.float32)
            if (np.abs(rows - thumbnail).mean(axis=1) < self._limit).any():
                return True
        return False


def group_near_duplicates(thumbnails: Thumbnails, limit: float = NEAR_TWIN) -> NDArray[np.intp]:
    """Return the group of every frame: frames closer than ``limit`` share one, chains too.

    The mean grey of two frames differs by no more than they do (the triangle inequality), so
    only frames of about the same brightness are compared.

    Args:
        thumbnails: (N, 432).
        limit: distance below which two frames are taken for the same.

    Returns:
        (N,) groups from 0 on, in the order of their first frames.

    Raises:
        ValueError: if the shape is another one.
    """
    thumbnails = _as_rows(thumbnails)
    brightness = thumbnails.mean(axis=1, dtype=np.float64)
    order = np.argsort(brightness, kind="stable")
    ends = np.searchsorted(brightness[order], brightness[order] + limit, side="right")
    groups = np.arange(len(thumbnails))
    for start, end in enumerate(ends.tolist()):
        frame, rivals = order[start], order[start + 1 : end]
        distances = np.abs(thumbnails[rivals] - thumbnails[frame]).mean(axis=1)
        _merge(groups, np.append(rivals[distances < limit], frame))
    return np.unique(groups, return_inverse=True)[1]


def group_frames(dataset: FaceDataset) -> tuple[list[Frame], NDArray[np.intp]]:
    """Return the frames that can be read, and the group of near-duplicates of each."""
    thumbnails = load_thumbnails(dataset)
    rows = stack_thumbnails(thumbnails.values())
    return [each for each in dataset if each.name in thumbnails], group_near_duplicates(rows)


def _merge(groups: NDArray[np.intp], frames: NDArray[np.intp]) -> None:
    """Make one group, in place, of all groups that the frames are in; the lowest number stays."""
    joined = np.unique(groups[frames])
    if len(joined) > 1:
        groups[np.isin(groups, joined)] = joined[0]


def _as_rows(thumbnails: Thumbnails) -> Thumbnails:
    rows = np.ascontiguousarray(thumbnails, dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != WIDTH * HEIGHT:
        raise ValueError(f"expected thumbnails of shape (N, {WIDTH * HEIGHT}), got {rows.shape}")
    return rows
