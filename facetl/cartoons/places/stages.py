"""Backgrounds that are no place at all: rays and a spotlight."""

from __future__ import annotations

from random import Random

from facetl.cartoons.colours import lighten
from facetl.cartoons.paths import oval, polar, rectangle
from facetl.cartoons.pen import HEIGHT, WIDTH, Pen
from facetl.cartoons.places.place import place

_RAYS = (
    ("#f4a259", "#ffe8a3"),
    ("#457b9d", "#a8dadc"),
    ("#7b6d9c", "#cdb4db"),
    ("#d1495b", "#f8c8c4"),
    ("#2f3b69", "#5566a8"),
    ("#52b788", "#b7e4c7"),
)


@place("indoors")
def burst(pen: Pen, rng: Random) -> float:
    """Draw rays from a point, as when somebody has an idea."""
    dark, light = rng.choice(_RAYS)
    pen.fill(rectangle(0, 0, WIDTH, HEIGHT), dark)
    centre = (rng.uniform(150, 330), rng.uniform(100, 240))
    rays, first = rng.randrange(10, 22), rng.random()
    for i in range(rays):
        start, end = (360 * (i + first + half) / rays for half in (0, 0.5))
        pen.fill([centre, polar(*centre, 700, start), polar(*centre, 700, end)], light)
    return 270


@place("stage")
def spotlight(pen: Pen, rng: Random) -> float:
    """Draw a dark stage with a cone of light."""
    pen.fill(rectangle(0, 0, WIDTH, HEIGHT), rng.choice(["#16121f", "#201a3a", "#3a1420"]))
    x, y = rng.uniform(170, 310), HEIGHT * 0.88
    light = rng.choice(["#f6c453", "#ffe9b0", "#9fd8e8", "#f29b4b"])
    pen.fill([(x - 30, 0), (x + 30, 0), (x + 190, y), (x - 190, y)], light, alpha=0.85)
    pen.fill(oval(x, y, 190, 34), lighten(light, 0.5))
    return 300
