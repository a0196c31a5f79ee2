"""``l2-sp``: the weights that are shared with the start are held there.

Li, Grandvalet and Davoine, "Explicit inductive bias for transfer learning with convolutional
networks", ICML 2018, equation 2.
"""

from __future__ import annotations

from facetl.training.layer_groups import is_in
from facetl.training.penalties import Held, weights_of
from facetl.training.regularisers import REGULARISERS
from facetl.training.regularisers.l2 import WeightPenalty


@REGULARISERS("l2-sp")
class _StartPenalty(WeightPenalty):
    """α/2 of the squared distance from the start, β/2 of the squares of reset layers."""

    holds_start = True
    settings = ("alpha", "beta", "decay")

    @classmethod
    def build(cls, held: Held) -> WeightPenalty:
        """Hold shared weights at the start, and those of reset layers at zero."""
        transfer, start = held.transfer, weights_of(held.source)
        new = held.layers.head if transfer.reset_head else ()
        return cls(
            {
                weight: (0.0, transfer.beta)
                if is_in(name, new)
                else (start[name].detach(), transfer.alpha)
                for name, weight in weights_of(held.network).items()
            }
        )
