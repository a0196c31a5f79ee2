"""``feature-map``: what layers make of the patches is held to what they made of them at the start.

Knowledge distillation from the network as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from facetl.errors import InputError
from facetl.training.layer_groups import LayerGroups
from facetl.training.penalties import Held, Penalty, Regulariser, flatten, weights_of
from facetl.training.regularisers import REGULARISERS
from facetl.training.transfer import Transfer


@REGULARISERS("feature-map")
@dataclass(eq=False)
class FeaturePenalty(Regulariser):
    """α/n Σ_j Σ_i a_j · ‖F_j(w, x_i) − F_j(w⁰, x_i)‖² over feature maps F_j of the N patches x_i.

    An epoch takes longer: the feature maps are those of two networks, and have a second backward
    pass.

    Attributes:
        source: the network as it was, w⁰.
        show: runs a network on pixels as training does.
        layers: whose outputs, before their activation, are the feature maps.
        alpha: strength.
        attention: (C,) weights of the channels of each layer, all 1 if there are none.
    """

    holds_start = True
    settings = ("alpha", "decay", "feature_layers")
    effort = 1.7

    source: nn.Module
    show: Callable[[nn.Module, Tensor], object]
    layers: tuple[str, ...]
    alpha: float
    attention: Mapping[str, Tensor] = field(default_factory=dict)
    _maps: dict[str, Tensor] = field(default_factory=dict, init=False)

    @classmethod
    def build(cls, held: Held) -> FeaturePenalty:
        """Return what holds the feature maps of a network, all channels alike."""
        layers = feature_layers(held.network, held.layers, held.transfer)
        return cls(held.source, held.show, layers, held.transfer.alpha)

    def __call__(self, parameters: Sequence[nn.Parameter], pixels: Tensor) -> Penalty:
        """Return value and gradient; the graph of the forward pass is kept for the loss."""
        value = self.alpha * self._distance(pixels)
        gradients: Sequence[Tensor | None] = [None] * len(parameters)
        if value.requires_grad:  # with the head alone in training, no feature moves
            gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
        return Penalty(value.detach(), flatten(gradients, parameters))

    @contextmanager
    def attached(self, network: nn.Module) -> Iterator[None]:
        """Keep the feature maps of each forward pass, until the next one."""
        with _recording(network, self.layers, self._maps):
            yield

    def _distance(self, pixels: Tensor) -> Tensor:
        wanted: dict[str, Tensor] = {}
        with torch.no_grad(), _recording(self.source, self.layers, wanted):
            self.show(self.source, pixels)
        distances = []
        for name in self.layers:
            weight = self.attention.get(name)
            squares = (self._maps[name].float() - wanted[name].float()).square()
            if weight is not None:
                squares = squares * weight.view(1, -1, *[1] * (squares.dim() - 2))
            distances.append(squares.sum() / len(pixels))
        return torch.stack(distances).sum()


def feature_layers(network: nn.Module, layers: LayerGroups, transfer: Transfer) -> tuple[str, ...]:
    """Return the layers whose feature maps are held.

    Raises:
        InputError: if one does not exist or is an output.
    """
    chosen = transfer.feature_layers or layers.features
    known = [name for name in weights_of(network) if not layers.is_output(name)]
    for name in chosen:
        if name not in known:
            raise InputError(
                f"found the feature layer {name!r}, the network has {', '.join(known)}; choose of "
                "these"
            )
    return tuple(chosen)


@contextmanager
def _recording(
    network: nn.Module, layers: Sequence[str], maps: dict[str, Tensor]
) -> Iterator[None]:
    """Put the outputs of some layers into ``maps`` whenever a network is run."""
    handles = [
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: maps.update({name: output})
        )
        for name in layers
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
