"""Pictures made grey and resized by areas, in numpy: what OpenCV does, without OpenCV.

:func:`resize_area` weighs pixels as ``cv2.resize`` with ``INTER_AREA`` does where it shrinks, and
values differ by one level at most; Pillow's box filter counts a pixel wholly or not at all.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

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
    rows = _sum_areas(pixels.astype(np.float32), size[1])
    sums = _sum_areas(np.swapaxes(rows, 0, 1).astype(np.float64), size[0])
    return np.asarray(np.swapaxes(sums, 0, 1) / (height * width), np.float32)


def resize_to_bytes(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return what :func:`resize_area` does, in whole levels."""
    return np.rint(resize_area(pixels, size)).astype(np.uint8)


def _sum_areas(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the (size, ...) sums of (length, ...) values over equal parts of the first axis.

    No matrix product, after each of which numpy would keep the other cores busy for a while.
    """
    rows = values.reshape(len(values), -1)
    sums = [(share * rows[part]).sum(axis=0) for part, share in _overlaps(len(values), size)]
    return np.stack(sums).reshape(size, *values.shape[1:])


@lru_cache(maxsize=64)
def _overlaps(length: int, size: int) -> list[tuple[slice, NDArray[np.float32]]]:
    """Return which pixels of a side lie in each of its pixels resized, and (N, 1) by how much.

    The parts are counted in whole ``1 / size`` of a pixel, of which each of the resized ones has
    ``length``; sums of pixels are exact with that up to a length of 65,793.
    """
    overlaps = []
    for first in range(0, size * length, length):
        places = np.arange(first // size, -(-(first + length) // size))
        last = np.minimum(first + length, (places + 1) * size)
        share = last - np.maximum(first, places * size)
        part = slice(int(places[0]), int(places[-1]) + 1)
        overlaps.append((part, share[:, None].astype(np.float32)))
    return overlaps
