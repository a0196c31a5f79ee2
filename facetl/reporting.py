"""What a command reports while it works; in Python nothing, unless a reporter is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PROGRESS = "FACETL_PROGRESS"
"""Environment variable: if it is set, commands without a terminal write progress as lines."""


class Reporter:
    """Receives the progress and the notes of a command; this one ignores them.

    The functions in :mod:`facetl.commands` take one; the command line passes one that writes to
    the terminal.

    Attributes:
        command: the command line as it was typed, for files that record it; empty in Python.
        resuming: the command that resumes it; empty in Python.
    """

    command = ""
    resuming = ""

    def note(self, message: str) -> None:
        """Report something that is not a result, in one line."""

    def track(self, items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
        """Yield the items, and show how many are done.

        Args:
            items: the work, or its results.
            description: what is being done, for example ``searching``.
            total: the number of items; None if it is not known.
        """
        yield from items

    def resumable(
        self, place: Path, is_kept: Callable[[], bool] | None = None
    ) -> AbstractContextManager[None]:
        """If the block is interrupted, say how to resume, provided there is work to resume.

        Args:
            place: where the unfinished work is.
            is_kept: whether there is any; by default, whether the place exists.
        """
        return nullcontext()


SILENT = Reporter()


def say_time(seconds: float) -> str:
    """Return a time in words: ``40 s``, ``3 min``."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count and what is counted: ``1 face``, ``2 faces``.

    Args:
        count: how many.
        one: the word for one.
        many: the word for other numbers; if empty, with an ``s`` at its end.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
