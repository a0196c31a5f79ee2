"""Styles: the ways in which shows draw people, none of them a copy of any show's."""

from facetl.cartoons.styles import (
    creatures,
    house,  # first of all styles
    mixture,
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
    "creatures",
    "house",
    "mixture",
    "yellow",
]
