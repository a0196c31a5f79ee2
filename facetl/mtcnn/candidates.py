"""The windows that are left, as columns that are filtered together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import FARTHEST

Floats = NDArray[np.floating[Any]]
"""Numbers of 32 bits inside the cascade; what is done with them does not depend on it."""
Rows = NDArray[np.bool_] | NDArray[np.intp]
"""Which of N candidates: (N,) booleans, or indices."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """N candidates in a batch of images; ``candidates[keep]`` filters all columns at once.

    Attributes:
        boxes: (N, 4) float32 in pixels of the whole image.
        scores: (N,) float32 in [0, 1], from the last network that scored them.
        image_index: (N,) int64, which image of the batch.
        offsets: (N, 4) float32, where that network would move the box, as fractions of its side.
        landmarks: (N, 10) float32 as fractions of the box, x then y; (N, 0) before ONet.
    """

    boxes: Floats
    scores: Floats
    image_index: NDArray[np.int64]
    offsets: Floats
    landmarks: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, keep: Rows) -> Candidates:
        """Return the candidates that a boolean mask or indices select."""
        return Candidates(*(getattr(self, column.name)[keep] for column in fields(self)))

    @classmethod
    def empty(cls) -> Candidates:
        """Return no candidates."""
        none = np.zeros((0, 4), np.float32)
        return cls(none, none[:, 0], np.zeros(0, np.int64), none, none[:, :0])

    @classmethod
    def concatenate(cls, parts: Sequence[Candidates]) -> Candidates:
        """Return all candidates of several parts, in order."""
        if not parts:
            return cls.empty()
        columns = ([getattr(part, column.name) for part in parts] for column in fields(cls))
        return cls(*map(np.concatenate, columns))

    def valid(self) -> Candidates:
        """Return those whose box has a width, a height and a place, and whose numbers are numbers.

        A network may move the corners of a box past each other, or give what is no number.
        """
        values = np.concatenate([self.boxes, self.scores[:, None], self.landmarks], axis=1)
        keep = np.abs(values).max(axis=1) <= FARTHEST
        keep &= (self.boxes[:, 2:] > self.boxes[:, :2]).all(axis=1)
        return self if keep.all() else self[keep]

    def moved_to(self, boxes: Floats) -> Candidates:
        """Return the same candidates with other boxes."""
        return replace(self, boxes=boxes)

    def counts(self, images: int) -> list[int]:
        """Return how many candidates each of the ``images`` of the batch has."""
        counts: list[int] = np.bincount(self.image_index, minlength=images).tolist()
        return counts
