"""What a regulariser is: a penalty on weights or feature maps, and its gradient.

It is asked after the forward pass of a step and answers with its value and its gradient, one
vector over all trained parameters.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from facetl.training.layer_groups import LayerGroups
from facetl.training.transfer import Transfer


class Penalty(NamedTuple):
    """How far a network has gone.

    Attributes:
        value: scalar, at strength 1.
        gradient: (P,) over all trained parameters as one vector.
    """

    value: Tensor
    gradient: Tensor


@dataclass(frozen=True, eq=False)
class Held:
    """What a regulariser is built for.

    Attributes:
        network: the one that is trained.
        layers: which of its layers are spoken of.
        transfer: which regulariser, and how strong.
        source: the network as it was, frozen.
        loss: scalar of a network on some examples of the new task.
        show: runs a network on (N, 3, S, S) pixels, 0 to 255, as training does.
        pixels: (N, 3, S, S) of these examples, 0 to 255.
    """

    network: nn.Module
    layers: LayerGroups
    transfer: Transfer
    source: nn.Module
    loss: Callable[[nn.Module], Tensor]
    show: Callable[[nn.Module, Tensor], object]
    pixels: Callable[[], Tensor]


class Regulariser(ABC):
    """Says how far the network has gone from what it was.

    Attributes:
        holds_start: whether it holds the network to its start.
        settings: the settings of a transfer that it depends on.
        effort: how many times as long an epoch takes with it.
    """

    holds_start: ClassVar[bool] = False
    settings: ClassVar[tuple[str, ...]] = ("alpha", "decay")
    effort: ClassVar[float] = 1.0

    @classmethod
    def find_fault(cls, transfer: Transfer) -> str | None:
        """Return what makes no sense with the rest of a transfer, None if all does."""
        return None

    @classmethod
    @abstractmethod
    def build(cls, held: Held) -> Regulariser:
        """Return what holds a network.

        Raises:
            InputError: if a layer to hold does not exist.
        """

    @abstractmethod
    def __call__(self, parameters: Sequence[nn.Parameter], pixels: Tensor) -> Penalty:
        """Return value and gradient after a forward pass.

        Args:
            parameters: those that are trained.
            pixels: (N, 3, S, S) what the network has just been shown, 0 to 255.
        """

    def attached(self, network: nn.Module) -> AbstractContextManager[object]:
        """Watch the network for as long as it is trained; weights need no watching."""
        return nullcontext()


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights of convolutions and dense layers by the layers' names."""
    return {
        name: layer.weight
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }


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
