"""Plots of a diagnosis: what the missing AP is made of, recall by kind of face, calibration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.evaluation.diagnosis import Diagnosis, FaceGroup, Mistake, ScoreBin
from facetl.evaluation.metrics import IOU_THRESHOLD
from facetl.evaluation.report.figures import (
    Artist,
    Axes,
    Figure,
    Line2D,
    MaxNLocator,
    Patch,
    shorten,
    styled,
)
from facetl.evaluation.report.plots import PALETTE
from facetl.evaluation.report.table import UNDEFINED

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


def plot_errors(diagnoses: _Diagnoses) -> Figure:
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


def plot_recall_by(diagnoses: _Diagnoses) -> Figure:
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


def plot_calibration(diagnoses: _Diagnoses) -> Figure:
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
