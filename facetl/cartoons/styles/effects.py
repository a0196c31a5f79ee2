"""Effects: the finishes and overlays that several styles share, with the probability of each."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from facetl.cartoons.finishes import finish
from facetl.cartoons.overlays import overlay

VIDEO: Mapping[str, float] = {
    "exposure": 0.2,
    "vivid": 0.1,
    "blurred": 0.12,
    "sharpened": 0.08,
    "chromatic shift": 0.05,
    "interlaced": 0.05,
    "noise": 0.1,
    "rescaled": 0.12,
    "blocky": 0.12,
    "jpeg": 0.3,
}
"""What cameras and compression do; coarse and frequent enough to be part of every training."""

OLD_FILM: Mapping[str, float] = {
    "monochrome": 0.9,
    "sepia": 0.2,
    "faded": 0.15,
    "vignette": 0.3,
    "grain": 0.5,
    "scratches": 0.4,
    "blurred": 0.2,
    "jpeg": 0.2,
}
COLOUR_FILM: Mapping[str, float] = {
    "faded": 0.25,
    "grain": 0.2,
    "scratches": 0.15,
    "vignette": 0.15,
    "bleeding colours": 0.15,
    **VIDEO,
}
PRINT: Mapping[str, float] = {
    "halftone": 0.3,
    "dots": 0.3,
    "hatched": 0.1,
    "paper": 0.7,
    "faded": 0.3,
    "jpeg": 0.2,
}
NIGHT: Mapping[str, float] = {
    "night": 0.15,
    "coloured light": 0.4,
    "vignette": 0.4,
    "bloom": 0.3,
    "grain": 0.2,
    **VIDEO,
}

COMMON_OVERLAYS: Mapping[str, float] = {
    "subtitles": 0.08,
    "logo": 0.1,
    "letterbox": 0.05,
    "title": 0.04,
    "snow": 0.02,
    "rain": 0.02,
    "shadow": 0.06,
    "blinds": 0.02,
    "glass": 0.03,
    "black border": 0.03,
}
COMIC_OVERLAYS: Mapping[str, float] = {
    "speech bubble": 0.5,
    "caption box": 0.35,
    "bang": 0.1,
    "panel": 0.4,
}


def some_finishes(rng: Random) -> dict[str, float]:
    """Return none, one or two of all finishes, each of them certain."""
    return dict.fromkeys(rng.sample(list(finish), rng.choice([0, 0, 0, 1, 1, 2])), 1.0)


def some_overlays(rng: Random) -> dict[str, float]:
    """Return none of the overlays or, in one case of four, one of all there are."""
    return dict.fromkeys(rng.sample(list(overlay), rng.choice([0, 0, 0, 1])), 1.0)
