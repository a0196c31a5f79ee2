"""What a character has on today: all that is drawn afresh in every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from facetl.cartoons.colours import CLOTH, WHITE, Colour

TROUSERS = ("#3d405b", "#5b4a3f", "#2f3b69", "#7d7f8c", "#8c4a22")
SHOES = ("#2b2433", "#7a3b1e", "#c93f3f", "#f4efe0")
GLOVES = (None, None, WHITE, "#edae49", "#7b4b94")
EYE_WHITES = (WHITE, WHITE, "#fdf7e3", "#dff1fb")
LENSES = (*EYE_WHITES, "#cfe8f7", "#cfe8f7", "#cfe8f7")
IRISES = (None, None, None, "#4a7fb5", "#5d9b5a", "#8a5a2b")

TORSOS = {  # half widths of shoulders, waist and hips
    "bean": (0.8, 1.0, 0.9),
    "triangle": (1.15, 0.75, 0.62),
    "pear": (0.6, 0.85, 1.15),
    "box": (0.9, 0.9, 0.95),
}


@dataclass(frozen=True)
class Outfit:
    """Build, clothes and small things; lengths in head units (a head is about 2 high).

    ``hand`` names an entry of the registry ``hand`` in arms.py.
    """

    torso: str
    torso_length: float
    torso_half_width: float
    leg_length: float
    sleeve: float
    decoration: str
    accent: Colour
    trousers: Colour
    skirt: Colour
    shoe: Colour
    hat: Colour
    glove: Colour | None
    ear_size: float
    nose_size: float
    eye_size: float
    eye_white: Colour
    lens: Colour
    iris: Colour | None
    rim: float
    brow: float
    hand: str = "sketched"
    hand_size: float = 1.0


def choose_outfit(rng: Random, decorations: Sequence[str], *, kid: bool) -> Outfit:
    """Return an outfit for a child or for a grown-up."""
    return Outfit(
        torso=rng.choice(list(TORSOS)),
        torso_length=rng.uniform(1.1, 1.5) if kid else rng.uniform(1.7, 2.6),
        torso_half_width=rng.uniform(0.5, 0.75) if kid else rng.uniform(0.6, 1.15),
        leg_length=rng.uniform(0.7, 1) if kid else rng.uniform(1.2, 2),
        sleeve=rng.choice([0.35, 0.5, 1]),
        decoration=rng.choice(decorations),
        accent=rng.choice(CLOTH),
        trousers=rng.choice(TROUSERS),
        skirt=rng.choice(CLOTH),
        shoe=rng.choice(SHOES),
        hat=rng.choice(CLOTH),
        glove=rng.choice(GLOVES),
        ear_size=rng.uniform(0.7, 1.3),
        nose_size=rng.uniform(0.8, 1.3),
        eye_size=rng.uniform(0.85, 1.18),
        eye_white=rng.choice(EYE_WHITES),
        lens=rng.choice(LENSES),
        iris=rng.choice(IRISES),
        rim=rng.choice([0.085, 0.12, 0.17]),
        brow=rng.choice([0.06, 0.09, 0.14]),
    )
