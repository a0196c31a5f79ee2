"""The whole cascade: three stages in order, each on what the tuned ones before it propose.

The trainings are steps (round, stage), and what they leave lies in a folder until the last one
is done: patches, a checkpoint after every epoch, and the weights of finished steps.  A run that
was broken off finds them there and goes on; as every step depends on nothing but its input and
the seed, it ends with the same weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from facetl.data.dataset import FaceDataset, fingerprint
from facetl.errors import WeightsError
from facetl.files import write_text
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.networks import STAGES, Stage
from facetl.mtcnn.settings import DETECTION, Settings
from facetl.mtcnn.weights import PRETRAINED, State, Weights, load_weights, save_weights
from facetl.training.checkpoint import (
    Checkpoint,
    describe_differences,
    load_checkpoint,
    save_checkpoint,
)
from facetl.training.loop import STAGE_SETTINGS, TrainingSettings, train
from facetl.training.mining import Miner
from facetl.training.patches import Patches, load_patches
from facetl.training.preparation import FrameCut, Preparation, Unreadable, prepare_patches
from facetl.training.sampling import RECIPES, Recipe
from facetl.training.starting import build_starting_network, fingerprint_start, require_start

_TASK = "task.json"

ENOUGH_VIEWS: dict[Stage, int] = {"pnet": 800_000, "rnet": 400_000, "onet": 200_000}
"""Patches that each stage is shown at least, counting repetitions, if frames are few."""

MOST_STRETCHED = 3
"""How many times as many epochs there are for few frames."""

TUNED = Settings(thresholds=(0.2, 0.1, 0.1), voting=True)
"""How a trained cascade searches, until ``facetl tune`` chooses for the frames at hand."""


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
        epochs = self.training.epochs
        enough = -(-views // max(patches, 1))
        chosen = min(max(epochs, enough), MOST_STRETCHED * epochs)
        return replace(self, training=replace(self.training, epochs=chosen))


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

    def enriched(self, dataset: FaceDataset, at_least: Mapping[Stage, int]) -> CascadePlan:
        """Return a plan that cuts more windows from each of few frames."""
        frames, faces = len(dataset), dataset.face_count
        return replace(
            self,
            stages={
                stage: replace(plan, recipe=plan.recipe.enriched(frames, faces, at_least[stage]))
                for stage, plan in self.stages.items()
            },
        )

    def stretched(self, dataset: FaceDataset) -> CascadePlan:
        """Return a plan with more epochs for few frames, so that every network sees enough."""
        frames, faces = len(dataset), dataset.face_count
        stages = {
            stage: plan.stretched(ENOUGH_VIEWS[stage], plan.count_patches(frames, faces))
            for stage, plan in self.stages.items()
        }
        return replace(self, stages=stages)

    def with_epochs(self, epochs: Sequence[int]) -> CascadePlan:
        """Return the plan with other numbers of epochs, in the order of the stages."""
        stages = {
            stage: replace(each, training=replace(each.training, epochs=count))
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


class Watcher(Protocol):
    """Somebody who is told how far a training has come."""

    def skips(self, step: Step) -> None:
        """Hear of a step that was finished before."""

    def cutting(
        self, step: Step, frames: Iterator[FrameCut | Unreadable]
    ) -> Iterator[FrameCut | Unreadable]:
        """Wrap the stream of frames that patches are cut from."""

    def has_cut(self, step: Step, preparation: Preparation) -> None:
        """Hear of the patches of a step."""

    def has_trained(self, step: Step, checkpoint: Checkpoint) -> None:
        """Hear of another epoch."""


@dataclass(frozen=True)
class Cascade:
    """A trained cascade.

    Attributes:
        weights: all three stages, and where they came from.
        records: one JSON-able record per epoch, with its ``stage`` and ``round``.
        suspects: JSON-able regions that look like faces and are not annotated, best first.
    """

    weights: Weights
    records: tuple[dict[str, Any], ...]
    suspects: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Workshop:
    """The folder in which a cascade is made."""

    folder: Path

    def patches(self, step: Step) -> Path:
        """Return where the patches of a step lie."""
        return self.folder / f"{step.name}.patches"

    def checkpoint(self, step: Step) -> Path:
        """Return where it is kept how far the training of a step has come."""
        return self.folder / f"{step.name}.checkpoint"

    def weights(self, step: Step) -> Path:
        """Return where the weights of a finished step lie."""
        return self.folder / f"{step.name}.safetensors"

    @property
    def has_work(self) -> bool:
        """Whether there is anything that a training would be shorter for."""
        return any(self.folder.glob("[0-9]*_*"))

    def open(self, task: dict[str, Any]) -> None:
        """Begin a task, or go on with it.

        Raises:
            WeightsError: if the folder holds another task.
        """
        path = self.folder / _TASK
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if differing := describe_differences(found, json.loads(json.dumps(task))):
                raise WeightsError(
                    f"{self.folder}: belongs to a training with {differing}; resume with the "
                    "same command, or start anew with --force"
                )
        else:
            write_text(path, json.dumps(task, indent=1) + "\n")


@dataclass(frozen=True)
class Training:
    """A cascade in the making.

    Attributes:
        dataset: frames to learn from.
        plan: what is trained, and how.
        workshop: where unfinished work lies.
        watcher: who is told.
        device: where networks run.
        workers: threads that cut patches side by side.
    """

    dataset: FaceDataset
    plan: CascadePlan
    workshop: Workshop
    watcher: Watcher
    device: torch.device
    workers: int = 1

    def run(self) -> Cascade:
        """Train all steps that are not done yet; return the cascade.

        Raises:
            InputError: if there is nothing to learn from.
            WeightsError: if the workshop holds another task's work, or the plan's start is unfit.
            NonFiniteLossError: as soon as a loss is infinite or not a number.
        """
        require_start(self.plan.start)
        task = {"data": fingerprint(self.dataset), **self.plan.to_json()}
        self.workshop.open(task)
        stages: dict[Stage, State] = {}
        records: list[dict[str, Any]] = []
        suspects: tuple[dict[str, Any], ...] = ()
        for step in self.plan.steps:
            finished = self._finish(step, stages)
            stages[step.stage] = finished.stages[step.stage]
            records += finished.metadata["records"]
            suspects = tuple(finished.metadata["suspects"]) or suspects
        suspects = tuple(sorted(suspects, key=lambda each: -float(each["score"])))
        metadata = {**task, DETECTION: TUNED.to_json(), "records": records}
        weights = Weights(stages, metadata)
        return Cascade(weights, tuple(records), suspects)

    def _finish(self, step: Step, stages: Mapping[Stage, State]) -> Weights:
        """Return the weights of a step: those that are there, or newly trained ones."""
        path = self.workshop.weights(step)
        if path.exists():
            self.watcher.skips(step)
            return load_weights(path)
        patches = self._cut(step, stages)
        checkpoint = self._train(step, patches, stages)
        records = [
            {"round": step.round, "stage": step.stage, **record} for record in checkpoint.records
        ]
        metadata = {"records": records, "suspects": patches.metadata["suspects"]}
        weights = Weights({step.stage: checkpoint.best_weights}, metadata)
        save_weights(path, weights)
        self.workshop.checkpoint(step).unlink(missing_ok=True)
        self.workshop.patches(step).unlink(missing_ok=True)
        return weights

    def _cut(self, step: Step, stages: Mapping[Stage, State]) -> Patches:
        path = self.workshop.patches(step)
        if not path.exists():
            preparation = prepare_patches(
                self.plan.choose_frames(self.dataset),
                path,
                self.plan.stages[step.stage].recipe,
                stage=step.stage,
                miner=self._build_miner(step, stages),
                seed=self.plan.seed + step.round - 1,
                workers=self.workers,
                progress=lambda frames: self.watcher.cutting(step, frames),
            )
            self.watcher.has_cut(step, preparation)
        return load_patches(path, step.stage)

    def _build_miner(self, step: Step, stages: Mapping[Stage, State]) -> Miner | None:
        """Return what finds proposals: all stages that are trained so far take part."""
        if not stages:
            return None
        return Miner(Detector(Weights(stages), self.device), step.stage, judged=step.round > 1)

    def _train(self, step: Step, patches: Patches, stages: Mapping[Stage, State]) -> Checkpoint:
        """Train a step, from its checkpoint if it has one, and leave one after every epoch."""
        settings = replace(self.plan.stages[step.stage].training, seed=self.plan.seed)
        task = {"patches": patches.fingerprint, "settings": settings.to_json()}
        network = build_starting_network(step.stage, self.plan.start, self.plan.seed)
        if step.stage in stages:
            network.load_state_dict(stages[step.stage])
        path = self.workshop.checkpoint(step)
        network = network.to(self.device)
        checkpoint = start = load_checkpoint(path, task) if path.exists() else None
        for checkpoint in train(network, step.stage, patches, settings, start):
            save_checkpoint(path, checkpoint, task)
            self.watcher.has_trained(step, checkpoint)
        assert checkpoint is not None, "a training has at least one epoch"
        return checkpoint
