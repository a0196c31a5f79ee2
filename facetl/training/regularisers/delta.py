"""``delta``: feature maps are held, channels that matter for the frames at hand more than others.

Li, Xiong, Wang, Rao, Liu, Chen and Huan, "DELTA: deep learning transfer using feature map with
attention for convolutional networks", ICLR 2019, equations 4 and 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from facetl.training.penalties import Held
from facetl.training.regularisers import REGULARISERS
from facetl.training.regularisers.feature_map import FeaturePenalty, feature_layers
from facetl.training.transfer import Transfer


@REGULARISERS("delta")
class _AttentionPenalty(FeaturePenalty):
    """The distance of feature maps with a weight for each channel."""

    @classmethod
    def find_fault(cls, transfer: Transfer) -> str | None:
        """Return what is wrong if the loss of the start would say nothing about the new task."""
        if not transfer.reset_head:
            return None
        return (
            "found the regulariser delta with new output layers, whose loss says nothing about "
            "channels; choose feature-map, or keep the head"
        )

    @classmethod
    def build(cls, held: Held) -> FeaturePenalty:
        """Return what holds the feature maps, weighed by the loss at the start."""
        layers = feature_layers(held.network, held.layers, held.transfer)
        attention = _weigh_channels(held.source, layers, held.loss)
        return cls(held.source, held.show, layers, held.transfer.alpha, attention)


@torch.no_grad()
def _weigh_channels(
    source: nn.Module, layers: Sequence[str], loss: Callable[[nn.Module], Tensor]
) -> dict[str, Tensor]:
    """Weigh each channel by what its loss would cost.

    The weights of a layer are the softmax over its C channels of how much the loss on the new
    task grows when the channel is silenced, times C, so that their mean is 1.
    """
    usual = loss(source)
    weights = {}
    for name in layers:
        channels = len(source.get_submodule(name).weight)  # type: ignore[arg-type]
        growth = []
        for channel in range(channels):
            with _silenced(source, name, channel):
                growth.append(loss(source) - usual)
        weights[name] = channels * torch.stack(growth).softmax(dim=0)
    return weights


@contextmanager
def _silenced(network: nn.Module, layer: str, channel: int) -> Iterator[None]:
    """Put zeros into one channel of a layer's output."""

    def silence(_module: object, _inputs: object, output: Tensor) -> Tensor:
        return output.index_fill(1, torch.tensor([channel], device=output.device), 0.0)

    handle = network.get_submodule(layer).register_forward_hook(silence)
    try:
        yield
    finally:
        handle.remove()
