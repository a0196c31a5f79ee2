"""Which channels of a network's feature maps matter for the frames at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from facetl.mtcnn.networks import Network
from facetl.training.regularisers import Attention


@torch.no_grad()
def weigh_channels(
    source: Network, layers: Sequence[str], loss: Callable[[Network], Tensor]
) -> Attention:
    """Weigh each channel by what its loss would cost.

    The weights of a layer are the softmax over its C channels of how much the loss on the new
    task grows when the channel is silenced, times C, so that their mean is 1.

    Li, Xiong, Wang, Rao, Liu, Chen and Huan, "DELTA: deep learning transfer using feature map
    with attention for convolutional networks", ICLR 2019, equations 4 and 5.

    Args:
        source: the network as it was.
        layers: whose outputs are weighed.
        loss: scalar of a network on some patches of the new task.
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
def _silenced(network: Network, layer: str, channel: int) -> Iterator[None]:
    """Put zeros into one channel of a layer's output."""

    def silence(_module: object, _inputs: object, output: Tensor) -> Tensor:
        return output.index_fill(1, torch.tensor([channel], device=output.device), 0.0)

    handle = network.get_submodule(layer).register_forward_hook(silence)
    try:
        yield
    finally:
        handle.remove()
