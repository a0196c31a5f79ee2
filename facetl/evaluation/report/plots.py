"""Plots of figures and of training: numbers in, a Figure out.

Drawn with matplotlib's objects alone, so that nothing global is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from facetl.evaluation.metrics import IOU_THRESHOLD, Curve, average_precision, best_point
from facetl.evaluation.report.figures import (
    INK,
    PALE,
    STYLE,
    Axes,
    Figure,
    FuncFormatter,
    MaxNLocator,
    render_figure,
    shorten,
    styled,
)
from facetl.evaluation.scoring import Evaluation
from facetl.files import atomic_path, plot_paths
from facetl.palette import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION

PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
_LOSS_COLOURS = {"train": BLUE, "validation": VERMILION}
_LOSS_STYLES: dict[str, dict[str, Any]] = {
    "total": {},
    "classification": {"linestyle": "--", "linewidth": 1.2},
    "box": {"linestyle": ":", "linewidth": 1.6},
    "landmark": {"linestyle": "-.", "linewidth": 1.0},
}
_SHARE_COLOURS = {"accuracy": GREEN, "recall": PURPLE}

_SVG_METADATA = ("Creator", "Date", "Format", "Type")
"""What matplotlib would tell in an SVG unasked."""


def plot_evaluation(evaluations: Sequence[Evaluation]) -> dict[str, Callable[[], Figure]]:
    """Return what draws each plot of an evaluation, by the name of its file."""
    from facetl.evaluation.report import diagnosis_plots  # which takes the colours from here

    curves = {each.name: each.metrics.curve for each in evaluations}
    diagnoses = {each.name: each.diagnosis for each in evaluations}
    return {
        "precision_recall": lambda: plot_precision_recall(curves),
        "scores": lambda: plot_scores(curves),
        "errors": lambda: diagnosis_plots.plot_errors(diagnoses),
        "recall_by": lambda: diagnosis_plots.plot_recall_by(diagnoses),
        "calibration": lambda: diagnosis_plots.plot_calibration(diagnoses),
    }


def plot_precision_recall(curves: Mapping[str, Curve]) -> Figure:
    """Draw precision against recall, one line a run, with the point of the best F1 marked."""
    with styled(curves):
        figure = Figure(figsize=(7.0, 5.6))
        axes = figure.add_subplot()
        _draw_f1_lines(axes)
        for (name, curve), colour in zip(curves.items(), cycle(PALETTE), strict=False):
            _draw_curve(axes, name, curve, colour)
        axes.set(xlim=(0, 1.005), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
        axes.set_title(f"Precision and recall at IoU {IOU_THRESHOLD:g}")
        _add_legend(axes, loc="lower left", title="● best F1", alignment="left", fontsize=10)
    return figure


def plot_scores(curves: Mapping[str, Curve]) -> Figure:
    """Draw the scores of hits (up) and false alarms (down), one panel a run."""
    with styled(curves):
        figure = Figure(figsize=(7.0, 0.9 + 2.1 * max(len(curves), 1)))
        panels = figure.subplots(max(len(curves), 1), 1, squeeze=False)[:, 0]
        for panel, (name, curve) in zip(panels, curves.items(), strict=False):
            _draw_scores(panel, name, curve)
        panels[-1].set_xlabel("score")
    return figure


def plot_losses(trainings: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draw the losses and the validation figures of trainings, epoch by epoch, a row each.

    Args:
        trainings: by name; records, one per epoch, with ``epoch`` and the parts ``train`` and
            ``validation``, each a mapping of named figures; ``total`` is the loss, and in
            ``validation`` there may be ``accuracy`` and ``recall``.  The epoch of the lowest
            validation loss is marked.
    """
    with styled(trainings):
        rows = max(len(trainings), 1)
        figure = Figure(figsize=(9.0, 4.4 * rows))
        panels = figure.subplots(rows, 2, squeeze=False)
        for (losses, shares), (name, records) in zip(panels, trainings.items(), strict=False):
            _draw_training(losses, shares, name, records)
    return figure


def _draw_training(
    losses: Axes, shares: Axes, name: str, records: Sequence[Mapping[str, Any]]
) -> None:
    for (part, colour), (loss, style) in product(_LOSS_COLOURS.items(), _LOSS_STYLES.items()):
        _draw_series(losses, records, part, loss, f"{part}, {loss}", color=colour, **style)
    for share, colour in _SHARE_COLOURS.items():
        _draw_series(shares, records, "validation", share, share, color=colour)
    for axes, title in ((losses, f"{shorten(name)}: loss"), (shares, "on the validation frames")):
        axes.set_title(title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _mark_best_epoch(axes, records)
        _add_legend(axes, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)


class Drawing(NamedTuple):
    """A figure drawn, as a PNG file and as an ``<svg>`` element."""

    png: bytes
    svg: str


def draw(figure: Figure) -> Drawing:
    """Draw a figure, once: each time the layout moves by a hair."""
    return Drawing(render_figure(figure, "png"), svg_of(figure))


def save_plot(path: Path, figure: Figure | Drawing) -> None:
    """Write a figure as PNG and as SVG beside it, atomically.

    Args:
        path: where one of the two goes; the suffix is exchanged for the other.
        figure: what to write, drawn or not yet.

    Raises:
        OutputError: if the place cannot be written.
    """
    drawing = draw(figure) if isinstance(figure, Figure) else figure
    png, svg = plot_paths(path)
    with atomic_path(png) as picture, atomic_path(svg) as text:
        picture.write_bytes(drawing.png)
        text.write_text(drawing.svg + "\n", encoding="utf-8")


def svg_of(figure: Figure, name: str = "facetl") -> str:
    """Return a figure as an ``<svg>`` element, the same text for the same figure.

    Its words stay words.  Nothing comes before the element, so that it can stand in an HTML page
    as well as in a file of its own.

    Args:
        figure: what to draw.
        name: tells what it refers to inside itself from what others on the same page do.
    """
    style = {**STYLE, "svg.fonttype": "none", "svg.hashsalt": name}
    text = render_figure(figure, "svg", style, metadata=dict.fromkeys(_SVG_METADATA)).decode()
    return text[text.index("<svg") :].rstrip()


def _as_label(name: str) -> str:
    """Return a name as a legend shows it: matplotlib leaves out those that begin with ``_``."""
    name = shorten(name)
    return f" {name}" if name.startswith("_") else name


def _add_legend(axes: Axes, **options: Any) -> None:
    """Explain the lines if there are any."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**options)


def _draw_curve(axes: Axes, name: str, curve: Curve, colour: str) -> None:
    """Draw precision and recall at the score thresholds that can be chosen."""
    label = f"{_as_label(name)} · AP {average_precision(curve):.3f}"
    axes.plot(curve.recall[curve.cuts], curve.precision[curve.cuts], color=colour, label=label)
    best = best_point(curve)
    axes.plot(best.recall, best.precision, "o", color=colour, markersize=9, markeredgecolor="white")


def _draw_f1_lines(axes: Axes) -> None:
    """Draw pale lines of equal F1, so that a point can be read as one number."""
    for f1 in (0.2, 0.4, 0.6, 0.8):
        recall = np.geomspace(f1 / (2 - f1), 1, 200)
        precision = f1 * recall / (2 * recall - f1)
        axes.plot(recall, precision, color=PALE, linewidth=0.9, zorder=1)
        axes.annotate(
            f"F1 {f1:g}", (1, f1 / (2 - f1)), (-3, 3), textcoords="offset points",
            ha="right", va="bottom", fontsize=8, color="#999999",
        )  # fmt: skip


def _draw_scores(axes: Axes, name: str, curve: Curve) -> None:
    bins = np.linspace(*_score_range(curve.scores), 51)
    hits, _ = np.histogram(curve.scores[curve.hits], bins)
    false_alarms, _ = np.histogram(curve.scores[~curve.hits], bins)
    axes.stairs(hits, bins, fill=True, color=BLUE)
    axes.stairs(-false_alarms, bins, fill=True, color=VERMILION)
    axes.axhline(0, color="white", linewidth=1)
    axes.set(title=shorten(name), ylabel="detections", xlim=(bins[0], bins[-1]))
    axes.margins(y=0.2)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{abs(count):g}"))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    _write_above(axes, f"hits {hits.sum()}", BLUE, 0.77)
    _write_above(axes, f"false alarms {false_alarms.sum()}", VERMILION, 1.0)
    _mark_threshold(axes, best_point(curve).score_threshold)


def _write_above(axes: Axes, text: str, colour: str, right: float) -> None:
    axes.annotate(
        text, (right, 1), (0, 6), color=colour, weight="bold", ha="right",
        xycoords="axes fraction", textcoords="offset points",
    )  # fmt: skip


def _score_range(scores: Any) -> tuple[float, float]:
    """Return 0 to 1 if the scores fit in there, else their own range."""
    if len(scores) == 0 or (scores.min() >= 0 and scores.max() <= 1):
        return 0.0, 1.0
    return float(scores.min()), float(scores.max()) + 1e-9


def _mark_threshold(axes: Axes, threshold: float) -> None:
    if np.isfinite(threshold):
        on_the_left = threshold < np.mean(axes.get_xlim())
        axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"best F1 at {threshold:.2f}", (threshold, 1), (5 if on_the_left else -5, -4),
            ha="left" if on_the_left else "right", va="top", fontsize=9,
            xycoords=("data", "axes fraction"), textcoords="offset points",
        )  # fmt: skip


def _draw_series(
    axes: Axes,
    records: Sequence[Mapping[str, Any]],
    part: str,
    figure: str,
    label: str,
    **style: Any,
) -> None:
    """Draw one named figure over the epochs that recorded it; nothing if none did."""
    points = [
        (record["epoch"], record[part][figure])
        for record in records
        if figure in record.get(part, {})
    ]
    if points:
        marker = "o" if len(points) == 1 else ""
        axes.plot(*zip(*points, strict=True), marker=marker, label=label, **style)


def _mark_best_epoch(axes: Axes, records: Sequence[Mapping[str, Any]]) -> None:
    """Mark the epoch whose loss on the validation frames was the lowest."""
    losses = {
        record["epoch"]: record["validation"]["total"]
        for record in records
        if "total" in record.get("validation", {})
    }
    axes.set_xlabel("epoch")
    if losses:
        best = min(losses, key=lambda epoch: losses[epoch])
        axes.axvline(best, color="#AAAAAA", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axes.set_xlabel(f"epoch (dashed: lowest loss, {best})")
