"""A process that has loaded everything, and forks a facetl in no time whenever it is asked.

Loading torch takes seconds, which twenty killed commands would spend before any work.  This
process loads it once, does nothing with it, so that it has no threads, and waits: for each line
of JSON on stdin it forks a child that runs the command, sends it signals at the moments that it
was told, and answers how it ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_PAUSE = 0.002


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
        code: its exit code; minus the signal's number if a signal ended it.
        seconds: that it worked, 0 if it was killed.
        signals: how many were sent before it ended.
        stderr: what it said.
    """

    code: int
    seconds: float
    signals: int
    stderr: str

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL met it alive."""
        return self.code == -signal.SIGKILL

    @property
    def was_hit(self) -> bool:
        """Whether any signal met it alive; it may have been at its end already."""
        return self.signals > 0


class Warm:
    """The process, seen from a test.

    Args:
        folder: for what its children say.
    """

    def __init__(self, folder: Path) -> None:
        self._errors = folder / "stderr"
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, arguments: Sequence[object], *signals: tuple[float, signal.Signals]) -> Ending:
        """Run a command; send it signals after so many seconds of its work, if it still lives."""
        assert self._process.stdin
        assert self._process.stdout
        request = {
            "arguments": [str(each) for each in arguments],
            "signals": signals,
            "errors": str(self._errors),
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ending(**answer, stderr=self._errors.read_text())


def make_small() -> None:
    """Let few frames give few patches, take times as read, and jot plots down: work counts.

    The clock of trainings stands still, so that what they write is the same byte for byte.
    """
    from facetl.evaluation.report import plots
    from facetl.experiments import scheduler
    from facetl.files import plot_paths, write_text
    from facetl.training import epochs
    from facetl.training.stages import STAGE_FACTS
    from facetl.training.time_estimate import TYPICAL

    vars(epochs)["time"] = SimpleNamespace(perf_counter=lambda: 0.0)
    for stage, facts in STAGE_FACTS.items():
        few = replace(facts.recipe, positives=3, parts=2, negatives=4)
        STAGE_FACTS[stage] = replace(facts, recipe=few, least_patches=1)
    vars(scheduler)["measure_speed"] = lambda *_: TYPICAL

    def jot(path: Path, figure: object) -> None:
        for each in plot_paths(path):
            write_text(each, "a plot\n")

    plots.save_plot = jot


def serve() -> None:
    """Fork a child for each line on stdin; say how it ended in a line on stdout."""
    import torch

    import facetl.commands.compare
    import facetl.evaluation.report.plots
    import facetl.experiments.plots
    import facetl.experiments.scheduler
    import facetl.mtcnn.native
    import facetl.training.cascade
    import facetl.training.patch_sheet  # noqa: F401
    from facetl.mtcnn.networks import build_network
    from facetl.training.epochs import _build_optimiser
    from facetl.training.settings import TrainingSettings

    torch.set_num_threads(1)
    _build_optimiser(build_network("pnet"), TrainingSettings())  # loads 900 modules more
    make_small()
    for line in sys.stdin:
        request = json.loads(line)
        told, tell = os.pipe()
        child = os.fork()
        if not child:
            sys.exit(work(request["arguments"], Path(request["errors"]), tell))
        os.close(tell)
        began = os.read(told, 1)
        status, sent = watch(child, request["signals"] if began else [])
        seconds = os.read(told, 100).decode() if began else ""
        os.close(told)
        answer = {
            "code": os.waitstatus_to_exitcode(status),
            "seconds": float(seconds or 0),
            "signals": sent,
        }
        print(json.dumps(answer), flush=True)


def work(arguments: Sequence[str], errors: Path, tell: int) -> Any:
    """Run a command; return its exit code."""
    from facetl.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    _hear_while_heeded(tell)
    for number, path in enumerate((os.devnull, os.devnull, str(errors))):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
    try:
        main(list(arguments))
    except SystemExit as ending:
        return ending.code


def _hear_while_heeded(tell: int) -> None:
    """Let signals wait until the command heeds them, and for ever once it has ended.

    Args:
        tell: a pipe that is told when the command begins, and how many seconds it took.
    """
    from facetl import cli
    from facetl.cli.ending import stopping_in_one_line
    from facetl.interruptions import SIGNALS, catching_signals

    @contextmanager
    def hearing() -> Iterator[None]:
        vars(cli)["catching_signals"] = catching_signals  # for commands that the command runs
        began = time.monotonic()
        os.write(tell, b".")
        with catching_signals():
            try:
                yield
            finally:
                signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
                os.write(tell, str(time.monotonic() - began).encode())
        for number in SIGNALS:  # other threads hear as well
            signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def stopping() -> Iterator[None]:
        with stopping_in_one_line():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            yield

    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    vars(cli)["catching_signals"] = hearing
    vars(cli)["stopping_in_one_line"] = stopping


def watch(child: int, signals: Sequence[tuple[float, int]]) -> tuple[int, int]:
    """Wait for a child and send it signals; return its status and how many it was sent.

    It is ours to reap: no other process can have its number meanwhile.
    """
    began = time.monotonic()
    for sent, (moment, number) in enumerate(signals):
        while time.monotonic() < began + moment:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status, sent
            time.sleep(_PAUSE)
        os.kill(child, number)
    return os.waitpid(child, 0)[1], len(signals)


if __name__ == "__main__":
    serve()
