"""Plots of figures, of diagnoses and of training: numbers in, a Figure out.

Drawn with matplotlib's objects alone, so that nothing global is touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, cycle, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facetl.evaluation.diagnosis import Diagnosis, FaceGroup, Mistake, ScoreBin
from facetl.evaluation.metrics import IOU_THRESHOLD, Curve, average_precision, best_point
from facetl.evaluation.naming import Confusion
from facetl.evaluation.report.figures import (
    INK,
    PALE,
    STYLE,
    Artist,
    Axes,
    Figure,
    FuncFormatter,
    Line2D,
    MaxNLocator,
    Patch,
    render_figure,
    shorten,
    styled,
)
from facetl.evaluation.report.table import UNDEFINED
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

_Diagnoses = Mapping[str, Diagnosis]
"""By the name of the run."""

_MISTAKE_TITLES = {
    Mistake.MISSED: "missed faces",
    Mistake.LOCALISATION: "localisation",
    Mistake.DUPLICATE: "duplicates",
    Mistake.BACKGROUND: "background",
}
_RECALL_TITLES = {
    "size": "size: √(width · height), pixels",
    "aspect": "aspect ratio: width / height",
    "label": "label",
}
MOST_LABELS = 12
"""How many labels are drawn, those with most faces."""
_LEGEND_ROOM = 0.5
"""Inches."""
_LARGEST_DOT = 120
"""Square points, for a bin that holds all detections."""
_PANEL: Any = {"fontsize": 10, "weight": "normal"}
_DIAGONAL: Any = {"color": "#999999", "linewidth": 1, "linestyle": (0, (4, 3))}


def plot_evaluation(evaluations: Sequence[Evaluation]) -> dict[str, Callable[[], Figure]]:
    """Return what draws each plot of an evaluation, by the name of its file."""
    curves = {each.name: each.metrics.curve for each in evaluations}
    diagnoses = {each.name: each.diagnosis for each in evaluations}
    return {
        "precision_recall": lambda: _plot_precision_recall(curves),
        "scores": lambda: _plot_scores(curves),
        "errors": lambda: _plot_errors(diagnoses),
        "recall_by": lambda: _plot_recall_by(diagnoses),
        "calibration": lambda: _plot_calibration(diagnoses),
    }


def _plot_precision_recall(curves: Mapping[str, Curve]) -> Figure:
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


def _plot_scores(curves: Mapping[str, Curve]) -> Figure:
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


def plot_confusion(confusion: Confusion, title: str) -> Figure:
    """Draw who is taken for whom: a row for each true name, shares of the row as colours.

    Args:
        confusion: of at least one face.
        title: which faces they are.
    """
    confusion = confusion.without_empty_ends()
    counts = confusion.counts
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows, columns = ([*map(shorten, names)] for names in (confusion.rows, confusion.columns))
    side = 0.62 * max(len(columns), 5)
    with styled([*confusion.rows, *confusion.columns, title]):
        figure = Figure(figsize=(side + 2.2, 0.62 * side + 1.9))
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.6 else INK
                axes.text(column, row, f"{count}", ha="center", va="center", color=colour)
        axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
        axes.set_yticks(range(len(rows)), rows)
        axes.grid(visible=False)
        axes.set_xlabel("called")
        axes.set_ylabel("is")
        axes.set_title(title)
    return figure


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


# ---- diagnosis


def _plot_errors(diagnoses: _Diagnoses) -> Figure:
    """Draw the AP that each kind of mistake costs: a panel an IoU threshold, a bar a run."""
    with styled(diagnoses):
        ious = list(next(iter(diagnoses.values())).costs) if diagnoses else [f"{IOU_THRESHOLD}"]
        height = _LEGEND_ROOM + 0.9 + len(_MISTAKE_TITLES) * (0.2 + 0.22 * max(len(diagnoses), 1))
        figure = Figure(figsize=(9.0, height))
        panels = figure.subplots(
            1, len(ious), sharex=True, sharey=True, squeeze=False, gridspec_kw={"wspace": 0.12}
        )[0]
        longest = max(
            _draw_losses(axes, diagnoses, iou) for axes, iou in zip(panels, ious, strict=True)
        )
        panels[0].set_xlim(0, 1.4 * max(longest, 0.01))
        panels[0].xaxis.set_major_locator(MaxNLocator(4, prune="upper"))
        figure.supxlabel("AP lost (number of mistakes)", fontsize=10)
        _head(figure, "What the missing AP is made of", _colours_of(diagnoses))
    return figure


def _plot_recall_by(diagnoses: _Diagnoses) -> Figure:
    """Draw recall at the best F1 by size, aspect ratio and label, with 95 % intervals."""
    tables = {
        key: _common_groups([each.recall_by[key] for each in diagnoses.values()])
        for key in _RECALL_TITLES
    }
    tables = {key: names for key, names in tables.items() if names} or {"size": []}
    heights = [
        0.55 + min(len(names), MOST_LABELS) * (0.17 + 0.12 * len(diagnoses))
        for names in tables.values()
    ]
    with styled([*diagnoses, *chain.from_iterable(tables.values())]):
        figure = Figure(figsize=(7.0, _LEGEND_ROOM + 0.6 + sum(heights)))
        panels = figure.subplots(
            len(tables), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
        )[:, 0]
        for axes, (key, names) in zip(panels, tables.items(), strict=True):
            _draw_recall(axes, diagnoses, key, names)
        panels[-1].set(xlim=(0, 1.01), xlabel="recall at the best F1, with 95 % intervals")
        _head(figure, f"Faces found at IoU {IOU_THRESHOLD:g}", _colours_of(diagnoses))
    return figure


def _plot_calibration(diagnoses: _Diagnoses) -> Figure:
    """Draw the share of hits by score, a panel a run; on the diagonal a score is a probability."""
    columns = min(max(len(diagnoses), 1), 3)
    rows = math.ceil(max(len(diagnoses), 1) / columns)
    with styled(diagnoses):
        figure = Figure(figsize=(0.8 + 3.1 * columns, _LEGEND_ROOM + 0.4 + 3.2 * rows))
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for spare in panels[len(diagnoses) :]:
            spare.set_axis_off()
        for axes, (name, diagnosis), colour in zip(
            panels, diagnoses.items(), cycle(PALETTE), strict=False
        ):
            _draw_reliability(axes, name, diagnosis, colour)
        for axes in panels[: len(diagnoses)][-columns:]:
            axes.tick_params(labelbottom=True)
        panels[0].set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        figure.supxlabel("mean score (larger dot: more detections)", fontsize=10)
        figure.supylabel(f"share of hits at IoU {IOU_THRESHOLD:g}", fontsize=10)
        line = Line2D([], [], **_DIAGONAL)
        _head(figure, "Can scores be taken for probabilities?", {"yes, on this line": line})
    return figure


def _draw_losses(axes: Axes, diagnoses: _Diagnoses, iou: str) -> float:
    """Draw the bars of all runs; return the longest."""
    longest = 0.0
    for run, (diagnosis, colour) in enumerate(
        zip(diagnoses.values(), cycle(PALETTE), strict=False)
    ):
        costs = diagnosis.costs[iou]
        lost = [costs.lost[mistake] for mistake in _MISTAKE_TITLES]
        lengths = np.nan_to_num(lost)
        places = [_places(row, len(diagnoses))[run] for row in range(len(lost))]
        axes.barh(places, lengths, 0.7 / len(diagnoses), color=colour)
        for mistake, length, place in zip(_MISTAKE_TITLES, lengths, places, strict=True):
            text = f"{_say(costs.lost[mistake])} ({costs.counts[mistake]})"
            axes.annotate(
                text, (length, place), (4, 0), textcoords="offset points", va="center", fontsize=9
            )
        longest = max(longest, *lengths)
    axes.set_title(f"at IoU {iou}", **_PANEL)
    _set_rows(axes, list(_MISTAKE_TITLES.values()))
    return longest


def _draw_recall(axes: Axes, diagnoses: _Diagnoses, key: str, names: Sequence[str]) -> None:
    largest = ", the largest" if len(names) > MOST_LABELS else ""
    names = names[:MOST_LABELS]
    faces: dict[str, int] = {}
    for run, (diagnosis, colour) in enumerate(
        zip(diagnoses.values(), cycle(PALETTE), strict=False)
    ):
        groups = [each for each in diagnosis.recall_by[key] if each.name in names]
        faces |= {each.name: each.faces for each in groups}
        places = [_places(names.index(each.name), len(diagnoses))[run] for each in groups]
        recalls = np.array([each.recall for each in groups])
        low, high = _bounds(groups)
        reach = [recalls - low, high - recalls]
        axes.errorbar(
            recalls, places, xerr=reach, fmt="o", color=colour, markersize=6, elinewidth=1.6,
            clip_on=False,
        )  # fmt: skip
    _set_rows(axes, [f"{shorten(name)} ({faces[name]})" for name in names])
    axes.set_title(f"by {_RECALL_TITLES[key]}{largest} (number of faces)", **_PANEL)


def _draw_reliability(axes: Axes, name: str, diagnosis: Diagnosis, colour: str) -> None:
    axes.plot([0, 1], [0, 1], **_DIAGONAL)
    axes.set_title(f"{shorten(name)}: expected error {_say(diagnosis.calibration_error)}", **_PANEL)
    bins = diagnosis.calibration
    if not bins:
        axes.text(0.97, 0.1, "no scores from 0 to 1", ha="right", fontsize=9)
    scores = [each.score for each in bins]
    precisions = np.array([each.precision for each in bins])
    low, high = _bounds(bins)
    reach = [precisions - low, high - precisions]
    axes.errorbar(scores, precisions, yerr=reach, fmt="none", ecolor=colour, elinewidth=1.4)
    counts = np.array([each.detections for each in bins])
    sizes = _LARGEST_DOT * np.sqrt(counts / max(counts.sum(), 1))
    axes.scatter(scores, precisions, sizes, color=colour, zorder=3, clip_on=False)


def _bounds(shares: Sequence[FaceGroup] | Sequence[ScoreBin]) -> NDArray[np.float64]:
    """Return (2, N) the low and the high ends of the intervals."""
    return np.array([each.interval for each in shares]).reshape(-1, 2).T


def _common_groups(tables: Sequence[Sequence[FaceGroup]]) -> list[str]:
    """Return the names of all groups, in order; the faces are the same for every run."""
    return list(dict.fromkeys(group.name for table in tables for group in table))


def _places(row: int, count: int) -> list[float]:
    """Return the heights at which ``count`` runs stand in a row of its own."""
    return [row + 0.7 * ((run + 0.5) / count - 0.5) for run in range(count)]


def _set_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)


def _say(figure: float) -> str:
    return f"{figure:.3f}" if np.isfinite(figure) else UNDEFINED


def _colours_of(names: Iterable[str]) -> dict[str, Artist]:
    """Return a square of its colour for each run."""
    return {name: Patch(color=colour) for name, colour in zip(names, cycle(PALETTE), strict=False)}


def _head(figure: Figure, title: str, keys: Mapping[str, Artist]) -> None:
    """Write the title and what stands for what above all panels."""
    rows = max(math.ceil(len(keys) / 4), 1)
    columns = max(math.ceil(len(keys) / rows), 1)
    figure.legend(
        list(keys.values()), [*map(shorten, keys)], loc="outside upper left", ncols=columns,
        title=title, title_fontproperties={"weight": "bold", "size": 11}, alignment="left",
    )  # fmt: skip
