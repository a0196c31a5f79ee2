"""Noses; ``@nose("name")`` adds one, drawn for a face that looks to the right."""

from __future__ import annotations

from collections.abc import Callable

from facetl.cartoons.colours import INK, Colour, mix
from facetl.cartoons.paths import arc, curve, loop, oval
from facetl.cartoons.pen import Pen
from facetl.cartoons.toon import Toon
from facetl.registry import Registry

nose: Registry[Callable[[Pen, Colour], None]] = Registry()
"""Drawing functions that are given the pen and the skin; the origin is the root of the nose."""


def draw_nose(pen: Pen, toon: Toon, x: float, y: float) -> None:
    """Draw the character's nose at (x, y)."""
    tip = pen.at(x, y, toon.outfit.nose_size, flip=toon.side < 0)
    nose[toon.who.nose](tip, toon.who.skin)


def _ruddy(skin: Colour) -> Colour:
    return mix(skin, "#d9543f", 0.22)


@nose("none")
def _none(pen: Pen, skin: Colour) -> None:
    pass


@nose("button")
def _button(pen: Pen, skin: Colour) -> None:
    pen.line(arc(0, 0.02, 0.09, 0.08, -60, 160), 0.055, taper=True)


@nose("ball")
def _ball(pen: Pen, skin: Colour) -> None:
    pen.shape(oval(0.05, 0.03, 0.17, 0.15), _ruddy(skin), 0.05)


@nose("hook")
def _hook(pen: Pen, skin: Colour) -> None:
    flesh = [(-0.06, -0.2), (0.12, -0.08), (0.4, 0.14), (0.2, 0.24), (-0.04, 0.18)]
    ridge = [(-0.06, -0.22), (0.14, -0.08), (0.4, 0.14), (0.22, 0.25), (0, 0.18)]
    pen.fill(loop(flesh, 6), skin)
    pen.line(curve(ridge, 6), 0.06)


@nose("long")
def _long(pen: Pen, skin: Colour) -> None:
    beak = [(-0.05, -0.12), (0.3, -0.06), (0.52, 0.06), (0.4, 0.2), (0.05, 0.16)]
    pen.shape(loop(beak, 6), _ruddy(skin), 0.055)


@nose("triangle")
def _triangle(pen: Pen, skin: Colour) -> None:
    pen.line([(0, -0.14), (0.2, 0.14), (-0.04, 0.16)], 0.055)


@nose("big triangle")
def _big_triangle(pen: Pen, skin: Colour) -> None:
    pen.shape([(-0.08, -0.2), (0.42, 0.16), (-0.12, 0.22)], skin, 0.055)


@nose("nostrils")
def _nostrils(pen: Pen, skin: Colour) -> None:
    for x in (-0.05, 0.08):
        pen.fill(oval(x, 0.05, 0.03), INK, claim=False)
