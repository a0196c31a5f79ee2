"""How long a training will take, and what to reduce if it must not take so long.

A budget of seconds is kept by planning again and again: at the beginning by a few trial steps,
then by what each step and each epoch really took.  All frames stay; epochs are reduced first,
then the patches of each frame.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from facetl.mtcnn.networks import build_network
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage
from facetl.training.loop import train
from facetl.training.machine import keeping_threads
from facetl.training.patches import Patches
from facetl.training.plan import CascadePlan, Share, StagePlan, Step
from facetl.training.settings import TrainingSettings
from facetl.training.transfer import Transfer

MOST_EPOCHS, REDUCED_EPOCHS = 2.0, 0.4
LEAST_PATCHES = 0.1
_TRIAL_STEPS, _TRIAL_FRAMES, _TRIALS = 2, 10, 4
_TRIAL_SECONDS = 2.0
_CLEARLY_FASTER = 0.9


@dataclass(frozen=True)
class Estimate:
    """Seconds for the two parts of a step.

    Attributes:
        cutting: all frames.
        epoch: one epoch.
        epochs: how many of them.
    """

    cutting: float
    epoch: float
    epochs: int

    @property
    def total(self) -> float:
        """Seconds for the whole step."""
        return self.cutting + self.epoch * self.epochs


@dataclass(frozen=True)
class Speed:
    """Seconds that the parts of a training take, by stage.

    Attributes:
        per_frame: to read a frame and search it.
        per_window: to cut one patch from it.
        per_patch: to show one patch to the network in training.
    """

    per_frame: Mapping[Stage, float]
    per_window: Mapping[Stage, float]
    per_patch: Mapping[Stage, float]

    def cutting_times(self, factor: float) -> Speed:
        """Return the speed where cutting takes so many times as long."""
        return replace(
            self,
            per_frame=_times(self.per_frame, factor),
            per_window=_times(self.per_window, factor),
        )

    def training_times(self, factor: float) -> Speed:
        """Return the speed where training takes so many times as long."""
        return replace(self, per_patch=_times(self.per_patch, factor))

    def estimate(self, plan: CascadePlan, frames: int, faces: int) -> list[Estimate]:
        """Return how long each step of a plan takes with so many frames and faces."""
        return [
            self.estimate_stage(step.stage, plan.stages[step.stage], frames, faces)
            for step in plan.steps
        ]

    def estimate_stage(self, stage: Stage, plan: StagePlan, frames: int, faces: int) -> Estimate:
        """Return how long one training of a stage takes with so many frames and faces."""
        patches = plan.count_patches(frames, faces)
        return Estimate(
            cutting=frames * self.per_frame[stage] + patches * self.per_window[stage],
            epoch=self.estimate_epoch(stage, plan.training, patches),
            epochs=plan.training.total_epochs,
        )

    def estimate_epoch(self, stage: Stage, settings: TrainingSettings, patches: int) -> float:
        """Return the seconds of an epoch; its last batch is as full as others."""
        shown = math.ceil(patches / settings.batch_size) * settings.batch_size
        return shown * self.per_patch[stage] * settings.transfer.effort


TYPICAL = Speed(
    per_frame={"pnet": 0.0035, "rnet": 0.0075, "onet": 0.010},
    per_window={"pnet": 0.000008, "rnet": 0.000015, "onet": 0.00005},
    per_patch={"pnet": 0.000012, "rnet": 0.00006, "onet": 0.00028},
)
"""As measured on two cores at 480×360 pixels; to show how far a training is, ratios are enough."""


# ---- what is reduced


def possible_shares(*, keeps_epochs: bool = False) -> list[Share]:
    """Return what may be kept of a plan, the most thorough first.

    First come twice the epochs, then fewer, then fewer patches of each frame, and at last a
    single epoch of each stage over a tenth of the patches.

    Args:
        keeps_epochs: whether the plan's epochs stay as they are.
    """
    patches = [*_falling(1.0, LEAST_PATCHES), LEAST_PATCHES]
    if keeps_epochs:
        return [Share(1.0, share) for share in patches]
    return [
        *(Share(share, 1.0) for share in _falling(MOST_EPOCHS, REDUCED_EPOCHS)),
        *(Share(REDUCED_EPOCHS, share) for share in patches),
        *(Share(share, LEAST_PATCHES) for share in _falling(REDUCED_EPOCHS, 0.02)),
        Share(0.0, LEAST_PATCHES),
    ]


@dataclass(frozen=True)
class StepProgress:
    """A step whose patches are cut.

    Attributes:
        step: which one.
        patches: how many there are.
        done: epochs of it that are done.
    """

    step: Step
    patches: int
    done: int = 0


@dataclass(frozen=True)
class Work:
    """What a training has to do yet.

    Attributes:
        plan: what would be done without a budget.
        frames: frames that there are.
        faces: faces in them.
        ahead: the steps that are not begun.
        begun: the step that is trained at the moment, if its patches are cut.
    """

    plan: CascadePlan
    frames: int
    faces: int
    ahead: Sequence[Step]
    begun: StepProgress | None = None

    def seconds(self, share: Share, speed: Speed) -> float:
        """Return how long it takes if so much of the plan is kept."""
        stages = self.plan.stages
        seconds = sum(
            speed.estimate_stage(
                step.stage, stages[step.stage].reduced(share), self.frames, self.faces
            ).total
            for step in self.ahead
        )
        return seconds + (self._rest_of_begun(self.begun, share, speed) if self.begun else 0.0)

    def _rest_of_begun(self, begun: StepProgress, share: Share, speed: Speed) -> float:
        stage = begun.step.stage
        settings = self.plan.stages[stage].reduced(share).training
        left = max(settings.total_epochs - begun.done, 0)
        return left * speed.estimate_epoch(stage, settings, begun.patches)

    def fit(self, seconds: float, speed: Speed, shares: Sequence[Share]) -> Share:
        """Return the first of the shares with which it takes no longer; the last if none does."""
        fitting = (share for share in shares if self.seconds(share, speed) <= seconds)
        return next(fitting, shares[-1])


# ---- what a machine can do


class Trial(NamedTuple):
    """What a few steps of training say about the machine.

    Attributes:
        threads: torch's threads that are the fastest.
        per_patch: seconds to show one patch to the network with them.
        most: all threads that there are.
        gain: how many times as long it takes with all of them.
    """

    threads: int
    per_patch: float
    most: int
    gain: float


def measure_speed(device: torch.device, plan: CascadePlan) -> Speed:
    """Time a few steps of training on this machine; scale the rest in proportion."""
    per_patch = {
        stage: try_training(stage, plan.stages[stage].training, device).per_patch
        for stage in STAGES
    }
    slowness = sum(per_patch.values()) / sum(TYPICAL.per_patch.values())
    return replace(TYPICAL.cutting_times(slowness), per_patch=per_patch)


def try_training(
    stage: Stage, settings: TrainingSettings, device: torch.device, most: int | None = None
) -> Trial:
    """Time a few steps of a stage with many of torch's threads and with one; choose the faster.

    Waiting threads turn round and round, so that two of them on busy cores are many times slower
    than one.  The two take turns, the first of which warms up, and the medians count.

    Args:
        stage: what is trained.
        settings: how.
        device: where.
        most: how many threads are tried; as many as torch has at the moment by default.
    """
    most = most or torch.get_num_threads()
    counts = (most, 1) if most > 1 and str(device) == "cpu" else (most,)
    turns = {count: _trials(stage, settings, device) for count in counts}
    taken: dict[int, list[float]] = {count: [] for count in counts}
    began = time.perf_counter()
    with keeping_threads():
        for number in range(_TRIALS):
            if number > 1 and time.perf_counter() - began > _TRIAL_SECONDS:
                break
            for count, trials in turns.items():
                torch.set_num_threads(count)
                taken[count].append(next(trials))
    return _choose_threads({count: statistics.median(each[1:]) for count, each in taken.items()})


def trial_of(device: torch.device) -> Callable[[Stage, TrainingSettings], Trial]:
    """Return what tries a training, later too, with as many threads as torch has now."""
    most = torch.get_num_threads()
    return lambda stage, settings: try_training(stage, settings, device, most)


def gain_of_one_thread(stage: Stage, settings: TrainingSettings, device: torch.device) -> float:
    """Return how many times as fast one thread is as all; 1 where it is not clearly faster."""
    if torch.get_num_threads() == 1 or str(device) != "cpu":
        return 1.0
    return try_training(stage, settings, device).gain


def _choose_threads(seconds: Mapping[int, float]) -> Trial:
    """Return what to train with: all threads, unless one is clearly faster."""
    most, least = max(seconds), min(seconds)
    threads = least if seconds[least] < _CLEARLY_FASTER * seconds[most] else most
    return Trial(threads, seconds[threads], most, seconds[most] / seconds[threads])


def _trials(stage: Stage, settings: TrainingSettings, device: torch.device) -> Iterator[float]:
    """Yield the seconds that a patch takes, trial by trial."""
    trial = replace(settings, epochs=_TRIALS, patience=0, transfer=Transfer())
    patches = _make_up_patches(stage, _TRIAL_STEPS * settings.batch_size)
    for checkpoint in train(build_network(stage).to(device), stage, patches, trial):
        yield float(checkpoint.records[-1]["seconds"]) / len(patches)


def _make_up_patches(stage: Stage, count: int) -> Patches:
    """Return grey patches of all labels, in turns from a few frames."""
    size = INPUT_SIZES[stage]
    windows = np.tile(np.array([0, 0, size, size], np.float32), (count, 1))
    return Patches(
        pixels=np.full((count, size, size, 3), 128, np.uint8),
        labels=np.resize(np.array([0, 1, 2], np.uint8), count),
        offsets=np.zeros((count, 4), np.float32),
        frame_index=np.resize(np.repeat(np.arange(_TRIAL_FRAMES, dtype=np.int32), 3), count),
        windows=windows,
    )


def _falling(first: float, least: float) -> Iterator[float]:
    """Yield shares, each a tenth smaller than the one before."""
    share = first
    while share > least:
        yield share
        share *= 0.9


def _times(seconds: Mapping[Stage, float], factor: float) -> dict[Stage, float]:
    return {stage: factor * each for stage, each in seconds.items()}
