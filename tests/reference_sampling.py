"""The slow and obvious versions of sampling: one window, one face, one crop at a time."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from facetl.training.recipe import Bands, Match
from facetl.training.sampling import Label

Box = list[float]


def overlap(a: Box, b: Box) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def square_of(box: Box) -> Box:
    half = max(box[2] - box[0], box[3] - box[1]) / 2
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return [x - half, y - half, x + half, y + half]


def covered(window: Box, region: Box) -> float:
    """Return the share of a window that a region covers."""
    width = max(0.0, min(window[2], region[2]) - max(window[0], region[0]))
    height = max(0.0, min(window[3], region[3]) - max(window[1], region[1]))
    return width * height / ((window[2] - window[0]) * (window[3] - window[1]))


def label_one(
    window: Box,
    faces: list[Box],
    bands: Bands,
    match: Match,
    ignored: list[Box] = (),  # type: ignore[assignment]
) -> tuple[int, Box]:
    """Return the label of one window and its regression target."""
    targets = [square_of(face) if match == "square" else face for face in faces]
    overlaps = [overlap(window, target) for target in targets]
    best = max(range(len(faces)), key=lambda i: overlaps[i], default=None)
    if best is not None and overlaps[best] >= bands.part:
        label = Label.POSITIVE if overlaps[best] >= bands.positive else Label.PART
        side = window[2] - window[0]
        return label, [(faces[best][i] - window[i]) / side for i in range(4)]
    rivals = targets + faces
    is_negative = all(overlap(window, rival) < bands.negative for rival in rivals)
    is_negative &= all(covered(window, region) < bands.negative for region in ignored)
    return (Label.NEGATIVE if is_negative else Label.IGNORED), [0.0] * 4


def cut_one(
    image: NDArray[np.uint8], window: Box, size: int, *, padding: bool
) -> NDArray[np.uint8]:
    """Return one patch (size, size, 3), pooled by torch from what the image shows of it."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (int(corner) for corner in window)
    seen = image[max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
    if padding:
        beyond = [(max(-y1, 0), max(y2 - height, 0)), (max(-x1, 0), max(x2 - width, 0)), (0, 0)]
        seen = np.pad(seen, beyond)
    planes = torch.from_numpy(seen.copy()).permute(2, 0, 1).float()
    pooled = torch.nn.functional.adaptive_avg_pool2d(planes, size)
    return np.asarray(pooled.round().to(torch.uint8).permute(1, 2, 0).numpy())
