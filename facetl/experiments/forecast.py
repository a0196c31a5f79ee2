"""How long a study will take."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from facetl.experiments.naming import PLAIN
from facetl.experiments.runner import Bench, one_thread
from facetl.experiments.study import Cell
from facetl.experiments.tasks import PatchTask, StartTask, Task
from facetl.mtcnn.networks import STAGES, Stage
from facetl.training.plan import CascadePlan
from facetl.training.time_estimate import Speed, measure_speed

MEASURING = 0.01
"""Seconds to search a test frame."""


def forecast(tasks: Iterable[Task], bench: Bench, speed: Speed, workers: int) -> float:
    """Return about how many seconds the tasks that are not done yet will take."""
    left = [task for task in tasks if not bench.is_done(task)]
    return sum(_forecast_task(task, bench, speed) for task in left) / min(
        workers, max(len(left), 1)
    )


def measure_thread(bench: Bench) -> Speed:
    """Return the speed of one thread, on which each task runs."""
    with one_thread():
        return measure_speed(torch.device(bench.device), CascadePlan.default())


def _forecast_task(task: Task, bench: Bench, speed: Speed) -> float:
    plan = bench.plan(task.frames, task.seed, task.method if isinstance(task, Cell) else PLAIN)
    frames = plan.choose_frames(bench.train_frames)
    estimates = speed.estimate(plan, len(frames), frames.face_count)
    steps = dict(zip(STAGES, estimates, strict=True))
    if isinstance(task, PatchTask):
        return steps[task.stage].cutting
    stages: tuple[Stage, ...] = STAGES
    if isinstance(task, StartTask):
        stages = (task.stage,)
    elif task.target != "cascade":
        stages = (task.target,)
    training = sum(steps[stage].epoch * steps[stage].epochs for stage in stages)
    cutting = sum(steps[stage].cutting for stage in stages) if len(stages) > 1 else 0.0
    return training + cutting + MEASURING * len(bench.test_frames)
