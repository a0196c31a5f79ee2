"""A whole character, drawn from the back to the front."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from facetl.cartoons.body import draw_body
from facetl.cartoons.colours import darken
from facetl.cartoons.face import draw_face
from facetl.cartoons.hair import HAIR_STYLES, HairStyle
from facetl.cartoons.hats import SQUASHING, hat
from facetl.cartoons.paths import arc, curve, loop, oval
from facetl.cartoons.pen import Pen
from facetl.cartoons.toon import Toon


@dataclass(frozen=True)
class DrawnFace:
    """A face as it was before anything came in front of it.

    ``owner`` is its number on the canvas; ``whole`` the area in oversampled pixels that it has
    under its hair and hat, with what lies beyond the border of the picture.
    """

    owner: int
    whole: float


def draw_figure(pen: Pen, toon: Toon, owner: int, rng: Random) -> DrawnFace | None:
    """Draw a character; return its face, or None if it is turned away."""
    head = pen.at(turn=toon.tilt)
    nape = head.at(-0.4 * toon.side) if toon.profile else head
    style = HAIR_STYLES[toon.who.hair]
    if style.behind and style.long:
        style.behind(nape, toon, rng)
    draw_near_arm = draw_body(pen, toon, rng)
    if style.behind and not style.long:
        style.behind(nape, toon, rng)
    if toon.anatomy.ears and not toon.profile and not style.covers_ears:
        _draw_ears(head, toon)
    if toon.turned_away:
        _draw_back_of_head(head, toon, style)
    else:
        draw_face(head.owned_by(owner), toon, rng)
        if toon.profile:
            _draw_side_of_head(head, toon, style)
        _hair_under_hat(toon, style).over(head, toon, rng)
    if toon.who.hat:
        hat[toon.who.hat](head, toon, rng)
    face = None if toon.turned_away else _measure(head, toon, owner)
    draw_near_arm(pen, toon, rng)
    return face


def _measure(head: Pen, toon: Toon, owner: int) -> DrawnFace:
    in_frame = head.share_in_frame(toon.outline)
    return DrawnFace(owner, head.canvas.pixels_of(owner) / max(in_frame, 1e-6))


def _hair_under_hat(toon: Toon, style: HairStyle) -> HairStyle:
    squashed = style.under_hat if toon.who.hat in SQUASHING else None
    return HAIR_STYLES[squashed] if squashed else style


def _draw_ears(pen: Pen, toon: Toon) -> None:
    size = toon.outfit.ear_size
    for side in (-1, 1):
        if side * toon.yaw > 0.55:
            continue  # hidden behind the cheek
        x = toon.middle_at(0) + side * toon.half_width_at(0) * 0.98
        pen.shape(oval(x + side * 0.04, 0.02, 0.19 * size, 0.25 * size), toon.who.skin, 0.055)
        start = 30 - 80 * side
        pen.line(arc(x + side * 0.05, 0.03, 0.09 * size, 0.13 * size, start, start + 160), 0.04)


def _draw_side_of_head(pen: Pen, toon: Toon, style: HairStyle) -> None:
    """Draw the hair behind the ear, and the ear, of somebody seen from the side."""
    if not style.skin_shows:
        side, top = toon.side, toon.top
        edge = [(0.1 * side, top), (-0.08 * side, -0.3), (-0.28 * side, 0.1), (-0.3 * side, 0.66)]
        cap = loop([*edge, (-1.3 * side, 0.7), (-1.3 * side, top)], 6)
        pen.fill(cap, toon.who.hair_colour, clip=toon.outline)
        pen.line(curve(edge, 6), 0.05, clip=toon.outline)
    if toon.anatomy.ears and not style.covers_ears:
        size, x = toon.outfit.ear_size, -0.14 * toon.side
        pen.shape(oval(x, 0.02, 0.17 * size, 0.24 * size), toon.who.skin, 0.055)
        pen.line(arc(x, 0.03, 0.08 * size, 0.12 * size, 100, 300), 0.04)


def _draw_back_of_head(pen: Pen, toon: Toon, style: HairStyle) -> None:
    colour = toon.who.skin if style.skin_shows else toon.who.hair_colour
    pen.shape(toon.outline * (1.03, 0.97), colour, 0.068)
    if style.skin_shows:
        return
    for share in (-0.5, -0.15, 0.25, 0.55):
        x = share * toon.half_width
        strand = [(x * 0.5, toon.top + 0.25), (x * 1.2, -0.1), (x * 1.3, toon.bottom * 0.6)]
        pen.line(curve(strand, 5), 0.045, darken(colour, 0.35), taper=True)
