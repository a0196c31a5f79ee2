"""Shapes before they are drawn: (N, 2) arrays of points, x to the right and y downwards."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Path = NDArray[np.float64]
"""(N, 2) points."""


def as_path(points: ArrayLike) -> Path:
    """Return the points as an (N, 2) float64 array."""
    return np.asarray(points, dtype=np.float64)


def join(*parts: ArrayLike) -> Path:
    """Return one path that runs through all the parts."""
    return np.vstack([as_path(part) for part in parts])


def curve(points: ArrayLike, steps: int = 10, *, closed: bool = False) -> Path:
    """Return a smooth curve through the points (Catmull and Rom 1974, tension 1/2)."""
    path = as_path(points)
    before, after = (path[-1:], path[:2]) if closed else _phantom_ends(path)
    knots = join(before, path, after)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        square_term = (2 * a - 5 * b + 4 * c - d) * t**2
        cube_term = (3 * b - a - 3 * c + d) * t**3
        pieces.append(0.5 * (2 * b + (c - a) * t + square_term + cube_term))
    return join(*pieces) if closed else join(*pieces, path[-1:])


def _phantom_ends(path: Path) -> tuple[Path, Path]:
    return 2 * path[:1] - path[1:2], 2 * path[-1:] - path[-2:-1]


def loop(points: ArrayLike, steps: int = 10) -> Path:
    """Return a smooth closed curve through the points."""
    return curve(points, steps, closed=True)


def polygon(corners: Path, steps: int) -> Path:
    """Return a closed path of straight sides, each of so many points."""
    shares = np.linspace(0, 1, steps, endpoint=False)[:, None]
    ends = np.roll(corners, -1, axis=0)
    return join(*(a * (1 - shares) + b * shares for a, b in zip(corners, ends, strict=True)))


def oval(x: float, y: float, rx: float, ry: float | None = None, steps: int = 40) -> Path:
    """Return an ellipse around (x, y); a circle if ``ry`` is left out."""
    angles = np.linspace(0, 2 * math.pi, steps, endpoint=False)
    return np.column_stack([x + rx * np.cos(angles), y + (ry or rx) * np.sin(angles)])


def arc(
    x: float, y: float, rx: float, ry: float, start: float, end: float, steps: int = 40
) -> Path:
    """Return a piece of an ellipse from ``start`` to ``end`` degrees; 0 is right, 90 is down."""
    angles = np.radians(np.linspace(start, end, steps))
    return np.column_stack([x + rx * np.cos(angles), y + ry * np.sin(angles)])


def rectangle(x1: float, y1: float, x2: float, y2: float, radius: float = 0) -> Path:
    """Return a rectangle, its corners rounded by ``radius``."""
    if radius <= 0:
        return as_path([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])
    r = min(radius, abs(x2 - x1) / 2, abs(y2 - y1) / 2)
    return join(
        arc(x2 - r, y1 + r, r, r, -90, 0, 6),
        arc(x2 - r, y2 - r, r, r, 0, 90, 6),
        arc(x1 + r, y2 - r, r, r, 90, 180, 6),
        arc(x1 + r, y1 + r, r, r, 180, 270, 6),
    )


def ring(outer: Path, inner: Path) -> Path:
    """Return a closed path around what lies between an outer and an inner closed path.

    Both must run the same way round.
    """
    return join(outer, outer[:1], inner[::-1], inner[-1:], outer[:1])


def polar(x: float, y: float, radius: float, degrees: float) -> tuple[float, float]:
    """Return the point at a distance and an angle from (x, y); 0 is right, 90 is down."""
    angle = math.radians(degrees)
    return x + radius * math.cos(angle), y + radius * math.sin(angle)


def mirror(right_half: ArrayLike) -> Path:
    """Return a symmetric closed shape from its right half, given from top to bottom."""
    right = as_path(right_half)
    left = right[::-1] * (-1, 1)
    return join(right, left[np.abs(left[:, 0]) > 1e-6])


def zigzag(
    start: tuple[float, float],
    end: tuple[float, float],
    teeth: int,
    height: float,
    towards: tuple[float, float] = (0, -1),
) -> Path:
    """Return a jagged line with ``teeth`` tips that point ``towards`` (up if left out)."""
    shares = np.linspace(0, 1, 2 * teeth + 1)[:, None]
    path = as_path(start) * (1 - shares) + as_path(end) * shares
    path[1::2] += height * as_path(towards)
    return path


def cloud(x: float, y: float, rx: float, ry: float, lobes: int) -> Path:
    """Return a closed row of round lobes on an ellipse: trees, curls, smoke."""
    centres, radius = _even_centres(x, y, rx * 0.84, ry * 0.84, lobes)
    outwards = centres - (x, y)
    outwards /= np.hypot(outwards[:, 0], outwards[:, 1])[:, None]
    bulges = []
    for i, centre in enumerate(centres):
        ends = (centres[[i - 1, (i + 1) % lobes]] - centre) / 2 + outwards[i] * radius * 0.15
        start, end = np.degrees(np.arctan2(ends[:, 1], ends[:, 0]))
        turn = min((end - start) % 360, 300)
        bulges.append(arc(centre[0], centre[1], radius, radius, start, start + turn, 10)[:-1])
    return join(*bulges)


def _even_centres(x: float, y: float, rx: float, ry: float, count: int) -> tuple[Path, float]:
    """Return points evenly spaced along an ellipse, and the radius that lets lobes overlap."""
    ellipse = oval(x, y, rx, ry, 400)
    edges = np.diff(join(ellipse, ellipse[:1]), axis=0)
    travelled = np.concatenate([[0], np.cumsum(np.hypot(edges[:, 0], edges[:, 1]))])
    stops = np.searchsorted(travelled, travelled[-1] * np.arange(count) / count) % 400
    return ellipse[stops], float(travelled[-1] / count * 0.62)
