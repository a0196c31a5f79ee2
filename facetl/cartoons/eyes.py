"""Eyes, spectacles and brows; a new kind of eyes is a row in ``EYE_STYLES``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

import numpy as np

from facetl.cartoons.colours import INK, WHITE, Colour, darken, mix
from facetl.cartoons.features import Features
from facetl.cartoons.paths import Path, arc, as_path, curve, loop, oval, rectangle
from facetl.cartoons.pen import Pen
from facetl.cartoons.pupils import pupil
from facetl.cartoons.toon import Toon

_PALE_HAIR = ("#f7ebbd", "#ece7df")
_BROW_OF_PALE_HAIR = "#8a7f75"

EyeOutline = Callable[[float, float, int], Path]
"""Returns the closed path of an eye around the origin from rx, ry and its side."""


def _round(rx: float, ry: float, side: int) -> Path:
    return oval(0, 0, rx, ry)


def _square(rx: float, ry: float, side: int) -> Path:
    return rectangle(-rx, -ry, rx, ry, 0.08)


def _cat(rx: float, ry: float, side: int) -> Path:
    left, right = (1.4, 0.9) if side < 0 else (0.9, 1.4)
    upper = [(-1, -left), (1, -right)]
    return loop(as_path([*upper, (0.85, 0.75), (0, 1), (-0.85, 0.75)]) * (rx, ry), 6)


def _drooping(rx: float, ry: float, side: int) -> Path:
    points = [(-1, -0.8), (1, -0.8), (0.8, 0.7), (0, 1), (-0.8, 0.7)]
    return loop(as_path(points) * (rx, ry), 6)


def _almond(rx: float, ry: float, side: int) -> Path:
    return loop(as_path([(-1, 0.1), (0, -1), (1, -0.1), (0, 0.9)]) * (rx, ry), 6)


def _slanted(rx: float, ry: float, side: int) -> Path:
    points = [(-0.9 * side, 0.45), (0.1 * side, -0.85), (1.1 * side, -0.75), (0.4 * side, 0.75)]
    return loop(as_path(points) * (rx, ry), 6)


def _flat_topped(rx: float, ry: float, side: int) -> Path:
    points = [(-1, -0.55), (0, -0.75), (1, -0.55), (0.85, 0.55), (0, 1), (-0.85, 0.55)]
    return loop(as_path(points) * (rx, ry), 6)


def _leaning(rx: float, ry: float, side: int) -> Path:
    upright = oval(0, 0, rx, ry)
    return upright + upright[:, 1:] * (0.3 * side, 0)


@dataclass(frozen=True)
class EyeStyle:
    """A kind of eyes; ``gap`` is the distance of each from the middle, in its own radii.

    ``spectacles`` have a frame and earpieces, ``opaque`` ones hide the eye; ``dot`` is the
    radius of eyes that are nothing but a dot, ``dot_gap`` their distance from the middle and
    ``dot_height`` their height divided by their width; ``pupil`` is a name in ``pupil``;
    ``rim`` says which part of the eye is inked.
    """

    rx: float = 0.1
    ry: float = 0.12
    gap: float = 3.0
    outline: EyeOutline = _round
    spectacles: bool = False
    opaque: bool = False
    strap: bool = False
    lashes: bool = False
    bags: bool = False
    dot: float | None = None
    weight: int = 1
    dot_gap: float = 0.12
    dot_height: float = 1.35
    pupil: str = "round"
    rim: Literal["all", "upper", "none"] = "all"
    brows: bool = True


EYE_STYLES: Features[EyeStyle] = Features(
    {
        "big": EyeStyle(0.34, 0.4, 0.96, weight=2),
        "ovals": EyeStyle(0.25, 0.32, 1.12, weight=2),
        "lash": EyeStyle(0.25, 0.33, 1.15, lashes=True),
        "dots": EyeStyle(dot=0.1),
        "beady": EyeStyle(dot=0.065, bags=True),
        "glasses": EyeStyle(0.33, 0.33, 1.12, spectacles=True, weight=2),
        "square": EyeStyle(0.33, 0.27, 1.12, _square, spectacles=True),
        "cat": EyeStyle(0.33, 0.26, 1.1, _cat, spectacles=True),
        "goggles": EyeStyle(0.38, 0.38, 1.02, spectacles=True, strap=True),
        "shades": EyeStyle(0.36, 0.27, 1.08, _drooping, spectacles=True, opaque=True),
    }
)
EYE_STYLES.add_rare(
    {
        "bulge": EyeStyle(0.36, 0.37, 0.97, pupil="tiny"),
        "saucers": EyeStyle(0.3, 0.31, 1.35, pupil="tiny"),
        "googly": EyeStyle(0.33, 0.34, 1.0, pupil="huge"),
        "leaning": EyeStyle(0.3, 0.37, 1.02, _leaning, pupil="tiny", rim="none", brows=False),
        "leaning inked": EyeStyle(0.3, 0.37, 1.02, _leaning, pupil="tiny"),
        "pinpricks": EyeStyle(dot=0.055, dot_gap=0.16, dot_height=1.1, brows=False),
        "wide dots": EyeStyle(dot=0.09, dot_gap=0.25, dot_height=1.2),
        "tall dots": EyeStyle(dot=0.095, dot_gap=0.2, dot_height=2.3, brows=False),
        "anime": EyeStyle(0.27, 0.36, 1.5, _flat_topped, pupil="shining", rim="upper"),
        "anime huge": EyeStyle(0.33, 0.42, 1.3, pupil="shining", rim="upper", lashes=True),
        "anime sharp": EyeStyle(0.3, 0.2, 1.4, _flat_topped, pupil="shining", rim="upper"),
        "pie": EyeStyle(0.24, 0.42, 1.05, pupil="pie"),
        "pie small": EyeStyle(0.18, 0.3, 1.25, pupil="pie", brows=False),
        "film": EyeStyle(0.3, 0.33, 1.2, pupil="glass"),
        "film lash": EyeStyle(0.31, 0.33, 1.2, pupil="glass", lashes=True),
        "almond": EyeStyle(0.26, 0.14, 1.3, _almond, pupil="round wide"),
        "slanted": EyeStyle(0.3, 0.2, 1.25, _slanted, pupil="round wide"),
        "alien": EyeStyle(0.34, 0.36, 1.2, _slanted, pupil="black", brows=False),
        "cat slit": EyeStyle(0.3, 0.27, 1.15, _almond, pupil="slit", brows=False),
        "blank": EyeStyle(0.26, 0.17, 1.25, _slanted, pupil="none", brows=False),
        "ghost": EyeStyle(0.2, 0.3, 1.4, pupil="black", brows=False),
    }
)


@dataclass(frozen=True)
class EyePair:
    """The eyes of one face: the middle between them, their height and size."""

    style: EyeStyle
    x: float
    y: float
    size: float
    yaw: float
    gap: float = 1.0

    @property
    def rx(self) -> float:
        """Half the width of an eye seen from the front."""
        return self.style.rx * self.size

    @property
    def ry(self) -> float:
        """Half the height of an eye."""
        return self.style.ry * self.size

    @property
    def foreshortening(self) -> float:
        """How much narrower the far eye looks."""
        return 1 - 0.38 * abs(self.yaw)

    @property
    def spread(self) -> float:
        """The sum of both eyes' widths, in widths of an eye seen from the front."""
        return 1 + self.foreshortening

    def seen_from_side(self, side: int) -> EyePair:
        """Return the eyes such that the one of a side is where the middle between them was."""
        style = self.style
        apart = self.rx * style.gap / 2 if style.dot is None else style.dot_gap
        return replace(self, x=self.x - side * apart * self.gap * self.spread)

    def narrowing(self, side: int) -> float:
        """Return how much narrower the eye of a side looks."""
        return self.foreshortening if side * self.yaw > 0 else 1.0


def draw_eyes(pen: Pen, toon: Toon, eyes: EyePair, rng: Random) -> None:
    """Draw both eyes with brows, and the bridge and earpiece of spectacles."""
    eyes = eyes.seen_from_side(toon.side) if toon.profile else eyes
    for side in (toon.side,) if toon.profile else (-toon.side, toon.side):
        if eyes.style.dot is not None:
            _draw_dot_eye(pen, toon, eyes, side)
        else:
            _draw_full_eye(pen, toon, eyes, side, rng)
        if eyes.style.brows and (not eyes.style.strap or toon.mood.strong_brows):
            _draw_brow(pen, toon, eyes, side)
    if eyes.style.spectacles and toon.profile:
        pen.line([(0.2 * toon.side, eyes.y), (-0.1 * toon.side, eyes.y)], 0.1, toon.who.spectacles)
    elif eyes.style.spectacles:
        _draw_bridge(pen, toon, eyes)


# ---- one eye; its own pen has the origin in the middle of the eye


def _draw_dot_eye(pen: Pen, toon: Toon, eyes: EyePair, side: int) -> None:
    radius = (eyes.style.dot or 0) * eyes.size
    here = pen.at(eyes.x + side * eyes.style.dot_gap * eyes.gap * eyes.spread, eyes.y)
    if toon.mood.closed:
        sag = -radius if toon.mood.closed == "arc" else radius
        wide, low = radius * 1.5, radius * 0.3
        here.line(curve([(-wide, low), (0, sag), (wide, low)], 5), 0.06, taper=True)
    else:
        dot = oval(0, 0, radius * eyes.narrowing(side), radius * eyes.style.dot_height)
        here.fill(dot, INK, claim=False)
    if eyes.style.bags:
        here.line(arc(0, 0.02, radius * 2.6, radius * 2.6, 20, 160), 0.035)


def _draw_full_eye(pen: Pen, toon: Toon, eyes: EyePair, side: int, rng: Random) -> None:
    style, rx, ry = eyes.style, eyes.rx * eyes.narrowing(side), eyes.ry
    gap = style.gap * eyes.gap
    here = pen.at(eyes.x + side * eyes.rx * gap * eyes.spread / 2, eyes.y)
    outline = style.outline(rx, ry, side)
    if style.opaque:
        here.fill(outline, INK, claim=False)
        here.line([(-0.5 * rx, 0.1 * ry), (-0.1 * rx, -0.5 * ry)], 0.06, "#8fb3d9", clip=outline)
    else:
        here.fill(outline, _eye_ground(toon, style), claim=False)
        if toon.mood.closed:
            _draw_closed_eye(here, toon.mood.closed, rx, ry, side)
        else:
            _draw_open_eye(here, toon, outline, rx, ry, side)
    if style.spectacles:
        _draw_frame(here, toon, style, outline)
        if rng.random() < 0.5:
            here.line([(-0.55 * rx, -0.1 * ry), (-0.25 * rx, -0.6 * ry)], 0.05, WHITE, clip=outline)
    else:
        _draw_rim(here, toon, style, outline)
    if style.lashes:
        _draw_lashes(here, rx, ry, side)


def _draw_rim(pen: Pen, toon: Toon, style: EyeStyle, outline: Path) -> None:
    if style.rim == "all":
        pen.contour(outline, 0.055, toon.who.skin, swell=0.1)
    elif style.rim == "upper":
        upper = outline[outline[:, 1] < 0.1 * outline[:, 1].min()]
        pen.line(upper[np.argsort(upper[:, 0])], 0.13, taper=True)


def _eye_ground(toon: Toon, style: EyeStyle) -> Colour:
    if style.spectacles:
        return toon.outfit.lens
    return toon.who.skin if toon.mood.closed else toon.outfit.eye_white


def _draw_closed_eye(pen: Pen, kind: str, rx: float, ry: float, side: int) -> None:
    if kind == "arc":
        arch = [(-0.65 * rx, 0.15 * ry), (0, -0.4 * ry), (0.65 * rx, 0.15 * ry)]
        pen.line(curve(arch, 6), 0.08, taper=True)
    elif kind == "squeeze":
        outer, inner = side * rx * 0.55, -side * rx * 0.5
        pen.line([(outer, -0.45 * ry), (inner, 0), (outer, 0.4 * ry)], 0.075)
    else:
        pen.line(curve([(-0.75 * rx, 0), (0, 0.35 * ry), (0.75 * rx, 0)], 6), 0.075)


def _draw_open_eye(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float, side: int) -> None:
    pupil[EYE_STYLES[toon.who.eyes].pupil](pen, toon, outline, rx, ry)
    if toon.mood.lid:
        _draw_lid(pen, toon, outline, rx, ry, side)


def _draw_lid(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float, side: int) -> None:
    edge, slope = ry * (1.24 * toon.mood.lid - 1), -toon.mood.brow_tilt * ry * 0.8 * side
    left, right = (-1.1 * rx, edge - slope), (1.1 * rx, edge + slope)
    lid = [(-1.1 * rx, -1.2 * ry), (1.1 * rx, -1.2 * ry), right, left]
    pen.fill(lid, mix(toon.who.skin, "#7a3b1e", 0.12), clip=outline, claim=False)
    pen.line([right, left], 0.055, clip=outline)


def _draw_lashes(pen: Pen, rx: float, ry: float, side: int) -> None:
    for i in range(3):
        root = (side * (0.6 * rx + i * 0.05), -0.75 * ry + i * 0.1)
        tip = (side * (rx + i * 0.1), -1.15 * ry + i * 0.12)
        pen.line([root, tip], 0.05, taper=True)


# ---- spectacles and brows


def _draw_frame(pen: Pen, toon: Toon, style: EyeStyle, outline: Path) -> None:
    rim = 0.17 if style.strap else toon.outfit.rim
    pen.line(outline, rim, INK, closed=True, swell=0)
    if toon.who.spectacles != INK:
        inner = 0.105 if style.strap else 0.07
        pen.line(outline, inner, toon.who.spectacles, closed=True, swell=0)


def _draw_bridge(pen: Pen, toon: Toon, eyes: EyePair) -> None:
    x, y, colour = eyes.x, eyes.y, toon.who.spectacles
    pen.line(curve([(x - 0.06, y - 0.03), (x, y - 0.07), (x + 0.06, y - 0.03)], 4), 0.09, colour)
    back, strap = -toon.side, eyes.style.strap
    hinge = x + back * eyes.rx * (eyes.style.gap + 1) * eyes.spread / 2
    ear = toon.middle_at(y) + back * toon.half_width_at(y) * 0.98
    if (ear - hinge) * back > 0.05:
        earpiece = [(hinge, y - 0.02), (ear, y - 0.06)]
        pen.line(earpiece, 0.22 if strap else 0.1, INK if strap else colour)


def _draw_brow(pen: Pen, toon: Toon, eyes: EyePair, side: int) -> None:
    dot = eyes.style.dot is not None
    gap = 2 * eyes.style.dot_gap if dot else eyes.rx * eyes.style.gap
    x = eyes.x + side * eyes.spread / 2 * (gap * eyes.gap)
    reach = 0.2 if dot else max(0.16, eyes.rx * eyes.narrowing(side) * 0.85)
    y = eyes.y - (0.2 * eyes.size if dot else eyes.ry) - 0.12 - toon.mood.brow_lift * 0.5
    tilt = toon.mood.brow_tilt * 0.3 * side
    brow = curve([(x - reach, y + tilt), (x, y - 0.05), (x + reach, y - tilt)], 5)
    pen.line(brow, toon.outfit.brow, _brow_colour(toon), taper=True)


def _brow_colour(toon: Toon) -> Colour:
    hair = toon.who.hair_colour
    return _BROW_OF_PALE_HAIR if hair in _PALE_HAIR else darken(hair, 0.25)
