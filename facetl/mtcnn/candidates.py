"""The windows that are still in the race, as columns that are filtered together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Candidates:
    """N candidates in a batch of images; ``candidates[keep]`` filters all columns at once.

    Attributes:
        boxes: (N, 4) float32 in pixels of the whole image.
        scores: (N,) float32 in [0, 1], from the last network that judged.
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
        none, quadruple = torch.zeros(0, device=device), torch.zeros(0, 4, device=device)
        return cls(quadruple, none, index, quadruple, torch.zeros(0, 0, device=device))

    @classmethod
    def concatenate(cls, parts: Sequence[Candidates], device: torch.device) -> Candidates:
        """Return all candidates of several parts, in order."""
        if not parts:
            return cls.empty(device)
        return cls(*(torch.cat([getattr(p, column.name) for p in parts]) for column in fields(cls)))

    def moved_to(self, boxes: Tensor) -> Candidates:
        """Return the same candidates with other boxes."""
        return replace(self, boxes=boxes)

    def counts(self, images: int) -> list[int]:
        """Return how many candidates each of the ``images`` of the batch has."""
        return torch.bincount(self.image_index, minlength=images).tolist()
