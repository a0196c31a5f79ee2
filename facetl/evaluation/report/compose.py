"""What the report of an evaluation holds, gathered from runs, frames, plots and weights files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facetl.data.annotations import AnnotationFile
from facetl.data.dataset import FaceDataset
from facetl.data.images import Pixels, image_paths, make_thumbnails, name_below
from facetl.data.name_matching import match_names
from facetl.evaluation.report.frames import ReportFrame, collect_frames
from facetl.evaluation.report.names_section import describe_names
from facetl.evaluation.report.page import (
    PICTURES_BYTES,
    Plot,
    Report,
    ReportTable,
    TrainingHistory,
    choose_frames,
    render_page,
)
from facetl.evaluation.report.sheet import draw_sheets
from facetl.evaluation.report.table import TableRow
from facetl.evaluation.scoring import Evaluation, Predictions, Truth
from facetl.mtcnn.weights import load_weights
from facetl.reporting import SILENT, Reporter
from facetl.training.training_log import History, by_training

if TYPE_CHECKING:
    from facetl.evaluation.report.plots import Drawing  # takes matplotlib, which may be broken

PLOTS = ("precision_recall", "scores", "errors", "recall_by", "calibration")
"""Names of the plots, those of :func:`facetl.evaluation.report.plots.plot_evaluation`."""
_CAPTIONS: Mapping[str, str] = {
    "errors": "What the missing AP is made of: what mending each kind of mistake would bring.",
    "recall_by": "Recall by size, aspect ratio and label of the faces, with 95 % intervals.",
    "calibration": "Calibration: share of hits by score. On the diagonal scores are probabilities.",
}
"""Words to the plots that stand in the report."""
MOST_TRAININGS = 30
"""Of more trainings of one run, the last ones are drawn."""


@dataclass(frozen=True)
class Scored:
    """Runs and the truth, as they were scored.

    Attributes:
        runs: the runs.
        evaluations: their figures.
        source: the true faces.
        truth: where they were read from.
        only_listed: whether frames that the truth does not list are left out.
    """

    runs: Sequence[Predictions]
    evaluations: Sequence[Evaluation]
    source: FaceDataset | AnnotationFile
    truth: Path
    only_listed: bool = False


def compose_report(
    scored: Scored,
    drawings: Mapping[str, Drawing],
    images: Path | None = None,
    warnings: Sequence[str] = (),
    reporter: Reporter = SILENT,
    name_sheets: Mapping[str, Pixels] | None = None,
) -> str:
    """Return the report as HTML; it is not written yet.

    Args:
        scored: what it is about.
        drawings: the plots that could be drawn, by name.
        images: where the frames lie, if the truth does not tell.
        warnings: what must be known before all figures.
        reporter: is shown the progress; its command is one of those that make the report again.
        name_sheets: (H, W, 3) pictures of faces named wrong and right, by run.
    """
    faces, evaluations = Truth.of(scored.source), scored.evaluations
    frames = collect_frames(scored.runs, faces, only_listed=scored.only_listed)
    chosen = choose_frames(frames, evaluations)
    places = _find_pictures(scored.source, frames, images)
    thumbnails = {each.name: places[each.name] for each in chosen if each.name in places}
    report = Report(
        title=_title(scored),
        warnings=warnings,
        evaluations=evaluations,
        frames=chosen,
        left_out=len(frames) - len(chosen),
        pictures=_draw_thumbnails(thumbnails, reporter),
        sheets=draw_sheets(frames, evaluations, places),
        plots=[
            Plot(drawings[name].svg, text) for name, text in _CAPTIONS.items() if name in drawings
        ],
        trainings=[training for each in evaluations if (training := _recall_training(each))],
        commands=_commands(evaluations, reporter.command),
        origin=_origin(scored.truth, faces.fingerprint, evaluations),
        names=describe_names(evaluations, name_sheets or {}),
    )
    return render_page(report)


def _find_pictures(
    source: FaceDataset | AnnotationFile, frames: Sequence[ReportFrame], images: Path | None
) -> dict[str, Path]:
    """Return where the frames lie, by name; those that can't be found are left out.

    Names are matched with the images that lie below ``images``: a report shows nothing else, that
    nobody meant it to.
    """
    known = {frame.name: frame.path for frame in source} if isinstance(source, FaceDataset) else {}
    missing = [each.name for each in frames if each.name not in known]
    if images and images.is_dir() and missing:
        paths = {name_below(images, path): path for path in image_paths(images)}
        known |= {name: paths[image] for name, image in match_names(missing, paths).items()}
    places = {each.name: known[each.name] for each in frames if each.name in known}
    return {name: place for name, place in places.items() if place.is_file()}


def _recall_training(run: Evaluation) -> TrainingHistory | None:
    """Return what the weights of a run tell of their making; None without them, or others.

    A detections file may name any path as its weights: whatever is wrong with what lies there,
    the report does without.
    """
    try:
        return _read_training(run)
    except Exception:
        return None


def _read_training(run: Evaluation) -> TrainingHistory | None:
    weights = load_weights(str(run.settings.get("weights")))
    history = History.of(weights.metadata)
    if weights.fingerprint != run.settings.get("weights_fingerprint"):
        return None  # others lie there by now
    every = by_training(history.records, weights.metadata.get("stage"))
    trainings = dict(list(every.items())[-MOST_TRAININGS:])
    if not trainings:
        return None
    from facetl.evaluation.report.plots import plot_losses, svg_of

    epochs = ", ".join(f"{name}: {len(records)}" for name, records in trainings.items())
    drawing = Plot(svg_of(plot_losses(trainings)), f"Losses of {run.name} by epoch ({epochs}).")
    return TrainingHistory(run.name, drawing, _count_patches(history.patch_counts))


def _count_patches(rows: Sequence[Mapping[str, object]]) -> ReportTable | None:
    labels = ("positive", "part", "negative")
    if not rows:
        return None
    counts = [
        TableRow(
            f"{row['stage']}" + (f", round {row['round']}" if "round" in row else ""),
            tuple(f"{row.get(label, 0):,}" for label in labels),
        )
        for row in rows
    ]
    return ReportTable(("patches", *labels), counts)


def _draw_thumbnails(places: Mapping[str, Path], reporter: Reporter) -> dict[str, bytes]:
    made = make_thumbnails(places, PICTURES_BYTES)
    return {
        name: picture
        for name, picture in reporter.track(made, "drawing the report", len(places))
        if picture is not None
    }


def _title(scored: Scored) -> str:
    names = " and ".join(each.name for each in scored.evaluations)
    return f"{names} on {scored.truth.name}"


def _commands(evaluations: Sequence[Evaluation], command: str) -> list[str]:
    """Return the commands that made the runs and the report, each once, as far as known."""
    commands = [str(each.settings["command"]) for each in evaluations if "command" in each.settings]
    return [*dict.fromkeys([*commands, *[command] * bool(command)])]


def _origin(truth: Path, fingerprint: str, evaluations: Sequence[Evaluation]) -> dict[str, str]:
    weights = {
        f"weights of {each.name}": f"{each.settings.get('weights')} "
        f"({each.settings['weights_fingerprint']})"
        for each in evaluations
        if "weights_fingerprint" in each.settings
    }
    return {"truth": f"{truth} ({fingerprint})", **weights}
