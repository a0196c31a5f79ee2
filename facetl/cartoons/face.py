"""The face: skin, shading, beard, and where eyes, nose and mouth go.

Paint of the face itself claims its pixels for the face.  Features that may stick out of the
outline (spectacles, a moustache, a tongue) do not, so that a box holds the face and no more.
"""

from __future__ import annotations

from random import Random

import numpy as np

from facetl.cartoons.colours import darken, mix
from facetl.cartoons.eyes import EYE_STYLES, EyePair, draw_eyes
from facetl.cartoons.masks import ENCLOSING, mask
from facetl.cartoons.mouths import LIPSTICK, MouthSpot, mouth
from facetl.cartoons.noses import draw_nose
from facetl.cartoons.paths import arc, curve, join, loop, oval
from facetl.cartoons.pen import Pen
from facetl.cartoons.toon import Toon


def draw_face(pen: Pen, toon: Toon, rng: Random) -> None:
    """Draw a whole face for the pen's owner."""
    pen.fill(toon.outline, toon.who.skin)
    if pen.look.shading == "flat":
        _draw_shade(pen, toon)
    pen.contour(toon.outline, 0.068 * toon.anatomy.outline, toon.who.skin)
    eyes = _place_eyes(toon, rng)
    _draw_skin_marks(pen, toon, eyes.x)
    mouth_x, mouth_y = _place_mouth(toon)
    if toon.who.jaw:
        _draw_jaw(pen, toon, mouth_x, mouth_y)
    if toon.who.mask and not (toon.profile and toon.who.mask in ENCLOSING):
        mask[toon.who.mask](pen, toon, eyes, toon.who.mask_colour)
    _draw_mouth(pen.at(mouth_x, mouth_y), toon, toon.bottom - mouth_y, rng)
    draw_eyes(pen, toon, eyes, rng)
    if not toon.profile:
        below_eyes = eyes.ry * 0.8 if eyes.style.dot is None else 0.18
        draw_nose(pen, toon, eyes.x + toon.yaw * 0.12, eyes.y + below_eyes - 0.02)
    if toon.who.moustache and not toon.profile:
        _draw_moustache(pen.at(mouth_x + toon.yaw * 0.03, mouth_y - 0.2), toon)
    if toon.mood.sweats and rng.random() < 0.4:
        _draw_sweat(pen, toon)


def _draw_shade(pen: Pen, toon: Toon) -> None:
    """Darken the side that is turned away."""
    back = -toon.side * toon.half_width
    edge = [(back * 1.2, -1.2), (back * 0.78, -0.3), (back * 0.62, 0.5), (back * 0.2, 1.3)]
    shade = loop([*edge, (back * 1.6, 1.2)])
    pen.fill(shade, darken(toon.who.skin, toon.anatomy.shade), clip=toon.outline, claim=False)


def _place_eyes(toon: Toon, rng: Random) -> EyePair:
    flat = toon.who.head == "squash"
    size = toon.outfit.eye_size * toon.anatomy.eye_size * (min(toon.half_width, 0.95) / 0.85) ** 0.7
    middle = toon.middle_at(-0.1) + toon.yaw * 0.4 * toon.half_width
    return EyePair(
        style=EYE_STYLES[toon.who.eyes],
        x=0.34 * toon.side if toon.profile else middle,
        y=rng.gauss(toon.anatomy.eye_height, 0.03) + (0.06 if flat else 0),
        size=size * (0.85 if flat else 1),
        yaw=toon.yaw,
        gap=toon.anatomy.eye_gap,
    )


def _place_mouth(toon: Toon) -> tuple[float, float]:
    if toon.profile:
        return 0.42 * toon.side, toon.anatomy.mouth_height
    x = toon.middle_at(0.45) + toon.yaw * 0.32 * toon.half_width_at(0.45)
    return x, 0.4 if toon.who.head == "squash" else min(
        toon.anatomy.mouth_height, toon.bottom - 0.36
    )


def _draw_mouth(pen: Pen, toon: Toon, room: float, rng: Random) -> None:
    half = min(0.42, toon.half_width_at(0.45) * 0.55) * rng.uniform(0.85, 1.2)
    half *= toon.anatomy.mouth_width * (0.55 if toon.profile else 1)
    lips = LIPSTICK if toon.who.lipstick else None
    mouth[rng.choice(toon.mood.mouths)](pen, MouthSpot(half, room, toon.side, lips), rng)


def _draw_skin_marks(pen: Pen, toon: Toon, middle: float) -> None:
    who, half = toon.who, toon.half_width
    if who.blush:
        for side in (-1, 1):
            cheek = oval(middle + side * 0.5 * half, 0.22, 0.16, 0.1)
            pen.fill(cheek, mix(who.skin, "#f0556e", 0.45), clip=toon.outline, claim=False)
    if who.stubble:
        jaw = oval(toon.middle_at(0.4) + toon.yaw * 0.2, 0.72, half * 0.95, 0.55)
        pen.fill(jaw, mix(who.skin, "#4a4450", 0.28), clip=toon.outline, claim=False)
    if who.wrinkles and not toon.profile:
        _draw_wrinkles(pen, toon, middle)
    if who.beard and not toon.profile:
        _draw_beard(pen, toon, middle)
    if who.freckles and not toon.profile:
        for side in (-1, 1):
            for dx, dy in ((0, 0), (0.11, 0.05), (-0.08, 0.08)):
                freckle = oval(middle + side * 0.48 * half + dx, 0.2 + dy, 0.03)
                pen.fill(freckle, darken(who.skin, 0.35), claim=False)


def _draw_wrinkles(pen: Pen, toon: Toon, middle: float) -> None:
    """Draw the lines from nose to mouth, under the eyes, and on the forehead."""
    half, colour = toon.half_width, darken(toon.who.skin, 0.4)
    for side in (-1, 1):
        x = middle + side * half * 0.36
        fold = [(x - side * 0.08, 0.2), (x + side * 0.06, 0.34), (x + side * 0.06, 0.5)]
        pen.line(curve(fold, 5), 0.045, colour, taper=True, clip=toon.outline)
        bag = arc(middle + side * half * 0.45, 0.08, half * 0.22, 0.1, 30, 150)
        pen.line(bag, 0.035, colour, taper=True, clip=toon.outline)
    brow = arc(middle, toon.top + 0.62, half * 0.4, 0.06, 200, 340)
    pen.line(brow, 0.035, colour, taper=True, clip=toon.outline)


def _draw_beard(pen: Pen, toon: Toon, middle: float) -> None:
    jaw = toon.outline[toon.outline[:, 1] > 0.12]
    jaw = jaw[np.argsort(np.arctan2(-jaw[:, 0], jaw[:, 1] + 0.2))]
    right, left = float(jaw[0, 0]) * 0.8, float(jaw[-1, 0]) * 0.8
    chin = [(middle - 0.3, 0.36), (middle, 0.3), (middle + 0.3, 0.36)]
    upper = curve([(left, 0.3), *chin, (right, 0.3)], 4)
    pen.shape(join(jaw * (1.06, 1.12), upper), toon.who.hair_colour, 0.055)


def _draw_jaw(pen: Pen, toon: Toon, x: float, y: float) -> None:
    """Paint the lower face in the colour of a shave, or of a muzzle that bulges out."""
    colour, half = toon.who.jaw or toon.who.skin, toon.half_width_at(0.45)
    if toon.who.muzzle:
        bulge = oval(x + toon.yaw * 0.08, y + 0.03, half * 0.82, 0.38)
        pen.shape(bulge, colour, 0.05)
        return
    cheek, dip = half * 0.85, y - 0.22
    upper = [(x - half * 1.6, 0.0), (x - cheek, y - 0.1), (x, dip), (x + cheek, y - 0.1)]
    zone = [*curve([*upper, (x + half * 1.6, 0.0)], 6), (2, 2), (-2, 2)]
    pen.fill(zone, colour, clip=toon.outline, claim=False)
    pen.line(toon.outline, 0.068 * toon.anatomy.outline, closed=True)


def _draw_moustache(pen: Pen, toon: Toon) -> None:
    upper = [(0.27, -0.02), (0.48, 0.1), (0.23, 0.13)]
    left = [(-x, y) for x, y in reversed(upper)]
    whiskers = loop([(0, -0.08), *upper, (0, 0.07), *left], 6)
    pen.shape(whiskers, toon.who.hair_colour, 0.05, claim=False)


def _draw_sweat(pen: Pen, toon: Toon) -> None:
    x = -toon.side * toon.half_width * 0.7
    drop = loop([(x, -0.62), (x + 0.1, -0.36), (x - 0.1, -0.36)], 6)
    pen.shape(drop, "#bfe4f7", 0.035, claim=False)
