"""Pictures of how an image was searched: pyramid, heat maps, candidates, and one sheet of all.

Each takes the traces of one image by the name of the weights, before and after training, and
gives a Figure.  Heat maps are in cividis, a colour scale made to be read with any colour vision
(Nuñez, Anderton and Renslow, "Optimizing colormaps with consideration for color vision
deficiency", 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.data.images import Pixels
from facetl.evaluation.report.figures import (
    INK,
    STYLE,
    Axes,
    AxesImage,
    Figure,
    LineCollection,
    Normal,
    Rectangle,
    Stroke,
    SubFigure,
    render_figure,
    shorten,
    styled,
    to_rgba,
)
from facetl.evaluation.report.plots import PALETTE, Drawing
from facetl.mtcnn.detector import CascadeStep
from facetl.mtcnn.geometry import PNET_STRIDE, PNET_WINDOW
from facetl.mtcnn.trace import STEP_NAMES, Level, Trace
from facetl.palette import BLUE, LUMA, ORANGE, SKY

_Traces = Mapping[str, Trace]
"""By the name of the weights: the same image, searched by each."""

MOST_DRAWN = 3000
"""Boxes drawn in one panel at most, those with the best scores."""
LEVELS_SHOWN = 5
_DPI = 100

_HEAT: Any = {"cmap": "cividis", "vmin": 0, "vmax": 1}
_STYLE: Any = {**STYLE, "axes.grid": False, "axes.titlesize": 9.5, "font.size": 9.0}
_GAP, _NARROWEST = 0.05, 0.12  # between drawn levels, and for the smallest; shares of the largest
_LABEL = 0.14  # height of the labels above them, as a share of the largest
_FINEST = 640
"""Pixels of an image's shorter edge from which on a panel shows it coarser."""


def _draw_pyramid(trace: Trace) -> Figure:
    """Draw the image pyramid with PNet's window on each level, and what the windows cover."""
    with styled(style=_STYLE):
        figure = Figure(figsize=(16, _pyramid_height(trace, 16)))
        _fill_pyramid(figure, trace)
    return figure


def _draw_scores(traces: _Traces) -> Figure:
    """Draw heat maps of PNet's scores, a row for each set of weights: the best, then levels."""
    columns = 2 + LEVELS_SHOWN
    with styled(traces, _STYLE):
        figure = Figure(figsize=(18, _row_height(traces, columns, 18)))
        panels = figure.subplots(len(traces), columns, squeeze=False)
        for row, (name, trace) in zip(panels, traces.items(), strict=True):
            _fill_step(row[0], trace, "onet_nms")
            shown = _fill_best_scores(row[1], trace)
            _fill_levels(row[2:], trace)
            _name_row(row[0], name)
        _add_scale(figure, shown, panels, traces)
    return figure


def _draw_candidates(traces: _Traces) -> Figure:
    """Draw what is left after each step, a row for each set of weights."""
    with styled(traces, _STYLE):
        figure = Figure(figsize=(16, _row_height(traces, len(STEP_NAMES), 16)))
        panels = figure.subplots(len(traces), len(STEP_NAMES), squeeze=False)
        for row, (name, trace) in zip(panels, traces.items(), strict=True):
            _fill_steps(row, trace)
            _name_row(row[0], name)
    return figure


def _draw_story(traces: _Traces) -> Figure:
    """Draw the whole way on one sheet: the pyramid, then a row for each set of weights."""
    columns = 1 + len(STEP_NAMES)
    heights = _pyramid_height(list(traces.values())[-1], 18), _row_height(traces, columns, 18)
    with styled(traces, _STYLE):
        figure = Figure(figsize=(18, sum(heights)))
        (above,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)
        _fill_pyramid(above, list(traces.values())[-1])
        panels = below.subplots(len(traces), columns, squeeze=False)
        for row, (name, trace) in zip(panels, traces.items(), strict=True):
            shown = _fill_best_scores(row[0], trace)
            _fill_steps(row[1:], trace)
            _name_row(row[0], name)
        _add_scale(below, shown, panels, traces)
    return figure


def plot_traces(traces: _Traces) -> dict[str, Callable[[], Figure]]:
    """Return what draws each picture, by the name of its file.

    The pyramid is that of the last set of weights.
    """
    return {
        "pyramid": lambda: _draw_pyramid(list(traces.values())[-1]),
        "scores": lambda: _draw_scores(traces),
        "candidates": lambda: _draw_candidates(traces),
        "story": lambda: _draw_story(traces),
    }


def as_drawing(name: str, figure: Figure) -> Drawing:
    """Return a picture drawn, the same for the same traces: by a fixed salt and without a date."""
    style = {**_STYLE, "svg.hashsalt": name}
    png, svg = (
        render_figure(figure, form, style, dpi=_DPI, metadata={"Date": None})
        for form in ("png", "svg")
    )
    return Drawing(png, svg.decode().rstrip("\n"))


def _row_height(traces: _Traces, columns: int, width: float) -> float:
    """Return the inches that rows of panels need in which the image fills its column."""
    panel = 0.93 * width / columns * _aspect(next(iter(traces.values())))
    return len(traces) * (panel + 0.35)


def _aspect(trace: Trace) -> float:
    """Return height over width of the panels, which very long images do not fill."""
    height, width = trace.image.shape[:2]
    return float(min(max(height / width, 0.4), 2.0))


def _pyramid_height(trace: Trace, width: float) -> float:
    """Return the inches at which levels and image stand equally high side by side.

    Tall ones are drawn smaller than the width would allow.
    """
    return min(width / (_breadth(trace.levels) + 1 / _aspect(trace)), width / 2) + 0.35


def _breadth(levels: Sequence[Level]) -> float:
    """Return width over height of the levels, drawn side by side."""
    if not levels:
        return 3.0
    return float(sum(_cells(levels)) / (levels[0].pixels.shape[0] * (1 + _LABEL)))


def _cells(levels: Sequence[Level]) -> list[float]:
    """Return the widths of levels with the gaps that follow; the smallest need room for a label."""
    largest = levels[0].pixels.shape[1]
    return [max(level.pixels.shape[1], _NARROWEST * largest) + _GAP * largest for level in levels]


def _fill_pyramid(figure: Figure | SubFigure, trace: Trace) -> None:
    """Draw the levels side by side on the left, the image with their windows on the right."""
    if not trace.levels:
        _say_too_small(figure.add_subplot(), trace)
        return
    ratios = (_breadth(trace.levels), 1 / _aspect(trace))
    left, right = figure.subplots(1, 2, width_ratios=ratios)
    places = [_place_best(level) for level in trace.levels]
    starts = _stand_side_by_side(left, trace.levels)
    _show(right, trace.image)
    for level, (x, y), start, colour in zip(
        trace.levels, places, starts, cycle(PALETTE), strict=False
    ):
        _draw_window(left, (x + start, y), PNET_WINDOW, colour)
        _draw_window(right, (x / level.scale, y / level.scale), level.window, colour)
    left.set_title(
        f"Image pyramid of {len(trace.levels)} levels, on each the window of 12×12 pixels that "
        "PNet likes best"
    )
    right.set_title("The same windows on the image")


def _stand_side_by_side(axes: Axes, levels: Sequence[Level]) -> list[float]:
    """Draw the levels in true proportion on one line; return the left edge of each."""
    starts = [0.0, *np.cumsum(_cells(levels)).tolist()]
    tallest = levels[0].pixels.shape[0]
    for start, level in zip(starts, levels, strict=False):
        height, width = level.pixels.shape[:2]
        extent = (start, start + width, height, 0)
        axes.imshow(_coarsen(level.pixels), extent=extent, interpolation="nearest")
        label = f"×{level.scale:.2g}\n{level.window:.0f} px"
        axes.text(start, -0.03 * tallest, label, va="bottom", fontsize=7.5)
    axes.text(
        0.98, 0.1, "×  size of the level, as a share of the image's\npx  side of what its window "
        "covers in the image", transform=axes.transAxes, ha="right", fontsize=9,
    )  # fmt: skip
    axes.set(xlim=(0, starts[-1]), ylim=(tallest, -_LABEL * tallest), aspect="equal", anchor="NW")
    axes.set_axis_off()
    return starts[:-1]


def _place_best(level: Level) -> tuple[float, float]:
    """Return x, y in pixels of the level of the window with the best score."""
    row, column = np.unravel_index(int(level.scores.argmax()), level.scores.shape)
    return PNET_STRIDE * float(column) - level.border, PNET_STRIDE * float(row) - level.border


def _draw_window(axes: Axes, corner: tuple[float, float], side: float, colour: str) -> None:
    halo = [Stroke(linewidth=3.2, foreground="white"), Normal()]
    axes.add_patch(
        Rectangle(
            corner, side, side, fill=False, edgecolor=colour, linewidth=1.8, path_effects=halo
        )
    )


def _fill_best_scores(axes: Axes, trace: Trace) -> AxesImage:
    """Draw PNet's best score at each place, and the faces that are shown in the end."""
    shown = _show(axes, trace.best_scores(), **_HEAT)
    _draw_boxes(axes, trace.shown.boxes, "white", 1.2)
    axes.set_title("PNet's best scores")
    return shown


def _fill_levels(panels: Sequence[Axes], trace: Trace) -> None:
    """Draw PNet's map of some levels, evenly chosen, as coarse as it is."""
    count = len(trace.levels)
    chosen = sorted({round(place) for place in np.linspace(0, count - 1, min(count, len(panels)))})
    for axes, level in zip(panels, [trace.levels[number] for number in chosen], strict=False):
        _show(axes, _fade(trace.image))
        axes.imshow(level.scores, extent=_reach(level), interpolation="nearest", **_HEAT)
        axes.set(xlim=(0, trace.image.shape[1]), ylim=(trace.image.shape[0], 0))
        axes.set_title(f"×{level.scale:.2g}: windows of {level.window:.0f} px")
    for axes in panels[len(chosen) :]:
        axes.set_axis_off()


def _reach(level: Level) -> tuple[float, float, float, float]:
    """Return left, right, bottom and top, in the image, of the middles of a level's windows."""
    first = (PNET_WINDOW - PNET_STRIDE) / 2 - level.border
    rows, columns = level.scores.shape
    left, right, bottom = (
        (first + PNET_STRIDE * count) / level.scale for count in (0, columns, rows)
    )
    return left, right, bottom, left


def _fill_steps(panels: Sequence[Axes], trace: Trace) -> None:
    """Draw the candidates after each step."""
    for axes, step in zip(panels, STEP_NAMES, strict=True):
        _fill_step(axes, trace, step)


def _fill_step(axes: Axes, trace: Trace, step: CascadeStep) -> None:
    """Draw the candidates after a step on the image, which is pale until ONet has spoken.

    The lower a score, the fainter its box.
    """
    left, drawn = trace.steps[step], MOST_DRAWN
    if step == "onet_nms":
        shown = trace.shown
        _show(axes, trace.image)
        _draw_boxes(axes, shown.boxes, "black", 3.6)
        _draw_boxes(axes, shown.boxes, SKY, 2.2)
        points = shown.landmarks.reshape(-1, 2).T
        axes.plot(*points, "o", color=ORANGE, ms=2.6, mec="black", mew=0.5)
        drawn = len(shown)
    else:
        _show(axes, _fade(trace.image))
        order = np.argsort(left.scores, kind="stable")[-MOST_DRAWN:]
        tints = [to_rgba(BLUE, 0.1 + 0.9 * float(score)) for score in left.scores[order]]
        _draw_boxes(axes, left.boxes[order], tints, _thickness(len(order)))
    few = f" ({drawn:,} drawn)" if len(left) > drawn else ""
    again = ", rescored" if step == "onet_nms" and trace.settings.rescored else ""
    axes.set_title(f"{STEP_NAMES[step]}{again}: {len(left):,}{few}")


def _draw_boxes(axes: Axes, boxes: Boxes, colour: Any, thickness: float) -> None:
    """Draw boxes, in SVG as pixels: thousands of lines would make it slow to open."""
    x1, y1, x2, y2 = boxes.T
    corners = np.stack([(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]).transpose(2, 0, 1)
    lines = LineCollection(list(corners), colors=colour, linewidths=thickness, rasterized=True)
    axes.add_collection(lines, autolim=False)


def _thickness(count: int) -> float:
    """Return points: thinner lines the more boxes there are, so that they can be told apart."""
    return float(np.clip(6 / max(count, 1) ** 0.35, 0.5, 2.0))


def _fade(image: Pixels) -> Pixels:
    """Return the image in light grey."""
    grey = image @ np.array(LUMA)
    return np.repeat((128 + grey / 2)[:, :, None], 3, axis=2).astype(np.uint8)


def _show(axes: Axes, pixels: NDArray[Any], **how: Any) -> AxesImage:
    """Show an image to its very border, without axes."""
    height, width = pixels.shape[:2]
    shown = axes.imshow(_coarsen(pixels), extent=(0, width, height, 0), **how)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return shown


def _coarsen(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return a large image with whole blocks of pixels as one, their mean: quicker to draw."""
    block = max(min(pixels.shape[:2]) // _FINEST, 1)
    if block == 1:
        return pixels
    rows, columns = (side // block for side in pixels.shape[:2])
    blocks = pixels[: rows * block, : columns * block].reshape(rows, block, columns, block, -1)
    means: NDArray[Any] = blocks.mean(axis=(1, 3)).astype(pixels.dtype)
    return means.reshape(rows, columns, *pixels.shape[2:])


def _name_row(axes: Axes, name: str) -> None:
    axes.text(
        -0.03, 0.5, shorten(name), transform=axes.transAxes, rotation=90, ha="right", va="center",
        fontsize=11, weight="bold", color=INK,
    )  # fmt: skip


def _add_scale(
    figure: Figure | SubFigure, shown: AxesImage, panels: NDArray[Any], traces: _Traces
) -> None:
    """Explain the colours, with a mark at each score from which PNet passes a window."""
    bar = figure.colorbar(shown, ax=panels.ravel().tolist(), shrink=0.6, pad=0.01, aspect=25)
    bar.set_label("PNet's score; white: its thresholds")
    for threshold in {trace.settings.thresholds[0] for trace in traces.values()}:
        bar.ax.axhline(threshold, color="white", linewidth=1.5)


def _say_too_small(axes: Axes, trace: Trace) -> None:
    height, width = trace.image.shape[:2]
    message = f"{width}×{height} pixels are too few for a face of {trace.settings.min_face:g}"
    axes.text(0.5, 0.5, message, ha="center", va="center")
    axes.set_axis_off()
