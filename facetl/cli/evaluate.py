"""``facetl evaluate``: runs against the truth, as a table, a metrics file and plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.console import note, plain_table, print_table, suggest
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import EvaluateRequest

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.evaluation.naming import Naming
    from facetl.evaluation.near_duplicates import Subset, TrainTestOverlap
    from facetl.evaluation.report.table import TableRow
    from facetl.evaluation.scoring import Evaluation


def _parse_peer(value: str) -> options.Named:
    """Return the three arrays of somebody else that ``NAME=FOLDER`` means."""
    name, folder = options.split_name(value)
    if not (name and folder):
        raise ValueError(f"found {value!r}, expected NAME=FOLDER")
    return options.Named(name, Path(folder))


@options.command(
    EvaluateRequest,
    "Measure how well faces were found.",
    "results truth out images score force | ...",
    parse={"peers": _parse_peer},
)
def evaluate(request: EvaluateRequest) -> None:
    """Measure how well faces were found: compare RESULTS with the true faces.

    \b
    Examples:
      facetl evaluate results --truth test_faces.txt
      facetl evaluate results --truth test --train frames
      facetl evaluate results --truth test_faces.txt --peer ours=their_arrays --force

    RESULTS is the folder that facetl detect wrote.  Prints a table of how many faces were found
    and how many false alarms there are, and writes report.html: a page with every frame, what is
    found and missed there, and what to do next.

    In detail:

    RESULTS may also be one *.detections.json file.  Each detection, that with the best score
    (how sure the detector is) first, is matched with the face that it overlaps most; each face is
    matched once.  Precision is the fraction of detections that are faces, recall the fraction of
    faces that are found.  Average precision (AP) is the precision over all recalls, and uses all
    boxes of the file; boxes are shown from the run's score on, or from --score.  Detections in
    ignored regions, such as COCO's crowds, count neither as hits nor as false alarms.

    Also written are metrics.json and five plots, each as .png and .svg: precision_recall, scores,
    errors (which errors lower the AP), recall_by (size, aspect ratio and label of the faces) and
    calibration (whether a score of 0.9 is right nine times in ten).

    Where facetl detect was given --names, and the true faces have labels, the names are measured
    too: AP, precision, recall and F1 of each character, and who is taken for whom, both for the
    faces found and, with the frames at hand, for the true boxes.
    """
    from facetl.commands.evaluate import evaluate as run
    from facetl.evaluation.report.table import compare_runs

    result = run(request, ConsoleReporter())
    for each in result.evaluations:
        for text in each.notes:
            note(text)
    names = [each.name for each in result.evaluations]
    print_table(_draw("", names, compare_runs(result.evaluations)))
    for each in result.evaluations:
        if each.naming:
            _print_naming(each.name, each.naming)
    if result.overlap:
        _print_overlap(result.evaluations, result.overlap)
    click.echo(f"wrote {result.metrics}")
    for plot in result.plots:
        click.echo(f"wrote {plot}.png and .svg")
    for sheet in result.sheets:
        click.echo(f"wrote {sheet}")
    if result.report:
        click.echo(f"wrote {result.report}: open it in a browser")
    _suggest(result.evaluations)


def _print_naming(run: str, naming: Naming) -> None:
    """Print how well the faces of a run are named."""
    from facetl.evaluation.naming import PARTS
    from facetl.evaluation.report.table import describe_characters

    click.echo()
    headers = ["faces", "AP", "precision", "recall", "F1"]
    print_table(_draw(f"{run}: characters", headers, describe_characters(naming)))
    click.echo(f"shown: {naming.confusion.describe()}")
    for part, confusion in naming.on_true_boxes.items():
        click.echo(f"{PARTS[part]}: {confusion.describe()}")


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
