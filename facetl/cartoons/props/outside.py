"""A house and a car: windows and lamps that resemble eyes."""

from __future__ import annotations

from random import Random

from facetl.cartoons.colours import CLOTH, INK
from facetl.cartoons.paths import loop, oval, rectangle
from facetl.cartoons.pen import Pen
from facetl.cartoons.props.prop import prop


@prop("outdoors", size=1.5)
def house(pen: Pen, rng: Random) -> None:
    """Draw a small house."""
    wall = rng.choice(["#e9c46a", "#e07a5f", "#81b29a", "#f2cc8f", "#8fb8de", "#e8e1d0"])
    roof = rng.choice(["#8c3b3b", "#4a4e69", "#5b4a3f"])
    pen.shape(rectangle(-1, -0.5, 1, 1.2), wall, 0.08)
    pen.shape([(-1.25, -0.45), (0, -1.5), (1.25, -0.45)], roof, 0.08)
    for x in (-0.5, 0.5):
        pen.shape(rectangle(x - 0.25, -0.25, x + 0.25, 0.25), "#cfe8f7", 0.06)
        pen.line([(x, -0.25), (x, 0.25)], 0.05)
    pen.shape(rectangle(-0.25, 0.5, 0.25, 1.2, 0.12), "#7a3b1e", 0.06)


@prop("outdoors", size=1.5)
def car(pen: Pen, rng: Random) -> None:
    """Draw a car seen from the front."""
    paint = rng.choice(CLOTH[:9])
    cabin = [(-0.85, -0.3), (-0.6, -0.95), (0, -1.05), (0.6, -0.95), (0.85, -0.3)]
    pen.shape(loop(cabin, 6), paint, 0.09)
    pen.shape(
        loop([(-0.62, -0.35), (-0.45, -0.8), (0.45, -0.8), (0.62, -0.35)], 4), "#cfe8f7", 0.06
    )
    for x in (-0.85, 0.85):
        pen.fill(rectangle(x - 0.2, 0.5, x + 0.2, 0.95, 0.1), INK)
    pen.shape(rectangle(-1.2, -0.4, 1.2, 0.7, 0.35), paint, 0.09)
    for x in (-0.8, 0.8):
        pen.shape(oval(x, -0.02, 0.24), "#fff6c9", 0.07)
    pen.shape(rectangle(-0.42, -0.12, 0.42, 0.28, 0.1), "#d7dde5", 0.06)
    for y in (0, 0.13):
        pen.line([(-0.42, y), (0.42, y)], 0.04)
    pen.shape(rectangle(-1.1, 0.38, 1.1, 0.6, 0.1), "#b8bfc9", 0.06)
