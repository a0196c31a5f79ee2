"""Anime: huge eyes, a tiny nose and mouth, a pointed chin, spiked hair, tilted heads."""

from __future__ import annotations

from random import Random

from facetl.cartoons.finishes import PAINTED
from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import COMMON_OVERLAYS, VIDEO
from facetl.cartoons.styles.palettes import HOUSE_HAIR, VIVID, hues, mostly
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import turned

_FAIR = hues((14, 34), (0.06, 0.3), (0.92, 1.0))
_DARK = hues((16, 30), (0.35, 0.6), (0.45, 0.8))
_CHANCES = Chances(
    hat=0.12,
    moustache=0,
    beard=0.02,
    stubble=0,
    freckles=0.03,
    blush=0.35,
    own_mouth=0.85,
    mask=0.04,
    lipstick=0,
    tie=0.2,
)
_BUILD = Build(
    eye_height=(-0.02, 0.14),
    eye_size=(0.95, 1.3),
    eye_gap=(0.9, 1.05),
    nose_size=(0.6, 1.0),
    mouth_height=(0.52, 0.64),
    mouth_width=(0.45, 0.85),
    head_width=(0.88, 1.02),
    body=(1.0, 1.25),
    breadth=(0.75, 1.0),
    shade=0.08,
    tilt=15,
    steepest=45,
)


@STYLES("anime")
def anime(rng: Random) -> Style:
    """Return thin lines, two tones, and eyes low in the face."""
    return Style(
        skin=mostly(_FAIR, _DARK, 0.8),
        hair_colour=mostly(HOUSE_HAIR, VIVID, 0.5),
        heads=listed("pointed, heart, pointed, wedge, drop, egg"),
        hair=listed(
            "wild, wild long, strands, strands bob, curtain, curtain long, twin tails, "
            "helmet, tail, picket"
        ),
        hats=listed("animal ears, bow, band, cap, phones, hood"),
        eyes=listed("anime, anime, anime huge, anime sharp, slanted"),
        noses=listed("tick, speck, facet, none"),
        mouths=listed("line, tiny o, cat, beam, smile, shout, talk"),
        moods=listed("happy, angry, sad, shock, talk, asleep, bored, glee"),
        decorations=listed("uniform, uniform, coat, zip, none, collar"),
        iris=VIVID,
        chances=_CHANCES,
        build=_BUILD,
        look=Look(
            line=rng.uniform(0.3, 0.6),
            shading=rng.choice(["flat", "cel", "cel"]),
            ink=rng.choice(["#241a1e", "#3a2417", "#161522"]),
            depth=rng.uniform(0.2, 0.4),
        ),
        scenery=Scenery(tints=0.5, tint=turned, paint=PAINTED, blur=rng.choice([0, 0, 1.5])),
        staging=shots(extreme=3, close=4, off_centre=4),
        finishes=VIDEO,
        overlays=COMMON_OVERLAYS,
    )
