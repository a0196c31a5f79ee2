"""Heads seen from the side: the nose and the lips are part of the outline."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from facetl.cartoons.paths import Path, as_path, loop, polygon


@dataclass(frozen=True)
class Profile:
    """The measures of a head that looks to the right, in head units.

    ``nose`` is how far it sticks out and ``droop`` how far its tip is below the usual;
    ``lips``, ``chin`` and ``forehead`` are how far these stand out, ``skull`` how long the head
    is, and ``angular`` ones have straight sides.
    """

    nose: float
    droop: float
    lips: float
    chin: float
    forehead: float
    skull: float
    angular: bool = False

    @property
    def outline(self) -> Path:
        """The closed outline of the face and the skull."""
        nose_x, nose_y = 0.66 + self.nose, 0.14 + self.droop
        front = [
            (0.4 + self.forehead, -0.88),
            (0.64 + self.forehead, -0.5),
            (0.62, -0.16),
            (nose_x, nose_y - 0.08),
            (nose_x - 0.02, nose_y + 0.08),
            (0.66, max(0.3, nose_y + 0.1)),
            (0.68 + self.lips, 0.42),
            (0.6 + self.lips * 0.5, 0.52),
            (0.66 + self.lips * 0.7, 0.6),
            (0.58, 0.7),
            (0.6 + self.chin, 0.88),
            (0.36 + self.chin, 1.0),
        ]
        back = [(-0.1, 0.78), (-0.5, 0.55), (-self.skull, 0.1), (-self.skull, -0.4)]
        corners = as_path([*front, *back, (-0.5 * self.skull, -0.9), (-0.02, -1.02)])
        return polygon(corners, 10) if self.angular else loop(corners, 8)


def choose_profile(rng: Random, *, angular: bool = False) -> Profile:
    """Return a random profile."""
    return Profile(
        nose=rng.choice([rng.uniform(0.05, 0.25), rng.uniform(0.2, 0.55)]),
        droop=rng.uniform(-0.12, 0.1),
        lips=rng.choice([0.0, rng.uniform(0, 0.22)]),
        chin=rng.uniform(-0.18, 0.14),
        forehead=rng.uniform(-0.15, 0.1),
        skull=rng.uniform(0.7, 0.98),
        angular=angular,
    )
