"""Heroes: square jaws, masks, cowls, hoods, broad shoulders; and their villains."""

from __future__ import annotations

from random import Random

from facetl.cartoons.finishes import PAINTED
from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COMMON_OVERLAYS, VIDEO
from facetl.cartoons.styles.palettes import DARK, HOUSE_HAIR, HOUSE_SKIN, VIVID, hues, mostly
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import any_tint

_VILLAINS = hues((60, 330), (0.2, 0.7), (0.5, 0.9))
_CHANCES = Chances(
    kid=0.1,
    mask=0.5,
    hat=0.2,
    beard=0.08,
    stubble=0.15,
    skirt=0.12,
    tie=0.0,
    profile=0.12,
    freckles=0,
    blush=0,
)
_BUILD = Build(
    head_width=(0.88, 1.02),
    head_height=(0.98, 1.12),
    eye_size=(0.9, 1.2),
    eye_height=(-0.16, 0.0),
    body=(1.2, 1.6),
    breadth=(1.0, 1.6),
    mouth_height=(0.48, 0.6),
    shade=0.22,
    steepest=40,
)


@STYLES("heroes")
def heroes(rng: Random) -> Style:
    """Return small heads on broad bodies, half of them masked."""
    return Style(
        skin=mostly(HOUSE_SKIN, _VILLAINS, 0.85),
        hair_colour=mostly(HOUSE_HAIR, DARK, 0.7),
        cloth=VIVID,
        heads=listed("chisel, chisel, anvil, jaw, shield, pointed, gaunt, egg"),
        hair=listed("swoop, helmet, flat, curtain long, bald, strands, slab, wild, bob, tail"),
        hats=listed("hood, hood, helmet, crown, band"),
        eyes=listed("almond, almond, slanted, ovals, blank, blank, anime sharp, dots"),
        noses=listed("ruler, facet, triangle, tick, button, nostrils, soft"),
        mouths=listed("line, smirk, gritted, flat, crooked, smile, frown, shout, talk"),
        moods=listed("angry, angry, talk, happy, shock, bored, sad"),
        masks=listed("domino, domino, cowl, cowl, helmet, bandit, paint, patch"),
        mask_colour=mostly(VIVID, DARK, 0.8),
        decorations=listed("emblem, emblem, zip, coat, none"),
        chances=_CHANCES,
        build=_BUILD,
        look=Look(
            line=rng.uniform(0.4, 0.85),
            shading=rng.choice(["flat", "cel", "cel"]),
            light=rng.uniform(-160, -20),
            depth=rng.uniform(0.25, 0.55),
        ),
        scenery=Scenery(tints=0.6, tint=any_tint, paint=PAINTED),
        staging=shots(close=5),
        finishes=VIDEO,
        overlays=COMMON_OVERLAYS,
    )
