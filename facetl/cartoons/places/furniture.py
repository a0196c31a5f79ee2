"""What is built into a room or stands along its wall."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from facetl.cartoons.colours import CLOTH, Colour, darken, lighten, mix
from facetl.cartoons.paths import curve, join, oval, rectangle
from facetl.cartoons.pen import Pen
from facetl.cartoons.places.walls import RoomColours
from facetl.cartoons.props.household import flask, plant, radio

FurnitureDrawer = Callable[[Pen, RoomColours, float, Random], None]
"""Draws with the pen, in the room's colours, on the foot of the wall."""

_NIGHT = "#2c3660"


def draw_window(pen: Pen, colours: RoomColours, rng: Random) -> None:
    """Draw a window with a view, perhaps with curtains."""
    x, y = rng.uniform(30, 330), rng.uniform(20, 50)
    width, height = rng.uniform(80, 150), rng.uniform(70, 110)
    glass = rectangle(x, y, x + width, y + height)
    frame = rectangle(x - 8, y - 8, x + width + 8, y + height + 8)
    sky = rng.choice(["#bfe7f5", "#fbd9a8", _NIGHT])
    hill = oval(x + width * 0.3, y + height + 10, width * 0.5, height * 0.45)
    pen.shape(frame, lighten(colours.wall, 0.6), 2)
    pen.fill(glass, sky)
    pen.fill(hill, "#28433f" if sky == _NIGHT else "#7fb069", clip=glass)
    pen.fill(oval(x + width * 0.75, y + height * 0.3, 12), "#fff6d5", clip=glass)
    pen.line(glass, 2, closed=True)
    pen.line([(x + width / 2, y), (x + width / 2, y + height)], 3)
    pen.line([(x, y + height / 2), (x + width, y + height / 2)], 3)
    if rng.random() < 0.6:
        _draw_curtains(pen, x, y, width, height, rng.choice(CLOTH))


def _draw_curtains(
    pen: Pen, x: float, y: float, width: float, height: float, cloth: Colour
) -> None:
    middle, top, bottom = x + width / 2, y - 14, y + height + 14
    for side in (-1, 1):
        outer, inner = middle + side * (width / 2 + 16), middle + side * width * 0.06
        waist = (middle + side * width * 0.46, y + height * 0.62)
        swag = curve([(inner, top), (middle + side * width * 0.26, y + height * 0.42), waist], 6)
        hem = [(middle + side * width * 0.36, bottom), (outer, bottom)]
        pen.shape(join([(outer, top)], swag, hem), cloth, 1.6)
        pen.line([waist, (outer, waist[1] - 3)], 3)


# ---- on the wall and against it


def _door(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    x = rng.uniform(10, 380)
    pen.shape(rectangle(x, foot - 190, x + 86, foot), _wood(colours, rng), 2)
    pen.line(rectangle(x + 14, foot - 172, x + 72, foot - 104), 1.4, closed=True)
    pen.line(rectangle(x + 14, foot - 88, x + 72, foot - 16), 1.4, closed=True)
    pen.shape(oval(x + 75, foot - 92, 5), "#f4c552", 1.4)


def _lockers(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    steel = _wood(colours, rng)
    for x in range(0, 56 * rng.randrange(4, 9), 56):
        pen.shape(rectangle(x, foot - 170, x + 54, foot), steel, 1.8)
        for slit in range(3):
            y = foot - 150 + 9 * slit
            pen.line([(x + 14, y), (x + 40, y)], 1.6)
        pen.fill(rectangle(x + 44, foot - 92, x + 48, foot - 78), darken(steel, 0.6))


def _shelf(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    x, wood = rng.uniform(10, 370), _wood(colours, rng)
    pen.shape(rectangle(x, foot - 180, x + 110, foot), wood, 2)
    for board in (foot - 122, foot - 64, foot - 6):
        pen.fill(rectangle(x + 7, board - 50, x + 103, board), darken(wood, 0.35))
        spine = x + 9
        while spine < x + 92:
            thick, tall = min(rng.uniform(6, 13), x + 102 - spine), rng.uniform(26, 44)
            book = rectangle(spine, board - tall, spine + thick, board)
            pen.shape(book, rng.choice(CLOTH), 1.1)
            spine += thick + rng.choice([0, 0, 6])


def _blackboard(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    x = rng.uniform(70, 340)
    pen.shape(rectangle(x - 60, 30, x + 130, 140), "#3f6b57", 3.5, "#8a5a3a")
    for y in (50, 72, 94, 116):
        start, bump = x - 40 + rng.uniform(0, 40), y - 6 + rng.uniform(-4, 8)
        chalk = [(start, y), (x + 20, bump), (x + 60 + rng.uniform(0, 50), y + 2)]
        pen.line(curve(chalk, 5), 1.6, "#e8f0e8")


def _machine(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    x = rng.uniform(50, 340)
    metal = mix(_wood(colours, rng), "#8fa6b5", 0.6)
    pen.shape(rectangle(x - 40, foot - 170, x + 130, foot, 10), metal, 2.2)
    pen.shape(rectangle(x - 24, foot - 150, x + 50, foot - 96, 12), "#24435c", 2.2)
    wave = curve([(-20, -122), (-5, -136), (8, -108), (24, -130), (46, -122)], 6)
    pen.at(x, foot).line(wave, 2, "#7be0d0")
    for i in range(6):
        lamp = oval(x + 72 + 20 * (i % 3), foot - 142 + 20 * (i // 3), 7)
        pen.shape(lamp, rng.choice(["#e4572e", "#f3d34a", "#7bd389", "#f4efe0"]), 1.5)
    for y in range(-70, -22, 12):
        pen.line([(x - 20, foot + y), (x + 110, foot + y)], 2.2)


FITTINGS: tuple[FurnitureDrawer, ...] = (_door, _lockers, _shelf, _blackboard, _machine)


def _wood(colours: RoomColours, rng: Random) -> Colour:
    return mix(colours.accent, rng.choice(CLOTH), 0.4)


# ---- in front of the wall


def _sofa(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    x, width, cloth = rng.uniform(20, 260), rng.uniform(170, 240), rng.choice(CLOTH[:11])
    right, middle = x + width, x + width / 2
    for leg in (x + 14, right - 14):
        pen.line([(leg, foot + 44), (leg, foot + 62)], 6, darken(colours.floor, 0.6))
    pen.shape(rectangle(x, foot - 62, right, foot + 40, 22), cloth, 2.2)
    pen.line([(middle, foot - 58), (middle, foot)], 1.8)
    for start, end in ((x + 16, middle), (middle, right - 16)):
        seat = rectangle(start, foot - 4, end, foot + 26, 10)
        pen.shape(seat, lighten(cloth, 0.15), 1.8)
    pen.shape(rectangle(x + 4, foot + 20, right - 4, foot + 46, 8), darken(cloth, 0.15), 2)
    for end in (x, right):
        armrest = rectangle(end - 16, foot - 26, end + 16, foot + 48, 14)
        pen.shape(armrest, darken(cloth, 0.15), 2.2)
    if rng.random() < 0.5:
        cushion = pen.at(x + width * 0.3, foot - 16, 24, turn=20)
        cushion.shape(rectangle(-1, -1, 1, 1, 0.3), rng.choice(CLOTH), 0.08)


def _counter(pen: Pen, colours: RoomColours, foot: float, rng: Random) -> None:
    x, width, paint = rng.uniform(-30, 200), rng.uniform(170, 300), rng.choice(CLOTH[:11])
    doors = int(width // 56)
    step = (width - 6) / doors
    pen.shape(rectangle(x, foot - 70, x + width, foot + 24), paint, 2)
    for i in range(doors):
        left, right = x + 6 + step * i, x + step * (i + 1)
        pen.line(rectangle(left, foot - 58, right, foot + 12, 4), 1.6, closed=True)
        pen.fill(oval(right - 10, foot - 26, 3.5), "#f4efe0")
    top = rectangle(x - 6, foot - 80, x + width + 6, foot - 68, 3)
    pen.shape(top, lighten(colours.floor, 0.45), 2)
    for _ in range(rng.randrange(1, 4)):
        spot = rng.uniform(x + 20, x + width - 20)
        thing, height = rng.choice([(flask, 12), (plant, 15), (radio, 10)])
        thing(pen.at(spot, foot - 80 - height, 14), rng)


COUNTERS_AND_SOFAS: tuple[FurnitureDrawer, ...] = (_sofa, _sofa, _sofa, _counter, _counter)
