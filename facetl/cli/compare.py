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


@options.command(
    CompareRequest,
    "Compare ways of training in a study.",
    "data out study dry_run test resume force | ...",
)
def compare(request: CompareRequest) -> None:
    """Find out by experiment which way of training works best on your frames.

    \b
    Examples:
      facetl cartoons cartoons
      facetl compare cartoons --out lab --study never-hurt --dry-run
      facetl compare cartoons --out lab --study never-hurt
      facetl compare cartoons --out lab --study few-frames --resume

    Trains a detector in each way that a study lists, on DATA, a folder of annotated frames, and
    measures all on the same frames.  It writes tables and plots that compare them with the usual
    training.  A study may take hours: --dry-run says how long.  If you only want a detector for
    your show, use facetl train.

    In detail:

    The usual training, plain fine-tuning, goes on from weights that were learnt elsewhere, and
    may forget what these could do.  Other methods of transfer learning hold against that:
    strategies (which layers learn, and when), regularisers (penalties that pull the weights
    back) and gradient rules (corrections of each step).  A study is a grid of such methods, of
    what is trained (one of the detector's three networks or all of them, the cascade), of numbers
    of frames, and of seeds.  The result of each cell of the grid is written as soon as it is
    finished.  docs/transfer.md explains the methods.

    Instead of faces a study may learn who they belong to (see facetl train-names); it then
    measures how often the name is right.

    Studies that come with facetl: strategies, few-frames, few-frames-rnet, new-head, never-hurt,
    never-hurt-mild, defaults, fisher; of names names-strategies, names-l2-sp, names-never-hurt.
    """
    from facetl.commands.compare import compare as run
    from facetl.experiments.tables import legend_of

    result = run(request, ConsoleReporter())
    if request.dry_run:
        return
    for section in result.sections:
        print_table(_draw(section))
        click.echo()
    click.echo(legend_of(result.study))
    click.echo(f"wrote {result.table}, .csv, _cells.csv and plots beside them")


def _draw(section: Section) -> Table:
    """Return a section as a table, the best of each column in bold."""
    from rich.text import Text

    table = plain_table(section.header[0], section.header[1:], (0, 1))
    for line in section.lines:
        table.add_row(*(Text(each.text, "bold" if each.best else "") for each in line))
    return table
