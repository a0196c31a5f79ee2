"""Skin of other colours: training frames in which people are as yellow, blue or brown as elsewhere.

What skin is, a frame's faces tell: the commonest colour in the middle of each box.  All that has
this colour, lighter or darker, gets another one, hands and whatever else looks like skin among it,
so that a face must be known by its shape.
"""

from __future__ import annotations

import colorsys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.data.images import Pixels
from facetl.palette import LUMA

_LUMA = np.array(LUMA, np.float32)
_MIDDLE = 0.38
"""How far the middle of a face reaches from its centre, as a fraction of the sides of its box."""
_DARK, _LIGHT = 45, 225
"""Darker pixels are lines, and lighter ones without colour are eyes and teeth: no skin."""
_COLOURLESS = 25
"""Highest difference of the channels of a pixel without colour."""
_BIN = 16
"""Width of the bins in which colours are counted."""
_LEAST_SHARE = 0.12
"""Fraction of the middle of a face that skin must cover to be told from the rest."""
_SAME = 28
"""Skin of two faces is one skin if no channel differs by more."""
_NEAR, _FAR = 14, 30
"""Pixels up to the first distance from skin are painted wholly, from the second on not at all."""
_SHADES = (0.4, 0.55, 1.25, 1.35)
"""Shades of skin, as multiples of its brightness: painting fades in, is full, and fades out."""
_KEPT = 0.5
"""Fraction of what a pixel differs from flat skin that it keeps: blushes, stubble, grain."""


class _Tone(NamedTuple):
    """A kind of skin: how likely it is, and in which ranges its hue, saturation and value lie."""

    share: float
    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]


_TONES = (
    _Tone(0.35, (0.117, 0.167), (0.45, 1.0), (0.8, 1.0)),  # yellow
    _Tone(0.15, (0.028, 0.097), (0.3, 0.7), (0.3, 0.75)),  # brown
    _Tone(0.10, (0.0, 1.0), (0.0, 0.1), (0.4, 1.0)),  # grey to white
    _Tone(0.10, (0.042, 0.097), (0.1, 0.3), (0.85, 1.0)),  # pale
    _Tone(0.30, (0.0, 1.0), (0.2, 0.9), (0.55, 1.0)),  # any
)


def recolour_skin(image: Pixels, boxes: Boxes, rng: np.random.Generator) -> Pixels:
    """Return a frame in which the skin of its people has other colours, drawn at random.

    Args:
        image: (H, W, 3) uint8.
        boxes: (N, 4) of its faces.
        rng: source of randomness.
    """
    skins = _find_skins(image, boxes)
    if not skins:
        return image
    old = image.astype(np.float32)
    luma = old @ _LUMA
    new = old.copy()
    for skin in skins:
        shade = np.clip(luma / (skin @ _LUMA), 0, 1.5)
        rest = old - skin * shade[..., None]
        distance = np.linalg.norm(rest, axis=-1)
        share = 1 - np.clip((distance - _NEAR) / (_FAR - _NEAR), 0, 1)
        share *= np.interp(shade, _SHADES, (0, 1, 1, 0))
        painted = _draw_tone(rng) * shade[..., None] + _KEPT * rest
        new += share[..., None] * (painted - old)
    return np.clip(new.round(), 0, 255).astype(np.uint8)


def _find_skins(image: Pixels, boxes: Boxes) -> list[NDArray[np.float32]]:
    """Return the colours of the skin of faces, each once."""
    skins: list[NDArray[np.float32]] = []
    for box in boxes:
        skin = _find_skin(image, box)
        if skin is not None and all(np.abs(skin - other).max() > _SAME for other in skins):
            skins.append(skin)
    return skins


def _find_skin(image: Pixels, box: NDArray[Any]) -> NDArray[np.float32] | None:
    """Return the (3,) colour of a face's skin, or None if it is not plain."""
    centre, reach = (box[:2] + box[2:]) / 2, _MIDDLE * (box[2:] - box[:2])
    low, high = (each.clip(0).astype(int) for each in (centre - reach, centre + reach))
    middle = image[low[1] : high[1] + 1, low[0] : high[0] + 1].reshape(-1, 3)
    luma, spread = middle @ _LUMA, np.ptp(middle, axis=1)
    pixels = middle[(luma > _DARK) & ~((luma > _LIGHT) & (spread < _COLOURLESS))]
    if not len(pixels):
        return None
    counts = np.histogramdd(pixels, bins=[np.arange(0, 257, _BIN)] * 3)[0]
    for axis in range(3):  # a colour at a border of bins counts in all of them
        padded = np.pad(counts, [(1, 1) if each == axis else (0, 0) for each in range(3)])
        counts = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=axis).sum(axis=-1)
    commonest = np.array(np.unravel_index(counts.argmax(), counts.shape)) * _BIN + _BIN / 2
    near = pixels[np.abs(pixels - commonest).max(axis=1) < 1.5 * _BIN]
    if len(near) < _LEAST_SHARE * len(middle):
        return None
    return np.asarray(np.median(near, axis=0), np.float32)


def _draw_tone(rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a random colour of skin, (3,) in 0 to 255."""
    tone = _TONES[rng.choice(len(_TONES), p=[each.share for each in _TONES])]
    hsv = [rng.uniform(*limits) for limits in (tone.hue, tone.saturation, tone.value)]
    return np.array(colorsys.hsv_to_rgb(*hsv), np.float32) * 255
