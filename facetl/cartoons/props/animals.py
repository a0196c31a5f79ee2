"""Animals: their faces do not count and get no box; a new one is a row in ``BEASTS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from facetl.cartoons.colours import INK, WHITE, Colour, any_colour, darken, lighten, object_colour
from facetl.cartoons.paths import Path, arc, as_path, cloud, curve, loop, mirror, oval
from facetl.cartoons.pen import Pen
from facetl.cartoons.props.prop import PROPS, Prop, prop

ANIMALS = "animals"
"""The group of these props."""


@dataclass(frozen=True)
class Coat:
    """The colours of an animal."""

    fur: Colour
    pale: Colour
    nose: Colour


Part = Callable[[Pen, Coat, Random], None]

# ---- ears and what else is behind the head; x is mirrored by the caller


def _both_sides(draw: Callable[[Pen, Coat], None]) -> Part:
    def draw_both(pen: Pen, coat: Coat, rng: Random) -> None:
        size = rng.uniform(0.8, 1.2)
        for flip in (False, True):
            draw(pen.at(scale=size, flip=flip), coat)

    return draw_both


@_both_sides
def _pointed(pen: Pen, coat: Coat) -> None:
    pen.shape(loop([(0.25, -0.7), (0.8, -1.5), (0.95, -0.3)], 5), coat.fur, 0.07)
    pen.fill(loop([(0.5, -0.75), (0.76, -1.2), (0.82, -0.5)], 5), coat.pale)


@_both_sides
def _floppy(pen: Pen, coat: Coat) -> None:
    ear = loop([(0.5, -0.75), (1.15, -0.7), (1.3, 0.3), (1.05, 0.7), (0.8, 0.1)], 6)
    pen.shape(ear, darken(coat.fur, 0.25), 0.07)


@_both_sides
def _round(pen: Pen, coat: Coat) -> None:
    pen.shape(oval(0.75, -0.72, 0.38), coat.fur, 0.07)
    pen.fill(oval(0.75, -0.72, 0.2), coat.pale)


@_both_sides
def _huge(pen: Pen, coat: Coat) -> None:
    pen.shape(oval(1.05, -0.75, 0.66), coat.fur, 0.07)
    pen.fill(oval(1.05, -0.75, 0.42), coat.pale)


@_both_sides
def _long(pen: Pen, coat: Coat) -> None:
    pen.shape(loop([(0.2, -0.7), (0.25, -2), (0.65, -2.1), (0.7, -0.6)], 7), coat.fur, 0.07)
    pen.fill(loop([(0.36, -0.9), (0.4, -1.8), (0.54, -1.8), (0.56, -0.9)], 6), coat.pale)


@_both_sides
def _horned(pen: Pen, coat: Coat) -> None:
    pen.shape(loop([(0.4, -0.8), (0.7, -1.4), (1.05, -1.5), (0.75, -0.7)], 6), "#efe3c8", 0.06)
    pen.shape(loop([(0.8, -0.4), (1.4, -0.6), (1.35, -0.2), (0.9, -0.05)], 5), coat.fur, 0.07)


def _maned(pen: Pen, coat: Coat, rng: Random) -> None:
    pen.shape(cloud(0, 0, 1.45, 1.4, rng.randrange(11, 17)), darken(coat.fur, 0.3), 0.08)
    _round(pen, coat, rng)


def _woolly(pen: Pen, coat: Coat, rng: Random) -> None:
    pen.shape(cloud(0, -0.4, 1.2, 0.95, 11), coat.pale, 0.08)
    for flip in (False, True):
        ear = loop([(0.75, -0.2), (1.4, -0.1), (1.3, 0.2), (0.8, 0.15)], 5)
        pen.at(flip=flip).shape(ear, coat.fur, 0.07)


def _crested(pen: Pen, coat: Coat, rng: Random) -> None:
    for x in (-0.3, 0, 0.3):
        pen.shape(oval(x, -1.05, 0.2, 0.32), coat.nose, 0.06)


def _tufted(pen: Pen, coat: Coat, rng: Random) -> None:
    for flip in (False, True):
        pen.at(flip=flip).shape([(0.3, -0.8), (1.05, -1.35), (0.95, -0.4)], coat.fur, 0.07)


def _bulging(pen: Pen, coat: Coat, rng: Random) -> None:
    for x in (-0.6, 0.6):
        pen.shape(oval(x, -0.66, 0.44, 0.46), coat.fur, 0.07)


# ---- muzzles


def _snout(pen: Pen, coat: Coat, rng: Random) -> None:
    long = rng.uniform(0.42, 0.62)
    pen.shape(oval(0, 0.42, 0.56, long), coat.pale, 0.06)
    pen.fill(oval(0, 0.2, 0.24, 0.17), coat.nose)
    pen.line([(0, 0.3), (0, 0.55)], 0.06)
    for flip in (False, True):
        pen.at(flip=flip).line(curve([(0, 0.55), (0.2, 0.66), (0.38, 0.52)], 5), 0.06)


def _whiskered(pen: Pen, coat: Coat, rng: Random) -> None:
    for side in (-1, 1):
        pen.shape(oval(side * 0.2, 0.44, 0.28, 0.24), coat.pale, 0.05)
        for i in (-1, 0, 1):
            pen.line([(side * 0.4, 0.42 + i * 0.08), (side * 1.2, 0.36 + i * 0.22)], 0.035)
    pen.shape([(-0.14, 0.2), (0.14, 0.2), (0, 0.36)], coat.nose, 0.04)


def _disc(pen: Pen, coat: Coat, rng: Random) -> None:
    pen.shape(oval(0, 0.35, 0.48, 0.36), coat.pale, 0.07)
    for x in (-0.17, 0.17):
        pen.fill(oval(x, 0.35, 0.08, 0.13), INK)
    pen.line(arc(0, 0.6, 0.5, 0.25, 30, 150), 0.06)


def _broad(pen: Pen, coat: Coat, rng: Random) -> None:
    pen.shape(oval(0, 0.55, 0.8, 0.46), coat.pale, 0.07)
    for x in (-0.3, 0.3):
        pen.fill(oval(x, 0.42, 0.1, 0.07), INK)
    pen.line(arc(0, 0.5, 0.5, 0.28, 25, 155), 0.06)


def _beak(pen: Pen, coat: Coat, rng: Random) -> None:
    pen.shape([(-0.36, 0.08), (0.36, 0.08), (0, 0.72)], coat.nose, 0.06)
    pen.line([(-0.24, 0.28), (0.24, 0.28)], 0.05)


def _gape(pen: Pen, coat: Coat, rng: Random) -> None:
    mouth = curve([(-0.85, 0.3), (-0.4, 0.5), (0, 0.54), (0.4, 0.5), (0.85, 0.3)], 6)
    pen.line(mouth, 0.08)
    for x in (-0.12, 0.12):
        pen.fill(oval(x, 0.12, 0.05), INK)


def _trunk(pen: Pen, coat: Coat, rng: Random) -> None:
    side = rng.choice([-1, 1])
    pen.tube(curve([(0, 0.1), (0, 0.9), (side * 0.3, 1.4), (side * 0.8, 1.3)], 7), 0.4, coat.fur)


# ---- the animals


@dataclass(frozen=True)
class Beast:
    """An animal: its right half from top to bottom, what it has on it, where its eyes are."""

    head: tuple[tuple[float, float], ...]
    ears: Part
    muzzle: Part
    usual: tuple[Colour, ...]
    eye_gap: float = 0.4
    eye_y: float = -0.22


_BALL = ((0, -0.9), (0.65, -0.7), (0.95, 0), (0.7, 0.65), (0, 0.9))
_PEAR = ((0, -0.9), (0.5, -0.75), (0.62, -0.2), (0.72, 0.5), (0.5, 0.95), (0, 1.05))
_LONG = ((0, -0.9), (0.6, -0.7), (0.7, -0.2), (0.5, 0.5), (0.42, 1), (0, 1.15))
_WIDE = ((0, -0.55), (0.8, -0.6), (1.15, 0), (0.8, 0.62), (0, 0.75))
_WEDGE = ((0, -0.8), (0.7, -0.75), (1, -0.1), (0.5, 0.5), (0, 0.85))

BEASTS: dict[str, Beast] = {
    "dog": Beast(_PEAR, _floppy, _snout, ("#c98d4e", "#f0e6d2", "#5b4636"), 0.3, -0.3),
    "terrier": Beast(_LONG, _pointed, _snout, ("#e9dcc0", "#3b3640", "#a8703c"), 0.32, -0.35),
    "bear": Beast(_BALL, _round, _snout, ("#7a5236", "#3b2f2a", "#f2f4f6")),
    "sheep": Beast(_LONG, _woolly, _broad, ("#3b3640", "#d9c7a8", "#8c7a66"), 0.34, -0.15),
    "rabbit": Beast(_BALL, _long, _whiskered, ("#d9d4cc", "#a58b6f", "#ffffff")),
    "pig": Beast(_BALL, _pointed, _disc, ("#f2a7ae", "#e78f86", "#f6c7b6")),
    "cow": Beast(_LONG, _horned, _broad, ("#f4efe6", "#8a5a3c", "#3b3640"), 0.4, -0.3),
    "mouse": Beast(_WEDGE, _huge, _whiskered, ("#a9a9b3", "#c9b09a", "#ece7df"), 0.32),
    "fox": Beast(_WEDGE, _pointed, _snout, ("#d9702e", "#8c8f9c", "#f4efe6")),
    "lion": Beast(_BALL, _maned, _whiskered, ("#e2b04a", "#d99a3c", "#f0d9a0")),
    "elephant": Beast(_BALL, _huge, _trunk, ("#9aa3b5", "#b9a9c9", "#8c8f9c"), 0.45, -0.25),
    "owl": Beast(_BALL, _tufted, _beak, ("#8a6a4a", "#c9b38f", "#6b7a8c"), 0.42, -0.15),
    "hen": Beast(_PEAR, _crested, _beak, ("#f6f1e6", "#a8552e", "#3b3640"), 0.34),
    "frog": Beast(_WIDE, _bulging, _gape, ("#6fae4a", "#4f8f6a", "#a8b84a"), 0.6, -0.72),
}


def _draw_beast(beast: Beast, pen: Pen, rng: Random) -> None:
    coat = _grow_coat(beast, rng)
    if rng.random() < 0.55:
        _draw_body(pen, coat, rng)
    head = pen.at(turn=rng.gauss(0, 9))
    beast.ears(head, coat, rng)
    outline = loop(mirror(beast.head), 8)
    head.shape(outline, coat.fur, 0.08)
    if rng.random() < 0.3:
        _draw_patch(head, coat, outline, rng)
    _draw_eyes(head, beast, coat, rng)
    beast.muzzle(head, coat, rng)


def _grow_coat(beast: Beast, rng: Random) -> Coat:
    fur = object_colour(rng, *beast.usual)
    pale = lighten(fur, rng.uniform(0.3, 0.7)) if rng.random() < 0.7 else object_colour(rng, WHITE)
    return Coat(fur, pale, object_colour(rng, INK, INK, "#e8697d", "#ef9a3a"))


def _draw_body(pen: Pen, coat: Coat, rng: Random) -> None:
    """Draw four legs and a back to one side, or a sitting body below."""
    side = rng.choice([-1, 1])
    if rng.random() < 0.5:
        pen.shape(loop(mirror([(0, 0.5), (0.6, 0.9), (0.85, 2), (0, 2.2)]), 6), coat.fur, 0.08)
        for x in (-0.35, 0.35):
            pen.shape(oval(x, 2.15, 0.3, 0.18), coat.pale, 0.06)
        return
    for x in (0.2, 0.6, 1.9, 2.3):
        pen.tube([(side * x, 1.2), (side * x, 2.2)], 0.28, darken(coat.fur, 0.1))
    pen.shape(oval(side * 1.25, 1.05, 1.45, 0.72), coat.fur, 0.08)
    pen.tube(curve([(side * 2.6, 0.9), (side * 3.1, 0.4), (side * 3, -0.1)], 6), 0.2, coat.fur)


def _draw_patch(pen: Pen, coat: Coat, outline: Path, rng: Random) -> None:
    x, y = rng.choice([-0.45, 0.45]), rng.uniform(-0.5, 0)
    pen.fill(oval(x, y, 0.42, 0.5), darken(coat.fur, 0.45), clip=outline)


def _draw_eyes(pen: Pen, beast: Beast, coat: Coat, rng: Random) -> None:
    kind = rng.choice([_dot_eye, _white_eye, _ringed_eye])
    size, iris = rng.uniform(0.8, 1.25), any_colour(rng, (0.3, 1), (0.5, 1))
    look = rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)
    for side in (-1, 1):
        kind(pen.at(side * beast.eye_gap, beast.eye_y, size), coat, iris, look)


Glance = tuple[float, float]


def _dot_eye(pen: Pen, coat: Coat, iris: Colour, look: Glance) -> None:
    pen.fill(oval(0, 0, 0.12, 0.15), INK)
    pen.fill(oval(-0.04, -0.05, 0.04), WHITE)


def _white_eye(pen: Pen, coat: Coat, iris: Colour, look: Glance) -> None:
    pen.shape(oval(0, 0, 0.26, 0.32), WHITE, 0.05)
    pen.fill(oval(look[0] * 0.3, look[1] * 0.3, 0.12, 0.15), INK)


def _ringed_eye(pen: Pen, coat: Coat, iris: Colour, look: Glance) -> None:
    pen.shape(oval(0, 0, 0.3), coat.pale, 0.05)
    pen.shape(oval(0, 0, 0.22), iris, 0.04)
    pen.fill(oval(0, 0, 0.07, 0.17), INK)


_SETTINGS = ("indoors", "outdoors", "stage")
for _name, _beast in BEASTS.items():
    PROPS(_name)(Prop(partial(_draw_beast, _beast), _SETTINGS, size=1.2, group=ANIMALS))


# ---- from the side


@prop("indoors", "outdoors", "stage", size=1.2, group=ANIMALS)
def hound(pen: Pen, rng: Random) -> None:
    """Draw the head of a dog, a horse or a crocodile from the side."""
    pen = pen.at(turn=rng.gauss(0, 12), flip=rng.random() < 0.5)
    fur = object_colour(rng, "#c98d4e", "#8a5a3c")
    long, deep = rng.uniform(1.1, 1.9), rng.uniform(0.3, 0.6)
    pen.tube([(-0.5, 0.2), (-0.9, 2)], 0.8, fur)
    upper = [(-0.9, -0.1), (-0.5, -0.9), (0.2, -0.8), (0.5, -0.25), (long, -0.1)]
    jaw = [(long + 0.05, deep), (0.4, deep + 0.3), (-0.5, 0.7)]
    pen.shape(loop(upper + jaw, 6), fur, 0.08)
    pen.line(curve([(long, deep * 0.6), (0.8, deep * 0.75), (0.35, deep * 0.5)], 5), 0.06)
    pen.fill(oval(long, -0.05, 0.17, 0.14), object_colour(rng, INK))
    ear = as_path([(-0.5, -0.8), (-0.15, -1.5), (0, -0.7)])
    hanging = loop([(-0.6, -0.8), (-0.2, -0.7), (-0.3, 0.5), (-0.7, 0.4)], 5)
    pen.shape(rng.choice([ear, hanging]), darken(fur, 0.3), 0.07)
    pen.shape(oval(0.22, -0.4, 0.16, 0.2), WHITE, 0.05)
    pen.fill(oval(0.27, -0.38, 0.07, 0.1), INK)


@prop("indoors", "outdoors", "stage", group=ANIMALS)
def bird(pen: Pen, rng: Random) -> None:
    """Draw a bird from the side."""
    pen, plumage = (
        pen.at(flip=rng.random() < 0.5),
        object_colour(rng, "#5a9bd8", "#d1495b", "#f3c94a"),
    )
    for x in (-0.1, 0.25):
        pen.line([(x, 0.8), (x, 1.4), (x + 0.25, 1.45)], 0.08, object_colour(rng, "#d98a3d"))
    pen.shape([(-0.6, 0.1), (-1.6, -0.2), (-1.5, 0.4), (-0.5, 0.6)], darken(plumage, 0.2), 0.07)
    pen.shape([(0.8, -0.75), (1.5, -0.5), (0.8, -0.35)], object_colour(rng, "#f3a712"), 0.06)
    pen.shape(oval(0, 0.3, 0.85, 0.65), plumage, 0.08)
    pen.shape(oval(0.45, -0.5, 0.55), plumage, 0.08)
    pen.fill(oval(0.25, -0.05, 0.4, 0.3), plumage)
    pen.shape(loop([(-0.4, 0.1), (0.3, 0.2), (-0.3, 0.7)], 5), lighten(plumage, 0.3), 0.06)
    pen.shape(oval(0.6, -0.6, 0.16), WHITE, 0.05)
    pen.fill(oval(0.64, -0.6, 0.08), INK)


@prop("indoors", "outdoors", "stage", group=ANIMALS)
def duck(pen: Pen, rng: Random) -> None:
    """Draw a duck, a goose or a rubber duck from the side."""
    pen, down = pen.at(flip=rng.random() < 0.5), object_colour(rng, "#f6d34a", "#f4f6f8")
    high = rng.uniform(0.5, 1.3)
    back = [(-1.3, 0.2), (-0.6, 0.5), (0.4, 0.4), (1, 0.7), (0.6, 1.4), (-0.6, 1.4)]
    pen.tube([(0.5, 0.7), (0.5, -high)], 0.42, down)
    pen.shape(loop(back, 6), down, 0.08)
    bill = [(0.8, -high - 0.05), (1.5, -high - 0.1), (1.45, -high + 0.15), (0.8, -high + 0.3)]
    pen.shape(loop(bill, 4), object_colour(rng, "#f3a712"), 0.06)
    pen.shape(oval(0.5, -high, 0.45), down, 0.08)
    pen.fill(oval(0.68, -high - 0.1, 0.09, 0.12), INK)
    pen.line(curve([(-0.7, 0.8), (0, 1.1), (0.5, 0.8)], 5), 0.06)


@prop("indoors", "outdoors", "stage", group=ANIMALS)
def fish(pen: Pen, rng: Random) -> None:
    """Draw a fish from the side."""
    pen, scales = pen.at(flip=rng.random() < 0.5), object_colour(rng, "#f08a3c", "#6fa8c9")
    pen.shape([(-0.8, 0), (-1.5, -0.6), (-1.3, 0), (-1.5, 0.6)], darken(scales, 0.2), 0.07)
    pen.shape([(-0.3, -0.5), (0.1, -1), (0.4, -0.5)], darken(scales, 0.2), 0.07)
    body = loop([(1.1, 0), (0.5, -0.6), (-0.9, 0), (0.5, 0.6)], 8)
    pen.shape(body, scales, 0.08)
    for x in (-0.35, 0, 0.3)[: rng.randrange(4)]:
        pen.line(arc(x - 0.3, 0, 0.3, 0.45, -60, 60), 0.05, clip=body)
    pen.shape(oval(0.62, -0.15, 0.18), WHITE, 0.05)
    pen.fill(oval(0.66, -0.15, 0.09), INK)
    pen.line(curve([(1.05, 0.12), (0.85, 0.2), (0.7, 0.15)], 4), 0.05)
