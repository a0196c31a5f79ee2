"""Palettes, which return random colours: from a table or from a range of hues."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from facetl.cartoons.colours import CLOTH, HAIR, SKIN, Colour, from_hsv
from facetl.cartoons.outfit import EYE_WHITES, GLOVES, IRISES

Palette = Callable[[Random], Colour]
"""Returns a random colour."""

MaybePalette = Callable[[Random], Colour | None]
"""Returns a random colour, or none."""

Span = tuple[float, float]


def one_of(*colours: Colour) -> Palette:
    """Return a palette of these colours."""
    return lambda rng: rng.choice(colours)


def no_colour(rng: Random) -> None:
    """Return no colour: of eyes without an iris."""


def house_iris(rng: Random) -> Colour | None:
    """Return the colour of an iris as the house has them, mostly none."""
    return rng.choice(IRISES)


def house_gloves(rng: Random) -> Colour | None:
    """Return the colour of gloves as the house has them, mostly none."""
    return rng.choice(GLOVES)


def hues(hue: Span, saturation: Span = (0.3, 0.9), value: Span = (0.5, 1.0)) -> Palette:
    """Return a palette of all colours of some hues, in degrees, saturations and values."""

    def draw(rng: Random) -> Colour:
        return from_hsv(
            rng.uniform(*hue) % 360 / 360, rng.uniform(*saturation), rng.uniform(*value)
        )

    return draw


def mostly(often: Palette, seldom: Palette, share: float = 0.8) -> Palette:
    """Return a palette that takes the first one in a ``share`` of all cases."""
    return lambda rng: (often if rng.random() < share else seldom)(rng)


ANY = hues((0, 360), (0.0, 1.0), (0.12, 1.0))
ANY_SKIN = hues((0, 360), (0.0, 1.0), (0.32, 1.0))
VIVID = hues((0, 360), (0.45, 1.0), (0.5, 1.0))
PASTEL = hues((0, 360), (0.12, 0.45), (0.85, 1.0))
MUTED = hues((0, 360), (0.1, 0.45), (0.35, 0.85))
DARK = hues((0, 360), (0.0, 1.0), (0.0, 0.35))
GREYS = hues((0, 360), (0.0, 0.03), (0.05, 1.0))
HOUSE_SKIN, HOUSE_HAIR, HOUSE_CLOTH = one_of(*SKIN), one_of(*HAIR), one_of(*CLOTH)
HOUSE_EYE_WHITE = one_of(*EYE_WHITES)
