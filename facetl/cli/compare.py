"""``facetl compare``: methods of transfer side by side, over seeds and numbers of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.console import print_table
from facetl.cli.ending import ConsoleReporter

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.experiments.tables import Section


@click.command(short_help="Compare transfer methods in a study.")
@click.argument("data", type=options.READ, callback=options.expecting("frames"))
@click.option(
    "--out",
    type=options.WRITE,
    required=True,
    metavar="FOLDER",
    help="Folder for cells, tables and plots; several studies of the same frames may share it.",
)
@click.option(
    "--study",
    "source",
    default="strategies",
    type=options.READ_NAME,
    metavar="NAME|FILE.toml",
    help="A study that comes with facetl, or a file.",
)
@click.option(
    "--test",
    type=options.READ,
    metavar="FOLDER",
    help="Test frames, if DATA has no test part; without either, a fifth of DATA is held out.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print what would be done and how long it would take."
)
@options.annotation_format
@options.workers
@options.device
@options.on_error
@click.option("--resume", is_flag=True, help="Resume, or add a study to those in the folder.")
@options.force
def compare(source: str, workers: int, **given: Any) -> None:
    """Train with every method of a study, measure, and compare with plain fine-tuning.

    A study is a grid: stages or the whole cascade, strategies, regularisers, gradient rules,
    numbers of frames, seeds.  Each cell's result is written as soon as it is finished.  Studies
    that come with facetl: strategies, few-frames, few-frames-rnet, new-head, never-hurt,
    never-hurt-mild, defaults.

    \b
    Examples:
      facetl compare DATA --out lab --study never-hurt --dry-run
      facetl compare DATA --out lab --study never-hurt
      facetl compare DATA --out lab --study few-frames --resume
    """
    from facetl.commands.compare import CompareRequest
    from facetl.commands.compare import compare as run
    from facetl.experiments.tables import LEGEND

    chosen = workers if options.is_given("workers") else None
    request = CompareRequest(study=source, workers=chosen, **given)
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
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1))
    for number, header in enumerate(section.header):
        table.add_column(Text(header), justify="right" if number else "left")
    for line in section.lines:
        table.add_row(*(Text(each.text, "bold" if each.best else "") for each in line))
    return table
