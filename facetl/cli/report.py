"""The report that ``facetl evaluate`` leaves: everything gathered for one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facetl.cli.annotated import describe_suggestions
from facetl.cli.console import track, typed_command

if TYPE_CHECKING:
    from facetl.data.annotations import AnnotationFile
    from facetl.data.dataset import FaceDataset
    from facetl.evaluation.report.gallery import Exhibit
    from facetl.evaluation.report.page import Numbers, Plot, Training
    from facetl.evaluation.report.plots import Drawing
    from facetl.evaluation.scoring import Entry, Evaluation


MOST_TRAININGS = 30
"""Of more trainings of one run, the last ones are drawn."""


def compose_report(
    entries: Sequence[Entry],
    evaluations: Sequence[Evaluation],
    source: FaceDataset | AnnotationFile,
    drawings: Mapping[str, Drawing],
    *,
    truth: Path,
    images: Path | None,
    only_listed: bool,
    suggestions: Sequence[Path] = (),
) -> str:
    """Return the report as HTML; it is not written yet.

    Args:
        entries: the runs.
        evaluations: their figures.
        source: the true faces.
        drawings: the plots that could be drawn, by name.
        truth: where they were read from.
        images: where the frames lie, if the truth does not tell.
        only_listed: whether frames that the truth does not list are left out.
        suggestions: annotation files of the truth that a detector wrote.
    """
    from facetl.evaluation.report.gallery import hang
    from facetl.evaluation.report.page import Report, choose_exhibits, render
    from facetl.evaluation.scoring import Truth

    faces = Truth.of(source)
    exhibits = hang(entries, faces, only_listed=only_listed)
    chosen = choose_exhibits(exhibits, evaluations)
    report = Report(
        title=_title(truth, evaluations),
        warnings=[describe_suggestions(suggestions)] if suggestions else [],
        evaluations=evaluations,
        exhibits=chosen,
        left_out=len(exhibits) - len(chosen),
        pictures=_picture(chosen, find_pictures(source, chosen, images)),
        plots=_caption(drawings),
        trainings=[training for each in evaluations if (training := recall_training(each))],
        commands=_commands(evaluations),
        origin=_origin(truth, faces.fingerprint, evaluations),
    )
    return render(report)


def find_pictures(
    source: FaceDataset | AnnotationFile, exhibits: Sequence[Exhibit], images: Path | None
) -> dict[str, Path]:
    """Return where the frames lie, by name; those that can't be found are left out.

    Names are matched with the images that lie below ``images``: a report shows nothing else, that
    nobody meant it to.
    """
    from facetl.data.dataset import FaceDataset
    from facetl.data.images import image_paths, name_below
    from facetl.data.name_matching import match_names

    known = {frame.name: frame.path for frame in source} if isinstance(source, FaceDataset) else {}
    missing = [each.name for each in exhibits if each.name not in known]
    if images and images.is_dir() and missing:
        paths = {name_below(images, path): path for path in image_paths(images)}
        known |= {name: paths[image] for name, image in match_names(missing, paths).items()}
    places = {each.name: known[each.name] for each in exhibits if each.name in known}
    return {name: place for name, place in places.items() if place.is_file()}


def _picture(exhibits: Sequence[Exhibit], places: Mapping[str, Path]) -> dict[str, bytes]:
    from facetl.data.thumbnails import make_thumbnails
    from facetl.evaluation.report.page import PICTURES_BYTES

    made = make_thumbnails(places, PICTURES_BYTES)
    return {
        name: picture
        for name, picture in track(made, "drawing the report", len(places))
        if picture is not None
    }


def _title(truth: Path, evaluations: Sequence[Evaluation]) -> str:
    names = " and ".join(each.name for each in evaluations)
    return f"{names} on {truth.name}"


def _caption(drawings: Mapping[str, Drawing]) -> list[Plot]:
    from facetl.evaluation.report.all_plots import CAPTIONS
    from facetl.evaluation.report.page import Plot

    return [Plot(drawings[name].svg, text) for name, text in CAPTIONS.items() if name in drawings]


def recall_training(run: Evaluation) -> Training | None:
    """Return what the weights of a run tell of their making; None without them, or others.

    A detections file may name any path as its weights: whatever is wrong with what lies there,
    the report does without.
    """
    try:
        return _recall_training(run)
    except Exception:
        return None


def _recall_training(run: Evaluation) -> Training | None:
    from facetl.evaluation.report.page import Plot, Training
    from facetl.mtcnn.weights import load_weights
    from facetl.training.training_log import History, by_training

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
    return Training(run.name, drawing, _count_patches(history.patch_counts))


def _count_patches(rows: Sequence[Mapping[str, object]]) -> Numbers | None:
    from facetl.evaluation.report.page import Cell, Numbers, TableRow

    labels = ("positive", "part", "negative")
    if not rows:
        return None
    return Numbers(
        ("patches", *labels),
        tuple(
            TableRow(
                f"{row['stage']}" + (f", round {row['round']}" if "round" in row else ""),
                tuple(Cell(f"{row.get(label, 0):,}") for label in labels),
            )
            for row in rows
        ),
    )


def _commands(evaluations: Sequence[Evaluation]) -> list[str]:
    commands = [str(each.settings["command"]) for each in evaluations if "command" in each.settings]
    return [*dict.fromkeys([*commands, typed_command()])]


def _origin(truth: Path, fingerprint: str, evaluations: Sequence[Evaluation]) -> dict[str, str]:
    weights = {
        f"weights of {each.name}": f"{each.settings.get('weights')} "
        f"({each.settings['weights_fingerprint']})"
        for each in evaluations
        if "weights_fingerprint" in each.settings
    }
    return {"truth": f"{truth} ({fingerprint})", **weights}
