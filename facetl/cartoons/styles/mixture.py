"""A style put together at random for each frame, so that its faces share nothing else."""

from __future__ import annotations

from random import Random
from typing import TypeVar

from facetl.cartoons.cast import MOODS
from facetl.cartoons.colours import INK
from facetl.cartoons.eyes import EYE_STYLES
from facetl.cartoons.finishes import PAINTED
from facetl.cartoons.hair import HAIR_STYLES
from facetl.cartoons.hats import hat
from facetl.cartoons.heads import HEADS
from facetl.cartoons.look import Look
from facetl.cartoons.masks import mask
from facetl.cartoons.mouths import mouth
from facetl.cartoons.noses import nose
from facetl.cartoons.styles.effects import some_finishes, some_overlays
from facetl.cartoons.styles.palettes import (
    ANY,
    ANY_SKIN,
    DARK,
    GREYS,
    HOUSE_SKIN,
    MUTED,
    PASTEL,
    VIVID,
    Span,
    mostly,
    no_colour,
    one_of,
)
from facetl.cartoons.styles.stagings import VARIED
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style
from facetl.cartoons.styles.tints import any_tint

T = TypeVar("T")


@STYLES("mixture")
def mixture(rng: Random) -> Style:
    """Return a style whose settings are random and independent; skin has any colour."""
    return Style(
        skin=mostly(ANY_SKIN, HOUSE_SKIN, rng.choice([1.0, 0.8, 0.5])),
        hair_colour=rng.choice([ANY, ANY, VIVID, MUTED, GREYS]),
        cloth=rng.choice([ANY, VIVID, PASTEL, MUTED, GREYS]),
        heads=_some(HEADS, rng),
        hair=_some(HAIR_STYLES, rng),
        hats=_some(hat, rng),
        eyes=_some(EYE_STYLES, rng),
        noses=_some(nose, rng),
        mouths=_some(mouth, rng),
        moods=tuple(MOODS),
        masks=tuple(mask),
        mask_colour=ANY_SKIN,
        eye_white=mostly(one_of("#ffffff"), PASTEL, rng.choice([1.0, 0.7])),
        iris=rng.choice([VIVID, ANY, no_colour]),
        jaw=rng.choice([None, ANY]),
        muzzles=rng.random() < 0.4,
        chances=_chances(rng),
        build=_build(rng),
        look=_look(rng),
        scenery=_scenery(rng),
        staging=VARIED,
        finishes=some_finishes(rng),
        overlays=some_overlays(rng),
    )


def _some(features: dict[str, T], rng: Random) -> tuple[str, ...]:
    """Return two to eight of all there are: people of one frame have something in common."""
    return tuple(rng.sample(list(features), rng.randint(2, 8)))


def _chances(rng: Random) -> Chances:
    return Chances(
        kid=rng.random(),
        hat=rng.uniform(0, 0.5),
        skirt=rng.random(),
        freckles=rng.choice([0, 0.3]),
        blush=rng.choice([0, 0, 0.6]),
        moustache=rng.choice([0, 0.3]),
        beard=rng.choice([0, 0.25]),
        stubble=rng.choice([0, 0.2]),
        lipstick=rng.choice([0, 0.3]),
        jaw=rng.choice([0, 0, 0.3]),
        mask=rng.choice([0, 0, 0.3]),
        wrinkles=rng.choice([0, 0.3]),
        hair_of_skin=rng.choice([0, 0.15]),
        own_mouth=rng.random(),
        ears=rng.choice([1, 1, 0.5, 0]),
        profile=rng.choice([0, 0.1, 0.1, 0.6]),
        angular=rng.choice([0, 0, 0.5]),
    )


def _build(rng: Random) -> Build:
    return Build(
        eye_height=_around(rng.uniform(-0.3, 0.08), 0.08),
        eye_size=_around(rng.uniform(0.75, 1.4), 0.15),
        eye_gap=_around(rng.uniform(0.95, 1.25), 0.05),
        nose_size=_around(rng.uniform(0.6, 1.5), 0.2),
        mouth_height=_around(rng.uniform(0.42, 0.6), 0.06),
        mouth_width=_around(rng.uniform(0.6, 1.3), 0.2),
        head_width=_around(rng.uniform(0.8, 1.2), 0.08),
        head_height=_around(rng.uniform(0.85, 1.15), 0.08),
        body=_around(rng.uniform(0.6, 1.5), 0.1),
        breadth=_around(rng.uniform(0.7, 1.5), 0.2),
        outline=_around(rng.uniform(0.5, 1.3), 0.1),
        shade=rng.choice([0, 0.1, 0.2]),
        tilt=rng.choice([4, 10, 18]),
        steepest=45,
    )


def _look(rng: Random) -> Look:
    shading = rng.choice(["flat", "flat", "flat", "cel", "gradient", "soft"])
    blank = rng.random() < 0.06
    return Look(
        line=rng.uniform(0.35, 1.3),
        contour="ink" if blank else rng.choice(["ink", "ink", "ink", "own", "none"]),
        ink=rng.choice([INK, INK, "#000000", "#3a2417", DARK(rng)]),
        wobble=rng.choice([0, 0, 0, rng.uniform(0.3, 1.5)]),
        slip=(rng.uniform(-3, 3), rng.uniform(-3, 3)) if rng.random() < 0.1 else (0, 0),
        paint="blank" if blank else "full",
        paper=PASTEL(rng),
        shading=shading,
        light=rng.uniform(-170, -10),
        depth=rng.uniform(0.2, 0.55),
        shine=rng.choice([0, rng.uniform(0, 0.8)]),
    )


def _scenery(rng: Random) -> Scenery:
    return Scenery(
        look=rng.choice([None, None, _look(rng)]),
        tints=rng.choice([0.3, 0.8, 1.0]),
        tint=any_tint,
        paint=rng.choice([{}, PAINTED]),
        blur=rng.choice([0, 0, 0, rng.uniform(0.8, 4)]),
    )


def _around(middle: float, reach: float) -> Span:
    return middle - reach, middle + reach
