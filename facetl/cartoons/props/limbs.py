"""Hands, feet and legs by themselves, and shoes: of every colour, up to the size of heads."""

from __future__ import annotations

from random import Random

from facetl.cartoons.colours import CLOTH, WHITE, Colour, darken, lighten, object_colour
from facetl.cartoons.paths import arc, curve, loop, oval, polar, rectangle
from facetl.cartoons.pen import Pen
from facetl.cartoons.props.prop import prop

LIMBS = "limbs"
"""The group of these props."""


def _turned(pen: Pen, rng: Random, most: float = 75) -> Pen:
    return pen.at(turn=rng.uniform(-most, most), flip=rng.random() < 0.5)


def _draw_sleeve(pen: Pen, skin: Colour, rng: Random) -> None:
    """Draw the arm below a hand, bare or in a sleeve."""
    pen.tube([(0, 0.5), (0, 2.6)], 0.5, skin)
    if rng.random() < 0.7:
        cloth = object_colour(rng, *CLOTH)
        pen.tube([(0, 1.4), (0, 2.7)], 0.72, cloth)
        if rng.random() < 0.4:
            pen.shape(rectangle(-0.48, 1.15, 0.48, 1.45, 0.1), WHITE, 0.06)


def _draw_palm(pen: Pen, skin: Colour) -> None:
    palm = loop([(-0.5, -0.1), (0.5, -0.1), (0.52, 0.45), (0.26, 0.85), (-0.3, 0.85)], 6)
    pen.fill(palm, skin)
    for side in (-1, 1):
        edge = [(side * 0.52, 0.05), (side * 0.56, 0.45), (side * 0.34, 0.84)]
        pen.line(curve(edge, 5), 0.06)


def _finger(pen: Pen, x: float, length: float, lean: float, skin: Colour) -> None:
    root = (x, 0.05)
    tip = polar(*root, length, lean - 90)
    pen.tube([root, tip], 0.24, skin)


@prop("indoors", "outdoors", "stage", size=1.2, group=LIMBS)
def open_hand(pen: Pen, rng: Random) -> None:
    """Draw a hand with its fingers spread."""
    pen, skin = _turned(pen, rng), object_colour(rng, WHITE)
    _draw_sleeve(pen, skin, rng)
    fingers, spread = rng.choice([3, 4]), rng.uniform(4, 16)
    for i in range(fingers):
        place = i - (fingers - 1) / 2
        length = rng.uniform(0.85, 1.1) - abs(place) * 0.12
        _finger(pen, place * 0.9 / fingers, length, place * spread, skin)
    pen.tube(curve([(0.3, 0.5), (0.75, 0.25), (0.95, -0.15)], 5), 0.26, skin)
    _draw_palm(pen, skin)
    if rng.random() < 0.5:
        pen.line(curve([(-0.2, 0.1), (0, 0.4), (-0.05, 0.7)], 5), 0.04)
        pen.line(curve([(0.35, 0.15), (0, 0.25), (-0.3, 0.2)], 5), 0.04)


@prop("indoors", "outdoors", "stage", size=1.2, group=LIMBS)
def pointing_hand(pen: Pen, rng: Random) -> None:
    """Draw a hand with one or two fingers stretched out."""
    pen, skin = _turned(pen, rng, 110), object_colour(rng, WHITE)
    _draw_sleeve(pen, skin, rng)
    for i in range(rng.choice([1, 1, 2])):
        _finger(pen, -0.3 + 0.3 * i, 1.15, -6 + 22 * i, skin)
    _draw_palm(pen, skin)
    for i in range(3):
        pen.shape(
            loop(
                [
                    (0.5, -0.12 + i * 0.26),
                    (-0.2, -0.12 + i * 0.26),
                    (-0.28, 0.02 + i * 0.26),
                    (-0.2, 0.14 + i * 0.26),
                    (0.5, 0.14 + i * 0.26),
                ],
                4,
            ),
            skin,
            0.05,
        )
    pen.tube(curve([(-0.35, 0.6), (-0.1, 0.35), (0.15, 0.4)], 5), 0.24, skin)


@prop("indoors", "outdoors", "stage", group=LIMBS)
def fist(pen: Pen, rng: Random) -> None:
    """Draw a fist, its thumb across or up."""
    pen, skin = _turned(pen, rng), object_colour(rng, WHITE)
    _draw_sleeve(pen, skin, rng)
    pen.shape(rectangle(-0.7, -0.5, 0.7, 0.75, 0.4), skin, 0.07)
    for i in range(4):
        x = -0.5 + i * 0.34
        pen.shape(rectangle(x - 0.2, -0.62, x + 0.2, 0.12, 0.18), skin, 0.055)
    thumb = (
        [(0.6, 0.4), (0.2, 0.3), (-0.2, 0.3)] if rng.random() < 0.5 else [(0.5, 0), (0.55, -1.1)]
    )
    pen.tube(curve(thumb, 5), 0.3, skin)


@prop("indoors", "outdoors", group=LIMBS)
def bare_foot(pen: Pen, rng: Random) -> None:
    """Draw a bare foot from the side."""
    pen, skin = _turned(pen, rng, 25), object_colour(rng)
    pen.tube([(-0.5, -2), (-0.5, 0.2)], 0.6, skin)
    foot = [(-0.95, 0.1), (-0.3, -0.1), (0.5, 0.2), (1.2, 0.45), (1.2, 0.75), (-0.85, 0.78)]
    pen.shape(loop(foot, 6), skin, 0.07)
    for i in range(rng.choice([3, 4, 5])):
        pen.shape(oval(1.24 - i * 0.26, 0.55 - i * 0.03, 0.2 - i * 0.02), skin, 0.055)


@prop("indoors", "outdoors", group=LIMBS)
def soles(pen: Pen, rng: Random) -> None:
    """Draw two soles with their toes up, as of somebody who lies there."""
    skin = object_colour(rng)
    for side in (-1, 1):
        here = pen.at(side * 0.6, 0, turn=side * rng.uniform(0, 22))
        sole = [(0, -0.75), (0.5, -0.4), (0.36, 0.4), (0.3, 1), (-0.3, 1), (-0.36, 0.4)]
        here.shape(loop([*sole, (-0.5, -0.4)], 6), skin, 0.07)
        for i, radius in enumerate((0.22, 0.16, 0.15, 0.13)):
            x = -side * (0.4 - i * 0.27)
            here.shape(oval(x, -0.78 + abs(i - 1) * 0.06, radius), skin, 0.055)
        here.fill(oval(0, 0.7, 0.2, 0.16), lighten(skin, 0.25))


@prop("indoors", "outdoors", "stage", group=LIMBS)
def shoe(pen: Pen, rng: Random) -> None:
    """Draw a shoe or a pair of them."""
    leather, sole = object_colour(rng, *CLOTH), object_colour(rng, WHITE, "#3b3640")
    for i in range(rng.choice([1, 2])):
        here = pen.at(i * 0.7, i * 0.35)
        top = [(-0.9, -0.7), (-0.3, -0.75), (0.1, -0.2), (0.9, 0.1), (1.15, 0.5), (-0.95, 0.5)]
        here.shape(loop(top, 5), leather, 0.07)
        here.shape(rectangle(-1, 0.42, 1.2, 0.7, 0.12), sole, 0.06)
        for x in (-0.2, 0.05, 0.3):
            here.line([(x - 0.05, -0.42 + x * 0.5), (x + 0.22, -0.2 + x * 0.4)], 0.07, WHITE)


@prop("indoors", "outdoors", group=LIMBS)
def boot(pen: Pen, rng: Random) -> None:
    """Draw a boot."""
    rubber = object_colour(rng, *CLOTH)
    outline = [(-0.6, -1.2), (0.2, -1.2), (0.25, 0.1), (1.05, 0.4), (1.1, 0.8), (-0.62, 0.8)]
    pen.shape(loop(outline, 4), rubber, 0.08)
    pen.shape(rectangle(-0.7, -1.3, 0.3, -0.95, 0.1), lighten(rubber, 0.4), 0.06)
    pen.line([(-0.6, 0.62), (1.08, 0.62)], 0.06)


@prop("indoors", "outdoors", "stage", size=1.3, group=LIMBS)
def legs(pen: Pen, rng: Random) -> None:
    """Draw two legs in trousers or stockings, the rest of which is out of sight."""
    cloth, leather = object_colour(rng, *CLOTH), object_colour(rng, "#3b3640", "#7a3b1e")
    striped = rng.random() < 0.3
    for side in (-1, 1):
        knee = (side * rng.uniform(0.3, 0.6), 0)
        path = curve([(side * 0.3, -2.2), knee, (side * 0.45, 1.2)], 8)
        pen.tube(path, 0.5, cloth)
        if striped:
            for i in range(2, len(path) - 1, 4):
                pen.line(path[i : i + 2], 0.48, lighten(cloth, 0.6))
        toe = loop([(-0.25, -0.1), (0.2, -0.15), (0.65, 0.15), (0.6, 0.3), (-0.28, 0.3)], 5)
        pen.at(side * 0.45, 1.2, flip=side < 0).shape(toe, leather, 0.06)


@prop("indoors", "outdoors", "stage", group=LIMBS)
def glove(pen: Pen, rng: Random) -> None:
    """Draw a mitten or a glove that nobody wears."""
    pen, wool = _turned(pen, rng), object_colour(rng, *CLOTH)
    pen.shape(loop([(0.35, 0.3), (1, -0.2), (0.9, -0.5), (0.3, -0.2)], 5), wool, 0.07)
    mitten = [(-0.55, 0.6), (-0.6, -0.6), (0, -1.1), (0.55, -0.6), (0.5, 0.6)]
    pen.shape(loop(mitten, 6), wool, 0.08)
    pen.shape(rectangle(-0.62, 0.45, 0.58, 0.95, 0.12), darken(wool, 0.25), 0.07)
    if rng.random() < 0.5:
        pen.line(arc(0, -0.1, 0.3, 0.3, 0, 360), 0.06, lighten(wool, 0.6))
