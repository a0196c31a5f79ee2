"""Things with eyes and mouths that are not people: they never own a face."""

from __future__ import annotations

from random import Random

from facetl.cartoons.colours import CLOTH, INK, WHITE, Colour, darken, lighten
from facetl.cartoons.paths import arc, curve, join, loop, oval, rectangle, zigzag
from facetl.cartoons.pen import Pen
from facetl.cartoons.props.prop import prop


@prop("indoors", "outdoors", "stage")
def robot(pen: Pen, rng: Random) -> None:
    """Draw a tin robot with a grille for a mouth."""
    metal = rng.choice(["#b8bfc9", "#9fb8c9", "#c9b38f", "#8fb5a0"])
    pen.line([(0, -1), (0, -1.35)], 0.1)
    pen.shape(oval(0, -1.42, 0.14), "#e4572e", 0.06)
    pen.shape(rectangle(-0.55, 0.95, 0.55, 2.4, 0.15), darken(metal, 0.1), 0.08)
    for arm in ([(-0.5, 1.2), (-1.1, 1.5), (-0.9, 2.1)], [(0.5, 1.2), (1.1, 1.4), (1.2, 0.8)]):
        pen.tube(curve(arm, 6), 0.2, darken(metal, 0.2))
    pen.shape(rectangle(-0.2, 0.75, 0.2, 1), darken(metal, 0.25), 0.06)
    pen.shape(rectangle(-0.95, -0.95, 0.95, 0.85, 0.2), metal, 0.09)
    _draw_robot_eyes(pen, rng)
    pen.shape(rectangle(-0.5, 0.3, 0.5, 0.6, 0.05), "#3d405b", 0.05)
    for x in (-0.3, -0.1, 0.1, 0.3):
        pen.line([(x, 0.3), (x, 0.6)], 0.05, "#d7dde5")


def _draw_robot_eyes(pen: Pen, rng: Random) -> None:
    glow = rng.choice(["#f3d34a", "#7be0d0", "#f06a5a"])
    if rng.random() < 0.4:
        pen.shape(rectangle(-0.65, -0.5, 0.65, -0.05, 0.2), INK, 0.05)
        for x in (-0.3, 0.3):
            pen.fill(oval(x, -0.27, 0.13), glow)
        return
    for x in (-0.42, 0.42):
        pen.shape(oval(x, -0.25, 0.3), "#3d405b", 0.06)
        pen.fill(oval(x, -0.25, 0.17), glow)


@prop("indoors", "outdoors")
def cat(pen: Pen, rng: Random) -> None:
    """Draw a sitting cat."""
    fur = rng.choice(["#3a3644", "#d98a3d", "#f4efe0", "#8c8f9c"])
    body = [(0, 0.5), (0.6, 0.9), (0.75, 1.9), (0, 2.1), (-0.75, 1.9), (-0.6, 0.9)]
    ears = [(-0.75, -0.2), (-0.8, -1), (-0.25, -0.62), (0.25, -0.62), (0.8, -1), (0.75, -0.2)]
    cheeks = curve([(0.85, 0.2), (0.5, 0.7), (0, 0.8), (-0.5, 0.7), (-0.85, 0.2)], 5)
    pen.tube(curve([(0.5, 1.9), (1.3, 1.8), (1.4, 0.9), (1.1, 0.6)], 6), 0.22, fur, 0.07)
    pen.shape(loop(body), fur, 0.08)
    pen.shape(join(ears, cheeks), fur, 0.08)
    for x in (-0.36, 0.36):
        pen.shape(oval(x, 0.02, 0.24, 0.28), "#e9e36b", 0.05)
        pen.fill(oval(x, 0.02, 0.07, 0.22), INK)
    pen.fill([(-0.1, 0.32), (0.1, 0.32), (0, 0.44)], "#e8697d")
    _draw_whiskers(pen, WHITE if fur == "#3a3644" else INK)


def _draw_whiskers(pen: Pen, colour: Colour) -> None:
    for side in (-1, 1):
        for i in (0, 1):
            root, tip = (side * 0.3, 0.42 + i * 0.1), (side * 1.05, 0.34 + i * 0.2)
            pen.line([root, tip], 0.04, colour)


@prop("indoors", "outdoors")
def teddy(pen: Pen, rng: Random) -> None:
    """Draw a teddy bear."""
    plush = rng.choice(["#b07a45", "#d8b07a", "#e7a6b5"])
    for side in (-1, 1):
        pen.shape(oval(side * 0.65, -0.65, 0.3), plush, 0.07)
    pen.shape(oval(0, 1.3, 0.7, 0.75), plush, 0.08)
    pen.shape(oval(0, 1.35, 0.4, 0.45), lighten(plush, 0.4), 0.05)
    for side in (-1, 1):
        pen.shape(oval(side * 0.7, 1, 0.25, 0.35), plush, 0.07)
    pen.shape(oval(0, 0, 0.95, 0.85), plush, 0.08)
    pen.shape(oval(0, 0.3, 0.42, 0.33), lighten(plush, 0.45), 0.06)
    pen.fill(oval(0, 0.16, 0.14, 0.1), INK)
    pen.line([(0, 0.26), (0, 0.42)], 0.05)
    for x in (-0.32, 0.32):
        pen.fill(oval(x, -0.15, 0.09, 0.11), INK)


@prop("indoors", "outdoors")
def pumpkin(pen: Pen, rng: Random) -> None:
    """Draw a pumpkin, often carved."""
    pen.line(curve([(0, -0.7), (0.05, -1), (0.25, -1.1)], 5), 0.2, "#4f7a3a")
    for x in (-0.6, 0.6, -0.3, 0.3, 0):
        pen.shape(oval(x, 0, 0.6, 0.8), "#ef8a33", 0.07)
    if rng.random() < 0.6:
        for x in (-0.4, 0.4):
            pen.fill([(x - 0.2, -0.1), (x + 0.2, -0.1), (x, -0.42)], "#3a2418")
        pen.fill(zigzag((-0.6, 0.2), (0.6, 0.2), 5, 0.16, (0, 1)), "#3a2418")


@prop("indoors", "outdoors", "stage", hangs=True, weight=2)
def balloon(pen: Pen, rng: Random) -> None:
    """Draw a balloon, sometimes with a smile printed on it."""
    rubber = rng.choice(CLOTH[:9])
    skin = [(0, -1), (0.75, -0.5), (0.7, 0.3), (0, 1), (-0.7, 0.3), (-0.75, -0.5)]
    pen.line(curve([(0, 1), (0.15, 1.8), (-0.1, 2.6)], 6), 0.05)
    pen.shape(loop(skin), rubber, 0.08)
    pen.line(arc(-0.2, -0.3, 0.35, 0.4, 180, 260), 0.1, lighten(rubber, 0.7))
    if rng.random() < 0.22:
        for x in (-0.25, 0.25):
            pen.fill(oval(x, -0.2, 0.09, 0.14), INK)
        pen.line(arc(0, 0.05, 0.35, 0.3, 20, 160), 0.08)


@prop("indoors", hangs=True)
def socket(pen: Pen, rng: Random) -> None:
    """Draw a power socket: two slits and a hole look astonished."""
    pen.shape(rectangle(-0.7, -1, 0.7, 1, 0.15), "#fffbee", 0.08)
    for y in (-0.45, 0.45):
        for x in (-0.22, 0.22):
            pen.fill(rectangle(x - 0.07, y - 0.22, x + 0.07, y + 0.06), INK)
        pen.fill(oval(0, y + 0.22, 0.11), INK)
