"""What a budget buys: epochs first, then frames, and never more than it allows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_world import tiny_plan

from facetl.errors import InputError
from facetl.mtcnn.networks import STAGES
from facetl.training.plan import CascadePlan
from facetl.training.planning import (
    LEAST_FRAMES,
    TYPICAL,
    USABLE,
    Speed,
    estimate,
    fit_budget,
    measure_speed,
)

PLAN = CascadePlan.default()
FRAMES, FACES = 3600, 5218
SPEED = Speed(dict.fromkeys(STAGES, 0.01), dict.fromkeys(STAGES, 0.001))


def needed(plan: CascadePlan, frames: int = FRAMES, faces: int = FACES) -> float:
    """Return how long a plan takes with as many frames as it takes."""
    left = plan.frames or frames
    return sum(each.total for each in estimate(plan, left, round(faces * left / frames), TYPICAL))


def epochs(plan: CascadePlan) -> list[int]:
    return [each.training.epochs for each in plan.stages.values()]


def test_an_estimate_by_hand() -> None:
    # 10 frames with 15 faces; PNet cuts 15 × (3 + 2) + 10 × 4 = 115 patches, and so do the others
    found = estimate(tiny_plan(rounds=2), 10, 15, SPEED)
    assert len(found) == 6
    assert (found[0].cutting, found[0].epoch, found[0].epochs) == pytest.approx((0.1, 0.115, 2))
    assert found[0].total == pytest.approx(0.1 + 2 * 0.115)
    assert found[1].total == pytest.approx(0.1 + 0.115)
    assert found[3:] == found[:3]


def test_a_large_budget_doubles_the_epochs_and_takes_all_frames() -> None:
    fitting = fit_budget(PLAN, 1e9, FRAMES, FACES, TYPICAL)
    assert epochs(fitting) == [2 * count for count in epochs(PLAN)]
    assert fitting.frames is None


def test_what_the_plan_itself_takes_buys_at_least_the_plan() -> None:
    fitting = fit_budget(PLAN, needed(PLAN) / USABLE * 1.001, FRAMES, FACES, TYPICAL)
    assert epochs(fitting) == epochs(PLAN)


def test_epochs_that_are_kept_leave_frames_to_choose() -> None:
    rich = fit_budget(PLAN, 1e9, FRAMES, FACES, TYPICAL, keeps_epochs=True)
    poor = fit_budget(PLAN, needed(PLAN) / 2 / USABLE, FRAMES, FACES, TYPICAL, keeps_epochs=True)
    assert rich == PLAN
    assert poor.frames is not None
    assert poor.frames < FRAMES / 2
    assert replace(poor, frames=None) == PLAN


def test_a_small_budget_leaves_out_frames_at_last() -> None:
    full = fit_budget(PLAN, 0.7 * needed(PLAN) / USABLE, FRAMES, FACES, TYPICAL)
    little = fit_budget(PLAN, needed(PLAN) / 20 / USABLE, FRAMES, FACES, TYPICAL)
    assert full.frames is None
    assert epochs(little) == [max(round(0.4 * count), 1) for count in epochs(PLAN)]
    assert little.frames is not None
    assert LEAST_FRAMES <= little.frames < FRAMES / 5


@given(
    small=st.floats(10, 5000),
    factor=st.floats(1, 10),
    frames=st.integers(1, 5000),
    faces_each=st.floats(0.2, 3),
    rounds=st.integers(1, 3),
)
@settings(max_examples=50, deadline=None)
def test_more_time_buys_more_and_never_too_much(
    small: float, factor: float, frames: int, faces_each: float, rounds: int
) -> None:
    faces = max(round(frames * faces_each), 1)
    plan = replace(PLAN, rounds=rounds)
    try:
        less = fit_budget(plan, small, frames, faces, TYPICAL)
    except InputError:
        return
    more = fit_budget(plan, small * factor, frames, faces, TYPICAL)
    assert needed(less, frames, faces) <= USABLE * small
    assert needed(more, frames, faces) <= USABLE * small * factor
    assert (more.frames or frames) >= (less.frames or frames)
    assert epochs(more) >= epochs(less)
    assert needed(more, frames, faces) >= needed(less, frames, faces)


def test_a_budget_for_nothing_is_one_line_with_what_is_needed() -> None:
    with pytest.raises(InputError) as caught:
        fit_budget(PLAN, 0.5, FRAMES, FACES, SPEED)
    message = str(caught.value)
    assert message.startswith("found a budget of 0 s, the smallest training takes about ")
    assert message.endswith(" s here; choose a larger --budget")
    least = float(message.split(" about ")[1].split(" s ")[0])
    assert fit_budget(PLAN, least + 1, FRAMES, FACES, SPEED).frames is not None


def test_a_handful_of_frames_is_never_thinned_out() -> None:
    fitting = fit_budget(PLAN, 5, 8, 12, TYPICAL)
    assert fitting.frames in (None, 8)


def test_the_speed_of_this_machine_is_measured() -> None:
    speed = measure_speed(torch.device("cpu"), PLAN)
    assert set(speed.per_frame) == set(speed.per_patch) == set(STAGES)
    assert all(0 < seconds < 1 for seconds in speed.per_patch.values())
    assert all(0 < seconds < 60 for seconds in speed.per_frame.values())
    ratio = {stage: speed.per_frame[stage] / TYPICAL.per_frame[stage] for stage in STAGES}
    assert ratio["rnet"] == pytest.approx(ratio["onet"])


def test_all_stages_are_repainted_and_nothing_else_changes() -> None:
    plan = CascadePlan.default()
    painted = plan.repainted(0.4)
    assert {each.training.augmentation.repaint for each in painted.stages.values()} == {0.4}
    own = {stage: each.training.augmentation.repaint for stage, each in plan.stages.items()}
    for stage, share in own.items():
        changed = painted.stages[stage].training
        augmentation = replace(changed.augmentation, repaint=share)
        assert replace(changed, augmentation=augmentation) == plan.stages[stage].training
