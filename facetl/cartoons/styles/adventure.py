"""Adventures as television drew them: nearly natural heads, thin lines, painted rooms."""

from __future__ import annotations

from random import Random

from facetl.cartoons.finishes import PAINTED
from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COLOUR_FILM
from facetl.cartoons.styles.palettes import HOUSE_HAIR, HOUSE_SKIN, MUTED, VIVID, hues, mostly
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import muted, turned

_WEIRD = hues((60, 300), (0.1, 0.5), (0.5, 0.9))
_CHANCES = Chances(
    kid=0.15, stubble=0.15, jaw=0.08, moustache=0.12, beard=0.1, wrinkles=0.35, profile=0.14
)


@STYLES("adventure")
def adventure(rng: Random) -> Style:
    """Return grown-ups with small eyes, real noses and lines in their faces."""
    return Style(
        skin=mostly(HOUSE_SKIN, _WEIRD, 0.9),
        hair_colour=mostly(HOUSE_HAIR, MUTED, 0.85),
        cloth=mostly(MUTED, VIVID, 0.5),
        heads=listed("chisel, pointed, egg, gaunt, anvil, jaw, heart, long, cheeks, pear"),
        hair=listed(
            "swoop, helmet, curtain, curtain long, bowl, bob, strands, tail, bun, horseshoe, "
            "bald, mop, curls, long, afro, flat, dreads"
        ),
        hats=listed("fedora, cap, beret, band, helmet, bowler, hood, beanie"),
        eyes=listed("almond, almond, anime sharp, ovals, wide dots, glasses, square, lash, dots"),
        noses=listed("ruler, facet, tick, hook, potato, soft, button, nostrils, bump, bulb"),
        mouths=listed("line, talk, smile, flat, frown, shout, smirk, laugh, gritted, o, wavy"),
        chances=_CHANCES,
        build=Build(
            head_width=(0.84, 1.0),
            head_height=(1.0, 1.12),
            eye_size=(0.8, 1.05),
            eye_height=(-0.16, 0.02),
            nose_size=(0.8, 1.25),
            mouth_height=(0.5, 0.6),
            mouth_width=(0.6, 0.95),
            body=(1.1, 1.4),
            shade=rng.choice([0.0, 0.0, 0.12, 0.2]),
        ),
        look=Look(
            line=rng.uniform(0.3, 0.6),
            contour=rng.choice(["ink", "ink", "own"]),
            shading=rng.choice(["flat", "flat", "cel"]),
            depth=rng.uniform(0.2, 0.4),
            ink=rng.choice(["#1d1a22", "#3a2417", "#2a1c14"]),
        ),
        scenery=Scenery(
            tints=0.9,
            tint=rng.choice([muted, turned]),
            paint=PAINTED,
            blur=rng.choice([0, 0.8, 1.6]),
        ),
        staging=shots(wide=4, huddle=2),
        finishes=COLOUR_FILM,
    )
