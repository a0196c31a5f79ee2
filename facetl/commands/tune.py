"""Choosing thresholds and pyramid for an aim, and writing them into the weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from facetl.commands.annotated import chosen_format, load_frames, spread
from facetl.commands.optional_pictures import OptionalPictures
from facetl.commands.requests import TuneRequest as TuneRequest
from facetl.data.dataset import FaceDataset, fingerprint, leave_out_unreadable
from facetl.data.discovery import find_sources
from facetl.data.formats.base import Source
from facetl.data.frame import Part
from facetl.data.images import Pixels, load_image
from facetl.errors import InputError, UsageError
from facetl.evaluation.matching import TrueBoxes
from facetl.evaluation.tuning.aims import Aim
from facetl.evaluation.tuning.choice import plan_pyramids, rank, shown_score
from facetl.evaluation.tuning.threshold_grid import Trial, try_grid, try_setting
from facetl.files import plot_paths, refuse_to_overwrite, require_writable
from facetl.locks import clear
from facetl.mtcnn.cached_scores import cache_scores
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.devices import choose_device
from facetl.mtcnn.weights import Weights, load_weights, save_weights
from facetl.reporting import SILENT, Reporter
from facetl.search.settings import DETECTION, Settings

if TYPE_CHECKING:
    from facetl.evaluation.report.figures import Figure

SHOWN = 5
"""Settings that a tuning returns at most, the best ones."""


@dataclass(frozen=True)
class TuneResult:
    """The choice.

    Attributes:
        best: the best settings, the chosen one first, with their figures.
        before: the settings in use so far; None where they were not measured.
        score: the score from which boxes are shown, 0 to 1.
        tried: how many settings were tried.
        frames: how many frames they were tried on.
        weights: the weights with the choice.
        plot: the plot as PNG, an SVG beside it; None where it could not be drawn.
    """

    best: Sequence[Trial]
    before: Trial | None
    score: float
    tried: int
    frames: int
    weights: Path
    plot: Path | None


def tune(request: TuneRequest, reporter: Reporter = SILENT) -> TuneResult:
    """Choose the settings that serve an aim best, and write them into the weights.

    Raises:
        UsageError: if there is no place for the weights, or no frames are given.
        InputError: if frames or weights cannot be read, or no setting reaches the aim.
        OutputError: if something is in the way, or a place cannot be written.
    """
    aim = request.aim
    out, plot = _find_outputs(request)
    weights = load_weights(request.weights)
    detector = Detector(weights, choose_device(request.device), request.engine)
    dataset = _choose_frames(request, reporter)
    faces = [frame.boxes for frame in dataset]
    pyramids = plan_pyramids(detector.settings, faces, aim, request.min_faces, request.factors)
    trials, before = _try_all(detector, dataset, pyramids, request, reporter)
    best = rank(trials, aim, SHOWN)
    _save_choice(out, weights, best[0], aim, dataset)
    is_drawn = _save_plot(plot, trials, best[0], before, aim, reporter)
    return TuneResult(
        best=best,
        before=before,
        score=shown_score(best[0], aim),
        tried=len(trials),
        frames=len(dataset),
        weights=out,
        plot=plot if is_drawn else None,
    )


def _find_outputs(request: TuneRequest) -> tuple[Path, Path]:
    """Return where the weights and the plot go: ``out``, or by force the weights file itself."""
    force = request.force
    if request.out is None and (not force or Path(request.weights).suffix != ".safetensors"):
        raise UsageError(
            "found no --out; name a new weights file, or write into a .safetensors file given as "
            "--weights with --force"
        )
    out = Path(request.weights) if request.out is None else request.out
    plot = out.with_name(f"{out.stem}_tuning.png")
    for path in (out, *plot_paths(plot)):
        refuse_to_overwrite(path, force=force)
    require_writable(out.parent)
    for path in plot_paths(plot):
        clear(path)
    return out, plot


def _choose_frames(request: TuneRequest, reporter: Reporter) -> FaceDataset:
    """Read the annotated frames, a limited number of them; those cut short are left out."""
    part, limit = request.part or "train", request.limit
    dataset = load_frames(request, reporter, part)
    if request.part:
        _note_missing_parts(request, len(dataset), reporter)
    some = spread(dataset, limit)
    chosen = leave_out_unreadable(some)
    if len(chosen) < len(some):
        reporter.note(f"frames that cannot be read, left out: {len(some) - len(chosen)}")
    if not chosen.face_count:
        raise InputError(f"found no annotated face in {len(chosen)} frames; give frames with faces")
    if len(some) < len(dataset):
        reporter.note(f"taking {limit} of {len(dataset)} frames, evenly spread (see --limit)")
    return chosen


def _note_missing_parts(request: TuneRequest, frames: int, reporter: Reporter) -> None:
    """Say where there are no parts, of which one was asked for, among so many frames in all."""
    places = request.data or (None,)
    whole = [place for place in places if not _has_parts(place, request)]
    if not whole:
        return
    where, which = "", f"all {frames} frames"
    if len(places) > 1:
        where, which = f" in {' and '.join(map(str, whole))}", "all frames there"
    reporter.note(f"found no parts{where}, so --part {request.part} means {which}")


def _has_parts(root: Path | None, request: TuneRequest) -> bool:
    """Return whether it makes a difference which part of the annotated frames is meant."""

    def find(part: Part) -> list[Source]:
        place = {"images": request.images, "annotations": request.annotations}
        return find_sources(root, **place, part=part, form=chosen_format(request.form))

    try:
        return find("train") != find("test")
    except InputError:  # there is one of the two alone
        return True


def _try_all(
    detector: Detector,
    dataset: FaceDataset,
    pyramids: Sequence[Settings],
    request: TuneRequest,
    reporter: Reporter,
) -> tuple[list[Trial], Trial | None]:
    """Return what all settings give, and what the weights' own gave before, if that is known."""
    boxes, ignored = zip(*((frame.boxes, frame.ignored) for frame in dataset), strict=True)
    faces = TrueBoxes.of(boxes, ignored)
    trials: list[Trial] = []
    before = None

    def pixels(title: str) -> Iterable[Pixels]:
        images = (load_image(frame.path) for frame in dataset)
        return reporter.track(images, title, len(dataset))

    for number, pyramid in enumerate(pyramids, 1):
        which = f"pyramid {number} of {len(pyramids)}"
        images = pixels(f"asking the networks, {which}")
        again = partial(pixels, f"rescoring, {which}")
        cached = cache_scores(detector, images, pyramid, request.workers, again)
        trials += try_grid(cached, faces, request.aim)
        if cached.covers(detector.settings):
            before = try_setting(cached, faces, detector.settings)
    return trials, before


def _save_plot(
    path: Path,
    trials: Sequence[Trial],
    chosen: Trial,
    before: Trial | None,
    aim: Aim,
    reporter: Reporter,
) -> bool:
    """Draw and write the plot; return whether that could be done."""

    def draw() -> Figure:
        from facetl.evaluation.tuning import tradeoff_plot

        return tradeoff_plot.plot_tradeoff(trials, chosen, aim, before)

    pictures = OptionalPictures()
    pictures.save_figure(path, draw)
    pictures.note_missing(reporter)
    return not pictures.count


def _save_choice(
    path: Path, weights: Weights, chosen: Trial, aim: Aim, dataset: FaceDataset
) -> None:
    """Write the weights with the chosen settings, what they are for and what they gave."""
    figures = chosen.to_json()
    del figures["milliseconds"]  # measured: equal commands shall write equal weights
    record = {
        **chosen.settings.override(score=shown_score(chosen, aim)).to_json(),
        "aim": str(aim),
        "figures": figures,
        "data": {
            "frames": len(dataset),
            "faces": dataset.face_count,
            "fingerprint": fingerprint(dataset),
        },
    }
    save_weights(path, replace(weights, metadata={**weights.metadata, DETECTION: record}))
