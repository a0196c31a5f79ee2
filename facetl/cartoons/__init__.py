"""The built-in cartoon: draws frames with an exact box for every face, from a seed."""

from facetl.cartoons.frame import LICENCE, RULE, CartoonFrame, draw_frame, require_style
from facetl.cartoons.pen import use_one_core
from facetl.cartoons.styles import ANY, HOUSE, STYLES

__all__ = [
    "ANY",
    "HOUSE",
    "LICENCE",
    "RULE",
    "STYLES",
    "CartoonFrame",
    "draw_frame",
    "require_style",
    "use_one_core",
]
