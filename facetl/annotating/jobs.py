"""What goes on in the background while a person annotates: one job at a time, told and stopped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeVar

from facetl.errors import FacetlError
from facetl.reporting import PROGRESS, Reporter

T = TypeVar("T")

_LEFT = re.compile(r"^(.*?)[\s,]*\b(\d+ (?:s|min)) left$")
_LAST = 20
"""Lines of a command that are kept, to say why it failed."""


class StoppedError(FacetlError):
    """A job was stopped by the person who started it."""


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        kind: what it does.
        state: whether it goes on, or how it ended.
        message: what is being done, or what came of it, in a line.
        left: how long it will still take, like ``3 min``; empty if nobody knows.
        outcome: more on what came of it.
        number: counts the jobs, from 1.
    """

    kind: str
    state: Literal["running", "finished", "stopped", "failed"] = "running"
    message: str = ""
    left: str = ""
    outcome: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0


class Report(Reporter):
    """Receives what a job tells of itself, and raises in it once it is to stop."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._stopping = threading.Event()
        self._child: subprocess.Popen[str] | None = None

    def note(self, message: str) -> None:
        """Tell what is being done.

        Raises:
            StoppedError: if the job is to stop.
        """
        if self._stopping.is_set():
            raise StoppedError("stopped")
        found = _LEFT.match(message)
        self._tell(*(found.groups() if found else (message, "")))

    def track(self, items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
        """Yield the items; tell how many are done."""
        for done, item in enumerate(items):
            self.note(f"{description}: {done} of {total}" if total else description)
            yield item

    def stop(self) -> None:
        """Let the job stop, and the command that it runs, which keeps what is done."""
        self._stopping.set()
        if child := self._child:
            child.terminate()

    def run(
        self, words: Sequence[str], plainly: Callable[[str], str | None] = lambda line: line
    ) -> list[str]:
        """Run a facetl command in a process of its own; return its last lines.

        Args:
            words: the command.
            plainly: returns what is told of a line that it writes, None for nothing.

        Raises:
            StoppedError: if the job is to stop.
            FacetlError: if the command fails, with its complaint.
        """
        self.note("starting")
        last: deque[str] = deque(maxlen=_LAST)
        with subprocess.Popen(
            [sys.executable, "-m", "facetl", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, PROGRESS: "lines", "PYTHONUNBUFFERED": "1"},
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as child:
            self._child = child
            try:
                for line in child.stdout or ():
                    last.append(line.strip())
                    if told := plainly(line.strip()):
                        self.note(told)
            finally:
                if child.poll() is None and self._stopping.is_set():
                    child.terminate()
                self._child = None
        if self._stopping.is_set():
            raise StoppedError(last[-1].removeprefix("facetl: ") if last else "stopped")
        if child.returncode:
            raise FacetlError(last[-1].removeprefix("facetl: ") if last else "the command failed")
        return list(last)


Work = Callable[[Report], tuple[str, Mapping[str, Any]]]
"""Does a job; returns what came of it: a line, and more."""


class Background:
    """Runs jobs, one at a time, beside whatever else goes on."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._report: Report | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self, kind: str, work: Work) -> None:
        """Start a job.

        Raises:
            FacetlError: if another one is running.
        """
        with self._lock:
            before = self._progress
            if before and before.state == "running":
                raise FacetlError("something is running already; wait until it has ended")
            self._progress = Progress(kind, number=before.number + 1 if before else 1)
            self._report = Report(self._tell)
            self._thread = threading.Thread(target=self._run, args=(work, self._report))
            self._thread.start()

    def stop(self) -> None:
        """Let the job stop that is running, if any; it is told once it has."""
        if report := self._report:
            report.stop()

    def close(self) -> None:
        """Stop, and wait until nothing is running."""
        self.stop()
        if self._thread:
            self._thread.join()

    def to_json(self) -> dict[str, Any] | None:
        """Return how far the last job is; None if there was none."""
        return asdict(self._progress) if self._progress else None

    def _tell(self, message: str, left: str) -> None:
        assert self._progress is not None
        self._progress = replace(self._progress, message=message, left=left)

    def _run(self, work: Work, report: Report) -> None:
        try:
            message, outcome = work(report)
            self._end("finished", message, outcome)
        except StoppedError as error:
            self._end("stopped", str(error), {})
        except Exception as error:  # told in the page: nobody may be looking at the terminal
            self._end("failed", str(error) or type(error).__name__, {})

    def _end(
        self,
        state: Literal["finished", "stopped", "failed"],
        message: str,
        outcome: Mapping[str, Any],
    ) -> None:
        assert self._progress is not None
        ended = replace(self._progress, state=state, message=message, left="", outcome=outcome)
        self._progress = ended
