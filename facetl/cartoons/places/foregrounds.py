"""What stands between the cast and the viewer."""

from __future__ import annotations

from random import Random

from facetl.cartoons.colours import CLOTH, darken
from facetl.cartoons.paths import cloud, curve, rectangle
from facetl.cartoons.pen import HEIGHT, WIDTH, Pen
from facetl.cartoons.places.place import foreground
from facetl.cartoons.props.household import flask, plant, radio
from facetl.cartoons.props.toys import ball


@foreground("indoors")
def table(pen: Pen, rng: Random) -> None:
    """Draw a table top with two things on it."""
    top, wood = rng.uniform(300, 335), rng.choice(["#a9714b", "#c9ada7", "#6b4b3a"])
    pen.shape(rectangle(-10, top, WIDTH + 10, HEIGHT + 10), wood, 2.2)
    pen.line([(-10, top + 9), (WIDTH + 10, top + 9)], 1.6, darken(wood, 0.4))
    for thing in rng.sample([flask, ball, radio, plant], 2):
        thing(pen.at(rng.uniform(40, 440), top - 12, rng.uniform(12, 20)), rng)


@foreground("indoors")
def sofa_back(pen: Pen, rng: Random) -> None:
    """Draw the back of a sofa."""
    left, right, top = rng.uniform(-40, 60), rng.uniform(380, 520), rng.uniform(300, 335)
    back = rectangle(left, top, right, HEIGHT + 40, 18)
    pen.shape(back, rng.choice(CLOTH[:10]), 2.2)
    for share in (1 / 3, 2 / 3):
        seam = left + (right - left) * share
        pen.line(curve([(seam, top + 4), (seam + 4, HEIGHT)], 4), 1.8)


@foreground("outdoors")
def bush(pen: Pen, rng: Random) -> None:
    """Draw a bush in a corner."""
    pen.shape(cloud(rng.choice([20, 460]), HEIGHT, 130, 80, 11), "#4f9d5d", 2.2)
