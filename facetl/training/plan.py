"""What a cascade is trained on, and how: all that its weights depend on, besides the frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from facetl.data.dataset import FaceDataset
from facetl.mtcnn.stages import STAGES, Stage
from facetl.mtcnn.weights import PRETRAINED
from facetl.training.initialisation import SCRATCH, fingerprint_start
from facetl.training.recipe import Recipe
from facetl.training.settings import TrainingSettings
from facetl.training.stages import STAGE_FACTS
from facetl.training.transfer import Transfer

MOST_STRETCHED = 3
"""How many times as many epochs there are for few frames."""


SHORTENED_FRAMES = 100
"""Up to so many frames, weights that know cartoons are trained for a part of the epochs."""


class Share(NamedTuple):
    """What is kept of a plan: of its epochs, and of the patches of each frame."""

    epochs: float
    patches: float


SHORTENED = Share(epochs=0.25, patches=1.0)
"""What is kept where few frames refine weights that know cartoons."""


@dataclass(frozen=True)
class StagePlan:
    """What one stage learns from, and how."""

    recipe: Recipe
    training: TrainingSettings

    def count_patches(self, frames: int, faces: int) -> int:
        """Return how many patches so many frames and faces give at most."""
        recipe = self.recipe
        return faces * (recipe.positives + recipe.parts) + frames * recipe.negatives

    def with_epochs(self, count: int) -> StagePlan:
        """Return the plan with another number of epochs."""
        return replace(self, training=self.training.with_epochs(count))

    def stretched(self, views: int, patches: int) -> StagePlan:
        """Return the plan with so many epochs that a number of views of patches is reached.

        At most ``MOST_STRETCHED`` times as many: the same few pictures again and again teach
        little.
        """
        epochs = self.training.total_epochs
        enough = -(-views // max(patches, 1))
        return self.with_epochs(min(max(epochs, enough), MOST_STRETCHED * epochs))

    def reduced(self, share: Share) -> StagePlan:
        """Return the plan with a share of its epochs and patches, at least one of each kind."""
        plan = replace(self, recipe=self.recipe.thinned(share.patches))
        if share.epochs == 1:
            return plan
        return plan.with_epochs(max(round(self.training.total_epochs * share.epochs), 1))


@dataclass(frozen=True)
class Step:
    """One training: a stage in a round, both counted from the beginning."""

    round: int
    stage: Stage

    @property
    def name(self) -> str:
        """The name of the step's files."""
        return f"{self.round}_{self.stage}"

    @property
    def label(self) -> str:
        """The name of the step in messages."""
        return self.stage if self.round == 1 else f"{self.stage}, round {self.round}"


@dataclass(frozen=True)
class CascadePlan:
    """All that the weights of a cascade depend on, besides the frames.

    Attributes:
        stages: what each stage learns from, and how.
        rounds: how often the stages are trained; each round mines with the cascade of the
            round before and starts from its weights.
        start: what the first round starts from: ``pretrained``, ``scratch`` or a weights file.
        frames: how many of the frames to learn from, drawn at random; None: all.
        seed: the random seed.
    """

    stages: Mapping[Stage, StagePlan]
    rounds: int = 1
    start: str = PRETRAINED
    frames: int | None = None
    seed: int = 1

    @classmethod
    def default(cls, **changes: Any) -> CascadePlan:
        """Return the plan for many frames; ``changes`` are attributes."""
        stages = {
            stage: StagePlan(facts.recipe, facts.training) for stage, facts in STAGE_FACTS.items()
        }
        return cls(**{"stages": stages, **changes})

    @property
    def steps(self) -> list[Step]:
        """The trainings in their order."""
        return [Step(number, stage) for number in range(1, self.rounds + 1) for stage in STAGES]

    def enriched(
        self, dataset: FaceDataset, at_least: Mapping[Stage, int] | None = None
    ) -> CascadePlan:
        """Return a plan that cuts more windows from each of few frames.

        Args:
            dataset: the frames.
            at_least: patches that each stage gets, as far as possible; the usual numbers if it
                is None.
        """
        least = at_least or {stage: facts.least_patches for stage, facts in STAGE_FACTS.items()}
        frames, faces = len(dataset), dataset.face_count
        return self._with_stages(
            lambda stage, plan: replace(
                plan, recipe=plan.recipe.enriched(frames, faces, least[stage])
            )
        )

    def stretched(
        self, dataset: FaceDataset, views: Mapping[Stage, int] | None = None
    ) -> CascadePlan:
        """Return a plan with more epochs for few frames, so that every network sees enough.

        Args:
            dataset: the frames.
            views: patches that each stage is shown at least, counting repetitions; the usual
                numbers if it is None.
        """
        views = views or {stage: facts.enough_views for stage, facts in STAGE_FACTS.items()}
        frames, faces = len(dataset), dataset.face_count
        return self._with_stages(
            lambda stage, plan: plan.stretched(views[stage], plan.count_patches(frames, faces))
        )

    def shortened(self, dataset: FaceDataset) -> CascadePlan:
        """Return the plan for few frames of another show, if the start knows cartoons.

        Most of what there is to learn is known; see ``docs/experiments.md``, "Any show".
        """
        knows_cartoons = self.start not in (PRETRAINED, SCRATCH)
        if knows_cartoons and len(dataset) <= SHORTENED_FRAMES:
            return self.reduced(SHORTENED)
        return self

    def keeping_last(self) -> CascadePlan:
        """Return the plan that keeps the weights of the last epoch, whatever the held-out loss."""
        return self._with_stages(
            lambda _, plan: replace(plan, training=replace(plan.training, keep="last"))
        )

    def reduced(self, share: Share) -> CascadePlan:
        """Return the plan with a share of its epochs and patches, at least one of each kind."""
        return self._with_stages(lambda _, plan: plan.reduced(share))

    def with_epochs(self, epochs: Sequence[int]) -> CascadePlan:
        """Return the plan with other numbers of epochs, in the order of the stages."""
        counts = dict(zip(self.stages, epochs, strict=True))
        return self._with_stages(lambda stage, plan: plan.with_epochs(counts[stage]))

    def with_training(self, changes: Mapping[str, Any]) -> CascadePlan:
        """Return the plan with other values of the settings of every stage's training."""
        return self._with_stages(
            lambda _, plan: replace(plan, training=replace(plan.training, **changes))
        )

    def augmented(self, **strengths: float | None) -> CascadePlan:
        """Return the plan with other strengths of augmentation; None leaves a stage its own."""
        given = {name: value for name, value in strengths.items() if value is not None}

        def change(_: Stage, plan: StagePlan) -> StagePlan:
            augmentation = replace(plan.training.augmentation, **given)
            return replace(plan, training=replace(plan.training, augmentation=augmentation))

        return self._with_stages(change)

    def recoloured(self, skin: float) -> CascadePlan:
        """Return the plan with a fraction of the frames cut with skin of another colour."""
        return self._with_stages(
            lambda _, plan: replace(plan, recipe=replace(plan.recipe, skin=skin))
        )

    def transferring(self, transfer: Transfer) -> CascadePlan:
        """Return the plan with another way of transferring the weights of every stage."""
        plan = self._with_stages(
            lambda _, plan: replace(plan, training=replace(plan.training, transfer=transfer))
        )
        return replace(plan, start=SCRATCH) if transfer.layout.is_random else plan

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

    def _with_stages(self, change: Callable[[Stage, StagePlan], StagePlan]) -> CascadePlan:
        stages = {stage: change(stage, plan) for stage, plan in self.stages.items()}
        return replace(self, stages=stages)
