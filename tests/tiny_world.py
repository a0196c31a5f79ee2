"""A few small drawn frames, and a plan by which a whole cascade is trained on them in a second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from drawn_frames import draw_frame
from numpy.typing import NDArray
from parameters import same_values

from facetl.data.formats.course import save_annotations
from facetl.data.images import save_image
from facetl.mtcnn.stages import STAGES
from facetl.mtcnn.weights import Weights
from facetl.training.checkpoint import Checkpoint
from facetl.training.plan import CascadePlan, StagePlan, Step
from facetl.training.preparation import FrameCut, Preparation, Unreadable
from facetl.training.progress import Watcher
from facetl.training.stages import STAGE_FACTS

SHRUNK = 3  # frames of 480 × 360 become 160 × 120


def shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image at a third of its size."""
    height, width = (side // SHRUNK for side in image.shape[:2])
    cells = image[: height * SHRUNK, : width * SHRUNK].reshape(height, SHRUNK, width, SHRUNK, 3)
    return np.asarray(cells.mean(axis=(1, 3)).round(), np.uint8)


def save_frames(folder: Path, count: int) -> Path:
    """Draw frames and annotations into a folder; return it."""
    drawn = {
        f"{index}.png": draw_frame(seed=1, part="train", index=index) for index in range(count)
    }
    for name, frame in drawn.items():
        save_image(folder / name, shrink(frame.image))
    save_annotations(
        folder / "faces.txt",
        {name: (frame.boxes / SHRUNK, list(frame.labels)) for name, frame in drawn.items()},
    )
    return folder


def tiny_plan(rounds: int = 1, seed: int = 1) -> CascadePlan:
    """Return a plan of few patches and one epoch for each stage, two for PNet."""
    stages = {
        stage: StagePlan(
            replace(STAGE_FACTS[stage].recipe, positives=3, parts=2, negatives=4),
            replace(STAGE_FACTS[stage].training, epochs=1, batch_size=16, validation_share=0.25),
        )
        for stage in STAGES
    }
    return CascadePlan.default(stages=stages, rounds=rounds, seed=seed).with_epochs([2, 1, 1])


class BrokenOffError(Exception):
    """What breaks a training off."""


@dataclass
class Diary(Watcher):
    """Notes what a training tells; breaks it off instead of noting entry number ``last``."""

    last: int = -1
    entries: list[str] = field(default_factory=list)

    def skips(self, step: Step) -> None:
        self._note(f"skips {step.name}")

    def cutting(
        self, step: Step, frames: Iterator[FrameCut | Unreadable]
    ) -> Iterator[FrameCut | Unreadable]:
        self._note(f"cuts {step.name}")
        yield from frames

    def has_cut(self, step: Step, preparation: Preparation) -> None:
        self._note(f"has cut {step.name}")

    def has_trained(self, step: Step, checkpoint: Checkpoint) -> None:
        self._note(f"has trained {step.name} {checkpoint.epoch}")

    def _note(self, entry: str) -> None:
        if len(self.entries) == self.last:
            raise BrokenOffError(entry)
        self.entries.append(entry)


def assert_same_weights(weights: Weights, others: Weights) -> None:
    """Assert that two cascades are equal bit for bit."""
    assert weights.stages.keys() == others.stages.keys()
    for stage, state in weights.stages.items():
        assert state.keys() == others.stages[stage].keys()
        for name, tensor in state.items():
            assert same_values(tensor, others.stages[stage][name]), f"{stage}.{name}"
