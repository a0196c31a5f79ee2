"""What is on a top: stripes, buttons, overalls, ties; ``@decoration("name")`` adds one."""

from __future__ import annotations

from collections.abc import Callable

from facetl.cartoons.colours import INK, WHITE
from facetl.cartoons.features import Features
from facetl.cartoons.paths import Path, join, loop, oval, rectangle, zigzag
from facetl.cartoons.pen import Pen
from facetl.cartoons.toon import Toon

decoration: Features[Callable[[Pen, Toon, Path], None]] = Features()
"""Drawing functions that are given the pen, the toon and the outline of its torso."""


def dress(pen: Pen, toon: Toon, torso: Path) -> None:
    """Draw everything that is worn on the torso."""
    decoration[toon.outfit.decoration](pen, toon, torso)
    if toon.who.tie:
        _draw_tie(pen, toon)
    if toon.who.tie or toon.outfit.decoration in ("collar", "coat"):
        _draw_collar(pen, toon)


@decoration("none")
@decoration("collar")
def _plain(pen: Pen, toon: Toon, torso: Path) -> None:
    pass


@decoration("stripes")
def _stripes(pen: Pen, toon: Toon, torso: Path) -> None:
    trunk = toon.trunk
    for i in range(1, 6):
        stripe = rectangle(trunk.x - 2, trunk.down(i / 6), trunk.x + 2, trunk.down((i + 0.45) / 6))
        pen.fill(stripe, toon.outfit.accent, clip=torso)
    pen.contour(torso, 0.06, toon.who.top)


@decoration("overalls")
def _overalls(pen: Pen, toon: Toon, torso: Path) -> None:
    trunk, colour = toon.trunk, toon.outfit.accent
    half = trunk.half * 0.55
    bib = rectangle(trunk.x - half, trunk.down(0.35), trunk.x + half, trunk.bottom + 0.1, 0.05)
    pen.fill(bib, colour, clip=torso)
    pen.line(bib, 0.045, closed=True, clip=torso)
    for side in (-1, 1):
        strap = trunk.x + side * trunk.half * 0.45
        pen.line([(strap, trunk.top + 0.02), (strap, trunk.down(0.4))], 0.12, colour)
    pen.contour(torso, 0.06, toon.who.top)


@decoration("buttons")
def _buttons(pen: Pen, toon: Toon, torso: Path) -> None:
    trunk = toon.trunk
    for i in range(3):
        button = oval(trunk.x + toon.yaw * 0.12, trunk.down(0.3 + 0.22 * i), 0.055)
        pen.fill(button, INK)


@decoration("coat")
def _coat(pen: Pen, toon: Toon, torso: Path) -> None:
    pen.line(_front_seam(toon, 0), 0.05)
    _buttons(pen.at(0.12), toon, torso)


@decoration("zip")
def _zip(pen: Pen, toon: Toon, torso: Path) -> None:
    pen.line(_front_seam(toon, 0.1), 0.05, taper=True)


@decoration("pocket")
def _pocket(pen: Pen, toon: Toon, torso: Path) -> None:
    trunk = toon.trunk
    left, right = trunk.x + trunk.half * 0.15, trunk.x + trunk.half * 0.5
    pocket = rectangle(left, trunk.down(0.3), right, trunk.down(0.52), 0.04)
    pen.line(pocket, 0.04, closed=True, swell=0)


@decoration("spot")
def _spot(pen: Pen, toon: Toon, torso: Path) -> None:
    trunk = toon.trunk
    middle = (trunk.x + toon.yaw * 0.1, trunk.down(0.42))
    pen.shape(oval(*middle, trunk.half * 0.36), toon.outfit.accent, 0.045)


@decoration.rare("hide")
def _hide(pen: Pen, toon: Toon, torso: Path) -> None:
    """Draw a spotted hide that hangs over one shoulder and has a jagged hem."""
    trunk = toon.trunk
    half = trunk.half * 1.15
    hem = zigzag((trunk.x + half, trunk.bottom), (trunk.x - half, trunk.bottom), 6, 0.3, (0, 1))
    pen.shape(join([(trunk.x - half * 0.7, trunk.top + 0.1)], torso[:1], hem), toon.who.top, 0.06)
    for x, y in ((-0.5, 0.35), (0.1, 0.5), (0.5, 0.75), (-0.35, 0.8), (0.0, 0.2)):
        spot = loop([(-0.12, -0.06), (0.05, -0.14), (0.14, 0.02), (0, 0.12)], 4)
        place = (trunk.x + x * trunk.half, trunk.down(y))
        pen.fill(spot + place, toon.outfit.accent, clip=torso)


@decoration.rare("emblem")
def _emblem(pen: Pen, toon: Toon, torso: Path) -> None:
    trunk, size = toon.trunk, toon.trunk.half * 0.5
    x, y = trunk.x + toon.yaw * 0.12, trunk.down(0.32)
    badge = [(x - size, y - size * 0.5), (x + size, y - size * 0.5), (x, y + size * 0.9)]
    pen.shape(badge, toon.outfit.accent, 0.045)
    belt = rectangle(trunk.x - 2, trunk.down(0.88), trunk.x + 2, trunk.down(1.0))
    pen.fill(belt, toon.outfit.accent, clip=torso)
    pen.contour(torso, 0.06, toon.who.top)


@decoration.rare("uniform")
def _uniform(pen: Pen, toon: Toon, torso: Path) -> None:
    trunk = toon.trunk
    collar = [(trunk.x - trunk.half * 0.6, trunk.top), (trunk.x, trunk.down(0.4))]
    collar += [(trunk.x + trunk.half * 0.6, trunk.top)]
    pen.fill(collar, toon.outfit.accent, clip=torso)
    pen.line(collar, 0.05, clip=torso)
    bow = [(trunk.x, trunk.down(0.4)), (trunk.x - 0.25, trunk.down(0.5))]
    pen.shape([*bow, (trunk.x + 0.25, trunk.down(0.5))], toon.outfit.hat, 0.04)


def _front_seam(toon: Toon, start: float) -> list[tuple[float, float]]:
    trunk = toon.trunk
    return [
        (trunk.x + toon.yaw * 0.12, trunk.top + start),
        (trunk.x + toon.yaw * 0.1, trunk.bottom),
    ]


def _draw_tie(pen: Pen, toon: Toon) -> None:
    trunk = toon.trunk
    knot, low, tip = trunk.top + 0.16, trunk.down(0.7), trunk.down(0.82)
    points = [(-0.1, trunk.top), (0.1, trunk.top), (0.06, knot), (0.16, low), (0, tip)]
    points += [(-0.14, low), (-0.05, knot)]
    pen.shape([(trunk.x + x, y) for x, y in points], toon.who.tie or INK, 0.05)


def _draw_collar(pen: Pen, toon: Toon) -> None:
    x, y = toon.trunk.x, toon.trunk.top
    for side in (-1, 1):
        flap = [(x, y), (x + side * 0.34, y - 0.06), (x + side * 0.3, y + 0.26)]
        pen.shape(flap, WHITE, 0.045)
