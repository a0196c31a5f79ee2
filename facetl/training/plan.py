"""What a cascade is trained on, and how: all that its weights depend on, besides the frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facetl.data.dataset import FaceDataset
from facetl.mtcnn.networks import STAGES, Stage
from facetl.mtcnn.weights import PRETRAINED
from facetl.training.initialisation import SCRATCH, fingerprint_start
from facetl.training.recipe import RECIPES, Recipe
from facetl.training.settings import STAGE_SETTINGS, TrainingSettings
from facetl.training.transfer import Transfer

AT_LEAST: dict[Stage, int] = {"pnet": 50_000, "rnet": 50_000, "onet": 25_000}
"""Patches of each stage that few frames are made to give, as far as they can."""

ENOUGH_VIEWS: dict[Stage, int] = {"pnet": 800_000, "rnet": 400_000, "onet": 200_000}
"""Patches that each stage is shown at least, counting repetitions, if frames are few."""

MOST_STRETCHED = 3
"""How many times as many epochs there are for few frames."""


@dataclass(frozen=True)
class StagePlan:
    """What one stage learns from, and how."""

    recipe: Recipe
    training: TrainingSettings

    def count_patches(self, frames: int, faces: int) -> int:
        """Return how many patches so many frames and faces give at most."""
        recipe = self.recipe
        return faces * (recipe.positives + recipe.parts) + frames * recipe.negatives

    def stretched(self, views: int, patches: int) -> StagePlan:
        """Return the plan with so many epochs that a number of views of patches is reached.

        At most ``MOST_STRETCHED`` times as many: the same few pictures again and again teach
        little.
        """
        epochs = self.training.total_epochs
        enough = -(-views // max(patches, 1))
        chosen = min(max(epochs, enough), MOST_STRETCHED * epochs)
        return replace(self, training=self.training.with_epochs(chosen))


@dataclass(frozen=True)
class Step:
    """One training: a stage in a round, both counted from the beginning."""

    round: int
    stage: Stage

    @property
    def name(self) -> str:
        """How the step's files are called."""
        return f"{self.round}_{self.stage}"

    @property
    def label(self) -> str:
        """How people are told of the step."""
        return self.stage if self.round == 1 else f"{self.stage}, round {self.round}"


def default_stages() -> dict[Stage, StagePlan]:
    """Return the plan of each stage if nothing else is asked for."""
    return {stage: StagePlan(RECIPES[stage], STAGE_SETTINGS[stage]) for stage in STAGES}


@dataclass(frozen=True)
class CascadePlan:
    """All that the weights of a cascade depend on, besides the frames.

    Attributes:
        stages: what each stage learns from, and how.
        rounds: how often the stages are trained; each round mines with the cascade of the
            round before and goes on from its weights.
        start: what the first round starts from: ``pretrained``, ``scratch`` or a weights file.
        frames: how many of the frames to learn from, drawn by lot; None: all.
        seed: of all chance.
    """

    stages: Mapping[Stage, StagePlan]
    rounds: int = 1
    start: str = PRETRAINED
    frames: int | None = None
    seed: int = 1

    @classmethod
    def default(cls, **changes: Any) -> CascadePlan:
        """Return the plan for many frames; ``changes`` are attributes."""
        return cls(**{"stages": default_stages(), **changes})

    @property
    def steps(self) -> list[Step]:
        """The trainings in their order."""
        return [Step(number, stage) for number in range(1, self.rounds + 1) for stage in STAGES]

    def enriched(
        self, dataset: FaceDataset, at_least: Mapping[Stage, int] = AT_LEAST
    ) -> CascadePlan:
        """Return a plan that cuts more windows from each of few frames."""
        frames, faces = len(dataset), dataset.face_count
        return replace(
            self,
            stages={
                stage: replace(plan, recipe=plan.recipe.enriched(frames, faces, at_least[stage]))
                for stage, plan in self.stages.items()
            },
        )

    def stretched(
        self, dataset: FaceDataset, views: Mapping[Stage, int] = ENOUGH_VIEWS
    ) -> CascadePlan:
        """Return a plan with more epochs for few frames, so that every network sees enough."""
        frames, faces = len(dataset), dataset.face_count
        stages = {
            stage: plan.stretched(views[stage], plan.count_patches(frames, faces))
            for stage, plan in self.stages.items()
        }
        return replace(self, stages=stages)

    def with_epochs(self, epochs: Sequence[int]) -> CascadePlan:
        """Return the plan with other numbers of epochs, in the order of the stages."""
        stages = {
            stage: replace(each, training=each.training.with_epochs(count))
            for (stage, each), count in zip(self.stages.items(), epochs, strict=True)
        }
        return replace(self, stages=stages)

    def repainted(self, share: float) -> CascadePlan:
        """Return the plan with another share of patches whose colour channels are exchanged."""
        stages = {}
        for stage, each in self.stages.items():
            augmentation = replace(each.training.augmentation, repaint=share)
            training = replace(each.training, augmentation=augmentation)
            stages[stage] = replace(each, training=training)
        return replace(self, stages=stages)

    def transferring(self, transfer: Transfer) -> CascadePlan:
        """Return the plan with another way of transferring the weights of every stage."""
        stages = {
            stage: replace(each, training=replace(each.training, transfer=transfer))
            for stage, each in self.stages.items()
        }
        start = SCRATCH if transfer.strategy == "scratch" else self.start
        return replace(self, stages=stages, start=start)

    def choose_frames(self, dataset: FaceDataset) -> FaceDataset:
        """Return the frames to learn from, in their order."""
        if self.frames is None or self.frames >= len(dataset):
            return dataset
        drawn = np.random.default_rng(self.seed).permutation(len(dataset))[: self.frames]
        return FaceDataset(tuple(dataset.frames[place] for place in sorted(drawn)))

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain values, for a file's metadata."""
        return {
            "start": fingerprint_start(self.start),
            "rounds": self.rounds,
            "frames": self.frames,
            "seed": self.seed,
            **{
                stage: {"recipe": plan.recipe.to_json(), "training": plan.training.to_json()}
                for stage, plan in self.stages.items()
            },
        }
