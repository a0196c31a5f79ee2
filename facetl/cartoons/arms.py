"""Arms, hands and what they hold; ``@item("name")`` adds something to hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from facetl.cartoons.colours import CLOTH, Colour
from facetl.cartoons.paths import arc, as_path, curve, loop, oval, polar, rectangle
from facetl.cartoons.pen import Pen
from facetl.cartoons.toon import Toon
from facetl.registry import Registry

Point = tuple[float, float]

item: Registry[Callable[[Pen, Random], None]] = Registry()
"""Things in a hand, drawn from the wrist at the origin along the positive x axis."""

hand: Registry[Callable[[Pen, Colour, int], None]] = Registry()
"""Hands, drawn like what they hold; given the pen, the colour, and the thumb's side: -1 or 1."""


@dataclass(frozen=True)
class Gesture:
    """Where a hand goes, for the right side; ``bend`` moves the elbow; the left is mirrored."""

    hand: Callable[[Toon], Point]
    bend: Point
    holds: bool = False


GESTURES: dict[str, Gesture] = {
    "down": Gesture(lambda t: (t.trunk.half + 0.35, t.trunk.bottom - 0.1), (0.2, 0.1)),
    "hip": Gesture(lambda t: (t.trunk.half * 0.8, t.trunk.bottom - 0.35), (0.75, 0.25)),
    "wave": Gesture(lambda t: (t.trunk.half + 0.9, t.trunk.top - 0.5), (0.25, 0.45), holds=True),
    "front": Gesture(lambda t: (0.25, t.trunk.down(0.5)), (0.5, 0.5), holds=True),
    "point": Gesture(lambda t: (t.trunk.half + 1.25, t.trunk.top + 0.35), (0.1, 0.25)),
    "up": Gesture(lambda t: (t.trunk.half + 0.55, t.trunk.top - 1.2), (0.35, 0.3), holds=True),
    "chin": Gesture(lambda t: (abs(t.yaw) * 0.3, t.bottom + 0.1), (0.55, 0.7), holds=True),
}


@dataclass(frozen=True)
class Arm:
    """One arm in one frame; ``side`` is -1 for the one on the left, 1 on the right."""

    side: int
    hand: Point
    elbow: Point
    shoulder: Point
    may_hold: bool


def gesticulate(toon: Toon, side: int, rng: Random) -> Arm:
    """Return the arm of one side in a random gesture."""
    thinking = "chin" if side == toon.side else "down"
    name = rng.choice(["down", "down", "hip", "wave", "front", "point", "up", thinking])
    gesture, trunk = GESTURES[name], toon.trunk
    x, y = gesture.hand(toon)
    hand = (trunk.x + side * x + rng.gauss(0, 0.08), y + rng.gauss(0, 0.08))
    shoulder = (trunk.x + side * trunk.half * 0.72, trunk.top + 0.28)
    elbow = (
        (shoulder[0] + hand[0]) / 2 + side * gesture.bend[0],
        (shoulder[1] + hand[1]) / 2 + gesture.bend[1],
    )
    return Arm(side, hand, elbow, shoulder, gesture.holds)


def draw_arm(pen: Pen, toon: Toon, arm: Arm, rng: Random) -> None:
    """Draw an arm in its sleeve, its hand, and sometimes an item in the hand."""
    who, sleeve = toon.who, toon.outfit.sleeve
    path = curve([arm.shoulder, arm.elbow, arm.hand], 8)
    width = 0.2 if who.kid else 0.25
    pen.tube(path, width, who.skin if sleeve < 1 else who.top)
    if sleeve < 1:
        pen.tube(path[: max(3, int(len(path) * sleeve))], width * 1.25, who.top)
    reach = as_path(arm.hand) - path[-4]
    wrist = pen.at(*arm.hand, turn=math.degrees(math.atan2(reach[1], reach[0])))
    if arm.may_hold and rng.random() < 0.3:
        item[rng.choice(list(item))](wrist, rng)
    raised = arm.hand[1] < toon.trunk.top
    draw_hand = hand[toon.outfit.hand]
    draw_hand(
        wrist.at(scale=toon.outfit.hand_size), toon.outfit.glove or who.skin, 1 if raised else -1
    )


@hand("sketched")
def _sketched(pen: Pen, colour: Colour, thumb: int) -> None:
    pen.tube([(0.02, 0), (0.1, 0.24 * thumb)], 0.085, colour, 0.045)
    for angle in (-34, 0, 34):
        pen.tube([(0.05, 0), polar(0.06, 0, 0.3, angle)], 0.085, colour, 0.045)
    pen.fill(oval(0.05, 0, 0.13), colour)


@hand("open")
def _open(pen: Pen, colour: Colour, thumb: int) -> None:
    """Draw a palm with four fingers."""
    pen.tube([(0.08, 0.1 * thumb), (0.2, 0.3 * thumb)], 0.11, colour, 0.04)
    for i in range(4):
        place = (i - 1.5) / 1.5
        root = (0.22, 0.13 * place)
        pen.tube([root, polar(*root, 0.3 - 0.04 * abs(place), 20 * place)], 0.095, colour, 0.035)
    pen.shape(oval(0.14, 0, 0.19, 0.2), colour, 0.04)
    pen.fill(oval(0.2, 0, 0.17, 0.16), colour)


@hand("pointing")
def _pointing(pen: Pen, colour: Colour, thumb: int) -> None:
    """Draw a fist with a finger stretched out."""
    pen.tube([(0.1, 0.1 * thumb), (0.12, 0.42 * thumb)], 0.11, colour, 0.04)
    pen.tube([(0.2, 0.17 * thumb), (0.62, 0.2 * thumb)], 0.11, colour, 0.04)
    pen.shape(oval(0.17, -0.02 * thumb, 0.24, 0.21), colour, 0.045)
    for i in range(3):
        y = (0.04 - 0.1 * i) * thumb
        pen.line([(0.26, y), (0.4, y)], 0.035)
    pen.fill(oval(0.16, 0.08 * thumb, 0.16, 0.14), colour)


@hand("fist")
def _fist(pen: Pen, colour: Colour, thumb: int) -> None:
    pen.shape(oval(0.17, 0, 0.25, 0.23), colour, 0.045)
    for i in range(3):
        knuckle = (0.36, -0.12 + 0.11 * i)
        pen.line([(0.2, knuckle[1]), knuckle], 0.035)
    pen.tube([(0.06, 0.14 * thumb), (0.26, 0.16 * thumb)], 0.1, colour, 0.035)


@hand("mitten")
def _mitten(pen: Pen, colour: Colour, thumb: int) -> None:
    """Draw a hand without fingers, as of rag dolls."""
    pen.shape(oval(0.1, 0.18 * thumb, 0.1), colour, 0.045)
    pen.shape(oval(0.18, 0, 0.24, 0.2), colour, 0.045)


@hand("stump")
def _stump(pen: Pen, colour: Colour, thumb: int) -> None:
    pen.shape(oval(0.06, 0, 0.17), colour, 0.045)


@item("mug")
def _mug(pen: Pen, rng: Random) -> None:
    pen.shape(rectangle(0.1, -0.28, 0.52, 0.22, 0.05), rng.choice(CLOTH), 0.05)
    pen.line(arc(0.55, -0.02, 0.14, 0.14, -90, 90), 0.05)


@item("book")
def _book(pen: Pen, rng: Random) -> None:
    pen.shape(rectangle(0.05, -0.42, 0.62, 0.42, 0.03), rng.choice(CLOTH), 0.05)
    pen.line([(0.16, -0.4), (0.16, 0.4)], 0.04)


@item("wrench")
def _wrench(pen: Pen, rng: Random) -> None:
    pen.tube([(0, 0), (0.9, 0)], 0.1, "#b8bfc9", 0.045)
    pen.shape(arc(0.98, 0, 0.2, 0.2, 40, 320), "#b8bfc9", 0.045)


@item("ice cream")
def _ice_cream(pen: Pen, rng: Random) -> None:
    pen.shape([(0, 0), (0.55, -0.24), (0.55, 0.24)], "#e0a458", 0.045)
    pen.shape(oval(0.68, 0, 0.26), rng.choice(["#f7c6d9", "#fff3dc", "#8c5a3c", "#bfe3c0"]), 0.05)


@item("flask")
def _flask(pen: Pen, rng: Random) -> None:
    glass = [(0, -0.1), (0.3, -0.1), (0.75, -0.42), (0.75, 0.42), (0.3, 0.1), (0, 0.1)]
    liquid = [(0.42, -0.16), (0.7, -0.36), (0.7, 0.36), (0.42, 0.16)]
    pen.shape(loop(glass, 5), "#d9eef2", 0.045)
    pen.fill(loop(liquid, 5), rng.choice(["#7bd389", "#e86a92", "#f3a712"]))


@item("flower")
def _flower(pen: Pen, rng: Random) -> None:
    pen.line([(0, 0), (0.7, 0)], 0.06, "#3f8f4f")
    for i in range(5):
        pen.shape(oval(*polar(0.8, 0, 0.2, 72 * i), 0.15), "#f28ab2", 0.035)
    pen.fill(oval(0.8, 0, 0.13), "#f4c552")
