"""Below the head: legs, torso and neck."""

from __future__ import annotations

from random import Random

from facetl.cartoons.arms import draw_arm, gesticulate
from facetl.cartoons.clothes import dress
from facetl.cartoons.colours import darken
from facetl.cartoons.outfit import TORSOS
from facetl.cartoons.paths import Path, curve, join, loop, zigzag
from facetl.cartoons.pen import Pen
from facetl.cartoons.toon import Toon, ToonDrawer


def draw_body(pen: Pen, toon: Toon, rng: Random) -> ToonDrawer:
    """Draw all of the body but the near arm; return what draws that one over the head."""
    _draw_legs(pen, toon, rng)
    far, near = (gesticulate(toon, side, rng) for side in (-toon.side, toon.side))
    draw_arm(pen, toon, far, rng)
    _draw_neck(pen, toon)
    torso = _torso(toon)
    (_draw_skirt if toon.who.skirt else _draw_hips)(pen, toon, rng)
    pen.shape(torso, toon.who.top, 0.06)
    dress(pen, toon, torso)
    return lambda pen, toon, rng: draw_arm(pen, toon, near, rng)


def _draw_legs(pen: Pen, toon: Toon, rng: Random) -> None:
    trunk, outfit = toon.trunk, toon.outfit
    ground = trunk.bottom + outfit.leg_length
    stride = rng.uniform(-0.25, 0.35)
    for side in (-1, 1):
        hip = trunk.x + side * trunk.half * 0.45
        foot = trunk.x + side * trunk.half * 0.5 + (stride if side > 0 else 0)
        knee = ((hip + foot) / 2 + side * 0.06, trunk.bottom + outfit.leg_length * 0.5)
        leg = curve([(hip, trunk.bottom - 0.15), knee, (foot, ground)], 6)
        colour = toon.who.skin if toon.who.skirt else outfit.trousers
        pen.tube(leg, 0.2 if toon.who.kid else 0.26, colour)
        pen.shape(_shoe(foot, ground, toon.side), outfit.shoe, 0.055)


def _shoe(x: float, ground: float, side: int) -> Path:
    heel, instep, toe, sole = -0.18, 0.1 + 0.12 * side, 0.2 + 0.18 * side, -0.2 + 0.1 * side
    offsets = [(heel, -0.05), (instep, -0.08), (toe, 0.12), (sole, 0.13)]
    return loop([(x + dx, ground + dy) for dx, dy in offsets])


def _draw_neck(pen: Pen, toon: Toon) -> None:
    trunk = toon.trunk
    neck = [(trunk.x * 0.3, toon.bottom - 0.25), (trunk.x, trunk.top + 0.12)]
    pen.tube(neck, 0.22 if toon.who.kid else 0.3, darken(toon.who.skin, 0.08), 0.055)


def _torso(toon: Toon) -> Path:
    trunk = toon.trunk
    shoulder, waist, hip = (share * trunk.half for share in TORSOS[toon.outfit.torso])
    right = [
        (shoulder * 0.75, trunk.top + 0.05),
        (shoulder, trunk.top + 0.3),
        (waist, trunk.down(0.55)),
        (hip, trunk.bottom),
    ]
    left = [(-x, y) for x, y in reversed(right)]
    around = [(0, trunk.top - 0.02), *right, (0, trunk.bottom + 0.06), *left]
    return loop([(trunk.x + x, y) for x, y in around], 7)


def _draw_skirt(pen: Pen, toon: Toon, rng: Random) -> None:
    trunk = toon.trunk
    waist = TORSOS[toon.outfit.torso][1] * trunk.half
    hem = trunk.half * rng.uniform(1.25, 1.6)
    band = [(trunk.x - waist, trunk.bottom - 0.35), (trunk.x + waist, trunk.bottom - 0.35)]
    right, left = (trunk.x + hem, trunk.bottom + 0.35), (trunk.x - hem, trunk.bottom + 0.35)
    pen.shape(join(band, zigzag(right, left, 5, 0.06, (0, 1))), toon.outfit.skirt, 0.055)


def _draw_hips(pen: Pen, toon: Toon, rng: Random) -> None:
    trunk = toon.trunk
    hip = TORSOS[toon.outfit.torso][2] * trunk.half
    seat = [
        (-hip, trunk.bottom - 0.3),
        (hip, trunk.bottom - 0.3),
        (hip * 0.95, trunk.bottom + 0.12),
        (0, trunk.bottom + 0.05),
        (-hip * 0.95, trunk.bottom + 0.12),
    ]
    pen.at(trunk.x).fill(seat, toon.outfit.trousers)
