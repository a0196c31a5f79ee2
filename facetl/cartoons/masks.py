"""Masks and paint on a face, which stay part of the face; ``@mask("name")`` adds one."""

from __future__ import annotations

from collections.abc import Callable

from facetl.cartoons.colours import Colour, darken, lighten
from facetl.cartoons.eyes import EyePair
from facetl.cartoons.paths import curve, join, loop, mirror, oval, rectangle, ring
from facetl.cartoons.pen import Pen
from facetl.cartoons.toon import Toon
from facetl.registry import Registry

mask: Registry[Callable[[Pen, Toon, EyePair, Colour], None]] = Registry()
"""Drawing functions that are given the face's pen, the toon, its eyes and the mask's colour."""

ENCLOSING = frozenset({"cowl", "helmet"})
"""Masks that go around the head and are not worn in profile: the skull would count as face."""


@mask("domino")
def _domino(pen: Pen, toon: Toon, eyes: EyePair, colour: Colour) -> None:
    half, high = toon.half_width, max(eyes.ry, 0.14) * 1.35
    right = [(0, -high * 0.6), (half * 0.5, -high), (half * 1.02, -high * 0.9)]
    right += [(half * 1.0, high * 0.3), (half * 0.5, high), (0, high * 0.55)]
    band = loop(mirror(right) + (toon.middle_at(eyes.y), eyes.y), 5)
    pen.fill(band, colour, clip=toon.outline)
    pen.line(band, 0.04, darken(colour, 0.5), closed=True, clip=toon.outline)


@mask("cowl")
def _cowl(pen: Pen, toon: Toon, eyes: EyePair, colour: Colour) -> None:
    low = eyes.y + max(eyes.ry, 0.14) + 0.14
    top = toon.crown(low, 1.04)
    cowl = join(top, curve([top[-1], (toon.middle_at(low), low - 0.1), top[0]], 6)[1:-1])
    pen.fill(cowl, colour)
    pen.line(cowl, 0.06, closed=True)
    for side in (-1, 1):
        cheek = toon.middle_at(low) + side * toon.half_width_at(low)
        flap = [(cheek, low - 0.05), (cheek * 0.62, low + 0.02), (cheek * 0.86, low + 0.42)]
        pen.fill(flap, colour, clip=toon.outline)


@mask("bandit")
def _bandit(pen: Pen, toon: Toon, eyes: EyePair, colour: Colour) -> None:
    top = eyes.y + max(eyes.ry, 0.12) + 0.12
    cloth = rectangle(-2, top, 2, toon.bottom + 0.2)
    pen.fill(cloth, colour, clip=toon.outline)
    pen.line([(-2, top), (2, top)], 0.05, clip=toon.outline)
    for x in (-0.35, 0.05, 0.4):
        fold = curve([(x, top + 0.12), (x * 0.8, top + 0.3), (x * 0.4, top + 0.5)], 4)
        pen.line(fold, 0.03, darken(colour, 0.3), clip=toon.outline)


@mask("paint")
def _paint(pen: Pen, toon: Toon, eyes: EyePair, colour: Colour) -> None:
    for side in (-1, 1):
        x = eyes.x + side * toon.half_width * 0.55
        for i in range(2):
            y = eyes.y + 0.28 + 0.14 * i
            stripe = rectangle(x - 0.16, y, x + 0.16, y + 0.07)
            pen.fill(stripe, colour, clip=toon.outline, claim=False)


@mask("patch")
def _patch(pen: Pen, toon: Toon, eyes: EyePair, colour: Colour) -> None:
    half = toon.half_width_at(eyes.y)
    x = toon.middle_at(eyes.y) - half * 0.1
    patch = oval(x - toon.side * half * 0.5, eyes.y + 0.05, half * 0.5, 0.5)
    pen.fill(patch, lighten(colour, 0.1), clip=toon.outline, claim=False)


@mask("helmet")
def _helmet(pen: Pen, toon: Toon, eyes: EyePair, colour: Colour) -> None:
    """Draw a closed helmet that leaves an opening from the eyes to the mouth."""
    half = toon.half_width_at(eyes.y) * 0.74
    x, top = toon.middle_at(eyes.y), eyes.y - max(eyes.ry, 0.14) - 0.16
    opening = rectangle(x - half, top, x + half, toon.bottom - 0.1, 0.22)
    shell = toon.outline * 1.04
    pen.fill(ring(shell, opening), colour)
    pen.line(shell, 0.06, closed=True)
    pen.line(opening, 0.05, closed=True)
