"""Things to eat: round, with spots and openings."""

from __future__ import annotations

from random import Random

from facetl.cartoons.colours import CLOTH, INK, WHITE, darken, lighten, object_colour
from facetl.cartoons.lettering import length_of, random_words, write
from facetl.cartoons.paths import arc, cloud, curve, loop, mirror, oval, polar, rectangle, zigzag
from facetl.cartoons.pen import Pen
from facetl.cartoons.props.prop import prop

FOOD = "food"
"""The group of these props."""


@prop("indoors", "outdoors", group=FOOD)
def burger(pen: Pen, rng: Random) -> None:
    """Draw a burger."""
    bun = object_colour(rng, "#d9963f", "#e8b86a")
    pen.shape(rectangle(-1, 0.4, 1, 0.85, 0.25), bun, 0.08)
    layers = ["#7a4a2e", "#7dbb5e", "#f4c552", "#d1495b"]
    rng.shuffle(layers)
    for i, filling in enumerate(layers[: rng.randrange(2, 5)]):
        y = 0.35 - i * 0.16
        wave = zigzag((1.05, y + 0.1), (-1.05, y + 0.1), 6, 0.1, (0, 1))
        pen.shape([(-1.05, y - 0.1), (1.05, y - 0.1), *wave.tolist()], filling, 0.05)
    top = [*arc(0, -0.1, 1.05, 0.85, 180, 360, 20).tolist(), (1, 0.05), (-1, 0.05)]
    pen.shape(top, bun, 0.08)
    for _ in range(rng.randrange(9)):
        seed = oval(rng.uniform(-0.7, 0.7), rng.uniform(-0.7, -0.2), 0.06, 0.04)
        pen.fill(seed, lighten(bun, 0.7))


@prop("indoors", group=FOOD)
def fried_egg(pen: Pen, rng: Random) -> None:
    """Draw a fried egg or two, or one in its shell."""
    if rng.random() < 0.3:
        egg = loop(mirror([(0, -1), (0.6, -0.2), (0.7, 0.4), (0, 0.95)]), 7)
        pen.at(turn=rng.uniform(-30, 30)).shape(egg, object_colour(rng, WHITE, "#eec9a0"), 0.08)
        return
    pen.shape(cloud(0, 0, 0.95, 0.85, rng.randrange(5, 8)), object_colour(rng, WHITE, WHITE), 0.07)
    yolk = object_colour(rng, "#f6b73c")
    for x in rng.choice([(0,), (-0.3, 0.3)]):
        pen.shape(oval(x, 0, 0.28), yolk, 0.05)
        pen.fill(oval(x - 0.1, -0.1, 0.07), WHITE)


@prop("indoors", "outdoors", group=FOOD)
def doughnut(pen: Pen, rng: Random) -> None:
    """Draw a doughnut."""
    pen.shape(oval(0, 0, 1), object_colour(rng, "#d9a05a"), 0.08)
    icing = object_colour(rng, "#f28ab2", "#7a4a2e", "#f4efe0")
    pen.shape(cloud(0, 0, 0.82, 0.82, 11), icing, 0.05)
    for _ in range(rng.randrange(4, 16)):
        x, y = polar(0, 0, rng.uniform(0.4, 0.75), rng.uniform(0, 360))
        pen.line([(x, y), (x + 0.1, y + rng.uniform(-0.1, 0.1))], 0.08, object_colour(rng, *CLOTH))
    pen.shape(oval(0, 0, 0.28), darken(icing, 0.6), 0.06)


@prop("indoors", "outdoors", group=FOOD)
def any_pizza(pen: Pen, rng: Random) -> None:
    """Draw a pizza or a slice of one, in any colours."""
    crust, cheese = object_colour(rng, "#d9963f"), object_colour(rng, "#f7d774")
    sausage = object_colour(rng, "#c9443c")
    if rng.random() < 0.5:
        pen.shape(oval(0, 0, 1), crust, 0.08)
        pen.fill(oval(0, 0, 0.82), cheese)
        reach, spots = 0.62, rng.randrange(3, 8)
    else:
        pen.shape([(-0.8, -0.7), (0.8, -0.7), (0, 1.2)], cheese, 0.08)
        pen.shape(rectangle(-0.95, -0.95, 0.95, -0.6, 0.18), crust, 0.07)
        reach, spots = 0.3, 3
    for _ in range(spots):
        spot = polar(0, 0, rng.uniform(0, reach), rng.uniform(0, 360))
        pen.shape(oval(*spot, 0.16), sausage, 0.045)


@prop("indoors", "outdoors", group=FOOD)
def fruit(pen: Pen, rng: Random) -> None:
    """Draw an apple, an orange, a pear, a melon."""
    skin = object_colour(rng, "#c93f3f", "#f3a712", "#7dbb5e")
    pen.line(curve([(0, -0.7), (0.05, -1), (0.2, -1.15)], 4), 0.12, "#7a5236")
    forms = [
        mirror([(0, -0.7), (0.5, -0.85), (0.95, -0.1), (0.6, 0.8), (0, 0.85)]),
        mirror([(0, -0.9), (0.35, -0.7), (0.45, -0.2), (0.85, 0.4), (0.5, 0.95), (0, 1)]),
        oval(0, 0, 0.9, steps=8),
    ]
    pen.shape(loop(rng.choice(forms), 6), skin, 0.08)
    pen.line(arc(-0.2, -0.15, 0.45, 0.45, 180, 250), 0.1, lighten(skin, 0.6))
    if rng.random() < 0.5:
        leaf = loop([(0.1, -0.9), (0.5, -1.15), (0.8, -0.95), (0.45, -0.8)], 4)
        pen.shape(leaf, "#5fa35a", 0.05)


@prop("indoors", "outdoors", group=FOOD)
def cake(pen: Pen, rng: Random) -> None:
    """Draw a cake or a muffin with cherries."""
    dough, cream = object_colour(rng, "#d9a05a", "#7a4a2e"), object_colour(rng, WHITE, "#f7c6d9")
    pen.shape([(-0.8, -0.1), (0.8, -0.1), (0.62, 1), (-0.62, 1)], dough, 0.08)
    for x in (-0.4, 0, 0.4):
        pen.line([(x, 0.1), (x * 0.85, 0.95)], 0.05)
    pen.shape(cloud(0, -0.3, 0.9, 0.5, 9), cream, 0.07)
    for x in rng.choice([(0,), (-0.35, 0.35), (-0.4, 0, 0.4)]):
        pen.shape(oval(x, -0.55, 0.17), object_colour(rng, "#c93f3f"), 0.05)


@prop("indoors", "outdoors", group=FOOD)
def biscuit(pen: Pen, rng: Random) -> None:
    """Draw a biscuit, a potato or a loaf with holes and crumbs."""
    dough = object_colour(rng, "#d9a05a", "#c98d4e", "#e8c48a")
    form = oval(0, 0, 1, rng.uniform(0.6, 1))
    pen.at(turn=rng.uniform(-30, 30)).shape(form, dough, 0.08)
    chip = darken(dough, rng.uniform(0.3, 0.8))
    for _ in range(rng.randrange(2, 8)):
        x, y = polar(0, 0, rng.uniform(0, 0.55), rng.uniform(0, 360))
        pen.fill(oval(x, y, rng.uniform(0.06, 0.14)), chip)


@prop("indoors", "outdoors", "stage", group=FOOD)
def ice_cream(pen: Pen, rng: Random) -> None:
    """Draw an ice cream with one to three balls."""
    pen.shape([(-0.45, 0.2), (0.45, 0.2), (0, 1.7)], object_colour(rng, "#e0a458"), 0.07)
    for i in range(rng.randrange(1, 4)):
        pen.shape(
            cloud(0, -0.1 - 0.65 * i, 0.55, 0.5, 8), object_colour(rng, "#f7c6d9", "#fff3dc"), 0.06
        )


@prop("indoors", group=FOOD)
def plate(pen: Pen, rng: Random) -> None:
    """Draw a plate seen from above with things on it."""
    pen.shape(oval(0, 0, 1.1), object_colour(rng, WHITE), 0.07)
    pen.line(oval(0, 0, 0.8), 0.05, closed=True)
    for _ in range(rng.randrange(1, 5)):
        x, y = polar(0, 0, rng.uniform(0, 0.5), rng.uniform(0, 360))
        pen.shape(oval(x, y, rng.uniform(0.12, 0.3)), object_colour(rng, *CLOTH), 0.05)


@prop("indoors", "outdoors", group=FOOD)
def jar(pen: Pen, rng: Random) -> None:
    """Draw a jar or a bottle with a label."""
    glass, text = object_colour(rng, "#cfe8f7", "#7a4a2e", "#5fa35a"), random_words(rng, 1)[:4]
    neck = rng.uniform(0.2, 0.6)
    right = [(0, -1.2), (neck, -1.2), (neck, -0.8), (0.65, -0.4), (0.65, 1.1), (0, 1.1)]
    pen.shape(loop(mirror(right), 2), glass, 0.08)
    pen.shape(
        rectangle(-neck - 0.06, -1.4, neck + 0.06, -1.1, 0.06), object_colour(rng, *CLOTH), 0.06
    )
    pen.shape(rectangle(-0.6, -0.1, 0.6, 0.7), object_colour(rng, WHITE), 0.05)
    write(pen.at(0, 0.3, 0.8 / length_of(text)), text, 0.35, INK)
