"""Labelled patches from annotated frames, and a picture of some of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from facetl.commands.annotated import load_frames
from facetl.commands.optional_pictures import OptionalPictures
from facetl.commands.requests import PrepareRequest as PrepareRequest
from facetl.commands.training_files import require_room
from facetl.data.dataset import FaceDataset
from facetl.data.images import save_image
from facetl.errors import UsageError
from facetl.files import lock_place, note_written
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.devices import choose_device
from facetl.mtcnn.stages import STAGES
from facetl.mtcnn.weights import load_weights
from facetl.parts import has_work, work_folder
from facetl.reporting import SILENT, Reporter
from facetl.training import patch_sheet
from facetl.training.mining import Miner
from facetl.training.patches import load_patches
from facetl.training.preparation import Preparation, prepare_patches
from facetl.training.recipe import Recipe
from facetl.training.stages import STAGE_FACTS

_COUNTS = ("positives", "parts", "negatives")


@dataclass(frozen=True)
class PrepareResult:
    """What was cut.

    Attributes:
        path: the patch file.
        sheet: the picture of some patches; None if it could not be drawn.
        preparation: what came of the frames; None if only the picture was missing.
    """

    path: Path
    sheet: Path | None
    preparation: Preparation | None


def prepare(request: PrepareRequest, reporter: Reporter = SILENT) -> PrepareResult:
    """Cut labelled patches for one network from annotated frames.

    What is cut lies in a folder beside the patches until all is done.

    Raises:
        InputError: if there is no face to learn from, or something cannot be read.
        OutputError: if the place cannot be written, or holds something that must not be lost.
        UsageError: if weights are missing or not wanted.
    """
    recipe, miner = request.recipe, _build_miner(request, reporter)
    path = request.path
    _find_room(request, reporter)
    if request.resume and _lacks_sheet_alone(request):
        note_written(path)
        return PrepareResult(path, _draw_sheet(request, reporter), None)
    with reporter.resumable(path, partial(_lacks_sheet_alone, request)):
        with reporter.resumable(work_folder(path), partial(has_work, path)):
            dataset = load_frames(request, reporter)
            preparation = prepare_patches(
                dataset,
                path,
                _enrich(recipe, request, dataset, reporter),
                stage=request.stage,
                miner=miner,
                seed=request.seed,
                workers=request.workers,
                progress=partial(reporter.track, description="cutting", total=len(dataset)),
                resume=request.resume,
            )
        sheet = _draw_sheet(request, reporter)
    for frame in preparation.unreadable:
        reporter.note(f"skipped {frame.reason}")
    return PrepareResult(path, sheet, preparation)


def _find_room(request: PrepareRequest, reporter: Reporter) -> None:
    """See that there is unfinished work to resume, or nothing in the way of new patches."""
    path = request.path
    if request.resume:
        lock_place()
    is_begun = has_work(path) or (request.resume and _lacks_sheet_alone(request))
    unfinished = work_folder(path) if is_begun else None
    written = (path, request.sheet)
    if not require_room(request, written, unfinished, "unfinished patches", "cut"):
        reporter.note(f"found no {work_folder(path)} to resume; starting over")


def _lacks_sheet_alone(request: PrepareRequest) -> bool:
    """Return whether all that an interrupted run has left to do is the picture of its patches."""
    path, sheet = request.path, request.sheet
    if has_work(path) or not path.exists():
        return False
    return not sheet.exists() or sheet.stat().st_mtime_ns < path.stat().st_mtime_ns


def _build_miner(request: PrepareRequest, reporter: Reporter) -> Miner | None:
    """Return what finds the proposals for a later stage."""
    stage, weights = request.stage, request.weights
    if stage == "pnet":
        if weights:
            raise UsageError("--stage pnet mines nothing; leave out --weights")
        return None
    if not weights:
        before = STAGES[STAGES.index(stage) - 1]
        raise UsageError(
            f"--stage {stage} needs --weights; give what facetl train-{before} has written"
        )
    loaded = load_weights(weights)
    for earlier in STAGES[: STAGES.index(stage)]:
        if earlier not in loaded.stages:
            reporter.note(f"{weights} holds no {earlier}; the pretrained one proposes")
    detector = Detector(loaded, choose_device(request.device), request.engine)
    return Miner(detector, stage, padding=request.recipe.padding)


def _enrich(
    recipe: Recipe, request: PrepareRequest, dataset: FaceDataset, reporter: Reporter
) -> Recipe:
    """Cut more from each of few frames, and say so, unless the counts were chosen by hand."""
    if request.counts or not dataset.face_count:
        return recipe
    at_least = (
        STAGE_FACTS[request.stage].least_patches if request.at_least is None else request.at_least
    )
    enriched = recipe.enriched(len(dataset), dataset.face_count, at_least)
    if enriched != recipe:
        factor = enriched.negatives // recipe.negatives
        reporter.note(
            f"few frames: cutting {factor} times as many patches from each (see --at-least)"
        )
    return enriched


def _draw_sheet(request: PrepareRequest, reporter: Reporter) -> Path | None:
    """Draw some of the patches; return where, None if that could not be done."""
    patches, pictures = load_patches(request.path, request.stage), OptionalPictures()
    with pictures.drawing(request.sheet):
        save_image(request.sheet, patch_sheet.draw_patches(patches, seed=request.seed))
    pictures.note_missing(reporter)
    return None if pictures.count else request.sheet
