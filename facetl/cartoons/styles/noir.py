"""Cities at night: dark rooms, coloured light, hats, coats, visors and dyed hair."""

from __future__ import annotations

from random import Random

from facetl.cartoons.finishes import PAINTED
from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COMMON_OVERLAYS, NIGHT
from facetl.cartoons.styles.palettes import DARK, HOUSE_SKIN, VIVID, hues, mostly
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import muted

_LIT = hues((0, 360), (0.15, 0.6), (0.7, 1.0))
_CHANCES = Chances(
    kid=0.1,
    hat=0.35,
    mask=0.12,
    stubble=0.25,
    beard=0.1,
    tie=0.3,
    profile=0.15,
    blush=0,
    freckles=0.02,
)
_BUILD = Build(
    body=(1.0, 1.35),
    breadth=(0.9, 1.3),
    eye_height=(-0.14, 0.04),
    shade=0.35,
    mouth_width=(0.7, 1.0),
    mouth_height=(0.5, 0.6),
)


@STYLES("noir")
def noir(rng: Random) -> Style:
    """Return hard light from one side, and colours that lamps give."""
    return Style(
        skin=mostly(HOUSE_SKIN, _LIT, 0.5),
        hair_colour=mostly(DARK, VIVID, 0.5),
        cloth=mostly(DARK, VIVID, 0.75),
        heads=listed("chisel, gaunt, pointed, anvil, long, egg, wedge, heart, kite"),
        hair=listed("mohawk, curtain, swoop, bob, dreads, slab, wild, helmet, bald, strands, long"),
        hats=listed("fedora, fedora, hood, cap, phones, beanie"),
        eyes=listed("almond, slanted, shades, shades, anime sharp, dots, blank, ovals, goggles"),
        noses=listed("facet, ruler, hook, triangle, tick, soft, nostrils"),
        mouths=listed("line, crooked, smirk, frown, flat, gritted, talk"),
        moods=listed("angry, bored, sad, talk, shock, happy"),
        mask_colour=mostly(VIVID, DARK, 0.7),
        iris=VIVID,
        chances=_CHANCES,
        build=_BUILD,
        look=Look(
            line=rng.uniform(0.3, 0.8),
            shading=rng.choice(["cel", "cel", "gradient", "flat"]),
            light=rng.choice([-170, -10, -90, 180]),
            depth=rng.uniform(0.4, 0.65),
        ),
        scenery=Scenery(tints=0.8, tint=muted, paint=PAINTED, blur=rng.choice([0, 0, 1.5])),
        staging=shots(close=5, off_centre=3),
        finishes=NIGHT,
        overlays=COMMON_OVERLAYS,
    )
