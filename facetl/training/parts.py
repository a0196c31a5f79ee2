"""Parts of a network: what of it learns, and what is reinitialised."""

from __future__ import annotations

import torch
from torch import nn

from facetl.mtcnn.networks import Network
from facetl.mtcnn.stages import Stage
from facetl.training.stages import STAGE_FACTS
from facetl.training.strategies import Part


def _layers_of(network: Network, stage: Stage, part: Part) -> tuple[str, ...]:
    """Return the names of the layers of a part of a network."""
    facts = STAGE_FACTS[stage]
    if part == "head":
        return facts.head
    if part == "last-block":
        return (*facts.last_block, *facts.head)
    return tuple(name for name, _ in network.named_children())


def release(network: Network, stage: Stage, part: Part) -> None:
    """Let a part of a network learn; freeze the rest of it."""
    learning = _layers_of(network, stage, part)
    for name, layer in network.named_children():
        layer.requires_grad_(name in learning)


def trained_parameters(network: Network) -> list[nn.Parameter]:
    """Return the parameters that learn, in the network's order."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def count_parameters(network: Network, stage: Stage, part: Part) -> int:
    """Return how many numbers a part of a network holds."""
    layers = dict(network.named_children())
    return sum(
        parameter.numel()
        for name in _layers_of(network, stage, part)
        for parameter in layers[name].parameters()
    )


def reset_head(network: Network, stage: Stage, seed: int) -> None:
    """Reinitialise the output layers, as torch initialises them."""
    layers = dict(network.named_children())
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(seed % 2**64)
        for name in STAGE_FACTS[stage].head:
            layer = layers[name]
            assert isinstance(layer, nn.Conv2d | nn.Linear), f"{name} has weights to draw"
            layer.reset_parameters()
