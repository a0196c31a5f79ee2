"""The shapes of heads; a new one is a row, and a rare one is for the styles that name it."""

from __future__ import annotations

import numpy as np

from facetl.cartoons.features import Features
from facetl.cartoons.paths import Path, as_path, join, loop, mirror

Corners = list[tuple[float, float]]

# The right half of each head from top to bottom; half its height is about 1.
# fmt: off
HEADS: Features[Corners] = Features({
    "egg": [(0, -1), (0.5, -0.87), (0.8, -0.3), (0.74, 0.4), (0.42, 0.88), (0, 1)],
    "bean": [(0, -0.86), (0.75, -0.78), (1.12, -0.1), (1, 0.5), (0.5, 0.84), (0, 0.88)],
    "pear": [(0, -1), (0.42, -0.86), (0.56, -0.3), (0.9, 0.35), (0.82, 0.82), (0.4, 1), (0, 1.02)],
    "long": [(0, -1.1), (0.42, -1), (0.52, -0.4), (0.46, 0.5), (0.3, 1.02), (0, 1.14)],
    "wedge": [(0, -0.92), (0.62, -0.88), (1, -0.5), (0.78, 0.3), (0.3, 0.92), (0, 1.02)],
    "jaw": [
        (0, -0.95), (0.48, -0.88), (0.62, -0.2), (0.86, 0.35), (0.8, 0.88), (0.35, 1), (0, 1),
    ],
    "squash": [(0, -0.66), (0.8, -0.6), (1.28, -0.05), (1.1, 0.5), (0.55, 0.72), (0, 0.74)],
    "bulb": [
        (0, -1.02), (0.7, -0.86), (0.98, -0.3), (0.72, 0.25), (0.46, 0.7), (0.3, 0.96), (0, 1.04),
    ],
    "round": [(0, -0.92), (0.66, -0.68), (0.94, 0), (0.68, 0.7), (0, 0.94)],
    "box": [
        (0, -0.86), (0.68, -0.86), (0.8, -0.7), (0.82, 0), (0.8, 0.72), (0.66, 0.88), (0, 0.9),
    ],
    "drop": [(0, -1.08), (0.34, -0.8), (0.74, -0.05), (0.86, 0.5), (0.56, 0.92), (0, 1)],
})
HEADS.add_rare({
    "dome": [(0, -1.2), (0.5, -1.1), (0.7, -0.5), (0.68, 0.2), (0.6, 0.7), (0.34, 0.92), (0, 1)],
    "thumb": [(0, -1.3), (0.42, -1.2), (0.58, -0.6), (0.6, 0.3), (0.52, 0.8), (0, 0.96)],
    "globe": [(0, -1.02), (0.74, -0.74), (1.06, 0), (0.76, 0.7), (0, 0.98)],
    "pill": [(0, -0.8), (0.8, -0.74), (1.22, -0.2), (1.22, 0.2), (0.8, 0.74), (0, 0.8)],
    "pointed": [
        (0, -1), (0.6, -0.86), (0.86, -0.3), (0.8, 0.2), (0.56, 0.62), (0.2, 0.93), (0, 1.04),
    ],
    "heart": [(0, -1), (0.66, -0.84), (0.92, -0.2), (0.84, 0.3), (0.4, 0.78), (0, 1)],
    "chisel": [
        (0, -1), (0.5, -0.92), (0.64, -0.4), (0.66, 0.3), (0.58, 0.66), (0.34, 1), (0, 1.04),
    ],
    "anvil": [
        (0, -0.9), (0.44, -0.82), (0.56, -0.3), (0.76, 0.3), (0.86, 0.7), (0.5, 1.04), (0, 1.06),
    ],
    "blob": [(0, -0.78), (0.7, -0.68), (1.04, 0), (1.0, 0.5), (0.6, 0.8), (0, 0.84)],
    "cheeks": [(0, -1), (0.6, -0.86), (0.8, -0.3), (0.9, 0.3), (0.62, 0.8), (0.2, 0.96), (0, 0.98)],
    "cranium": [(0, -1.1), (0.7, -0.95), (1.04, -0.35), (0.7, 0.3), (0.3, 0.86), (0, 1)],
    "gaunt": [
        (0, -1.04), (0.56, -0.92), (0.72, -0.3), (0.54, 0.25), (0.5, 0.7), (0.28, 1.04), (0, 1.1),
    ],
    "shield": [(0, -0.9), (0.8, -0.9), (0.84, -0.2), (0.6, 0.5), (0, 1.1)],
    "kite": [(0, -1.1), (0.5, -0.7), (0.86, -0.15), (0.4, 0.6), (0, 1.15)],
    "trapeze": [(0, -0.9), (0.5, -0.9), (0.7, 0.1), (0.86, 0.9), (0, 0.95)],
    "crate": [(0, -0.9), (0.8, -0.88), (0.74, 0.2), (0.66, 0.92), (0, 0.95)],
})
# fmt: on

ANGULAR = frozenset({"shield", "kite", "trapeze", "crate"})
"""Heads with straight sides."""


def head_outline(head: str, yaw: float, noise: list[tuple[float, float]]) -> Path:
    """Return the closed outline of a head that looks to a side; each corner has its noise."""
    corners = mirror(HEADS[head])
    corners += as_path(noise)
    lever = (corners[:, 1] + 0.1) * np.where(corners[:, 1] > 0, 1, 0.4)
    corners[:, 0] += yaw * 0.13 * lever  # the chin points to where the face looks
    return straight(corners, 12) if head in ANGULAR else loop(corners, 8)


def corner_count(head: str) -> int:
    """Return how many corners the whole outline of a head has."""
    return len(mirror(HEADS[head]))


def straight(corners: Path, steps: int) -> Path:
    """Return a closed path of straight sides, each of so many points."""
    shares = np.linspace(0, 1, steps, endpoint=False)[:, None]
    ends = np.roll(corners, -1, axis=0)
    return join(*(a * (1 - shares) + b * shares for a, b in zip(corners, ends, strict=True)))
