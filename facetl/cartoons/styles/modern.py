"""Angular drawing of the 1950s: flat shapes, straight sides, profiles, few lines."""

from __future__ import annotations

from random import Random

from facetl.cartoons.finishes import PAINTED
from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COLOUR_FILM
from facetl.cartoons.styles.palettes import HOUSE_HAIR, HOUSE_SKIN, MUTED, VIVID, hues, mostly
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import any_tint

_FLAT = hues((0, 360), (0.1, 0.6), (0.6, 1.0))


@STYLES("modern")
def modern(rng: Random) -> Style:
    """Return kites and crates for heads, a good part of them in profile."""
    return Style(
        skin=mostly(HOUSE_SKIN, _FLAT, 0.6),
        hair_colour=mostly(HOUSE_HAIR, VIVID, 0.7),
        cloth=mostly(MUTED, VIVID, 0.6),
        heads=listed("shield, kite, trapeze, crate, long, squash, wedge, drop"),
        hair=listed(
            "bald, single hairs, slab, flat, picket, bowl, helmet, beehive, horseshoe, bun, swoop"
        ),
        hats=listed("fedora, top hat, bowler, beret, party, bow"),
        eyes=listed("pinpricks, wide dots, tall dots, dots, saucers, square, pie small"),
        noses=listed("carrot, ruler, big triangle, triangle, long, speck, bump"),
        mouths=listed("line, crooked, slab, tiny o, beam, smirk"),
        chances=Chances(profile=0.35, angular=0.6, hat=0.3, ears=0.6, own_mouth=0.8, tie=0.3),
        build=Build(
            head_width=(0.75, 1.15),
            head_height=(0.85, 1.2),
            eye_size=(0.7, 1.1),
            eye_height=(-0.35, 0.0),
            nose_size=(0.9, 1.8),
            outline=(0.5, 1.0),
            breadth=(0.6, 1.4),
            shade=rng.choice([0.0, 0.15]),
        ),
        look=Look(
            line=rng.uniform(0.25, 0.7),
            contour=rng.choice(["ink", "none", "none", "own"]),
            slip=(rng.uniform(-4, 4), rng.uniform(-4, 4)) if rng.random() < 0.3 else (0, 0),
            ink=rng.choice(["#1d1a22", "#2b1d1a", "#20304f"]),
        ),
        scenery=Scenery(tints=0.8, tint=any_tint, paint=PAINTED),
        staging=shots(wide=3),
        finishes=COLOUR_FILM,
    )
