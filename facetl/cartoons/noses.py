"""Noses; ``@nose("name")`` adds one, drawn for a face that looks to the right."""

from __future__ import annotations

from collections.abc import Callable

from facetl.cartoons.colours import INK, Colour, darken, lighten, mix
from facetl.cartoons.features import Features
from facetl.cartoons.paths import arc, curve, loop, oval
from facetl.cartoons.pen import Pen
from facetl.cartoons.toon import Toon

nose: Features[Callable[[Pen, Colour], None]] = Features()
"""Drawing functions that are given the pen and the skin; the origin is the root of the nose."""


def draw_nose(pen: Pen, toon: Toon, x: float, y: float) -> None:
    """Draw the character's nose at (x, y)."""
    tip = pen.at(x, y, toon.outfit.nose_size * toon.anatomy.nose_size, flip=toon.side < 0)
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


# ---- rare ones, for the styles that name them


@nose.rare("tick")
def _tick(pen: Pen, skin: Colour) -> None:
    pen.line([(0, -0.04), (0.09, 0.08), (0.01, 0.1)], 0.04)


@nose.rare("speck")
def _speck(pen: Pen, skin: Colour) -> None:
    pen.fill(oval(0.02, 0.06, 0.03, 0.022), INK, claim=False)


@nose.rare("facet")
def _facet(pen: Pen, skin: Colour) -> None:
    facet = [(0.01, -0.1), (0.13, 0.1), (-0.02, 0.12)]
    pen.fill(facet, darken(skin, 0.25), claim=False)


@nose.rare("bump")
def _bump(pen: Pen, skin: Colour) -> None:
    bump = loop([(-0.12, -0.12), (0.26, -0.13), (0.42, 0.02), (0.26, 0.15), (-0.12, 0.13)], 6)
    pen.fill(bump, skin)
    pen.line(
        curve([(-0.08, -0.13), (0.26, -0.13), (0.42, 0.02), (0.26, 0.15), (-0.04, 0.14)]), 0.055
    )


@nose.rare("bulb")
def _bulb(pen: Pen, skin: Colour) -> None:
    pen.shape(oval(0.05, 0.05, 0.26, 0.22), _ruddy(skin), 0.05)
    pen.fill(oval(-0.02, -0.03, 0.07, 0.05), lighten(skin, 0.6), claim=False)


@nose.rare("black bulb")
def _black_bulb(pen: Pen, skin: Colour) -> None:
    pen.fill(oval(0.05, 0.02, 0.15, 0.11), INK)
    pen.fill(oval(0.0, -0.02, 0.04, 0.03), "#f4f4f4", claim=False)


@nose.rare("potato")
def _potato(pen: Pen, skin: Colour) -> None:
    flesh = loop([(-0.1, -0.2), (0.1, -0.16), (0.3, 0.08), (0.14, 0.24), (-0.16, 0.22)], 6)
    pen.fill(flesh, mix(skin, "#d9543f", 0.1))
    pen.line(curve([(0.06, -0.2), (0.3, 0.06), (0.14, 0.24), (-0.16, 0.22), (-0.2, 0.1)], 6), 0.055)


@nose.rare("carrot")
def _carrot(pen: Pen, skin: Colour) -> None:
    pen.shape([(-0.04, -0.1), (0.62, 0.04), (-0.06, 0.14)], _ruddy(skin), 0.04)


@nose.rare("ruler")
def _ruler(pen: Pen, skin: Colour) -> None:
    pen.line([(-0.02, -0.3), (0.2, 0.16), (-0.06, 0.16)], 0.05)


@nose.rare("soft")
def _soft(pen: Pen, skin: Colour) -> None:
    pen.fill(oval(0.03, 0.06, 0.14, 0.11), mix(skin, "#c2452f", 0.16), claim=False)
    pen.fill(oval(0.02, 0.02, 0.09, 0.06), lighten(skin, 0.25), claim=False)
    for x in (-0.05, 0.11):
        pen.fill(oval(x, 0.11, 0.032, 0.02), darken(skin, 0.5), claim=False)


@nose.rare("slots")
def _slots(pen: Pen, skin: Colour) -> None:
    for x in (-0.05, 0.07):
        pen.fill(oval(x, 0.06, 0.022, 0.05), darken(skin, 0.6), claim=False)
