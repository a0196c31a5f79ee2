"""``facetl evaluate``: runs against the truth, as a table, a metrics file and plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from facetl.cli import options
from facetl.cli.console import note, plain_table, print_table, suggest
from facetl.cli.ending import ConsoleReporter

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.evaluation.near_duplicates import Subset, TrainTestOverlap
    from facetl.evaluation.report.table import TableRow
    from facetl.evaluation.scoring import Evaluation


class Peer(NamedTuple):
    """Somebody else's three arrays."""

    name: str
    folder: Path


def _parse_peers(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[Peer, ...]:
    """Split each ``NAME=FOLDER`` at its first ``=``."""
    peers = []
    for value in values:
        name, folder = options.split_name(value)
        if not (name and folder):
            raise click.BadParameter(f"found {value!r}, expected NAME=FOLDER", ctx, param)
        peers.append(Peer(name, Path(folder)))
    return tuple(peers)


@click.command(short_help="Score detections against the true faces.")
@click.argument(
    "results", type=options.ReadPath(beside=True), callback=options.expecting("results")
)
@click.option(
    "--truth",
    required=True,
    type=options.READ,
    callback=options.expecting("frames"),
    metavar="FILE_OR_FOLDER",
    help="The true faces: an annotation file, or a folder of annotated frames.",
)
@click.option(
    "--out",
    type=options.WRITE,
    metavar="FOLDER",
    show_default="the results folder",
    help="Folder for metrics.json and the plots.",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    callback=_parse_peers,
    type=options.READ_NAME,
    metavar="NAME=FOLDER",
    help="Also score another program's three .npy arrays (the course's format); repeatable.",
)
@click.option(
    "--only-listed", is_flag=True, help="Score only the frames that an annotation file lists."
)
@click.option(
    "--train",
    type=options.READ,
    metavar="FOLDER",
    help="The training frames: gives AP separately for near-duplicates of them and for unlike "
    "frames.",
)
@click.option(
    "--images",
    type=options.READ,
    metavar="FOLDER",
    help="The frames, for the report's pictures, if the truth is a file without them.",
)
@options.score
@click.option("--report/--no-report", default=True, help="Write report.html, a page to browse.")
@options.annotation_format
@options.on_error
@options.force
def evaluate(**given: Any) -> None:
    """Score the runs in RESULTS against the truth.

    RESULTS is a folder of *.detections.json files, as facetl detect writes it, or one such file.
    Each detection, best score first, is matched with the face that it overlaps most; each face is
    matched once.  Detections in ignored regions, such as COCO's crowds, count neither as hits nor
    as false alarms.  Average precision uses all boxes of the file; boxes are shown from the run's
    score on, or from --score.
    Prints a table and writes metrics.json, five plots, each as .png and .svg (precision_recall,
    scores, errors: which errors lower the AP, recall_by: size, aspect ratio and label of the
    faces, calibration), and report.html: one page with every frame, what each run finds and misses
    there, what its errors cost, and what to do next.

    \b
    Examples:
      facetl evaluate results --truth test_faces.txt
      facetl evaluate results --truth test --train frames
      facetl evaluate results --truth test_faces.txt --peer ours=their_arrays --force
    """
    from facetl.commands.evaluate import EvaluateRequest
    from facetl.commands.evaluate import evaluate as run

    result = run(EvaluateRequest(**given), ConsoleReporter())
    for each in result.evaluations:
        for text in each.notes:
            note(text)
    print_table(figures_table(result.evaluations))
    if result.overlap:
        _print_overlap(result.evaluations, result.overlap)
    click.echo(f"wrote {result.metrics}")
    for plot in result.plots:
        click.echo(f"wrote {plot}.png and .svg")
    if result.report:
        click.echo(f"wrote {result.report}: open it in a browser")
    _suggest(result.evaluations)


def _print_overlap(evaluations: Sequence[Evaluation], overlap: TrainTestOverlap) -> None:
    """Print a table for each run: all frames, near-twins of the training frames, unlike ones."""
    from facetl.evaluation.near_duplicates import MEASURE
    from facetl.evaluation.report.table import compare_subsets

    click.echo(f"\nby distance to the nearest of {overlap.train_frames} training frames")
    click.echo(f"({MEASURE}):")
    headers = [_name_subset(name, part) for name, part in overlap.parts.items()]
    for each in evaluations:
        parts = [part.metrics[each.name] for part in overlap.parts.values()]
        click.echo()
        print_table(_draw(each.name, ["all", *headers], compare_subsets([each.metrics, *parts])))


def _name_subset(name: str, part: Subset) -> str:
    bound = f"< {part.below:g}" if math.isfinite(part.below) else f">= {part.at_least:g}"
    return f"{name.replace('_', '-')} ({bound})"


def _suggest(evaluations: Sequence[Evaluation]) -> None:
    """Say how to show what is found at the best F1 of all runs that are ours."""
    from facetl.mtcnn.weights import BUILT_IN

    ours = [each for each in evaluations if each.candidates_per_frame and each.metrics.best.f1 > 0]
    if not ours:
        suggest("detect", "FRAMES", "--weights", "pretrained", "--out", "results")
        return
    winner = max(ours, key=lambda each: each.metrics.best.f1)
    source = winner.settings.get("weights", "FILE")
    weights = winner.name if winner.name in BUILT_IN else f"{winner.name}={source}"
    # rounded down, so that the detection that defines the threshold is kept
    threshold = int(winner.metrics.best.score_threshold * 100) / 100
    suggest(
        *("detect", "FRAMES", "--weights", weights),
        *("--score", f"{threshold:.2f}", "--out", "results"),
        why=f"where {winner.name} has its best F1",
    )


def figures_table(evaluations: Sequence[Evaluation]) -> Table:
    """Return the figures as a table, one column a run, the best of each row in bold."""
    from facetl.evaluation.report.table import compare_runs

    return _draw("", [each.name for each in evaluations], compare_runs(evaluations))


def _draw(title: str, headers: Sequence[str], groups: Sequence[Sequence[TableRow]]) -> Table:
    """Return groups of rows as a table, an empty line between them."""
    from rich.text import Text

    table = plain_table(title, headers)
    for number, group in enumerate(groups):
        if number:
            table.add_row()
        for row in group:
            cells = zip(row.texts, row.winners, strict=True)
            styled = (Text(text, style="bold" if best else "") for text, best in cells)
            table.add_row(row.title, *styled)
    return table
