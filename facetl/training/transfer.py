"""How weights are transferred: which of them learn, and what holds them near where they started."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from facetl.errors import InputError

Strategy = Literal["full", "last-block", "head", "gradual", "scratch"]
RegulariserName = Literal["none", "l2", "l2-sp", "feature-map", "delta"]
GradientRule = Literal["sum", "dtnh"]
Part = Literal["head", "last-block", "full"]
"""What of a network learns: each part holds the one before."""

GRADUAL: tuple[Part, ...] = ("head", "last-block", "full")


@dataclass(frozen=True)
class Transfer:
    """What of the starting weights may change, and what keeps them from changing much.

    Attributes:
        strategy: ``full`` trains everything; ``head`` the two output layers (faces and boxes);
            ``last-block`` the last convolution or dense layer too; ``gradual`` the head, then the
            last block, then everything; ``scratch`` everything from a random start, the control.
        reset_head: whether the two output layers start anew, drawn from the seed.
        regulariser: what holds the weights, see :mod:`facetl.training.regularisers`.
        alpha: its strength, on what is shared with the start.
        beta: its strength on reset layers (``l2-sp`` alone).
        decay: ratio of the strengths of an epoch and the one before, in (0, 1].
        feature_layers: whose feature maps are held (``feature-map``, ``delta``); empty: the last
            convolution's and the hidden dense layer's.
        gradient_rule: how the gradients of loss and regulariser become one direction, see
            :mod:`facetl.training.gradients`.
        phase_epochs: epochs of the three phases of ``gradual``.
        phase_rates: highest learning rate of each.

    Raises:
        InputError: if a value makes no sense, or nothing is left to hold.
    """

    strategy: Strategy = "full"
    reset_head: bool = False
    regulariser: RegulariserName = "none"
    alpha: float = 0.01
    beta: float = 0.01
    decay: float = 1.0
    feature_layers: tuple[str, ...] = ()
    gradient_rule: GradientRule = "sum"
    phase_epochs: tuple[int, int, int] = (5, 5, 15)
    phase_rates: tuple[float, float, float] = (1e-3, 1e-4, 1e-5)

    def __post_init__(self) -> None:
        rules = {
            "strategy": (self.strategy in get_args(Strategy), _one_of(Strategy)),
            "regulariser": (
                self.regulariser in get_args(RegulariserName),
                _one_of(RegulariserName),
            ),
            "gradient_rule": (self.gradient_rule in get_args(GradientRule), _one_of(GradientRule)),
            "alpha": (0 <= self.alpha < math.inf, "0 or more"),
            "beta": (0 <= self.beta < math.inf, "0 or more"),
            "decay": (0 < self.decay <= 1, "above 0, at most 1"),
            "phase_epochs": (
                len(self.phase_epochs) == 3 and min(self.phase_epochs) >= 1,
                "three whole numbers from 1 on",
            ),
            "phase_rates": (
                len(self.phase_rates) == 3
                and all(0 < rate < math.inf for rate in self.phase_rates),
                "three numbers above 0",
            ),
        }
        for name, (kept, expected) in rules.items():
            if not kept:
                raise InputError(f"found {name} {getattr(self, name)!r}, expected {expected}")
        if self.strategy == "scratch" and self.holds_start:
            raise InputError(
                f"found the regulariser {self.regulariser} with the strategy scratch, which keeps "
                "nothing that it could hold; choose none or l2"
            )
        if self.regulariser == "delta" and self.reset_head:
            raise InputError(
                "found the regulariser delta with new output layers, whose loss says nothing about "
                "channels; choose feature-map, or keep the head"
            )
        if self.gradient_rule == "dtnh" and self.regulariser == "none":
            raise InputError(
                "found the gradient rule dtnh without a regulariser, which it would tame; choose "
                "a regulariser, or the rule sum"
            )

    def normalised(self) -> Transfer:
        """Return the same transfer with usual values where a value has no effect."""
        usual = Transfer()
        idle: set[str] = set()
        if not self.holds:
            idle |= {"alpha", "decay"}
        if not (self.regulariser == "l2-sp" and self.reset_head):
            idle.add("beta")
        if self.regulariser not in ("feature-map", "delta"):
            idle.add("feature_layers")
        if self.strategy != "gradual":
            idle |= {"phase_epochs", "phase_rates"}
        return replace(self, **{name: getattr(usual, name) for name in idle})

    @property
    def holds_start(self) -> bool:
        """Whether a regulariser holds something to what it was at the start."""
        return self.regulariser in ("l2-sp", "feature-map", "delta")

    @property
    def holds(self) -> bool:
        """Whether a regulariser takes part at all."""
        return self.regulariser != "none"

    def strength(self, epoch: int) -> float:
        """Return the factor of the regulariser in an epoch, counted from 1."""
        return self.decay ** (epoch - 1)


def _one_of(choices: object) -> str:
    return f"one of {', '.join(get_args(choices))}"
