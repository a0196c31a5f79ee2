"""Clothes that nobody wears: their patterns and buttons may resemble features of a face."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from facetl.cartoons.colours import CLOTH, INK, WHITE, Colour, darken, object_colour
from facetl.cartoons.lettering import ALPHABET, letter
from facetl.cartoons.paths import Path, arc, curve, loop, mirror, oval, rectangle, zigzag
from facetl.cartoons.pen import Pen
from facetl.cartoons.props.prop import prop

GARMENTS = "garments"
"""The group of these props."""

Pattern = Callable[[Pen, Path, Colour, Random], None]


def _stripes(pen: Pen, within: Path, colour: Colour, rng: Random) -> None:
    step = rng.uniform(0.25, 0.5)
    y = -0.9
    while y < 1.6:
        pen.fill(rectangle(-2, y, 2, y + step / 2), colour, clip=within)
        y += step


def _dots(pen: Pen, within: Path, colour: Colour, rng: Random) -> None:
    step, radius = rng.uniform(0.35, 0.6), rng.uniform(0.08, 0.16)
    for row in range(7):
        for column in range(-3, 4):
            x, y = (column + row % 2 / 2) * step, -0.9 + row * step
            pen.fill(oval(x, y, radius), colour, clip=within)


def _zigzags(pen: Pen, within: Path, colour: Colour, rng: Random) -> None:
    for y in (-0.4, 0.1, 0.6, 1.1)[: rng.randrange(1, 5)]:
        pen.line(zigzag((-1.5, y), (1.5, y), 8, 0.22), 0.12, colour, clip=within)


def _diamonds(pen: Pen, within: Path, colour: Colour, rng: Random) -> None:
    for row in range(4):
        for column in range(-2, 3):
            x, y = column * 0.55, -0.5 + row * 0.6
            diamond = [(x, y - 0.3), (x + 0.27, y), (x, y + 0.3), (x - 0.27, y)]
            pen.fill(diamond, colour, clip=within)


def _big_letter(pen: Pen, within: Path, colour: Colour, rng: Random) -> None:
    letter(pen.at(0, 0.3, 0.5), rng.choice(ALPHABET), 0.4, colour, INK)


def _badge(pen: Pen, within: Path, colour: Colour, rng: Random) -> None:
    form = rng.choice([oval(0, 0.2, 0.5), mirror([(0, -0.2), (0.5, -0.1), (0.3, 0.6), (0, 0.8)])])
    pen.shape(form, colour, 0.05)
    letter(pen.at(0, 0.22, 0.24), rng.choice(ALPHABET), 0.5, WHITE, INK)


def _buttons(pen: Pen, within: Path, colour: Colour, rng: Random) -> None:
    pen.line([(0, -0.8), (0, 1.5)], 0.05, darken(colour))
    for i in range(rng.randrange(2, 6)):
        pen.shape(oval(0.1, -0.5 + 0.42 * i, 0.11), colour, 0.04)


def _pockets(pen: Pen, within: Path, colour: Colour, rng: Random) -> None:
    for x in (-0.45, 0.45):
        pen.shape(rectangle(x - 0.26, -0.2, x + 0.26, 0.35, 0.06), colour, 0.05)
        pen.fill(oval(x, -0.02, 0.07), INK)


def _tie(pen: Pen, within: Path, colour: Colour, rng: Random) -> None:
    pen.shape([(-0.14, -0.85), (0.14, -0.85), (0.25, 0.7), (0, 1), (-0.25, 0.7)], colour, 0.05)
    for flip in (False, True):
        pen.at(flip=flip).shape([(0, -0.9), (0.5, -1.05), (0.42, -0.5)], WHITE, 0.05)


_PATTERNS: list[Pattern] = [
    _stripes, _dots, _zigzags, _diamonds, _big_letter, _badge, _buttons, _pockets, _tie,
]  # fmt: skip


@prop("indoors", "outdoors", "stage", size=1.3, group=GARMENTS)
def sweater(pen: Pen, rng: Random) -> None:
    """Draw a sweater with a pattern, its sleeves hanging or spread."""
    wool, accent = object_colour(rng, *CLOTH), object_colour(rng, *CLOTH)
    spread = rng.uniform(1.2, 1.9)
    for flip in (False, True):
        sleeve = curve([(0.65, -0.65), (1.15, -0.1), (spread, rng.uniform(0.2, 1.2))], 6)
        pen.at(flip=flip).tube(sleeve, 0.5, wool)
    right = [(0, -0.85), (0.4, -1), (0.95, -0.75), (0.85, 0.3), (0.9, 1.4), (0, 1.5)]
    trunk = loop(mirror(right), 5)
    pen.fill(trunk, wool)
    for pattern in rng.sample(_PATTERNS, rng.choice([1, 1, 2])):
        pattern(pen, trunk, accent, rng)
    pen.contour(trunk, 0.08, wool)
    collar = [(-0.42, -0.95), (0, -0.65), (0.42, -0.95)]
    pen.line(curve(collar, 5), 0.14, darken(wool, 0.3))


@prop("indoors", "stage", group=GARMENTS)
def hat_on_peg(pen: Pen, rng: Random) -> None:
    """Draw a hat that nobody wears."""
    felt, band = object_colour(rng, *CLOTH), object_colour(rng, *CLOTH)
    high = rng.uniform(0.6, 1.3)
    pen.shape(oval(0, 0.4, rng.uniform(1, 1.4), 0.3), felt, 0.08)
    crown = loop([(-0.7, 0.4), (-0.6, 0.4 - high), (0.6, 0.4 - high), (0.7, 0.4)], 5)
    pen.shape(crown, felt, 0.08)
    pen.fill(rectangle(-0.72, 0.1, 0.72, 0.38), band, clip=crown)


@prop("indoors", "outdoors", "stage", group=GARMENTS)
def backpack(pen: Pen, rng: Random) -> None:
    """Draw a backpack with pockets for eyes."""
    cloth, accent = object_colour(rng, *CLOTH), object_colour(rng, *CLOTH)
    pen.line(arc(0, -0.95, 0.35, 0.35, 180, 360), 0.12)
    pen.shape(rectangle(-0.85, -1, 0.85, 1.1, 0.4), cloth, 0.08)
    pen.shape(rectangle(-0.65, 0.2, 0.65, 0.95, 0.15), accent, 0.07)
    for x in (-0.4, 0.4):
        pen.shape(rectangle(x - 0.12, -0.5, x + 0.12, 0.05, 0.05), accent, 0.05)
        pen.fill(oval(x, -0.1, 0.06), INK)
    pen.line([(-0.4, 0.42), (0.4, 0.42)], 0.05)


@prop("indoors", "outdoors", "stage", group=GARMENTS)
def trousers(pen: Pen, rng: Random) -> None:
    """Draw trousers."""
    cloth = object_colour(rng, *CLOTH)
    right = [(0.62, -1), (0.75, 1.3), (0.2, 1.3), (0, -0.1)]
    left = [(-x, y) for x, y in reversed(right[:-1])]
    pen.shape([*right, *left], cloth, 0.08)
    pen.shape(rectangle(-0.64, -1.1, 0.64, -0.85), darken(cloth, 0.3), 0.06)
    pen.shape(rectangle(-0.12, -1.08, 0.12, -0.86), object_colour(rng, "#e9c46a"), 0.04)


@prop("indoors", "outdoors", "stage", group=GARMENTS)
def hide(pen: Pen, rng: Random) -> None:
    """Draw a ragged hide with spots."""
    fur = object_colour(rng, "#e0903c", "#c96f2e", "#8fb04a", "#f0d060")
    top, hem = [(-0.7, -1), (0.1, -0.9), (0.8, -0.5), (0.9, 1)], zigzag((0.9, 1), (-0.9, 1), 5, 0.3)
    pelt = [*top, *hem.tolist()]
    pen.fill(pelt, fur)
    for _ in range(rng.randrange(3, 9)):
        x, y, size = rng.uniform(-0.7, 0.7), rng.uniform(-0.8, 0.8), rng.uniform(0.08, 0.22)
        spot = loop([(x - size, y), (x, y - size * 0.8), (x + size, y), (x, y + size)], 4)
        pen.fill(spot, darken(fur, 0.75), clip=pelt)
    pen.contour(pelt, 0.08, fur)


@prop("indoors", "outdoors", group=GARMENTS)
def button(pen: Pen, rng: Random) -> None:
    """Draw a large button with two or four holes."""
    horn = object_colour(rng, *CLOTH)
    pen.shape(oval(0, 0, 1), horn, 0.1)
    pen.line(oval(0, 0, 0.72), 0.06, darken(horn), closed=True)
    holes = [(-0.25, 0), (0.25, 0)] if rng.random() < 0.5 else [
        (-0.22, -0.22), (0.22, -0.22), (-0.22, 0.22), (0.22, 0.22),
    ]  # fmt: skip
    for x, y in holes:
        pen.fill(oval(x, y, 0.11), INK)
