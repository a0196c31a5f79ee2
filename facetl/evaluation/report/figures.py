"""What all figures are drawn on: our own style, whatever settings people have for matplotlib.

Here alone matplotlib is imported for drawing.  Figures are objects of its classes; pyplot, a
window system and the user's settings play no part and stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from facetl.data.fonts import fallback_families, load_matplotlib, quiet_matplotlib
from facetl.errors import printable

mpl = load_matplotlib()
with quiet_matplotlib():
    from matplotlib.artist import Artist as Artist
    from matplotlib.axes import Axes as Axes
    from matplotlib.collections import LineCollection as LineCollection
    from matplotlib.colors import to_rgba as to_rgba
    from matplotlib.figure import Figure as Figure
    from matplotlib.figure import SubFigure as SubFigure
    from matplotlib.image import AxesImage as AxesImage
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.lines import Line2D as Line2D
    from matplotlib.patches import Patch as Patch
    from matplotlib.patches import Rectangle as Rectangle
    from matplotlib.patheffects import Normal as Normal
    from matplotlib.patheffects import Stroke as Stroke
    from matplotlib.ticker import FuncFormatter as FuncFormatter
    from matplotlib.ticker import MaxNLocator as MaxNLocator
    from matplotlib.transforms import Bbox

INK, PALE = "#333333", "#DDDDDD"

STYLE: Any = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 10.0,
    "text.color": INK,
    "text.parse_math": False,  # names may hold a $
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#EEEEEE",
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "legend.edgecolor": "none",
    "legend.framealpha": 0.9,
    "legend.fontsize": 9.0,
    "savefig.dpi": 150.0,
}
_LONGEST_NAME = 48
"""Letters of a name that are shown at most."""
_DIGITS = 9
"""Of places, as shares of the figure: noise begins some digits later."""


@contextmanager
def styled(names: Iterable[str] = (), style: Any = STYLE) -> Iterator[None]:
    """Let what the block draws be in a style of ours alone, and in fonts that have the letters.

    Args:
        names: texts that are not ours, which will be shown.
        style: settings on top of matplotlib's defaults.
    """
    usual = {name: each for name, each in mpl.rcParamsDefault.items() if name != "backend"}
    with quiet_matplotlib():
        families = [*usual["font.family"], *fallback_families(names)]
        with mpl.rc_context({**usual, **style, "font.family": families}):
            yield


def render_figure(figure: Figure, form: str, style: Any = STYLE, **how: Any) -> bytes:
    """Return a figure as a file of a format, ``png`` or ``svg``.

    Args:
        figure: what to draw.
        form: the format.
        style: settings on top of matplotlib's defaults.
        how: what else ``Figure.savefig`` is told.
    """
    buffer = BytesIO()
    with styled(style=style):
        figure.set_layout_engine(_SteadyLayout())
        figure.savefig(buffer, format=form, **how)
    return buffer.getvalue()


class _SteadyLayout(ConstrainedLayoutEngine):
    """Constrained layout with rounded places, so that the same figure gives the same bytes.

    Its solver takes its variables in the order of their addresses, which differs from run to
    run, and with it the last digits of all places.
    """

    def execute(self, fig: Figure) -> None:
        """Lay out the figure."""
        super().execute(fig)
        for part in fig.subfigs:
            part.bbox_relative.set_points(part.bbox_relative.get_points().round(_DIGITS))
        for axes in fig.findobj(Axes):
            takes_part = axes.get_in_layout()
            place = axes.get_position(original=True).get_points()
            axes.set_position(Bbox(place.round(_DIGITS)))
            axes.set_in_layout(takes_part)  # which the line before has changed


def shorten(name: str) -> str:
    """Return a name as a figure shows it: in one line, without its middle if it is long."""
    name = printable(name)
    half = _LONGEST_NAME // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[: half - 1]}…{name[-half:]}"
