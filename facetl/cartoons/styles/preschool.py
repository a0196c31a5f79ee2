"""Shows for the youngest: blobs, thick outlines or none, pastel colours, two dots and a smile."""

from __future__ import annotations

from random import Random

from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import VIDEO
from facetl.cartoons.styles.palettes import PASTEL, VIVID, hues, mostly
from facetl.cartoons.styles.stagings import shots
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, listed
from facetl.cartoons.styles.tints import turned

_SKIN = hues((10, 40), (0.08, 0.55), (0.55, 1.0))
_CHANCES = Chances(
    kid=0.85,
    blush=0.6,
    hat=0.2,
    moustache=0.03,
    beard=0.02,
    stubble=0,
    own_mouth=0.9,
    ears=0.6,
    profile=0.04,
)
_BUILD = Build(
    eye_height=(-0.12, 0.1),
    eye_size=(0.8, 1.3),
    mouth_height=(0.4, 0.52),
    mouth_width=(0.6, 1.1),
    head_width=(0.9, 1.12),
    body=(0.6, 0.95),
    breadth=(1.0, 1.5),
    outline=(0.8, 1.6),
    shade=0.0,
)


@STYLES("preschool")
def preschool(rng: Random) -> Style:
    """Return plain faces with cheeks."""
    return Style(
        skin=mostly(_SKIN, PASTEL, 0.7),
        hair_colour=mostly(VIVID, hues((15, 45), (0.3, 0.9), (0.2, 0.9)), 0.4),
        cloth=mostly(PASTEL, VIVID, 0.5),
        heads=listed("blob, blob, globe, pill, round, cheeks, squash, pear"),
        hair=listed(
            "bald, single hairs, bowl, puffs, bun, bob, afro, mop, tufts, twin tails, curls"
        ),
        eyes=listed("wide dots, tall dots, tall dots, googly, saucers, pinpricks, ghost"),
        noses=listed("none, speck, ball, button, nostrils, soft"),
        mouths=listed("beam, smile, tiny o, cat, line, laugh"),
        moods=listed("happy, glee, talk, shock, asleep, sad"),
        chances=_CHANCES,
        build=_BUILD,
        look=Look(
            line=rng.uniform(0.6, 1.5),
            contour=rng.choice(["ink", "own", "own", "none"]),
            shading=rng.choice(["flat", "flat", "soft", "gradient"]),
            depth=0.25,
            ink=rng.choice(["#2b2433", "#5b3a29", "#33415c", "#000000"]),
        ),
        scenery=Scenery(tints=0.6, tint=turned),
        staging=shots(),
        finishes=VIDEO,
    )
