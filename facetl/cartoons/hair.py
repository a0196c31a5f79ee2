"""Hair: what hangs behind the head and what lies over it; a new style is a row in the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np

from facetl.cartoons.colours import lighten
from facetl.cartoons.features import Features
from facetl.cartoons.paths import Path, arc, as_path, cloud, curve, join, loop, mirror, oval, zigzag
from facetl.cartoons.pen import Pen
from facetl.cartoons.toon import Toon, ToonDrawer

Crown = Callable[[Toon, Path], Path]
"""Turns the line over the top of the head, left to right, into the upper edge of the hair."""

Fringe = Callable[[Toon, Path], Path]
"""Returns the lower edge of the hair, right to left, under the same line."""


@dataclass(frozen=True)
class HairStyle:
    """One way to wear hair.

    ``behind`` is drawn before the head (and, if ``long``, before the body), ``over`` after it;
    ``under_hat`` names the style that takes its place when a hat would squash it.
    """

    over: ToonDrawer
    behind: ToonDrawer | None = None
    under_hat: str | None = None
    covers_ears: bool = False
    long: bool = False
    skin_shows: bool = False


def fringed(crown: Crown, fringe: Fringe, *, shine: bool = True) -> ToonDrawer:
    """Return what draws hair between a crown and a fringe."""

    def draw(pen: Pen, toon: Toon, rng: Random) -> None:
        line = toon.crown(_hairline(toon), 1.07, 0.05)
        pen.shape(join(crown(toon, line), fringe(toon, line)), toon.who.hair_colour, 0.06)
        if shine and rng.random() < 0.5:
            left, top = line[0, 0], toon.top
            strand = [(left * 0.6, _hairline(toon) - 0.2), (left * 0.4, top + 0.06), (0, top)]
            pen.line(curve(strand, 5), 0.05, lighten(toon.who.hair_colour, 0.45), taper=True)

    return draw


def _hairline(toon: Toon) -> float:
    return toon.top + (0.3 if toon.who.head == "squash" else 0.42)


# ---- upper edges


def _close(toon: Toon, line: Path) -> Path:
    return line


def _fluffy(toon: Toon, line: Path) -> Path:
    return toon.crown(_hairline(toon), 1.1, 0.12)


def _spiky(toon: Toon, line: Path) -> Path:
    spikes = 6
    picked = _feet_and_tips(line, spikes)
    root = as_path((0, toon.top + 0.7))
    stretch = 1.42 + 0.12 * np.cos(np.arange(spikes))
    picked[1::2] = root + (picked[1::2] - root) * stretch[:, None]
    return picked


def _feet_and_tips(line: Path, spikes: int) -> Path:
    """Return points along the line: those with odd numbers are to become the tips of spikes."""
    return as_path(line[np.linspace(0, len(line) - 1, 2 * spikes + 1).astype(int)])


def _brushed_up(toon: Toon, line: Path) -> Path:
    left, right, top = line[0], line[-1], toon.top
    return join([left], [(left[0] * 1.02, top - 0.22), (right[0] * 1.02, top - 0.3)], [right])


def _towering(toon: Toon, line: Path) -> Path:
    left, right, top = line[0], line[-1], toon.top
    climb = [(left[0] * 0.95, top - 0.3), (left[0] * 0.5, top - 1), (0, top - 1.15)]
    fall = [(right[0] * 0.5, top - 1), (right[0] * 0.95, top - 0.3)]
    return curve([left, *climb, *fall, right], 6)


def _swept(toon: Toon, line: Path) -> Path:
    left, right, top = line[0], line[-1], toon.top
    climb = [(left[0] * 1.02, top), (left[0] * 0.2, top - 0.32)]
    fall = [(right[0] * 1.2, top - 0.36), (right[0] * 1.3, top + 0.05)]
    return curve([left, *climb, *fall, right], 6)


# ---- lower edges


def _jagged(toon: Toon, line: Path) -> Path:
    (left, y), (right, last_y) = line[0], line[-1]
    return zigzag((right, last_y), (left, y), 5, 0.3, (0, 1))[1:-1]


def _straight(toon: Toon, line: Path) -> Path:
    y = _hairline(toon) + 0.12
    return as_path([(line[-1, 0] * 0.96, y), (line[0, 0] * 0.96, y)])


def _parted(toon: Toon, line: Path) -> Path:
    parting, swing, y = toon.yaw * 0.25, 0.3 * toon.half_width, _hairline(toon)
    points = [(parting + swing, y - 0.06), (parting, toon.top + 0.14), (parting - swing, y - 0.06)]
    return curve([(line[-1, 0] * 0.98, y + 0.08), *points, (line[0, 0] * 0.98, y + 0.08)], 5)


def _scalloped(toon: Toon, line: Path) -> Path:
    left, right, y = line[0, 0], line[-1, 0], _hairline(toon)
    middles = [right + (left - right) * (i + 0.5) / 4 for i in range(4)]
    return join(*(arc(x, y, abs(right - left) / 8, 0.16, 0, 180, 7) for x in middles))


def _combed(toon: Toon, line: Path) -> Path:
    side, swing, y = toon.side, toon.half_width * 0.35, _hairline(toon)
    low, high = (y - 0.02, y - 0.16) if side < 0 else (y - 0.16, y + 0.02)
    points = [(swing * side + 0.1, low), (0, y - 0.1), (-swing * side, high)]
    return curve([line[-1], *points, line[0]], 5)[1:-1]


# ---- over the head, without a fringe


def _bald(pen: Pen, toon: Toon, rng: Random) -> None:
    shine = arc(toon.yaw * -0.3, toon.top + 0.3, toon.half_width * 0.4, 0.2, 200, 290)
    pen.line(shine, 0.04, lighten(toon.who.skin, 0.7))


def _tufts(pen: Pen, toon: Toon, rng: Random) -> None:
    for side in (-1, 1):
        temple = toon.middle_at(-0.1) + side * toon.half_width_at(-0.15)
        tuft = cloud(temple + side * 0.08, -0.12, 0.24, 0.34, 7)
        pen.shape(tuft, toon.who.hair_colour, 0.055)
    for i in (-1, 0, 1):
        single = [(i * 0.08, 0.04), (i * 0.16 + 0.05, -0.18), (i * 0.3 + 0.12, -0.14)]
        pen.at(0, toon.top).line(curve(single, 5), 0.045, taper=True)


def _mohawk(pen: Pen, toon: Toon, rng: Random) -> None:
    half, top = toon.half_width, toon.top
    comb = zigzag((-half * 0.42, top + 0.34), (half * 0.42, top + 0.34), 5, 0.72)
    foot = [(half * 0.2, top + 0.5), (-half * 0.2, top + 0.5)]
    pen.shape(join(comb, foot), toon.who.hair_colour, 0.06)


# ---- behind the head


def _behind(silhouette: Callable[[Toon], Path]) -> ToonDrawer:
    def draw(pen: Pen, toon: Toon, rng: Random) -> None:
        pen.shape(silhouette(toon), toon.who.hair_colour, 0.065)

    return draw


def _bob(toon: Toon) -> Path:
    half, top, chin = toon.half_width, toon.top, toon.bottom
    side = [(half * 0.9, top + 0.12), (half * 1.28, 0.1), (half * 1.3, chin * 0.75)]
    return loop(mirror([(0, top - 0.14), *side, (half * 0.7, chin * 0.8), (0, chin * 0.5)]))


def _mane(toon: Toon) -> Path:
    half, top, chin = toon.half_width, toon.top, toon.bottom
    side = [(half * 0.95, top + 0.15), (half * 1.25, 0.3), (half * 1.35, chin + 0.9)]
    return loop(mirror([(0, top - 0.15), *side, (half * 0.6, chin + 0.7), (0, chin + 0.85)]))


def _mop(toon: Toon) -> Path:
    half, top = toon.half_width, toon.top
    side = [(half * 1.05, top + 0.1), (half * 1.2, 0.1), (half * 0.8, 0.35)]
    return loop(mirror([(0, top - 0.2), *side]))


def _ponytail(toon: Toon) -> Path:
    back, top = -toon.side * toon.half_width, toon.top
    upper = [(back * 0.5, top + 0.25), (back * 1.3, top - 0.2), (back * 1.95, top + 0.45)]
    return loop([*upper, (back * 1.75, 0.75), (back * 1.5, 0.3), (back * 0.9, -0.1)])


def _afro(toon: Toon) -> Path:
    return cloud(0, toon.top + 0.38, toon.half_width * 1.45, 1.12, 15)


def _curls(toon: Toon) -> Path:
    return cloud(0, toon.top + 0.75, toon.half_width * 1.3, 1.15, 15)


def _puffs(pen: Pen, toon: Toon, rng: Random) -> None:
    for side in (-1, 1):
        puff = cloud(side * toon.half_width * 1.12, toon.top + 0.28, 0.48, 0.46, 8)
        pen.shape(puff, toon.who.hair_colour, 0.06)


def _bun(pen: Pen, toon: Toon, rng: Random) -> None:
    x, top = -toon.side * toon.half_width * 0.3, toon.top
    pen.shape(oval(x, top - 0.25, 0.46, 0.4), toon.who.hair_colour, 0.065)
    pen.line(arc(x, top - 0.22, 0.22, 0.2, 200, 380), 0.04)


HAIR_STYLES: Features[HairStyle] = Features(
    {
        "spikes": HairStyle(fringed(_spiky, _jagged, shine=False), under_hat="bowl"),
        "flat": HairStyle(fringed(_brushed_up, _straight), under_hat="bowl"),
        "beehive": HairStyle(fringed(_towering, _combed), under_hat="bowl"),
        "swoop": HairStyle(fringed(_swept, _combed), under_hat="bowl"),
        "bowl": HairStyle(fringed(_close, _straight)),
        "bob": HairStyle(fringed(_close, _straight), _behind(_bob), covers_ears=True),
        "long": HairStyle(fringed(_close, _parted), _behind(_mane), covers_ears=True, long=True),
        "mop": HairStyle(fringed(_close, _jagged, shine=False), _behind(_mop)),
        "tail": HairStyle(fringed(_close, _combed), _behind(_ponytail)),
        "puffs": HairStyle(fringed(_close, _parted), _puffs),
        "bun": HairStyle(fringed(_close, _parted), _bun),
        "afro": HairStyle(fringed(_fluffy, _scalloped), _behind(_afro)),
        "curls": HairStyle(fringed(_fluffy, _scalloped), _behind(_curls), covers_ears=True),
        "mohawk": HairStyle(_mohawk, under_hat="bowl"),
        "tufts": HairStyle(_tufts, under_hat="bald", skin_shows=True),
        "bald": HairStyle(_bald, skin_shows=True),
    }
)
"""All styles by name; a new one is a row here, or ``HAIR_STYLES["name"] = HairStyle(...)``."""


# ---- rare ones, for the styles that name them


def _wild(toon: Toon, line: Path) -> Path:
    """Return long, uneven spikes all around the top of the head."""
    spikes = 7
    picked = _feet_and_tips(line, spikes)
    root = as_path((0, toon.top + 0.9))
    stretch = 1.42 + 0.2 * np.cos(2.4 * np.arange(spikes) + toon.yaw)
    picked[1::2] = root + (picked[1::2] - root) * stretch[:, None] + (toon.side * -0.14, 0)
    picked[2:-1:2] = root + (picked[2:-1:2] - root) * 1.08
    return picked


def _picket(toon: Toon, line: Path) -> Path:
    """Return short even spikes that stand straight up."""
    picked = _feet_and_tips(line, 7)
    picked[1::2] += (0, -0.34)
    return picked


def _strands(toon: Toon, line: Path) -> Path:
    """Return pointed strands that fall over the forehead, the middle ones longest."""
    (left, y), (right, last_y) = line[0], line[-1]
    fall = zigzag((right, last_y), (left, y), 5, 0, (0, 1))
    fall[1::2, 1] += np.array([0.5, 0.2, 0.34, 0.22, 0.5])
    fall[2:-1:2, 1] -= 0.14
    return fall[1:-1]


def _curtain(toon: Toon, line: Path) -> Path:
    left, right = line[0, 0], line[-1, 0]
    parting = toon.yaw * 0.2
    low = _hairline(toon) + 0.42
    points = [(right * 1.02, low + 0.3), (right * 0.82, low), (parting, toon.top + 0.16)]
    return as_path([*points, (left * 0.82, low), (left * 1.02, low + 0.3)])


def _helmet(toon: Toon, line: Path) -> Path:
    return toon.crown(_hairline(toon), 1.12, 0.08)


def _slab(toon: Toon, line: Path) -> Path:
    left, right, top = line[0], line[-1], toon.top
    return join([left], [(left[0] * 1.0, top - 0.85), (right[0] * 1.0, top - 0.8)], [right])


def _twin_tails(pen: Pen, toon: Toon, rng: Random) -> None:
    half, top = toon.half_width, toon.top
    for side in (-1, 1):
        tail = [(side * half * 0.8, top + 0.3), (side * half * 1.5, top + 0.1)]
        tail += [(side * half * 1.95, 0.5), (side * half * 1.6, 1.5), (side * half * 1.25, 0.4)]
        pen.shape(loop(tail), toon.who.hair_colour, 0.06)


def _dreads(pen: Pen, toon: Toon, rng: Random) -> None:
    half, top = toon.half_width, toon.top
    for share in np.linspace(-1, 1, 8):
        x = float(share) * half * 1.05
        strand = curve([(x * 0.7, top + 0.2), (x * 1.15, 0.0), (x * 1.2, rng.uniform(0.7, 1.2))], 6)
        pen.tube(strand, 0.16, toon.who.hair_colour, 0.04)


def _horseshoe(pen: Pen, toon: Toon, rng: Random) -> None:
    for side in (-1, 1):
        x = toon.middle_at(0) + side * toon.half_width_at(0) * 0.94
        pad = loop([(x, -0.5), (x + side * 0.2, -0.3), (x + side * 0.16, 0.12), (x, 0.1)], 6)
        pen.shape(pad, toon.who.hair_colour, 0.05)


def _single_hairs(pen: Pen, toon: Toon, rng: Random) -> None:
    for i in range(3):
        x = (i - 1) * 0.16
        lash = arc(x, toon.top - 0.05, 0.24, 0.2, 180, 320)
        pen.line(lash, 0.05)


HAIR_STYLES.add_rare(
    {
        "wild": HairStyle(fringed(_wild, _strands, shine=False), under_hat="bowl"),
        "wild long": HairStyle(
            fringed(_wild, _strands, shine=False),
            _behind(_mane),
            "long",
            covers_ears=True,
            long=True,
        ),
        "strands": HairStyle(fringed(_helmet, _strands), _behind(_mop)),
        "strands bob": HairStyle(fringed(_helmet, _strands), _behind(_bob), covers_ears=True),
        "curtain": HairStyle(fringed(_helmet, _curtain), _behind(_bob), covers_ears=True),
        "curtain long": HairStyle(
            fringed(_helmet, _curtain), _behind(_mane), covers_ears=True, long=True
        ),
        "twin tails": HairStyle(fringed(_helmet, _strands), _twin_tails),
        "picket": HairStyle(fringed(_picket, _jagged, shine=False), under_hat="bowl"),
        "helmet": HairStyle(fringed(_helmet, _combed)),
        "slab": HairStyle(fringed(_slab, _straight), under_hat="bowl"),
        "dreads": HairStyle(fringed(_close, _parted, shine=False), _dreads),
        "horseshoe": HairStyle(_horseshoe, under_hat="bald", skin_shows=True),
        "single hairs": HairStyle(_single_hairs, under_hat="bald", skin_shows=True),
    }
)
