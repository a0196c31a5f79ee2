"""Colours: the palettes of the cartoon, and mixing them."""

from __future__ import annotations

import colorsys
from random import Random

Colour = str | tuple[int, int, int]
"""``"#rrggbb"`` or red, green, blue from 0 to 255."""

INK = "#1d1a22"
SHADOW = "#1a1030"
SUNLIGHT = "#fffaf0"
PAPER = "#fffbee"
WHITE = "#ffffff"

# fmt: off
SKIN = (
    "#f8d0aa", "#f3bd94", "#fce6d4", "#dea274", "#bd7f52",
    "#93613f", "#6f472e", "#f4aa9c", "#ffeee4", "#eec28a",
)
ODD_SKIN = ("#b7d99a", "#a4c9ec", "#cdb0e6", "#f6d873")
HAIR = (
    "#2b2433", "#5f3823", "#94502a", "#dd7a2c", "#f4c552", "#f7ebbd",
    "#ece7df", "#868894", "#c93f3f", "#3f62ad", "#3da88f", "#db7db3",
)
CLOTH = (
    "#e4572e", "#f3a712", "#669bbc", "#2f3b69", "#a8c686", "#f4efe0", "#7b4b94",
    "#d1495b", "#00798c", "#edae49", "#3d405b", "#81b29a", "#ffffff",
)
# fmt: on


def rgb(colour: Colour) -> tuple[int, int, int]:
    """Return red, green, blue from 0 to 255."""
    if isinstance(colour, str):
        return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
    return colour


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """Return the colour with a ``share`` (0 to 1) of the other stirred in."""
    red, green, blue = (
        round(a + (b - a) * share) for a, b in zip(rgb(colour), rgb(other), strict=True)
    )
    return red, green, blue


def darken(colour: Colour, share: float = 0.3) -> Colour:
    """Return the colour as it looks in the shade."""
    return mix(colour, SHADOW, share)


def lighten(colour: Colour, share: float = 0.3) -> Colour:
    """Return the colour as it looks in the sun."""
    return mix(colour, SUNLIGHT, share)


def from_hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return the colour of a hue, a saturation and a value, each from 0 to 1."""
    red, green, blue = (
        round(255 * channel) for channel in colorsys.hsv_to_rgb(hue, saturation, value)
    )
    return red, green, blue


def any_colour(
    rng: Random,
    saturation: tuple[float, float] = (0.0, 1.0),
    value: tuple[float, float] = (0.0, 1.0),
) -> Colour:
    """Return a colour of any hue; saturation and value (0 to 1) lie within the limits."""
    return from_hsv(rng.random(), rng.uniform(*saturation), rng.uniform(*value))


def object_colour(rng: Random, *usual: Colour) -> Colour:
    """Return a random colour for a thing that is no face: a usual one, one of skins, or any.

    A detector must not learn from colours what is a face and what is not.
    """
    if usual and rng.random() < 0.35:
        return rng.choice(usual)
    if rng.random() < 0.3:
        return rng.choice(SKIN + ODD_SKIN)
    return any_colour(rng, (0.0, 0.95), (0.25, 1.0))
