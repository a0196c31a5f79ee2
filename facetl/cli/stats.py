"""``facetl stats``: what is in a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.console import plain_table, print_table
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import StatsRequest
from facetl.errors import printable

if TYPE_CHECKING:
    from facetl.data.summary import Summary

_WIDTH = 80
"""Columns of a line that lists things."""
_SHOWN = 12
"""So many labels and sizes of images are named."""


@options.command(
    StatsRequest, "Summarise annotated frames.", "data out images annotations force | ..."
)
def stats(request: StatsRequest) -> None:
    """Summarise annotated frames: how many, and how large, where and of whom their faces are.

    \b
    Examples:
      facetl cartoons cartoons
      facetl stats cartoons
      facetl stats show1 show2 --out stats

    DATA are one or more folders of annotated frames.  Prints tables, and warns of what is rarely
    meant: faces annotated twice or too small to be found, boxes outside their frame, names that
    differ only in case or spaces, frames to test on that are nearly those to learn from.

    In detail:

    Each folder is read with all its parts (train, val, test).  Of frames that are near-duplicates
    of each other, all but one are counted as such.

    \b
    With --out, writes:
      stats.png    sizes, shapes, places, numbers, labels and colours of the faces (also as SVG)
      stats.json   all figures
      frames.csv, faces.csv   a row for each frame, and for each face
    """
    from facetl.commands.stats import stats as run

    result = run(request, ConsoleReporter())
    rows = [*result.groups, *([result.together] if len(result.groups) > 1 else [])]
    _print_counts(rows)
    click.echo()
    _print_shapes(rows)
    click.echo()
    _print_counted("images", {f"{w}×{h}": n for (w, h), n in result.together.image_sizes.items()})
    _print_counted("labels", {label or "none": n for label, n in result.together.labels.items()})
    _print_colour(result.together)
    if request.out:
        click.echo(f"wrote {request.out}")


def _print_counts(rows: Sequence[Summary]) -> None:
    headers = ["frames", "without faces", "near-dup.", "faces", "per frame"]
    table = plain_table("", headers)
    for each in rows:
        counts = (each.frames, each.faces_per_frame.get(0, 0), each.near_duplicates, each.faces)
        mean = each.faces / max(each.frames, 1)
        table.add_row(printable(each.name), *(f"{count:,}" for count in counts), f"{mean:.2f}")
    print_table(table)


def _print_shapes(rows: Sequence[Summary]) -> None:
    """Print quantiles of sizes and aspect ratios."""
    import numpy as np

    table = plain_table("", ["size, px: 5 %", "50 %", "95 %", "width/height: 5 %", "50 %", "95 %"])
    for each in rows:
        if each.faces:
            sizes, aspects = (
                np.quantile(values, (0.05, 0.5, 0.95)) for values in (each.sizes, each.aspects)
            )
            shown = (*(f"{size:.0f}" for size in sizes), *(f"{ratio:.2f}" for ratio in aspects))
            table.add_row(printable(each.name), *shown)
    print_table(table)


def _print_colour(together: Summary) -> None:
    from facetl.data.summary import mean_colour

    if found := mean_colour(together.colours):
        click.echo(f"colour of faces: mean hue {found[0]:.0f}°, mean saturation {found[1]:.2f}")


def _print_counted(title: str, counts: Mapping[str, int]) -> None:
    """Print the commonest of some things, with their numbers."""
    shown = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:_SHOWN])
    more = f", and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else ""
    if shown:
        text = printable(f"{title}: {shown}{more}")
        click.echo(fill(text, _WIDTH, subsequent_indent="  ", break_long_words=False))
