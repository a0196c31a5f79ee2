"""Yellow people with bulging eyes and an overbite."""

from __future__ import annotations

from random import Random

from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COMMON_OVERLAYS, VIDEO
from facetl.cartoons.styles.palettes import hues, mostly, no_colour, one_of
from facetl.cartoons.styles.stagings import VARIED
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import any_tint

_YELLOW = hues((42, 58), (0.5, 0.95), (0.85, 1.0))
_BROWN = hues((18, 34), (0.4, 0.65), (0.4, 0.65))


@STYLES("yellow")
def yellow(rng: Random) -> Style:
    """Return heads like domes and thumbs, with eyes like balls."""
    return Style(
        skin=mostly(_YELLOW, _BROWN, 0.85),
        hair_colour=one_of("#3f62ad", "#5f3823", "#2b2433", "#868894", "#94502a", "#c93f3f"),
        heads=listed("dome, thumb, dome, globe, egg, pear"),
        hair=listed(
            "single hairs, horseshoe, wild, beehive, bowl, bald, mohawk, helmet, puffs, afro, flat"
        ),
        eyes=listed("bulge, bulge, saucers, googly, glasses"),
        noses=listed("bump, bump, bulb, button"),
        mouths=listed("overbite, overbite, beam, laugh, o, gritted"),
        look=Look(line=rng.uniform(0.5, 0.9)),
        scenery=Scenery(tints=0.5, tint=any_tint),
        staging=VARIED,
        finishes=VIDEO,
        overlays=COMMON_OVERLAYS,
        iris=no_colour,
        jaw=one_of("#cdb073", "#b59a5c", "#d7c08a", "#a98f60"),
        muzzles=True,
        chances=Chances(
            jaw=0.3,
            hair_of_skin=0.25,
            own_mouth=0.8,
            moustache=0.05,
            beard=0.03,
            hat=0.15,
            stubble=0,
        ),
        build=Build(
            eye_height=(-0.3, -0.1),
            eye_size=(0.95, 1.3),
            mouth_height=(0.48, 0.6),
            mouth_width=(1.0, 1.4),
            nose_size=(0.8, 1.2),
            shade=0.0,
            breadth=(0.9, 1.5),
        ),
    )
