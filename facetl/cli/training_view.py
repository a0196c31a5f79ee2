"""What people see of the training of a cascade: a line per epoch, and a bar with the time left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from facetl.cli.console import LINE, TimeBar, say_left
from facetl.data.dataset import FaceDataset
from facetl.training.checkpoint import Checkpoint
from facetl.training.plan import CascadePlan, Step
from facetl.training.preparation import FrameCut, Preparation, Unreadable
from facetl.training.progress import Watcher, describe_epoch, describe_parts
from facetl.training.time_estimate import TYPICAL, Estimate


@dataclass
class TrainingView(Watcher):
    """Shows how far a training has come: a line per epoch, and a bar with the time left.

    Attributes:
        plan: what is trained.
        dataset: on what.
    """

    plan: CascadePlan
    dataset: FaceDataset
    _bar: TimeBar = field(init=False)
    _estimates: dict[Step, Estimate] = field(init=False)
    _done: defaultdict[Step, float] = field(init=False)

    def __post_init__(self) -> None:
        chosen = self.plan.choose_frames(self.dataset)
        self._frames, self._faces = len(chosen), chosen.face_count
        estimates = TYPICAL.estimate(self.plan, self._frames, self._faces)
        self._estimates = dict(zip(self.plan.steps, estimates, strict=True))
        self._done = defaultdict(float)  # seconds of each step's work, as they were foreseen
        self._bar = TimeBar(self._foreseen)

    def __enter__(self) -> TrainingView:
        self._bar.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.__exit__(*details)

    @property
    def _foreseen(self) -> float:
        return sum(each.total for each in self._estimates.values())

    def replans(self, step: Step, plan: CascadePlan, left: float) -> None:
        """Show another plan for a step that is begun and those after it, and its seconds."""
        self.plan = plan
        ahead = plan.steps.index(step)
        updated = zip(plan.steps, TYPICAL.estimate(plan, self._frames, self._faces), strict=True)
        self._estimates.update(list(updated)[ahead:])
        self._bar.resize(self._foreseen, left)

    def skips(self, step: Step) -> None:
        """Show a step that was finished before a break."""
        self._bar.say(f"[{step.label}] finished before")
        self._bar.skip(self._estimates[step].total)

    def cutting(
        self, step: Step, frames: Iterator[FrameCut | Unreadable]
    ) -> Iterator[FrameCut | Unreadable]:
        """Wrap the stream of frames that patches are cut from."""
        seconds = self._estimates[step].cutting / self._frames
        self._bar.describe(f"{step.label}: cutting patches")
        for frame in frames:
            yield frame
            self._advance(step, seconds)

    def has_cut(self, step: Step, preparation: Preparation) -> None:
        """Show the patches of a step."""
        for frame in preparation.unreadable:
            self._bar.say(f"skipped {frame.reason}")
        counts = ", ".join(
            f"{count:,} {label.name.lower()}s" for label, count in preparation.counts.items()
        )
        self._bar.say(f"[{step.label}] {counts} from {preparation.frames:,} frames")
        parts = describe_parts(step.stage, self.plan.stages[step.stage].training)
        start = f", starting from {Path(self.plan.start).name}" if step.round == 1 else ""
        self._bar.say(f"[{step.label}] {parts}{start}")
        self._bar.describe(f"{step.label}: training")

    def has_trained(self, step: Step, checkpoint: Checkpoint) -> None:
        """Show another epoch."""
        foreseen = self._estimates[step]
        before = foreseen.cutting + foreseen.epoch * (checkpoint.epoch - 1)
        self._bar.skip(before - self._done[step])  # what was done before a break
        self._done[step] = before
        self._advance(step, foreseen.epoch)
        label, left = f"[{step.label}]", say_left(self._bar.left)
        settings = self.plan.stages[step.stage].training
        room = LINE - len(f"{label}   {left}")
        self._bar.say(f"{label} {describe_epoch(checkpoint, settings, room)}  {left}".rstrip())

    def _advance(self, step: Step, seconds: float) -> None:
        self._done[step] += seconds
        self._bar.advance(seconds)
