"""Figures of clay and felt, filmed one frame at a time: soft forms, dots and beads for eyes."""

from __future__ import annotations

from random import Random

from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import VIDEO
from facetl.cartoons.styles.palettes import ANY_SKIN, HOUSE_SKIN, MUTED, VIVID, mostly
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import turned


@STYLES("clay")
def clay(rng: Random) -> Style:
    """Return uneven forms without outlines."""
    return Style(
        skin=mostly(HOUSE_SKIN, ANY_SKIN, 0.7),
        hair_colour=mostly(MUTED, VIVID, 0.6),
        cloth=mostly(MUTED, VIVID, 0.6),
        heads=listed("egg, bean, pear, cheeks, drop, blob, thumb, long, squash, gaunt"),
        hair=listed(
            "bald, tufts, mop, puffs, bun, curls, afro, dreads, strands, horseshoe, mohawk, "
            "bowl, wild, twin tails"
        ),
        eyes=listed("googly, saucers, bulge, wide dots, tall dots, ghost, film, big"),
        noses=listed("bulb, ball, soft, potato, carrot, none, long"),
        mouths=listed("beam, line, smile, grin, o, slab, talk, gritted, crooked"),
        chances=Chances(blush=0.2, moustache=0.12, profile=0.06, wrinkles=0.15),
        build=Build(
            eye_height=(-0.35, 0.0),
            eye_size=(0.6, 1.1),
            eye_gap=(0.95, 1.25),
            nose_size=(0.8, 1.6),
            mouth_width=(0.8, 1.4),
            body=(0.75, 1.15),
            shade=0.0,
        ),
        look=Look(
            line=rng.uniform(0.5, 1.0),
            contour="none",
            shading=rng.choice(["soft", "soft", "gradient"]),
            wobble=rng.uniform(0.4, 1.6),
            light=rng.uniform(-150, -30),
            depth=rng.uniform(0.3, 0.6),
            shine=rng.choice([0, 0.2]),
            ink="#2b1d1a",
        ),
        scenery=Scenery(tints=0.6, tint=turned, blur=rng.uniform(0.5, 3.5)),
        staging=shots(close=5),
        finishes={"grain": 0.15, "vignette": 0.2, "bloom": 0.1, **VIDEO},
    )
