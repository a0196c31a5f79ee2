"""``facetl prepare``: labelled patches from annotated frames."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from facetl.cli import options
from facetl.cli.console import note, print_table, track
from facetl.files import refuse_to_overwrite

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.data.annotations import OnError
    from facetl.training.patches import Patches
    from facetl.training.preparation import Summary
    from facetl.training.sampling import Match

SHEET_COLUMNS, SHEET_ROWS, SHEET_ENLARGE = 12, 8, 4
BAND = click.FloatRange(0, 1, min_open=True)


@click.command(short_help="Cut labelled patches from annotated frames.")
@click.argument("data", required=False, type=options.FILE_OR_FOLDER)
@click.option(
    "--out",
    required=True,
    type=options.FILE_OR_FOLDER,
    metavar="FOLDER",
    help="Where the patch file and its contact sheet go.",
)
@click.option(
    "--images", type=options.FILE_OR_FOLDER, metavar="FOLDER", help="The frames, if not DATA."
)
@click.option(
    "--annotations",
    type=options.FILE_OR_FOLDER,
    metavar="FILE",
    help="Their annotation file, if it is not found by itself.",
)
@click.option("--positives", type=click.IntRange(min=0), default=12, help="Positives a face.")
@click.option("--parts", type=click.IntRange(min=0), default=6, help="Part faces a face.")
@click.option(
    "--negatives",
    type=click.IntRange(min=0),
    default=18,
    help="Negatives a frame: half near its faces, half anywhere.",
)
@click.option("--negative-below", type=BAND, default=0.3, help="IoU of a negative, at most.")
@click.option("--part-from", type=BAND, default=0.4, help="IoU of a part face, at least.")
@click.option("--positive-from", type=BAND, default=0.65, help="IoU of a positive, at least.")
@click.option(
    "--match",
    type=click.Choice(["square", "box"]),
    default="square",
    help="IoU with the face's square (same centre, longer edge) or with its box.",
)
@options.seed
@options.workers
@options.on_error
@options.force
def prepare(
    data: Path | None,
    out: Path,
    images: Path | None,
    annotations: Path | None,
    positives: int,
    parts: int,
    negatives: int,
    negative_below: float,
    part_from: float,
    positive_from: float,
    match: Match,
    seed: int,
    workers: int,
    on_error: OnError,
    force: bool,
) -> None:
    """Cut labelled 12×12 patches from the annotated frames in DATA.

    Positives and part faces are squares shifted and scaled around each face, negatives squares
    near faces and anywhere else.  Each patch carries the offset from its window to the true box.

    \b
    Examples:
      facetl prepare cartoons --out patches
      facetl prepare --images frames --annotations faces.txt --out patches
    """
    from facetl.data.dataset import load_dataset
    from facetl.training.patches import load_patches, patches_path
    from facetl.training.preparation import prepare_patches
    from facetl.training.sampling import Bands, Recipe

    if data is None and images is None:
        raise click.UsageError("found neither DATA nor --images; say where the frames are")
    path, sheet = patches_path(out), out / "pnet_patches.png"
    refuse_to_overwrite(path, force=force)
    bands = Bands(negative_below, part_from, positive_from)
    recipe = Recipe(positives, parts, negatives, bands, match)
    dataset = load_dataset(data, images=images, annotations=annotations, on_error=on_error)
    if dataset.problems:
        note(f"{dataset.problem_summary}; the first is {dataset.problems[0]}")
    summary = prepare_patches(
        dataset,
        path,
        recipe,
        seed=seed,
        workers=workers,
        track=partial(track, description="cutting", total=len(dataset)),
    )
    for problem in summary.problems:
        note(f"skipped {problem}")
    save_sheet(sheet, load_patches(path), seed)
    print_table(counts_table(summary))
    click.echo(describe_coverage(summary, match))
    click.echo(f"wrote {path} and {sheet}")
    note(f"next: facetl train-pnet {shlex.quote(str(out))} --out pnet.safetensors")


def counts_table(summary: Summary) -> Table:
    """Return how many frames, faces and patches there are."""
    from rich.table import Table

    from facetl.training.preparation import CLASSES

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("frames", f"{summary.frames:,}")
    table.add_row("faces", f"{summary.faces:,}")
    for label in CLASSES:
        table.add_row(f"{label.name.lower()} patches", f"{summary.counts[label]:,}")
    table.add_row("patches", f"{summary.counts.total():,}", style="bold")
    return table


def describe_coverage(summary: Summary, match: Match) -> str:
    """Say how many faces gave no positive under the rule in force, and under the other."""
    other: Literal["square", "box"] = "box" if match == "square" else "square"
    share = {
        rule: f"{count:,} faces ({count / summary.faces:.1%})"
        for rule, count in summary.faces_without_positive.items()
    }
    return (
        f"without any positive under --match {match}: {share[match]}; "
        f"under --match {other} it would be {share[other]}"
    )


def save_sheet(path: Path, patches: Patches, seed: int) -> None:
    """Write a picture of some patches of each class."""
    import numpy as np

    from facetl.data.images import save_image
    from facetl.data.overlays import contact_sheet
    from facetl.training.preparation import CLASSES

    rng = np.random.default_rng(seed)
    panels, titles = [], []
    for label in CLASSES:
        members = np.flatnonzero(patches.labels == label)
        chosen = rng.permutation(members)[: SHEET_COLUMNS * SHEET_ROWS]
        if len(chosen):
            shown = list(patches.pixels[np.sort(chosen)])
            panels.append(contact_sheet(shown, SHEET_COLUMNS, enlarge=SHEET_ENLARGE))
            titles.append(f"{label.name.lower()}: {len(members):,} patches")
    save_image(path, contact_sheet(panels, len(panels), titles=titles))
