"""Cut-out people: huge round heads, dots for eyes, tiny bodies, flat paper."""

from __future__ import annotations

from random import Random

from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COMMON_OVERLAYS, VIDEO
from facetl.cartoons.styles.palettes import HOUSE_HAIR, HOUSE_SKIN, VIVID, hues, mostly, no_colour
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import any_tint

_PALE = hues((20, 40), (0.08, 0.3), (0.92, 1.0))
_CHANCES = Chances(
    kid=0.8,
    hat=0.55,
    freckles=0.04,
    blush=0.05,
    beard=0.06,
    own_mouth=0.9,
    ears=0.15,
    skirt=0.2,
    mask=0.04,
)
_BUILD = Build(
    eye_height=(-0.2, 0.02),
    eye_size=(0.85, 1.15),
    mouth_height=(0.44, 0.6),
    mouth_width=(0.5, 1.1),
    head_width=(1.0, 1.2),
    head_height=(0.9, 1.02),
    body=(0.65, 0.9),
    breadth=(0.9, 1.3),
    outline=(0.5, 1.0),
    shade=0.0,
    tilt=6,
    steepest=30,
)


@STYLES("cut-out")
def cut_out(rng: Random) -> Style:
    """Return heads like balls on small bodies, often in a hat or a hood."""
    return Style(
        skin=mostly(_PALE, HOUSE_SKIN, 0.6),
        hair_colour=mostly(HOUSE_HAIR, VIVID, 0.85),
        cloth=VIVID,
        heads=listed("globe, globe, round, pill, blob"),
        hair=listed("bald, bowl, afro, helmet, mop, flat, single hairs, bob, swoop"),
        hats=listed("beanie, hood, hood, cap, bowler, band, crown, helmet, top hat"),
        eyes=listed("leaning, leaning, leaning inked, pinpricks, wide dots, bulge"),
        noses=listed("none, none, speck, nostrils, button"),
        mouths=listed("line, line, beam, tiny o, crooked, slab, gritted"),
        iris=no_colour,
        chances=_CHANCES,
        build=_BUILD,
        look=Look(
            line=rng.uniform(0.35, 0.8),
            contour=rng.choice(["ink", "ink", "own", "none"]),
            slip=(rng.uniform(-1, 1), rng.uniform(-1, 1)),
        ),
        scenery=Scenery(tints=0.5, tint=any_tint),
        staging=shots(huddle=3, wide=4, crowd=2),
        finishes=VIDEO,
        overlays=COMMON_OVERLAYS,
    )
