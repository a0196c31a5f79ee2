"""Styles: the ways in which shows draw people, none of them a copy of any show's."""

from facetl.cartoons.styles import creatures, mixture, yellow
from facetl.cartoons.styles.style import STYLES, Build, Chances, Style, StyleMaker

HOUSE = "house"
"""The style of the built-in cartoon, which keeps its regulars."""

ANY = "any"
"""A style of chance for each frame, the house's among them."""

__all__ = [
    "ANY",
    "HOUSE",
    "STYLES",
    "Build",
    "Chances",
    "Style",
    "StyleMaker",
    "creatures",
    "mixture",
    "yellow",
]
