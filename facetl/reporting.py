"""What a command says while it works; in Python nothing, unless somebody listens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class Reporter:
    """Is told how a command gets on; this one says nothing.

    The functions in :mod:`facetl.commands` take one; the command line gives one that writes to
    the terminal.

    Attributes:
        command: the command as it was typed, for the files that record it; empty in Python.
        resuming: the command that resumes it; empty in Python.
    """

    command = ""
    resuming = ""

    def note(self, message: str) -> None:
        """Say something, in one line, that is not a result."""

    def track(self, items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
        """Yield the items, and show how many are done.

        Args:
            items: work, or its results.
            description: what is done, like ``searching``.
            total: how many items there are; None if that is not known.
        """
        yield from items

    def resumable(
        self, place: Path, is_kept: Callable[[], bool] | None = None
    ) -> AbstractContextManager[None]:
        """If the block is told to stop, say how to resume, where there is work to resume.

        Args:
            place: where the unfinished work lies.
            is_kept: tells whether there is any; by default, whether the place exists.
        """
        return nullcontext()


SILENT = Reporter()
