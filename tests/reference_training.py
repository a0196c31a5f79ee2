"""Training in the slow and obvious way, and a world of bright blobs that is learnt in seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.training.patches import Patches, writing_patches
from facetl.training.sampling import Label, LabelledWindows
from facetl.training.stages import STAGE_FACTS

SIZE = 12
QUICK = replace(
    STAGE_FACTS["pnet"].training, epochs=3, batch_size=64, learning_rate=5e-3, validation_share=0.25
)
"""Settings with which PNet learns the blobs in a fraction of a second."""


def cross_entropy(logits: Sequence[float], face: bool) -> float:
    exponentials = [math.exp(logit) for logit in logits]
    return -math.log(exponentials[int(face)] / sum(exponentials))


def hard_classification_loss(
    logits: Sequence[Sequence[float]], labels: Sequence[int], hard_share: float
) -> float:
    losses = sorted(
        (
            cross_entropy(pair, label == Label.POSITIVE)
            for pair, label in zip(logits, labels, strict=True)
            if label != Label.PART
        ),
        reverse=True,
    )
    hardest = losses[: math.ceil(hard_share * len(losses))]
    return sum(hardest) / len(hardest) if hardest else 0.0


def smooth_l1(difference: float, beta: float) -> float:
    distance = abs(difference)
    return distance**2 / (2 * beta) if distance < beta else distance - beta / 2


def mean_box_loss(
    offsets: Sequence[Sequence[float]],
    targets: Sequence[Sequence[float]],
    labels: Sequence[int],
    beta: float,
) -> float:
    distances = [
        smooth_l1(found - wanted, beta)
        for row, target, label in zip(offsets, targets, labels, strict=True)
        for found, wanted in zip(row, target, strict=True)
        if label != Label.NEGATIVE
    ]
    return sum(distances) / len(distances) if distances else 0.0


def mirrored_offsets(
    window: Sequence[float], box: Sequence[float], frame_width: float
) -> list[float]:
    """Mirror window and box in their frame, then measure from one to the other."""
    seen = [[frame_width - x2, y1, frame_width - x1, y2] for x1, y1, x2, y2 in (window, box)]
    side = window[2] - window[0]
    return [(b - w) / side for w, b in zip(*seen, strict=True)]


def blob_patches(frames: int = 12, each: int = 12, seed: int = 5, size: int = SIZE) -> Patches:
    """Return patches of ``frames`` frames: in each, ``each`` of every class."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat(np.array([0, 1, 2], np.uint8), each), frames)
    count = len(labels)
    reach = np.array([0.0, 0.1, 0.35])[labels]
    offsets = (rng.uniform(-1, 1, (count, 4)) * reach[:, None]).astype(np.float32)
    corners, sides = rng.integers(0, 200, (count, 2)), rng.integers(12, 90, (count, 1))
    return Patches(
        pixels=np.stack(
            [_draw(label, box, size, rng) for label, box in zip(labels, offsets, strict=True)]
        ),
        labels=labels,
        offsets=offsets,
        frame_index=np.repeat(np.arange(frames, dtype=np.int32), 3 * each),
        windows=np.hstack([corners, corners + sides]).astype(np.float32),
        metadata={"frames": [f"{number}.jpg" for number in range(frames)]},
    )


def _draw(
    label: int, offsets: NDArray[np.float32], size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw noise, and on it a bright ellipse that fills the box of a face."""
    pixels = rng.integers(0, 120, (size, size, 3), dtype=np.uint8)
    if label == Label.NEGATIVE:
        return pixels
    x1, y1, x2, y2 = (offsets + np.array([0, 0, 1, 1])) * size
    y, x = np.mgrid[:size, :size] + 0.5
    inside = ((2 * x - x1 - x2) / (x2 - x1)) ** 2 + ((2 * y - y1 - y2) / (y2 - y1)) ** 2 < 1
    pixels[inside] = (250, 210, 60)
    return pixels


def paint_one(pixel: Any, skin: Any, tone: Any) -> list[int]:
    """Return the colour that a pixel gets as skin of one colour is given another tone."""
    red, green, blue = (float(value) for value in pixel)
    shade = (0.299 * red + 0.587 * green + 0.114 * blue) / float(skin @ [0.299, 0.587, 0.114])
    shade = min(shade, 1.5)
    rest = [float(value) - float(part) * shade for value, part in zip(pixel, skin, strict=True)]
    distance = sum(value**2 for value in rest) ** 0.5
    share = min(max((30 - distance) / 16, 0), 1)
    if shade < 0.55:
        share *= max((shade - 0.4) / 0.15, 0)
    if shade > 1.25:
        share *= max((1.35 - shade) / 0.1, 0)
    new = [float(part) * shade + value / 2 for part, value in zip(tone, rest, strict=True)]
    mixed = [old + share * (one - old) for old, one in zip((red, green, blue), new, strict=True)]
    return [min(max(round(value), 0), 255) for value in mixed]


def save_patches(path: Path, patches: Patches) -> Path:
    """Write patches as ``facetl prepare`` does, frame by frame; return the path."""
    with writing_patches(path, patches.size) as writer:
        writer.metadata = dict(patches.metadata)
        for frame in np.unique(patches.frame_index):
            chosen = patches.frame_index == frame
            labelled = LabelledWindows(
                patches.windows[chosen].astype(np.float64),
                patches.labels[chosen],
                patches.offsets[chosen].astype(np.float64),
                np.zeros(chosen.sum(), dtype=np.intp),
            )
            writer.add(int(frame), patches.pixels[chosen], labelled)
    return path


def without_times(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records without what no two runs share."""
    return [{key: value for key, value in one.items() if key != "seconds"} for one in records]
