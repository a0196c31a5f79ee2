"""Tints: what becomes of the colours of places and props."""

from __future__ import annotations

import colorsys
from random import Random

from facetl.cartoons.colours import Colour, from_hsv, mix, rgb
from facetl.cartoons.look import Tint


def turned(rng: Random) -> Tint:
    """Return a tint that turns all hues by the same angle, and pales or deepens them."""
    angle, depth, light = rng.random(), rng.uniform(0.4, 1.5), rng.uniform(0.75, 1.15)

    def tint(colour: Colour) -> Colour:
        hue, saturation, value = colorsys.rgb_to_hsv(*(each / 255 for each in rgb(colour)))
        return from_hsv((hue + angle) % 1, min(1, saturation * depth), min(1, value * light))

    return tint


def washed(rng: Random) -> Tint:
    """Return a tint that mixes one random colour into all others."""
    wash = tuple(rng.randrange(256) for _ in range(3))
    share = rng.uniform(0.3, 0.75)
    return lambda colour: mix(colour, (wash[0], wash[1], wash[2]), share)


def skin_like(rng: Random) -> Tint:
    """Return a tint towards the colours that skin has, for things that are no skin."""
    wash = rng.choice(["#f8d0aa", "#bd7f52", "#f6d743", "#93613f", "#f4aa9c", "#8ec36a"])
    share = rng.uniform(0.4, 0.8)
    return lambda colour: mix(colour, wash, share)


def greyed(rng: Random) -> Tint:
    """Return a tint that leaves shades of grey, of less contrast."""
    low, reach = rng.uniform(0, 60), rng.uniform(0.6, 0.8)

    def tint(colour: Colour) -> Colour:
        red, green, blue = rgb(colour)
        grey = round(min(255, low + reach * (0.3 * red + 0.59 * green + 0.11 * blue)))
        return grey, grey, grey

    return tint


def muted(rng: Random) -> Tint:
    """Return a tint that turns the hues and mixes in 30 to 60 % of a grey."""
    turn, share = turned(rng), rng.uniform(0.3, 0.6)
    grey = rng.choice(["#8a8378", "#7d8079", "#958a74", "#6f7178"])
    return lambda colour: mix(turn(colour), grey, share)


def any_tint(rng: Random) -> Tint:
    """Return a tint of any kind."""
    return rng.choice([turned, turned, washed, skin_like])(rng)
