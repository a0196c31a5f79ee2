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
    help="The network to be trained on the patches.",
)
@click.option(
    "--weights",
    type=options.READ_NAME,
    metavar="FILE",
    help="For rnet and onet: the retrained earlier stages, whose proposals are mined. A weights "
    "file, 'cartoon' or 'pretrained'.",
)
@options.images_folder
@options.annotation_file
@options.annotation_format
@_count("--positives", 1, "12, 12, 8", "Positives per face.")
@_count("--parts", 0, "6, 6, 4", "Part faces per face.")
@_count(
    "--negatives",
    1,
    "18, 25, 10",
    "Negatives per frame: for pnet half near faces, half anywhere; otherwise mostly false alarms.",
)
@click.option(
    "--at-least",
    type=click.IntRange(min=0),
    show_default="by stage: 50000, 50000, 25000",
    help="Minimum number of patches: unless counts are given, small sets of frames give up to 8 "
    "times as many per frame.",
)
@_overlap("--negative-below", 0.3, "IoU with every face below which a window is a negative.")
@_overlap("--part-from", 0.4, "IoU with a face from which a window is a part face.")
@_overlap("--positive-from", 0.65, "IoU with a face from which a window is a positive.")
@click.option(
    "--match",
    type=click.Choice(["square", "box"]),
    default="square",
    help="Whether IoU is measured with the face's square (same centre, longer side) or with its "
    "box.",
)
@click.option(
    "--padding/--no-padding",
    default=True,
    help="Windows that extend beyond the frame: black outside it, or the visible rest stretched.",
)
@options.seed
@options.workers
@options.device
@options.engine
@options.on_error
@click.option("--resume", is_flag=True, help="Resume interrupted cutting.")
@options.force
def prepare(**given: Any) -> None:
    """Cut labelled patches for one network from the annotated frames in DATA.

    For PNet (12×12), positives and part faces are squares shifted and scaled around each face,
    and negatives are squares near faces and elsewhere.  For RNet (24×24) and ONet (48×48) patches
    are what the earlier stages actually propose; if a face gets too few proposals, squares around
    it are added.  Each patch carries the offset from its window to the true box.

    Finished work is kept in a folder beside the patches until everything is done; after an
    interruption, the same command with --resume continues from there.

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
