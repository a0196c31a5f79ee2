"""Strangers: characters put together at random from all that the registries hold."""

from __future__ import annotations

from random import Random

from facetl.cartoons.cast import Character
from facetl.cartoons.clothes import decoration
from facetl.cartoons.colours import CLOTH, HAIR, INK, ODD_SKIN, SKIN
from facetl.cartoons.eyes import EYE_STYLES
from facetl.cartoons.hair import HAIR_STYLES
from facetl.cartoons.hats import hat
from facetl.cartoons.heads import HEADS
from facetl.cartoons.noses import nose
from facetl.cartoons.outfit import Outfit, choose_outfit

SPECTACLES = (INK, INK, INK, "#7a3b1e", "#c93f3f", "#2f3b69", "#f3a712")


def invent(rng: Random) -> Character:
    """Return somebody who has never been seen before."""
    kid = rng.random() < 0.45
    weights = [EYE_STYLES[name].weight for name in EYE_STYLES.common]
    return Character(
        kid=kid,
        head=rng.choice(HEADS.common),
        skin=rng.choice(SKIN if rng.random() < 0.92 else ODD_SKIN),
        hair=rng.choice(HAIR_STYLES.common),
        hair_colour=rng.choice(HAIR),
        eyes=rng.choices(EYE_STYLES.common, weights)[0],
        spectacles=rng.choice(SPECTACLES),
        nose=rng.choice(nose.common),
        top=rng.choice(CLOTH),
        tie=rng.choice(CLOTH) if not kid and rng.random() < 0.3 else None,
        hat=rng.choice(hat.common) if rng.random() < 0.34 else None,
        skirt=rng.random() < 0.35,
        freckles=rng.random() < 0.15,
        blush=rng.random() < 0.15,
        moustache=not kid and rng.random() < 0.2,
        beard=not kid and rng.random() < 0.14,
        stubble=not kid and rng.random() < 0.12,
        lipstick=not kid and rng.random() < 0.2,
    )


def dress_up(who: Character, rng: Random) -> Outfit:
    """Return what somebody wears in one frame."""
    return choose_outfit(rng, decoration.common, kid=who.kid)
