"""Comics of newspapers: ink and dots on yellowed paper, speech bubbles."""

from __future__ import annotations

from random import Random

from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COMIC_OVERLAYS, PRINT
from facetl.cartoons.styles.palettes import HOUSE_SKIN, VIVID, hues, mostly, one_of
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import any_tint


@STYLES("newspaper")
def newspaper(rng: Random) -> Style:
    """Return round heads with small features, printed badly."""
    colours = rng.random() < 0.6
    return Style(
        skin=mostly(HOUSE_SKIN, one_of("#fdf3df", "#ffffff"), 0.5),
        hair_colour=mostly(one_of("#1d1a22", "#f4c552", "#94502a"), VIVID, 0.8),
        cloth=mostly(VIVID, one_of("#ffffff", "#1d1a22"), 0.7),
        heads=listed("round, globe, egg, pear, blob, long, bean, jaw"),
        hair=listed(
            "single hairs, bald, tufts, swoop, bowl, curls, mop, tail, horseshoe, flat, bun, spikes"
        ),
        eyes=listed("wide dots, tall dots, pinpricks, dots, ovals, glasses, saucers"),
        noses=listed("button, ball, bulb, bump, potato, hook, long, ruler"),
        mouths=listed("line, smile, beam, o, talk, frown, flat, shout"),
        chances=Chances(blush=0.05, profile=0.15, moustache=0.15),
        build=Build(eye_size=(0.7, 1.15), mouth_width=(0.7, 1.2), shade=0.0),
        look=Look(
            line=rng.uniform(0.35, 0.8),
            wobble=rng.choice([0, 0.4, 0.9]),
            paint="full" if colours else "blank",
            paper=hues((35, 55), (0.02, 0.2), (0.9, 1.0))(rng),
            slip=(rng.uniform(-3, 3), rng.uniform(-3, 3)),
        ),
        scenery=Scenery(tints=0.5, tint=any_tint),
        staging=shots(extreme=0),
        finishes=PRINT,
        overlays=COMIC_OVERLAYS,
    )
