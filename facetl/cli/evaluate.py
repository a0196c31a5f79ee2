"""``facetl evaluate``: runs against the truth, as a table, a metrics file and plots."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from facetl.cli import options
from facetl.cli.annotated import find_suggestions, note_problems
from facetl.cli.console import note, plain_table, print_table, suggest, track
from facetl.cli.optional_pictures import OptionalPictures
from facetl.cli.report import compose_report
from facetl.cli.truth import load_truth
from facetl.errors import InputError
from facetl.files import plot_paths, refuse_to_overwrite, require_writable, write_text

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.data.annotations import AnnotationFile, OnError
    from facetl.data.dataset import FaceDataset
    from facetl.data.near_duplicates import Thumbnails
    from facetl.evaluation.near_duplicates import Likeness, Part
    from facetl.evaluation.report.plots import Drawing
    from facetl.evaluation.report.table import Row
    from facetl.evaluation.scoring import Entry, Evaluation

REPORT = "report.html"


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
    help="Where metrics.json and the plots go.",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    callback=_parse_peers,
    type=options.READ_NAME,
    metavar="NAME=FOLDER",
    help="Score someone's three .npy arrays (the course's format) beside the runs; repeatable.",
)
@click.option(
    "--only-listed", is_flag=True, help="Score only the frames that an annotation file lists."
)
@click.option(
    "--train",
    type=options.READ,
    metavar="FOLDER",
    help="The frames trained on: AP on near-duplicates of them and on unlike frames apart.",
)
@click.option(
    "--images",
    type=options.READ,
    metavar="FOLDER",
    help="The frames, for the report's pictures, if the truth is a file without them.",
)
@options.score
@click.option(
    "--report/--no-report", default=True, help="Write report.html, a page to look through."
)
@options.annotation_format
@options.on_error
@options.force
def evaluate(
    results: Path,
    truth: Path,
    out: Path | None,
    peers: tuple[Peer, ...],
    only_listed: bool,
    train: Path | None,
    images: Path | None,
    score: float | None,
    report: bool,
    form: str,
    on_error: OnError,
    force: bool,
) -> None:
    """Score the runs in RESULTS against the truth.

    RESULTS is a folder of *.detections.json files, as facetl detect writes it, or one such file.
    Each detection, best score first, claims the face that it overlaps most; each face counts once.
    What is found in regions to be ignored, such as COCO's crowds, counts neither way.
    Average precision takes all boxes of the file; what is shown begins at the score of the run,
    or --score.
    Prints a table and writes metrics.json, five plots, each as .png and .svg (precision_recall,
    scores, errors: what the missing AP is made of, recall_by: size, aspect ratio and label of the
    faces, calibration), and report.html: one page with every frame, what each run finds there and
    misses, what its errors cost and what to do next.

    \b
    Examples:
      facetl evaluate results --truth test_faces.txt
      facetl evaluate results --truth test --train frames
      facetl evaluate results --truth test_faces.txt --peer ours=their_arrays --force
    """
    from facetl.evaluation.metrics_file import FILE_NAME, describe, save_metrics
    from facetl.evaluation.scoring import Truth, evaluate_all

    folder = out or (results if _holds_runs(results) else results.parent)
    for path in (folder / FILE_NAME, *_plot_files(folder), *[folder / REPORT] * report):
        refuse_to_overwrite(path, force=force)
    require_writable(folder)
    entries = _load_entries(results, peers)
    source = load_truth(truth, on_error, form)
    faces = Truth.of(source)
    evaluations = [
        replace(each, score=score) for each in evaluate_all(entries, faces, only_listed=only_listed)
    ]
    likeness = _compare(entries, source, train, on_error) if train else None
    suggestions = find_suggestions(source)
    document = describe(
        evaluations,
        faces,
        truth_path=truth,
        only_listed=only_listed,
        likeness=likeness,
        suggestions=suggestions,
    )
    save_metrics(folder / FILE_NAME, document)
    drawings = _save_plots(folder, evaluations)
    if report:
        page = compose_report(
            *(entries, evaluations, source, drawings),
            truth=truth,
            images=images,
            only_listed=only_listed,
            suggestions=suggestions,
        )
        write_text(folder / REPORT, page)
    _report(evaluations, likeness, folder, drawings)
    if report:
        click.echo(f"wrote {folder / REPORT}: open it in a browser")
    _suggest(evaluations)


def _load_entries(results: Path, peers: Sequence[Peer]) -> list[Entry]:
    """Read all runs and peers; their names must differ."""
    from facetl.evaluation.scoring import Entry
    from facetl.results.peers import load_peer
    from facetl.results.store import load_run

    entries = [Entry.of_run(load_run(path)) for path in _run_paths(results, peers)]
    entries += [Entry.of_peer(peer.name, load_peer(peer.folder)) for peer in peers]
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{results}: found {name!r} as the name of two runs; rename one")
    return entries


def _holds_runs(results: Path) -> bool:
    """Return whether this is a folder of runs, not a run itself."""
    from facetl.results.store import SUFFIXES

    return results.is_dir() and not results.name.endswith(SUFFIXES)


def _run_paths(results: Path, peers: Sequence[Peer]) -> list[Path]:
    from facetl.results.store import SUFFIX, find_runs

    if not _holds_runs(results):
        return [results]
    paths = sorted(find_runs(results), key=lambda path: not path.name.startswith("pretrained."))
    if not (paths or peers):
        raise InputError(f"{results}: found no *{SUFFIX}; make them with facetl detect")
    return paths


def _compare(
    entries: Sequence[Entry], source: FaceDataset | AnnotationFile, train: Path, on_error: OnError
) -> Likeness:
    """Compare the true frames with the training frames; score the parts apart."""
    from facetl.data.dataset import FaceDataset, load_dataset
    from facetl.data.near_duplicates import nearest_distances
    from facetl.evaluation.near_duplicates import Likeness, divide
    from facetl.evaluation.scoring import Truth

    if not isinstance(source, FaceDataset):
        raise InputError(
            "found an annotation file as the truth, but --train compares pictures; give --truth "
            "the folder of annotated frames"
        )
    trained_on = load_dataset(train, on_error=on_error)
    note_problems(trained_on, f"{train}: ")
    names, thumbnails = _load_thumbnails(source, "test frames")
    _, others = _load_thumbnails(trained_on, "training frames")
    distances = nearest_distances(thumbnails, others)
    by_name = dict(zip(names, distances.tolist(), strict=True))
    return Likeness(train, len(others), divide(entries, Truth.of(source), by_name))


def _load_thumbnails(dataset: FaceDataset, what: str) -> tuple[list[str], Thumbnails]:
    """Read all frames; return the names and the thumbnails of those that can be read."""
    from facetl.data.near_duplicates import load_thumbnails, stack_thumbnails

    thumbnails = load_thumbnails(track(dataset, f"reading the {what}", len(dataset)))
    if not thumbnails:
        raise InputError(f"none of the {len(dataset)} {what} can be read; restore the images")
    if len(thumbnails) < len(dataset):
        note(f"{what} that cannot be read, not compared: {len(dataset) - len(thumbnails)}")
    return list(thumbnails), stack_thumbnails(thumbnails.values())


def _plot_files(folder: Path) -> list[Path]:
    from facetl.evaluation.report.all_plots import PLOTS

    return [path for name in PLOTS for path in plot_paths(folder / name)]


def _save_plots(folder: Path, evaluations: Sequence[Evaluation]) -> dict[str, Drawing]:
    """Draw and write the plots; return those that could be drawn, by name."""
    from facetl.evaluation.report.all_plots import PLOTS, plot

    pictures, drawings = OptionalPictures(), {}
    for name in PLOTS:
        with pictures.drawing(*plot_paths(folder / name)):
            from facetl.evaluation.report.plots import draw, save_plot

            drawing = draw(plot(name, evaluations))
            save_plot(folder / name, drawing)
            drawings[name] = drawing
    pictures.note_missing()
    return drawings


def _report(
    evaluations: Sequence[Evaluation],
    likeness: Likeness | None,
    folder: Path,
    drawings: Mapping[str, Drawing],
) -> None:
    from facetl.evaluation.metrics_file import FILE_NAME

    for each in evaluations:
        for text in each.notes:
            note(text)
    print_table(figures_table(evaluations))
    if likeness:
        _report_likeness(evaluations, likeness)
    click.echo(f"wrote {folder / FILE_NAME}")
    for name in drawings:
        click.echo(f"wrote {folder / name}.png and .svg")


def _report_likeness(evaluations: Sequence[Evaluation], likeness: Likeness) -> None:
    """Print a table for each run: all frames, near-twins of the training frames, unlike ones."""
    from facetl.evaluation.near_duplicates import MEASURE
    from facetl.evaluation.report.table import contrast

    click.echo(f"\nby distance to the nearest of {likeness.train_frames} training frames")
    click.echo(f"({MEASURE}):")
    headers = [_name_part(name, part) for name, part in likeness.parts.items()]
    for each in evaluations:
        parts = [part.metrics[each.name] for part in likeness.parts.values()]
        click.echo()
        print_table(_draw(each.name, ["all", *headers], contrast([each.metrics, *parts])))


def _name_part(name: str, part: Part) -> str:
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
    from facetl.evaluation.report.table import compare

    return _draw("", [each.name for each in evaluations], compare(evaluations))


def _draw(title: str, headers: Sequence[str], groups: Sequence[Sequence[Row]]) -> Table:
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
