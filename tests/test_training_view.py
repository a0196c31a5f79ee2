"""The one view of a whole training: what is left to do after a break, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_world import tiny_plan

from facetl.boxes import as_boxes
from facetl.cli import training_view
from facetl.cli.console import LINE
from facetl.cli.training_view import TrainingView
from facetl.data.dataset import FaceDataset
from facetl.data.frame import Frame
from facetl.training.checkpoint import Checkpoint
from facetl.training.plan import Step
from facetl.training.preparation import FrameCut, Preparation, Unreadable
from facetl.training.progress import describe_epoch
from facetl.training.time_estimate import TYPICAL

PNET, RNET, ONET = tiny_plan().steps
FRAME = Frame(Path("a.png"), "a.png", as_boxes([[10, 10, 30, 30]]), (None,), (120, 160))
DATASET = FaceDataset((FRAME,) * 4)
CUTTING_PNET, *_ = ESTIMATES = TYPICAL.estimate(tiny_plan(), 4, 4)
CUTS: list[FrameCut | Unreadable] = [Unreadable(index, "a.png", "why") for index in range(4)]


class Bar:
    """Remembers what a bar is told; all work that was foreseen is done at ``foreseen``."""

    left = "2 min"

    def __init__(self, foreseen: float) -> None:
        self.foreseen = foreseen
        self.done = self.skipped = 0.0
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def describe(self, what: str) -> None:
        self.what = what

    def advance(self, seconds: float) -> None:
        self.done += seconds

    def resize(self, foreseen: float, left: float) -> None:
        self.foreseen, self.left = foreseen, f"{left} s"

    def skip(self, seconds: float) -> None:
        self.done += seconds
        self.skipped += seconds


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> TrainingView:
    monkeypatch.setattr(training_view, "TimeBar", Bar)
    return TrainingView(tiny_plan(), DATASET)


def bar_of(view: TrainingView) -> Any:
    return view._bar


def checkpoint_after(epoch: int) -> Checkpoint:
    figures = {"total": 0.5, "classification": 0.3, "box": 0.1, "recall": 1, "false_alarms": 0}
    record = {"epoch": epoch, "train": figures, "validation": figures, "seconds": 1.0}
    return Checkpoint(epoch, {}, {}, epoch, {}, (record,) * epoch)


def walk(view: TrainingView, step: Step, epochs: int) -> None:
    list(view.cutting(step, iter(CUTS)))
    view.has_cut(step, Preparation.of([]))
    for epoch in range(1, epochs + 1):
        view.has_trained(step, checkpoint_after(epoch))


def test_at_the_end_all_that_was_foreseen_is_done(view: TrainingView) -> None:
    bar = bar_of(view)
    assert bar.foreseen == pytest.approx(sum(each.total for each in ESTIMATES))
    for step, epochs in ((PNET, 2), (RNET, 1), (ONET, 1)):
        walk(view, step, epochs)
    assert bar.done == pytest.approx(bar.foreseen)
    assert bar.skipped == pytest.approx(0, abs=1e-12)


def test_what_was_done_before_a_break_is_skipped(view: TrainingView) -> None:
    bar = bar_of(view)
    view.has_trained(PNET, checkpoint_after(2))  # cutting and the first epoch came before
    assert bar.skipped == pytest.approx(CUTTING_PNET.cutting + CUTTING_PNET.epoch)
    view.skips(RNET)
    walk(view, ONET, 1)
    assert bar.done == pytest.approx(bar.foreseen)
    assert "[rnet] finished before" in bar.lines


def test_a_new_plan_changes_what_is_left_alone(view: TrainingView) -> None:
    bar = bar_of(view)
    walk(view, PNET, 2)
    done = bar.done
    longer = tiny_plan().with_epochs([9, 3, 1])
    view.replans(RNET, longer, 100)
    _, rnet, onet = TYPICAL.estimate(longer, 4, 4)
    assert bar.foreseen == pytest.approx(done + rnet.total + onet.total)
    list(view.cutting(RNET, iter(CUTS)))
    view.has_trained(RNET, checkpoint_after(1))
    assert "epoch  1/3" in bar.lines[-1]
    assert bar.lines[-1].endswith("100 s left")
    view.replans(RNET, longer.with_epochs([9, 2, 1]), 50)  # the plan is cut short meanwhile
    view.has_trained(RNET, checkpoint_after(2))
    walk(view, ONET, 1)
    assert bar.done == pytest.approx(bar.foreseen)


@pytest.mark.parametrize("label_of", [PNET, Step(2, "onet")])
@pytest.mark.parametrize("loss", [0.01234, 123.4])
@pytest.mark.parametrize("epochs", [2, 120])
@pytest.mark.parametrize("left", ["?", "12 min", "1234 min"])
def test_the_line_of_an_epoch_fits_a_terminal(
    view: TrainingView, label_of: Step, loss: float, epochs: int, left: str
) -> None:
    figures = {"total": loss, "classification": loss, "box": loss, "recall": 1, "false_alarms": 0}
    record = {"epoch": epochs, "train": figures, "validation": figures, "seconds": 1234.5}
    bar_of(view).left = left
    view.plan = tiny_plan().with_epochs([epochs] * 3)
    step = Step(label_of.round, label_of.stage)
    view._estimates[step] = ESTIMATES[0]
    view.has_trained(step, Checkpoint(epochs, {}, {}, epochs, {}, (record,) * epochs))
    (line,) = bar_of(view).lines
    assert line.startswith(f"[{step.label}] epoch {epochs:>2}/{epochs}  loss {loss:.4f}")
    assert line.endswith(" *" if left == "?" else f" *  {left} left")
    assert len(line) <= LINE


def test_an_epoch_says_as_much_as_there_is_room_for() -> None:
    said = describe_epoch(checkpoint_after(1), tiny_plan().stages["pnet"].training)
    assert said == (
        "epoch  1/2  loss 0.5000  validation 0.5000  recall 1.000  false alarms 0.000 *"
    )
    short = describe_epoch(checkpoint_after(1), tiny_plan().stages["pnet"].training, 60)
    assert short == "epoch  1/2  loss 0.5000  validation 0.5000  recall 1.000 *"


def test_lines_tell_step_losses_and_time(view: TrainingView) -> None:
    unread = Preparation.of([Unreadable(0, "a.png", "a.png: truncated")])
    view.has_cut(Step(2, "rnet"), unread)
    view.has_trained(PNET, checkpoint_after(1))
    first, second, parts, third = bar_of(view).lines
    assert first == "skipped a.png: truncated"
    assert second == "[rnet, round 2] 0 positives, 0 parts, 0 negatives from 0 frames"
    assert parts == "[rnet, round 2] 100,178 of 100,178 parameters learn"
    assert third.startswith("[pnet] epoch  1/2  loss 0.5000  validation 0.5000")
    assert third.endswith("2 min left")
    assert bar_of(view).what == "rnet, round 2: training"
