"""The look of a drawing: what lines and surfaces are like, whoever and whatever is drawn.

A pen is given a look once (``pen.looking(look)``); all that it draws is then of that look.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facetl.cartoons.colours import INK, PAPER, SHADOW, Colour, mix, rgb
from facetl.cartoons.paths import Path, as_path
from facetl.palette import LUMA

CONTOURS = ("ink", "own", "none")
SHADINGS = ("flat", "cel", "gradient", "soft")
PAINTS = ("full", "blank")

Tint = Callable[[Colour], Colour]
"""Turns one colour into another, always the same one."""

Shade = NDArray[np.uint8]
"""How much light falls on each pixel, from 0 to 255."""

_GRID = 40  # light is worked out on a grid of so many cells along the longer side
_PAD = 6
_LEAST_SHADED = 14.0  # canvas pixels; smaller spots of paint are flat
_FACING = 0.71  # the light on what faces the viewer; paint has its own colour there
_DARK, _PALE = 70.0, 200.0  # what is darker stays black on unpainted paper, what is paler white


@dataclass(frozen=True)
class Look:
    """How things are drawn; the defaults are those of the built-in cartoon.

    Attributes:
        line: thickness of lines, relative to what each part asks for.
        contour: lines around surfaces: "ink", "own" (a darker shade of the surface) or "none".
        ink: the colour of lines.
        wobble: how far points stray from their place, as in an unsteady hand, in pixels.
        slip: how far lines are printed off the paint (misregistration), in pixels: right, down.
        paint: "full", or "blank" for ink on paper.
        paper: the colour of that paper.
        shading: "flat", "cel" (two tones), "gradient" or "soft" (as if round).
        light: where the light comes from, in degrees: 0 right, -90 above.
        depth: how dark the shade is, 0 to 1.
        shine: how bright the lightest spots of shaded surfaces are, 0 to 1.
        tint: what becomes of every colour but that of the ink.
    """

    line: float = 1.0
    contour: str = "ink"
    ink: Colour = INK
    wobble: float = 0.0
    slip: tuple[float, float] = (0.0, 0.0)
    paint: str = "full"
    paper: Colour = PAPER
    shading: str = "flat"
    light: float = -120.0
    depth: float = 0.35
    shine: float = 0.0
    tint: Tint | None = None

    def __post_init__(self) -> None:
        _check("contour", self.contour, CONTOURS)
        _check("paint", self.paint, PAINTS)
        _check("shading", self.shading, SHADINGS)

    @property
    def towards_light(self) -> tuple[float, float]:
        """The direction of the light, of length 1."""
        return math.cos(math.radians(self.light)), math.sin(math.radians(self.light))

    def painted(self, colour: Colour) -> Colour:
        """Return the colour that a surface gets."""
        if self.paint == "full":
            return self.tinted(colour)
        return self.ink if _brightness(colour) < _DARK else self.paper

    def lined(self, colour: Colour) -> Colour:
        """Return the colour that a line of a colour of its own gets."""
        if self.paint == "full":
            return self.tinted(colour)
        return self.paper if _brightness(colour) > _PALE else self.ink

    def tinted(self, colour: Colour) -> Colour:
        """Return what the tint makes of a colour."""
        return self.tint(colour) if self.tint else colour

    def shades(self, outline: Path, is_feature: bool) -> bool:
        """Whether a surface with this outline in canvas pixels is shaded.

        Tiny ones are not, and in cels no features either, such as the whites of eyes.
        """
        unshaded = ("flat", "cel") if is_feature else ("flat",)
        if self.shading in unshaded or self.paint != "full":
            return False
        return bool(np.ptp(outline, axis=0).min() > _LEAST_SHADED)

    def ramp(self, colour: Colour) -> NDArray[np.uint8]:
        """Return the (256, 3) colours of a surface from the deepest shade to full light."""
        light = np.linspace(0, 1, 256)
        if self.shading == "cel":
            light = np.select([light < 0.5, light < 0.97], [0.0, _FACING], 1.0)
        dark = mix(colour, SHADOW, self.depth)
        bright = colour if self.shading == "cel" else _brighter(colour, self.depth)
        glossy = mix(bright, "#ffffff", self.shine)
        stops = np.array([rgb(each) for each in (dark, colour, bright, glossy)], float)
        channels = [np.interp(light, (0, _FACING, 0.96, 1), stops[:, i]) for i in range(3)]
        return np.column_stack(channels).astype(np.uint8)

    def shade(self, outline: Path) -> Shade:
        """Return the light within the bounds of an outline in canvas pixels, on a coarse grid."""
        low, high = outline.min(0), outline.max(0)
        cell = float((high - low).max()) / _GRID
        columns, rows = (max(3, int(side)) for side in np.ceil((high - low) / cell))
        x, y = np.linspace(-1, 1, columns)[None, :], np.linspace(-1, 1, rows)[:, None]
        to_x, to_y = self.towards_light
        if self.shading == "gradient":
            light = _FACING + 0.35 * (x * to_x + y * to_y)
        else:
            right, down = _slopes((outline - low) / cell, rows, columns)
            right, down = right + 0.45 * x, down + 0.45 * y
            lit = 0.71 + 0.71 * (right * to_x + down * to_y)
            light = lit / np.sqrt(1 + right**2 + down**2)
        return np.asarray(np.clip(light * 255, 0, 255), np.uint8)


def _check(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ValueError(f"no {what} {name!r}; there are {', '.join(known)}")


def _brightness(colour: Colour) -> float:
    return float(np.dot(rgb(colour), LUMA))


def _brighter(colour: Colour, share: float) -> Colour:
    red, green, blue = (
        min(255, round(each * (1 + share * 0.7) + 10 * share)) for each in rgb(colour)
    )
    return red, green, blue


def _slopes(
    outline: Path, rows: int, columns: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how a surface blown up like a cushion falls off to the right and downwards."""
    cushion = np.zeros((rows + 2 * _PAD, columns + 2 * _PAD), np.float32)
    cv2.fillPoly(cushion, [np.round(outline + _PAD).astype(np.int32)], 1.0)
    width = 0.16 * min(rows, columns) + 1
    cushion = np.asarray(cv2.GaussianBlur(cushion, (0, 0), width), np.float32)
    down, right = np.gradient(cushion[_PAD:-_PAD, _PAD:-_PAD] * (-width * 4.0))
    return np.asarray(right, float), np.asarray(down, float)


def unsteady(points: Path, stray: float, border: tuple[int, int]) -> Path:
    """Return a path as a hand draws it that strays by so many canvas pixels.

    Where it strays to depends on the place alone, so that lines keep to what they surround;
    on the border of the picture, (width, height), it does not.
    """
    points = _with_points_between(points, 24.0)
    room = np.minimum(points, np.array(border) - points).min(1)
    steady = np.clip(room / 20, 0, 1)[:, None]
    x, y = points[:, 0], points[:, 1]
    dx = np.sin(x * 0.031 + y * 0.047 + 1) + 0.6 * np.sin(x * 0.013 - y * 0.091 + 2)
    dy = np.sin(y * 0.037 - x * 0.041 + 3) + 0.6 * np.sin(y * 0.017 + x * 0.083 + 4)
    return as_path(points + np.column_stack([dx, dy]) * stray * steady)


def _with_points_between(points: Path, longest: float) -> Path:
    steps = np.hypot(*np.diff(points, axis=0).T)
    counts = np.clip(np.ceil(steps / longest), 1, 60).astype(int)
    if not (counts > 1).any():
        return points
    at = np.concatenate([i + np.arange(n) / n for i, n in enumerate(counts)] + [[len(counts)]])
    known = np.arange(len(points))
    return np.column_stack([np.interp(at, known, points[:, axis]) for axis in (0, 1)])


HOUSE_LOOK = Look()
"""Inked outlines, flat paint."""
