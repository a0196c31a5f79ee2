"""Mouths; ``@mouth("name")`` adds one, and a mood in cast.py says who pulls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from facetl.cartoons.colours import WHITE, Colour
from facetl.cartoons.paths import Path, arc, as_path, curve, loop, oval, rectangle
from facetl.cartoons.pen import Pen
from facetl.registry import Registry

LIPSTICK = "#c9344c"
_THROAT = "#6b1f2b"
_TONGUE = "#e8697d"


@dataclass(frozen=True)
class MouthSpot:
    """Where a mouth goes: its pen has the origin in the middle of the mouth.

    ``half`` is half its width, ``room`` the distance to the chin, ``side`` where the face looks.
    """

    half: float
    room: float
    side: int
    lips: Colour | None

    @property
    def outline_width(self) -> float:
        """Painted lips are thicker than inked ones."""
        return 0.1 if self.lips else 0.06


mouth: Registry[Callable[[Pen, MouthSpot, Random], None]] = Registry()


def _draw_lips(pen: Pen, spot: MouthSpot, points: list[tuple[float, float]]) -> None:
    """Draw a closed mouth; x is in half widths."""
    path = curve(as_path(points) * (spot.half, 1), 7)
    if spot.lips:
        pen.line(path, 0.15, spot.lips, taper=True)
    pen.line(path, 0.065, taper=True)


@mouth("smile")
def _smile(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    _draw_lips(pen, spot, [(-1, -0.06), (-0.4, 0.1), (0.4, 0.1), (1, -0.06)])
    for side in (-1, 1):
        outer, inner = side * (spot.half + 0.03), side * (spot.half - 0.03)
        pen.line([(outer, -0.12), (inner, -0.01)], 0.045)


@mouth("flat")
def _flat(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    _draw_lips(pen, spot, [(-0.7, 0.02), (0, 0), (0.7, 0.02)])


@mouth("frown")
def _frown(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    _draw_lips(pen, spot, [(-0.8, 0.14), (-0.3, -0.02), (0.3, -0.02), (0.8, 0.14)])


@mouth("smirk")
def _smirk(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    _draw_lips(pen, spot, [(-0.6 * spot.side, 0.08), (0, 0.1), (0.9 * spot.side, -0.1)])


@mouth("wavy")
def _wavy(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    _draw_lips(pen, spot, [(-1, 0.02), (-0.5, -0.06), (0, 0.06), (0.5, -0.06), (1, 0.04)])


@mouth("laugh")
def _laugh(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    _draw_open(pen, spot, depth=_depth(spot, 0.42, rng))


@mouth("shout")
def _shout(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    _draw_open(pen, spot, depth=_depth(spot, 0.5, rng), arch=0.14)


@mouth("talk")
def _talk(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    _draw_open(pen, spot, depth=_depth(spot, 0.24, rng), teeth=rng.random() < 0.5)


@mouth("tongue")
def _tongue(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    depth = _depth(spot, 0.3, rng)
    _draw_open(pen, spot, depth=depth)
    tip = [(-0.12, depth * 0.7), (0.12, depth * 0.7), (0.13, depth + 0.12)]
    tip += [(0, depth + 0.2), (-0.13, depth + 0.12)]
    pen.shape(loop(tip, 6), _TONGUE, 0.045, claim=False)


def _depth(spot: MouthSpot, depth: float, rng: Random) -> float:
    return min(depth * rng.uniform(0.8, 1.1), spot.room - 0.1)


def _draw_open(
    pen: Pen, spot: MouthSpot, depth: float, arch: float = 0.02, teeth: bool = True
) -> None:
    half = spot.half
    corners = [(-half, -0.08), (0, -arch), (half, -0.08)]
    jaw = [(half * 0.7, depth * 0.6), (0, depth), (-half * 0.7, depth * 0.6)]
    opening = loop(corners + jaw, 7)
    tongue = oval(spot.side * 0.03, depth * 0.95, half * 0.6, depth * 0.5)
    pen.fill(opening, _THROAT, claim=False)
    pen.fill(tongue, _TONGUE, clip=opening, claim=False)
    if teeth:
        edge = depth * 0.16
        pen.fill(rectangle(-half, -0.3, half, edge), WHITE, clip=opening, claim=False)
        pen.line([(-half, edge), (half, edge)], 0.04, clip=opening)
    pen.contour(opening, spot.outline_width, _THROAT, spot.lips, swell=0.2)


@mouth("o")
def _o(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    opening = oval(0, 0.06, spot.half * 0.38, spot.half * 0.5)
    pen.shape(opening, _THROAT, 0.06, spot.lips, claim=False)


@mouth("grin")
def _grin(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    upper = [(-1.1, -0.14), (-0.4, -0.01), (0.4, -0.01), (1.1, -0.14)]
    lower = [(0.6, 0.2), (0, 0.28), (-0.6, 0.2)]
    _draw_teeth(pen, spot, loop(as_path(upper + lower) * (spot.half, 1), 7))


@mouth("gritted")
def _gritted(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    upper = [(-1, -0.05), (-0.5, -0.12), (0, -0.07), (0.5, -0.12), (1, -0.05)]
    lower = [(0.95, 0.2), (0.4, 0.17), (0, 0.22), (-0.4, 0.17), (-0.95, 0.2)]
    teeth = loop(as_path(upper + lower) * (spot.half, 1), 6)
    _draw_teeth(pen, spot, teeth)
    pen.line([(-spot.half, 0.05), (spot.half, 0.05)], 0.03, clip=teeth)


def _draw_teeth(pen: Pen, spot: MouthSpot, outline: Path) -> None:
    pen.fill(outline, WHITE, claim=False)
    for i in range(-3, 4):
        gap = [(i * spot.half * 0.3, -0.3), (i * spot.half * 0.28, 0.35)]
        pen.line(gap, 0.03, clip=outline)
    pen.contour(outline, spot.outline_width, _THROAT, spot.lips, swell=0.2)


# ---- what no mood names, for the styles that do


@mouth("line")
def _line(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    bend = rng.uniform(-0.05, 0.06)
    pen.line(curve([(-spot.half * 0.5, 0), (0, bend), (spot.half * 0.5, 0)], 5), 0.05, spot.lips)


@mouth("tiny o")
def _tiny_o(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    opening = oval(0, 0.02, spot.half * 0.22, spot.half * rng.uniform(0.18, 0.34))
    pen.shape(opening, _THROAT, 0.035, spot.lips, claim=False)


@mouth("beam")
def _beam(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    opening = arc(0, -0.08, spot.half, _depth(spot, 0.5, rng), 0, 180, 20)
    pen.fill(opening, _THROAT, claim=False)
    tongue = oval(0, _depth(spot, 0.36, rng), spot.half * 0.5, 0.16)
    pen.fill(tongue, _TONGUE, clip=opening, claim=False)
    pen.line(opening, 0.05, spot.lips, closed=True, swell=0.1)


@mouth("cat")
def _cat(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    half = spot.half * 0.6
    pen.line(
        curve([(-half, -0.06), (-half / 2, 0.06), (0, -0.03), (half / 2, 0.06), (half, -0.06)]),
        0.045,
    )


@mouth("overbite")
def _overbite(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    """Draw a long upper lip that hangs over a short lower one."""
    half, open_by = spot.half * 1.15, rng.choice([0.0, 0.0, 0.14, 0.22])
    upper = [(-half, -0.12), (-half * 0.9, 0.04), (0, 0.1), (half * 0.9, 0.02), (half * 1.05, -0.1)]
    if open_by:
        gap = loop([*upper[1:4], (half * 0.6, 0.1 + open_by), (-half * 0.5, 0.12 + open_by)], 5)
        pen.shape(gap, _THROAT, 0.05, claim=False)
    else:
        pen.line(curve([(-half * 0.6, 0.17), (0, 0.24), (half * 0.55, 0.17)], 5), 0.05)
    pen.line(curve(upper, 6), 0.06)


@mouth("crooked")
def _crooked(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    pen.line([(-spot.half * 0.8, 0.06), (spot.half * 0.1, 0.02), (spot.half * 0.8, -0.1)], 0.05)


@mouth("slab")
def _slab(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    slab = rectangle(-spot.half * 0.8, -0.08, spot.half * 0.8, 0.14, rng.choice([0, 0.06]))
    pen.shape(slab, rng.choice([WHITE, _THROAT]), 0.045, claim=False)


@mouth("snaggle")
def _snaggle(pen: Pen, spot: MouthSpot, rng: Random) -> None:
    opening = loop([(-spot.half, 0), (0, -0.05), (spot.half, 0), (0, _depth(spot, 0.3, rng))], 6)
    pen.fill(opening, _THROAT, claim=False)
    for share in (-0.5, 0.1, 0.45):
        x = share * spot.half
        pen.fill([(x - 0.05, -0.1), (x + 0.06, -0.1), (x, 0.13)], WHITE, clip=opening, claim=False)
    pen.line(opening, 0.05, closed=True, swell=0.1)
