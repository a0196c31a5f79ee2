"""One picture of what is in data sets: sizes, places, numbers, labels and colours of faces."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.data.summary import GRID_HW, HUES, SATURATIONS, Summary
from facetl.evaluation.report.figures import (
    Axes,
    Figure,
    FuncFormatter,
    MaxNLocator,
    shorten,
    styled,
)
from facetl.evaluation.report.plots import MOST_LABELS, PALETTE
from facetl.palette import BLUE
from facetl.reporting import plural

_MOST_FACES = 5
"""Frames with so many faces or more share a bar."""
_MOST_GROUPS = len(PALETTE)
_SIZE_BINS = np.geomspace(8, 1024, 29)
_ASPECT_BINS = np.geomspace(1 / 3, 3, 25)
_TICKS: Any = {"size": (10, 20, 50, 100, 200, 500, 1000), "aspect": (0.33, 0.5, 0.75, 1, 1.5, 2, 3)}


def plot_summaries(groups: Sequence[Summary], together: Summary) -> Figure:
    """Draw six panels; those of sizes, shapes and numbers have a line or bar for each group.

    Args:
        groups: folders or parts; of many, the first few.
        together: all frames, for the panels of places, labels and colours.
    """
    shown = groups[:_MOST_GROUPS]
    labels = [label or "" for label in together.labels]
    with styled([*labels, *(group.name for group in shown)]):
        figure = Figure(figsize=(12.0, 7.2))
        panels = figure.subplots(2, 3)
        _draw_shares(panels[0, 0], shown, "sizes", _SIZE_BINS, _TICKS["size"])
        panels[0, 0].set(title="size", xlabel="√(width · height), pixels", ylabel="share of faces")
        _draw_shares(panels[0, 1], shown, "aspects", _ASPECT_BINS, _TICKS["aspect"])
        panels[0, 1].set(title="aspect ratio", xlabel="width / height")
        _draw_places(panels[0, 2], together)
        _draw_numbers(panels[1, 0], shown)
        _draw_labels(panels[1, 1], together)
        _draw_colours(panels[1, 2], together)
        figure.suptitle(_headline(groups, together), x=0.01, ha="left", weight="bold")
        if len(groups) > 1:
            panels[1, 0].legend(loc="upper right")
    return figure


def _headline(groups: Sequence[Summary], together: Summary) -> str:
    names = ", ".join(shorten(group.name) for group in groups[:_MOST_GROUPS])
    more = f" and {len(groups) - _MOST_GROUPS} more" if len(groups) > _MOST_GROUPS else ""
    counts = f"{plural(together.frames, 'frame')}, {plural(together.faces, 'face')}"
    return f"{names}{more}: {counts}, {plural(together.near_duplicates, 'near-duplicate')}"


def _draw_shares(
    axes: Axes,
    groups: Sequence[Summary],
    figure: str,
    bins: NDArray[np.float64],
    ticks: Sequence[float],
) -> None:
    """Draw how a figure of the faces is distributed; what lies beyond the bins is in the last."""
    for group, colour in zip(groups, cycle(PALETTE), strict=False):
        values = np.clip(getattr(group, figure), bins[0], bins[-1])
        shares = np.histogram(values, bins)[0] / max(len(values), 1)
        axes.stairs(shares, bins, color=colour, linewidth=2)
        axes.stairs(shares, bins, color=colour, alpha=0.12, fill=True)
    axes.set(xscale="log", xlim=(bins[0], bins[-1]))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    _show_percent(axes)


def _show_percent(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))


def _percent(share: float, _: object) -> str:
    return f"{100 * share:.2g}%" if share < 1 else "100%"


def _draw_places(axes: Axes, together: Summary) -> None:
    """Draw where in the frame faces are, in the commonest shape of the images."""
    width, height = next(iter(together.image_sizes), GRID_HW[::-1])
    image = axes.imshow(together.places, cmap="viridis", extent=(0, width, height, 0), vmin=0)
    steps = MaxNLocator(5, steps=[1, 2, 5, 10])
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, ticks=steps)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(_percent))
    bar.outline.set_visible(False)
    axes.set(title="place: share of faces that cover it", xticks=[0, width], yticks=[0, height])
    axes.grid(visible=False)


def _draw_numbers(axes: Axes, groups: Sequence[Summary]) -> None:
    """Draw how many faces a frame has."""
    breadth = 0.8 / max(len(groups), 1)
    for place, (group, colour) in enumerate(zip(groups, cycle(PALETTE), strict=False)):
        shares = np.zeros(_MOST_FACES + 1)
        for faces, frames in group.faces_per_frame.items():
            shares[min(faces, _MOST_FACES)] += frames / max(group.frames, 1)
        places = np.arange(len(shares)) + (place - (len(groups) - 1) / 2) * breadth
        axes.bar(places, shares, breadth, color=colour, label=shorten(group.name))
    names = [*map(str, range(_MOST_FACES)), f"{_MOST_FACES}+"]
    axes.set_xticks(range(len(names)), names)
    axes.set(title="faces in a frame", ylabel="share of frames")
    _show_percent(axes)
    axes.grid(axis="x", visible=False)


def _draw_labels(axes: Axes, together: Summary) -> None:
    """Draw how many faces the commonest labels have."""
    shown = list(together.labels.items())[:MOST_LABELS][::-1]
    names = ["no label" if label is None else shorten(label) for label, _ in shown]
    colours = ["#AAAAAA" if label is None else BLUE for label, _ in shown]
    bars = axes.barh(range(len(shown)), [count for _, count in shown], color=colours)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
    axes.set_yticks(range(len(shown)), names)
    more = len(together.labels) - len(shown)
    axes.set_title("faces by label" + (f", and {more} labels more" if more else ""))
    axes.margins(x=0.14)
    axes.grid(axis="y", visible=False)


def _draw_colours(axes: Axes, together: Summary) -> None:
    """Draw the share of each hue and saturation, in these colours: the stronger, the more."""
    strength = (together.colours / max(float(together.colours.max()), 1e-12))[..., None] ** 0.4
    pure = np.array(
        [
            [
                colorsys.hsv_to_rgb((hue + 0.5) / HUES, (saturation + 0.5) / SATURATIONS, 0.85)
                for saturation in range(SATURATIONS)
            ]
            for hue in range(HUES)
        ]
    )
    blended = strength * pure + (1 - strength)
    axes.imshow(blended.transpose(1, 0, 2), origin="lower", extent=(0, 360, 0, 1), aspect="auto")
    axes.set(title="colours of faces", xlabel="hue, degrees", ylabel="saturation")
    axes.set_xticks(range(0, 361, 60))
    axes.grid(visible=False)
