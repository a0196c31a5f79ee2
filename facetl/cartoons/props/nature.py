"""Stones, trees, suns, moons, flowers: round things out of doors, of every colour."""

from __future__ import annotations

import math
from random import Random

from facetl.cartoons.colours import WHITE, Colour, darken, lighten, object_colour
from facetl.cartoons.paths import Path, arc, cloud, curve, loop, oval, polar, rectangle, zigzag
from facetl.cartoons.pen import Pen
from facetl.cartoons.props.prop import prop

NATURE = "nature"
"""The group of these props."""

_STONES = ("#9a9aa6", "#b3a48c", "#8a7a6a", "#c9b79c", "#a87a5a")
_LEAVES = ("#5fa35a", "#7dbb5e", "#e08e45", "#3d7d4c")


def _lump(rng: Random, corners: int = 8, roughness: float = 0.2) -> Path:
    """Return a rough closed path about as large as a circle of radius 1."""
    points = [polar(0, 0, rng.uniform(1 - roughness, 1), 360 * i / corners) for i in range(corners)]
    return loop(points, rng.choice([1, 4, 6]))


def _dimple(pen: Pen, within: Path, colour: Colour, rng: Random) -> None:
    """Draw a crack or a dent."""
    x, y = rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)
    if rng.random() < 0.5:
        dent = oval(x, y, rng.uniform(0.06, 0.22), rng.uniform(0.05, 0.18))
        pen.fill(dent, darken(colour, 0.35), clip=within)
    else:
        end = x + rng.uniform(-0.5, 0.5), y + rng.uniform(-0.1, 0.4)
        pen.line(curve([(x, y), ((x + end[0]) / 2 + 0.1, (y + end[1]) / 2), end], 4), 0.05)


@prop("outdoors", "indoors", "stage", weight=2, group=NATURE)
def stone(pen: Pen, rng: Random) -> None:
    """Draw a stone with dents and cracks."""
    colour, form = object_colour(rng, *_STONES), _lump(rng, rng.randrange(6, 11))
    pen = pen.at(turn=rng.uniform(0, 360))
    pen.shape(form * (1, rng.uniform(0.65, 1)), colour, 0.08)
    for _ in range(rng.randrange(1, 6)):
        _dimple(pen, form, colour, rng)


@prop("outdoors", size=1.3, group=NATURE)
def boulders(pen: Pen, rng: Random) -> None:
    """Draw a heap of boulders."""
    for _ in range(rng.randrange(3, 7)):
        x, size = rng.uniform(-0.8, 0.8), rng.uniform(0.4, 0.8)
        here, colour = pen.at(x, 1 - size, size), object_colour(rng, *_STONES)
        form = _lump(rng)
        here.shape(form, colour, 0.09)
        _dimple(here, form, colour, rng)


@prop("outdoors", "indoors", "stage", hangs=True, size=1.2, group=NATURE)
def plain_sun(pen: Pen, rng: Random) -> None:
    """Draw a sun or a moon without a face."""
    light = object_colour(rng, "#ffd94a", "#ffb03a", "#f4f0d8", "#ff8a5a")
    if rng.random() < 0.6:
        rays = rng.randrange(7, 18)
        points = [polar(0, 0, 1.35 if i % 2 else 0.95, 180 * i / rays) for i in range(2 * rays)]
        pen.fill(points, lighten(light, 0.35))
    pen.shape(oval(0, 0, 0.9), light, 0.07 if rng.random() < 0.5 else 0.02)
    for _ in range(rng.choice([0, 0, 3])):
        crater = oval(rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5), rng.uniform(0.08, 0.25))
        pen.fill(crater, darken(light, 0.15))


@prop("outdoors", "indoors", "stage", hangs=True, group=NATURE)
def crescent(pen: Pen, rng: Random) -> None:
    """Draw the moon as a sickle."""
    light, bulge = object_colour(rng, "#f4f0d8", "#ffe08a"), rng.uniform(0.1, 0.6)
    outer, inner = arc(0, 0, 1, 1, 90, 270, 24), arc(0, 0, bulge, 1, 270, 90, 24)
    turned = pen.at(turn=rng.uniform(-40, 40), flip=rng.random() < 0.5)
    turned.shape([*outer.tolist(), *inner.tolist()], light, 0.06)


@prop("outdoors", size=1.6, group=NATURE)
def snowy_tree(pen: Pen, rng: Random) -> None:
    """Draw a fir under snow."""
    green, snow = (
        object_colour(rng, "#3d7d4c", "#2f5f5a"),
        object_colour(rng, WHITE, "#e6f2fa", WHITE),
    )
    pen.shape(rectangle(-0.15, 0.8, 0.15, 1.4), "#7a5236", 0.06)
    for i in range(3):
        y, half = 1 - 0.65 * i, 0.95 - 0.22 * i
        pen.shape([(-half, y), (0, y - 1.05), (half, y)], green, 0.07)
        cap = [(-half * 0.62, y - 0.4), (0, y - 1.05), (half * 0.62, y - 0.4)]
        drips = zigzag((half * 0.62, y - 0.4), (-half * 0.62, y - 0.4), 3, 0.18, (0, 1))
        pen.shape([*cap, *drips.tolist()], snow, 0.05)


@prop("outdoors", size=1.6, group=NATURE)
def round_tree(pen: Pen, rng: Random) -> None:
    """Draw a tree with a round crown, fruit or holes in it."""
    crown, trunk = object_colour(rng, *_LEAVES), object_colour(rng, "#7a5236", "#5b4636")
    pen.shape([(-0.2, 1.5), (-0.14, 0.2), (0.14, 0.2), (0.25, 1.5)], trunk, 0.07)
    pen.shape(cloud(0, -0.3, 0.95, rng.uniform(0.7, 1), rng.randrange(7, 13)), crown, 0.08)
    spots = object_colour(rng, "#d1495b", "#f3a712")
    for _ in range(rng.choice([0, 2, 3, 6])):
        spot = oval(rng.uniform(-0.6, 0.6), rng.uniform(-0.8, 0.2), rng.uniform(0.08, 0.16))
        pen.fill(spot, spots)
    if rng.random() < 0.3:
        pen.fill(oval(0.02, 0.8, 0.1, 0.16), darken(trunk, 0.5))


@prop("outdoors", "indoors", group=NATURE)
def flower(pen: Pen, rng: Random) -> None:
    """Draw a flower."""
    petal, heart = (
        object_colour(rng, "#f28ab2", "#f3a712", "#7b4b94"),
        object_colour(rng, "#f4c552", "#7a5236"),
    )
    pen.line(curve([(0, 0.4), (0.1, 1.1), (0, 1.9)], 6), 0.12, "#3f8f4f")
    count, length = rng.randrange(5, 12), rng.uniform(0.55, 0.75)
    for i in range(count):
        spot = polar(0, 0, length, 360 * i / count)
        pen.shape(oval(*spot, 2.2 / count), petal, 0.06)
    pen.shape(oval(0, 0, 0.42), heart, 0.06)


@prop("outdoors", "stage", group=NATURE)
def mushroom(pen: Pen, rng: Random) -> None:
    """Draw a mushroom with spots."""
    cap = object_colour(rng, "#c93f3f", "#b07a45")
    pen.shape(
        loop([(-0.35, 0), (0.35, 0), (0.45, 1.1), (-0.45, 1.1)], 5), object_colour(rng, WHITE), 0.07
    )
    dome = [*arc(0, 0.1, 1.1, 1, 180, 360, 20).tolist(), (0.6, 0.28), (-0.6, 0.28)]
    pen.shape(dome, cap, 0.08)
    for x, y in ((-0.5, -0.3), (0.1, -0.55), (0.55, -0.15)):
        pen.fill(oval(x, y, rng.uniform(0.1, 0.2)), WHITE)


@prop("outdoors", "stage", group=NATURE)
def cactus(pen: Pen, rng: Random) -> None:
    """Draw a cactus."""
    green = object_colour(rng, "#5fa35a", "#3d7d4c")
    for flip in (False, True):
        y = rng.uniform(-0.2, 0.5)
        arm = curve([(0, y + 0.3), (0.75, y + 0.25), (0.8, y - 0.5)], 6)
        pen.at(flip=flip).tube(arm, 0.34, green)
    pen.tube([(0, 1.2), (0, -1)], 0.6, green)
    for x, y in ((-0.1, -0.8), (0.15, -0.3), (-0.05, 0.2), (0.1, 0.7)):
        pen.line([(x - 0.07, y), (x, y + 0.1), (x + 0.07, y)], 0.04)


@prop("outdoors", "indoors", "stage", hangs=True, group=NATURE)
def puff(pen: Pen, rng: Random) -> None:
    """Draw a cloud of smoke, dust or rain."""
    form = cloud(0, 0, 1.1, rng.uniform(0.6, 1), rng.randrange(6, 13))
    pen.shape(form, object_colour(rng, WHITE, "#cfd6de", "#8c8f9c"), 0.08)


@prop("outdoors", "indoors", group=NATURE)
def shell(pen: Pen, rng: Random) -> None:
    """Draw a snail's shell or a spiral."""
    colour = object_colour(rng, "#d8a56a", "#c9ada7")
    pen.shape(oval(0, 0, 0.95), colour, 0.08)
    turns = [polar(0, 0, 0.9 - 0.8 * i / 40, 27 * i) for i in range(40)]
    pen.line(turns, 0.08, darken(colour, 0.5))


@prop("outdoors", size=1.8, group=NATURE)
def peak(pen: Pen, rng: Random) -> None:
    """Draw a mountain or a tent: a triangle with a cap or a door."""
    colour = object_colour(rng, *_STONES)
    pen.shape([(-1.1, 1), (rng.uniform(-0.3, 0.3), -1), (1.1, 1)], colour, 0.08)
    if rng.random() < 0.5:
        pen.fill([(-0.3, 1), (0, 0.1), (0.3, 1)], darken(colour, 0.6))


@prop("outdoors", "stage", group=NATURE)
def cave(pen: Pen, rng: Random) -> None:
    """Draw a rock with one, two or three holes."""
    colour, form = object_colour(rng, *_STONES), _lump(rng, 9, 0.12)
    pen.shape(form, colour, 0.08)
    count = rng.choice([1, 2, 3])
    for i in range(count):
        x = (i - (count - 1) / 2) * 0.62
        hole = oval(x, rng.uniform(-0.2, 0.3), 0.22, rng.uniform(0.2, 0.4))
        pen.shape(hole, darken(colour, 0.7), 0.05)


@prop("outdoors", "stage", group=NATURE)
def bone(pen: Pen, rng: Random) -> None:
    """Draw a bone."""
    pen, ivory = pen.at(turn=rng.uniform(-80, 80)), object_colour(rng, "#f4efe0", "#e8dcc0")
    for x in (-0.8, 0.8):
        for y in (-0.2, 0.2):
            pen.shape(oval(x, y, 0.28), ivory, 0.07)
    pen.tube([(-0.8, 0), (0.8, 0)], 0.34, ivory)
    for x in (-0.8, 0.8):
        pen.fill(oval(x, 0, 0.2), ivory)


@prop("outdoors", "indoors", "stage", hangs=True, group=NATURE)
def star(pen: Pen, rng: Random) -> None:
    """Draw a star."""
    tips, depth = rng.choice([4, 5, 5, 6, 8]), rng.uniform(0.35, 0.6)
    points = [
        (math.sin(math.pi * i / tips) * reach, -math.cos(math.pi * i / tips) * reach)
        for i, reach in enumerate([1, depth] * tips)
    ]
    pen.at(turn=rng.uniform(-20, 20)).shape(points, object_colour(rng, "#ffe08a"), 0.08)
