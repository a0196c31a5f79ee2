"""Which layers of a network are its head, its last block and its features, by their names.

Strategies, regularisers and gradient rules know a network by this table alone, so that they work
on the three of the cascade and on those that name characters alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facetl.training.strategies import Part

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LayerGroups:
    """The layers of a network that are spoken of, by the names that torch has for them.

    A name means a layer and all that is in it.

    Attributes:
        head: the output layers that learn the task.
        last_block: what the output layers look at.
        features: layers whose feature maps are held by default: what the head is made from.
        other_outputs: output layers that are no part of the head.
    """

    head: tuple[str, ...]
    last_block: tuple[str, ...]
    features: tuple[str, ...]
    other_outputs: tuple[str, ...] = ()

    def learns(self, name: str, part: Part) -> bool:
        """Return whether a layer or parameter learns when a part of the network does."""
        if part == "full":
            return True
        learning = self.head if part == "head" else (*self.last_block, *self.head)
        return is_in(name, learning)

    def is_output(self, name: str) -> bool:
        """Return whether a layer is an output layer."""
        return is_in(name, (*self.head, *self.other_outputs))

    def release(self, network: nn.Module, part: Part) -> None:
        """Let a part of a network learn; freeze the rest of it."""
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(self.learns(name, part))

    def count_parameters(self, network: nn.Module, part: Part) -> int:
        """Return how many numbers a part of a network holds."""
        named = network.named_parameters()
        return sum(each.numel() for name, each in named if self.learns(name, part))


def is_in(name: str, layers: Iterable[str]) -> bool:
    """Return whether a layer or parameter is one of some layers, or in one of them."""
    return any(name == layer or name.startswith(f"{layer}.") for layer in layers)


def trained_parameters(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that learn, in the network's order."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
