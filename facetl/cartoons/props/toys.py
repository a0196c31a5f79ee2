"""Balls, dice and something to eat."""

from __future__ import annotations

from random import Random

from facetl.cartoons.colours import CLOTH, INK, WHITE, lighten
from facetl.cartoons.paths import arc, oval, polar, rectangle
from facetl.cartoons.pen import Pen
from facetl.cartoons.props.prop import prop

_PIPS: dict[int, list[tuple[float, float]]] = {
    2: [(-0.4, 0), (0.4, 0)],
    3: [(-0.5, -0.5), (0, 0), (0.5, 0.5)],
    4: [(-0.45, -0.45), (0.45, -0.45), (-0.45, 0.45), (0.45, 0.45)],
    5: [(-0.5, -0.5), (0.5, -0.5), (0, 0), (-0.5, 0.5), (0.5, 0.5)],
}


@prop("indoors", "outdoors", "stage")
def ball(pen: Pen, rng: Random) -> None:
    """Draw a striped ball."""
    rubber = rng.choice(CLOTH[:9])
    pen.fill(oval(0, 0, 1), rubber)
    pen.fill(oval(0, 0, 0.3, 1), lighten(rubber, 0.6))
    pen.contour(oval(0, 0, 1), 0.09, rubber)


@prop("indoors", "outdoors")
def bowling_ball(pen: Pen, rng: Random) -> None:
    """Draw a bowling ball: three holes that look like a startled face."""
    pen.shape(
        oval(0, 0, 1), rng.choice(["#2f3b69", "#7b4b94", "#c93f3f", "#2b2433", "#00798c"]), 0.09
    )
    for x, y in ((-0.3, -0.3), (0.2, -0.42), (0.1, 0.05)):
        pen.fill(oval(x, y, 0.13), "#0f0d14")
    pen.line(arc(-0.1, -0.1, 0.7, 0.7, 190, 240), 0.09, WHITE)


@prop("indoors")
def dice(pen: Pen, rng: Random) -> None:
    """Draw a die."""
    body, pips = rng.choice([("#fffdf6", INK), ("#d1495b", "#fffdf6"), ("#f4c552", INK)])
    pen.shape(rectangle(-0.9, -0.9, 0.9, 0.9, 0.25), body, 0.09)
    for x, y in _PIPS[rng.choice(list(_PIPS))]:
        pen.fill(oval(x, y, 0.16), pips)


@prop("indoors", "outdoors")
def pizza(pen: Pen, rng: Random) -> None:
    """Draw a pizza with round slices of sausage."""
    pen.shape(oval(0, 0, 1), "#d9963f", 0.08)
    pen.fill(oval(0, 0, 0.82), "#f7d774")
    for _ in range(5):
        spot = polar(0, 0, rng.uniform(0.2, 0.6), rng.uniform(0, 360))
        pen.shape(oval(*spot, 0.17), "#c9443c", 0.045)
    for degrees in (23, 83, 143):
        pen.line([polar(0, 0, 1, degrees), polar(0, 0, -1, degrees)], 0.035, "#b9782f")
