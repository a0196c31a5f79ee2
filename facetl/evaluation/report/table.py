"""The figures as rows, one column a run: what the terminal and the reports show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple, Protocol

import numpy as np

from facetl.evaluation.diagnosis import Mistake
from facetl.evaluation.metrics import FRAMES_PER_FALSE_ALARM, IOU_THRESHOLD, Metrics
from facetl.evaluation.naming import Naming
from facetl.evaluation.scoring import Evaluation

UNDEFINED = "–"
_Best = Literal["high", "low"] | None
_AP_TITLES = {
    "0.3": "AP at IoU 0.3",
    "0.5": "AP at IoU 0.5",
    "0.7": "AP at IoU 0.7",
    "0.5:0.95": "AP, mean of IoU 0.5:0.95",
}
_LOSS_TITLES = {
    Mistake.MISSED: f"AP at IoU {IOU_THRESHOLD:g} lost to missed faces",
    Mistake.LOCALISATION: "  to mistakes of localisation",
    Mistake.DUPLICATE: "  to duplicates",
    Mistake.BACKGROUND: "  to background",
}


class TableRow(NamedTuple):
    """A row of a table: what it is about, its figures as text, and which of them are the best."""

    title: str
    texts: tuple[str, ...]
    winners: tuple[bool, ...] = ()


class _MakeRow(Protocol):
    """Makes a row: a figure of each run, formatted, the best ones marked."""

    def __call__(
        self,
        title: str,
        figure: Callable[[Evaluation], float],
        layout: str = ".3f",
        best: _Best = "high",
    ) -> TableRow: ...


def compare_runs(evaluations: Sequence[Evaluation]) -> list[list[TableRow]]:
    """Return the rows of a table in groups: what is shown, accuracy, best F1, mistakes, costs."""

    def row(
        title: str,
        figure: Callable[[Evaluation], float],
        layout: str = ".3f",
        best: _Best = "high",
    ) -> TableRow:
        return _format_row(title, [figure(each) for each in evaluations], layout, best)

    groups = (_rows_shown, _rows_of_accuracy, _rows_at_best, _rows_of_losses, _rows_of_costs)
    return [rows(row) for rows in groups]


def _rows_shown(row: _MakeRow) -> list[TableRow]:
    return [
        row("found", lambda e: e.counts.found, "d"),
        row("missed", lambda e: e.counts.missed, "d", "low"),
        row("false alarms", lambda e: e.counts.false_alarms, "d", "low"),
        row("shown from score", lambda e: e.shown.score_threshold, best=None),
        row("  precision there", lambda e: e.shown.precision),
        row("  recall there", lambda e: e.shown.recall),
        row("  F1 there", lambda e: e.shown.f1),
    ]


def _rows_of_accuracy(row: _MakeRow) -> list[TableRow]:
    return [
        *(row(title, partial(_ap_at, iou)) for iou, title in _AP_TITLES.items()),
        row("AP as COCO has it, 0.5:0.95", lambda e: e.metrics.ap_coco["0.5:0.95"]),
        row("AP as the course has it", lambda e: e.metrics.ap_course, ".4f"),
    ]


def _rows_at_best(row: _MakeRow) -> list[TableRow]:
    return [
        row(f"best F1 at IoU {IOU_THRESHOLD:g}", lambda e: e.metrics.best.f1),
        row("  precision there", lambda e: e.metrics.best.precision),
        row("  recall there", lambda e: e.metrics.best.recall),
        row("  score threshold", lambda e: e.metrics.best.score_threshold, best=None),
        row(
            f"recall at 1 false alarm in {FRAMES_PER_FALSE_ALARM} frames",
            lambda e: e.metrics.recall_at_budget,
        ),
    ]


def _rows_of_losses(row: _MakeRow) -> list[TableRow]:
    return [
        *(
            row(title, partial(_lost_to, mistake), best="low")
            for mistake, title in _LOSS_TITLES.items()
        ),
        row("expected calibration error", lambda e: e.diagnosis.calibration_error, best="low"),
    ]


def _rows_of_costs(row: _MakeRow) -> list[TableRow]:
    return [
        row("frames", lambda e: e.metrics.frames, "d", None),
        row("faces", lambda e: e.metrics.faces, "d", None),
        row("detections", lambda e: e.metrics.detections, "d", None),
        row("proposals per frame", lambda e: e.proposals_per_frame, ".1f", "low"),
        row("seconds per frame", lambda e: e.seconds_per_frame, ".3f", "low"),
    ]


def _ap_at(iou: str, run: Evaluation) -> float:
    return run.metrics.ap[iou]


def _lost_to(mistake: Mistake, run: Evaluation) -> float:
    return run.diagnosis.usual.lost[mistake]


def describe_characters(naming: Naming) -> list[list[TableRow]]:
    """Return a row for each character: faces, AP, precision, recall, F1; below it their mean AP."""
    rows = [
        TableRow(
            name,
            (
                f"{each.faces}",
                *map(_format_share, (each.ap, each.precision, each.recall, each.f1)),
            ),
            (False,) * 5,
        )
        for name, each in naming.characters.items()
    ]
    mean = TableRow("mean", ("", _format_share(naming.mean_ap), "", "", ""), (False,) * 5)
    return [[*rows, mean]]


def _format_share(figure: float) -> str:
    return UNDEFINED if np.isnan(figure) else f"{figure:.3f}"


def compare_subsets(parts: Sequence[Metrics]) -> list[list[TableRow]]:
    """Return the rows of one run's table with one column a part of the frames; none is best."""
    accuracy = [
        _format_row(title, [part.ap[iou] for part in parts], ".3f", None)
        for iou, title in _AP_TITLES.items()
    ]
    counts = [
        _format_row("frames", [part.frames for part in parts], "d", None),
        _format_row("faces", [part.faces for part in parts], "d", None),
    ]
    return [accuracy, counts]


def _format_row(title: str, figures: Sequence[float], layout: str, best: _Best) -> TableRow:
    """Return figures as text, undefined ones as a dash; the best are those that read as it does."""
    texts = [UNDEFINED if np.isnan(each) else format(each, layout) for each in figures]
    known = [each for each in figures if not np.isnan(each)]
    if best is None or len(known) < 2 or len(set(texts)) == 1:
        return TableRow(title, tuple(texts), (False,) * len(texts))
    winner = format(max(known) if best == "high" else min(known), layout)
    return TableRow(title, tuple(texts), tuple(text == winner for text in texts))
