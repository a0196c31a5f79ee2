"""Streets and gardens under a sky."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from facetl.cartoons.colours import INK, Colour, darken
from facetl.cartoons.paths import arc, cloud, curve, join, oval, rectangle
from facetl.cartoons.pen import HEIGHT, WIDTH, Pen
from facetl.cartoons.places.place import place

_NIGHT = ("#25315e", "#5a4b8c")
_SKIES = (
    ("#8fd3f4", "#e6f7fd"),
    ("#ffd59e", "#ff9a8b"),
    _NIGHT,
    ("#b8e0d2", "#f5f5dc"),
    ("#f7b2ad", "#fde2c4"),
    ("#74b9e0", "#bfe3f2"),
)
_GRASS = ("#8cc06a", "#6fae62", "#b5c96a", "#e8cf8e", "#9aa87a")
_HOUSES = ("#e9c46a", "#e07a5f", "#81b29a", "#f2cc8f", "#8fb8de", "#c9ada7")
_FENCES = ("#e3b97f", "#dfb277", "#e7c08a")
_LEAVES = ("#5fa35a", "#7dbb5e", "#e08e45")


@dataclass(frozen=True)
class _Ground:
    """The height at which the ground begins, its colour, and whether it is night."""

    y: float
    colour: Colour
    night: bool

    def lit(self, colour: Colour, shade: float = 0.4, daylight_shade: float = 0.0) -> Colour:
        """Return the colour as it looks at this time of day."""
        return darken(colour, shade if self.night else daylight_shade)


@place("outdoors", weight=2)
def street(pen: Pen, rng: Random) -> float:
    """Draw a row of houses along a pavement."""
    ground = _open_air(pen, rng)
    _draw_town(pen.soft(ground.colour), ground, rng)
    y = ground.y
    pen.fill(rectangle(0, y, WIDTH, HEIGHT), "#9a9aa6")
    pen.fill(rectangle(0, y, WIDTH, y + 12), "#c9c9cf")
    pen.line([(0, y + 12), (WIDTH, y + 12)], 1.6, "#62626e")
    return y


@place("outdoors", weight=2)
def garden(pen: Pen, rng: Random) -> float:
    """Draw trees and grass behind a fence."""
    ground = _open_air(pen, rng)
    _draw_fence(pen.soft(ground.colour), ground, rng)
    _draw_meadow(pen, ground, rng)
    return ground.y


@place("outdoors", weight=2)
def meadow(pen: Pen, rng: Random) -> float:
    """Draw trees and grass in the open."""
    ground = _open_air(pen, rng)
    _draw_meadow(pen, ground, rng)
    return ground.y


def _open_air(pen: Pen, rng: Random) -> _Ground:
    """Draw the sky and the hills on the horizon."""
    sky, y = rng.choice(_SKIES), rng.uniform(190, 270)
    night = sky == _NIGHT
    pen.fill(rectangle(0, 0, WIDTH, HEIGHT), sky[0], fade_to=sky[1])
    (_draw_night_sky if night else _draw_day_sky)(pen, rng)
    grass = rng.choice(_GRASS)
    ground = _Ground(y, darken(grass, 0.45) if night else grass, night)
    peaks = [(120, y - rng.uniform(10, 60)), (260, y - 5), (380, y - rng.uniform(10, 50))]
    horizon = curve([(0, y - 10), *peaks, (WIDTH, y - 8)], 8)
    pen.fill(join(horizon, [(WIDTH, HEIGHT), (0, HEIGHT)]), darken(ground.colour, 0.15))
    return ground


def _draw_night_sky(pen: Pen, rng: Random) -> None:
    for _ in range(50):
        star = oval(rng.uniform(0, WIDTH), rng.uniform(0, 180), rng.uniform(0.8, 2.2), steps=8)
        pen.fill(star, "#fffbe0")
    x = rng.uniform(40, 440)
    pen.fill(oval(x, 60, 30), "#fbf3c7")
    for dx, dy, radius in ((-8, -6, 6), (9, 4, 8), (-4, 12, 4)):
        pen.fill(oval(x + dx, 60 + dy, radius), "#e6d9a0")


def _draw_day_sky(pen: Pen, rng: Random) -> None:
    if rng.random() < 0.6:
        _draw_sun(pen, rng.uniform(30, 450), smiling=rng.random() < 0.25)
    for _ in range(rng.randrange(1, 5)):
        x, y, size = rng.uniform(0, WIDTH), rng.uniform(15, 110), rng.uniform(14, 30)
        puffs = join(
            arc(x, y, size * 1.1, size * 0.8, 180, 360, 12),
            arc(x + size * 1.4, y + 2, size * 0.8, size * 0.5, 220, 450, 10),
            arc(x - size * 1.3, y + 2, size * 0.7, size * 0.45, 90, 320, 10),
        )
        pen.fill(puffs, "#ffffff", alpha=0.9)


def _draw_sun(pen: Pen, x: float, *, smiling: bool) -> None:
    pen.fill(oval(x, 55, 30), "#fff1b8")
    pen.fill(oval(x, 55, 22), "#ffd94a")
    if smiling:
        for dx in (-7, 7):
            pen.fill(oval(x + dx, 51, 2.6, 3.8), INK)
        pen.line(arc(x, 54, 11, 9, 25, 155), 2)


def _draw_town(pen: Pen, ground: _Ground, rng: Random) -> None:
    x = -10.0
    while x < WIDTH:
        width, height = rng.uniform(46, 90), rng.uniform(60, 170)
        wall = ground.lit(rng.choice(_HOUSES), daylight_shade=0.05)
        pen.shape(rectangle(x, ground.y - height, x + width, ground.y + 8), wall, 1.8)
        for column in range(int(width // 22)):
            for row in range(int(height // 30)):
                left, top = x + 7 + 22 * column, ground.y - height + 10 + 30 * row
                lamp = ground.night and rng.random() < 0.5
                pane = rectangle(left, top, left + 13, top + 18)
                pen.shape(pane, "#ffe9a0" if lamp else "#b9dbe8", 1.1)
        x += width


def _draw_fence(pen: Pen, ground: _Ground, rng: Random) -> None:
    low, high = ground.y + 6, ground.y - 52
    for x in range(-5, WIDTH, 26):
        board = [(x, low), (x, high), (x + 11, high - 12), (x + 22, high), (x + 22, low)]
        pen.shape(board, ground.lit(rng.choice(_FENCES), 0.35), 1.5)


def _draw_meadow(pen: Pen, ground: _Ground, rng: Random) -> None:
    for _ in range(rng.randrange(1, 4)):
        _draw_tree(pen.soft(ground.colour), ground, rng.uniform(0, WIDTH), rng)
    y = ground.y
    edge = curve([(0, y + 4), (WIDTH / 2, y - 4), (WIDTH, y + 6)], 8)
    pen.fill(join(edge, [(WIDTH, HEIGHT), (0, HEIGHT)]), ground.colour)
    for _ in range(26):
        x, root = rng.uniform(0, WIDTH), rng.uniform(y + 12, HEIGHT)
        tuft = [(x - 4, root - 6), (x, root), (x + 3, root - 7)]
        pen.line(tuft, 0.9, darken(ground.colour, 0.3))


def _draw_tree(pen: Pen, ground: _Ground, x: float, rng: Random) -> None:
    here = pen.at(x, ground.y, rng.uniform(0.7, 1.5))
    here.shape([(-7, 8), (-5, -60), (5, -60), (8, 8)], ground.lit("#7a5236"), 1.8)
    here.shape(cloud(0, -88, 46, 40, 9), ground.lit(rng.choice(_LEAVES)), 2)
