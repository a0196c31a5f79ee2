"""What holds a network near the weights it started from.

With w the weights of convolutions and dense layers (never biases, slopes of PReLU or
normalisation), w⁰ those of the start, S the part that is shared with it and S̄ the part that is
new (reset layers):

===============  ==========================================================================
``l2``           α/2 ‖w‖²
``l2-sp``        α/2 ‖w_S − w⁰_S‖² + β/2 ‖w_S̄‖²  (Li, Grandvalet and Davoine 2018, eq. 2)
``feature-map``  α/n Σ_j Σ_i ‖F_j(w, x_i) − F_j(w⁰, x_i)‖²  (knowledge distillation)
``delta``        the same with a weight for each channel, see :mod:`facetl.training.channel_weights`
===============  ==========================================================================

Each is a callable that is asked after the forward pass of a step and answers with its value and
its gradient, the former two in closed form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from facetl.errors import InputError
from facetl.mtcnn.networks import Network, Stage, normalise
from facetl.training.gradients import flatten
from facetl.training.precision import mixed_precision
from facetl.training.strategies import HEADS
from facetl.training.transfer import Transfer

FEATURE_LAYERS: dict[Stage, tuple[str, ...]] = {
    "pnet": ("conv3",),
    "rnet": ("conv3", "dense4"),
    "onet": ("conv4", "dense5"),
}
"""Layers whose feature maps are held by default: what the output layers are made from."""

Attention = Mapping[str, Tensor]
"""(C,) weights of the channels of each held layer; their mean is 1."""


class Penalty(NamedTuple):
    """What a regulariser says.

    Attributes:
        value: scalar, at strength 1.
        gradient: (P,) over all trained parameters as one vector.
    """

    value: Tensor
    gradient: Tensor


class Regulariser(Protocol):
    """Says how far the network has gone from what it was."""

    def __call__(self, parameters: Sequence[nn.Parameter], pixels: Tensor) -> Penalty:
        """Return value and gradient after a forward pass.

        Args:
            parameters: those that are trained.
            pixels: (N, 3, S, S) what the network has just been shown, 0 to 255.
        """

    def attached(self, network: Network) -> AbstractContextManager[object]:
        """Watch the network for as long as it is trained."""


@dataclass(frozen=True, eq=False)
class WeightPenalty:
    """s/2 ‖w − w*‖², summed over weights that each have a target w* and a strength s.

    Attributes:
        targets: target and strength by parameter; those that are not here are free.
    """

    targets: Mapping[Tensor, tuple[Tensor | float, float]]

    @torch.no_grad()
    def __call__(self, parameters: Sequence[nn.Parameter], pixels: Tensor) -> Penalty:
        """Return value and gradient, s (w − w*), of the trained weights."""
        value, gradients = torch.zeros(()), []
        for parameter in parameters:
            target, strength = self.targets.get(parameter, (0.0, 0.0))
            gradients.append(strength * (parameter - target) if strength else None)
            if strength:
                value = value + strength / 2 * (parameter - target).square().sum().cpu()
        return Penalty(value, flatten(gradients, parameters))

    def attached(self, network: Network) -> AbstractContextManager[object]:
        """Weights need no watching."""
        return nullcontext()


@dataclass(eq=False)
class FeaturePenalty:
    """α/n Σ_j Σ_i a_j · ‖F_j(w, x_i) − F_j(w⁰, x_i)‖² over feature maps F_j of the N patches x_i.

    Attributes:
        source: the network as it was, w⁰.
        stage: which it is.
        layers: whose outputs, before their activation, are the feature maps.
        alpha: strength.
        attention: weights of the channels, all 1 if there is none.
    """

    source: Network
    stage: Stage
    layers: tuple[str, ...]
    alpha: float
    attention: Attention = field(default_factory=dict)
    _maps: dict[str, Tensor] = field(default_factory=dict, init=False)

    def __call__(self, parameters: Sequence[nn.Parameter], pixels: Tensor) -> Penalty:
        """Return value and gradient; the graph of the forward pass is kept for the loss."""
        value = self.alpha * self._distance(pixels)
        gradients: Sequence[Tensor | None] = [None] * len(parameters)
        if value.requires_grad:  # with the head alone in training, no feature moves
            gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
        return Penalty(value.detach(), flatten(gradients, parameters))

    @contextmanager
    def attached(self, network: Network) -> Iterator[None]:
        """Keep the feature maps of each forward pass, until the next one."""
        with recording(network, self.layers, self._maps):
            yield

    def _distance(self, pixels: Tensor) -> Tensor:
        wanted: dict[str, Tensor] = {}
        precision = mixed_precision(self.stage, pixels.device)  # as in training: 0 at the start
        with torch.no_grad(), precision, recording(self.source, self.layers, wanted):
            self.source(normalise(pixels))
        distances = []
        for name in self.layers:
            weight = self.attention.get(name)
            squares = (self._maps[name].float() - wanted[name].float()).square()
            if weight is not None:
                squares = squares * weight.view(1, -1, *[1] * (squares.dim() - 2))
            distances.append(squares.sum() / len(pixels))
        return torch.stack(distances).sum()


@contextmanager
def recording(network: nn.Module, layers: Sequence[str], maps: dict[str, Tensor]) -> Iterator[None]:
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


def build_regulariser(
    network: Network,
    stage: Stage,
    transfer: Transfer,
    source: Network,
    attention: Attention | None = None,
) -> Regulariser | None:
    """Return what holds a network, None if nothing does.

    Args:
        network: the one that is trained.
        stage: which it is.
        transfer: which regulariser, how strong.
        source: the network as it was, frozen.
        attention: weights of the channels for ``delta``.

    Raises:
        InputError: if a layer to hold does not exist.
    """
    if transfer.regulariser == "none":
        return None
    if transfer.regulariser == "l2":
        held = dict.fromkeys(weights_of(network).values(), (0.0, transfer.alpha))
        return WeightPenalty(held)
    if transfer.regulariser == "l2-sp":
        return WeightPenalty(_anchor(network, stage, transfer, source))
    layers = feature_layers(network, stage, transfer)
    return FeaturePenalty(source, stage, layers, transfer.alpha, attention or {})


def weights_of(network: Network) -> dict[str, Tensor]:
    """Return the weights of convolutions and dense layers by the layers' names."""
    return {
        name: layer.weight
        for name, layer in network.named_children()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }


def feature_layers(network: Network, stage: Stage, transfer: Transfer) -> tuple[str, ...]:
    """Return the layers whose feature maps are held.

    Raises:
        InputError: if one does not exist or is an output.
    """
    chosen = transfer.feature_layers or FEATURE_LAYERS[stage]
    known = [name for name in weights_of(network) if not _is_output(name)]
    for name in chosen:
        if name not in known:
            raise InputError(
                f"found the feature layer {name!r}, {stage} has {', '.join(known)}; choose of these"
            )
    return tuple(chosen)


def _is_output(layer: str) -> bool:
    """Return whether a layer is one of several side by side, as only outputs are."""
    return "_" in layer


def _anchor(
    network: Network, stage: Stage, transfer: Transfer, source: Network
) -> dict[Tensor, tuple[Tensor | float, float]]:
    """Hold shared weights at the start, and those of reset layers at zero."""
    new = HEADS[stage] if transfer.reset_head else ()
    start = weights_of(source)
    return {
        weight: (0.0, transfer.beta) if name in new else (start[name].detach(), transfer.alpha)
        for name, weight in weights_of(network).items()
    }
