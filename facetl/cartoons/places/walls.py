"""Walls and their papers; ``@wallpaper("name")`` adds one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from facetl.cartoons.colours import CLOTH, Colour, darken, mix
from facetl.cartoons.paths import loop, oval, rectangle
from facetl.cartoons.pen import WIDTH, Pen
from facetl.registry import Registry


@dataclass(frozen=True)
class RoomColours:
    """The colours of a room."""

    wall: Colour
    accent: Colour
    floor: Colour

    @property
    def print(self) -> Colour:
        """The colour of what is printed on the wallpaper."""
        return mix(self.wall, self.accent, 0.35)


# fmt: off
ROOMS = tuple(RoomColours(*colours) for colours in (
    ("#f2d0a9", "#d88c6b", "#9c6644"), ("#a8dadc", "#457b9d", "#c9b79c"),
    ("#ffe8a3", "#f4a259", "#8c5e58"), ("#cdb4db", "#7b6d9c", "#6d597a"),
    ("#b7e4c7", "#52b788", "#b08968"), ("#f8c8c4", "#d1495b", "#7f5539"),
    ("#e9edc9", "#a3b18a", "#bc8a5f"), ("#8ecae6", "#219ebc", "#3d5a80"),
    ("#dad7cd", "#8d99ae", "#6c757d"), ("#ffd6e0", "#c77dff", "#9d8189"),
    ("#5e7ea6", "#2f4468", "#39405a"), ("#7a9e87", "#40635a", "#5b4636"),
    ("#e8b04a", "#b5651d", "#6b3e26"), ("#f5f0e1", "#c9c2ae", "#a39a84"),
))
# fmt: on

wallpaper: Registry[Callable[[Pen, RoomColours, float, Random], None]] = Registry()
"""Drawing functions that are given the pen, the colours, the foot of the wall, and the
random generator."""


def draw_wall(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    """Paint a wall from the top of the frame down to its foot, and paper it."""
    shaded = colours.print if rng.random() < 0.5 else None
    pen.fill(rectangle(0, 0, WIDTH, foot), colours.wall, fade_to=shaded)
    wallpaper[rng.choice(list(wallpaper))](pen, colours, foot, rng)


@wallpaper("plain")
@wallpaper("bare")
def _plain(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    pass


@wallpaper("stripes")
def _stripes(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    width = WIDTH / rng.randrange(6, 16)
    for i in range(round(WIDTH / width)):
        pen.fill(rectangle(i * width, 0, (i + 0.5) * width, foot), colours.print)


@wallpaper("dots")
def _dots(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    step = rng.randrange(24, 56)
    for row, y in enumerate(range(step // 2, int(foot), step)):
        for x in range(0, WIDTH + step, step):
            pen.fill(
                oval(x + (step / 2 if row % 2 else 0), y, step * 0.16, steps=14), colours.print
            )


@wallpaper("diamonds")
def _diamonds(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    step = rng.randrange(36, 70)
    tall, wide = step * 0.4, step * 0.22
    for y in range(0, int(foot) + step, step):
        for x in range(0, WIDTH + step, step):
            pen.fill([(x, y - tall), (x + wide, y), (x, y + tall), (x - wide, y)], colours.print)


@wallpaper("panel")
def _panel(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    top = foot * 0.62
    pen.fill(rectangle(0, top, WIDTH, foot), colours.print)
    pen.line([(0, top), (WIDTH, top)], 2, darken(colours.print))


@wallpaper("tiles")
def _tiles(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    step = rng.randrange(26, 50)
    for y in range(0, int(foot), step):
        pen.line([(0, y), (WIDTH, y)], 0.9, colours.print)
    for x in range(0, WIDTH, step):
        pen.line([(x, 0), (x, foot)], 0.9, colours.print)


@wallpaper("boomerangs")
def _boomerangs(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    step = rng.randrange(48, 80)
    tints = [mix(colours.print, cloth, 0.25) for cloth in rng.sample(CLOTH, 3)]
    boomerang = loop([(-1, 0), (0, -0.5), (1, 0.4), (0.9, 0.6), (0, 0), (-0.9, 0.3)])
    for row, y in enumerate(range(step // 2, int(foot), step)):
        for column, x in enumerate(range(0, WIDTH + step, step)):
            shift = step / 2 if row % 2 else 0
            here = pen.at(x + shift, y, step * 0.2, turn=rng.uniform(0, 360))
            here.fill(boomerang, tints[(row + column) % 3])
