"""Pictures made grey and resized by areas, in numpy: what OpenCV does, without OpenCV.

:func:`resize_area` weighs pixels as ``cv2.resize`` with ``INTER_AREA`` does, the values differ by
one level at most; Pillow's box filter counts a pixel wholly or not at all.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facetl.data.images import Pixels


def as_grey(pixels: Pixels) -> Pixels:
    """Return the (H, W) brightness, 0 to 255, of (H, W, 3) RGB pixels."""
    return np.asarray(Image.fromarray(pixels).convert("L"), np.uint8)


def resize_area(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a picture in another size, each pixel the mean of the area that it covers.

    A picture that is not larger both ways is interpolated instead, between the pixels whose areas
    meet in one.

    Args:
        pixels: (H, W) or (H, W, C), not empty.
        size: width and height, at least 1.

    Returns:
        (height, width) or (height, width, C), 0 to 255, not rounded.
    """
    return _resize(pixels, size, np.float64)


def resize_to_bytes(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return what :func:`resize_area` does, in whole levels."""
    return np.rint(_resize(pixels, size, np.float32)).astype(np.uint8)


def _resize(
    pixels: NDArray[np.uint8], size: tuple[int, int], kind: type[np.float32 | np.float64]
) -> NDArray[np.float32]:
    height, width = pixels.shape[:2]
    shrinks = width >= size[0] and height >= size[1]
    weigh = _area_weights if shrinks else _meeting_weights
    rows = weigh(height, size[1]) @ pixels.reshape(height, -1).astype(np.float32)
    columns = weigh(width, size[0]).astype(kind)
    sums = np.matmul(columns, rows.reshape(size[1], width, -1))
    total = height * width if shrinks else 1
    means = np.asarray(sums / total, np.float32)
    return means.reshape(size[1], size[0], *pixels.shape[2:])


@lru_cache(maxsize=64)
def _area_weights(length: int, size: int) -> NDArray[np.float32]:
    """Return (size, length): by how much each pixel of ``length`` lies in each of fewer.

    The parts are counted in whole ``1 / size`` of a pixel, of which each of the fewer has
    ``length``; sums of pixels are exact with that up to a length of 65,793.
    """
    edges, pixels = np.arange(size + 1) * length, np.arange(length) * size
    last = np.minimum(edges[1:, None], pixels + size)
    overlap = np.maximum(last - np.maximum(edges[:-1, None], pixels), 0)
    return np.asarray(overlap, np.float32)


@lru_cache(maxsize=64)
def _meeting_weights(length: int, size: int) -> NDArray[np.float32]:
    """Return (size, length): the weights of the one or two pixels that each of more lies in."""
    places = np.arange(size)
    scale = size / length
    first = np.minimum(np.floor(places * (1 / scale)).astype(int), length - 1)
    share = (places + 1 - (first + 1) * scale).astype(np.float32)
    share = np.where((share <= 0) | (first == length - 1), 0, share - np.floor(share))
    weights = np.zeros((size, length), np.float32)
    weights[places, first] = 1 - share
    weights[places, np.minimum(first + 1, length - 1)] += share
    return weights
