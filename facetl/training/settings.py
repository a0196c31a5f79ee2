"""How a network is trained: settings, the defaults of each stage, and how the rate goes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

from facetl.errors import InputError
from facetl.mtcnn.networks import Stage
from facetl.training.augmentation import Augmentation
from facetl.training.sampling import Label
from facetl.training.transfer import GRADUAL, Part, Transfer

Optimiser = Literal["adam", "sgd"]
Schedule = Literal["one-cycle", "cosine", "constant"]
Keep = Literal["best", "last"]
WARM_UP = 0.3
"""Share of the steps in which the one-cycle schedule rises."""


class Phase(NamedTuple):
    """Epochs in which one part of a network learns.

    Attributes:
        part: which.
        epochs: how many.
        learning_rate: the highest of the schedule, which starts anew with each phase.
    """

    part: Part
    epochs: int
    learning_rate: float


def _are_shares(shares: tuple[float, float, float]) -> bool:
    return all(0 <= share < math.inf for share in shares) and min(shares[:2]) > 0


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        epochs: how many times as many patches are seen as there are; ``gradual`` has its own.
        batch_size: patches per step.
        learning_rate: the highest of the schedule; ``gradual`` has its own.
        optimiser: ``adam``, or ``sgd`` with momentum 0.9.
        schedule: ``one-cycle`` (Smith 2018), ``cosine`` or ``constant``.
        classification_weight: weight of the classification loss.
        box_weight: weight of the box loss.
        landmark_weight: weight of the distance to the pretrained landmarks (ONet alone).
        hard_share: share of hard examples in online hard example mining, in (0, 1].
        shares: negatives, positives and part faces in a batch, relative; as in Zhang et al. 2016,
            section III-B.
        validation_share: share of the frames put aside.
        patience: epochs without improvement before stopping; 0: never stop early.
        keep: weights of which epoch: ``best``, that of the lowest total validation loss, or
            ``last``.  A large network grows too sure of itself long before its boxes are at
            their best, so its lowest loss comes early, when the learning rate is still high.
        score_threshold: where recall and false alarms are recorded.
        augmentation: how patches are changed.
        transfer: what of the starting weights may change, and what holds them.
        seed: decides split, order and augmentation.

    Raises:
        InputError: if a number makes no sense.
    """

    epochs: int = 20
    batch_size: int = 1024
    learning_rate: float = 3e-3
    optimiser: Optimiser = "adam"
    schedule: Schedule = "one-cycle"
    classification_weight: float = 1.0
    box_weight: float = 2.0
    landmark_weight: float = 1.0
    hard_share: float = 0.7
    shares: tuple[float, float, float] = (3.0, 1.0, 1.0)
    validation_share: float = 0.1
    patience: int = 0
    keep: Keep = "best"
    score_threshold: float = 0.1
    augmentation: Augmentation = field(default_factory=Augmentation)
    transfer: Transfer = field(default_factory=Transfer)
    seed: int = 1

    def __post_init__(self) -> None:
        weights = self.loss_weights.values()
        rules = {
            "epochs": (self.epochs >= 1, "at least 1"),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "learning_rate": (0 < self.learning_rate < math.inf, "a number above 0"),
            "loss_weights": (all(0 <= weight < math.inf for weight in weights), "0 or more"),
            "hard_share": (0 < self.hard_share <= 1, "above 0, at most 1"),
            "shares": (
                _are_shares(self.shares),
                "negatives and positives above 0, parts 0 or more",
            ),
            "validation_share": (0 < self.validation_share < 1, "above 0, below 1"),
            "patience": (self.patience >= 0, "0 or more"),
            "score_threshold": (0 <= self.score_threshold <= 1, "0 to 1"),
        }
        for name, (kept, expected) in rules.items():
            if not kept:
                raise InputError(f"found {name} {getattr(self, name)}, expected {expected}")

    @property
    def loss_weights(self) -> dict[str, float]:
        """Weight of each loss."""
        return {
            "classification": self.classification_weight,
            "box": self.box_weight,
            "landmark": self.landmark_weight,
        }

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What learns when: one phase, but for ``gradual``."""
        transfer = self.transfer
        if transfer.strategy == "gradual":
            return tuple(map(Phase, GRADUAL, transfer.phase_epochs, transfer.phase_rates))
        whole = transfer.strategy in ("full", "scratch")
        part: Part = "full" if whole else transfer.strategy  # type: ignore[assignment]
        return (Phase(part, self.epochs, self.learning_rate),)

    @property
    def total_epochs(self) -> int:
        """Epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)

    def with_epochs(self, count: int) -> TrainingSettings:
        """Return settings with another number of epochs, divided among phases as it was.

        Every phase keeps at least one epoch, so that ``gradual`` has three at least.
        """
        if self.transfer.strategy != "gradual":
            return replace(self, epochs=count)
        ratio = count / self.total_epochs
        first, second = (max(round(ratio * phase.epochs), 1) for phase in self.phases[:2])
        rest = max(count - first - second, 1)
        return replace(self, transfer=replace(self.transfer, phase_epochs=(first, second, rest)))

    @property
    def class_shares(self) -> dict[Label, float]:
        """Share of each class in a batch."""
        return dict(zip((Label.NEGATIVE, Label.POSITIVE, Label.PART), self.shares, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a JSON-able dict."""
        return asdict(self)


STAGE_SETTINGS: dict[Stage, TrainingSettings] = {
    "pnet": TrainingSettings(augmentation=Augmentation(contrast=0.0, repaint=0.0)),
    "rnet": TrainingSettings(epochs=8, batch_size=512, learning_rate=2e-3, keep="last"),
    "onet": TrainingSettings(
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
        box_weight=4.0,
        shares=(2.0, 3.0, 1.0),
        keep="last",
    ),
}
"""How each stage is trained, unless something else is asked for."""


def learning_rate(schedule: Schedule, peak: float, progress: float) -> float:
    """Return the learning rate after a share ``progress`` in [0, 1] of all steps.

    One cycle (Smith, "A disciplined approach to neural network hyper-parameters", 2018): a
    cosine up from a 25th of the peak, then one down to nearly nothing.
    """
    if schedule == "constant":
        return peak
    if schedule == "cosine":
        return _ease(peak, 0.0, progress)
    if progress < WARM_UP:
        return _ease(peak / 25, peak, progress / WARM_UP)
    return _ease(peak, peak / 25e4, (progress - WARM_UP) / (1 - WARM_UP))


def _ease(start: float, end: float, progress: float) -> float:
    """Go from ``start`` to ``end`` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
