"""``facetl prepare``: labelled patches from annotated frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.console import plain_table, print_table, suggest
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import PrepareRequest
from facetl.reporting import plural

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.training.preparation import Preparation
    from facetl.training.recipe import Match


@options.command(
    PrepareRequest,
    "Cut labelled patches from annotated frames.",
    "data out stage weights images annotations resume force | ... on_error",
)
def prepare(request: PrepareRequest) -> None:
    """Cut the small pictures that a network learns from, faces and not, out of annotated frames.

    \b
    Examples:
      facetl cartoons cartoons
      facetl prepare cartoons --out patches
      facetl prepare --images frames --annotations faces.txt --out patches
      facetl prepare cartoons --stage rnet --weights pnet.safetensors --out patches
      facetl prepare cartoons --out patches --resume

    This is a single step, for experiments: facetl train runs all of them.  DATA are folders of
    frames with boxes around the faces.  The small pictures, called patches, are what facetl
    train-pnet, train-rnet and train-onet train one network on; some are shown on a contact sheet.

    In detail:

    The detector has three networks: PNet looks at windows of 12×12 pixels, RNet (24×24) checks
    what it proposes, and ONet (48×48) what RNet lets through.  Each has patches of its own.
    Positives show a face, part faces a part of one, and negatives none; which is which is decided
    by their IoU with the face (intersection over union: the area in both,
    divided by that in either; from 0 to 1).

    For PNet, positives and part faces are squares shifted and scaled around each face, and
    negatives are squares near faces and elsewhere.  For RNet and ONet patches are what the earlier
    networks actually propose; if a face gets too few proposals, squares around it are added.
    Each patch carries the offset from its window to the true box.

    Finished work is kept in a folder beside the patches until everything is done; after an
    interruption, the same command with --resume continues from there.
    """
    from facetl.commands.prepare import prepare as cut

    result = cut(request, ConsoleReporter())
    if result.preparation is None:
        drawn = f"; wrote {result.sheet}" if result.sheet else ""
        click.echo(f"{result.path} was finished before{drawn}")
        return
    print_table(_counts_table(result.preparation))
    click.echo(_describe_coverage(result.preparation, request.match))
    click.echo(f"wrote {result.path}" + (f" and {result.sheet}" if result.sheet else ""))
    stage, weights = request.stage, request.weights
    join = ("--join", weights) if weights else ()
    suggest(f"train-{stage}", request.out, *join, "--out", f"{stage}.safetensors")


def _counts_table(preparation: Preparation) -> Table:
    table = plain_table("", [""])
    table.add_row("frames", f"{preparation.frames:,}")
    if preparation.unreadable:
        table.add_row("unreadable frames", f"{len(preparation.unreadable):,}")
    table.add_row("faces", f"{preparation.faces:,}")
    for label, count in preparation.counts.items():
        table.add_row(f"{label.name.lower()} patches", f"{count:,}")
    table.add_row("patches", f"{sum(preparation.counts.values()):,}", style="bold")
    return table


def _describe_coverage(preparation: Preparation, match: Match) -> str:
    """Say how many faces gave no positive under the rule in force, and under the other."""
    other: Match = "box" if match == "square" else "square"
    lost = {
        rule: f"{plural(count, 'face')} ({count / max(preparation.faces, 1):.1%})"
        for rule, count in preparation.without_positive.items()
    }
    return (
        f"without any positive under --match {match}: {lost[match]}; "
        f"under --match {other} it would be {lost[other]}"
    )
