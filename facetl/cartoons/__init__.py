"""The built-in cartoon: draws frames with an exact box for every face, from a seed."""

from facetl.cartoons.frame import LICENCE, RULE, CartoonFrame, draw_frame

__all__ = ["LICENCE", "RULE", "CartoonFrame", "draw_frame"]
