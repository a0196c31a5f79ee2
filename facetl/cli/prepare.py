"""``facetl prepare``: labelled patches from annotated frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from facetl.cli import options
from facetl.cli.console import note, print_table, suggest, track
from facetl.files import refuse_to_overwrite, require_writable

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.data.annotations import OnError
    from facetl.data.dataset import FaceDataset
    from facetl.training.preparation import Preparation
    from facetl.training.sampling import Match, Recipe

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

COUNTS = ("positives", "parts", "negatives")
AT_LEAST = 50_000


def _count(name: str, least: int, default: int, text: str) -> _Decorator:
    return click.option(name, type=click.IntRange(min=least), default=default, help=text)


def _overlap(name: str, default: float, text: str) -> _Decorator:
    return click.option(name, type=options.POSITIVE_SHARE, default=default, help=text)


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
@_count("--positives", 1, 12, "Positives a face.")
@_count("--parts", 0, 6, "Part faces a face.")
@_count("--negatives", 1, 18, "Negatives a frame: half near its faces, half anywhere.")
@click.option(
    "--at-least",
    type=click.IntRange(min=0),
    default=AT_LEAST,
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
@options.seed
@options.workers
@options.on_error
@options.force
def prepare(
    data: Path | None,
    out: Path,
    images: Path | None,
    annotations: Path | None,
    seed: int,
    workers: int,
    on_error: OnError,
    force: bool,
    at_least: int,
    **sampling: Any,
) -> None:
    """Cut labelled 12×12 patches from the annotated frames in DATA.

    Positives and part faces are squares shifted and scaled around each face, negatives squares
    near faces and anywhere else.  Each patch carries the offset from its window to the true box.

    \b
    Examples:
      facetl prepare cartoons --out patches
      facetl prepare --images frames --annotations faces.txt --out patches
    """
    from facetl.data.annotations import describe_problems
    from facetl.data.dataset import load_dataset
    from facetl.training.patches import patches_path
    from facetl.training.preparation import prepare_patches

    if data is None and images is None:
        raise click.UsageError("found neither DATA nor --images; say where the frames are")
    path, sheet = patches_path(out), out / "pnet_patches.png"
    recipe = _build_recipe(**sampling)
    for target in (path, sheet):
        refuse_to_overwrite(target, force=force)
    require_writable(out)
    dataset = load_dataset(data, images=images, annotations=annotations, on_error=on_error)
    if dataset.problems:
        note(describe_problems(dataset.problems))
    recipe = _enrich(recipe, dataset, at_least)
    progress = partial(track, description="cutting", total=len(dataset))
    preparation = prepare_patches(
        dataset, path, recipe, seed=seed, workers=workers, progress=progress
    )
    _draw_sheet(path, sheet, seed)
    _report(preparation, recipe.match)
    click.echo(f"wrote {path} and {sheet}")
    suggest("train-pnet", out, "--out", "pnet.safetensors")


def _enrich(recipe: Recipe, dataset: FaceDataset, at_least: int) -> Recipe:
    """Cut more from each of few frames, and say so, unless the counts were chosen by hand."""
    source = click.get_current_context().get_parameter_source
    by_hand = any(source(count) is ParameterSource.COMMANDLINE for count in COUNTS)
    if by_hand or not dataset.face_count:
        return recipe
    enriched = recipe.enriched(len(dataset), dataset.face_count, at_least)
    if enriched != recipe:
        factor = enriched.negatives // recipe.negatives
        note(f"few frames: cutting {factor} times as many patches from each (see --at-least)")
    return enriched


def _build_recipe(
    negative_below: float, part_from: float, positive_from: float, **counts_and_match: Any
) -> Recipe:
    from facetl.training.sampling import Bands, Recipe

    bands = Bands(negative=negative_below, part=part_from, positive=positive_from)
    return Recipe(bands=bands, **counts_and_match)


def _draw_sheet(path: Path, sheet: Path, seed: int) -> None:
    from facetl.data.images import save_image
    from facetl.training.patch_sheet import draw_patches
    from facetl.training.patches import load_patches

    save_image(sheet, draw_patches(load_patches(path), seed=seed))


def _report(preparation: Preparation, match: Match) -> None:
    for frame in preparation.unreadable:
        note(f"skipped {frame.reason}")
    print_table(_counts_table(preparation))
    click.echo(_describe_coverage(preparation, match))


def _counts_table(preparation: Preparation) -> Table:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column()
    table.add_column(justify="right")
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
