"""Plots of a study: results in, Figures out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import PurePath
from typing import Any

import numpy as np

from facetl.evaluation.report.figures import INK, Artist, Axes, Figure, MaxNLocator, styled
from facetl.evaluation.report.plots import PALETTE
from facetl.experiments.results import Result, Row, Spread, compared, gather
from facetl.experiments.study import PLAIN, Group, describe_method
from facetl.experiments.tables import title_of
from facetl.palette import BLUE, VERMILION

_Values = Sequence[Sequence[float]]
"""A figure by epoch, one sequence a seed."""

_SUM_COLOUR, _DTNH_COLOUR = VERMILION, BLUE
_PANEL: Any = {"fontsize": 9, "weight": "normal"}


def plot_study(
    results: Sequence[Result], rows: Sequence[Row]
) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Yield all plots that the results have figures for: a short name, and what draws it.

    Curves by epoch come one figure a section: target, start and number of frames.
    """
    yield "strategies", partial(_plot_bars, rows)
    if any(row.group.method.holds for row in rows):
        yield "sensitivity", partial(_plot_sensitivity, rows)
    sections = gather(results, lambda result: result.cell.group.plain)
    for group, members in sections.items():
        start = PurePath(group.start).stem
        name = f"{group.target}_{start}_{group.frames or 'all'}"
        methods = [member.cell.method for member in members]
        yield f"learning_curves_{name}", partial(_plot_learning_curves, members)
        if any(method.holds for method in methods):
            yield f"angles_{name}", partial(_plot_angles, members)
        if any(method.gradient_rule == "dtnh" for method in methods):
            yield f"empirical_loss_{name}", partial(_plot_empirical_loss, members)


def _compared(row: Row) -> Spread:
    """Return the figure by which methods are compared."""
    return row.figures[compared(row.group.target)]


def _what(rows: Sequence[Row]) -> str:
    """Return what that figure is, in words."""
    name = compared(rows[0].group.target)
    return "accuracy on true boxes" if name == "accuracy" else f"AP at IoU {name}"


def _plot_bars(rows: Sequence[Row]) -> Figure:
    """Draw AP of every method as a bar, best first, a panel a section; whiskers: deviation."""
    sections = _rows_by_section(rows)
    heights = [0.9 + 0.26 * len(members) for members in sections.values()]
    with styled():
        figure = Figure(figsize=(8.0, sum(heights)))
        panels = figure.subplots(
            len(sections), 1, squeeze=False, gridspec_kw={"height_ratios": heights}
        )
        for axes, (title, members) in zip(panels[:, 0], sections.items(), strict=True):
            _draw_bars(axes, title, sorted(members, key=lambda row: _compared(row).mean))
        panels[-1, 0].set_xlabel(f"{_what(rows)}; line: plain fine-tuning")
    return figure


def _draw_bars(axes: Axes, title: str, rows: Sequence[Row]) -> None:
    spreads = [_compared(row) for row in rows]
    names = [row.name for row in rows]
    colours = [VERMILION if row.group.method == PLAIN else BLUE for row in rows]
    deviations = [0 if math.isnan(each.deviation) else each.deviation for each in spreads]
    means = [spread.mean for spread in spreads]
    axes.barh(names, means, xerr=deviations, color=colours, height=0.7, ecolor=INK)
    axes.set_title(title)
    axes.grid(axis="y", visible=False)
    for row, spread in zip(rows, spreads, strict=True):
        if row.group.method == PLAIN:
            axes.axvline(spread.mean, color=VERMILION, linewidth=1, zorder=0)
    axes.set_xlim(0, max(1.05 * max(map(sum, zip(means, deviations, strict=True))), 0.05))


def _plot_sensitivity(rows: Sequence[Row]) -> Figure:
    """Draw AP by α: a panel a section, a line for each regulariser, rule and β."""
    sections = _rows_by_section([row for row in rows if not row.chosen])
    sections = {
        title: members
        for title, members in sections.items()
        if any(row.group.method.holds for row in members)
    }
    with styled():
        figure, panels = _grid(len(sections), height=3.4)
        for axes in panels[1:]:
            axes.sharey(panels[0])
        for axes, (title, members) in zip(panels, sections.items(), strict=False):
            _draw_sensitivity(axes, title, members)
        _add_common_legend(figure, panels)
    return figure


def _draw_sensitivity(axes: Axes, title: str, rows: Sequence[Row]) -> None:
    plain = [row for row in rows if not row.group.method.holds]
    holding = [row for row in rows if row.group.method.holds]
    lines = gather(holding, lambda row: replace(row.group.method, alpha=PLAIN.alpha))
    for (method, members), colour in zip(lines.items(), cycle(PALETTE[:1] + PALETTE[2:])):
        ordered = sorted(members, key=lambda row: row.group.method.alpha)
        alphas = [row.group.method.alpha for row in ordered]
        spreads = [_compared(row) for row in ordered]
        style = {"color": colour, "linestyle": "-" if method.gradient_rule == "sum" else "--"}
        name = describe_method(method).replace(f" α {PLAIN.alpha:g}", "")
        _draw_spreads(axes, alphas, spreads, name, style)
    for row, dashes in zip(plain, cycle(("-", ":", "-.", "--"))):
        name = describe_method(row.group.method)
        mean = _compared(row).mean
        axes.axhline(mean, color=VERMILION, linewidth=1.2, linestyle=dashes, label=name)
    axes.set(xscale="log", xlabel="α", ylabel=_what(rows))
    axes.set_title(title, **_PANEL)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _draw_spreads(
    axes: Axes, places: Sequence[float], spreads: Sequence[Spread], name: str, style: Any
) -> None:
    means = np.array([spread.mean for spread in spreads])
    deviations = np.nan_to_num([spread.deviation for spread in spreads])
    axes.plot(places, means, marker="o", markersize=4, label=name, **style)
    low, high = means - deviations, means + deviations
    axes.fill_between(places, low, high, color=style["color"], alpha=0.15)


def _plot_learning_curves(results: Sequence[Result]) -> Figure:
    """Draw the loss on patches learnt from and on those held out by epoch: a panel a method.

    Means over seeds; the title has the generalisation gap after the last epoch.
    """

    def draw(axes: Axes, group: Group, members: Sequence[Result]) -> str:
        _draw_by_epoch(axes, _losses(members, "learnt"), "learnt from", BLUE)
        _draw_by_epoch(axes, _losses(members, "validation"), "held out", VERMILION)
        gap = np.mean([member.figure("gap") for member in members])
        return f"{describe_method(group.method)}: gap {gap:+.3f}"

    return _plot_by_epoch(_by_group(results), "loss", draw)


def _plot_empirical_loss(results: Sequence[Result]) -> Figure:
    """Draw the loss on training patches, without the penalty, with and without DTNH.

    A panel for each regulariser and strength; plain fine-tuning beside them.
    """
    groups = _by_group(results)
    pairs = {group: each for group, each in groups.items() if group.method.gradient_rule == "dtnh"}

    def draw(axes: Axes, group: Group, _: Sequence[Result]) -> str:
        summed = replace(group, method=replace(group.method, gradient_rule="sum"))
        lines = {"plain fine-tuning": (group.plain, "#888888"), "sum": (summed, _SUM_COLOUR)}
        lines["dtnh"] = (group, _DTNH_COLOUR)
        for name, (each, colour) in lines.items():
            if each in groups:
                _draw_by_epoch(axes, _losses(groups[each], "train"), name, colour)
        return describe_method(summed.method)

    return _plot_by_epoch(pairs, "empirical loss", draw)


def _plot_angles(results: Sequence[Result]) -> Figure:
    """Draw the angles by epoch between loss, regulariser and direction: a panel a method.

    Means over steps and seeds.  Beyond 90°, loss and regulariser are in conflict.  With another
    gradient rule, those of the plain sum's direction are beside its own, dashed.
    """
    groups = {group: members for group, members in _by_group(results).items() if group.method.holds}
    angles = {
        "gradient_penalty": ("loss and regulariser", VERMILION),
        "direction_gradient": ("direction and loss", BLUE),
        "direction_penalty": ("direction and regulariser", PALETTE[2]),
    }

    def draw(axes: Axes, group: Group, members: Sequence[Result]) -> str:
        summed = replace(group, method=replace(group.method, gradient_rule="sum"))
        for angle, (name, colour) in angles.items():
            _draw_by_epoch(axes, _series(members, "angles", angle), name, colour)
            if summed != group and summed in groups and angle != "gradient_penalty":
                others = _series(groups[summed], "angles", angle)
                _draw_by_epoch(axes, others, f"{name}, with the sum", colour, "--")
        axes.axhline(90, color="#888888", linewidth=1, linestyle=(0, (4, 3)))
        axes.set(ylim=(0, 180), yticks=[0, 45, 90, 135, 180])
        conflicts = np.mean([_last_conflicts(member) for member in members])
        return f"{describe_method(group.method)}: {conflicts:.0%} in conflict"

    return _plot_by_epoch(groups, "degrees", draw)


def _plot_by_epoch(
    groups: Mapping[Group, Sequence[Result]],
    figure_name: str,
    draw: Callable[[Axes, Group, Sequence[Result]], str],
) -> Figure:
    """Draw a panel for each group of a section by a function that returns the panel's title."""
    with styled():
        figure, panels = _grid(len(groups), height=2.6)
        for axes, (group, members) in zip(panels, groups.items(), strict=False):
            axes.set_title(draw(axes, group, members), **_PANEL)
        _label_epochs(panels, figure_name)
        _add_common_legend(figure, panels, title_of(next(iter(groups))))
    return figure


def _last_conflicts(result: Result) -> float:
    """Return the share of conflicts in the last epoch that has one; NaN if none has."""
    known = [record["angles"] for record in result.records if "angles" in record]
    return float(known[-1].get("conflicts", math.nan)) if known else math.nan


def _losses(results: Sequence[Result], part: str) -> _Values:
    return _series(results, part, "total")


def _series(results: Sequence[Result], part: str, figure: str) -> _Values:
    """Return a figure of the last stage's epochs, one sequence a result; NaN where missing."""
    return [
        [
            float(record.get(part, {}).get(figure, math.nan))
            for record in result.records
            if record.get("stage") == result.records[-1].get("stage")
        ]
        for result in results
    ]


def _draw_by_epoch(axes: Axes, values: _Values, name: str, colour: str, dashes: str = "-") -> None:
    """Draw the mean of the seeds by epoch, and a band from lowest to highest."""
    shortest = min(map(len, values))
    table = np.array([each[:shortest] for each in values])
    known = ~np.isnan(table).any(axis=0)
    if known.any():
        epochs, table = np.arange(1, shortest + 1)[known], table[:, known]
        marker = "o" if len(epochs) == 1 else ""
        mean = table.mean(axis=0)
        style: dict[str, Any] = {"color": colour, "linestyle": dashes, "marker": marker}
        axes.plot(epochs, mean, label=name, **style)
        axes.fill_between(
            epochs, table.min(axis=0), table.max(axis=0), color=colour, alpha=0.15, linewidth=0
        )


def _rows_by_section(rows: Sequence[Row]) -> dict[str, list[Row]]:
    return gather(rows, lambda row: title_of(row.group))


def _by_group(results: Sequence[Result]) -> dict[Group, list[Result]]:
    return gather(results, lambda result: result.cell.group)


def _grid(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels, a few in a row, and room for a legend above."""
    columns = _columns(count)
    rows = max(math.ceil(count / columns), 1)
    figure = Figure(figsize=(1.0 + 3.4 * columns, 0.8 + height * rows))
    panels = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in panels[count:]:
        spare.set_axis_off()
    return figure, panels[:count]


def _columns(count: int) -> int:
    return 2 if count == 4 else min(max(count, 1), 3)


def _label_epochs(panels: Sequence[Axes], figure: str) -> None:
    columns = _columns(len(panels))
    for place, axes in enumerate(panels):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if place % columns == 0:
            axes.set_ylabel(figure)
        if place >= len(panels) - columns:
            axes.set_xlabel("epoch")


def _add_common_legend(figure: Figure, panels: Sequence[Axes], title: str = "") -> None:
    """Explain each line once, above all panels, under a title of what the panels share."""
    known: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    if known:
        figure.legend(
            list(known.values()),
            list(known),
            loc="outside upper left",
            ncols=min(len(known), (1, 2, 4)[_columns(len(panels)) - 1]),
            title=title,
            title_fontproperties={"weight": "bold", "size": 11},
            alignment="left",
        )
