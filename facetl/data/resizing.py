"""Pictures made grey and resized by areas, in numpy: what OpenCV does, without OpenCV.

:func:`resize_area` weighs pixels as ``cv2.resize`` with ``INTER_AREA`` does where it shrinks, and
values differ by one level at most; Pillow's box filter counts a pixel wholly or not at all.
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

    Args:
        pixels: (H, W) or (H, W, C), not empty.
        size: width and height, at least 1.

    Returns:
        (height, width) or (height, width, C), 0 to 255, not rounded.
    """
    height, width = pixels.shape[:2]
    rows = _overlaps(height, size[1]) @ pixels.reshape(height, -1).astype(np.float32)
    columns = _overlaps(width, size[0]).astype(np.float64)
    sums = np.matmul(columns, rows.reshape(size[1], width, -1))
    means = np.asarray(sums / (height * width), np.float32)
    return means.reshape(size[1], size[0], *pixels.shape[2:])


def resize_to_bytes(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return what :func:`resize_area` does, in whole levels."""
    return np.rint(resize_area(pixels, size)).astype(np.uint8)


@lru_cache(maxsize=64)
def _overlaps(length: int, size: int) -> NDArray[np.float32]:
    """Return (size, length): by how much the pixels of a side lie in each of its pixels resized.

    The parts are counted in whole ``1 / size`` of a pixel, of which each of the resized ones has
    ``length``; sums of pixels are exact with that up to a length of 65,793.
    """
    edges, pixels = np.arange(size + 1) * length, np.arange(length) * size
    last = np.minimum(edges[1:, None], pixels + size)
    overlap = np.maximum(last - np.maximum(edges[:-1, None], pixels), 0)
    return np.asarray(overlap, np.float32)
