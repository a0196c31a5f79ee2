"""``facetl prepare``: labelled patches from annotated frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.console import plain_table, print_table, suggest
from facetl.cli.ending import ConsoleReporter

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.training.preparation import Preparation
    from facetl.training.recipe import Match


def _count(name: str, least: int, defaults: str, text: str) -> options.Decorator:
    range_ = click.IntRange(min=least)
    return click.option(name, type=range_, show_default=f"by stage: {defaults}", help=text)


def _overlap(name: str, default: float, text: str) -> options.Decorator:
    return click.option(name, type=options.POSITIVE_SHARE, default=default, help=text)


@click.command(short_help="Cut labelled patches from annotated frames.")
@click.argument("data", required=False, type=options.READ, callback=options.expecting("frames"))
@click.option(
    "--out",
    required=True,
    type=options.WRITE,
    metavar="FOLDER",
    help="Where the patch file and its contact sheet go.",
)
@click.option(
    "--stage",
    type=click.Choice(["pnet", "rnet", "onet"]),
    default="pnet",
    help="The network that shall learn from the patches.",
)
@click.option(
    "--weights",
    type=options.READ_NAME,
    metavar="FILE",
    help="For rnet and onet: the tuned stages before, whose proposals are mined. A weights file, "
    "'cartoon' or 'pretrained'.",
)
@options.images_folder
@options.annotation_file
@options.annotation_format
@_count("--positives", 1, "12, 12, 8", "Positives a face.")
@_count("--parts", 0, "6, 6, 4", "Part faces a face.")
@_count(
    "--negatives",
    1,
    "18, 25, 10",
    "Negatives a frame: for pnet half near faces, half anywhere; else mostly false alarms.",
)
@click.option(
    "--at-least",
    type=click.IntRange(min=0),
    show_default="by stage: 50000, 50000, 25000",
    help="Patches in all: unless counts are given, few frames give up to 8 times as many each.",
)
@_overlap("--negative-below", 0.3, "IoU with every face below which a window is a negative.")
@_overlap("--part-from", 0.4, "IoU with its face from which it is a part face.")
@_overlap("--positive-from", 0.65, "IoU with its face from which it is a positive.")
@click.option(
    "--match",
    type=click.Choice(["square", "box"]),
    default="square",
    help="IoU with the face's square (same centre, longer edge) or with its box.",
)
@click.option(
    "--padding/--no-padding",
    default=True,
    help="Windows that leave the frame: black beyond its edge, or a stretched remainder.",
)
@options.seed
@options.workers
@options.device
@options.engine
@options.on_error
@click.option("--resume", is_flag=True, help="Go on with the cutting that was broken off.")
@options.force
def prepare(**given: Any) -> None:
    """Cut labelled patches for one network from the annotated frames in DATA.

    For PNet (12×12), positives and part faces are squares shifted and scaled around each face,
    negatives squares near faces and anywhere else.  For RNet (24×24) and ONet (48×48) they are
    what the stages before really propose; where a face gets too few proposals, squares around
    it make up for them.  Each patch carries the offset from its window to the true box.

    What is cut lies in a folder beside the patches until all is done; after a break the same
    command with --resume goes on from there.

    \b
    Examples:
      facetl prepare cartoons --out patches
      facetl prepare --images frames --annotations faces.txt --out patches
      facetl prepare cartoons --stage rnet --weights pnet.safetensors --out patches
      facetl prepare cartoons --out patches --resume
    """
    from facetl.commands.prepare import PrepareRequest
    from facetl.commands.prepare import prepare as cut

    request = PrepareRequest(**given)
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
        rule: f"{count:,} faces ({count / max(preparation.faces, 1):.1%})"
        for rule, count in preparation.without_positive.items()
    }
    return (
        f"without any positive under --match {match}: {lost[match]}; "
        f"under --match {other} it would be {lost[other]}"
    )
