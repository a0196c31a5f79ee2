"""What lies over a picture: captions, logos, bars, bubbles, weather; ``@overlay("name")`` adds one.

Overlays are drawn in the coordinates of the frame, by a pen that belongs to nobody and before
boxes are measured: a face that is partly under a caption has a smaller box.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from facetl.cartoons.colours import INK, WHITE, Colour, any_colour, darken
from facetl.cartoons.lettering import ALPHABET, length_of, letter, random_words, write
from facetl.cartoons.paths import Path, arc, cloud, curve, loop, oval, rectangle, zigzag
from facetl.cartoons.pen import HEIGHT, WIDTH, Pen
from facetl.registry import Registry

overlay: Registry[Callable[[Pen, Random], None]] = Registry()
"""Functions that draw over a frame; random only by the given generator."""


def apply_overlays(pen: Pen, chances: Mapping[str, float], rng: Random) -> None:
    """Draw some overlays, each with a probability (0 to 1)."""
    for name, chance in chances.items():
        if rng.random() < chance:
            overlay[name](pen, rng)


@overlay("subtitles")
def _subtitles(pen: Pen, rng: Random) -> None:
    colour = rng.choice([WHITE, WHITE, "#ffee66", any_colour(rng, value=(0.8, 1))])
    size = rng.uniform(5, 9)
    lines = rng.randrange(1, 3)
    for line in range(lines):
        y = HEIGHT - 14 - (lines - 1 - line) * size * 3
        _draw_caption(pen.at(WIDTH / 2, y, size), random_words(rng, rng.randrange(2, 6)), colour)


def _draw_caption(pen: Pen, text: str, colour: Colour) -> None:
    shrunk = min(1.0, WIDTH * 0.94 / (length_of(text) * pen.scale / 3))
    write(pen.at(scale=shrunk), text, 0.26, colour, INK)


@overlay("title")
def _title(pen: Pen, rng: Random) -> None:
    """Write a large word across the top or the bottom."""
    text = random_words(rng, rng.randrange(1, 3))
    size = min(rng.uniform(14, 34), WIDTH * 0.9 / length_of(text))
    here = pen.at(WIDTH / 2, rng.choice([size + 10, HEIGHT - size - 10]), size, rng.uniform(-5, 5))
    write(here, text, rng.uniform(0.25, 0.5), any_colour(rng, value=(0.5, 1)), any_colour(rng))


@overlay("logo")
def _logo(pen: Pen, rng: Random) -> None:
    """Put the sign of a channel into a corner."""
    x, y = rng.choice([26, WIDTH - 26]), rng.choice([24, HEIGHT - 24])
    here, colour = pen.at(x, y, rng.uniform(9, 16)), any_colour(rng, value=(0.5, 1))
    form = rng.choice([oval(0, 0, 1.2), rectangle(-1.4, -1, 1.4, 1, 0.3), None])
    if form is not None:
        here.fill(form, colour, alpha=rng.choice([0.5, 0.8, 1.0]))
    sign = rng.choice(ALPHABET)
    letter(here.at(scale=0.6), sign, 0.4, colour if form is None else WHITE)


@overlay("letterbox")
def _letterbox(pen: Pen, rng: Random) -> None:
    bar = HEIGHT * rng.uniform(0.04, 0.13)
    pen.fill(rectangle(-1, -1, WIDTH + 1, bar), "#000000")
    pen.fill(rectangle(-1, HEIGHT - bar, WIDTH + 1, HEIGHT + 1), "#000000")


@overlay("pillarbox")
def _pillarbox(pen: Pen, rng: Random) -> None:
    bar = WIDTH * rng.uniform(0.04, 0.13)
    pen.fill(rectangle(-1, -1, bar, HEIGHT + 1), "#000000")
    pen.fill(rectangle(WIDTH - bar, -1, WIDTH + 1, HEIGHT + 1), "#000000")


@overlay("black border")
def _black_border(pen: Pen, rng: Random) -> None:
    """Show the picture smaller than the screen, on all sides."""
    margin, colour = rng.uniform(4, 26), rng.choice(["#000000", "#000000", any_colour(rng)])
    for bar in _margins(margin, WIDTH):
        pen.fill(bar, colour)


def _margins(margin: float, right: float) -> list[Path]:
    return [
        rectangle(-1, -1, WIDTH + 1, margin),
        rectangle(-1, HEIGHT - margin, WIDTH + 1, HEIGHT + 1),
        rectangle(-1, -1, margin, HEIGHT + 1),
        rectangle(right - margin, -1, WIDTH + 1, HEIGHT + 1),
    ]


@overlay("panel")
def _panel(pen: Pen, rng: Random) -> None:
    """Frame the picture as a comic does, with room for the next one."""
    margin, right = rng.uniform(5, 14), rng.choice([WIDTH, WIDTH - rng.uniform(10, 40)])
    paper, ink = rng.choice([WHITE, "#f4ecd8", "#e8dcc0"]), pen.ink
    for bar in _margins(margin, right):
        pen.fill(bar, paper)
    frame = rectangle(margin, margin, right - margin, HEIGHT - margin)
    pen.line(frame, rng.uniform(1.5, 4), ink, closed=True, swell=0)


@overlay("speech bubble")
def _speech_bubble(pen: Pen, rng: Random) -> None:
    x, y = rng.uniform(0.15, 0.85) * WIDTH, rng.uniform(36, 60)
    wide, high = rng.uniform(60, 110), rng.uniform(24, 36)
    tail = [(x - 12, y + high * 0.7), (x + rng.uniform(-60, 60), y + high + 40), (x + 12, y + 20)]
    bubble = rng.choice([oval(x, y, wide, high), cloud(x, y, wide, high, 14)])
    pen.shape(tail, WHITE, 1.6)
    pen.shape(bubble, WHITE, 1.6)
    for line in (-1, 0, 1):
        text = random_words(rng, 2)
        size = min(5.0, wide * 1.4 / length_of(text))
        write(pen.at(x, y + line * high * 0.5, size), text, 0.25, INK)


@overlay("caption box")
def _caption_box(pen: Pen, rng: Random) -> None:
    text, size = random_words(rng, rng.randrange(2, 4)), rng.uniform(5, 8)
    half = length_of(text) * size / 2 + 8
    x, y = rng.choice([half + 6, WIDTH - half - 6]), rng.choice([20, HEIGHT - 20])
    box = rectangle(x - half, y - size * 1.6, x + half, y + size * 1.6)
    pen.shape(box, rng.choice([WHITE, "#ffe98a", any_colour(rng, value=(0.8, 1))]), 1.5)
    write(pen.at(x, y, size), text, 0.26, INK)


@overlay("bang")
def _bang(pen: Pen, rng: Random) -> None:
    """Draw the sound of a blow."""
    spikes, size = rng.randrange(8, 14), rng.uniform(26, 52)
    star = _spikes(spikes)
    here = pen.at(*_corner(rng), size, rng.uniform(-25, 25))
    here.shape(star, any_colour(rng, (0.5, 1), (0.7, 1)), 0.07)
    text = random_words(rng, 1)[:5] + "!"
    colour = any_colour(rng, (0.5, 1), (0.3, 0.9))
    write(here.at(scale=1.2 / length_of(text)), text, 0.45, colour, INK)


def _spikes(count: int) -> list[tuple[float, float]]:
    """Return a closed star that reaches 1 from the origin."""
    outer, inner = oval(0, 0, 1, 0.75, steps=count), oval(0, 0, 0.68, 0.5, steps=2 * count)
    pairs = zip(outer.tolist(), inner[1::2].tolist(), strict=True)
    return [(float(x), float(y)) for pair in pairs for x, y in pair]


def _corner(rng: Random) -> tuple[float, float]:
    return rng.choice([60, WIDTH - 60]), rng.uniform(50, HEIGHT - 50)


@overlay("clock")
def _clock(pen: Pen, rng: Random) -> None:
    """Write the time that a recorder writes."""
    text = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    x = rng.choice([60, WIDTH - 60])
    write(pen.at(x, rng.choice([16, HEIGHT - 16]), 6), text, 0.3, WHITE, INK)


@overlay("snow")
def _snow(pen: Pen, rng: Random) -> None:
    for _ in range(rng.randrange(30, 140)):
        x, y, size = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(0.7, 3)
        pen.fill(oval(x, y, size, steps=8), WHITE, claim=False)


@overlay("rain")
def _rain(pen: Pen, rng: Random) -> None:
    slant, colour = rng.uniform(-10, 10), any_colour(rng, (0, 0.4), (0.7, 1))
    for _ in range(rng.randrange(30, 110)):
        x, y, size = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(8, 22)
        pen.line([(x, y), (x + slant * size / 20, y + size)], 0.8, colour)


@overlay("speed lines")
def _speed_lines(pen: Pen, rng: Random) -> None:
    """Draw lines that run in from the sides, as when somebody is startled."""
    colour = rng.choice([WHITE, INK, any_colour(rng)])
    for _ in range(rng.randrange(20, 50)):
        side, y = rng.choice([-1, 1]), rng.uniform(0, HEIGHT)
        x, length = WIDTH / 2 + side * WIDTH / 2, rng.uniform(20, 90)
        tip = (x - side * length, y + (HEIGHT / 2 - y) * length / WIDTH)
        pen.fill([(x, y - 2), tip, (x, y + 2)], colour, claim=False)


@overlay("foliage")
def _foliage(pen: Pen, rng: Random) -> None:
    """Let leaves hang into the picture at its edges."""
    colour = any_colour(rng, (0.2, 0.8), (0.2, 0.8))
    for _ in range(rng.randrange(3, 9)):
        x, y = rng.choice([rng.uniform(-5, 50), rng.uniform(WIDTH - 50, WIDTH + 5)]), rng.random()
        leaf = pen.at(x, y * HEIGHT, rng.uniform(16, 40), rng.uniform(0, 360))
        leaf.shape(loop([(0, 0), (0.6, -0.35), (1.4, 0), (0.6, 0.35)], 6), colour, 0.05)
        leaf.line([(0, 0), (1.1, 0)], 0.04, darken(colour))


@overlay("curtain")
def _curtain(pen: Pen, rng: Random) -> None:
    """Hang the curtains of a stage at both sides."""
    cloth, wide = any_colour(rng, (0.4, 1), (0.3, 0.9)), rng.uniform(20, 60)
    for side in (-1, 1):
        edge = WIDTH / 2 + side * WIDTH / 2
        hem = [(edge - side * wide * share, HEIGHT * y) for share, y in ((0.6, 0.5), (1, 1.02))]
        fall = curve([(edge - side * wide * 1.4, -5), *hem], 6)
        pen.shape([*fall.tolist(), (edge, HEIGHT + 5), (edge, -5)], cloth, 2)
        for share in (0.3, 0.6):
            fold = [(edge - side * wide * share * 1.2, -5), (edge - side * wide * share, HEIGHT)]
            pen.line(curve(fold, 5), 1.4, darken(cloth))


@overlay("torn edge")
def _torn_edge(pen: Pen, rng: Random) -> None:
    paper, y = any_colour(rng, (0, 0.3), (0.7, 1)), HEIGHT * rng.uniform(0.9, 0.97)
    teeth = zigzag((0, y), (WIDTH, y), rng.randrange(8, 24), rng.uniform(3, 12))
    pen.fill([*teeth.tolist(), (WIDTH, HEIGHT + 2), (0, HEIGHT + 2)], paper)


@overlay("bars")
def _bars(pen: Pen, rng: Random) -> None:
    """Put a grille or a fence in front of everything, thin enough to see through."""
    step, colour = rng.uniform(50, 120), any_colour(rng)
    x = rng.uniform(0, step)
    while x < WIDTH:
        pen.shape(rectangle(x, -3, x + 5, HEIGHT + 3), colour, 0.8)
        x += step


@overlay("lens flare")
def _lens_flare(pen: Pen, rng: Random) -> None:
    x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT / 2)
    for share in (0.0, 0.3, 0.55, 0.8, 1.1):
        at = x + (WIDTH / 2 - x) * 2 * share, y + (HEIGHT / 2 - y) * 2 * share
        light = any_colour(rng, (0.1, 0.5), (0.8, 1))
        pen.fill(oval(*at, rng.uniform(6, 26)), light, alpha=rng.uniform(0.12, 0.3))
    pen.line(arc(x, y, 34, 34, 0, 360), 0.8, WHITE)


@overlay("shadow")
def _shadow(pen: Pen, rng: Random) -> None:
    """Let the shadow of something large fall across the picture."""
    edge = [
        (rng.uniform(0.1, 0.9) * WIDTH, -5),
        (rng.uniform(0.1, 0.9) * WIDTH, HEIGHT * rng.uniform(0.3, 0.7)),
        (rng.uniform(0.1, 0.9) * WIDTH, HEIGHT + 5),
    ]
    side = rng.choice([-5, WIDTH + 5])
    border = curve(edge, 8) if rng.random() < 0.5 else edge
    dark = any_colour(rng, (0, 0.8), (0, 0.2))
    pen.fill([*border, (side, HEIGHT + 5), (side, -5)], dark, alpha=rng.uniform(0.25, 0.5))


@overlay("blinds")
def _blinds(pen: Pen, rng: Random) -> None:
    """Let light fall through blinds or bars."""
    step, slant = rng.uniform(24, 70), rng.uniform(-90, 90)
    across, dark = rng.random() < 0.5, rng.uniform(0.2, 0.45)
    for i in range(-3, int(WIDTH / step) + 3):
        start = i * step
        if across:
            band = [(-5.0, start), (WIDTH + 5.0, start + slant)]
            band += [(x, y + step * 0.45) for x, y in reversed(band)]
        else:
            band = [(start, -5.0), (start + slant, HEIGHT + 5.0)]
            band += [(x + step * 0.45, y) for x, y in reversed(band)]
        pen.fill(band, INK, alpha=dark)


@overlay("glass")
def _glass(pen: Pen, rng: Random) -> None:
    """Put a pane in front of everything, with streaks of light on it."""
    x, light = rng.uniform(-60, WIDTH * 0.6), rng.uniform(0.15, 0.4)
    for width in (rng.uniform(30, 120), rng.uniform(6, 20)):
        streak = [(x, HEIGHT + 5), (x + 140, -5), (x + 140 + width, -5), (x + width, HEIGHT + 5)]
        pen.fill(streak, WHITE, alpha=light)
        x += width + rng.uniform(8, 30)


@overlay("smoke")
def _smoke(pen: Pen, rng: Random) -> None:
    """Let wisps of smoke or fog drift by, low and thin."""
    grey = any_colour(rng, (0, 0.3), (0.3, 1))
    for _ in range(rng.randrange(3, 10)):
        x, y, size = rng.uniform(0, WIDTH), rng.uniform(0.5, 1) * HEIGHT, rng.uniform(20, 90)
        pen.fill(cloud(x, y, size * 1.6, size * 0.6, 9), grey, alpha=rng.uniform(0.15, 0.4))
