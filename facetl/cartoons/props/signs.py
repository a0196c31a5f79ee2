"""Letters, words, dials, pages: flat things whose marks may resemble features of a face."""

from __future__ import annotations

from random import Random

from facetl.cartoons.colours import CLOTH, INK, PAPER, WHITE, any_colour, darken, object_colour
from facetl.cartoons.lettering import ALPHABET, length_of, letter, random_words, write
from facetl.cartoons.paths import arc, as_path, curve, loop, mirror, oval, polar, rectangle
from facetl.cartoons.pen import Pen
from facetl.cartoons.props.prop import prop

SIGNS = "signs"
"""The group of these props."""


@prop("indoors", "outdoors", "stage", hangs=True, weight=2, group=SIGNS)
def big_letter(pen: Pen, rng: Random) -> None:
    """Draw a letter or a digit as large as a head."""
    glyph, colour = rng.choice(ALPHABET + "0123456789?!"), object_colour(rng, *CLOTH)
    rim = rng.choice([INK, WHITE, object_colour(rng)])
    letter(pen.at(turn=rng.gauss(0, 10)), glyph, rng.uniform(0.25, 0.6), colour, rim)


@prop("indoors", "outdoors", "stage", hangs=True, size=1.4, weight=2, group=SIGNS)
def big_word(pen: Pen, rng: Random) -> None:
    """Draw a word, perhaps on a board."""
    text = random_words(rng, 1)[:6]
    here = pen.at(scale=2.4 / length_of(text), turn=rng.gauss(0, 6))
    if rng.random() < 0.6:
        half = length_of(text) / 2 + 0.5
        here.shape(rectangle(-half, -1.7, half, 1.7, 0.3), object_colour(rng, *CLOTH), 0.12)
    write(here, text, rng.uniform(0.25, 0.55), any_colour(rng), rng.choice([None, INK, WHITE]))


@prop("outdoors", "indoors", size=1.2, group=SIGNS)
def road_sign(pen: Pen, rng: Random) -> None:
    """Draw a sign on a post."""
    pen.line([(0, 0.6), (0, 2.6)], 0.14, "#8d8f99")
    round_one, square = oval(0, 0, 0.9), rectangle(-0.85, -0.85, 0.85, 0.85, 0.1)
    octagon = as_path([polar(0, 0, 1, 22.5 + 45 * i) for i in range(8)])
    triangle = as_path([(0, -0.95), (0.95, 0.7), (-0.95, 0.7)])
    pen.shape(rng.choice([round_one, square, octagon, triangle]), object_colour(rng, *CLOTH), 0.09)
    if rng.random() < 0.5:
        pen.fill(rectangle(-0.5, -0.12, 0.5, 0.18), WHITE)
    else:
        letter(pen.at(0, 0.08, 0.4), rng.choice(ALPHABET + "!?"), 0.4, rng.choice([INK, WHITE]))


@prop("outdoors", size=1.3, group=SIGNS)
def signpost(pen: Pen, rng: Random) -> None:
    """Draw a wooden board with a word or lines."""
    wood = object_colour(rng, "#b98b4b", "#8a5a3a", "#e3b97f")
    pen.shape(rectangle(-0.12, 0.2, 0.12, 1.9), darken(wood, 0.2), 0.06)
    pen.shape(loop([(-1.1, -0.6), (1, -0.7), (1.1, 0.4), (-1, 0.5)], 3), wood, 0.08)
    text = random_words(rng, 1)[:5]
    write(pen.at(0, -0.1, 1.5 / length_of(text)), text, 0.35, INK)


@prop("indoors", "outdoors", group=SIGNS)
def notebook(pen: Pen, rng: Random) -> None:
    """Draw a notebook or a page with lines, its rings or holes along an edge."""
    cover, pen = object_colour(rng, *CLOTH), pen.at(turn=rng.uniform(-20, 20))
    is_page = rng.random() < 0.5
    pen.shape(rectangle(-0.8, -1, 0.8, 1, 0.06), PAPER if is_page else cover, 0.08)
    for i in range(6):
        y = -0.8 + 0.32 * i
        if is_page:
            pen.line([(-0.5, y), (rng.uniform(0.2, 0.7), y)], 0.05, any_colour(rng))
        pen.fill(oval(-0.68, y, 0.07), INK)
    if not is_page:
        pen.shape(rectangle(-0.4, -0.6, 0.6, -0.1, 0.05), PAPER, 0.05)
        write(pen.at(0.1, -0.35, 0.13), random_words(rng, 1)[:4], 0.35, INK)


@prop("indoors", "outdoors", "stage", hangs=True, group=SIGNS)
def dial(pen: Pen, rng: Random) -> None:
    """Draw a clock, a gauge or a target of any colours."""
    pen.shape(oval(0, 0, 1), object_colour(rng, *CLOTH), 0.1)
    pen.shape(oval(0, 0, rng.uniform(0.6, 0.85)), object_colour(rng, PAPER), 0.05)
    kind = rng.randrange(3)
    if kind == 0:
        for _ in range(2):
            pen.line([(0, 0), polar(0, 0, rng.uniform(0.35, 0.6), rng.uniform(0, 360))], 0.1)
        pen.fill(oval(0, 0, 0.1), INK)
    elif kind == 1:
        for radius in (0.5, 0.25):
            pen.shape(oval(0, 0, radius), object_colour(rng, *CLOTH), 0.05)
    else:
        for hour in range(rng.choice([4, 8, 12])):
            pen.fill(oval(*polar(0, 0, 0.55, 30 * hour), 0.06), INK)


@prop("indoors", "stage", group=SIGNS)
def keypad(pen: Pen, rng: Random) -> None:
    """Draw a telephone, a remote control or a panel of buttons."""
    columns, rows = rng.choice([(2, 3), (3, 3), (3, 4), (2, 2), (4, 4)])
    pen.shape(rectangle(-0.8, -1, 0.8, 1, 0.15), object_colour(rng, "#3b3640", *CLOTH), 0.08)
    radius = 0.5 / max(columns, rows)
    lamp = object_colour(rng, *CLOTH)
    for column in range(columns):
        for row in range(rows):
            x = (column - (columns - 1) / 2) * 1.3 / columns
            y = (row - (rows - 1) / 2) * 1.6 / rows
            pen.shape(oval(x, y, radius), lamp if rng.random() < 0.7 else WHITE, 0.04)


@prop("indoors", "outdoors", "stage", group=SIGNS)
def block(pen: Pen, rng: Random) -> None:
    """Draw a toy block with a letter."""
    wood = object_colour(rng, *CLOTH)
    pen.shape([(0.8, -0.8), (1.1, -1.05), (1.1, 0.55), (0.8, 0.8)], darken(wood, 0.3), 0.07)
    pen.shape([(-0.8, -0.8), (-0.5, -1.05), (1.1, -1.05), (0.8, -0.8)], darken(wood, 0.1), 0.07)
    pen.shape(rectangle(-0.8, -0.8, 0.8, 0.8), wood, 0.08)
    letter(pen.at(scale=0.5), rng.choice(ALPHABET), 0.4, rng.choice([INK, WHITE, any_colour(rng)]))


@prop("indoors", "outdoors", "stage", hangs=True, group=SIGNS)
def heart(pen: Pen, rng: Random) -> None:
    """Draw a heart, a drop, a shield or a cross."""
    forms = [
        loop(mirror([(0, -0.45), (0.5, -0.85), (0.95, -0.35), (0.55, 0.4), (0, 0.95)]), 6),
        loop(mirror([(0, -1), (0.3, -0.4), (0.65, 0.3), (0, 0.9)]), 6),
        loop(mirror([(0, -0.9), (0.75, -0.8), (0.7, 0.2), (0, 1)]), 3),
        mirror(
            [(0, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3), (0.3, 1), (0, 1)]
        ),
    ]
    pen.at(turn=rng.gauss(0, 12)).shape(
        rng.choice(forms), object_colour(rng, "#d1495b", *CLOTH), 0.08
    )


@prop("indoors", "stage", hangs=True, size=1.2, group=SIGNS)
def painting(pen: Pen, rng: Random) -> None:
    """Draw a framed picture of shapes."""
    pen.shape(rectangle(-1.1, -0.9, 1.1, 0.9), object_colour(rng, "#b98b4b"), 0.09)
    view = rectangle(-0.9, -0.7, 0.9, 0.7)
    pen.fill(view, object_colour(rng, PAPER))
    for _ in range(rng.randrange(2, 7)):
        x, y, size = rng.uniform(-0.8, 0.8), rng.uniform(-0.6, 0.6), rng.uniform(0.1, 0.5)
        form = rng.choice([oval(x, y, size), rectangle(x, y, x + size, y + size * 0.7)])
        pen.fill(form, object_colour(rng, *CLOTH), clip=view)
    pen.line(view, 0.06, closed=True)


@prop("indoors", "outdoors", "stage", group=SIGNS)
def gear(pen: Pen, rng: Random) -> None:
    """Draw a gear, a wheel or a roll."""
    metal, teeth = object_colour(rng, "#b8bfc9", "#c9b38f"), rng.randrange(6, 13)
    rim = [polar(0, 0, 1 if i % 4 < 2 else 0.8, 90 * i / teeth) for i in range(4 * teeth)]
    pen.shape(rng.choice([as_path(rim), oval(0, 0, 0.95)]), metal, 0.08)
    pen.shape(oval(0, 0, rng.uniform(0.2, 0.5)), darken(metal, 0.4), 0.06)


@prop("indoors", "outdoors", "stage", hangs=True, group=SIGNS)
def spectacles(pen: Pen, rng: Random) -> None:
    """Draw spectacles or a moustache that nobody wears."""
    if rng.random() < 0.4:
        hair = object_colour(rng, INK)
        for flip in (False, True):
            half = loop([(0, -0.2), (0.6, -0.25), (1.1, 0.15), (0.5, 0.3), (0, 0.1)], 6)
            pen.at(flip=flip).fill(half, hair)
        return
    rim, glass = any_colour(rng, value=(0, 0.8)), object_colour(rng, "#cfe8f7", INK)
    for x in (-0.55, 0.55):
        pen.fill(oval(x, 0, 0.42), glass)
        pen.line(oval(x, 0, 0.42), 0.12, rim, closed=True, swell=0)
    pen.line(arc(0, 0, 0.16, 0.14, 180, 360), 0.1, rim)
    pen.line(curve([(0.95, -0.1), (1.3, -0.3), (1.5, 0)], 4), 0.1, rim)
