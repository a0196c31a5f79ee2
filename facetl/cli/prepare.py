"""``facetl prepare``: labelled patches from annotated frames."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.annotated import load_frames, require_source
from facetl.cli.console import note, plain_table, print_table, suggest, track
from facetl.cli.ending import resumable
from facetl.cli.optional_pictures import OptionalPictures
from facetl.errors import OutputError
from facetl.files import claim_place, note_written, refuse_to_overwrite, require_writable

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.data.annotations import OnError
    from facetl.data.dataset import FaceDataset
    from facetl.mtcnn.networks import Stage
    from facetl.training.mining import Miner
    from facetl.training.preparation import Preparation
    from facetl.training.recipe import Match, Recipe

COUNTS = ("positives", "parts", "negatives")


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
def prepare(
    data: Path | None,
    out: Path,
    stage: Stage,
    weights: str | None,
    images: Path | None,
    annotations: Path | None,
    form: str,
    seed: int,
    workers: int,
    device: str,
    engine: str,
    on_error: OnError,
    resume: bool,
    force: bool,
    at_least: int | None,
    **sampling: Any,
) -> None:
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
    from facetl.training.patches import patches_path
    from facetl.training.plan import AT_LEAST
    from facetl.training.preparation import prepare_patches
    from facetl.training.resume import has_work, work_folder

    require_source(data, images)
    path, sheet = patches_path(out, stage), out / f"{stage}_patches.png"
    recipe = _build_recipe(stage, **sampling)
    miner = _build_miner(stage, weights, recipe, device, engine)
    _find_room(path, sheet, resume=resume, force=force)
    if resume and _lacks_sheet_alone(path, sheet):
        note_written(path)
        drawn = _draw_sheet(path, stage, sheet, seed)
        click.echo(f"{path} was finished before" + f"; wrote {sheet}" * drawn)
        return
    with resumable(path, partial(_lacks_sheet_alone, path, sheet)):
        with resumable(work_folder(path), partial(has_work, path)):
            dataset = load_frames(data, images, annotations, on_error, form=form)
            recipe = _enrich(recipe, dataset, AT_LEAST[stage] if at_least is None else at_least)
            preparation = prepare_patches(
                dataset,
                path,
                recipe,
                stage=stage,
                miner=miner,
                seed=seed,
                workers=workers,
                progress=partial(track, description="cutting", total=len(dataset)),
                resume=resume,
            )
        drawn = _draw_sheet(path, stage, sheet, seed)
    _report(preparation, recipe.match)
    click.echo(f"wrote {path}" + f" and {sheet}" * drawn)
    join = ("--join", weights) if weights else ()
    suggest(f"train-{stage}", out, *join, "--out", f"{stage}.safetensors")


def _find_room(path: Path, sheet: Path, *, resume: bool, force: bool) -> None:
    """See that there is unfinished work to resume, or nothing in the way of new patches.

    Raises:
        OutputError: if something is in the way, or the patches to resume are finished.
    """
    from facetl.training.resume import has_work, work_folder

    if resume:
        claim_place()
        if has_work(path) or _lacks_sheet_alone(path, sheet):
            return
        if path.exists() and not force:
            raise OutputError(
                f"{path} is finished, there is nothing to resume; cut anew with --force"
            )
    elif has_work(path) and not force:
        raise OutputError(
            f"{work_folder(path)} holds unfinished patches; go on with --resume or start anew "
            "with --force"
        )
    for target in (path, sheet):
        refuse_to_overwrite(target, force=force)
    require_writable(path.parent)
    if resume:
        note(f"found no {work_folder(path)} to go on from; starting anew")


def _lacks_sheet_alone(path: Path, sheet: Path) -> bool:
    """Return whether all that a broken-off run has left to do is the picture of its patches."""
    from facetl.training.resume import has_work

    if has_work(path) or not path.exists():
        return False
    return not sheet.exists() or sheet.stat().st_mtime_ns < path.stat().st_mtime_ns


def _build_miner(
    stage: Stage, weights: str | None, recipe: Recipe, device: str, engine: str
) -> Miner | None:
    """Return what finds the proposals for a later stage.

    Raises:
        click.UsageError: if weights are missing or not wanted.
        WeightsError: if they cannot be read.
    """
    if stage == "pnet":
        if weights:
            raise click.UsageError("--stage pnet mines nothing; leave out --weights")
        return None
    if not weights:
        raise click.UsageError(f"--stage {stage} needs --weights with the tuned stages before it")
    from facetl.mtcnn.detector import Detector, choose_device
    from facetl.mtcnn.networks import STAGES
    from facetl.mtcnn.weights import load_weights
    from facetl.training.mining import Miner, mining_settings

    loaded = load_weights(weights)
    for earlier in STAGES[: STAGES.index(stage)]:
        if earlier not in loaded.stages:
            note(f"{weights} holds no {earlier}; the pretrained one proposes")
    detector = Detector(loaded, choose_device(device), engine)
    return Miner(detector, stage, settings=mining_settings(recipe))


def _enrich(recipe: Recipe, dataset: FaceDataset, at_least: int) -> Recipe:
    """Cut more from each of few frames, and say so, unless the counts were chosen by hand."""
    by_hand = any(map(options.is_given, COUNTS))
    if by_hand or not dataset.face_count:
        return recipe
    enriched = recipe.enriched(len(dataset), dataset.face_count, at_least)
    if enriched != recipe:
        factor = enriched.negatives // recipe.negatives
        note(f"few frames: cutting {factor} times as many patches from each (see --at-least)")
    return enriched


def _build_recipe(
    stage: Stage,
    negative_below: float,
    part_from: float,
    positive_from: float,
    match: Match,
    padding: bool,
    **counts: int | None,
) -> Recipe:
    """Return the stage's own recipe with what was chosen otherwise."""
    from facetl.training.recipe import RECIPES, Bands

    bands = Bands(negative=negative_below, part=part_from, positive=positive_from)
    chosen: dict[str, Any] = {name: each for name, each in counts.items() if each is not None}
    return replace(RECIPES[stage], bands=bands, match=match, padding=padding, **chosen)


def _draw_sheet(path: Path, stage: Stage, sheet: Path, seed: int) -> bool:
    """Draw some of the patches; return whether that could be done."""
    from facetl.data.images import save_image
    from facetl.training.patch_sheet import draw_patches
    from facetl.training.patches import load_patches

    patches, pictures = load_patches(path, stage), OptionalPictures()
    with pictures.drawing(sheet):
        save_image(sheet, draw_patches(patches, seed=seed))
    pictures.note_missing()
    return not pictures.count


def _report(preparation: Preparation, match: Match) -> None:
    for frame in preparation.unreadable:
        note(f"skipped {frame.reason}")
    print_table(_counts_table(preparation))
    click.echo(_describe_coverage(preparation, match))


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
