"""Cars, cameras and robots' heads: lamps and grilles that resemble eyes and mouths."""

from __future__ import annotations

from random import Random

from facetl.cartoons.colours import (
    CLOTH,
    INK,
    WHITE,
    Colour,
    any_colour,
    darken,
    lighten,
    object_colour,
)
from facetl.cartoons.paths import arc, curve, loop, mirror, oval, rectangle
from facetl.cartoons.pen import Pen
from facetl.cartoons.props.prop import prop

MACHINES = "machines"
"""The group of these props."""

_METAL = ("#b8bfc9", "#9fb8c9", "#c9b38f", "#8fb5a0")


def _draw_lamps(pen: Pen, gap: float, y: float, radius: float, glass: Colour) -> None:
    for x in (-gap, gap):
        pen.shape(oval(x, y, radius), glass, 0.06)
        pen.fill(oval(x - radius * 0.3, y - radius * 0.3, radius * 0.3), WHITE)


@prop("outdoors", "stage", size=1.6, weight=2, group=MACHINES)
def car_front(pen: Pen, rng: Random) -> None:
    """Draw a car, a van or a bus from the front."""
    paint, high = object_colour(rng, *CLOTH), rng.uniform(0.7, 1.5)
    for x in (-0.8, 0.8):
        pen.fill(rectangle(x - 0.22, 0.5, x + 0.22, 1.1, 0.1), INK)
    cabin = mirror([(0, -0.3 - high), (0.65, -0.25 - high), (0.9, -0.1), (0, -0.1)])
    pen.shape(loop(cabin, 4), paint, 0.09)
    glass = mirror([(0, -0.1 - high), (0.5, -0.1 - high), (0.72, -0.2), (0, -0.2)])
    pen.shape(glass, object_colour(rng, "#cfe8f7", "#35405a"), 0.06)
    pen.shape(rectangle(-1.1, -0.25, 1.1, 0.8, 0.3), paint, 0.09)
    _draw_lamps(pen, 0.75, 0.12, rng.uniform(0.16, 0.28), object_colour(rng, "#fff6c9", WHITE))
    grille = rectangle(-0.42, rng.uniform(0, 0.2), 0.42, rng.uniform(0.4, 0.6), 0.12)
    pen.shape(grille, rng.choice([INK, "#d7dde5", darken(paint, 0.4)]), 0.06)
    pen.shape(rectangle(-1.1, 0.6, 1.1, 0.82, 0.1), object_colour(rng, "#b8bfc9"), 0.06)


@prop("outdoors", size=1.6, group=MACHINES)
def car_side(pen: Pen, rng: Random) -> None:
    """Draw a car from the side."""
    paint, pen = object_colour(rng, *CLOTH), pen.at(flip=rng.random() < 0.5)
    roof = [(-0.9, -0.1), (-0.6, -0.8), (0.4, -0.8), (0.8, -0.1)]
    pen.shape(loop(roof, 3), paint, 0.08)
    pen.shape([(-0.6, -0.15), (-0.45, -0.62), (0.3, -0.62), (0.55, -0.15)], "#cfe8f7", 0.06)
    pen.shape(rectangle(-1.3, -0.2, 1.4, 0.5, 0.25), paint, 0.08)
    for x in (-0.75, 0.8):
        pen.shape(oval(x, 0.5, 0.38), "#2b2b33", 0.08)
        pen.shape(oval(x, 0.5, 0.17), object_colour(rng, "#b8bfc9"), 0.05)


@prop("indoors", "outdoors", "stage", size=1.1, weight=2, group=MACHINES)
def robot_head(pen: Pen, rng: Random) -> None:
    """Draw a robot's head, or a robot without arms: bolts, aerials, a grille."""
    metal = object_colour(rng, *_METAL)
    if rng.random() < 0.5:
        pen.shape(rectangle(-0.7, 0.9, 0.7, 2.3, 0.15), darken(metal, 0.15), 0.08)
        _draw_lamps(pen, 0.3, 1.4, 0.12, object_colour(rng, *CLOTH))
    for x in (-0.95, 0.95):
        pen.shape(rectangle(x - 0.18, -0.3, x + 0.18, 0.25, 0.08), darken(metal, 0.3), 0.06)
    for x in (-0.4, 0.4)[: rng.choice([0, 1, 2])]:
        pen.line([(x, -0.8), (x * 1.6, -1.5)], 0.08)
        pen.shape(oval(x * 1.6, -1.55, 0.14), object_colour(rng, "#e4572e"), 0.05)
    casing = rng.choice([0.1, 0.4, 0.9])
    pen.shape(rectangle(-0.9, -0.9, 0.9, 0.85, casing), metal, 0.09)
    _draw_robot_eyes(pen, rng)
    grille = rectangle(-0.5, 0.3, 0.5, 0.6, 0.06)
    pen.shape(grille, "#3d405b", 0.05)
    for i in range(5):
        pen.line([(-0.4 + 0.2 * i, 0.3), (-0.4 + 0.2 * i, 0.6)], 0.05, lighten(metal, 0.4))
    for x in (-0.72, 0.72):
        pen.fill(oval(x, -0.72, 0.06), darken(metal, 0.5))


def _draw_robot_eyes(pen: Pen, rng: Random) -> None:
    glow = any_colour(rng, (0.3, 1), (0.7, 1))
    kind = rng.randrange(4)
    if kind == 0:
        pen.shape(rectangle(-0.7, -0.5, 0.7, 0, 0.2), INK, 0.05)
        pen.fill(oval(rng.uniform(-0.4, 0.4), -0.25, 0.17), glow)
    elif kind == 1:
        pen.shape(oval(0, -0.25, 0.42), "#3d405b", 0.07)
        pen.shape(oval(0, -0.25, 0.22), glow, 0.05)
    elif kind == 2:
        for x in (-0.4, 0.4):
            pen.shape(rectangle(x - 0.25, -0.45, x + 0.25, -0.05), glow, 0.06)
    else:
        for x in (-0.42, 0.42):
            pen.shape(oval(x, -0.25, 0.28), "#3d405b", 0.06)
            pen.fill(oval(x, -0.25, 0.15), glow)


@prop("indoors", "stage", group=MACHINES)
def camera(pen: Pen, rng: Random) -> None:
    """Draw a camera."""
    pen.shape(rectangle(-0.35, -0.95, 0.35, -0.5, 0.1), darken(object_colour(rng, *CLOTH)), 0.07)
    pen.shape(rectangle(-1.1, -0.65, 1.1, 0.75, 0.15), object_colour(rng, "#3b3640", *CLOTH), 0.09)
    for radius, colour in ((0.55, "#8d8f99"), (0.4, INK), (0.2, "#4f6f9f")):
        pen.shape(oval(0, 0.05, radius), colour, 0.05)
    pen.shape(oval(0.82, -0.35, 0.15), object_colour(rng, WHITE), 0.05)


@prop("indoors", "stage", group=MACHINES)
def loudspeaker(pen: Pen, rng: Random) -> None:
    """Draw a loudspeaker."""
    pen.shape(
        rectangle(-0.75, -1.2, 0.75, 1.2, 0.08), object_colour(rng, "#3b3640", "#8a5a3a"), 0.09
    )
    cone = object_colour(rng, "#8d8f99", "#5b4a3f")
    for y, radius in ((-0.6, 0.35), (0.4, 0.55)):
        pen.shape(oval(0, y, radius), cone, 0.07)
        pen.shape(oval(0, y, radius * 0.4), darken(cone, 0.5), 0.05)


@prop("indoors", "stage", group=MACHINES)
def screen(pen: Pen, rng: Random) -> None:
    """Draw a computer or a television with something on its screen."""
    pen.shape([(-0.3, 0.7), (0.3, 0.7), (0.5, 1.1), (-0.5, 1.1)], "#8d8f99", 0.07)
    pen.shape(
        rectangle(-1.1, -0.9, 1.1, 0.75, 0.12), object_colour(rng, "#3b3640", "#d7dde5"), 0.09
    )
    glass = rectangle(-0.95, -0.75, 0.95, 0.55)
    pen.fill(glass, object_colour(rng, "#35405a", "#cfe8f7"))
    for _ in range(rng.randrange(6)):
        y = rng.uniform(-0.65, 0.45)
        pen.line([(-0.8, y), (rng.uniform(-0.4, 0.8), y)], 0.08, any_colour(rng), clip=glass)
    pen.line(glass, 0.05, closed=True)


@prop("indoors", "outdoors", group=MACHINES)
def dustbin(pen: Pen, rng: Random) -> None:
    """Draw a dustbin, a barrel or a mailbox."""
    tin = object_colour(rng, "#8d8f99", "#4f7f6f", "#b5651d")
    pen.shape(loop([(-0.7, -0.9), (0.7, -0.9), (0.6, 1.2), (-0.6, 1.2)], 3), tin, 0.09)
    for y in (-0.4, 0.6):
        pen.line(arc(0, y - 0.1, 0.68, 0.2, 0, 180), 0.06)
    pen.shape(oval(0, -0.92, 0.8, 0.22), lighten(tin, 0.2), 0.08)
    if rng.random() < 0.5:
        pen.fill(rectangle(-0.35, -0.15, 0.35, 0, 0.05), INK)


@prop("indoors", group=MACHINES)
def kettle(pen: Pen, rng: Random) -> None:
    """Draw a kettle, a jug or a cup."""
    enamel = object_colour(rng, *CLOTH)
    pen.line(arc(-0.9, 0.1, 0.4, 0.45, 90, 270), 0.16)
    if rng.random() < 0.5:
        spout = curve([(0.6, 0.4), (1.1, 0), (1.3, -0.5)], 5)
        pen.tube(spout, 0.22, enamel)
        pen.shape(oval(0, -0.85, 0.16), enamel, 0.06)
    pen.shape(loop([(-0.6, -0.7), (0.6, -0.7), (0.95, 0.7), (-0.95, 0.7)], 4), enamel, 0.09)
    for _ in range(rng.choice([0, 2, 4])):
        spot = oval(rng.uniform(-0.5, 0.5), rng.uniform(-0.3, 0.4), 0.13)
        pen.fill(spot, lighten(enamel, 0.6))


@prop("indoors", "stage", hangs=True, group=MACHINES)
def bulb(pen: Pen, rng: Random) -> None:
    """Draw a lamp that hangs from above."""
    pen.line([(0, -0.8), (0, -3)], 0.06)
    if rng.random() < 0.5:
        shade = object_colour(rng, *CLOTH)
        pen.fill(oval(0, 0.3, 0.3), "#fff6c9")
        pen.shape([(-0.25, -0.8), (0.25, -0.8), (0.95, 0.25), (-0.95, 0.25)], shade, 0.08)
    else:
        glass = [(-0.25, -0.6), (0.25, -0.6), (0.65, 0.2), (0, 0.85), (-0.65, 0.2)]
        pen.shape(loop(glass, 6), object_colour(rng, "#fff6c9", WHITE), 0.07)
        pen.shape(rectangle(-0.27, -0.9, 0.27, -0.5, 0.05), "#8d8f99", 0.06)
