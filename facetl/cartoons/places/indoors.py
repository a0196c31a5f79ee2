"""Rooms: a wall, a floor, and furniture along the wall."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from facetl.cartoons.colours import CLOTH, Colour, darken, lighten, mix
from facetl.cartoons.paths import oval, rectangle
from facetl.cartoons.pen import HEIGHT, WIDTH, Pen
from facetl.cartoons.places.furniture import COUNTERS_AND_SOFAS, FITTINGS, draw_window
from facetl.cartoons.places.place import place
from facetl.cartoons.places.walls import ROOMS, draw_wall


@place("indoors", weight=6)
def room(pen: Pen, rng: Random) -> float:
    """Draw a room in a home, a school or a laboratory."""
    colours, foot = rng.choice(ROOMS), rng.uniform(210, 290)
    draw_wall(pen, colours, foot, rng)
    pen.fill(rectangle(0, foot, WIDTH, HEIGHT), colours.floor)
    rng.choice([_boards, _checks, _rug, _bare])(pen, colours.floor, foot, rng)
    pen.fill(rectangle(0, foot - 8, WIDTH, foot), lighten(colours.wall, 0.5))
    pen.line([(0, foot), (WIDTH, foot)], 1.8, darken(colours.floor, 0.55))
    soft = pen.soft(colours.accent)
    if rng.random() < 0.45:
        rng.choice(FITTINGS)(soft, colours, foot, rng)
    elif rng.random() < 0.8:
        draw_window(soft, colours, rng)
    if rng.random() < 0.5:
        rng.choice(COUNTERS_AND_SOFAS)(soft, colours, foot, rng)
    return foot


@place("indoors", weight=2)
def plain_wall(pen: Pen, rng: Random) -> float:
    """Draw nothing but a wall, as behind a close-up."""
    draw_wall(pen, rng.choice(ROOMS), HEIGHT, rng)
    return 280


def _boards(pen: Pen, colour: Colour, foot: float, rng: Random) -> None:
    for x in range(-200, WIDTH + 220, 42):
        far, near = WIDTH / 2 + (x - WIDTH / 2) * 0.5, x * 1.6 - WIDTH * 0.3
        pen.line([(far, foot), (near, HEIGHT)], 1.1, darken(colour, 0.25))


def _checks(pen: Pen, colour: Colour, foot: float, rng: Random) -> None:
    depth = HEIGHT - foot
    edges = [foot + depth * (row / 5) ** 1.5 for row in range(6)]

    def across(column: int, y: float) -> float:
        return WIDTH / 2 + (column - 4) * 60 * (0.6 + 1.1 * (y - foot) / depth)

    for row, (far, near) in enumerate(pairwise(edges)):
        for left in range(-8 + row % 2, 17, 2):
            upper = [(across(left, far), far), (across(left + 1, far), far)]
            lower = [(across(left + 1, near), near), (across(left, near), near)]
            pen.fill(upper + lower, lighten(colour, 0.25))


def _rug(pen: Pen, colour: Colour, foot: float, rng: Random) -> None:
    x, y = WIDTH * rng.uniform(0.3, 0.7), (foot + HEIGHT) / 2 + 10
    rug = oval(x, y, rng.uniform(120, 230), (HEIGHT - foot) * 0.33)
    pen.fill(rug, mix(colour, rng.choice(CLOTH), 0.6))


def _bare(pen: Pen, colour: Colour, foot: float, rng: Random) -> None:
    pass
