"""What people see while they wait: progress and notes on stderr, tables on stdout."""

from __future__ import annotations

import errno
import math
import os
import shlex
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO, TypeVar, cast

import click

from facetl.errors import printable
from facetl.reporting import PROGRESS, say_time

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn
    from rich.table import Column, Table

T = TypeVar("T")

_EARLY, _AT_LEAST, _ENOUGH = 0.05, 2.0, 30.0
"""No time left is shown before this fraction of the work and the first of these seconds, or the
second; and a first step that is less of the work does not count: with it things are loaded."""
_MUCH = 1.5
"""A time left that was shown does not rise before the estimate is so many times as long."""
_UNKNOWN = "?"
LINE = 80
"""Columns that a terminal has at least."""
_HEAD = 12
"""Columns of text beyond which what heads a column of a table is folded."""
_FACT = 11
"""Columns of what a fact is about, with the space beside it."""
COMMAND = "facetl.command"
"""Where the context keeps the command as it was typed."""


def typed_command() -> str:
    """Return the command that is running, quoted so that it can be pasted."""
    return str(click.get_current_context().meta[COMMAND])


def note(message: str) -> None:
    """Say something on stderr that is not a result, in one line."""
    click.echo(printable(message), err=True)


class _PrintableStream:
    """A stream on which terminal control characters become escapes, but for line ends.

    Rich, which uses such characters itself, looks for the stream behind it, and writes there.
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
    """Let nothing on stdout and stderr control the terminal, whoever writes it.

    Names of files, runs and people come from elsewhere, and stand in tables and messages of ours,
    of click and of libraries that warn.
    """
    before = sys.stdout, sys.stderr
    if isinstance(sys.stdout, TextIOWrapper):  # whose encoding may lack bytes in names
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (cast("TextIO", _PrintableStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def show_command(command: str) -> None:
    """Show on stderr a command that is about to run, as it would be typed."""
    console = _plain_console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"$ {printable(command)}", style="bold")


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print what each text is about, and beside it the text, folded to the width of a terminal."""
    console = _plain_console()
    width = console.width if console.is_terminal else None
    for subject, text in facts:
        lines = textwrap.wrap(text, max(width - _FACT, _FACT)) if width else []
        for number, line in enumerate(lines or [text]):
            click.echo(f"{'' if number else subject:{_FACT - 1}} {line}")


def print_written(exports: Iterable[Sequence[Path]]) -> None:
    """Print which files or folders were written, a line for each export."""
    for paths in exports:
        click.echo(f"wrote {' and '.join(map(str, paths))}")


def suggest(*words: object, why: str = "") -> None:
    """Suggest the next command on stderr, quoted so that it can be pasted."""
    command = shlex.join(str(word) for word in words)
    note(f"next: facetl {command}" + (f"  ({why})" if why else ""))


def track(items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
    """Yield the items with a progress bar on stderr; without one if stderr is no terminal.

    A total of None is one that is not known.  A single item has no bar: loading it takes a tenth
    of a second.
    """
    if total == 1 or not _is_watched():
        yield from _tell(items, description, total) if os.environ.get(PROGRESS) else items
        return
    from rich.progress import MofNCompleteColumn

    with _build_progress(MofNCompleteColumn()) as progress:
        time_left = _TimeLeft()
        task = progress.add_task(description, total=total, left=time_left)
        for done, item in enumerate(items, 1):
            yield item
            if total:
                time_left.after(done, total - done)
            progress.update(task, advance=1)


def _tell(items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
    """Yield the items, and write a line about once a second, for a program that shows it."""
    time_left, told = _TimeLeft(), time.perf_counter()
    for done, item in enumerate(items, 1):
        yield item
        if time.perf_counter() - told >= 1:
            told = time.perf_counter()
            shown = say_left(time_left.after(done, total - done)) if total else ""
            of = f" of {total}" if total else ""
            note(f"{description}: {done}{of}{', ' if shown else ''}{shown}")


def say_left(left: str) -> str:
    """Return ``3 min left`` for ``3 min``; nothing while nobody knows."""
    return "" if left == _UNKNOWN else f"{left} left"


def _is_watched() -> bool:
    """Return whether somebody sees a bar: on a terminal, or where rich is told that it is one."""
    told = any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))
    return told or sys.stderr.isatty()


def _build_progress(*middle: ProgressColumn) -> Progress:
    """Return a bar on stderr between what is done and the time left; none without a terminal."""
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class LeftColumn(ProgressColumn):
        def render(self, task: Task) -> Text:  # several times a second
            return Text(say_left(task.fields["left"].now()))

    console = _plain_console(stderr=True, highlight=False, soft_wrap=True)
    done = TextColumn("{task.description}", markup=False)
    is_hidden = not console.is_terminal
    return Progress(done, BarColumn(), *middle, LeftColumn(), console=console, disable=is_hidden)


class _TimeLeft:
    """How long work will still take at its present pace, without jumps, once that can be told."""

    def __init__(self) -> None:
        self._began = self._before = time.perf_counter()
        self._first: float | None = None
        self._shown: float | None = None
        self._promised: float | None = None

    def expect(self, seconds: float) -> None:
        """Take a number of seconds from now on, instead of what follows from the pace."""
        self._promised = time.perf_counter() + seconds

    def after(self, done: float, left: float) -> str:
        """Return the time, like ``3 min``; ``?`` as long as too little is done to tell.

        Args:
            done: how much work was done since the beginning.
            left: how much of it is left, in the same unit.
        """
        now = time.perf_counter()
        estimate = self._estimate(now, done, left) if done > 0 else None
        if estimate is not None:
            shown, passed = self._shown, now - self._before
            self._shown = estimate if shown is None else steady(shown, passed, estimate)
            self._before = now
        return self.now()

    def now(self) -> str:
        """Return the same for this moment, while nothing more is done."""
        if self._shown is None:
            return _UNKNOWN
        return say_time(max(self._shown - (time.perf_counter() - self._before), 0.0))

    def _estimate(self, now: float, done: float, left: float) -> float | None:
        """Return the seconds left, as they are estimated now; None if too little is done."""
        if left <= 0:
            return 0.0
        if self._promised is not None:
            return self._promised - now
        if self._first is None:
            is_small = done < _EARLY * (done + left)
            self._first = done if is_small else 0.0
            self._began = now if is_small else self._began
        counted, passed = done - self._first, now - self._began
        is_late = counted >= _EARLY * (counted + left)
        if counted <= 0 or passed < _AT_LEAST or not (is_late or passed >= _ENOUGH):
            return None
        return left * passed / counted


def steady(shown: float, passed: float, estimate: float) -> float:
    """Return the seconds left to show: those shown before run down and approach the estimate.

    Half of the difference is gone after a sixth of the time that is left.  They stand still rather
    than rise, unless the estimate is much longer.

    Args:
        shown: seconds left that were shown before.
        passed: seconds since then.
        estimate: seconds left, as it is estimated now.
    """
    if estimate <= 0:
        return 0.0
    expected = max(shown - passed, 0.0)
    found = estimate + (expected - estimate) * math.exp(-4 * passed / estimate)
    return found if estimate > _MUCH * shown else min(found, shown)


class TimeBar:
    """A bar over the seconds that work was estimated to take, with the time that is really left.

    Lines written meanwhile stay above it; without a terminal there are only the lines.

    Args:
        estimate: seconds of all work; only ratios matter.

    Attributes:
        left: how long it will still take, like ``3 min``.
    """

    def __init__(self, estimate: float) -> None:
        self._progress, self._time_left = _build_progress(), _TimeLeft()
        self._task = self._progress.add_task("", total=estimate, left=self._time_left)
        self.left = _UNKNOWN
        self._estimate = estimate
        self._done = 0.0
        self._skipped = 0.0

    def __enter__(self) -> TimeBar:
        self._progress.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        """Write a line on stderr."""
        self._progress.console.print(printable(line))

    def describe(self, what: str) -> None:
        """Show beside the bar what is done."""
        self._progress.update(self._task, description=what)

    def advance(self, estimate: float) -> None:
        """Count so many of the estimated seconds as done."""
        self._done += estimate
        self.left = self._time_left.after(self._done - self._skipped, self._estimate - self._done)
        self._progress.update(self._task, completed=self._done)

    def resize(self, estimate: float, left: float) -> None:
        """Replace the estimate of all work, and the seconds that what is left will take."""
        self._estimate = estimate
        self._time_left.expect(left)
        self._progress.update(self._task, total=estimate)

    def skip(self, estimate: float) -> None:
        """Count so many of the estimated seconds as done before."""
        self._skipped += estimate
        self.advance(estimate)


def plain_table(
    title: str,
    headers: Sequence[str],
    padding: tuple[int, int] | tuple[int, int, int, int] = (0, 3, 0, 0),
) -> Table:
    """Return a table without lines: names on the left, figures on the right.

    Args:
        title: what the names are; with no ``headers`` nothing stands above the columns.
        headers: what each column of figures is; nothing in them is taken for markup.
        padding: of cells, as rich has it.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None,
        header_style="bold",
        pad_edge=False,
        padding=padding,
        show_header=any(headers),
    )
    table.add_column(Text(printable(title)))
    for header in headers:
        table.add_column(Text(printable(header)), justify="right", overflow="fold")
    return table


def print_table(table: Table) -> None:
    """Print a table on stdout; when piped, as wide as its content needs.

    On a terminal, columns that find no place beside the others come below them, with the first
    column once more.
    """
    console = _plain_console()
    if not console.is_terminal:
        _plain_console(width=_width_of(table)).print(table)
        return
    for number, part in enumerate(_split(table, console.width)):
        if number:
            console.print()
        console.print(part)


def _split(table: Table, width: int) -> list[Table]:
    """Return a table as tables whose cells fit a width; only what heads a column may be folded."""
    first, *others = table.columns
    room = width - min(_need(first, table), width // 2)
    groups: list[list[Column]] = [[]]
    for column in others:
        if groups[-1] and sum(_need(each, table) for each in [*groups[-1], column]) > room:
            groups.append([])
        groups[-1].append(column)
    return [_with_columns(table, [first, *group]) for group in groups]


def _need(column: Column, table: Table) -> int:
    """Return how many columns of text a column takes at least, with the space beside it."""
    measure = _plain_console(width=10_000).measure
    cells = max((measure(each).maximum for each in column.cells), default=0)
    return max(cells, min(measure(column.header).maximum, _HEAD)) + sum(table.padding[1::2])


def _with_columns(table: Table, columns: Sequence[Column]) -> Table:
    part = copy(table)
    part.columns = [replace(each, _index=place) for place, each in enumerate(columns)]
    return part


def _width_of(table: Table) -> int:
    """Return how many columns of text a table's content needs."""
    return _plain_console(width=10_000).measure(table).maximum


def _last_behind(stream: IO[str]) -> IO[str]:
    """Return the stream on which all that is written to one arrives."""
    behind: IO[str] | None = getattr(stream, "rich_proxied_file", None)
    return stream if behind is None else _last_behind(behind)


def _plain_console(**settings: Any) -> Console:
    """Return a console that shows texts as they are: names of files may look like markup.

    Terminal control characters become escapes.
    """
    from rich.console import Console
    from rich.segment import Segment

    class PlainConsole(Console):
        @Console.file.getter  # type: ignore[attr-defined, untyped-decorator]
        def file(self) -> IO[str]:
            # Rich looks behind one stream, but while a bar is shown there are two: its own, ours.
            return _last_behind(Console.file.fget(self))  # type: ignore[attr-defined]

        def render(self, *arguments: Any, **options: Any) -> Iterator[Segment]:
            for segment in super().render(*arguments, **options):
                text, style, control = segment
                lines = text if control else "\n".join(map(printable, text.split("\n")))
                yield Segment(lines, style, control)

        def on_broken_pipe(self) -> None:  # rich itself would exit with code 1
            raise BrokenPipeError(errno.EPIPE, "nobody reads this any more")

    return PlainConsole(markup=False, emoji=False, **settings)
