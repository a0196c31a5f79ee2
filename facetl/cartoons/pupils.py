"""What is within an open eye; ``@pupil("name")`` adds a kind."""

from __future__ import annotations

from collections.abc import Callable

from facetl.cartoons.colours import INK, WHITE, darken, lighten
from facetl.cartoons.paths import Path, arc, join, oval
from facetl.cartoons.pen import Pen
from facetl.cartoons.toon import Toon
from facetl.registry import Registry

PupilDrawer = Callable[[Pen, Toon, Path, float, float], None]
"""Draws within the outline of an eye of radii rx and ry around the origin."""

pupil: Registry[PupilDrawer] = Registry()


def _gaze(toon: Toon, rx: float, ry: float, reach: float = 0.55) -> tuple[float, float]:
    return toon.gaze[0] * rx * reach, toon.gaze[1] * ry * reach


@pupil("round")
def _round(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float) -> None:
    x, y = _gaze(toon, rx, ry)
    radius = ry * 0.42 * toon.mood.pupil
    if toon.outfit.iris:
        pen.fill(oval(x, y, radius * 1.25), toon.outfit.iris, clip=outline, claim=False)
        radius *= 0.75
    pen.fill(oval(x, y, radius * 0.9, radius * 1.1), INK, clip=outline, claim=False)
    glint = oval(x - radius * 0.3, y - radius * 0.4, radius * 0.3)
    pen.fill(glint, WHITE, clip=outline, claim=False)


@pupil("tiny")
def _tiny(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float) -> None:
    x, y = _gaze(toon, rx, ry, 0.8)
    pen.fill(oval(x, y, max(0.045, rx * 0.17)), INK, clip=outline, claim=False)


@pupil("huge")
def _huge(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float) -> None:
    x, y = _gaze(toon, rx, ry, 0.6)
    pen.fill(oval(x, y, ry * 0.55 * toon.mood.pupil**0.4), INK, clip=outline, claim=False)


@pupil("round wide")
def _wide(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float) -> None:
    x, y = _gaze(toon, rx, ry, 0.8)
    radius = ry * 0.95
    if toon.outfit.iris:
        pen.fill(oval(x, y, radius), toon.outfit.iris, clip=outline, claim=False)
    pen.fill(oval(x, y, radius * 0.6), INK, clip=outline, claim=False)


@pupil("shining")
def _shining(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float) -> None:
    x, y = _gaze(toon, rx, ry, 0.3)
    iris, size = toon.outfit.iris or "#6a4a3a", 0.75 + 0.25 * toon.mood.pupil
    wide, high = rx * 0.68 * size, ry * 0.88 * size
    whole = oval(x, y, wide, high)
    pen.fill(whole, darken(iris, 0.55), clip=outline, claim=False)
    pen.fill(oval(x, y + high * 0.3, wide * 0.8, high * 0.6), iris, clip=outline, claim=False)
    lower = oval(x, y + high * 0.55, wide * 0.55, high * 0.3)
    pen.fill(lower, lighten(iris, 0.5), clip=outline, claim=False)
    pen.fill(oval(x, y, wide * 0.42, high * 0.5), INK, clip=outline, claim=False)
    pen.fill(oval(x - wide * 0.4, y - high * 0.45, wide * 0.34), WHITE, clip=outline, claim=False)
    pen.fill(oval(x + wide * 0.4, y + high * 0.4, wide * 0.17), WHITE, clip=outline, claim=False)


@pupil("glass")
def _glass(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float) -> None:
    x, y = _gaze(toon, rx, ry, 0.5)
    iris, radius = toon.outfit.iris or "#6b4a2b", ry * 0.62
    pen.fill(oval(x, y, radius), darken(iris, 0.5), clip=outline, claim=False)
    pen.fill(oval(x, y + radius * 0.08, radius * 0.88), iris, clip=outline, claim=False)
    pen.fill(oval(x, y, radius * 0.5 * toon.mood.pupil**0.5), INK, clip=outline, claim=False)
    glint = oval(x - radius * 0.35, y - radius * 0.4, radius * 0.26)
    pen.fill(glint, WHITE, clip=outline, claim=False)


@pupil("pie")
def _pie(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float) -> None:
    x, y = _gaze(toon, rx, ry, 0.5)
    wide, high = rx * 0.6, ry * 0.62
    cut = 215 if toon.side > 0 else 285
    slice_left = arc(x, y, wide, high, cut + 40, cut + 360)
    pen.fill(join(slice_left, [(x, y)]), INK, clip=outline, claim=False)


@pupil("slit")
def _slit(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float) -> None:
    x, y = _gaze(toon, rx, ry, 0.5)
    pen.fill(outline, toon.outfit.iris or "#d9c531", claim=False)
    pen.fill(oval(x, y, rx * 0.18, ry * 0.9), INK, clip=outline, claim=False)


@pupil("black")
def _black(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float) -> None:
    pen.fill(outline, INK, claim=False)
    glint = oval(-rx * 0.25, -ry * 0.4, rx * 0.16, ry * 0.2)
    pen.fill(glint, "#d8dde6", clip=outline, claim=False)


@pupil("none")
def _none(pen: Pen, toon: Toon, outline: Path, rx: float, ry: float) -> None:
    pass
