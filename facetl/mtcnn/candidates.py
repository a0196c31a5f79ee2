"""The windows that are left, as columns that are filtered together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from facetl.boxes import FARTHEST


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

    boxes: Tensor
    scores: Tensor
    image_index: Tensor
    offsets: Tensor
    landmarks: Tensor

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, keep: Tensor) -> Candidates:
        """Return the candidates that a boolean mask or an index tensor selects."""
        return Candidates(*(getattr(self, column.name)[keep] for column in fields(self)))

    @classmethod
    def empty(cls, device: torch.device) -> Candidates:
        """Return no candidates."""
        index = torch.zeros(0, dtype=torch.long, device=device)
        none = torch.zeros(0, dtype=torch.float32, device=device)
        quadruple = none.new_zeros(0, 4)
        return cls(quadruple, none, index, quadruple, none.new_zeros(0, 0))

    @classmethod
    def concatenate(cls, parts: Sequence[Candidates], device: torch.device) -> Candidates:
        """Return all candidates of several parts, in order."""
        if not parts:
            return cls.empty(device)
        return cls(*(torch.cat([getattr(p, column.name) for p in parts]) for column in fields(cls)))

    def valid(self) -> Candidates:
        """Return those whose box has a width, a height and a place, and whose numbers are numbers.

        A network may move the corners of a box past each other, or give what is no number.
        """
        values = torch.cat([self.boxes, self.scores[:, None], self.landmarks], dim=1)
        keep = values.abs().amax(dim=1) <= FARTHEST
        keep &= (self.boxes[:, 2:] > self.boxes[:, :2]).all(dim=1)
        return self if bool(keep.all()) else self[keep]

    def moved_to(self, boxes: Tensor) -> Candidates:
        """Return the same candidates with other boxes."""
        return replace(self, boxes=boxes)

    def counts(self, images: int) -> list[int]:
        """Return how many candidates each of the ``images`` of the batch has."""
        return torch.bincount(self.image_index, minlength=images).tolist()
