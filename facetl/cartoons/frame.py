"""One frame of the cartoon: a picture and an exact box for every face in it.

A box holds the visible pixels of a face and no more: ears, neck, hair and hats do not count.
A frame in which a face is less than 60 % visible is drawn again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import as_boxes
from facetl.cartoons.figure import DrawnFace, draw_figure
from facetl.cartoons.finishes import apply_finishes
from facetl.cartoons.overlays import apply_overlays
from facetl.cartoons.paths import oval
from facetl.cartoons.pen import HEIGHT, OVERSAMPLING, WIDTH, Canvas, Pen
from facetl.cartoons.places import FOREGROUNDS, choose_place
from facetl.cartoons.staging import Actor, PlacedProp, choose_shot, place_cast, place_props
from facetl.cartoons.styles import ANY as ANY_STYLE
from facetl.cartoons.styles import HOUSE, HOUSE_STYLE, STYLES, Style
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
        style: "house", a name in ``STYLES``, or "any" for a random one.

    Raises:
        RuntimeError: if no try gives a fair frame (it has not been seen to happen).
        UsageError: if there is no such style.
    """
    require_style(style)
    start = f"{seed}/{part}/{index}"
    chosen = Random(f"{start}/style").choice(list(STYLES)) if style == ANY_STYLE else style
    start += "" if style == HOUSE else f"/{style}"
    for attempt in range(_TRIES):
        rng = Random(f"{start}/{attempt}")
        drawn_in = STYLES[chosen](rng)
        canvas, faces = compose(rng, drawn_in)
        if faces and all(face.is_fair for face in faces):
            boxes = as_boxes([face.box for face in faces]).astype(np.float64)
            image = apply_finishes(_light(canvas, rng), drawn_in.finishes, rng)
            return CartoonFrame(image, boxes, tuple(face.label for face in faces))
    raise RuntimeError(f"no fair frame in {_TRIES} tries for {start}")


def require_style(name: str) -> None:
    """Raise an error unless ``draw_frame`` knows the style.

    Raises:
        UsageError: naming all styles there are.
    """
    known = dict.fromkeys((HOUSE, ANY_STYLE, *STYLES))
    if name not in known:
        raise UsageError(f"no style {name!r}; choose one of {', '.join(known)}")


def compose(rng: Random, style: Style = HOUSE_STYLE) -> tuple[Canvas, list[SeenFace]]:
    """Draw a random frame; return the canvas and all faces, the fair and the hidden."""
    canvas, staging, scenery = Canvas(), style.staging, style.scenery
    pen = Pen(canvas)
    place = choose_place(rng, staging.place_groups)
    floor = place.draw(_pen_for_scenery(pen, style, rng), rng)
    if scenery.paint:
        canvas.repaint(lambda picture: apply_finishes(picture, scenery.paint, rng))
    if scenery.blur:
        canvas.blur(scenery.blur)
    shot = choose_shot(rng, staging)
    actors = place_cast(shot, floor, rng, staging, style.choose_toon)
    props = place_props(place.setting, shot, floor, actors, rng, staging)
    drawn = _draw_from_far_to_near(pen, [*props, *actors], style, rng)
    foregrounds = FOREGROUNDS.get(place.setting)
    if foregrounds and rng.random() < staging.foreground:
        rng.choice(foregrounds)(_pen_for_scenery(pen, style, rng), rng)
    apply_overlays(pen, style.overlays, rng)
    return canvas, [_look_at(canvas, face, label) for face, label in drawn]


def _pen_for_scenery(pen: Pen, style: Style, rng: Random) -> Pen:
    """Return the pen for a place or a prop."""
    scenery = style.scenery
    look = scenery.look or style.look
    if scenery.tints and rng.random() < scenery.tints:
        look = replace(look, tint=scenery.tint(rng))
    return pen.looking(look)


def _draw_from_far_to_near(
    pen: Pen, things: list[PlacedProp | Actor], style: Style, rng: Random
) -> list[tuple[DrawnFace, str]]:
    faces = []
    own_pen = pen.looking(style.look)
    for number, thing in enumerate(sorted(things, key=lambda each: each.depth), start=1):
        if isinstance(thing, PlacedProp):
            turn, flip = rng.uniform(-6, 6), rng.random() < 0.5
            prop_pen = _pen_for_scenery(pen, style, rng)
            thing.prop.draw(prop_pen.at(thing.x, thing.y, thing.scale, turn, flip), rng)
            continue
        _draw_shadow(pen, thing)
        there = own_pen.at(thing.x, thing.y, thing.scale, flip=thing.mirrored)
        face = draw_figure(there, thing.toon, number, rng)
        faces += [(face, thing.label)] if face else []
    return faces


def _draw_shadow(pen: Pen, actor: Actor) -> None:
    if actor.depth < HEIGHT:
        ground = actor.depth - 0.02 * actor.scale
        shadow = oval(actor.x, ground, actor.scale * 1.1, actor.scale * 0.18)
        pen.fill(shadow, "#000000", alpha=0.18)


def _look_at(canvas: Canvas, face: DrawnFace, label: str) -> SeenFace:
    bounds = canvas.bounds_of(face.owner)
    if bounds is None:
        return SeenFace(label, (0, 0, 0, 0), 0.0)
    x1, y1 = (first // OVERSAMPLING for first in bounds[:2])
    x2, y2 = (math.ceil(end / OVERSAMPLING) for end in bounds[2:])
    return SeenFace(label, (x1, y1, x2, y2), canvas.pixels_of(face.owner) / max(face.whole, 1.0))


def _light(canvas: Canvas, rng: Random) -> NDArray[np.uint8]:
    image = canvas.finished()
    if rng.random() < 0.1:
        image = (image * np.array(rng.choice(_LIGHTS))).astype(np.uint8)
    return image
