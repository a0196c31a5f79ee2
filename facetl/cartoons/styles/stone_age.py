"""Limited animation of the 1960s: muted colours, jaws of the colour of a beard, rough skins."""

from __future__ import annotations

from random import Random

from facetl.cartoons.finishes import PAINTED
from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COLOUR_FILM
from facetl.cartoons.styles.palettes import hues, mostly, no_colour, one_of
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import muted

_TAN = hues((14, 32), (0.2, 0.55), (0.6, 0.98))
_ROUGH = hues((10, 60), (0.08, 0.4), (0.35, 0.75))
_JAWS = hues((15, 60), (0.05, 0.5), (0.35, 0.8))


@STYLES("stone age")
def stone_age(rng: Random) -> Style:
    """Return broad jaws, small eyes and hides."""
    return Style(
        skin=mostly(_TAN, _ROUGH, 0.75),
        hair_colour=one_of("#1d1a22", "#2b2433", "#5f3823", "#94502a", "#dd7a2c", "#ece7df"),
        cloth=hues((0, 360), (0.2, 0.7), (0.4, 0.9)),
        heads=listed("jaw, anvil, box, egg, pear, round, squash, chisel, bean"),
        hair=listed(
            "flat, swoop, bowl, mop, helmet, tufts, horseshoe, bun, beehive, tail, strands, "
            "bob, bald"
        ),
        hats=listed("fedora, bowler, cap, bow, band"),
        eyes=listed("dots, beady, wide dots, ovals, tall dots, pie small, lash"),
        noses=listed("potato, bulb, ball, bump, big triangle, button, ruler"),
        mouths=listed("laugh, smile, talk, flat, overbite, shout, crooked, gritted"),
        decorations=listed("hide, hide, collar, none, coat, buttons"),
        jaw=_JAWS,
        muzzles=rng.random() < 0.25,
        iris=no_colour,
        chances=Chances(
            kid=0.25, hat=0.12, jaw=0.55, beard=0.1, moustache=0.08, stubble=0.1, mask=0.02
        ),
        build=Build(
            eye_height=(-0.28, -0.08),
            nose_size=(0.8, 1.5),
            mouth_width=(0.9, 1.4),
            breadth=(0.9, 1.5),
            shade=0.0,
        ),
        look=Look(
            line=rng.uniform(0.35, 0.75),
            wobble=rng.choice([0, 0.3, 0.8]),
            ink=rng.choice(["#1d1a22", "#2a1c14"]),
        ),
        scenery=Scenery(tints=1.0, tint=muted, paint=PAINTED, blur=rng.choice([0, 0, 1.0])),
        staging=shots(wide=3, crowd=2),
        finishes=COLOUR_FILM,
    )
