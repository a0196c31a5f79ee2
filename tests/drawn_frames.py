"""Drawn frames for tests that ask for the same ones again and again: each is drawn once."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from facetl.cartoons.frame import CartoonFrame
from facetl.cartoons.frame import draw_frame as _draw_frame

_drawn = cache(_draw_frame)


def draw_frame(seed: int, part: str, index: int) -> CartoonFrame:
    """Return what facetl's ``draw_frame`` returns; whoever asks may change it."""
    frame = _drawn(seed, part, index)
    return replace(frame, image=frame.image.copy(), boxes=frame.boxes.copy())
