"""``l2-sp-fisher``: weights are held at the start, those more that the scores depend on.

Li, Grandvalet and Davoine, "Explicit inductive bias for transfer learning with convolutional
networks", ICML 2018, section 3, after Kirkpatrick et al., "Overcoming catastrophic forgetting in
neural networks", 2017.  There the Fisher information is estimated on data of the source task;
here on patches of the new one, as the photographs that MTCNN was trained on are not at hand.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from facetl.mtcnn.networks import normalise
from facetl.training.penalties import Held, weights_of
from facetl.training.regularisers import REGULARISERS
from facetl.training.regularisers.l2 import WeightPenalty
from facetl.training.transfer import Transfer


@REGULARISERS("l2-sp-fisher")
class _FisherPenalty(WeightPenalty):
    """α/2 of the squared distance from the start, each weight's times its Fisher information."""

    holds_start = True

    @classmethod
    def find_fault(cls, transfer: Transfer) -> str | None:
        """Return what is wrong if the start has no answers that weights could matter for."""
        if not transfer.reset_head:
            return None
        return (
            "found the regulariser l2-sp-fisher with new output layers, whose answers say nothing "
            "about weights; choose l2-sp, or keep the head"
        )

    @classmethod
    def build(cls, held: Held) -> WeightPenalty:
        """Hold all weights at the start, by the Fisher information of patches of the new task."""
        start, fisher = weights_of(held.source), fisher_diagonal(held.source, held.pixels())
        return cls(
            {
                weight: (start[name].detach(), held.transfer.alpha * fisher[name])
                for name, weight in weights_of(held.network).items()
            }
        )


def fisher_diagonal(network: nn.Module, pixels: Tensor) -> dict[str, Tensor]:
    """Return the diagonal of the Fisher information of a network's weights, by layer.

    F_jj = 1/n Σ_i Σ_k p_k(x_i) (∂ log p_k(x_i) / ∂w_j)², over the classes k, no face and face.
    As p_k is the softmax of two logits, the inner sum is p_0 p_1 (∂d / ∂w_j)², d their
    difference.  Layers that give offsets and landmarks have no part in it, and zeros.

    Args:
        network: whose weights; it stays as it is.
        pixels: (N, 3, S, S) patches of its size, 0 to 255.
    """
    network = deepcopy(network).requires_grad_(True)
    weights = weights_of(network)
    sums = {name: torch.zeros_like(weight, requires_grad=False) for name, weight in weights.items()}
    for patch in pixels:
        outputs = network(normalise(patch[None]))
        face = outputs.scores.detach().flatten()
        difference = outputs.logits.flatten().diff()
        gradients = torch.autograd.grad(difference, [*weights.values()], allow_unused=True)
        for total, gradient in zip(sums.values(), gradients, strict=True):
            if gradient is not None:
                total += face * (1 - face) * gradient.square()
    return {name: total / len(pixels) for name, total in sums.items()}
