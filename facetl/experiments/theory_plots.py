"""Plots of what theory says of L2 and L2-SP: numbers in, Figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from facetl.evaluation.report.figures import INK, Axes, Figure, styled
from facetl.experiments.theory import ESTIMATORS, L2, L2_SP, LEAST_SQUARES, Moments, Quadratic
from facetl.palette import BLUE, ORANGE, VERMILION

_COLOURS = {LEAST_SQUARES: VERMILION, L2: ORANGE, L2_SP: BLUE}
_MARKERS = {LEAST_SQUARES: "s", L2: "^", L2_SP: "o"}
_STEPS = 160
_LEVELS = 9

Curves = Mapping[str, Sequence[Moments]]
"""By the name of the estimator, one for each noise."""


def plot_paths(problem: Quadratic, alpha: float) -> Figure:
    """Draw gradient descent from the start in a plane: without penalty, with L2 and with L2-SP.

    Dotted: where the minimum moves as α grows, to the origin (L2) or back to the start (L2-SP).
    """
    with styled():
        figure = Figure(figsize=(6.4, 5.7))
        axes = figure.add_subplot()
        low, high = _frame(problem)
        _draw_contours(axes, problem, low, high)
        for estimator in ESTIMATORS:
            _draw_path(axes, problem, estimator, alpha)
        _name_places(axes, problem)
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="w₁", ylabel="w₂")
        axes.set_aspect("equal")
        axes.grid(visible=False)
        axes.set_title(f"Gradient descent from the start, α = {alpha:g}")
        axes.plot([], [], color=INK, linewidth=1.4, linestyle=":", label="minimum, α from 0 to ∞")
        figure.legend(loc="outside lower left", ncols=4)
    return figure


def _frame(problem: Quadratic) -> tuple[Any, Any]:
    """Return the lower left and upper right corner of what is drawn."""
    places = np.array([np.zeros(2), problem.minimum, problem.start])
    margin = 0.22 * float(np.ptp(places, axis=0).max())
    return places.min(axis=0) - margin, places.max(axis=0) + margin


def _draw_contours(axes: Axes, problem: Quadratic, low: Any, high: Any) -> None:
    grid = np.stack(
        np.meshgrid(*(np.linspace(a, b, 120) for a, b in zip(low, high, strict=True))), axis=-1
    )
    heights = problem.loss(grid)
    levels = float(heights.max()) * np.linspace(0.05, 1, _LEVELS) ** 2
    axes.contourf(grid[..., 0], grid[..., 1], heights, [0, *levels], cmap="Blues_r", alpha=0.22)
    axes.contour(grid[..., 0], grid[..., 1], heights, levels, colors="#AAAAAA", linewidths=0.8)


def _draw_path(axes: Axes, problem: Quadratic, estimator: str, alpha: float) -> None:
    colour = _COLOURS[estimator]
    path = problem.descend(estimator, alpha, _STEPS)
    if estimator != LEAST_SQUARES:
        strengths = np.geomspace(1e-3, 1e3, 200)
        ends = np.array([problem.penalised_minimum(estimator, each) for each in strengths])
        axes.plot(*ends.T, color=colour, linewidth=1.4, linestyle=":")
    name = "no penalty" if estimator == LEAST_SQUARES else estimator
    axes.plot(*path.T, color=colour, marker=".", markersize=5, linewidth=1.4, label=name)
    axes.plot(*path[-1], _MARKERS[estimator], color=colour, markersize=9, markeredgecolor="white")


def _name_places(axes: Axes, problem: Quadratic) -> None:
    places = {
        "origin": (np.zeros(2), (8, -14)),
        "start w⁰": (problem.start, (8, 6)),
        "minimum w*": (problem.minimum, (-8, -18)),
    }
    for name, (place, offset) in places.items():
        axes.plot(*place, "+" if name == "origin" else "x", color=INK, markersize=9, zorder=4)
        axes.annotate(name, (place[0], place[1]), xytext=offset, textcoords="offset points")


def plot_bias_variance(noises: Sequence[float], theory: Curves, simulated: Curves) -> Figure:
    """Draw bias², variance and their sum against the noise: closed form as lines, draws as points.

    Args:
        noises: standard deviations σ of the noise.
        theory: in closed form.
        simulated: of as many draws, with a bar of two standard errors either way.
    """
    parts = {"bias": "bias²", "variance": "variance", "total": "bias² + variance"}
    with styled():
        figure = Figure(figsize=(10.5, 4.1))
        panels = figure.subplots(1, 3, sharey=True)
        for axes, (part, title) in zip(panels, parts.items(), strict=True):
            for estimator in ESTIMATORS:
                _draw_part(axes, part, noises, estimator, theory[estimator], simulated[estimator])
            axes.set(title=title, xlabel="noise σ")
        panels[0].set_ylabel("squared error, summed over weights")
        panels[0].legend(
            loc="upper left", title="lines: closed form, points: simulated", alignment="left"
        )
    return figure


def _draw_part(
    axes: Axes,
    part: str,
    noises: Sequence[float],
    estimator: str,
    theory: Sequence[Moments],
    simulated: Sequence[Moments],
) -> None:
    colour = _COLOURS[estimator]
    dashed = estimator == L2 and part == "variance"  # where the lines of two lie on each other
    axes.plot(
        noises, [getattr(each, part) for each in theory], color=colour, zorder=3 if dashed else 2,
        linestyle=(0, (4, 4)) if dashed else "-",
    )  # fmt: skip
    axes.errorbar(
        noises,
        [getattr(each, part) for each in simulated],
        yerr=[2 * getattr(each, f"{part}_error") for each in simulated],
        fmt=_MARKERS[estimator],
        color=colour,
        markersize=6,
        markeredgecolor="white",
        label=estimator,
        zorder=4,
    )
