"""Hats and what else sits on a head; ``@hat("name")`` adds one."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from facetl.cartoons.colours import WHITE, Colour, darken, lighten
from facetl.cartoons.features import Features
from facetl.cartoons.paths import Path, arc, cloud, curve, join, loop, mirror, oval, rectangle, ring
from facetl.cartoons.pen import Pen
from facetl.cartoons.toon import Toon, ToonDrawer

hat: Features[ToonDrawer] = Features()

SQUASHING = frozenset({"cap", "beret", "beanie", "bowler", "helmet", "chef"})
"""Hats that leave no room for hair that stands up."""

_CREAM = "#fffdf6"


@dataclass(frozen=True)
class _Fit:
    """Where a hat sits: its edge from left to right, and the line over the head above it."""

    colour: Colour
    left: float
    right: float
    edge: float
    dome: Path


def _fit(toon: Toon) -> _Fit:
    edge = toon.top + 0.36
    dome = toon.crown(edge, 1.16, 0.2)
    return _Fit(toon.outfit.hat, float(dome[0, 0]), float(dome[-1, 0]), edge, dome)


def _closed_below(dome: Path, y: float) -> Path:
    """Return the dome closed by a curve that sags to the height ``y``."""
    return join(dome, curve([dome[-1], (0, y), dome[0]], 5))


@hat("cap")
def _cap(pen: Pen, toon: Toon, rng: Random) -> None:
    fit, front = _fit(toon), toon.side * toon.half_width
    pen.shape(_closed_below(fit.dome, fit.edge + 0.06), fit.colour, 0.06)
    peak = [(toon.side * -0.1, -0.02), (front * 0.9, -0.12), (front * 1.75, 0.06)]
    peak += [(front * 1.1, 0.14), (toon.side * 0.1, 0.12)]
    pen.shape(loop([(x, fit.edge + y) for x, y in peak]), darken(fit.colour, 0.2), 0.06)
    pen.fill(oval(0, float(fit.dome[:, 1].min()), 0.07, 0.05), darken(fit.colour, 0.3))


@hat("beret")
def _beret(pen: Pen, toon: Toon, rng: Random) -> None:
    fit, front, top = _fit(toon), toon.side * toon.half_width, toon.top
    low = [(fit.right, fit.edge), (0, fit.edge + 0.06), (fit.left, fit.edge)]
    puff = [(fit.left * 1.3, top), (-0.4 * front, top - 0.42), (0.7 * front, top - 0.3)]
    puff = puff if front > 0 else [puff[0], puff[2], puff[1]]
    pen.shape(loop([*low, *puff, (fit.right * 1.2, top + 0.05)]), fit.colour, 0.06)
    pen.line([(0, top - 0.4), (0.05, top - 0.56)], 0.08)


@hat("beanie")
def _beanie(pen: Pen, toon: Toon, rng: Random) -> None:
    fit = _fit(toon)
    dome = toon.crown(fit.edge, 1.16, 0.32)
    pen.shape(_closed_below(dome, fit.edge + 0.04), fit.colour, 0.06)
    cuff = rectangle(fit.left * 1.04, fit.edge - 0.14, fit.right * 1.04, fit.edge + 0.1, 0.1)
    pen.shape(cuff, lighten(fit.colour, 0.35), 0.055)
    pen.shape(oval(0, float(dome[:, 1].min()) - 0.08, 0.17), lighten(fit.colour, 0.5), 0.05)


@hat("band")
def _band(pen: Pen, toon: Toon, rng: Random) -> None:
    low = toon.top + 0.3
    hoop = join(toon.crown(low, 1.12, 0.1), toon.crown(low, 0.99, -0.02)[::-1])
    pen.shape(hoop, toon.outfit.hat, 0.05)


@hat("bow")
def _bow(pen: Pen, toon: Toon, rng: Random) -> None:
    side, colour = toon.side, toon.outfit.hat
    knot = pen.at(-side * toon.half_width * 0.45, toon.top + 0.06, turn=12 * side)
    for wing in (-1, 1):
        knot.shape(loop([(0, 0), (wing * 0.42, -0.3), (wing * 0.46, 0.24)], 6), colour, 0.05)
    knot.shape(oval(0, 0, 0.12), darken(colour, 0.15), 0.05)


@hat("party")
def _party(pen: Pen, toon: Toon, rng: Random) -> None:
    half, top, colour = toon.half_width, toon.top, toon.outfit.hat
    tip = toon.side * 0.12
    pen.shape(
        [(-half * 0.42, top + 0.14), (half * 0.42, top + 0.1), (tip, top - 0.85)], colour, 0.06
    )
    for x, y in [(0, -0.1), (0.14, 0.02), (0.06, -0.4), (-0.15, 0)]:
        pen.fill(oval(x, top + y, 0.07), lighten(colour, 0.6))
    pen.shape(oval(tip, top - 0.88, 0.13), "#f4efe0", 0.045)


@hat("bowler")
def _bowler(pen: Pen, toon: Toon, rng: Random) -> None:
    fit = _fit(toon)
    pen.shape(fit.dome, fit.colour, 0.06)
    ribbon = rectangle(fit.left * 0.98, fit.edge - 0.24, fit.right * 0.98, fit.edge - 0.06)
    pen.fill(ribbon, darken(fit.colour, 0.35), clip=fit.dome)
    pen.shape(oval(0, fit.edge, toon.half_width * 1.45, 0.14), fit.colour, 0.06)


@hat("helmet")
def _helmet(pen: Pen, toon: Toon, rng: Random) -> None:
    fit = _fit(toon)
    low = fit.edge + 0.2
    visor = curve([(fit.right * 1.06, low), (0, low - 0.1), (fit.left * 1.06, low)], 5)
    pen.shape(join(toon.crown(fit.edge + 0.15, 1.2, 0.22), visor), fit.colour, 0.065)
    for x in (-0.35, 0, 0.35):
        pen.fill(oval(x, toon.top - 0.06, 0.09, 0.17), darken(fit.colour, 0.4))


@hat("phones")
def _headphones(pen: Pen, toon: Toon, rng: Random) -> None:
    half, colour = toon.half_width, toon.outfit.hat
    bow = arc(0, 0, half * 1.16, 0.1 - toon.top, 190, 350)
    pen.line(bow, 0.14)
    pen.line(bow, 0.07, colour)
    for side in (-1, 1):
        x = side * half * 1.1
        pen.shape(rectangle(x - 0.16, -0.26, x + 0.16, 0.3, 0.12), colour, 0.06)


@hat("chef")
def _toque(pen: Pen, toon: Toon, rng: Random) -> None:
    fit, top = _fit(toon), toon.top
    pen.shape(cloud(0, top - 0.42, toon.half_width * 1.05, 0.45, 9), _CREAM, 0.06)
    band = rectangle(fit.left * 0.92, top - 0.2, fit.right * 0.92, fit.edge - 0.02, 0.04)
    pen.shape(band, _CREAM, 0.06)


# ---- rare ones, for the styles that name them


@hat.rare("hood")
def _hood(pen: Pen, toon: Toon, rng: Random) -> None:
    colour, half = toon.outfit.hat, toon.half_width
    outer = toon.outline * (1.28, 1.2) + (0, -0.08)
    x = toon.middle_at(-0.1) + toon.yaw * 0.08
    inner = loop(
        mirror(
            [
                (0, toon.top + 0.26),
                (half * 0.72, -0.35),
                (half * 0.82, 0.3),
                (half * 0.5, toon.bottom - 0.12),
                (0, toon.bottom - 0.02),
            ]
        )
        + (x, 0)
    )
    pen.fill(ring(outer, inner), colour)
    pen.line(outer, 0.06, closed=True)
    pen.line(inner, 0.06, closed=True)


@hat.rare("antennae")
def _antennae(pen: Pen, toon: Toon, rng: Random) -> None:
    for side in (-1, 1):
        x = side * toon.half_width * 0.4
        stalk = curve(
            [(x, toon.top + 0.1), (x * 1.2, toon.top - 0.3), (x * 1.9, toon.top - 0.55)], 6
        )
        pen.tube(stalk, 0.06, toon.who.skin, 0.04)
        pen.shape(oval(x * 1.9, toon.top - 0.58, 0.12), lighten(toon.who.skin, 0.3), 0.045)


@hat.rare("bubble")
def _bubble(pen: Pen, toon: Toon, rng: Random) -> None:
    radius = max(toon.half_width * 1.5, 1.5)
    pen.fill(oval(0, -0.1, radius), "#cfe8f7", alpha=0.18)
    pen.line(oval(0, -0.1, radius), 0.06, "#e8f4fa", closed=True)
    pen.line(arc(0, -0.1, radius * 0.86, radius * 0.86, 200, 250), 0.1, WHITE, taper=True)


@hat.rare("fedora")
def _fedora(pen: Pen, toon: Toon, rng: Random) -> None:
    fit, half = _fit(toon), toon.half_width
    top = toon.top - 0.34
    crown = [
        (fit.left * 0.95, fit.edge),
        (fit.left * 0.72, top),
        (0, top + 0.14),
        (fit.right * 0.72, top),
    ]
    pen.shape([*crown, (fit.right * 0.95, fit.edge)], fit.colour, 0.06)
    ribbon = rectangle(fit.left * 0.95, fit.edge - 0.2, fit.right * 0.95, fit.edge)
    pen.fill(ribbon, darken(fit.colour, 0.45))
    brim = [(-half * 1.6, fit.edge + 0.04), (0, fit.edge - 0.08), (half * 1.6, fit.edge + 0.04)]
    pen.shape(loop([*brim, (0, fit.edge + 0.16)], 7), fit.colour, 0.06)


@hat.rare("top hat")
def _top_hat(pen: Pen, toon: Toon, rng: Random) -> None:
    fit, half = _fit(toon), toon.half_width
    tall = rectangle(-half * 0.72, toon.top - 0.75, half * 0.72, fit.edge, 0.05)
    pen.shape(tall, fit.colour, 0.06)
    ribbon = rectangle(-half * 0.7, fit.edge - 0.28, half * 0.7, fit.edge - 0.06)
    pen.fill(ribbon, lighten(fit.colour, 0.4))
    pen.shape(oval(0, fit.edge, half * 1.25, 0.11), fit.colour, 0.06)


@hat.rare("crown")
def _crown(pen: Pen, toon: Toon, rng: Random) -> None:
    fit, top = _fit(toon), toon.top - 0.28
    left, right = fit.left * 0.85, fit.right * 0.85
    teeth = [(left + (right - left) * i / 6, top + (0.26 if i % 2 else 0)) for i in range(7)]
    pen.shape([(left, fit.edge - 0.06), *teeth, (right, fit.edge - 0.06)], "#f3c62f", 0.055)


@hat.rare("animal ears")
def _animal_ears(pen: Pen, toon: Toon, rng: Random) -> None:
    for side in (-1, 1):
        x, y = side * toon.half_width * 0.62, toon.top + 0.16
        ear = [(x - 0.26, y + 0.1), (x + side * 0.1, y - 0.62), (x + 0.26, y + 0.1)]
        pen.shape(ear, toon.outfit.hat, 0.055)
        inner = [(x - 0.13, y), (x + side * 0.06, y - 0.38), (x + 0.13, y)]
        pen.fill(inner, lighten(toon.outfit.hat, 0.5))
