"""The plot of a tuning: what precision costs in recall, and what accuracy costs in time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

from facetl.evaluation.report.figures import INK, Axes, Figure, styled
from facetl.evaluation.tuning.aims import Aim
from facetl.evaluation.tuning.choice import Criterion, criteria_of, reaches
from facetl.evaluation.tuning.threshold_grid import TUNING_IOU, Trial
from facetl.palette import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION

_GREY = "#AAAAAA"
_SIDE_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)


def plot_tradeoff(
    trials: Sequence[Trial], chosen: Trial, aim: Aim, before: Trial | None = None
) -> Figure:
    """Draw all settings that were tried, the chosen one marked.

    On the left the precision-recall curve of each; on the right what the aim wants maximised
    against the time a frame takes, one colour for each smallest face looked for.

    Args:
        trials: all settings.
        chosen: the one that serves the aim best.
        aim: what it was chosen for.
        before: the setting in use so far, if it was measured.
    """
    with styled():
        figure = Figure(figsize=(11.0, 4.8))
        curves, costs = figure.subplots(1, 2)
        _draw_curves(curves, trials, chosen, before)
        _draw_bound(curves, aim)
        _draw_costs(costs, trials, aim)
        criterion = criteria_of(aim)[0]
        for trial, name, fill in ((before, "before", "white"), (chosen, "chosen", VERMILION)):
            if trial is not None:
                _mark(curves, trial.recall, trial.precision, name, fill)
                _mark(costs, trial.milliseconds, criterion.figure(trial), name, fill)
        curves.legend(loc="lower left")
        costs.legend(loc="best", title="smallest face", alignment="left")
    return figure


def _draw_curves(axes: Axes, trials: Sequence[Trial], chosen: Trial, before: Trial | None) -> None:
    """Draw a thin line for each setting, a strong one for the chosen, around their points."""
    for trial in trials:
        _draw_curve(axes, trial, "", color=_GREY, linewidth=0.6, alpha=0.4, zorder=1)
    axes.plot([], [], color=_GREY, linewidth=0.6, label=f"{len(trials)} settings")
    if before is not None:
        _draw_curve(axes, before, "before", color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
    _draw_curve(axes, chosen, "chosen", color=BLUE)
    low = _corner([trial for trial in (chosen, before) if trial is not None])
    room = 0.02 * (1 - low)
    axes.set(xlim=(low, 1 + room), ylim=(low, 1 + room), xlabel="recall", ylabel="precision")
    axes.set_title(f"Precision and recall at IoU {TUNING_IOU:g}")


def _draw_curve(axes: Axes, trial: Trial, label: str, **style: Any) -> None:
    curve = trial.curve
    axes.plot(curve.recall[curve.cuts], curve.precision[curve.cuts], label=label, **style)


def _corner(trials: Sequence[Trial]) -> float:
    """Return the tenth from which to draw, so that the points lie well inside."""
    lowest = min(min(trial.precision, trial.recall) for trial in trials)
    return max(0, int(10 * (lowest - 0.1))) / 10


def _draw_bound(axes: Axes, aim: Aim) -> None:
    if aim.at_least is None:
        return
    draw = axes.axvline if aim.figure == "recall" else axes.axhline
    draw(aim.at_least, color=VERMILION, linewidth=1, linestyle=":", label=str(aim))


def _draw_costs(axes: Axes, trials: Sequence[Trial], aim: Aim) -> None:
    """Draw a point for each setting; hollow where it misses the bound."""
    criterion = criteria_of(aim)[0]
    sides = sorted({trial.settings.min_face for trial in trials})
    for side, colour in zip(sides, cycle(_SIDE_COLOURS), strict=False):
        own = [trial for trial in trials if trial.settings.min_face == side]
        _scatter(axes, [t for t in own if reaches(t, aim)], criterion, f"{side:g} pixels", colour)
        _scatter(axes, [t for t in own if not reaches(t, aim)], criterion, "", colour, hollow=True)
    axes.set(xlabel="milliseconds a frame, estimated", ylabel=criterion.title)
    axes.set_xlim(left=0)
    axes.set_title(f"{criterion.title} and time")


def _scatter(
    axes: Axes,
    trials: Sequence[Trial],
    criterion: Criterion,
    label: str,
    colour: str,
    hollow: bool = False,
) -> None:
    axes.scatter(
        [trial.milliseconds for trial in trials],
        [criterion.figure(trial) for trial in trials],
        s=22, label=label, linewidths=0.8, alpha=0.4 if hollow else 0.8,
        edgecolors=colour, facecolors="none" if hollow else colour,
    )  # fmt: skip


def _mark(axes: Axes, x: float, y: float, name: str, fill: str) -> None:
    """Mark a setting's point and write what it is beside it."""
    axes.plot(
        x, y, "o", markersize=9, markerfacecolor=fill, markeredgecolor=INK,
        markeredgewidth=1.2, zorder=5,
    )  # fmt: skip
    axes.annotate(
        name, (x, y), (-9, -9), textcoords="offset points", ha="right", va="top", zorder=6,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )  # fmt: skip
