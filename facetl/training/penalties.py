"""What a regulariser is: a penalty on weights or feature maps, and its gradient.

It is asked after the forward pass of a step and answers with its value and its gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from facetl.mtcnn.networks import Network
from facetl.mtcnn.stages import Stage
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
        stage: which it is.
        transfer: which regulariser, and how strong.
        source: the network as it was, frozen.
        loss: scalar of a network on some patches of the new task.
    """

    network: Network
    stage: Stage
    transfer: Transfer
    source: Network
    loss: Callable[[Network], Tensor]


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

    def attached(self, network: Network) -> AbstractContextManager[object]:
        """Watch the network for as long as it is trained; weights need no watching."""
        return nullcontext()


def weights_of(network: Network) -> dict[str, Tensor]:
    """Return the weights of convolutions and dense layers by the layers' names."""
    return {
        name: layer.weight
        for name, layer in network.named_children()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }
