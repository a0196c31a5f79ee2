"""How a network is trained: settings, and the schedule of the learning rate."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple, Self, get_args

from facetl.errors import InputError
from facetl.settings import (
    AT_LEAST_ONE,
    NOT_NEGATIVE,
    POSITIVE,
    POSITIVE_SHARE,
    SHARE,
    Range,
    as_json,
    find_fault,
    setting,
)
from facetl.training.strategies import Part
from facetl.training.transfer import Transfer

Optimiser = Literal["adam", "sgd"]
Schedule = Literal["one-cycle", "cosine", "constant", "step"]
Keep = Literal["best", "last"]
FEW_FRAMES = 400
"""Up to so many frames, a cascade starts from weights that know other cartoons."""
_WARM_UP = 0.3
"""Share of the steps in which the one-cycle schedule rises."""
_STEP = 2 / 3
"""Share of the steps after which the step schedule falls to a tenth."""


class Phase(NamedTuple):
    """Epochs in which one part of a network learns.

    Attributes:
        part: which.
        epochs: how many.
        learning_rate: the peak of the schedule, which starts again with each phase.
    """

    part: Part
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Augmentation:
    """How strongly patches are changed, see :func:`facetl.training.augmentation.augment`.

    Attributes:
        flip: probability of mirroring left and right.
        brightness: factors are drawn from 1 minus to 1 plus this.
        contrast: distances from middle grey are multiplied by 1 minus to 1 plus this.
        colour: each channel is shifted by up to this share of 127.5, either way.
        repaint: probability of exchanging the colour channels at random: green people and red
            skies, as other cartoons have them.

    Raises:
        InputError: if one of them is not in [0, 1], or ``grey`` and ``mix`` together are not.
    """

    flip: float = setting(0.5, "Fraction of patches mirrored.", SHARE)
    brightness: float = setting(
        0.15, "Brightness is multiplied by a factor from 1 minus to 1 plus this.", SHARE
    )
    contrast: float = setting(
        0.15, "Contrast is multiplied by a factor from 1 minus to 1 plus this.", SHARE
    )
    colour: float = setting(
        0.2, "Each channel is shifted by up to this fraction of half the range.", SHARE
    )
    repaint: float = setting(
        0.05,
        "Fraction of patches with exchanged colour channels; more helps on other cartoons.",
        SHARE,
    )
    grey: float = setting(0.0, "Fraction of patches in grey.", SHARE)
    mix: float = setting(
        0.0,
        "Fraction of patches whose colour channels are mixed at random: skin of any colour.",
        SHARE,
    )

    def __post_init__(self) -> None:
        if fault := find_fault(self):
            raise InputError(fault)
        if self.grey + self.mix > 1:
            raise InputError(
                f"found grey {self.grey:g} and mix {self.mix:g}, expected 1 or less together"
            )

    def to_json(self) -> dict[str, float]:
        """Return the strengths as plain values, see :func:`facetl.settings.as_json`."""
        return as_json(self, later=("grey", "mix"))


@dataclass(frozen=True)
class EpochSettings:
    """How any network is trained, whatever it learns.

    Attributes:
        epochs: how many times as many examples are seen as there are; ``gradual`` has its own.
        batch_size: examples per step.
        learning_rate: the highest of the schedule; ``gradual`` has its own.
        optimiser: ``adam``, or ``sgd`` with momentum 0.9.
        schedule: ``one-cycle`` (Smith 2018), ``cosine``, ``constant`` or ``step``: a tenth for
            the last third of the epochs.
        validation_share: share of the frames held out.
        patience: epochs without improvement before stopping; 0: never stop early.
        keep: weights of which epoch: ``best``, that of the lowest total validation loss, or
            ``last``.  A large network grows too sure of itself long before its boxes are at
            their best, so its lowest loss comes early, when the learning rate is still high.
        augmentation: how examples are changed.
        transfer: what of the starting weights may change, and what holds them.
        seed: decides split, order and augmentation.

    Raises:
        InputError: if a number makes no sense.
    """

    epochs: int = setting(20, "Training epochs.", AT_LEAST_ONE)
    batch_size: int = setting(1024, "Examples per step.", Range(2))
    learning_rate: float = setting(3e-3, "Peak learning rate of the schedule.", POSITIVE)
    optimiser: Optimiser = setting("adam", "Optimiser.", get_args(Optimiser))
    schedule: Schedule = setting("one-cycle", "Schedule of the learning rate.", get_args(Schedule))
    validation_share: float = setting(
        0.1,
        "Fraction of the frames held out to choose the best epoch.",
        Range(0, 1, above=True, below=True),
    )
    patience: int = setting(
        0, "Stop after this many epochs without improvement; 0 means never.", NOT_NEGATIVE
    )
    keep: Keep = setting(
        "best",
        "Weights to keep: those of the epoch with the lowest validation loss, or of the last.",
        get_args(Keep),
    )
    augmentation: Augmentation = field(default_factory=Augmentation)
    transfer: Transfer = field(default_factory=Transfer)
    seed: int = setting(1, "Random seed.", NOT_NEGATIVE)

    def __post_init__(self) -> None:
        if fault := find_fault(self):
            raise InputError(fault)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What learns when: one phase, but for strategies that have several."""
        transfer = self.transfer
        parts = transfer.layout.parts
        if transfer.layout.has_phases:
            return tuple(map(Phase, parts, transfer.phase_epochs, transfer.phase_rates))
        return (Phase(parts[0], self.epochs, self.learning_rate),)

    @property
    def total_epochs(self) -> int:
        """Epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)

    def with_epochs(self, count: int) -> Self:
        """Return settings with another number of epochs, divided among phases as it was.

        Every phase keeps at least one epoch, so that ``gradual`` has three at least.
        """
        if not self.transfer.layout.has_phases:
            return replace(self, epochs=count)
        ratio = count / self.total_epochs
        first, second = (max(round(ratio * phase.epochs), 1) for phase in self.phases[:2])
        rest = max(count - first - second, 1)
        return replace(self, transfer=replace(self.transfer, phase_epochs=(first, second, rest)))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a JSON-able dict."""
        return {**asdict(self), "augmentation": self.augmentation.to_json()}


@dataclass(frozen=True)
class TrainingSettings(EpochSettings):
    """How a network of the cascade is trained.

    Attributes:
        classification_weight: weight of the classification loss.
        box_weight: weight of the box loss.
        landmark_weight: weight of the distance to the pretrained landmarks (ONet alone).
        hard_share: share of hard examples in online hard example mining, in (0, 1].
        shares: negatives, positives and part faces in a batch, relative; as in Zhang et al. 2016,
            section III-B.
        score_threshold: where recall and false alarms are recorded.

    Raises:
        InputError: if a number makes no sense.
    """

    classification_weight: float = setting(1.0, "Weight of the face loss.", NOT_NEGATIVE)
    box_weight: float = setting(2.0, "Weight of the box loss.", NOT_NEGATIVE)
    landmark_weight: float = setting(
        1.0,
        "Weight of the distance from the pretrained landmarks; only ONet has landmarks.",
        NOT_NEGATIVE,
    )
    hard_share: float = setting(
        0.7, "Online hard example mining: fraction of the examples that count.", POSITIVE_SHARE
    )
    shares: tuple[float, float, float] = setting(
        (3.0, 1.0, 1.0),
        "Relative proportions of the classes in a batch.",
        NOT_NEGATIVE,
        flag="--class-shares",
        metavar="NEGATIVE POSITIVE PART",
    )
    score_threshold: float = setting(
        0.1, "Score at which recall and false alarms are recorded.", SHARE
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not min(self.shares[:2]) > 0:
            raise InputError(
                f"found shares {self.shares}, expected negatives and positives above 0"
            )

    @property
    def loss_weights(self) -> dict[str, float]:
        """Weight of each loss."""
        return {
            "classification": self.classification_weight,
            "box": self.box_weight,
            "landmark": self.landmark_weight,
        }


def learning_rate(schedule: Schedule, peak: float, progress: float) -> float:
    """Return the learning rate after a share ``progress`` in [0, 1] of all steps.

    One cycle (Smith, "A disciplined approach to neural network hyper-parameters", 2018): a
    cosine up from a 25th of the peak, then one down to nearly nothing.
    """
    if schedule == "constant":
        return peak
    if schedule == "step":
        return peak if progress < _STEP else peak / 10
    if schedule == "cosine":
        return _ease(peak, 0.0, progress)
    if progress < _WARM_UP:
        return _ease(peak / 25, peak, progress / _WARM_UP)
    return _ease(peak, peak / 25e4, (progress - _WARM_UP) / (1 - _WARM_UP))


def _ease(start: float, end: float, progress: float) -> float:
    """Go from ``start`` to ``end`` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
