"""What a budget buys: all frames, fewer epochs, then fewer patches, and about the time it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_world import tiny_plan

from facetl.errors import InputError
from facetl.mtcnn.stages import STAGES, Stage
from facetl.training import time_estimate
from facetl.training.plan import CascadePlan, Share
from facetl.training.settings import TrainingSettings
from facetl.training.time_budget import SavedBudget, TimeBudget
from facetl.training.time_estimate import (
    LEAST_PATCHES,
    TYPICAL,
    Speed,
    StepProgress,
    Trial,
    Work,
    _choose_threads,
    measure_speed,
    possible_shares,
    try_training,
)
from facetl.training.transfer import Transfer

PLAN = CascadePlan.default()
FRAMES, FACES = 3600, 5218
SPEED = Speed(*(dict.fromkeys(STAGES, seconds) for seconds in (0.01, 0.0, 0.001)))
KEPT = Share(1.0, 1.0)


def work(plan: CascadePlan = PLAN, frames: int = FRAMES, faces: int = FACES) -> Work:
    return Work(plan, frames, faces, plan.steps)


def fit(seconds: float, whole: Work | None = None, **how: bool) -> CascadePlan:
    whole = whole or work()
    return whole.plan.reduced(whole.fit(seconds, TYPICAL, possible_shares(**how)))


def epochs(plan: CascadePlan) -> list[int]:
    return [each.training.total_epochs for each in plan.stages.values()]


def negatives(plan: CascadePlan) -> list[int]:
    return [each.recipe.negatives for each in plan.stages.values()]


# ---- what a plan takes, and what fits


def test_an_estimate_by_hand() -> None:
    # 10 frames with 15 faces; PNet cuts 15 × (3 + 2) + 10 × 4 = 115 patches, and so do the others;
    # in batches of 16 it is shown 128
    found = SPEED.estimate(tiny_plan(rounds=2), 10, 15)
    assert len(found) == 6
    assert (found[0].cutting, found[0].epoch, found[0].epochs) == pytest.approx((0.1, 0.128, 2))
    assert found[0].total == pytest.approx(0.1 + 2 * 0.128)
    assert found[1].total == pytest.approx(0.1 + 0.128)
    assert found[3:] == found[:3]
    cut = replace(SPEED, per_window=dict.fromkeys(STAGES, 0.01))
    assert cut.estimate(tiny_plan(), 10, 15)[0].cutting == pytest.approx(0.1 + 1.15)
    held = tiny_plan().transferring(Transfer(regulariser="delta"))
    assert SPEED.estimate(held, 10, 15)[0].epoch == pytest.approx(1.7 * 0.128)


def test_what_is_left_to_do_by_hand() -> None:
    plan = tiny_plan()  # 2, 1 and 1 epochs
    pnet, *ahead = plan.steps
    left = Work(plan, 10, 15, ahead, StepProgress(pnet, patches=112, done=1))
    assert left.seconds(KEPT, SPEED) == pytest.approx(0.112 + 2 * (0.1 + 0.128))
    twice = left.seconds(Share(2.0, 1.0), SPEED)  # 3 epochs of PNet are left
    assert twice == pytest.approx(3 * 0.112 + 2 * (0.1 + 2 * 0.128))
    finished = Work(plan, 10, 15, [], StepProgress(pnet, patches=112, done=2))
    assert finished.seconds(Share(0.0, 1.0), SPEED) == 0


def test_a_large_budget_doubles_the_epochs() -> None:
    fitting = fit(1e9)
    assert epochs(fitting) == [2 * count for count in epochs(PLAN)]
    assert negatives(fitting) == negatives(PLAN)


def test_epochs_are_spared_before_patches_and_frames_never() -> None:
    whole = work().seconds(KEPT, TYPICAL)
    some, few, least = fit(0.6 * whole), fit(0.3 * whole), fit(0.001)
    assert negatives(some) == negatives(PLAN)
    assert all(
        0.4 <= one / all_ < 0.8 for one, all_ in zip(epochs(some), epochs(PLAN), strict=True)
    )
    assert epochs(few) == [8, 3, 4]
    assert all(one < all_ for one, all_ in zip(negatives(few), negatives(PLAN), strict=True))
    assert epochs(least) == [1, 1, 1]
    assert negatives(least) == [round(LEAST_PATCHES * count) for count in negatives(PLAN)]
    assert all(each.recipe.positives >= 1 for each in least.stages.values())
    assert {each.frames for each in (some, few, least)} == {None}


def test_epochs_that_were_asked_for_stay() -> None:
    whole = work().seconds(KEPT, TYPICAL)
    assert fit(1e9, keeps_epochs=True) == PLAN
    poor = fit(whole / 2, keeps_epochs=True)
    assert epochs(poor) == epochs(PLAN)
    assert negatives(poor) < negatives(PLAN)
    gradual = PLAN.transferring(Transfer(strategy="gradual", phase_epochs=(1, 7, 2)))
    assert epochs(fit(0.1, work(gradual), keeps_epochs=True)) == [10, 10, 10]


def test_a_class_that_is_not_cut_stays_out() -> None:
    recipe = replace(PLAN.stages["pnet"].recipe, parts=0)
    assert recipe.thinned(0.01) == replace(recipe, positives=1, negatives=1)
    assert recipe.thinned(1.0) == recipe


@given(
    small=st.floats(0.1, 5000),
    factor=st.floats(1, 10),
    frames=st.integers(1, 5000),
    faces_each=st.floats(0.2, 3),
    rounds=st.integers(1, 3),
)
@settings(max_examples=50)
def test_more_time_buys_more_and_never_too_much(
    small: float, factor: float, frames: int, faces_each: float, rounds: int
) -> None:
    whole = work(replace(PLAN, rounds=rounds), frames, max(round(frames * faces_each), 1))
    shares = possible_shares()
    less, more = (whole.fit(seconds, TYPICAL, shares) for seconds in (small, small * factor))
    for share, seconds in ((less, small), (more, small * factor)):
        assert whole.seconds(share, TYPICAL) <= seconds or share == shares[-1]
    assert more.epochs >= less.epochs
    assert more.patches >= less.patches


# ---- a machine whose clock is ours


@dataclass
class Machine:
    """A machine with its own clock, which other work makes slower from some moment on.

    Attributes:
        speed: while nothing else runs.
        slowness: how many times as long things take at a moment.
        mistake: how many times as long training takes as the trials say.
    """

    speed: Speed
    slowness: Callable[[float], float] = lambda _: 1.0
    mistake: float = 1.0
    now: float = 0.0
    trials: int = 0

    def clock(self) -> float:
        return self.now

    def do(self, seconds: float) -> float:
        """Work for so long, a twentieth at a time; return how long it took."""
        began = self.now
        for _ in range(20):
            self.now += seconds / 20 * self.slowness(self.now)
        return self.now - began

    def measure(self, stage: Stage, settings: TrainingSettings) -> Trial:
        self.trials += 1
        per_patch = self.speed.per_patch[stage] * self.slowness(self.now)
        self.do(0.5)
        return Trial(2, per_patch, 2, 1.0)

    def train(self, budget: TimeBudget, plan: CascadePlan, frames: int, faces: int) -> list[str]:
        """Train in no time; return what was done."""
        story = []
        for step in plan.steps:
            chosen = budget.begin_step(step)
            self.do(self.speed.estimate_stage(step.stage, chosen, frames, faces).cutting)
            budget.has_cut(step)
            patches, done = chosen.count_patches(frames, faces), 0
            settings = budget.begin_training(StepProgress(step, patches))
            while done < settings.total_epochs:
                epoch = self.speed.estimate_epoch(step.stage, settings, patches)
                taken = self.do(epoch * self.mistake)
                done += 1
                settings = budget.after_epoch(StepProgress(step, patches, done), taken)
            story.append(f"{step.name} {done}")
        return story


def budget_on(machine: Machine, seconds: float, path: Path, whole: Work, **more: Any) -> TimeBudget:
    return TimeBudget(
        *(whole.plan, seconds, whole.frames, whole.faces, path / "budget.json", machine.measure),
        clock=machine.clock,
        **more,
    )


HUNDRED = work(PLAN.with_epochs([60, 24, 30]), 100, 150)

BUSY: dict[str, Callable[[float], float]] = {
    "quiet": lambda _: 1.0,
    "busy": lambda _: 3.0,
    "busy from the middle": lambda now: 1.0 if now < 60 else 3.0,
    "busy from early on": lambda now: 1.0 if now < 15 else 3.0,
    "busy from late on": lambda now: 1.0 if now < 85 else 3.0,
    "quiet from the middle": lambda now: 3.0 if now < 60 else 1.0,
    "busy off and on": lambda now: 3.0 if now // 10 % 2 else 1.0,
}


@pytest.mark.parametrize("slow", [1.0, 2.5])
@pytest.mark.parametrize("mistake", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("kind", list(BUSY))
@pytest.mark.parametrize("frames", [100, 400])
def test_a_training_takes_as_long_as_its_budget_within_a_third(
    kind: str, mistake: float, slow: float, frames: int, tmp_path: Path
) -> None:
    speed = TYPICAL.training_times(slow).cutting_times(slow)
    machine = Machine(speed, BUSY[kind], mistake)
    whole = work(PLAN.with_epochs([60, 24, 30]), frames, 150 * frames // 100)
    budget = budget_on(machine, 120, tmp_path, whole)
    machine.train(budget, whole.plan, whole.frames, whole.faces)
    assert machine.now <= 120 * 4 / 3
    done = whole.plan.reduced(Share(2.0, 1.0)) if budget.share.epochs == 2.0 else None
    assert machine.now >= 120 * 2 / 3 or done is not None  # there is no more to do than twice


def test_what_is_too_little_is_the_least_training_and_says_so(tmp_path: Path) -> None:
    machine = Machine(TYPICAL)
    budget = budget_on(machine, 1, tmp_path, HUNDRED)
    assert not budget.is_enough
    foreseen = budget.foreseen
    assert machine.train(budget, PLAN, 100, 150) == ["1_pnet 1", "1_rnet 1", "1_onet 1"]
    assert 1 < foreseen < machine.now < foreseen + 0.1
    assert negatives(budget.done([])) == [2, 2, 1]


def test_a_budget_that_is_enough_is_said_to_be(tmp_path: Path) -> None:
    assert budget_on(Machine(TYPICAL), 600, tmp_path, HUNDRED).is_enough


def test_work_before_the_plan_counts(tmp_path: Path) -> None:
    machine = Machine(TYPICAL, now=50.0)
    budget = budget_on(machine, 120, tmp_path, HUNDRED, began=30.0)
    assert budget.spent == pytest.approx(20 + 0.5)


def test_epochs_that_were_asked_for_are_all_done(tmp_path: Path) -> None:
    machine = Machine(TYPICAL, BUSY["busy from early on"])
    budget = budget_on(machine, 60, tmp_path, HUNDRED, keeps_epochs=True)
    assert machine.train(budget, PLAN, 100, 150) == ["1_pnet 60", "1_rnet 24", "1_onet 30"]


def test_every_new_plan_is_told(tmp_path: Path) -> None:
    heard: list[tuple[str, list[int]]] = []
    machine = Machine(TYPICAL, BUSY["busy from early on"])
    budget = budget_on(machine, 60, tmp_path, HUNDRED)
    budget.on_plan = lambda step, plan, _: heard.append((step.name, epochs(plan)))
    machine.train(budget, PLAN, 100, 150)
    assert [name for name, _ in heard] == sorted(
        (name for name, _ in heard), key=["1_pnet", "1_rnet", "1_onet"].index
    )
    assert epochs(PLAN.reduced(budget.share)) < heard[0][1]


def test_what_was_done_is_told_by_the_records(tmp_path: Path) -> None:
    budget = budget_on(
        Machine(TYPICAL), 600, tmp_path, work(replace(HUNDRED.plan, rounds=2), 100, 150)
    )
    told = {(1, "pnet"): 9, (1, "rnet"): 9, (1, "onet"): 9}
    told |= {(2, "pnet"): 3, (2, "rnet"): 2, (2, "onet"): 1}
    records = [
        {"round": number, "stage": stage} for (number, stage), n in told.items() for _ in range(n)
    ]
    assert epochs(budget.done(records)) == [3, 2, 1]


def test_a_training_that_is_resumed_has_the_rest_of_its_time(tmp_path: Path) -> None:
    machine = Machine(TYPICAL)
    budget = budget_on(machine, 30, tmp_path, HUNDRED)
    step = PLAN.steps[0]
    chosen = budget.begin_step(step)
    machine.do(12)
    budget.begin_training(StepProgress(step, 1000))
    other = Machine(TYPICAL, now=1e6)  # a faster one would choose otherwise now
    resumed = budget_on(other, 3000, tmp_path, HUNDRED)
    assert resumed.spent == pytest.approx(budget.spent + 0.5)
    assert resumed.begin_step(step).recipe == chosen.recipe
    assert (budget.is_resumed, resumed.is_resumed) == (False, True)
    later = PLAN.steps[1]
    assert resumed.begin_step(later).recipe == PLAN.stages["rnet"].recipe


def test_what_is_finished_is_not_planned_for_again(tmp_path: Path) -> None:
    """In a training that is resumed, as soon as the step it was interrupted at begins."""
    names = [step.name for step in PLAN.steps]
    SavedBudget(60, dict.fromkeys(names, 1.0)).save(tmp_path / "budget.json")
    budget = budget_on(Machine(TYPICAL), 120, tmp_path, HUNDRED)
    whole = budget.share
    budget.begin_step(PLAN.steps[-1])
    assert budget.share.epochs > whole.epochs


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"spent": 1}',
        '{"spent": -1, "patches": {}}',
        '{"spent": NaN, "patches": {}}',
        '{"spent": "1", "patches": {}}',
        '{"spent": 1, "patches": {"1_pnet": 0}}',
        '{"spent": 1, "patches": {"1_pnet": 2}}',
        '{"spent": 1, "patches": {"1_pnet": "all"}}',
        '{"spent": 1, "patches": [1]}',
    ],
)
def test_a_damaged_memory_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "budget.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"budget\.json: damaged .*; start over with --force"):
        SavedBudget.load(path)


def test_a_memory_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "budget.json"
    assert SavedBudget.load(path) == SavedBudget()
    SavedBudget(1.5, {"1_pnet": 0.5}).save(path)
    assert SavedBudget.load(path) == SavedBudget(1.5, {"1_pnet": 0.5})
    assert json.loads(path.read_text()) == {"spent": 1.5, "patches": {"1_pnet": 0.5}}


# ---- what the machine can do


@pytest.mark.parametrize(
    ("seconds", "threads", "gain"),
    [
        ({2: 1.0, 1: 1.9}, 2, 1.0),  # free cores
        ({2: 1.0, 1: 0.95}, 2, 1.0),  # no clear difference
        ({2: 5.0, 1: 1.0}, 1, 5.0),  # busy ones
        ({1: 2.0}, 1, 1.0),
    ],
)
def test_one_thread_is_taken_where_it_is_clearly_faster(
    seconds: dict[int, float], threads: int, gain: float
) -> None:
    assert _choose_threads(seconds) == Trial(threads, seconds[threads], max(seconds), gain)


def test_one_slow_trial_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_estimate, "_TRIAL_SECONDS", float("inf"))
    taken = {2: iter([9.0, 1.0, 50.0, 1.1]), 1: iter([9.0, 2.0, 2.2, 2.1])}
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    waiting = iter([taken[2], taken[1]])
    monkeypatch.setattr(time_estimate, "_trials", lambda *_: next(waiting))
    found = try_training("pnet", PLAN.stages["pnet"].training, torch.device("cpu"))
    assert found == Trial(2, 1.1, 2, 1.0)


def test_all_threads_are_tried_while_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(torch, "set_num_threads", tried.append)
    taken = iter([iter([1.0] * 4), iter([2.0] * 4)])
    monkeypatch.setattr(time_estimate, "_trials", lambda *_: next(taken))
    settings = PLAN.stages["pnet"].training
    assert try_training("pnet", settings, torch.device("cpu"), 4) == Trial(4, 1.0, 4, 1.0)
    assert tried == [4, 1] * 4 + [1]  # and as it was


def test_trials_on_a_slow_machine_end_after_one_that_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time_estimate, "_TRIAL_SECONDS", 0.0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    trials = iter([9.0, 2.0])
    monkeypatch.setattr(time_estimate, "_trials", lambda *_: trials)
    found = try_training("pnet", PLAN.stages["pnet"].training, torch.device("cpu"))
    assert found == Trial(1, 2.0, 1, 1.0)


def test_a_slow_epoch_has_the_threads_chosen_anew(tmp_path: Path) -> None:
    machine = Machine(TYPICAL)
    budget = budget_on(machine, 600, tmp_path, HUNDRED)
    step = PLAN.steps[0]
    budget.begin_step(step)
    budget.begin_training(StepProgress(step, 1000))
    before = machine.trials
    usual = TYPICAL.estimate_epoch("pnet", PLAN.stages["pnet"].training, 1000)
    budget.after_epoch(StepProgress(step, 1000, 1), usual)
    assert machine.trials == before
    budget.after_epoch(StepProgress(step, 1000, 2), 4 * usual)
    assert machine.trials == before + 1


def test_one_thread_is_left_again_when_the_cores_are_free(tmp_path: Path) -> None:
    machine = Machine(TYPICAL)
    answers = iter([Trial(1, 5 * TYPICAL.per_patch["onet"], 2, 5.0), Trial(2, 0.0001, 2, 1.0)])
    path = tmp_path / "budget.json"
    budget = TimeBudget(PLAN, 600, 100, 150, path, lambda *_: next(answers), clock=machine.clock)
    step = PLAN.steps[0]
    budget.begin_step(step)
    budget.begin_training(StepProgress(step, 1000))
    usual = budget.speed.estimate_epoch("pnet", PLAN.stages["pnet"].training, 1000)
    budget.after_epoch(StepProgress(step, 1000, 1), 0.5 * usual)  # this may be so with PNet
    assert budget.threads == 1
    budget.after_epoch(StepProgress(step, 1000, 2), 0.2 * usual)
    assert budget.threads == 2


def test_the_speed_of_this_machine_is_measured() -> None:
    threads = torch.get_num_threads()
    speed = measure_speed(torch.device("cpu"), PLAN)
    assert torch.get_num_threads() == threads
    assert set(speed.per_frame) == set(speed.per_patch) == set(STAGES)
    assert all(seconds > 0 for seconds in speed.per_patch.values())
    ratio = {stage: speed.per_frame[stage] / TYPICAL.per_frame[stage] for stage in STAGES}
    assert ratio["rnet"] == pytest.approx(ratio["onet"])


def test_all_stages_are_repainted_and_nothing_else_changes() -> None:
    plan = CascadePlan.default()
    painted = plan.augmented(repaint=0.4)
    assert {each.training.augmentation.repaint for each in painted.stages.values()} == {0.4}
    own = {stage: each.training.augmentation.repaint for stage, each in plan.stages.items()}
    for stage, share in own.items():
        changed = painted.stages[stage].training
        augmentation = replace(changed.augmentation, repaint=share)
        assert replace(changed, augmentation=augmentation) == plan.stages[stage].training
