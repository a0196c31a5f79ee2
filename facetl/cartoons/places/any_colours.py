"""Backgrounds in any colours and patterns, independent of who stands before them."""

from __future__ import annotations

import math
from random import Random

from facetl.cartoons.colours import Colour, any_colour, darken, lighten, mix, object_colour
from facetl.cartoons.lettering import random_words, write
from facetl.cartoons.paths import arc, cloud, curve, join, loop, oval, rectangle
from facetl.cartoons.pen import HEIGHT, WIDTH, Pen
from facetl.cartoons.places.place import place
from facetl.cartoons.props import PROPS

ANY_COLOURS = "any colours"
"""The group of these places."""

_FLOOR = 270.0
_FRAME = rectangle(0, 0, WIDTH, HEIGHT)


def _two_colours(rng: Random) -> tuple[Colour, Colour]:
    """Return two colours: unlike, or shades of one."""
    one = any_colour(rng, (0, 0.9), (0.15, 1))
    if rng.random() < 0.5:
        return one, any_colour(rng, (0, 0.9), (0.15, 1))
    return one, rng.choice([darken, lighten])(one, rng.uniform(0.1, 0.5))


@place("stage", weight=2, group=ANY_COLOURS)
def one_colour(pen: Pen, rng: Random) -> float:
    """Paint everything in one colour, or one that fades."""
    top, bottom = _two_colours(rng)
    pen.fill(_FRAME, top, fade_to=bottom if rng.random() < 0.6 else None)
    return _FLOOR


@place("indoors", weight=2, group=ANY_COLOURS)
def wall_and_floor(pen: Pen, rng: Random) -> float:
    """Draw a wall and a floor, and rectangles on the wall."""
    wall, floor = _two_colours(rng)
    foot = rng.uniform(200, 300)
    pen.fill(_FRAME, wall, fade_to=mix(wall, floor, rng.uniform(0, 0.4)))
    for _ in range(rng.randrange(5)):
        x, y = rng.uniform(-20, WIDTH), rng.uniform(0, foot - 60)
        panel = rectangle(x, y, x + rng.uniform(30, 140), min(foot, y + rng.uniform(30, 140)))
        pen.shape(panel, object_colour(rng, wall, floor), 1.5)
    pen.fill(rectangle(0, foot, WIDTH, HEIGHT), floor)
    pen.line([(0, foot), (WIDTH, foot)], rng.uniform(1, 4), darken(floor, 0.5))
    return foot


@place("stage", group=ANY_COLOURS)
def bands(pen: Pen, rng: Random) -> float:
    """Draw stripes at any angle."""
    one, other = _two_colours(rng)
    pen.fill(_FRAME, one)
    width = rng.uniform(8, 70)
    turned = pen.at(WIDTH / 2, HEIGHT / 2, turn=rng.choice([0, 90, rng.uniform(0, 180)]))
    for i in range(-int(320 / width), int(320 / width) + 1):
        turned.fill(rectangle(i * width, -320, (i + 0.5) * width, 320), other)
    return _FLOOR


@place("stage", group=ANY_COLOURS)
def spots(pen: Pen, rng: Random) -> float:
    """Draw spots in rows or anywhere, as large as heads or as small as eyes."""
    ground, paint = _two_colours(rng)
    pen.fill(_FRAME, ground)
    radius = math.exp(rng.uniform(math.log(7), math.log(60)))
    step, in_rows = radius * rng.uniform(2.3, 4), rng.random() < 0.5
    for row in range(int(HEIGHT / step) + 1):
        for column in range(int(WIDTH / step) + 1):
            x, y = (column + row % 2 / 2) * step, row * step
            if not in_rows:
                x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
            pen.fill(oval(x, y, radius, steps=20), paint if in_rows else object_colour(rng, paint))
    return _FLOOR


@place("stage", group=ANY_COLOURS)
def shapes(pen: Pen, rng: Random) -> float:
    """Draw polygons, ovals and blots over each other."""
    pen.fill(_FRAME, any_colour(rng))
    for _ in range(rng.randrange(6, 36)):
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
        size, corners = math.exp(rng.uniform(math.log(8), math.log(120))), rng.randrange(3, 8)
        points = [
            (x + rng.uniform(-1, 1) * size, y + rng.uniform(-1, 1) * size) for _ in range(corners)
        ]
        form = points if rng.random() < 0.5 else loop(points, 5)
        pen.fill(form, any_colour(rng))
        if rng.random() < 0.4:
            pen.line(form, rng.uniform(1, 3), closed=True)
    return _FLOOR


@place("outdoors", weight=2, group=ANY_COLOURS)
def hills(pen: Pen, rng: Random) -> float:
    """Draw hills behind hills under a sky, with round trees or bushes."""
    sky, land = _two_colours(rng)
    pen.fill(_FRAME, sky, fade_to=object_colour(rng, lighten(sky, 0.4)))
    layers, y = rng.randrange(1, 4), 150.0
    for i in range(layers):
        y = 150 + 90 * i / layers + rng.uniform(-20, 20)
        tops = [(x, y + rng.uniform(-35, 35)) for x in range(0, WIDTH + 1, 80)]
        colour = mix(sky, land, (i + 1) / layers)
        pen.fill(join(curve(tops, 8), [(WIDTH, HEIGHT), (0, HEIGHT)]), colour)
        for _ in range(rng.randrange(4)):
            x, size = rng.uniform(0, WIDTH), rng.uniform(14, 60)
            pen.soft(colour).shape(
                cloud(x, y - size * 0.4, size, size * 0.9, 9), object_colour(rng, colour), 1.6
            )
    return y + 20


@place("outdoors", group=ANY_COLOURS)
def snow(pen: Pen, rng: Random) -> float:
    """Draw a snowy wood."""
    sky = object_colour(rng, "#bcd4e6", "#4a5a8a", "#e6e9f2")
    pen.fill(_FRAME, sky, fade_to=lighten(sky, 0.5))
    white = rng.choice(["#f4f8fb", "#dfe9f2", "#c9d6e6"])
    pen.fill(
        join(
            curve([(0, 235), (160, 215), (330, 240), (WIDTH, 222)], 8),
            [(WIDTH, HEIGHT), (0, HEIGHT)],
        ),
        white,
    )
    trees = sorted((rng.uniform(180, 300), rng.uniform(0, WIDTH)) for _ in range(9))
    for y, x in trees:
        PROPS["snowy_tree"].draw(pen.at(x, y - 30, y / 6), rng)
    return 240


@place("outdoors", group=ANY_COLOURS)
def rocks(pen: Pen, rng: Random) -> float:
    """Draw a wall of stones, as in a cave, a quarry or a castle."""
    grey = object_colour(rng, "#9a9aa6", "#a88f74", "#6f6a7a")
    pen.fill(_FRAME, darken(grey, 0.5))
    step, joint = rng.uniform(34, 80), pen.soft(grey)
    regular = rng.random() < 0.4
    for row in range(int(HEIGHT / (step * 0.6)) + 2):
        for column in range(-1, int(WIDTH / step) + 2):
            x, y = (column + row % 2 / 2) * step, row * step * 0.6
            colour = mix(grey, any_colour(rng), rng.uniform(0, 0.25))
            brick = rectangle(x, y, x + step - 3, y + step * 0.6 - 3, 3)
            joint.shape(brick if regular else brick + rng.uniform(-5, 5), colour, 1.4)
    return _FLOOR


@place("outdoors", group=ANY_COLOURS)
def windows(pen: Pen, rng: Random) -> float:
    """Draw houses full of windows, by day or by night."""
    sky, lit = any_colour(rng, (0, 0.8), (0.1, 1)), object_colour(rng, "#ffe9a0", "#b9dbe8")
    pen.fill(_FRAME, sky, fade_to=object_colour(rng, sky))
    x = -10.0
    while x < WIDTH:
        width, top, wall = rng.uniform(50, 130), rng.uniform(10, 170), object_colour(rng)
        pen.shape(rectangle(x, top, x + width, HEIGHT), wall, 1.6)
        step, form = rng.uniform(24, 50), rng.choice([0.0, 0.0, 0.4])
        for row in range(int((280 - top) / step)):
            for column in range(int((width - 8) / step)):
                left, high = x + 8 + column * step, top + 8 + row * step
                pane = rectangle(left, high, left + step * 0.6, high + step * 0.7, step * form)
                pen.shape(pane, lit if rng.random() < 0.6 else darken(wall, 0.5), 1)
        x += width
    pen.fill(rectangle(0, 290, WIDTH, HEIGHT), object_colour(rng, "#9a9aa6"))
    return 290


@place("indoors", group=ANY_COLOURS)
def shelves(pen: Pen, rng: Random) -> float:
    """Draw shelves with books, jars and boxes."""
    wood = object_colour(rng, "#a9714b", "#6b4b3a")
    pen.fill(_FRAME, darken(wood, 0.4))
    rows = rng.randrange(2, 5)
    for row in range(rows):
        foot, x = HEIGHT * (row + 1) / rows, 2.0
        room = HEIGHT / rows - 10
        while x < WIDTH:
            width, high = rng.uniform(8, 40), room * rng.uniform(0.5, 0.95)
            form = rectangle(x, foot - high, x + width, foot, rng.choice([0, 2, width / 2]))
            pen.shape(form, object_colour(rng), 1.3)
            x += width + rng.choice([1, 1, 14])
        pen.shape(rectangle(-2, foot - 3, WIDTH + 2, foot + 5), wood, 1.3)
    return 280


@place("stage", group=ANY_COLOURS)
def page(pen: Pen, rng: Random) -> float:
    """Draw a page full of words, of one size or several."""
    paper, ink = _two_colours(rng)
    pen.fill(_FRAME, paper)
    y = rng.uniform(5, 20)
    while y < HEIGHT:
        size = rng.choice([7, 7, 9, 20])
        text = random_words(rng, 1 + int(100 / size / 3))
        write(pen.at(WIDTH / 2 + rng.uniform(-40, 40), y, size), text, rng.uniform(0.2, 0.4), ink)
        y += size * 2.8
    return _FLOOR


@place("stage", group=ANY_COLOURS)
def clutter(pen: Pen, rng: Random) -> float:
    """Heap up things of all kinds, none of them a face, in sizes from eyes to heads."""
    pen.fill(_FRAME, any_colour(rng))
    things = [each.draw for each in PROPS.values()]
    for _ in range(rng.randrange(10, 26)):
        scale = math.exp(rng.uniform(math.log(12), math.log(80)))
        here = pen.at(rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), scale, rng.gauss(0, 25))
        rng.choice(things)(here, rng)
    return _FLOOR


@place("outdoors", group=ANY_COLOURS)
def water(pen: Pen, rng: Random) -> float:
    """Draw a sea, sand or a sky of clouds, in waves."""
    far, near = _two_colours(rng)
    pen.fill(_FRAME, far, fade_to=near)
    line, lowest = mix(near, "#ffffff", 0.4), rng.uniform(60, 200)
    for _ in range(rng.randrange(8, 30)):
        x, y = rng.uniform(0, WIDTH), rng.uniform(lowest, HEIGHT)
        size = rng.uniform(10, 40) * y / HEIGHT
        pen.line(arc(x, y, size, size * 0.4, 180, 360), 1.5, line)
    return max(lowest, 220)


@place("stage", group=ANY_COLOURS)
def blots(pen: Pen, rng: Random) -> float:
    """Draw soft blots of light and shade, out of focus."""
    pen.fill(_FRAME, any_colour(rng))
    for _ in range(rng.randrange(5, 30)):
        x, y, size = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(15, 110)
        pen.fill(oval(x, y, size, size * rng.uniform(0.5, 1)), any_colour(rng))
    pen.canvas.blur(rng.uniform(3, 14))
    return _FLOOR


@place("outdoors", group=ANY_COLOURS)
def wood(pen: Pen, rng: Random) -> float:
    """Draw trunks with bare branches, the farther the paler."""
    air, bark = _two_colours(rng)
    pen.fill(_FRAME, air, fade_to=darken(air, 0.3))
    layers = rng.randrange(2, 4)
    for layer in range(layers):
        colour = mix(air, bark, (layer + 1) / layers)
        for _ in range(rng.randrange(2, 6)):
            _draw_trunk(pen.soft(colour), rng.uniform(0, WIDTH), rng.uniform(6, 26), colour, rng)
    pen.fill(
        join(curve([(0, 285), (200, 270), (WIDTH, 288)], 8), [(WIDTH, HEIGHT), (0, HEIGHT)]),
        darken(bark, 0.3),
    )
    return 280


def _draw_trunk(pen: Pen, x: float, thick: float, colour: Colour, rng: Random) -> None:
    lean = rng.uniform(-40, 40)
    left = curve([(x - thick * 1.5, 300), (x - thick * 0.8, 180), (x + lean - thick, -5)], 6)
    right = curve([(x + lean + thick, -5), (x + thick * 0.8, 180), (x + thick * 1.6, 300)], 6)
    for _ in range(rng.randrange(4)):
        y, side, reach = rng.uniform(10, 160), rng.choice([-1, 1]), rng.uniform(30, 110)
        branch = [(x + lean / 2, y + 30), (x + side * reach * 0.6, y), (x + side * reach, y - 40)]
        pen.line(curve(branch, 5), thick * 0.5, colour, taper=True)
    pen.shape(join(left, right), colour, 1.5)
    if rng.random() < 0.4:
        pen.shape(
            oval(x, rng.uniform(120, 220), thick * 0.5, thick * 0.7), darken(colour, 0.6), 1.4
        )


@place("indoors", group=ANY_COLOURS)
def planks(pen: Pen, rng: Random) -> float:
    """Draw a wall of boards with knots and nails."""
    timber = object_colour(rng, "#8a5a3a", "#a98a64", "#6d6a72")
    pen.fill(_FRAME, timber)
    width, ink = rng.uniform(26, 80), darken(timber, 0.5)
    for i in range(int(WIDTH / width) + 1):
        x = i * width
        shade = mix(timber, darken(timber), rng.uniform(0, 0.5))
        pen.shape(rectangle(x, -4, x + width, HEIGHT + 4), shade, 1.4, ink)
        for _ in range(rng.randrange(3)):
            knot = x + width * rng.uniform(0.25, 0.75), rng.uniform(10, HEIGHT)
            pen.line(oval(*knot, width * 0.1, width * 0.2), 1, ink, closed=True)
        for y in (30, HEIGHT - 40):
            pen.fill(oval(x + width / 2, y, 2, steps=8), ink)
    return _FLOOR


@place("indoors", group=ANY_COLOURS)
def laboratory(pen: Pen, rng: Random) -> float:
    """Draw a wall of pipes, dials, lamps and screens."""
    wall, metal = _two_colours(rng)
    pen.fill(_FRAME, wall, fade_to=darken(wall, 0.3))
    for _ in range(rng.randrange(3, 9)):
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, 270)
        bend = [(x, -10), (x, y), (rng.choice([-10, WIDTH + 10]), y)]
        pen.tube(bend, rng.uniform(6, 18), object_colour(rng, metal), 1.2)
    for _ in range(rng.randrange(4, 14)):
        x, y, size = rng.uniform(0, WIDTH), rng.uniform(0, 270), rng.uniform(6, 30)
        case = rng.choice([oval(x, y, size), rectangle(x, y, x + size * 2, y + size * 1.4, 3)])
        pen.shape(case, object_colour(rng, metal), 1.5)
        pen.shape(oval(x + size * 0.2, y + size * 0.3, size * 0.3), object_colour(rng), 1.2)
    pen.fill(rectangle(0, 275, WIDTH, HEIGHT), darken(metal, 0.3))
    return 275


@place("outdoors", group=ANY_COLOURS)
def grotto(pen: Pen, rng: Random) -> float:
    """Look through an arch of rock, or through two."""
    rock = object_colour(rng, "#8a7a6a", "#a88f74", "#6f6a7a", "#b07a5a")
    pen.fill(_FRAME, rock, fade_to=darken(rock, 0.3))
    for _ in range(rng.randrange(1, 3)):
        x, wide, top = rng.uniform(80, 400), rng.uniform(40, 130), rng.uniform(20, 140)
        arch = [
            (x - wide, 300),
            (x - wide * 0.9, top + 60),
            (x, top),
            (x + wide, top + 70),
            (x + wide * 1.05, 300),
        ]
        light = object_colour(rng, "#b7d0dd", "#2b2a3a", "#e6d9b8")
        pen.shape(loop(arch, 6), light, 2)
    for _ in range(rng.randrange(4, 14)):
        x, y, size = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(8, 40)
        pen.line(arc(x, y, size, size * 0.6, 190, 320), 1.6, darken(rock, 0.4))
    pen.fill(rectangle(0, 288, WIDTH, HEIGHT), mix(rock, object_colour(rng), 0.4))
    return 288
