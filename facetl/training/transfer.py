"""How weights are transferred: which of them learn, and what holds them near where they started."""

from __future__ import annotations

from dataclasses import dataclass, replace

from facetl.errors import InputError
from facetl.settings import (
    AT_LEAST_ONE,
    NOT_NEGATIVE,
    POSITIVE,
    POSITIVE_SHARE,
    find_fault,
    setting,
)
from facetl.training.gradient_rules import GRADIENT_RULES
from facetl.training.regularisers import NONE, find_regulariser, regulariser_names
from facetl.training.strategies import STRATEGIES, Strategy

_ONLY_SOMETIMES = {"alpha", "beta", "decay", "feature_layers", "phase_epochs", "phase_rates"}
"""Settings that have an effect only with some strategies or regularisers."""


@dataclass(frozen=True)
class Transfer:
    """What of the starting weights may change, and what keeps them from changing much.

    Attributes:
        strategy: ``full`` trains everything; ``head`` the two output layers (faces and boxes);
            ``last-block`` the last convolution or dense layer too; ``gradual`` the head, then the
            last block, then everything; ``scratch`` everything from a random start, the control.
        reset_head: whether the two output layers are reinitialised, from the seed.
        regulariser: what holds the weights, see :mod:`facetl.training.regularisers`.
        alpha: its strength, on what is shared with the start.
        beta: its strength on reset layers (``l2-sp`` alone).
        decay: ratio of the strengths of an epoch and the one before, in (0, 1].
        feature_layers: whose feature maps are held (``feature-map``, ``delta``); empty: the last
            convolution's and the hidden dense layer's.
        gradient_rule: how the gradients of loss and regulariser become one direction, see
            :mod:`facetl.training.gradient_rules`.
        phase_epochs: epochs of the three phases of ``gradual``.
        phase_rates: highest learning rate of each.

    Raises:
        InputError: if a value makes no sense, or nothing is left to hold.
    """

    strategy: str = setting(
        "full",
        "Which layers to train: all; the last block and the two output layers; only these two; "
        "these two, then the last block too, then all; or all from random weights.",
        tuple(STRATEGIES),
    )
    reset_head: bool = setting(False, "Reinitialise the two output layers.")
    regulariser: str = setting(
        NONE,
        "What the weights are regularised towards: zero, the starting weights, or the feature "
        "maps of the starting weights.",
        regulariser_names(),
    )
    alpha: float = setting(0.01, "Its strength on weights shared with the start.", NOT_NEGATIVE)
    beta: float = setting(0.01, "Its strength on reset layers (l2-sp only).", NOT_NEGATIVE)
    decay: float = setting(1.0, "Factor for the strength after each epoch.", POSITIVE_SHARE)
    feature_layers: tuple[str, ...] = setting(
        (),
        "Layers whose feature maps are regularised, e.g. conv2; repeatable.",
        flag="--feature-layer",
        metavar="LAYER",
        shown_default="the last convolution and hidden dense layer",
    )
    gradient_rule: str = setting(
        "sum",
        "How the gradients of regulariser and loss are combined: added, or without the part of "
        "the regulariser's that opposes the loss's.",
        tuple(GRADIENT_RULES),
    )
    phase_epochs: tuple[int, int, int] = setting(
        (5, 5, 15),
        "Epochs of the phases of --strategy gradual, instead of --epochs.",
        AT_LEAST_ONE,
        metavar="HEAD BLOCK FULL",
    )
    phase_rates: tuple[float, float, float] = setting(
        (1e-3, 1e-4, 1e-5),
        "Peak learning rates of these phases.",
        POSITIVE,
        metavar="HEAD BLOCK FULL",
    )

    def __post_init__(self) -> None:
        if fault := find_fault(self):
            raise InputError(fault)
        if self.layout.is_random and self.holds_start:
            raise InputError(
                f"found the regulariser {self.regulariser} with the strategy {self.strategy}, "
                "which keeps nothing that it could hold; choose none or l2"
            )
        if regulariser := find_regulariser(self.regulariser):
            if fault := regulariser.find_fault(self):
                raise InputError(fault)
        elif self.gradient_rule != "sum":
            raise InputError(
                f"found the gradient rule {self.gradient_rule} without a regulariser, which it "
                "would tame; choose a regulariser, or the rule sum"
            )

    @property
    def layout(self) -> Strategy:
        """What learns when."""
        return STRATEGIES[self.strategy]

    def normalised(self) -> Transfer:
        """Return the same transfer with usual values where a value has no effect."""
        regulariser = find_regulariser(self.regulariser)
        heeded = set(regulariser.settings) if regulariser else set()
        if not self.reset_head:
            heeded.discard("beta")
        if self.layout.has_phases:
            heeded |= {"phase_epochs", "phase_rates"}
        usual, idle = Transfer(), _ONLY_SOMETIMES - heeded
        return replace(self, **{name: getattr(usual, name) for name in idle})

    @property
    def holds_start(self) -> bool:
        """Whether a regulariser holds something to what it was at the start."""
        regulariser = find_regulariser(self.regulariser)
        return regulariser is not None and regulariser.holds_start

    @property
    def effort(self) -> float:
        """How many times as long an epoch takes as in plain fine-tuning."""
        regulariser = find_regulariser(self.regulariser)
        return regulariser.effort if regulariser else 1.0

    @property
    def holds(self) -> bool:
        """Whether a regulariser takes part at all."""
        return self.regulariser != NONE

    def strength(self, epoch: int) -> float:
        """Return the factor of the regulariser in an epoch, counted from 1."""
        return self.decay ** (epoch - 1)
