"""Doing the tasks of a study: in the order of their needs, several side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from graphlib import TopologicalSorter

from facetl.errors import FacetlError
from facetl.experiments.runner import Bench, do
from facetl.experiments.tasks import Graph, Task
from facetl.interruptions import end_with_parent, starting_workers


def run(graph: Graph, bench: Bench, workers: int) -> Iterator[Task]:
    """Do all tasks that are not done yet; yield each as it ends.

    Results do not depend on ``workers``.  What a task raises is raised here, and ends the run;
    what was done stays done.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    runs = _run_here(sorter, bench) if workers == 1 else _run_beside(sorter, bench, workers)
    for task in runs:
        sorter.done(task)
        yield task


def _run_here(sorter: TopologicalSorter[Task], bench: Bench) -> Iterator[Task]:
    while sorter.is_active():
        for task in sorter.get_ready():
            if not bench.is_done(task):
                do(task, bench)
            yield task


def _run_beside(sorter: TopologicalSorter[Task], bench: Bench, workers: int) -> Iterator[Task]:
    """Run tasks in processes: training keeps Python busy, which threads would share."""
    # fresh processes: a copy of one that has threads of torch may hang
    context = multiprocessing.get_context("spawn")
    running: dict[Future[None], Task] = {}
    ready: deque[Task] = deque()
    pool = ProcessPoolExecutor(workers, context, _settle_down, (bench,))
    try:
        while sorter.is_active():
            ready.extend(sorter.get_ready())
            # no more than can run at once: what a pool has taken it does, even after Ctrl-C
            if ready and len(running) < workers:
                task = ready.popleft()
                if bench.is_done(task):
                    yield task
                else:
                    with starting_workers():
                        future = pool.submit(_do_in_worker, task)
                    running[future] = task
            else:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    _raise_what_happened(future)
                    yield running.pop(future)
    except KeyboardInterrupt:
        _call_off_workers()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _call_off_workers() -> None:
    """Tell the workers what Ctrl-C tells all processes of a terminal, and ``kill`` only one."""
    for worker in multiprocessing.active_children():
        if worker.pid:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGINT)


def _raise_what_happened(future: Future[None]) -> None:
    """Raise what a task raised; of Ctrl-C the workers may hear before this process does."""
    try:
        future.result()
    except SystemExit:
        raise KeyboardInterrupt from None
    except BrokenProcessPool:
        raise FacetlError(
            "a task's process was killed, perhaps for lack of memory; go on with --resume and "
            "fewer --workers"
        ) from None


_bench: Bench | None = None  # of the worker process
_is_working = False
_is_called_off = False


def _settle_down(bench: Bench) -> None:
    """Take the bench; learn to leave a task quietly on Ctrl-C, its temporary files removed."""
    global _bench
    _bench = bench
    end_with_parent(_leave)


def _leave(*_: object) -> None:
    """Leave the task, once: a second signal shall not disturb the tidying."""
    global _is_called_off
    before, _is_called_off = _is_called_off, True
    if _is_working and not before:
        sys.exit(1)


def _do_in_worker(task: Task) -> None:
    global _is_working
    assert _bench is not None, "a worker is given its bench when it starts"
    _is_working = True
    try:
        if _is_called_off:  # before it began
            sys.exit(1)
        do(task, _bench)
    finally:
        _is_working = False
