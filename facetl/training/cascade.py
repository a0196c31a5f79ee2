"""The whole cascade: three stages in order, each on what the tuned ones before it propose.

The trainings are steps (round, stage), and what they leave lies in a folder until the last one
is done: patches, a checkpoint after every epoch, and the weights of finished steps.  A run that
was interrupted finds them there and resumes; as every step depends on nothing but its input and
the seed, it ends with the same weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from facetl.data.dataset import FaceDataset, fingerprint
from facetl.errors import WeightsError
from facetl.files import read_json, write_text
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.stages import Stage
from facetl.mtcnn.weights import State, Weights, load_weights, save_weights
from facetl.parts import describe_differences
from facetl.search.settings import DETECTION, Settings
from facetl.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from facetl.training.initialisation import (
    build_training_network,
    require_start,
    starting_settings,
)
from facetl.training.loop import name_validation_frames, train
from facetl.training.machine import keeping_threads
from facetl.training.mining import Miner
from facetl.training.patches import PATCH_COUNTS, Patches, load_patches
from facetl.training.plan import CascadePlan, StagePlan, Step
from facetl.training.preparation import prepare_patches
from facetl.training.progress import Watcher
from facetl.training.settings import TrainingSettings
from facetl.training.time_budget import TimeBudget
from facetl.training.time_estimate import StepProgress
from facetl.training.training_log import HELD_OUT, History, without_times

_TASK = "task.json"

TUNED = Settings(thresholds=(0.2, 0.1, 0.1), padding=True, voting=True, rnet_weight=0.75)
"""How a trained cascade searches, until ``facetl tune`` chooses for the frames at hand."""


@dataclass(frozen=True)
class Cascade:
    """A trained cascade.

    Attributes:
        weights: all three stages, and where they came from.
        records: one JSON-able record per epoch, with its ``stage`` and ``round``.
        suspects: JSON-able regions that look like faces and are not annotated, best first.
        held_out: names of the frames that the last stage did not learn from.
    """

    weights: Weights
    records: tuple[dict[str, Any], ...]
    suspects: tuple[dict[str, Any], ...]
    held_out: tuple[str, ...]


@dataclass(frozen=True)
class Workshop:
    """The folder of an unfinished training."""

    folder: Path

    def patches(self, step: Step) -> Path:
        """Return where the patches of a step lie."""
        return self.folder / f"{step.name}.patches"

    def checkpoint(self, step: Step) -> Path:
        """Return where the checkpoint of a step lies."""
        return self.folder / f"{step.name}.checkpoint"

    def weights(self, step: Step) -> Path:
        """Return where the weights of a finished step lie."""
        return self.folder / f"{step.name}.safetensors"

    @property
    def has_work(self) -> bool:
        """Whether it holds anything that a resumed training would use."""
        return any(self.folder.glob("[0-9]*_*"))

    def open(self, task: dict[str, Any]) -> None:
        """Begin a task, or resume it.

        Raises:
            WeightsError: if the folder holds another task.
        """
        path = self.folder / _TASK
        if path.exists():
            found = _read_task(path)
            if differing := describe_differences(found, json.loads(json.dumps(task))):
                raise WeightsError(
                    f"{self.folder}: belongs to a training with {differing}; resume with the "
                    "same command, or start over with --force"
                )
        else:
            write_text(path, json.dumps(task, indent=1) + "\n")


@dataclass(frozen=True)
class Training:
    """The training of a cascade.

    Attributes:
        dataset: frames to learn from.
        plan: what is trained, and how.
        workshop: where unfinished work lies.
        watcher: is called as it gets on.
        device: where networks run.
        engine: what searches the training frames.
        workers: threads that cut patches side by side.
        time_budget: keeps the training within a budget, if there is one.
        held_out: names of frames that nothing is learnt from; without any, a tenth is drawn.
    """

    dataset: FaceDataset
    plan: CascadePlan
    workshop: Workshop
    watcher: Watcher
    device: str = "cpu"
    engine: str = "auto"
    workers: int = 1
    time_budget: TimeBudget | None = None
    held_out: frozenset[str] = frozenset()

    def run(self) -> Cascade:
        """Train all steps that are not done yet; return the cascade.

        Raises:
            InputError: if there is nothing to learn from.
            WeightsError: if the workshop holds another task's work, or the plan's start is unfit.
            NonFiniteLossError: as soon as a loss is infinite or not a number.
        """
        require_start(self.plan.start)
        budget = self.time_budget.seconds if self.time_budget else None
        task = {"data": fingerprint(self.dataset), **self.plan.to_json(), "budget": budget}
        self.workshop.open(task)
        stages: dict[Stage, State] = {}
        records: list[dict[str, Any]] = []
        counts: list[dict[str, Any]] = []
        suspects: tuple[dict[str, Any], ...] = ()
        held_out: tuple[str, ...] = ()
        for step in self.plan.steps:
            stages[step.stage], history = self._finish(step, stages)
            records += history.records
            counts += history.patch_counts
            suspects = history.suspects or suspects
            held_out = history.held_out
        known = {frame.name for frame in self.dataset}
        suspects = tuple(each for each in suspects if each["frame"] in known)
        suspects = tuple(sorted(suspects, key=lambda each: -float(each["score"])))
        start = starting_settings(self.plan.start)
        settings = replace(
            TUNED,
            padding=self.plan.stages["onet"].recipe.padding,
            score=start.score,
            rescored=start.rescored,
        )
        done = self.time_budget.done(records) if self.time_budget else self.plan
        metadata = {
            **task,
            **done.to_json(),
            DETECTION: settings.to_json(),
            PATCH_COUNTS: counts,
            "records": without_times(records),
        }
        weights = Weights(stages, metadata)
        return Cascade(weights, tuple(records), suspects, held_out)

    def _finish(self, step: Step, stages: Mapping[Stage, State]) -> tuple[State, History]:
        """Return the weights of a step: those that are there, or newly trained ones."""
        path = self.workshop.weights(step)
        if path.exists():
            self.watcher.skips(step)
            return _load_step(path, step)
        with keeping_threads():
            patches = self._cut(step, stages)
            checkpoint = self._train(step, patches, stages)
        records = [
            {"round": step.round, "stage": step.stage, **record} for record in checkpoint.records
        ]
        metadata = {
            PATCH_COUNTS: [{"round": step.round, **patches.describe_counts(step.stage)}],
            "records": records,
            "suspects": patches.metadata.get("suspects", []),
            HELD_OUT: name_validation_frames(patches, self._settings(step)),
        }
        keep = self.plan.stages[step.stage].training.keep
        weights = Weights({step.stage: checkpoint.kept(keep)}, metadata)
        save_weights(path, weights)
        self.workshop.checkpoint(step).unlink(missing_ok=True)
        self.workshop.patches(step).unlink(missing_ok=True)
        return _load_step(path, step)

    def _cut(self, step: Step, stages: Mapping[Stage, State]) -> Patches:
        path = self.workshop.patches(step)
        plan = (
            self.time_budget.begin_step(step) if self.time_budget else self.plan.stages[step.stage]
        )
        if not path.exists():
            preparation = prepare_patches(
                self.plan.choose_frames(self.dataset),
                path,
                plan.recipe,
                stage=step.stage,
                miner=self._build_miner(step, plan, stages),
                seed=self.plan.seed + step.round - 1,
                held_out=self.held_out,
                workers=self.workers,
                progress=lambda frames: self.watcher.cutting(step, frames),
                resume=True,
            )
            self.watcher.has_cut(step, preparation)
            if self.time_budget:
                self.time_budget.has_cut(step)
        return load_patches(path, step.stage)

    def _build_miner(
        self, step: Step, plan: StagePlan, stages: Mapping[Stage, State]
    ) -> Miner | None:
        """Return what finds proposals: all stages that are trained so far take part."""
        if not stages:
            return None
        return Miner(
            Detector(Weights(stages), self.device, self.engine),
            step.stage,
            judged=step.round > 1,
            padding=plan.recipe.padding,
        )

    def _settings(self, step: Step) -> TrainingSettings:
        return replace(self.plan.stages[step.stage].training, seed=self.plan.seed)

    def _train(self, step: Step, patches: Patches, stages: Mapping[Stage, State]) -> Checkpoint:
        """Train a step, from its checkpoint if it has one, and leave one after every epoch."""
        settings = self._settings(step)
        task = {"patches": patches.fingerprint, "settings": settings.to_json()}
        network = build_training_network(step.stage, self.plan.start, settings).to(self.device)
        source = None
        if step.stage in stages:
            source = deepcopy(network)
            network.load_state_dict(Weights(stages).network(step.stage).state_dict())
        path = self.workshop.checkpoint(step)
        checkpoint = start = load_checkpoint(path, task) if path.exists() else None
        replan = None
        if self.time_budget:
            replan = partial(self._replan, step, len(patches))
            settings = replan(start, begins=True)
        trained = train(network, step.stage, patches, settings, start, source, replan=replan)
        for checkpoint in trained:
            save_checkpoint(path, checkpoint, task)
            self.watcher.has_trained(step, checkpoint)
        assert checkpoint is not None, "a training has at least one epoch"
        return checkpoint

    def _replan(
        self, step: Step, patches: int, checkpoint: Checkpoint | None, *, begins: bool = False
    ) -> TrainingSettings:
        """Return the settings of the epochs to come, and set torch's threads, by the time budget.

        ``begins`` says that no epoch has been timed yet: a step begins, or is resumed.
        """
        budget = self.time_budget
        assert budget is not None
        begun = StepProgress(step, patches, checkpoint.epoch if checkpoint else 0)
        if begins or checkpoint is None:
            settings = budget.begin_training(begun)
        else:
            settings = budget.after_epoch(begun, float(checkpoint.records[-1]["seconds"]))
        torch.set_num_threads(budget.threads)
        return replace(settings, seed=self.plan.seed)


def _load_step(path: Path, step: Step) -> tuple[State, History]:
    """Read the weights that a finished step has left, and their history."""
    weights = load_weights(path)
    try:
        return weights.stages[step.stage], History.of(weights.metadata)
    except (LookupError, ValueError) as error:
        raise WeightsError(f"{path}: damaged ({error}); start over with --force") from error


def _read_task(path: Path) -> dict[str, Any]:
    """Return the task of an unfinished training."""
    try:
        task = read_json(path)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: damaged ({error}); start over with --force") from error
    if not isinstance(task, dict):
        raise WeightsError(f"{path}: damaged (found no object); start over with --force")
    return task
