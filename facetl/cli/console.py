"""What people see while they wait: progress and notes on stderr, tables on stdout."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from rich.table import Table

T = TypeVar("T")


def note(message: str) -> None:
    """Say something on stderr that is not a result."""
    click.echo(message, err=True)


def suggest(*words: object, why: str = "") -> None:
    """Suggest the next command on stderr, quoted so that it can be pasted."""
    command = shlex.join(str(word) for word in words)
    note(f"next: facetl {command}" + (f"  ({why})" if why else ""))


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yield the items with a progress bar on stderr; without one if stderr is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as progress:
        yield from progress.track(items, total=total, description=description)


def print_table(table: Table) -> None:
    """Print a table on stdout; when piped, as wide as its content needs."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=Console(width=10_000).measure(table).maximum)
    console.print(table)
