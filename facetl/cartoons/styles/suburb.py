"""Families of the suburbs: eyes like balls that touch, big chins, plain colours, even lines."""

from __future__ import annotations

from random import Random

from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COMMON_OVERLAYS, VIDEO
from facetl.cartoons.styles.palettes import (
    HOUSE_HAIR,
    HOUSE_SKIN,
    VIVID,
    hues,
    mostly,
    no_colour,
    one_of,
)
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import any_tint

_TAN = hues((15, 38), (0.2, 0.5), (0.8, 1.0))


@STYLES("suburb")
def suburb(rng: Random) -> Style:
    """Return people of human skin with staring eyes."""
    return Style(
        skin=mostly(_TAN, HOUSE_SKIN, 0.5),
        hair_colour=mostly(HOUSE_HAIR, VIVID, 0.95),
        heads=listed("anvil, jaw, egg, globe, pear, thumb, cheeks, squash, dome, bean, kite"),
        hair=listed(
            "bowl, swoop, helmet, flat, bob, bun, curls, tufts, horseshoe, bald, tail, afro, "
            "single hairs, strands, puffs, long"
        ),
        eyes=listed("bulge, bulge, googly, saucers, glasses, leaning inked, square, big"),
        noses=listed("bump, button, potato, bulb, tick, hook, long, ruler"),
        mouths=listed("overbite, smile, talk, line, flat, laugh, frown, crooked, o, beam"),
        eye_white=one_of("#ffffff"),
        iris=no_colour,
        chances=Chances(kid=0.4, moustache=0.12, stubble=0.1, beard=0.08, jaw=0.05, wrinkles=0.2),
        build=Build(
            eye_height=(-0.3, -0.08),
            eye_size=(0.7, 1.05),
            nose_size=(0.8, 1.5),
            mouth_width=(0.7, 1.2),
            breadth=(0.8, 1.6),
            shade=0.0,
            tilt=6,
        ),
        look=Look(line=rng.uniform(0.35, 0.65)),
        scenery=Scenery(tints=0.6, tint=any_tint),
        staging=shots(wide=4, medium=6),
        finishes=VIDEO,
        overlays=COMMON_OVERLAYS,
    )
