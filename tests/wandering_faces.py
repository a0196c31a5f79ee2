"""Boxes of faces that wander, hide and come back, with false alarms: the same on any machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WALKS = 24
_FRAMES = 40
_STEPS = (0.04, 0.2, 1.0)


class Seen(NamedTuple):
    """What a detector sees in a frame: (N, 4) boxes, (N,) scores; seconds; whether it is a cut."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    time: float
    cut: bool


class Walk(NamedTuple):
    """A film of such frames, and the seconds from one to the next on average."""

    step: float
    frames: list[Seen]


@dataclass
class _Face:
    x: float
    y: float
    side: float
    speed: list[float]

    def move(self, random: Random) -> None:
        self.speed = [0.97 * each + random.uniform(-1, 1) for each in self.speed]
        self.x += self.speed[0] + random.uniform(-2, 2)
        self.y += self.speed[1] + random.uniform(-2, 2)
        self.side *= random.uniform(0.95, 1.05)

    def box(self) -> list[float]:
        return [self.x, self.y, self.x + self.side, self.y + 1.2 * self.side]


def wander(seed: int) -> Walk:
    """Return one of the films."""
    random = Random(seed)
    step = _STEPS[seed % len(_STEPS)]
    return Walk(step, list(_frames(random, 1 + seed % 8, step)))


def _place(random: Random) -> _Face:
    side = random.uniform(15, 90)
    speed = [random.uniform(-6, 6), random.uniform(-6, 6)]
    return _Face(random.uniform(0, 400), random.uniform(0, 300), side, speed)


def _frames(random: Random, count: int, step: float) -> Iterator[Seen]:
    faces, time = [_place(random) for _ in range(count)], 0.0
    for _ in range(_FRAMES):
        for face in faces:
            face.move(random)
        time += step * random.choice([0, 1, 1, 1, 1, 1, 2, 5])
        shown = [face for face in faces if random.random() < 0.85]
        shown += [_place(random) for _ in range(random.choice([0, 0, 0, 1, 2]))]
        random.shuffle(shown)
        boxes = np.array([face.box() for face in shown]).reshape(-1, 4)
        scores = np.array([random.uniform(0.1, 1) ** 0.5 for _ in shown])
        yield Seen(boxes, scores, time, random.random() < 0.03)
