"""How a command ends that was interrupted or has no memory left: one line, and what to do."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from facetl.cli.console import note, track, typed_command
from facetl.errors import printable
from facetl.interruptions import exit_code, restoring_interruptions
from facetl.reporting import Reporter

T = TypeVar("T")

_BROKEN_PIPE = 128 + 13
"""Exit code where nobody reads stdout any more: that of SIGPIPE, as with other tools."""

_SHORTAGES = (
    "allocate memory",  # torch, the system
    "out of memory",  # CUDA
    "bad_alloc",
    "bad allocation",
    "insufficient memory",  # OpenCV
    "failed to allocate",
    "start new thread",
)
_SAVINGS = {
    "workers": "fewer --workers",
    "batch_size": "a smaller --batch-size",
    "limit": "a smaller --limit",
}


class ConsoleReporter(Reporter):
    """Shows on stderr how the running command gets on."""

    def __init__(self) -> None:
        self.command = typed_command()
        words = shlex.split(self.command)
        again = [word for word in words if word not in ("--resume", "--force")]
        self.resuming = shlex.join([*again, "--resume"])

    def note(self, message: str) -> None:
        """Say something on stderr, in one line."""
        note(message)

    def track(self, items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
        """Yield the items with a progress bar on stderr, if that is a terminal."""
        return track(items, description, total)

    @contextmanager
    def resumable(self, place: Path, is_kept: Callable[[], bool] | None = None) -> Iterator[None]:
        """If the block is interrupted, add to the message which command resumes."""
        try:
            with restoring_interruptions():
                yield
        except KeyboardInterrupt as interruption:
            if (is_kept or place.exists)() and not hasattr(interruption, "__notes__"):
                interruption.add_note(f"{place} keeps what is done; resume with: {self.resuming}")
            raise


@contextmanager
def stopping_in_one_line() -> Iterator[None]:
    """If the block is interrupted, say what is left of it, and exit with the signal's code."""
    try:
        with restoring_interruptions():
            yield
    except KeyboardInterrupt as interruption:
        notes: list[str] = getattr(interruption, "__notes__", [])
        left = notes[0] if notes else "nothing half-written is left"
        click.echo(f"facetl: stopped; {printable(left)}", err=True)
        sys.exit(exit_code(interruption))


def leave_broken_pipe() -> NoReturn:
    """Exit quietly where nobody reads stdout any more, as after ``facetl evaluate … | head -1``."""
    with suppress(OSError, ValueError):  # stdout may be no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(_BROKEN_PIPE)


def describe_shortage(error: BaseException, options: Collection[str]) -> str | None:
    """Return in one line what to do about an error for lack of memory; None for other errors.

    Args:
        error: of any library: those that have no error of their own for it are known by their text.
        options: names of the command's options.
    """
    if isinstance(error, RecursionError):
        return "found something nested too deeply in what was given; check the files"
    if not _is_shortage(error):
        return None
    savings = [saving for option, saving in _SAVINGS.items() if option in options]
    return (
        f"out of memory; try {' or '.join(savings or ['smaller images'])}, or close other programs"
    )


def _is_shortage(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    module = type(error).__module__.partition(".")[0]
    if module not in ("builtins", "torch", "cv2", "onnxruntime"):
        return False
    return any(words in str(error).lower() for words in _SHORTAGES)
