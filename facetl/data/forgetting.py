"""One photograph of a face, and variants of it: what a detector that learns cartoons may forget.

``portrait.jpg`` is the official portrait of Rear Admiral Grace M. Hopper by James S. Davis, United
States Navy, 1984: a work of the United States federal government, therefore in the public domain
(https://commons.wikimedia.org/wiki/File:Grace_Hopper.jpg).  Matplotlib ships the picture as sample
data; this is that copy, scaled down to 256 × 300 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.data.images import Pixels, load_image

PORTRAIT = Path(__file__).with_name("portrait.jpg")
FACE = (81.0, 53.0, 174.0, 175.0)
"""Where pretrained MTCNN sees the face, to whole pixels, with a score of 1.0."""
SCALES = (0.35, 0.5, 0.75, 1.0, 1.5)
TILT = 12.0
"""Degrees by which it is turned either way."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph with one face.

    Attributes:
        name: how it differs from the portrait, e.g. ``darker × 0.5``.
        pixels: (H, W, 3) uint8, RGB.
        boxes: (1, 4) half-open box of the face.
    """

    name: str
    pixels: Pixels
    boxes: Boxes


def photographs() -> Iterator[Photograph]:
    """Yield the portrait in several sizes, each as it is and changed in every way."""
    portrait, face = load_image(PORTRAIT), np.array([FACE])
    for scale in SCALES:
        size = (round(portrait.shape[1] * scale), round(portrait.shape[0] * scale))
        filtering = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = np.asarray(cv2.resize(portrait, size, interpolation=filtering), np.uint8)
        boxes = face * scale
        for name, change in _CHANGES.items():
            yield Photograph(f"{name} × {scale:g}", *change(small, boxes))


Changed = tuple[Pixels, Boxes]


def _as_it_is(pixels: Pixels, boxes: Boxes) -> Changed:
    return pixels, boxes


def _mirrored(pixels: Pixels, boxes: Boxes) -> Changed:
    x1, y1, x2, y2 = boxes.T
    width = pixels.shape[1]
    return np.ascontiguousarray(pixels[:, ::-1]), np.stack([width - x2, y1, width - x1, y2], axis=1)


def _levels(gain: float, offset: float) -> Callable[[Pixels, Boxes], Changed]:
    """Return a change of brightness: each value times a gain, plus an offset."""

    def change(pixels: Pixels, boxes: Boxes) -> Changed:
        levels = pixels.astype(np.float32) * gain + offset
        return np.clip(levels.round(), 0, 255).astype(np.uint8), boxes

    return change


def _grey(pixels: Pixels, boxes: Boxes) -> Changed:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8), boxes


def _blurred(pixels: Pixels, boxes: Boxes) -> Changed:
    sigma = pixels.shape[1] / 150
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8), boxes


def _turned(degrees: float) -> Callable[[Pixels, Boxes], Changed]:
    """Return a turn around the middle of the face, which leaves its box where it is."""

    def change(pixels: Pixels, boxes: Boxes) -> Changed:
        x1, y1, x2, y2 = boxes[0]
        turn = cv2.getRotationMatrix2D(((x1 + x2) / 2, (y1 + y2) / 2), degrees, 1.0)
        height, width = pixels.shape[:2]
        turned = cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
        return np.asarray(turned, np.uint8), boxes

    return change


def _noisy(pixels: Pixels, boxes: Boxes) -> Changed:
    noise: NDArray[np.float64] = np.random.default_rng(0).normal(0, 12, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8), boxes


_CHANGES: dict[str, Callable[[Pixels, Boxes], Changed]] = {
    "as it is": _as_it_is,
    "mirrored": _mirrored,
    "darker": _levels(0.5, 0),
    "brighter": _levels(1.0, 60),
    "flat": _levels(0.4, 76),
    "grey": _grey,
    "blurred": _blurred,
    "noisy": _noisy,
    "turned left": _turned(TILT),
    "turned right": _turned(-TILT),
}
