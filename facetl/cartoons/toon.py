"""One character in one pose: the measures that all the drawing goes by.

The origin is the middle of the head, which is about 2 high; y points down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np

from facetl.cartoons.cast import MOODS, Character, Mood
from facetl.cartoons.heads import head_outline
from facetl.cartoons.outfit import Outfit
from facetl.cartoons.paths import Path
from facetl.cartoons.pen import Pen

_NEAR = 0.12  # points of the outline this close to a height tell the width there


@dataclass(frozen=True)
class Anatomy:
    """Where the features of a face sit and how large they are; the defaults are the house's.

    Heights are in head units, all else multiplies what the house draws.
    """

    eye_height: float = -0.12
    eye_size: float = 1.0
    eye_gap: float = 1.0
    nose_size: float = 1.0
    mouth_height: float = 0.5
    mouth_width: float = 1.0
    shade: float = 0.1
    outline: float = 1.0
    ears: bool = True


@dataclass(frozen=True)
class Toon:
    """A posed character.

    ``yaw`` is from -1 (looks to the left) to 1 (to the right) and never 0; ``gaze`` is where
    the pupils are, in eye radii; ``tilt`` turns the head by degrees; ``outline`` is the closed
    path of the face; in ``profile`` it has the nose, and one eye is seen.
    """

    who: Character
    outfit: Outfit
    yaw: float
    mood: Mood
    gaze: tuple[float, float]
    tilt: float
    turned_away: bool
    outline: Path
    anatomy: Anatomy = Anatomy()
    profile: bool = False

    @property
    def side(self) -> int:
        """The side the character looks to: -1 left, 1 right."""
        return 1 if self.yaw > 0 else -1

    @cached_property
    def top(self) -> float:
        """Height of the top of the head."""
        return float(self.outline[:, 1].min())

    @cached_property
    def bottom(self) -> float:
        """Height of the chin."""
        return float(self.outline[:, 1].max())

    @cached_property
    def half_width(self) -> float:
        """Half the width of the head at the eyes."""
        return self.half_width_at(-0.05)

    def half_width_at(self, y: float) -> float:
        """Return half the width of the head at a height."""
        left, right = self._sides_at(y)
        return (right - left) / 2

    def middle_at(self, y: float) -> float:
        """Return the middle of the head at a height."""
        left, right = self._sides_at(y)
        return (left + right) / 2

    def _sides_at(self, y: float) -> tuple[float, float]:
        near = self.outline[np.abs(self.outline[:, 1] - y) < _NEAR]
        return (float(near[:, 0].min()), float(near[:, 0].max())) if len(near) else (-0.6, 0.6)

    def crown(self, below: float, grow: float = 1.06, lift: float = 0.0) -> Path:
        """Return the outline above the height ``below``, enlarged, from left to right."""
        from_chin = np.roll(self.outline, -int(np.argmax(self.outline[:, 1])), axis=0)
        run = from_chin[from_chin[:, 1] < below]
        run = run[::-1] if run[0, 0] > run[-1, 0] else run
        raised = np.sin(np.linspace(0, np.pi, len(run))) * lift
        return run * grow - np.column_stack([np.zeros(len(run)), raised])

    @property
    def trunk(self) -> Trunk:
        """Where the body is."""
        neck = 0.12 if self.who.kid else 0.28
        top = self.bottom + neck - 0.1
        outfit = self.outfit
        return Trunk(self.yaw * 0.1, top, top + outfit.torso_length, outfit.torso_half_width)

    @property
    def soles(self) -> float:
        """The height at which the feet stand."""
        return self.trunk.bottom + self.outfit.leg_length + 0.12


@dataclass(frozen=True)
class Trunk:
    """The middle ``x``, the heights of shoulders and hips, and half the width of a body."""

    x: float
    top: float
    bottom: float
    half: float

    @property
    def length(self) -> float:
        """From shoulders to hips."""
        return self.bottom - self.top

    def down(self, share: float) -> float:
        """Return the height at a share (0 shoulders, 1 hips) of the length."""
        return self.top + self.length * share


ToonDrawer = Callable[[Pen, Toon, Random], None]
"""Draws a part of a character; random only by the given generator."""


def pose(who: Character, outfit: Outfit, rng: Random, *, turned_away: bool = False) -> Toon:
    """Return the character in a random pose."""
    yaw = rng.choice([-1, 1]) * rng.uniform(0.15, 1)
    return Toon(
        who=who,
        outfit=outfit,
        yaw=yaw,
        mood=MOODS[rng.choice(list(MOODS))],
        gaze=(rng.uniform(-0.35, 0.35) + 0.35 * yaw, rng.uniform(-0.3, 0.35)),
        tilt=rng.gauss(0, 7) if rng.random() < 0.85 else rng.uniform(-30, 30),
        turned_away=turned_away,
        outline=head_outline(who.head, yaw, rng),
    )
