"""Styles: the ways in which shows draw people, none of them a copy of any show's.

Most modules of this package add one; "any" draws each frame in one of them.
"""

from importlib import import_module
from pkgutil import iter_modules

from facetl.cartoons.styles.house import HOUSE_STYLE
from facetl.cartoons.styles.style import STYLES, Build, Chances, Scenery, Style, StyleMaker

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

HOUSE = "house"
"""The style of the built-in cartoon, which keeps its regulars."""

ANY = "any"
"""A random style for each frame, the house's among them."""

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
]
