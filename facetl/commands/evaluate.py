"""Scoring runs against the truth: a metrics file, plots and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from facetl.commands.annotated import describe_suggestions, load_truth, note_problems
from facetl.commands.naming_on_truth import NamedFace, draw_sheet, name_true_boxes
from facetl.commands.optional_pictures import OptionalPictures
from facetl.commands.requests import EvaluateRequest as EvaluateRequest
from facetl.commands.search_page import REPORT, is_search_page
from facetl.data.annotations import AnnotationFile
from facetl.data.dataset import FaceDataset, load_dataset
from facetl.data.images import Pixels, save_image
from facetl.data.near_duplicates import (
    Thumbnails,
    load_thumbnails,
    nearest_distances,
    stack_thumbnails,
)
from facetl.errors import InputError
from facetl.evaluation.metrics_file import FILE_NAME, describe, save_metrics
from facetl.evaluation.naming import Confusion
from facetl.evaluation.near_duplicates import TrainTestOverlap, score_subsets
from facetl.evaluation.report.compose import PLOTS, Scored, compose_report
from facetl.evaluation.scoring import (
    Evaluation,
    Predictions,
    Truth,
    evaluate_all,
    name_evaluations,
)
from facetl.files import plot_paths, refuse_to_overwrite, require_writable, write_text
from facetl.reporting import SILENT, Reporter
from facetl.results.peers import load_peer
from facetl.results.store import SUFFIX, SUFFIXES, find_runs, load_run

if TYPE_CHECKING:
    from facetl.evaluation.report.figures import Figure
    from facetl.evaluation.report.plots import Drawing


@dataclass(frozen=True)
class EvaluateResult:
    """The figures, and what was written.

    Attributes:
        evaluations: the figures of each run and peer.
        overlap: the figures by distance to the training frames, if they were given.
        metrics: the metrics file.
        plots: the plots that could be drawn, without their suffixes, .png and .svg.
        report: the report, if one was asked for.
        sheets: pictures of faces named wrong and right, one for each run with names.
    """

    evaluations: Sequence[Evaluation]
    overlap: TrainTestOverlap | None
    metrics: Path
    plots: Sequence[Path]
    report: Path | None
    sheets: Sequence[Path] = ()


def evaluate(request: EvaluateRequest, reporter: Reporter = SILENT) -> EvaluateResult:
    """Score runs against the truth.

    Raises:
        InputError: if runs, truth or frames cannot be read or brought together.
        OutputError: if something is in the way, or a place cannot be written.
    """
    folder = request.out or _folder_of(request.results)
    report = folder / REPORT if request.report else None
    plots = [path for name in PLOTS for path in plot_paths(folder / name)]
    in_the_way = [report] if report and not is_search_page(report) else []
    for path in (folder / FILE_NAME, *plots, *in_the_way):
        refuse_to_overwrite(path, force=request.force)
    require_writable(folder)
    runs = _load_runs(request)
    source, suggestions = load_truth(request, request.truth, reporter)
    scored = _score(runs, source, request)
    overlap = _compare(scored, request, reporter)
    scored, named = _name_true_boxes(scored, overlap, reporter)
    document = describe(
        scored.evaluations,
        Truth.of(source),
        truth_path=request.truth,
        only_listed=request.only_listed,
        overlap=overlap,
        suggestions=suggestions,
    )
    save_metrics(folder / FILE_NAME, document)
    drawings = _save_plots(folder, scored.evaluations, reporter)
    name_sheets = {run: draw_sheet(faces) for run, faces in named.items() if faces}
    sheets = _save_sheets(folder, scored.evaluations, name_sheets, reporter)
    if report:
        warnings = [describe_suggestions(suggestions)] if suggestions else []
        told = (scored, drawings, request.images, warnings, reporter, name_sheets)
        write_text(report, compose_report(*told))
    drawn = [folder / name for name in drawings]
    return EvaluateResult(scored.evaluations, overlap, folder / FILE_NAME, drawn, report, sheets)


def _folder_of(results: Path) -> Path:
    return results if _holds_runs(results) else results.parent


def _holds_runs(results: Path) -> bool:
    """Return whether this is a folder of runs, not a run itself."""
    return results.is_dir() and not results.name.endswith(SUFFIXES)


def _load_runs(request: EvaluateRequest) -> list[Predictions]:
    """Read all runs and peers; their names must differ."""
    runs = [Predictions.of_run(load_run(path)) for path in _run_paths(request)]
    runs += [Predictions.of_peer(name, load_peer(folder)) for name, folder in request.peers]
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"{request.results}: found {name!r} as the name of two runs; rename one"
            )
    return runs


def _run_paths(request: EvaluateRequest) -> list[Path]:
    """Return the runs, pretrained weights first."""
    if not _holds_runs(request.results):
        return [request.results]
    found = find_runs(request.results)
    paths = sorted(found, key=lambda path: not path.name.startswith("pretrained."))
    if not (paths or request.peers):
        raise InputError(f"{request.results}: found no *{SUFFIX}; make them with facetl detect")
    return paths


def _score(
    runs: Sequence[Predictions], source: FaceDataset | AnnotationFile, request: EvaluateRequest
) -> Scored:
    truth = Truth.of(source)
    found = evaluate_all(runs, truth, only_listed=request.only_listed)
    shown = [replace(each, score=request.score) for each in found]
    evaluations = name_evaluations(shown, runs, truth, only_listed=request.only_listed)
    return Scored(runs, evaluations, source, request.truth, request.only_listed)


def _compare(
    scored: Scored, request: EvaluateRequest, reporter: Reporter
) -> TrainTestOverlap | None:
    """Compare the true frames with the training frames, if there are any; score the parts apart."""
    if request.train is None:
        return None
    if not isinstance(scored.source, FaceDataset):
        raise InputError(
            "found an annotation file as the truth, but --train compares pictures; give --truth "
            "the folder of annotated frames"
        )
    trained_on = load_dataset(request.train, on_error=request.on_error)
    note_problems(trained_on, reporter, f"{request.train}: ")
    names, thumbnails = _load_thumbnails(scored.source, "test frames", reporter)
    _, others = _load_thumbnails(trained_on, "training frames", reporter)
    distances = nearest_distances(thumbnails, others)
    by_name = dict(zip(names, distances.tolist(), strict=True))
    parts = score_subsets(scored.runs, Truth.of(scored.source), by_name)
    return TrainTestOverlap(request.train, len(others), parts, by_name)


def _name_true_boxes(
    scored: Scored, overlap: TrainTestOverlap | None, reporter: Reporter
) -> tuple[Scored, dict[str, list[NamedFace]]]:
    """Return the evaluations with how true faces are named, where they can be, and the faces."""
    if not isinstance(scored.source, FaceDataset):
        return scored, {}
    if not any(each.naming for each in scored.evaluations):
        return scored, {}
    distances = overlap.distances if overlap else {}
    pairs = [
        name_true_boxes(each, scored.source, distances, reporter) for each in scored.evaluations
    ]
    named = {each.name: faces for each, faces in pairs if faces}
    return replace(scored, evaluations=[each for each, _ in pairs]), named


def _save_sheets(
    folder: Path,
    evaluations: Sequence[Evaluation],
    name_sheets: Mapping[str, Pixels],
    reporter: Reporter,
) -> list[Path]:
    """Write who is taken for whom, and faces named wrong and right, for each run with names."""
    paths, pictures = [], OptionalPictures()
    for each in evaluations:
        if not each.naming or not each.naming.confusion.counts.any():
            continue
        where = folder / f"{each.name}.confusion.png"
        whole = each.naming.on_true_boxes.get("all")
        draw = partial(_plot_confusion, whole or each.naming.confusion, is_true=whole is not None)
        if pictures.save_figure(where, draw):
            paths.append(where)
        if each.name in name_sheets:
            paths.append(folder / f"{each.name}.names.png")
            save_image(paths[-1], name_sheets[each.name])
    pictures.note_missing(reporter)
    return paths


def _plot_confusion(confusion: Confusion, *, is_true: bool) -> Figure:
    from facetl.evaluation.report.plots import plot_confusion

    return plot_confusion(confusion, "true boxes" if is_true else "faces found")


def _load_thumbnails(
    dataset: FaceDataset, what: str, reporter: Reporter
) -> tuple[list[str], Thumbnails]:
    """Read all frames; return the names and the thumbnails of those that can be read."""
    frames = reporter.track(dataset, f"reading the {what}", len(dataset))
    thumbnails = load_thumbnails(frames)
    if not thumbnails:
        raise InputError(f"none of the {len(dataset)} {what} can be read; restore the images")
    if len(thumbnails) < len(dataset):
        left_out = len(dataset) - len(thumbnails)
        reporter.note(f"{what} that cannot be read, not compared: {left_out}")
    return list(thumbnails), stack_thumbnails(thumbnails.values())


def _save_plots(
    folder: Path, evaluations: Sequence[Evaluation], reporter: Reporter
) -> dict[str, Drawing]:
    """Draw and write the plots; return those that could be drawn, by name."""

    def draw(name: str) -> Drawing:
        from facetl.evaluation.report import plots

        return plots.draw(plots.plot_evaluation(evaluations)[name]())

    pictures = OptionalPictures()
    drawings = pictures.save_figures(folder, PLOTS, draw)
    pictures.note_missing(reporter)
    return drawings
