"""Signatures of frames, and cuts: where one shot of a video ends and another begins.

A cut changes the picture (where it is light and where it is dark) and its colours.  A camera that
pans changes the picture alone, and so does whoever walks through it; a light that goes on or off
changes the colours alone; hence both must change.  Zhang, Kankanhalli and Smoliar, "Automatic
partitioning of full-motion video", 1993, compare the two measures.

Neither measure depends on the brightness of a film: thumbnails are compared by how far they are
from their mean, in standard deviations, and colours by the quarters of the range that the two
frames have together.  Otherwise dark film would have no cuts: all of it is one colour.

Measured on drawn frames of 480 × 360, bright ones and ones darkened to 0.3, 0.1 and 0.03, with
noise, and with a few lights in the dark: while the camera panned by up to a third of the picture
from one frame to the next, the colours changed by at most 0.33; between two scenes by at least
0.27, in 95 of 100 pairs by more than 0.48 (0.39 at a brightness of 0.03).  The picture changed by
0.14 and more between two scenes, and by at most 0.11 when the light became half as bright.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facetl.data.images import Pixels
from facetl.data.near_duplicates import thumbnail
from facetl.data.resizing import resize_to_bytes

_CUT = 0.35
"""Share of the picture whose colours change at a cut, at least."""
_MOVED = 0.12
"""Standard deviations by which thumbnails change at a cut on average, at least."""
_FAINT = 2.0
"""Grey levels of a standard deviation below which a picture is noise in the dark."""

_SIZE = (48, 36)
_BINS = 4


class FrameSignature(NamedTuple):
    """What frames are compared by.

    Attributes:
        thumbnail: (432,) grey values, 0 to 255.
        colours: (64,) shares of the picture, which sum to 1, by colour.
        small: (36, 48, 3) uint8, the picture shrunk.
    """

    thumbnail: NDArray[np.float32]
    colours: NDArray[np.float32]
    small: Pixels


def frame_signature(pixels: Pixels) -> FrameSignature:
    """Return the signature of an (H, W, 3) RGB picture."""
    small = resize_to_bytes(pixels, _SIZE)
    bins = small.reshape(-1, 3) // (256 // _BINS) @ [_BINS**2, _BINS, 1]
    counts = np.bincount(bins, minlength=_BINS**3)
    colours = np.asarray(counts / counts.sum(), np.float32)
    return FrameSignature(thumbnail(pixels), colours, small)


def is_cut(before: FrameSignature, after: FrameSignature) -> bool:
    """Return whether a frame begins another shot than the frame before."""
    moved = float(np.abs(_levelled(after.thumbnail) - _levelled(before.thumbnail)).mean())
    return moved >= _MOVED and _colour_difference_in_range(before.small, after.small) >= _CUT


def _levelled(thumbnail: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how many standard deviations a thumbnail's values are from their mean."""
    spread = max(float(thumbnail.std()), _FAINT)
    return np.asarray((thumbnail - thumbnail.mean()) / spread, np.float32)


def _colour_difference_in_range(one: Pixels, other: Pixels) -> float:
    """Return the share of small pictures that has another colour, of as many as they have.

    Each channel is divided at the quartiles of both pictures.
    """
    pixels = np.stack([one, other]).reshape(-1, 3)
    bins = np.zeros(len(pixels), int)
    for channel in pixels.T:
        quartiles = np.quantile(channel, (0.25, 0.5, 0.75))
        bins = _BINS * bins + np.searchsorted(quartiles, channel, side="right")
    counts = [np.bincount(half, minlength=_BINS**3) for half in np.split(bins, 2)]
    return float(np.abs(counts[1] - counts[0]).sum() / len(pixels))
