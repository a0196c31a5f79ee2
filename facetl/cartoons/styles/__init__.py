"""Styles: the ways in which shows draw people, none of them a copy of any show's."""

from facetl.cartoons.styles import (
    anime,
    creatures,
    cutout,
    film,
    heroes,
    house,
    lines,
    mixture,
    modern,
    newspaper,
    noir,
    preschool,
    rubber_hose,
    stone_age,
    yellow,
)
from facetl.cartoons.styles.house import HOUSE_STYLE
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, StyleMaker

HOUSE = "house"
"""The style of the built-in cartoon, which keeps its regulars."""

ANY = "any"
"""A style of chance for each frame, the house's among them."""

__all__ = [
    "ANY",
    "HOUSE",
    "HOUSE_STYLE",
    "STYLES",
    "Build",
    "Chances",
    "Scenery",
    "Style",
    "StyleMaker",
    "anime",
    "creatures",
    "cutout",
    "film",
    "heroes",
    "house",
    "lines",
    "mixture",
    "modern",
    "newspaper",
    "noir",
    "preschool",
    "rubber_hose",
    "stone_age",
    "yellow",
]
