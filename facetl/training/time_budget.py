"""A training that keeps within a budget of seconds, however fast the machine is meanwhile.

It is planned for again and again: at the beginning by a few trial steps, then by what each step
and each epoch really took.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from facetl.errors import InputError
from facetl.files import read_json, write_text
from facetl.mtcnn.stages import STAGES, Stage
from facetl.training.plan import CascadePlan, Share, StagePlan, Step
from facetl.training.settings import TrainingSettings
from facetl.training.time_estimate import (
    TYPICAL,
    Speed,
    StepProgress,
    Trial,
    Work,
    possible_shares,
)

_USABLE = 0.9
"""Share of a budget that is planned for: the curves are drawn after the last epoch."""

_SLACK = 0.8
"""A plan that uses at least this share of the time left, and not more than it, stays."""

_CHANGED = 1.5
"""How many times as slow, or as fast, an epoch is before the threads are tried again."""


class SavedBudget(NamedTuple):
    """What a training that is resumed has to know of its budget.

    Attributes:
        spent: seconds until it was interrupted.
        patches: share of the patches that each step cuts, by its name.
    """

    spent: float = 0.0
    patches: Mapping[str, float] = {}

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        write_text(path, json.dumps(self._asdict()) + "\n")

    @classmethod
    def load(cls, path: Path) -> SavedBudget:
        """Read it; a new one if there is no such file.

        Raises:
            InputError: if the file is damaged.
        """
        if not path.exists():
            return cls()
        try:
            found = read_json(path)
            saved = cls(found["spent"], dict(found["patches"]))
            _check(saved)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InputError(f"{path}: damaged ({error}); start over with --force") from error
        return saved


@dataclass
class TimeBudget:
    """Keeps a training within a budget: chooses, as it goes, how far the plan is reduced.

    Attributes:
        plan: what would be done without a budget.
        seconds: the budget.
        frames: frames that there are.
        faces: faces in them.
        path: where what was chosen is saved, for a training that is resumed.
        measure: tries a stage's training on this machine.
        keeps_epochs: whether the plan's epochs stay as they are.
        clock: returns seconds.
        began: what the clock returned when the work began.
        on_plan: called with every new plan for a step and those after it, and its seconds.
        threads: torch's threads to train with.
        speed: of the machine, as far as it is known.
        share: what is kept of the plan, of all that is not begun.
        is_resumed: whether some of the budget was spent before.
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
    on_plan: Callable[[Step, CascadePlan, float], None] = lambda *_: None
    threads: int = field(init=False)
    speed: Speed = field(init=False)
    share: Share = field(init=False)
    is_resumed: bool = field(init=False)
    _patches: dict[str, float] = field(init=False)
    _steps: list[Step] = field(init=False)
    _most_threads: int = field(init=False)
    _slowness: float = field(init=False)
    _is_first: bool = field(init=False)
    _cutting_since: float = field(init=False)

    def __post_init__(self) -> None:
        saved = SavedBudget.load(self.path)
        self.is_resumed = saved.spent > 0
        self._patches = dict(saved.patches)
        self._steps = self.plan.steps
        self.began = (self.clock() if self.began is None else self.began) - saved.spent
        self.speed = TYPICAL
        self._choose_threads(STAGES[-1])
        self.speed = self.speed.cutting_times(self._slowness)
        self.share = self._fit(self._work(self._steps))

    @property
    def spent(self) -> float:
        """Seconds of work so far."""
        assert self.began is not None
        return self.clock() - self.began

    @property
    def left(self) -> float:
        """Seconds that may be planned for."""
        return _USABLE * self.seconds - self.spent

    @property
    def uses_fewer_threads(self) -> bool:
        """Whether there are more threads than it is good to train with."""
        return self.threads < self._most_threads

    @property
    def foreseen(self) -> float:
        """Seconds that the whole training takes as it is planned at its beginning, not resumed."""
        return self.spent + self._work(self._steps).seconds(self.share, self.speed)

    @property
    def is_enough(self) -> bool:
        """Whether what was planned at the beginning fits into the budget."""
        return self.foreseen <= self.seconds

    def begin_step(self, step: Step) -> StagePlan:
        """Choose how a step cuts its patches, unless it has begun to; return its plan."""
        ahead = self._steps[self._steps.index(step) :]
        self.share = self._fit(self._work(ahead))
        self._patches.setdefault(step.name, self.share.patches)
        self._save()
        self._cutting_since = self.clock()
        plan = self._planned(step)
        self.on_plan(step, plan, self._work(ahead).seconds(self.share, self.speed))
        return plan.stages[step.stage]

    def has_cut(self, step: Step) -> None:
        """Learn from the patches of a step, which are cut, how long that takes."""
        plan = self.plan.stages[step.stage].reduced(Share(1, self._patches[step.name]))
        foreseen = self.speed.estimate_stage(step.stage, plan, self.frames, self.faces).cutting
        taken = self.clock() - self._cutting_since
        self.speed = self.speed.cutting_times(_halfway(taken / max(foreseen, 1e-9)))

    def begin_training(self, begun: StepProgress) -> TrainingSettings:
        """Choose the epochs of a step whose patches are cut; return its settings."""
        self._is_first = True
        self.share = self._fit(self._work_after(begun))
        return self._settle(begun)

    def after_epoch(self, begun: StepProgress, seconds: float) -> TrainingSettings:
        """Learn from the seconds of an epoch; return the settings of those to come."""
        self._learn(begun, seconds)
        work = self._work_after(begun)
        if not _SLACK * self.left <= work.seconds(self.share, self.speed) <= self.left:
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

    def _learn(self, begun: StepProgress, seconds: float) -> None:
        """Learn from an epoch; try the threads again if the machine is not what it was.

        What is special of a stage shows in the first of its epochs.
        """
        stage = begun.step.stage
        settings = self.plan.stages[stage].training
        foreseen = self.speed.estimate_epoch(stage, settings, begun.patches)
        ratio = seconds / max(foreseen, 1e-9)
        self.speed = self.speed.training_times(_halfway(ratio))
        if self._is_first:
            own = {stage: self.speed.per_patch[stage] * ratio / _halfway(ratio)}
            self.speed = replace(self.speed, per_patch={**self.speed.per_patch, **own})
        is_slow = ratio > _CHANGED and self.threads > 1
        is_fast = ratio < 1 / _CHANGED and not self._is_first and self.uses_fewer_threads
        self._is_first = False
        if is_slow or is_fast:
            self._choose_threads(stage)

    def _settle(self, begun: StepProgress) -> TrainingSettings:
        self._save()
        plan = self._planned(begun.step)
        self.on_plan(begun.step, plan, self._work_after(begun).seconds(self.share, self.speed))
        return plan.stages[begun.step.stage].training

    def _planned(self, step: Step) -> CascadePlan:
        """Return what is planned at the moment, with the patches of a step as it has them."""
        plan = self.plan.reduced(self.share)
        own = self.share._replace(patches=self._patches[step.name])
        stage = self.plan.stages[step.stage].reduced(own)
        return replace(plan, stages={**plan.stages, step.stage: stage})

    def _work(self, ahead: Sequence[Step], begun: StepProgress | None = None) -> Work:
        return Work(self.plan, self.frames, self.faces, ahead, begun)

    def _work_after(self, begun: StepProgress) -> Work:
        return self._work(self._steps[self._steps.index(begun.step) + 1 :], begun)

    def _fit(self, work: Work) -> Share:
        shares = possible_shares(keeps_epochs=self.keeps_epochs)
        return work.fit(self.left, self.speed, shares)

    def _choose_threads(self, stage: Stage) -> None:
        trial = self.measure(stage, self.plan.stages[stage].training)
        self.threads, self._most_threads = trial.threads, trial.most
        self._slowness = trial.per_patch / self.speed.per_patch[stage]
        self.speed = self.speed.training_times(self._slowness)

    def _save(self) -> None:
        SavedBudget(round(self.spent, 3), self._patches).save(self.path)


def _halfway(ratio: float) -> float:
    """Return the factor that goes half of the way to what was measured."""
    return (1 + ratio) / 2


def _check(saved: SavedBudget) -> None:
    """Raise ValueError or TypeError if what was read is not what a training writes."""
    if not 0 <= saved.spent < math.inf:
        raise ValueError(f"found {saved.spent!r} seconds")
    for name, share in saved.patches.items():
        if not 0 < share <= 1:
            raise ValueError(f"found a share {share!r} of the patches of {name}")
