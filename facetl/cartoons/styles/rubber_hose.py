"""Black and white of the 1930s: eyes like pies, white gloves, big grins."""

from __future__ import annotations

from random import Random

from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import OLD_FILM
from facetl.cartoons.styles.palettes import GREYS, hues, mostly, no_colour, one_of
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import greyed

_PALE = hues((0, 360), (0, 0.01), (0.82, 1.0))
_MIDDLE = hues((0, 360), (0, 0.01), (0.35, 0.8))
_BLACK = hues((0, 360), (0, 0.01), (0.04, 0.2))


@STYLES("rubber hose")
def rubber_hose(rng: Random) -> Style:
    """Return people of ink on film without colours."""
    return Style(
        skin=mostly(_PALE, _MIDDLE, 0.8),
        hair_colour=mostly(_BLACK, GREYS, 0.7),
        cloth=GREYS,
        heads=listed("round, bean, pear, globe, cheeks, egg, blob"),
        hair=listed("bald, bald, tufts, bowl, swoop, single hairs, curls, helmet, bun"),
        hats=listed("top hat, bowler, bowler, cap, bow, beret"),
        eyes=listed("pie, pie, pie small, tall dots, ovals, lash"),
        noses=listed("black bulb, bulb, ball, button, bump, potato"),
        mouths=listed("beam, laugh, grin, smile, tongue, o"),
        mask_colour=_BLACK,
        jaw=_MIDDLE,
        muzzles=rng.random() < 0.3,
        iris=no_colour,
        gloves=one_of("#ffffff"),
        chances=Chances(hat=0.4, jaw=0.15, freckles=0.02, blush=0.1, own_mouth=0.8, beard=0.06),
        build=Build(
            eye_height=(-0.3, -0.08),
            eye_size=(0.9, 1.25),
            mouth_width=(1.0, 1.4),
            nose_size=(0.7, 1.2),
            body=(0.85, 1.1),
            breadth=(0.6, 0.95),
            shade=0.0,
            tilt=14,
        ),
        look=Look(line=rng.uniform(0.5, 0.9), ink="#101010", wobble=rng.choice([0, 0.4])),
        scenery=Scenery(tints=1.0, tint=greyed, blur=rng.choice([0, 0.7])),
        staging=shots(wide=3),
        finishes=OLD_FILM,
    )
