"""``facetl compare``: methods of transfer side by side, over seeds and numbers of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.console import plain_table, print_table
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import CompareRequest

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.experiments.tables import Section


@options.command(CompareRequest, "Compare transfer methods in a study.")
def compare(request: CompareRequest) -> None:
    """Train with every method of a study, measure, and compare with plain fine-tuning.

    A study is a grid: stages or the whole cascade, strategies, regularisers, gradient rules,
    numbers of frames, seeds.  Each cell's result is written as soon as it is finished.  Studies
    that come with facetl: strategies, few-frames, few-frames-rnet, new-head, never-hurt,
    never-hurt-mild, defaults, fisher.

    \b
    Examples:
      facetl compare DATA --out lab --study never-hurt --dry-run
      facetl compare DATA --out lab --study never-hurt
      facetl compare DATA --out lab --study few-frames --resume
    """
    from facetl.commands.compare import compare as run
    from facetl.experiments.tables import LEGEND

    result = run(request, ConsoleReporter())
    if request.dry_run:
        return
    for section in result.sections:
        print_table(_draw(section))
        click.echo()
    click.echo(LEGEND)
    click.echo(f"wrote {result.table}, .csv, _cells.csv and plots beside them")


def _draw(section: Section) -> Table:
    """Return a section as a table, the best of each column in bold."""
    from rich.text import Text

    table = plain_table(section.header[0], section.header[1:], (0, 1))
    for line in section.lines:
        table.add_row(*(Text(each.text, "bold" if each.best else "") for each in line))
    return table
