"""Landmarks without labels: ONet is kept near what the pretrained one predicts for patches.

Cartoons come without landmarks.  Left alone, the landmark outputs would drift to noise while
the rest of the network learns; knowledge distillation (Hinton, Vinyals and Dean 2015) gives
them the pretrained network's predictions as targets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facetl.mtcnn.networks import Network, normalise
from facetl.mtcnn.stages import Stage
from facetl.mtcnn.weights import PRETRAINED, load_weights
from facetl.training.sampling import Label

TAUGHT = 4
"""Every fourth face is taught: enough, and the teacher's time is a quarter."""


class Teacher:
    """The pretrained ONet, which knows landmarks from photographs."""

    def __init__(self, device: torch.device) -> None:
        self._network: Network = load_weights(PRETRAINED).network("onet").to(device)

    @torch.no_grad()
    def __call__(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """Return (N, 10) landmarks that it sees in (N, 3, 48, 48) pixels.

        NaN where it is not asked: it is asked about every ``TAUGHT``-th of the positives and parts.
        """
        asked = (labels != Label.NEGATIVE).nonzero()[::TAUGHT, 0]
        landmarks = pixels.new_full((len(pixels), 10), torch.nan)
        landmarks[asked] = self._network(normalise(pixels[asked])).landmarks.float()
        return landmarks


def find_teacher(stage: Stage, device: torch.device) -> Teacher | None:
    """Return a teacher for the stage that has landmarks, None for the others."""
    return Teacher(device) if stage == "onet" else None
