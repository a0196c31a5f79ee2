"""Green, blue and grey people: aliens, ghosts, zombies, goblins, robots' makers."""

from __future__ import annotations

from random import Random

from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COMMON_OVERLAYS, VIDEO
from facetl.cartoons.styles.palettes import VIVID, Palette, hues
from facetl.cartoons.styles.stagings import VARIED
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import any_tint

_GREEN = hues((75, 165), (0.25, 0.85), (0.45, 0.95))
_BLUE = hues((175, 265), (0.25, 0.8), (0.5, 1.0))
_PURPLE = hues((265, 330), (0.25, 0.7), (0.5, 0.95))
_GREY = hues((0, 360), (0.0, 0.12), (0.5, 0.97))
_RED = hues((-20, 15), (0.5, 0.9), (0.6, 0.95))


def _creature(skin: Palette, rng: Random) -> Style:
    return Style(
        skin=skin,
        hair_colour=VIVID,
        cloth=VIVID,
        heads=listed("cranium, gaunt, heart, bulb, egg, blob, wedge, globe, long, jaw"),
        hair=listed(
            "bald, bald, tufts, wild, strands, mohawk, long, swoop, horseshoe, afro, curtain long"
        ),
        hats=listed("antennae, antennae, animal ears, crown, bubble, hood, top hat"),
        eyes=listed(
            "alien, cat slit, slanted, almond, big, ovals, saucers, ghost, blank, lash, googly"
        ),
        noses=listed("slots, nostrils, none, button, hook, facet, potato, long"),
        mouths=listed("line, snaggle, beam, crooked, tiny o, grin, smile, gritted"),
        look=Look(line=rng.uniform(0.4, 1.1), shading=rng.choice(["flat", "flat", "cel", "soft"])),
        scenery=Scenery(tints=0.5, tint=any_tint),
        staging=VARIED,
        finishes=VIDEO,
        overlays=COMMON_OVERLAYS,
        iris=VIVID,
        eye_white=hues((0, 360), (0.0, 0.3), (0.9, 1.0)),
        chances=Chances(hat=0.3, mask=0.08, kid=0.3, jaw=0.05, beard=0.06, ears=0.6),
        build=Build(
            eye_size=(0.85, 1.35),
            eye_height=(-0.22, 0.02),
            head_width=(0.85, 1.15),
            head_height=(0.9, 1.15),
        ),
    )


@STYLES("green")
def green(rng: Random) -> Style:
    """Return people of green skin."""
    return _creature(_GREEN, rng)


@STYLES("blue")
def blue(rng: Random) -> Style:
    """Return people of blue and purple skin."""
    return _creature(rng.choice([_BLUE, _BLUE, _PURPLE]), rng)


@STYLES("grey")
def grey(rng: Random) -> Style:
    """Return people of grey and white skin, now and then of red skin."""
    return _creature(rng.choice([_GREY, _GREY, _RED]), rng)
