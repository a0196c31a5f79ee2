"""How long a training will take, and what to spare if it must not take so long.

A budget of seconds is kept by planning again and again: at the beginning by a few trial steps,
then by what each step and each epoch really took.  All frames stay; what is spared are epochs,
then patches of each frame.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from facetl.errors import InputError
from facetl.files import read_json, write_text
from facetl.mtcnn.networks import INPUT_SIZES, STAGES, Stage, build_network
from facetl.training.loop import train
from facetl.training.patches import Patches
from facetl.training.plan import CascadePlan, StagePlan, Step
from facetl.training.settings import TrainingSettings
from facetl.training.transfer import Transfer

USABLE = 0.9
"""Share of a budget that is planned for: the curves are drawn after the last epoch."""
SLACK = 0.8
"""A plan that uses at least this share of the time left, and not more than it, stays."""

MOST_EPOCHS, SPARED_EPOCHS = 2.0, 0.4
LEAST_PATCHES = 0.1
_TRIAL_STEPS, _TRIAL_FRAMES, _TRIALS = 2, 10, 4
_TRIAL_SECONDS = 2.0
_CLEARLY_FASTER = 0.9
_SLOWED_DOWN = 1.5


class Share(NamedTuple):
    """What is kept of a plan: of its epochs, and of the patches of each frame."""

    epochs: float
    patches: float


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


TYPICAL = Speed(
    per_frame={"pnet": 0.0035, "rnet": 0.0075, "onet": 0.010},
    per_window={"pnet": 0.000008, "rnet": 0.000015, "onet": 0.00005},
    per_patch={"pnet": 0.000012, "rnet": 0.00011, "onet": 0.0005},
)
"""As measured on two cores at 480×360 pixels; to tell how far a training is, ratios are enough."""


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


def estimate(plan: CascadePlan, frames: int, faces: int, speed: Speed = TYPICAL) -> list[Estimate]:
    """Return how long each step of a plan takes with so many frames and faces."""
    return [
        estimate_stage(step.stage, plan.stages[step.stage], frames, faces, speed)
        for step in plan.steps
    ]


def estimate_stage(
    stage: Stage, plan: StagePlan, frames: int, faces: int, speed: Speed
) -> Estimate:
    """Return how long one training of a stage takes with so many frames and faces."""
    patches = plan.count_patches(frames, faces)
    return Estimate(
        cutting=frames * speed.per_frame[stage] + patches * speed.per_window[stage],
        epoch=estimate_epoch(stage, plan.training, patches, speed),
        epochs=plan.training.total_epochs,
    )


def estimate_epoch(stage: Stage, settings: TrainingSettings, patches: int, speed: Speed) -> float:
    """Return the seconds of an epoch over so many patches; its last batch is as full as others."""
    shown = math.ceil(patches / settings.batch_size) * settings.batch_size
    return shown * speed.per_patch[stage] * effort(settings.transfer)


def effort(transfer: Transfer) -> float:
    """Return how many times longer an epoch takes than plain fine-tuning.

    Feature maps are those of two networks, and have a second backward pass.
    """
    return 1.7 if transfer.regulariser in ("feature-map", "delta") else 1.0


# ---- what is spared


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
        *(Share(share, 1.0) for share in _falling(MOST_EPOCHS, SPARED_EPOCHS)),
        *(Share(SPARED_EPOCHS, share) for share in patches),
        *(Share(share, LEAST_PATCHES) for share in _falling(SPARED_EPOCHS, 0.02)),
        Share(0.0, LEAST_PATCHES),
    ]


def spare(plan: CascadePlan, share: Share) -> CascadePlan:
    """Return the plan with a share of its epochs and patches, at least one of each kind."""
    return replace(
        plan, stages={stage: spare_stage(each, share) for stage, each in plan.stages.items()}
    )


def spare_stage(plan: StagePlan, share: Share) -> StagePlan:
    """Return a stage's plan with a share of its epochs and patches, at least one of each kind."""
    return StagePlan(plan.recipe.thinned(share.patches), spare_epochs(plan.training, share))


def spare_epochs(settings: TrainingSettings, share: Share) -> TrainingSettings:
    """Return the settings with a share of their epochs, at least one."""
    if share.epochs == 1:
        return settings
    return settings.with_epochs(max(round(settings.total_epochs * share.epochs), 1))


@dataclass(frozen=True)
class Begun:
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
    begun: Begun | None = None

    def seconds(self, share: Share, speed: Speed) -> float:
        """Return how long it takes if so much of the plan is kept."""
        stages = self.plan.stages
        ahead = (
            estimate_stage(
                step.stage, spare_stage(stages[step.stage], share), self.frames, self.faces, speed
            ).total
            for step in self.ahead
        )
        return sum(ahead) + (self._rest_of_begun(self.begun, share, speed) if self.begun else 0.0)

    def _rest_of_begun(self, begun: Begun, share: Share, speed: Speed) -> float:
        stage = begun.step.stage
        settings = spare_epochs(self.plan.stages[stage].training, share)
        left = max(settings.total_epochs - begun.done, 0)
        return left * estimate_epoch(stage, settings, begun.patches, speed)

    def fit(self, seconds: float, speed: Speed, shares: Sequence[Share]) -> Share:
        """Return the first of the shares with which it takes no longer; the last if none does."""
        fitting = (share for share in shares if self.seconds(share, speed) <= seconds)
        return next(fitting, shares[-1])


# ---- what a machine can do


class Trial(NamedTuple):
    """What a few steps of training have told of the machine.

    Attributes:
        threads: torch's threads that are the fastest.
        per_patch: seconds to show one patch to the network with them.
        gain: how many times as long it takes with all threads.
    """

    threads: int
    per_patch: float
    gain: float


def measure_speed(device: torch.device, plan: CascadePlan) -> Speed:
    """Time a few steps of training on this machine; scale the rest in proportion."""
    per_patch = {
        stage: try_training(stage, plan.stages[stage].training, device).per_patch
        for stage in STAGES
    }
    return speed_of_trials(per_patch)


def speed_of_trials(per_patch: Mapping[Stage, float]) -> Speed:
    """Return the speed of a machine whose training is known, all else in proportion."""
    slowness = sum(per_patch.values()) / sum(TYPICAL.per_patch.values())
    return replace(TYPICAL.cutting_times(slowness), per_patch=per_patch)


def try_training(stage: Stage, settings: TrainingSettings, device: torch.device) -> Trial:
    """Time a few steps of a stage with all of torch's threads and with one; choose the faster.

    Waiting threads turn round and round, so that two of them on busy cores are many times slower
    than one.  The two take turns, the first of which warms up, and the medians count.
    """
    most = torch.get_num_threads()
    counts = (most, 1) if most > 1 and device.type == "cpu" else (most,)
    turns = {count: _trials(stage, settings, device) for count in counts}
    taken: dict[int, list[float]] = {count: [] for count in counts}
    began = time.perf_counter()
    try:
        for number in range(_TRIALS):
            if number > 1 and time.perf_counter() - began > _TRIAL_SECONDS:
                break
            for count, trials in turns.items():
                torch.set_num_threads(count)
                taken[count].append(next(trials))
    finally:
        torch.set_num_threads(most)
    return choose_threads({count: statistics.median(each[1:]) for count, each in taken.items()})


def choose_threads(seconds: Mapping[int, float]) -> Trial:
    """Return what to train with: all threads, unless one is clearly faster.

    Args:
        seconds: that a patch takes, by the number of threads.
    """
    most, least = max(seconds), min(seconds)
    threads = least if seconds[least] < _CLEARLY_FASTER * seconds[most] else most
    return Trial(threads, seconds[threads], seconds[most] / seconds[threads])


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


# ---- keeping a budget


class Memory(NamedTuple):
    """What a training that is resumed has to know of its budget.

    Attributes:
        spent: seconds until it was broken off.
        patches: share of the patches that each step cuts, by its name.
    """

    spent: float = 0.0
    patches: Mapping[str, float] = {}

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        write_text(path, json.dumps(self._asdict()) + "\n")

    @classmethod
    def load(cls, path: Path) -> Memory:
        """Read it; a new one if there is no such file.

        Raises:
            InputError: if the file is damaged.
        """
        if not path.exists():
            return cls()
        try:
            found = read_json(path)
            memory = cls(found["spent"], dict(found["patches"]))
            _check(memory)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InputError(f"{path}: damaged ({error}); start anew with --force") from error
        return memory


@dataclass
class Pace:
    """Keeps a training within a budget: chooses, as it goes, what is spared of the plan.

    Attributes:
        plan: what would be done without a budget.
        seconds: the budget.
        frames: frames that there are.
        faces: faces in them.
        path: where it is remembered what was chosen, for a training that is resumed.
        measure: tries a stage's training on this machine.
        keeps_epochs: whether the plan's epochs stay as they are.
        clock: tells seconds.
        began: what the clock said when the work began.
        tell: hears of every new plan for a step and those after it.
        threads: torch's threads to train with.
        speed: of the machine, as far as it is known.
        share: what is kept of the plan, of all that is not begun.
    """

    plan: CascadePlan
    seconds: float
    frames: int
    faces: int
    path: Path
    measure: Callable[[Stage, TrainingSettings], Trial]
    keeps_epochs: bool = False
    clock: Callable[[], float] = time.perf_counter
    began: float | None = None
    tell: Callable[[Step, CascadePlan], None] = lambda *_: None
    threads: int = field(init=False)
    speed: Speed = field(init=False)
    share: Share = field(init=False)
    _patches: dict[str, float] = field(init=False)
    _steps: list[Step] = field(init=False)

    def __post_init__(self) -> None:
        memory = Memory.load(self.path)
        self._patches = dict(memory.patches)
        self._steps = self.plan.steps
        self.began = (self.clock() if self.began is None else self.began) - memory.spent
        trials = {stage: self._try(stage) for stage in STAGES}
        self.speed = speed_of_trials({stage: each.per_patch for stage, each in trials.items()})
        self.share = self._fit(self._work(self._steps))

    @property
    def spent(self) -> float:
        """Seconds of work so far."""
        assert self.began is not None
        return self.clock() - self.began

    @property
    def left(self) -> float:
        """Seconds that may be planned for."""
        return USABLE * self.seconds - self.spent

    @property
    def foreseen(self) -> float:
        """Seconds that the whole training takes as it is planned at its beginning."""
        return self.spent + self._work(self._steps).seconds(self.share, self.speed)

    @property
    def is_enough(self) -> bool:
        """Whether what was planned at the beginning fits into the budget."""
        return self.foreseen <= self.seconds

    def begin(self, step: Step) -> StagePlan:
        """Choose how a step cuts its patches, unless it has begun to; return its plan."""
        ahead = self._steps[self._steps.index(step) :]
        if step.name not in self._patches:
            self.share = self._fit(self._work(ahead))
            self._patches[step.name] = self.share.patches
        self._remember()
        self._cutting_since = self.clock()
        plan = self._planned(step)
        self.tell(step, plan)
        return plan.stages[step.stage]

    def has_cut(self, step: Step) -> None:
        """Hear that the patches of a step are cut: learn how long that takes."""
        plan = spare_stage(self.plan.stages[step.stage], Share(1, self._patches[step.name]))
        foreseen = estimate_stage(step.stage, plan, self.frames, self.faces, self.speed).cutting
        taken = self.clock() - self._cutting_since
        self.speed = self.speed.cutting_times(_halfway(taken / max(foreseen, 1e-9)))

    def start(self, begun: Begun) -> TrainingSettings:
        """Choose the threads of a step's training and its epochs; return its settings."""
        self._choose_threads(begun.step.stage)
        self.share = self._fit(self._work_after(begun))
        return self._settle(begun)

    def go_on(self, begun: Begun, seconds: float) -> TrainingSettings:
        """Hear how long an epoch took; return the settings of those to come."""
        stage = begun.step.stage
        settings = self.plan.stages[stage].training
        foreseen = estimate_epoch(stage, settings, begun.patches, self.speed)
        ratio = seconds / max(foreseen, 1e-9)
        self.speed = self.speed.training_times(_halfway(ratio))
        if ratio > _SLOWED_DOWN and self.threads > 1:
            self._choose_threads(stage)
        work = self._work_after(begun)
        if not SLACK * self.left <= work.seconds(self.share, self.speed) <= self.left:
            self.share = self._fit(work)
        return self._settle(begun)

    def done(self, records: Sequence[Mapping[str, Any]]) -> CascadePlan:
        """Return what was done in the last round, by the records of its epochs."""
        stages = {}
        for step in self._steps:
            epochs = [each for each in records if Step(each["round"], each["stage"]) == step]
            plan = self.plan.stages[step.stage]
            stages[step.stage] = StagePlan(
                plan.recipe.thinned(self._patches.get(step.name, 1.0)),
                plan.training.with_epochs(max(len(epochs), 1)),
            )
        return replace(self.plan, stages=stages)

    def _settle(self, begun: Begun) -> TrainingSettings:
        self._remember()
        plan = self._planned(begun.step)
        self.tell(begun.step, plan)
        return plan.stages[begun.step.stage].training

    def _planned(self, step: Step) -> CascadePlan:
        """Return what is planned at the moment, with the patches of a step as it has them."""
        plan = spare(self.plan, self.share)
        own = self.share._replace(patches=self._patches[step.name])
        stage = spare_stage(self.plan.stages[step.stage], own)
        return replace(plan, stages={**plan.stages, step.stage: stage})

    def _work(self, ahead: Sequence[Step], begun: Begun | None = None) -> Work:
        return Work(self.plan, self.frames, self.faces, ahead, begun)

    def _work_after(self, begun: Begun) -> Work:
        return self._work(self._steps[self._steps.index(begun.step) + 1 :], begun)

    def _fit(self, work: Work) -> Share:
        shares = possible_shares(keeps_epochs=self.keeps_epochs)
        return work.fit(self.left, self.speed, shares)

    def _choose_threads(self, stage: Stage) -> None:
        per_patch = self._try(stage).per_patch
        self.speed = self.speed.training_times(per_patch / self.speed.per_patch[stage])

    def _try(self, stage: Stage) -> Trial:
        trial = self.measure(stage, self.plan.stages[stage].training)
        self.threads = trial.threads
        return trial

    def _remember(self) -> None:
        Memory(round(self.spent, 3), self._patches).save(self.path)


def _falling(first: float, least: float) -> Iterator[float]:
    """Yield shares, each a tenth smaller than the one before."""
    share = first
    while share > least:
        yield share
        share *= 0.9


def _times(seconds: Mapping[Stage, float], factor: float) -> dict[Stage, float]:
    return {stage: factor * each for stage, each in seconds.items()}


def _halfway(ratio: float) -> float:
    """Return the factor that goes half of the way to what was measured."""
    return (1 + ratio) / 2


def _check(memory: Memory) -> None:
    """Raise ValueError or TypeError if a memory that was read is not what a training writes."""
    if not 0 <= memory.spent < math.inf:
        raise ValueError(f"found {memory.spent!r} seconds")
    for name, share in memory.patches.items():
        if not 0 < share <= 1:
            raise ValueError(f"found a share {share!r} of the patches of {name}")
