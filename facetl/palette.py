"""The colours of plots and overlays, distinguishable with any kind of colour vision; brightness.

Okabe and Ito, "Color Universal Design", 2008.
"""

from pathlib import Path
from typing import Final

COMMON_STYLE = Path(__file__).with_name("common.css")
"""What all pages that facetl makes have in common."""

BLUE: Final = "#0072B2"
GREEN: Final = "#009E73"
ORANGE: Final = "#E69F00"
PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
VERMILION: Final = "#D55E00"
YELLOW: Final = "#F0E442"
GREY: Final = "#999999"

TRACKS: Final = (VERMILION, BLUE, YELLOW, PURPLE, GREEN, ORANGE)
"""The colours of tracked faces: consecutive numbers have the most different colours."""

LUMA: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the brightness of a colour: ITU-R BT.601."""


def blend(colour: str, other: str, share: float) -> str:
    """Return a colour with a share of another one, ``#rrggbb`` as they are."""
    pairs = ((int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round((1 - share) * own + share * new):02X}" for own, new in pairs)


def track_colour(number: int | None, otherwise: str = SKY) -> str:
    """Return the colour of a track number, counted from 1: the same in every frame.

    Args:
        number: None for a face without a track number.
        otherwise: the colour of such a face.
    """
    return otherwise if number is None else TRACKS[(number - 1) % len(TRACKS)]
