"""``l2``: the weights are held at zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facetl.training.penalties import Held, Penalty, Regulariser, flatten, weights_of
from facetl.training.regularisers import REGULARISERS


@REGULARISERS("l2")
@dataclass(frozen=True, eq=False)
class WeightPenalty(Regulariser):
    """s/2 (w − w*)², summed over weights that each have a target w* and a strength s ≥ 0.

    Attributes:
        targets: target and strength by parameter, one for all its weights or one for each; those
            that are not here are free.
    """

    targets: Mapping[Tensor, tuple[Tensor | float, Tensor | float]]

    @classmethod
    def build(cls, held: Held) -> WeightPenalty:
        """Return what holds all weights of a network at zero."""
        return cls(dict.fromkeys(weights_of(held.network).values(), (0.0, held.transfer.alpha)))

    @torch.no_grad()
    def __call__(self, parameters: Sequence[nn.Parameter], pixels: Tensor) -> Penalty:
        """Return value and gradient, s (w − w*), of the trained weights."""
        value, gradients = torch.zeros(()), []
        for parameter in parameters:
            target, strength = self.targets.get(parameter, (0.0, 0.0))
            distance = parameter - target
            gradients.append(strength * distance)
            value = value + (gradients[-1] * distance).sum().cpu() / 2
        return Penalty(value, flatten(gradients, parameters))
