"""The slow and obvious versions: every pair of frames, one after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mean_of_areas(pixels: NDArray[np.uint8]) -> list[float]:
    """Return the thumbnail of a picture whose sides are multiples of 24 and 18."""
    height, width = pixels.shape[0] // 18, pixels.shape[1] // 24
    grey = pixels @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    return [
        float(grey[y * height : (y + 1) * height, x * width : (x + 1) * width].mean())
        for y in range(18)
        for x in range(24)
    ]


def distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return sum(abs(float(x) - float(y)) for x, y in zip(a, b, strict=True)) / len(a)


def groups_of(thumbnails: NDArray[np.float32], limit: float) -> list[int]:
    """Return the groups by walking from each frame to all that can be reached from it."""
    groups: dict[int, int] = {}
    for first in range(len(thumbnails)):
        waiting = [first] if first not in groups else []
        number = len(set(groups.values()))
        while waiting:
            frame = waiting.pop()
            groups[frame] = number
            waiting += [
                other
                for other in range(len(thumbnails))
                if other not in groups and distance(thumbnails[frame], thumbnails[other]) < limit
            ]
    return [groups[frame] for frame in range(len(thumbnails))]
