"""The report: one HTML file to look at, with everything inside it.

The page is put together from a template, a style sheet and a script that lie beside this module;
names are escaped by the template engine, numbers and boxes travel as JSON.  Nothing on the page
asks for anything outside it: its content security policy forbids that.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from facetl.evaluation.diagnosis import Mistake
from facetl.evaluation.metrics import IOU_THRESHOLD
from facetl.evaluation.report.advice import advise
from facetl.evaluation.report.frames import ReportFrame
from facetl.evaluation.report.opening import (
    MARKS,
    best_but_first,
    describe_change,
    describe_sheets,
    describe_verdicts,
    threshold_of,
)
from facetl.evaluation.report.sheet import Sheet
from facetl.evaluation.report.table import UNDEFINED, TableRow, compare_runs
from facetl.evaluation.report.templating import as_address, build_environment
from facetl.evaluation.scoring import Evaluation
from facetl.palette import COMMON_STYLE
from facetl.version import VERSION, installed_versions

if TYPE_CHECKING:
    from facetl.evaluation.report.names_section import NamesShown

MAX_FRAMES = 1000
"""Frames on the page; of more, those with the most mistakes."""
PICTURES_BYTES = 9_000_000
"""Room for the frames' pictures; a third more once they are text."""

_FILTERS = (
    ("all", "all"),
    ("misses", "missed"),
    ("false_alarms", "false alarms"),
    ("gained", "gained"),
    ("lost", "lost"),
)
ORDERS = (
    ("mistakes", "most mistakes"),
    ("name", "name"),
    ("misses", "most missed"),
    ("false_alarms", "most false alarms"),
    ("gained", "most gained"),
    ("lost", "most lost"),
    ("smallest", "smallest face"),
    ("lowest", "lowest score of a hit"),
)
_WORDS = {
    "found": f"a face whose box was found with an IoU of {IOU_THRESHOLD:g} or more",
    "missed": "a face that was not found",
    "false alarm": "a box that was found where no face is annotated, a second one of the same "
    "face, or one too far off",
    "IoU": "intersection over union, how well two boxes agree: the area that they share, divided "
    "by the area that they cover together; 1 is the same box",
    "precision": "of the boxes that are shown, the share that found a face",
    "recall": "of the faces, the share that was found",
    "F1": "precision and recall as one figure, their harmonic mean",
    "AP": "average precision: precision in the mean over all recalls, whatever score is chosen; "
    "1 is perfect",
    "localisation": "a mistake: a box near a face, but too far off to count",
    "duplicate": "a mistake: a second box of a face that was found",
    "background": "a mistake: a box where no face is annotated",
    "expected calibration error": "how far scores are from the share of boxes that found a face",
}
_FACE_SIZES = (("under 24 px", 0, 24), ("24 to 48 px", 24, 48), ("48 to 96 px", 48, 96))
_LARGEST_FACES = ("96 px and more", 96, 1_000_000)
_RECALL_BY = {
    "size": "size of the face, the root of its area in pixels",
    "aspect": "width over height of the face",
    "label": "label",
}
_PACKAGES = ("torch", "numpy", "pillow", "facenet-pytorch")


class ReportTable(NamedTuple):
    """A table of the page."""

    heads: tuple[str, ...]
    rows: Sequence[TableRow]
    caption: str = ""


class Plot(NamedTuple):
    """A drawing (SVG) and what it shows, in words."""

    svg: str
    text: str

    @property
    def source(self) -> str:
        """The drawing as an address that holds it."""
        return as_address(self.svg.encode(), "image/svg+xml")


class TrainingHistory(NamedTuple):
    """What a weights file tells of its making."""

    name: str
    picture: Plot | None
    patches: ReportTable | None


@dataclass(frozen=True)
class Report:
    """Everything that the page shows.

    Attributes:
        title: what is reported on.
        evaluations: the figures of the runs, as in the metrics file.
        frames: the frames; of more than :data:`MAX_FRAMES` some.
        left_out: how many frames there are besides.
        pictures: the frames' pictures as WebP files, by name; any may be missing.
        sheets: for each run, pictures of what it misses and finds.
        plots: drawings of the errors.
        trainings: what is known of the weights' making.
        commands: the commands that made the runs and the report.
        origin: facts about data and weights, by name.
        warnings: what must be known before all figures.
        names: for each run that names faces, how it does.
    """

    title: str
    evaluations: Sequence[Evaluation]
    frames: Sequence[ReportFrame]
    left_out: int = 0
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    sheets: Sequence[Sheet] = ()
    plots: Sequence[Plot] = ()
    trainings: Sequence[TrainingHistory] = ()
    commands: Sequence[str] = ()
    origin: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    names: Sequence[NamesShown] = ()


def choose_frames(
    frames: Sequence[ReportFrame], evaluations: Sequence[Evaluation]
) -> list[ReportFrame]:
    """Return at most :data:`MAX_FRAMES` frames, those with the most mistakes, in their order."""
    if len(frames) <= MAX_FRAMES:
        return list(frames)
    thresholds = {each.name: threshold_of(each) for each in evaluations}
    mistakes = [-each.mistakes(thresholds) for each in frames]
    chosen = sorted(range(len(frames)), key=mistakes.__getitem__)[:MAX_FRAMES]
    return [frames[place] for place in sorted(chosen)]


def render_page(report: Report) -> str:
    """Return the page as HTML."""
    environment = build_environment()
    read = environment.loader.get_source  # type: ignore[union-attr]
    return environment.get_template("report.html.jinja").render(
        title=report.title,
        warnings=report.warnings,
        verdicts=describe_verdicts(report.evaluations),
        change="" if report.left_out else describe_change(report.evaluations, report.frames),
        sheets=describe_sheets(report.evaluations, report.sheets),
        are_without_images=any(row.total for sheet in report.sheets for row in sheet),
        version=VERSION,
        iou=f"{IOU_THRESHOLD:g}",
        style=COMMON_STYLE.read_text("utf-8") + read(environment, "report.css")[0],
        script=read(environment, "report.js")[0],
        data=_describe_data(report),
        runs=_runs_table(report.evaluations),
        errors=_errors(report),
        names=report.names,
        trainings=report.trainings,
        advices=advise(report.evaluations),
        commands=report.commands,
        origin=_origin_table(report.origin),
        settings=_settings(report.evaluations),
        notes=[text for each in report.evaluations for text in each.notes],
        filters=_FILTERS,
        marks=MARKS,
        filters_of={"missed": "misses", "false_alarms": "false_alarms"},
        words=_WORDS,
        orders=ORDERS,
        ignores=any(len(each.ignored) for each in report.frames),
    )


def _describe_data(report: Report) -> dict[str, Any]:
    """Return what the page's script needs, JSON-able: curves, frames, faces and detections."""
    names = [each.name for each in report.evaluations]
    labels = {label for each in report.frames for label in each.labels if label}
    return {
        "faces": report.evaluations[0].metrics.faces if report.evaluations else 0,
        "runs": [_describe_run(each) for each in report.evaluations],
        "left": 0,
        "right": best_but_first(report.evaluations),
        "frames": [
            _describe_frame(each, names, report.pictures.get(each.name)) for each in report.frames
        ],
        "frames_left_out": report.left_out,
        "labels": sorted(labels),
        "sizes": [*_FACE_SIZES, _LARGEST_FACES],
    }


def _describe_run(run: Evaluation) -> dict[str, Any]:
    curve = run.metrics.curve
    scores = curve.scores.tolist()
    low, high = min([0.0, *scores]), max([1.0, *scores])
    threshold = threshold_of(run)
    return {
        "name": run.name,
        "threshold": threshold if math.isfinite(threshold) else high,
        "low": low,
        "high": high,
        "scores": scores,
        "hits": curve.hits.astype(int).tolist(),
    }


def _describe_frame(
    frame: ReportFrame, runs: Sequence[str], picture: bytes | None
) -> dict[str, Any]:
    height, width = frame.size_hw
    return {
        "name": frame.name,
        "width": width,
        "height": height,
        "picture": as_address(picture, "image/webp") if picture else None,
        "boxes": frame.boxes.round(1).tolist(),
        "labels": list(frame.labels),
        "ignored": frame.ignored.round(1).tolist(),
        "found": [_describe_detections(frame, run) for run in runs],
    }


def _describe_detections(frame: ReportFrame, run: str) -> dict[str, Any]:
    found = frame.detections[run]
    faces = zip(found.matches.hits.tolist(), found.matches.face.tolist(), strict=True)
    return {
        "boxes": found.boxes.round(1).tolist(),
        "scores": found.scores.tolist(),
        "faces": [face if hit else -1 for hit, face in faces],
        "verdicts": [verdict.value if verdict else "hit" for verdict in found.matches.verdicts],
    }


def _runs_table(evaluations: Sequence[Evaluation]) -> ReportTable:
    rows = [row for group in compare_runs(evaluations) for row in group]
    sizes = (each.settings.get("parameters") for each in evaluations)
    texts = tuple(f"{size:,}" if isinstance(size, int) else UNDEFINED for size in sizes)
    names = tuple(each.name for each in evaluations)
    return ReportTable(("", *names), [*rows, TableRow("weights in the networks", texts)])


def _errors(report: Report) -> dict[str, Any]:
    return {
        "tables": [_mistakes_table(report.evaluations)],
        "pictures": report.plots,
        "groups": [*_recall_tables(report.evaluations), *_calibration_tables(report.evaluations)],
        "hint": "AP gained if a kind of mistake were mended, with the number of such mistakes, "
        f"at IoU {IOU_THRESHOLD:g} (Bolya et al., TIDE, 2020). The gains do not add up: "
        "precision and recall multiply.",
    }


def _mistakes_table(evaluations: Sequence[Evaluation]) -> ReportTable:
    rows = [
        TableRow(mistake.value, tuple(_cost(each, mistake) for each in evaluations))
        for mistake in Mistake
    ]
    return ReportTable(("AP lost by", *(each.name for each in evaluations)), rows)


def _cost(run: Evaluation, mistake: Mistake) -> str:
    usual = run.diagnosis.usual
    lost = usual.lost[mistake]
    figure = UNDEFINED if math.isnan(lost) else f"{lost:.3f}"
    return f"{figure} ({usual.counts[mistake]})"


def _recall_tables(evaluations: Sequence[Evaluation]) -> list[ReportTable]:
    """Return a table for each way to divide the faces, with the recall of every run."""
    heads = ("", "faces", *(each.name for each in evaluations))
    tables = []
    for by, what in _RECALL_BY.items():
        columns = [each.diagnosis.recall_by[by] for each in evaluations]
        rows = [
            TableRow(
                groups[0].name,
                (f"{groups[0].faces}", *(f"{group.recall:.3f}" for group in groups)),
            )
            for groups in zip(*columns, strict=True)
        ]
        if rows:
            tables.append(ReportTable(heads, rows, f"Recall by {what}"))
    return tables


def _calibration_tables(evaluations: Sequence[Evaluation]) -> list[ReportTable]:
    return [
        ReportTable(
            ("score", "detections", "mean score", "precision"),
            [
                TableRow(
                    f"{each.low:.1f} to {each.high:.1f}",
                    (f"{each.detections}", f"{each.score:.3f}", f"{each.precision:.3f}"),
                )
                for each in run.diagnosis.calibration
            ],
            f"Calibration of {run.name}: expected error {run.diagnosis.calibration_error:.3f}",
        )
        for run in evaluations
        if run.diagnosis.calibration
    ]


def _origin_table(origin: Mapping[str, str]) -> ReportTable:
    facts = {
        **origin,
        "facetl": VERSION,
        "Python": ".".join(map(str, sys.version_info[:3])),
        **installed_versions(_PACKAGES),  # not everybody has torch
    }
    return ReportTable(("", ""), [TableRow(name, (text,)) for name, text in facts.items()])


def _settings(evaluations: Sequence[Evaluation]) -> list[dict[str, str]]:
    return [
        {
            "name": f"Settings of {each.name}",
            "text": json.dumps(each.settings, ensure_ascii=False, indent=2),
        }
        for each in evaluations
        if each.settings
    ]
