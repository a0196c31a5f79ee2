"""Gradients of all trained parameters as one vector, and the angles between them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


def angle(a: Tensor, b: Tensor) -> float:
    """Return the angle between two (P,) vectors in degrees, NaN if one of them is zero."""
    norms = float(a.norm()) * float(b.norm())
    if norms == 0:
        return math.nan
    return math.degrees(math.acos(min(max(float(torch.dot(a, b)) / norms, -1.0), 1.0)))


def flatten(tensors: Iterable[Tensor | None], parameters: Sequence[nn.Parameter]) -> Tensor:
    """Return tensors of the parameters' shapes as one (P,) vector, zeros for those missing."""
    pieces = [
        torch.zeros_like(parameter).flatten() if tensor is None else tensor.flatten()
        for tensor, parameter in zip(tensors, parameters, strict=True)
    ]
    return torch.cat(pieces)


def set_gradient(parameters: Sequence[nn.Parameter], direction: Tensor) -> None:
    """Give a (P,) direction to the optimiser as the gradient of the parameters."""
    pieces = torch.split(direction, [parameter.numel() for parameter in parameters])
    for parameter, piece in zip(parameters, pieces, strict=True):
        parameter.grad = piece.view(parameter.shape).clone(memory_format=torch.preserve_format)


@dataclass
class AngleLog:
    """Angles of the steps of an epoch, and how often loss and regulariser were in conflict."""

    _sums: dict[str, float] = field(default_factory=dict)
    _conflicts: int = 0
    _steps: int = 0

    def add(self, g: Tensor, h: Tensor, direction: Tensor) -> None:
        """Note one step; one in which the regulariser is idle has no angles."""
        if not (g.any() and h.any()):
            return
        angles = {
            "gradient_penalty": angle(g, h),
            "direction_gradient": angle(direction, g),
            "direction_penalty": angle(direction, h),
        }
        for name, degrees in angles.items():
            self._sums[name] = self._sums.get(name, 0.0) + degrees
        self._conflicts += angles["gradient_penalty"] > 90
        self._steps += 1

    def summary(self) -> dict[str, float]:
        """Return mean angles in degrees and the share of ``conflicts``; empty without steps."""
        if not self._steps:
            return {}
        means = {name: total / self._steps for name, total in self._sums.items()}
        return {**means, "conflicts": self._conflicts / self._steps}
