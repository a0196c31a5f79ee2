"""Films in three dimensions: no outlines, soft light, glossy eyes, a blurred background."""

from __future__ import annotations

from random import Random

from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COMMON_OVERLAYS, VIDEO
from facetl.cartoons.styles.palettes import HOUSE_HAIR, HOUSE_SKIN, MUTED, VIVID, hues, mostly
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import turned

_IRISES = hues((20, 220), (0.3, 0.8), (0.35, 0.75))
_CHANCES = Chances(hat=0.2, blush=0.3, beard=0.1, moustache=0.1, freckles=0.15)
_BUILD = Build(
    eye_height=(-0.16, 0.04),
    eye_size=(0.9, 1.3),
    nose_size=(0.8, 1.5),
    mouth_height=(0.5, 0.62),
    mouth_width=(0.75, 1.1),
    body=(0.95, 1.2),
    tilt=12,
)


@STYLES("film")
def film(rng: Random) -> Style:
    """Return round forms that are lit from one side."""
    light = rng.uniform(-160, -20)
    look = Look(
        contour="none",
        shading="soft",
        light=light,
        depth=rng.uniform(0.3, 0.55),
        shine=rng.uniform(0.05, 0.6),
        line=rng.uniform(0.5, 0.9),
        ink="#2b1d1a",
    )
    return Style(
        skin=mostly(HOUSE_SKIN, VIVID, 0.88),
        hair_colour=mostly(HOUSE_HAIR, VIVID, 0.9),
        cloth=mostly(MUTED, VIVID, 0.5),
        heads=listed("cheeks, egg, round, heart, long, chisel, pear, bean, anvil"),
        hair=listed(
            "strands, curtain, curtain long, helmet, curls, bun, bowl, swoop, tufts, bald, "
            "afro, tail, puffs, horseshoe"
        ),
        hats=listed("beanie, cap, beret, bowler, crown, bow, hood"),
        eyes=listed("film, film, film lash, glasses, big"),
        noses=listed("soft, soft, bulb, ball, potato"),
        mouths=listed("smile, beam, talk, smirk, laugh, o, grin"),
        iris=_IRISES,
        chances=_CHANCES,
        build=_BUILD,
        look=look,
        scenery=Scenery(tints=0.6, tint=turned, blur=rng.uniform(0.8, 4.5)),
        staging=shots(close=5, extreme=2),
        finishes=VIDEO,
        overlays=COMMON_OVERLAYS,
    )
