"""How a network learns characters."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from facetl.settings import Range, like, setting
from facetl.training.settings import Augmentation, EpochSettings, Keep
from facetl.training.transfer import Transfer

SIZES = {"onet": 48, "resnet18": 64, "mobilenet_v2": 64, "efficientnet_lite0": 64}
"""Side in pixels of the crops that each backbone is shown."""
ONET = "onet"
"""The backbone that needs no torch to name faces."""
_LEAST_STEPS = 240
"""Steps that a training has at least, if faces are few."""


@dataclass(frozen=True)
class NamingSettings(EpochSettings):
    """How a network learns characters.

    Attributes:
        dropout: share of the features before the output layer that are silenced in a step.
        shift: a crop is moved by up to this share of its side, either way: boxes that are found
            are not those of annotators.
        zoom: a crop is sized by up to e to this power, either way.
    """

    epochs: int = like(EpochSettings, "epochs", default=8)
    batch_size: int = like(EpochSettings, "batch_size", default=64)
    learning_rate: float = like(EpochSettings, "learning_rate", default=1e-3)
    keep: Keep = like(EpochSettings, "keep", default="last")
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(colour=0.1, repaint=0.0)
    )
    transfer: Transfer = field(default_factory=lambda: Transfer(reset_head=True))
    dropout: float = setting(
        0.5, "Fraction of the features silenced before the output layer.", Range(0, 1, below=True)
    )
    shift: float = setting(
        0.1, "A crop is moved by up to this fraction of its side.", Range(0, 0.2)
    )
    zoom: float = setting(0.15, "A crop is scaled by up to e to this power.", Range(0, 0.3))

    def stretched(self, faces: int) -> NamingSettings:
        """Return settings with more epochs if there are few faces, for enough steps."""
        steps = max(round(faces / self.batch_size), 1)
        return self.with_epochs(max(self.total_epochs, math.ceil(_LEAST_STEPS / steps)))
