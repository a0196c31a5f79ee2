"""What stands and hangs in a home or a laboratory."""

from __future__ import annotations

import math
from random import Random

from facetl.cartoons.colours import CLOTH, INK, PAPER, lighten
from facetl.cartoons.paths import Path, arc, loop, oval, polar, rectangle
from facetl.cartoons.pen import Pen
from facetl.cartoons.props.lookalikes import cat
from facetl.cartoons.props.prop import prop


@prop("indoors", hangs=True)
def clock(pen: Pen, rng: Random) -> None:
    """Draw a wall clock."""
    pen.shape(oval(0, 0, 1), rng.choice(CLOTH), 0.09)
    pen.shape(oval(0, 0, 0.78), PAPER, 0.05)
    for hour in range(12):
        pen.line([polar(0, 0, 0.62, 30 * hour), polar(0, 0, 0.72, 30 * hour)], 0.06)
    for length, width in ((0.4, 0.11), (0.6, 0.07)):
        pen.line([(0, 0), polar(0, 0, length, rng.uniform(0, 360))], width)
    pen.fill(oval(0, 0, 0.08), INK)


@prop("indoors")
def television(pen: Pen, rng: Random) -> None:
    """Draw an old television set with an aerial."""
    pen.line([(-0.3, -0.9), (-0.7, -1.6)], 0.07)
    pen.line([(0.1, -0.9), (0.5, -1.5)], 0.07)
    for top, foot in ((-0.6, -0.75), (0.6, 0.57)):
        pen.line([(top, 0.8), (foot, 1.15)], 0.12)
    case = rng.choice(["#8a5a3a", "#d1495b", "#669bbc", "#81b29a"])
    screen = rng.choice(["#bfe4d9", "#35405a", "#cfe8f7"])
    pen.shape(rectangle(-1.2, -0.9, 1.2, 0.8, 0.2), case, 0.09)
    pen.shape(rectangle(-1.05, -0.72, 0.6, 0.6, 0.3), screen, 0.07)
    for y in (-0.45, 0):
        pen.shape(oval(0.9, y, 0.15), "#f4efe0", 0.05)


@prop("indoors", "outdoors", "stage")
def radio(pen: Pen, rng: Random) -> None:
    """Draw a radio with two loudspeakers."""
    pen.line(arc(0, -0.65, 0.7, 0.4, 180, 360), 0.12)
    pen.shape(rectangle(-1.2, -0.65, 1.2, 0.7, 0.18), rng.choice(CLOTH[:10]), 0.09)
    for x in (-0.62, 0.62):
        pen.shape(oval(x, 0.12, 0.42), "#3d405b", 0.07)
        pen.shape(oval(x, 0.12, 0.2), "#9aa3b5", 0.05)
    pen.shape(rectangle(-0.5, -0.5, 0.5, -0.28), PAPER, 0.05)
    pen.line([(-0.15, 0.45), (0.15, 0.45)], 0.07)


@prop("indoors")
def washer(pen: Pen, rng: Random) -> None:
    """Draw a washing machine."""
    enamel = rng.choice(["#f4f6f8", "#dfe9ee", "#f7ecd8"])
    pen.shape(rectangle(-0.9, -1.2, 0.9, 1.2, 0.1), enamel, 0.08)
    pen.line([(-0.9, -0.75), (0.9, -0.75)], 0.06)
    for x in (-0.6, -0.3, 0.55):
        pen.shape(oval(x, -0.97, 0.11), rng.choice(CLOTH), 0.045)
    window = oval(0, 0.15, 0.48)
    foam = [(-0.45, 0.2), (-0.1, 0.1), (0.2, 0.25), (0.46, 0.15), (0.3, 0.5), (-0.2, 0.58)]
    pen.shape(oval(0, 0.15, 0.66), "#b8bfc9", 0.08)
    pen.shape(window, "#7fb2cf", 0.06)
    pen.fill(loop(foam), "#d8eef7", clip=window)


@prop("indoors", "stage")
def flask(pen: Pen, rng: Random) -> None:
    """Draw a flask of something that bubbles."""
    liquid = rng.choice(["#7bd389", "#e86a92", "#f3a712", "#7cc6f2"])
    left = [(-0.6, 0.85), (-0.75, 0.55), (-0.18, -0.4)]
    glass = loop([(-0.18, -1), (0.18, -1), (0.18, -0.4), (0.75, 0.55), (0.6, 0.85), *left], 4)
    pen.fill(glass, "#e3f2f5")
    pen.fill(rectangle(-1, 0.1, 1, 1), liquid, clip=glass)
    for _ in range(4):
        bubble = oval(rng.uniform(-0.4, 0.4), rng.uniform(0.2, 0.7), 0.08)
        pen.fill(bubble, lighten(liquid, 0.6), clip=glass)
    pen.contour(glass, 0.08, "#e3f2f5")
    pen.line([(-0.28, -1), (0.28, -1)], 0.12)


@prop("indoors", "outdoors")
def plant(pen: Pen, rng: Random) -> None:
    """Draw a plant in a pot."""
    blade = loop([(0, 0), (0.5, -0.16), (1, 0), (0.5, 0.16)], 6)
    for i in range(7):
        leaf = pen.at(0, 0.3, rng.uniform(1, 1.5), turn=(i - 3) * 24 - 90)
        leaf.shape(blade, rng.choice(["#4f9d5d", "#3d7d4c", "#77b255"]), 0.06)
    clay = rng.choice(["#c96f4a", "#669bbc", "#f4efe0"])
    pen.shape([(-0.5, 0.2), (0.5, 0.2), (0.36, 1.1), (-0.36, 1.1)], clay, 0.08)
    pen.shape(rectangle(-0.58, 0.1, 0.58, 0.36, 0.05), "#c96f4a", 0.07)


@prop("indoors")
def lamp(pen: Pen, rng: Random) -> None:
    """Draw a standing lamp."""
    pen.line([(0, -0.2), (0, 2.2)], 0.12)
    pen.shape(oval(0, 2.25, 0.5, 0.12), "#5b4a3f", 0.06)
    shade = rng.choice(["#f2cc8f", "#e07a5f", "#f4efe0", "#81b29a"])
    pen.shape([(-0.4, -1), (0.4, -1), (0.8, 0.1), (-0.8, 0.1)], shade, 0.08)


@prop("indoors", hangs=True)
def picture(pen: Pen, rng: Random) -> None:
    """Draw a framed picture of a landscape, a cat, a clock, or nothing in particular."""
    frame = rng.choice(["#b98b4b", "#5b4a3f", "#f4efe0", "#d1495b"])
    view = rectangle(-0.9, -0.65, 0.9, 0.65)
    pen.shape(rectangle(-1.1, -0.85, 1.1, 0.85), frame, 0.08)
    pen.fill(view, rng.choice(["#bfe0e8", "#f7dcb4", "#d9d2ee"]))
    subject = rng.random()
    if subject < 0.4:
        _draw_landscape(pen, view)
    elif subject < 0.7:
        draw = rng.choice([cat, clock])
        draw(pen.at(0, -0.15 if draw is cat else 0, 0.38 if draw is cat else 0.5), rng)
    else:
        _draw_abstract(pen, view, rng)
    pen.line(view, 0.06, closed=True)


def _draw_landscape(pen: Pen, view: Path) -> None:
    hills = [(-1, 0.3), (-0.3, -0.1), (0.3, 0.25), (1, -0.05), (1, 1), (-1, 1)]
    pen.fill(loop(hills), "#77a868", clip=view)
    pen.fill(oval(0.45, -0.3, 0.18), "#f3a712", clip=view)


def _draw_abstract(pen: Pen, view: Path, rng: Random) -> None:
    for _ in range(6):
        x, y = rng.uniform(-0.8, 0.8), rng.uniform(-0.5, 0.5)
        blob = oval(x, y, math.exp(rng.uniform(math.log(0.1), math.log(0.4))))
        pen.fill(blob, rng.choice(CLOTH), clip=view)


@prop("indoors")
def stool(pen: Pen, rng: Random) -> None:
    """Draw a stool."""
    for x in (-0.6, 0.6):
        pen.line([(x, 0.2), (x * 1.4, 1.6)], 0.14)
    pen.shape(oval(0, 0.1, 0.95, 0.25), rng.choice(CLOTH), 0.08)
