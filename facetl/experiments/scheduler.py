"""The tasks of a study in the order of their needs, several at a time, and how long they take."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from graphlib import TopologicalSorter

import torch

from facetl.errors import FacetlError
from facetl.experiments.runner import do_task
from facetl.experiments.setup import Setup
from facetl.experiments.study import (
    PLAIN,
    Cell,
    CropTask,
    Graph,
    PatchTask,
    Task,
    as_stage,
    backbone_of,
)
from facetl.interruptions import end_with_parent, starting_workers
from facetl.mtcnn.stages import STAGES, Stage
from facetl.training.machine import keeping_threads
from facetl.training.plan import CascadePlan
from facetl.training.time_estimate import Speed, measure_speed

_MEASURING = 0.01
"""Seconds to search a test frame."""
_NAMING = 30.0
"""Seconds of a task that learns characters, roughly: most have as many steps."""


def run(graph: Graph, setup: Setup, workers: int) -> Iterator[Task]:
    """Do all tasks that are not done yet; yield each as it ends.

    Results do not depend on ``workers``.  What a task raises is raised here, and ends the run;
    what was done stays done.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    runs = _run_here(sorter, setup) if workers == 1 else _run_in_workers(sorter, setup, workers)
    for task in runs:
        sorter.done(task)
        yield task


def _run_here(sorter: TopologicalSorter[Task], setup: Setup) -> Iterator[Task]:
    while sorter.is_active():
        for task in sorter.get_ready():
            if not setup.is_done(task):
                do_task(task, setup)
            yield task


def _run_in_workers(sorter: TopologicalSorter[Task], setup: Setup, workers: int) -> Iterator[Task]:
    """Run tasks in processes: training keeps Python busy, which threads would share."""
    # fresh processes: a copy of one that has threads of torch may hang
    context = multiprocessing.get_context("spawn")
    running: dict[Future[None], Task] = {}
    ready: deque[Task] = deque()
    pool = ProcessPoolExecutor(workers, context, _start_worker)
    try:
        while sorter.is_active():
            ready.extend(sorter.get_ready())
            # no more than can run at once: what a pool has taken it does, even after Ctrl-C
            if ready and len(running) < workers:
                task = ready.popleft()
                if setup.is_done(task):
                    yield task
                else:
                    with starting_workers():
                        future = pool.submit(_do_in_worker, task, setup)
                    running[future] = task
            else:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    _check(future)
                    yield running.pop(future)
    except KeyboardInterrupt:
        _stop_workers()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _stop_workers() -> None:
    """Send the workers what Ctrl-C sends to all processes of a terminal, and ``kill`` to one."""
    for worker in multiprocessing.active_children():
        if worker.pid:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGINT)


def _check(future: Future[None]) -> None:
    """Raise what a task raised; Ctrl-C may reach the workers before this process."""
    try:
        future.result()
    except SystemExit:
        raise KeyboardInterrupt from None
    except BrokenProcessPool:
        raise FacetlError(
            "a task's process was killed, perhaps for lack of memory; resume with --resume and "
            "fewer --workers"
        ) from None


class _Worker:
    """What a worker process is doing, so that Ctrl-C ends its task once and tidily."""

    def __init__(self) -> None:
        self._is_working = False
        self._is_stopped = False

    def do(self, task: Task, setup: Setup) -> None:
        """Do a task, unless the process was told to stop before."""
        self._is_working = True
        try:
            if self._is_stopped:
                sys.exit(1)
            do_task(task, setup)
        finally:
            self._is_working = False

    def stop(self, *_: object) -> None:
        """Leave the task, once: a second signal shall not disturb the tidying."""
        before, self._is_stopped = self._is_stopped, True
        if self._is_working and not before:
            sys.exit(1)


_worker = _Worker()


def _start_worker() -> None:
    end_with_parent(_worker.stop)


def _do_in_worker(task: Task, setup: Setup) -> None:
    _worker.do(task, setup)


def forecast(tasks: Iterable[Task], setup: Setup, workers: int) -> float:
    """Return about how many seconds the tasks that are not done yet will take."""
    left = [task for task in tasks if not setup.is_done(task)]
    with keeping_threads(1):
        speed = measure_speed(torch.device(setup.device), CascadePlan.default())
    total = sum(_forecast_task(task, setup, speed) for task in left)
    return total / min(workers, max(len(left), 1))


def _forecast_task(task: Task, setup: Setup, speed: Speed) -> float:
    if isinstance(task, CropTask) or (not isinstance(task, PatchTask) and backbone_of(task.target)):
        return _NAMING
    plan = setup.plan(task.frames, task.seed, task.method if isinstance(task, Cell) else PLAIN)
    frames = plan.choose_frames(setup.train_frames)
    estimates = speed.estimate(plan, len(frames), frames.face_count)
    steps = dict(zip(STAGES, estimates, strict=True))
    if isinstance(task, PatchTask):
        return steps[task.stage].cutting
    stages: tuple[Stage, ...] = STAGES
    if task.target != "cascade":
        stages = (as_stage(task.target),)
    training = sum(steps[stage].epoch * steps[stage].epochs for stage in stages)
    cutting = sum(steps[stage].cutting for stage in stages) if len(stages) > 1 else 0.0
    return training + cutting + _MEASURING * len(setup.test_frames)
