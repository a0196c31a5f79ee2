"""One photograph of a face, and variants of it: what a detector that learns cartoons may forget.

``portrait.jpg`` is the official portrait of Rear Admiral Grace M. Hopper by James S. Davis, United
States Navy, 1984: a work of the United States federal government, therefore in the public domain
(https://commons.wikimedia.org/wiki/File:Grace_Hopper.jpg).  Matplotlib ships the picture as sample
data; this is that copy, scaled down to 256 × 300 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from facetl.boxes import Boxes
from facetl.data.images import Pixels, load_image

PORTRAIT = Path(__file__).with_name("portrait.jpg")
_FACE = np.array([[81.0, 53.0, 174.0, 175.0]])
"""Where pretrained MTCNN sees the face, to whole pixels, with a score of 1.0."""
_SCALES = (0.35, 0.5, 0.75, 1.0, 1.5)
_TILT = 12.0
"""Degrees by which it is turned either way."""


def photographs() -> Iterator[tuple[Pixels, Boxes]]:
    """Yield the portrait in several sizes, each as it is, mirrored, and changed in other ways.

    Each comes as (H, W, 3) RGB pixels with the (1, 4) half-open box of the face.
    """
    portrait = load_image(PORTRAIT)
    for scale in _SCALES:
        size = (round(portrait.shape[1] * scale), round(portrait.shape[0] * scale))
        filtering = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = np.asarray(cv2.resize(portrait, size, interpolation=filtering), np.uint8)
        box = _FACE * scale
        yield small, box
        yield _mirror(small, box)
        for change in _CHANGES:
            yield change(small), box
        for degrees in (_TILT, -_TILT):
            yield _turn(small, box, degrees), box


def _mirror(pixels: Pixels, box: Boxes) -> tuple[Pixels, Boxes]:
    x1, y1, x2, y2 = box.T
    width = pixels.shape[1]
    return np.ascontiguousarray(pixels[:, ::-1]), np.stack([width - x2, y1, width - x1, y2], axis=1)


def _turn(pixels: Pixels, box: Boxes, degrees: float) -> Pixels:
    """Return pixels turned around the middle of the face, which leaves its box where it is."""
    x1, y1, x2, y2 = box[0]
    turn = cv2.getRotationMatrix2D(((x1 + x2) / 2, (y1 + y2) / 2), degrees, 1.0)
    height, width = pixels.shape[:2]
    turned = cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, np.uint8)


def _levels(gain: float, offset: float, pixels: Pixels) -> Pixels:
    """Return pixels of another brightness: each value times a gain, plus an offset."""
    levels = (pixels.astype(np.float32) * gain + offset).round()
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def without_colour(pixels: Pixels) -> Pixels:
    """Return (H, W, 3) pixels in shades of grey."""
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    return np.asarray(np.repeat(grey[:, :, None], 3, axis=2), np.uint8)


def _blur(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), pixels.shape[1] / 150), np.uint8)


def _add_noise(pixels: Pixels) -> Pixels:
    noise = np.random.default_rng(0).normal(0, 12, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


_CHANGES: tuple[Callable[[Pixels], Pixels], ...] = (
    partial(_levels, 0.5, 0),  # darker
    partial(_levels, 1.0, 60),  # brighter
    partial(_levels, 0.4, 76),  # flat
    without_colour,
    _blur,
    _add_noise,
)
