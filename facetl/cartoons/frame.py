"""One frame of the cartoon: a picture and an exact box for every face in it.

A box holds the visible pixels of a face and no more: ears, neck, hair and hats do not count.
A frame in which a face is less than 60 % visible is drawn again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import as_boxes
from facetl.cartoons.figure import DrawnFace, draw_figure
from facetl.cartoons.paths import oval
from facetl.cartoons.pen import HEIGHT, OVERSAMPLING, WIDTH, Canvas, Pen
from facetl.cartoons.places import FOREGROUNDS, choose_place
from facetl.cartoons.staging import Actor, PlacedProp, choose_shot, place_cast, place_props
from facetl.cartoons.styles import ANY as ANY_STYLE
from facetl.cartoons.styles import HOUSE, STYLES, Style, StyleMaker
from facetl.errors import UsageError

RULE = "Only people's faces count; animals, robots, toys, balloons and the sun don't."
LICENCE = "Drawn frames are CC0: use them for anything, no credit needed."

LEAST_VISIBLE = 0.6
LEAST_SIDE = 18
FLATTEST, STEEPEST = 2.2, 0.45  # width divided by height

_TRIES = 60
_LIGHTS = ((0.55, 0.6, 0.85), (0.95, 0.75, 0.6), (0.7, 0.85, 0.8))  # night, dusk, laboratory


@dataclass(frozen=True)
class CartoonFrame:
    """A drawn frame.

    ``image`` is (360, 480, 3) uint8 RGB; ``boxes`` (N, 4) float64, half-open pixels, whole
    numbers, N ≥ 1; ``labels`` the N names, "unknown" for strangers.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float64]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.image.shape != (HEIGHT, WIDTH, 3):
            raise ValueError(f"expected an image of ({HEIGHT}, {WIDTH}, 3), got {self.image.shape}")
        if self.boxes.shape != (len(self.labels), 4):
            raise ValueError(f"expected {len(self.labels)} boxes, got shape {self.boxes.shape}")


@dataclass(frozen=True)
class SeenFace:
    """A face in the finished frame: its label, its half-open box, and how much of it shows."""

    label: str
    box: tuple[int, int, int, int]
    visible: float

    @property
    def is_fair(self) -> bool:
        """Whether a detector can fairly be asked to find it."""
        width, height = self.box[2] - self.box[0], self.box[3] - self.box[1]
        return (
            self.visible >= LEAST_VISIBLE
            and min(width, height) >= LEAST_SIDE
            and STEEPEST < width / height < FLATTEST
        )


def draw_frame(seed: int, part: str, index: int, style: str = HOUSE) -> CartoonFrame:
    """Return the frame that depends on seed, part, index and style alone.

    Args:
        seed: the random seed.
        part: such as "train"; the frames of one part have nothing to do with those of another.
        index: of the frame in its part.
        style: "house", a name in ``STYLES``, or "any" for a style of chance.

    Raises:
        RuntimeError: if chance never gives a fair frame (it has not been seen to happen).
        UsageError: if there is no such style.
    """
    start = f"{seed}/{part}/{index}"
    maker = _maker_of(style, start)
    start += "" if maker is None else f"/{style}"
    for attempt in range(_TRIES):
        rng = Random(f"{start}/{attempt}")
        canvas, faces = compose(rng, maker(rng) if maker else None)
        if faces and all(face.is_fair for face in faces):
            boxes = as_boxes([face.box for face in faces]).astype(np.float64)
            return CartoonFrame(_light(canvas, rng), boxes, tuple(face.label for face in faces))
    raise RuntimeError(f"no fair frame in {_TRIES} tries for {start}")


def require_style(name: str) -> None:
    """Raise an error unless ``draw_frame`` knows the style.

    Raises:
        UsageError: naming all styles there are.
    """
    known = (HOUSE, ANY_STYLE, *STYLES)
    if name not in known:
        raise UsageError(f"no style {name!r}; choose one of {', '.join(known)}")


def _maker_of(style: str, start: str) -> StyleMaker | None:
    """Return what makes the style of one frame; None stands for the house's."""
    require_style(style)
    if style == ANY_STYLE:
        style = Random(f"{start}/style").choice([HOUSE, *STYLES])
    return None if style == HOUSE else STYLES[style]


def compose(rng: Random, style: Style | None = None) -> tuple[Canvas, list[SeenFace]]:
    """Draw a frame of chance; return the canvas and all faces, the fair and the hidden."""
    canvas = Canvas()
    pen = Pen(canvas)
    place = choose_place(rng)
    floor = place.draw(pen, rng)
    shot = choose_shot(rng)
    actors = place_cast(shot, floor, rng, style.engage if style else None)
    props = place_props(place.setting, shot, floor, actors, rng)
    drawn = _draw_from_far_to_near(pen, [*props, *actors], rng)
    foregrounds = FOREGROUNDS.get(place.setting)
    if foregrounds and rng.random() < 0.3:
        rng.choice(foregrounds)(pen, rng)
    return canvas, [_look_at(canvas, face, label) for face, label in drawn]


def _draw_from_far_to_near(
    pen: Pen, things: list[PlacedProp | Actor], rng: Random
) -> list[tuple[DrawnFace, str]]:
    faces = []
    for number, thing in enumerate(sorted(things, key=lambda each: each.depth), start=1):
        if isinstance(thing, PlacedProp):
            turn, flip = rng.uniform(-6, 6), rng.random() < 0.5
            thing.prop.draw(pen.at(thing.x, thing.y, thing.scale, turn, flip), rng)
            continue
        _draw_shadow(pen, thing)
        own_pen = pen.at(thing.x, thing.y, thing.scale, flip=thing.mirrored)
        face = draw_figure(own_pen, thing.toon, number, rng)
        faces += [(face, thing.label)] if face else []
    return faces


def _draw_shadow(pen: Pen, actor: Actor) -> None:
    if actor.depth < HEIGHT:
        ground = actor.depth - 0.02 * actor.scale
        shadow = oval(actor.x, ground, actor.scale * 1.1, actor.scale * 0.18)
        pen.fill(shadow, "#000000", alpha=0.18)


def _look_at(canvas: Canvas, face: DrawnFace, label: str) -> SeenFace:
    ys, xs = np.nonzero(canvas.owners == face.owner)
    if not len(xs):
        return SeenFace(label, (0, 0, 0, 0), 0.0)
    x1, y1 = int(xs.min()) // OVERSAMPLING, int(ys.min()) // OVERSAMPLING
    x2, y2 = (math.ceil((int(last) + 1) / OVERSAMPLING) for last in (xs.max(), ys.max()))
    return SeenFace(label, (x1, y1, x2, y2), len(xs) / max(face.whole, 1.0))


def _light(canvas: Canvas, rng: Random) -> NDArray[np.uint8]:
    image = canvas.finished()
    if rng.random() < 0.1:
        image = (image * np.array(rng.choice(_LIGHTS))).astype(np.uint8)
    return image
