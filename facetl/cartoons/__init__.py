"""The built-in cartoon: draws frames with an exact box for every face, from a seed."""

from facetl.cartoons.frame import LICENCE, RULE, CartoonFrame, draw_frame
from facetl.cartoons.pen import use_one_core

__all__ = ["LICENCE", "RULE", "CartoonFrame", "draw_frame", "use_one_core"]
