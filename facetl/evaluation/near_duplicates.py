"""The overlap of test and training frames: what was learnt, and what is only remembered.

Frames of one shot look alike.  Where some of them were trained on and others are tested on, a
detector may do well by memory; the frames that are like none of the training frames tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facetl.data.near_duplicates import HEIGHT, NEAR_TWIN, UNLIKE, WIDTH
from facetl.evaluation.metrics import Metrics
from facetl.evaluation.scoring import Predictions, Truth, measure_frames

MEASURE = f"mean absolute grey difference of {WIDTH}x{HEIGHT} thumbnails, 0 to 255"
_BOUNDS = {"near_twins": (0.0, NEAR_TWIN), "unlike": (UNLIKE, math.inf)}
"""Least distance to the nearest training frame, and the one that is not reached, by part."""


@dataclass(frozen=True, eq=False)
class Subset:
    """True frames that are about as far from the training frames.

    Attributes:
        at_least, below: the distances to the nearest training frame that make the part.
        frames, faces: how many there are.
        metrics: the figures of each run on these frames alone, by name.
    """

    at_least: float
    below: float
    frames: int
    faces: int
    metrics: dict[str, Metrics]


@dataclass(frozen=True, eq=False)
class TrainTestOverlap:
    """How runs do on near-twins of the training frames, and on frames unlike all of them.

    Frames in between, and those whose distance is not known, are in no part.

    Attributes:
        train_path: where the training frames lie.
        train_frames: how many were compared.
        parts: ``near_twins`` and ``unlike``.
        distances: from each true frame to the nearest training frame, by name.
    """

    train_path: Path
    train_frames: int
    parts: dict[str, Subset]
    distances: Mapping[str, float]


def score_subsets(
    runs: Sequence[Predictions], truth: Truth, distances: Mapping[str, float]
) -> dict[str, Subset]:
    """Return the figures on near-twins and on unlike frames apart.

    Args:
        runs: the runs to be scored.
        truth: the faces of all frames.
        distances: from each frame to the nearest training frame, by name.

    Raises:
        InputError: if the names of the frames cannot be brought together.
    """
    return {
        name: _score_subset(runs, truth, distances, *bounds) for name, bounds in _BOUNDS.items()
    }


def _score_subset(
    runs: Sequence[Predictions],
    truth: Truth,
    distances: Mapping[str, float],
    at_least: float,
    below: float,
) -> Subset:
    unknown = math.nan  # which is in no part
    names = [name for name in truth.boxes if at_least <= distances.get(name, unknown) < below]
    return Subset(
        at_least=at_least,
        below=below,
        frames=len(names),
        faces=sum(len(truth.boxes[name]) for name in names),
        metrics={run.name: measure_frames(run, truth, set(names)) for run in runs},
    )
