"""What people see while they wait: progress and notes on stderr, tables on stdout."""

from __future__ import annotations

import errno
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

import click

from facetl.errors import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

T = TypeVar("T")

COMMAND = "facetl.command"
"""Where the context keeps the command as it was typed."""


def typed_command() -> str:
    """Return the command that is running, quoted so that it can be pasted."""
    return str(click.get_current_context().meta[COMMAND])


def note(message: str) -> None:
    """Say something on stderr that is not a result, in one line."""
    click.echo(printable(message), err=True)


class _PrintableStream:
    """A stream to which orders to terminals are written as escapes, line ends as they are.

    Rich, which gives such orders itself, looks for the stream behind it, and writes there.

    Args:
        stream: where everything goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream
        self.encoding = "utf-8"  # click would go past a stream of ASCII

    def write(self, text: str) -> int:
        """Write a text; return how long it was."""
        self.rich_proxied_file.write("\n".join(map(printable, text.split("\n"))))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


@contextmanager
def printing_plainly() -> Iterator[None]:
    """Let nothing on stdout and stderr give orders to the terminal, whoever writes it.

    Names of files, runs and people come from elsewhere, and stand in tables and messages of ours,
    of click and of libraries that warn.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", _PrintableStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def show_command(command: str) -> None:
    """Show on stderr a command that is about to run, as it would be typed."""
    console = _plain_console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"$ {printable(command)}", style="bold")


def suggest(*words: object, why: str = "") -> None:
    """Suggest the next command on stderr, quoted so that it can be pasted."""
    command = shlex.join(str(word) for word in words)
    note(f"next: facetl {command}" + (f"  ({why})" if why else ""))


def track(items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
    """Yield the items with a progress bar on stderr; without one if stderr is no terminal.

    A total of None is one that is not known.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = _plain_console(stderr=True)
    said = TextColumn("{task.description}", markup=False)
    columns = (said, BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as progress:
        yield from progress.track(items, total=total, description=description)


class TimeBar:
    """A bar over seconds of work as they were foreseen, with the time that is really left.

    Lines said meanwhile stay above it; without a terminal there are only the lines.

    Attributes:
        foreseen: seconds of all work; only ratios matter.
    """

    def __init__(self, foreseen: float) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        console = _plain_console(stderr=True, highlight=False, soft_wrap=True)
        texts = ("{task.description}", "{task.fields[left]}")
        said, left = (TextColumn(text, markup=False) for text in texts)
        self._progress = Progress(
            said, BarColumn(), left, console=console, disable=not console.is_terminal
        )
        self._task = self._progress.add_task("", total=foreseen, left="")
        self._foreseen = foreseen
        self._done = 0.0
        self._skipped = 0.0
        self._began = time.perf_counter()

    def __enter__(self) -> TimeBar:
        self._progress.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        """Write a line on stderr."""
        self._progress.console.print(printable(line))

    def describe(self, what: str) -> None:
        """Say beside the bar what is going on."""
        self._progress.update(self._task, description=what)

    def advance(self, foreseen: float) -> None:
        """Hear that so many of the foreseen seconds of work are done."""
        self._done += foreseen
        self._progress.update(self._task, completed=self._done, left=f"{self.left} left")

    def skip(self, foreseen: float) -> None:
        """Hear that so much work had been done before."""
        self._skipped += foreseen
        self.advance(foreseen)

    @property
    def left(self) -> str:
        """How long it will still take if it goes on as it went, like ``3 min``."""
        done = self._done - self._skipped
        if done <= 0:
            return "?"
        pace = (time.perf_counter() - self._began) / done
        return say_time(max(self._foreseen - self._done, 0.0) * pace)


def say_time(seconds: float) -> str:
    """Return a time as people say it: ``40 s``, ``3 min``."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def plain_table(title: str, headers: Sequence[str]) -> Table:
    """Return a table without lines: names on the left, figures on the right.

    Args:
        title: what the names are; with no ``headers`` nothing stands above the columns.
        headers: what each column of figures is; nothing in them is taken for markup.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None,
        header_style="bold",
        pad_edge=False,
        padding=(0, 3, 0, 0),
        show_header=any(headers),
    )
    table.add_column(Text(printable(title)))
    for header in headers:
        table.add_column(Text(printable(header)), justify="right")
    return table


def print_table(table: Table) -> None:
    """Print a table on stdout; when piped, as wide as its content needs."""
    console = _plain_console()
    if not console.is_terminal:
        console = _plain_console(width=_width_of(table))
    console.print(table)


def render(table: Table) -> str:
    """Return a table as text, as wide as its content needs, without colours."""
    console = _plain_console(width=_width_of(table), file=StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines() if line.strip())


def _width_of(table: Table) -> int:
    """Return how many columns of text a table's content needs."""
    return _plain_console(width=10_000).measure(table).maximum


def _plain_console(**settings: Any) -> Console:
    """Return a console that shows texts as they are: names of files may look like markup.

    What would give orders to the terminal becomes an escape.
    """
    from rich.console import Console
    from rich.segment import Segment

    class PlainConsole(Console):
        def render(self, *arguments: Any, **options: Any) -> Iterator[Segment]:
            for segment in super().render(*arguments, **options):
                text, style, control = segment
                lines = text if control else "\n".join(map(printable, text.split("\n")))
                yield Segment(lines, style, control)

        def on_broken_pipe(self) -> None:  # rich itself would exit with code 1
            raise BrokenPipeError(errno.EPIPE, "nobody reads this any more")

    return PlainConsole(markup=False, emoji=False, **settings)
