"""Matching and average precision in the slow and obvious way: the oracle of the fast ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Box = Sequence[float]


def random_boxes(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Boxes on a coarse grid, so that equal overlaps are common."""
    corners = rng.integers(0, 6, (count, 2))
    return np.hstack([corners, corners + rng.integers(1, 5, (count, 2))]).astype(np.float64)


def overlap(box: Box, other: Box) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return width * height / (areas[0] + areas[1] - width * height)


def find_hits(
    detections: Sequence[tuple[int, Box, float]],
    faces: Sequence[tuple[int, Box]],
    iou_threshold: float,
    *,
    free_only: bool,
) -> list[bool]:
    """Return hits in the order of the scores; ``free_only`` is COCO's rule."""
    taken: set[int] = set()
    hits = []
    for frame, box, _ in sorted(detections, key=lambda detection: -detection[2]):
        best, best_overlap = -1, 0.0
        for number, (face_frame, face) in enumerate(faces):
            if face_frame != frame or (free_only and number in taken):
                continue
            found = overlap(box, face)
            if found > best_overlap or (free_only and found == best_overlap > 0):
                best, best_overlap = number, found
        hit = best >= 0 and best_overlap >= iou_threshold and best not in taken
        if hit:
            taken.add(best)
        hits.append(hit)
    return hits


def find_counted(
    detections: Sequence[tuple[int, Box, float]],
    regions: Sequence[tuple[int, Box]],
    hits: Sequence[bool],
    iou_threshold: float,
) -> list[bool]:
    """Return which detections count, in the order of the scores; the others lie in a region."""
    counted = []
    ranked = sorted(detections, key=lambda detection: -detection[2])
    for (frame, box, _), hit in zip(ranked, hits, strict=True):
        own = [region for region_frame, region in regions if region_frame == frame]
        whole = (box[2] - box[0]) * (box[3] - box[1])
        inside = any(common_area(box, region) / whole >= iou_threshold for region in own)
        counted.append(hit or not inside)
    return counted


def common_area(box: Box, other: Box) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def average_precision(hits: Sequence[bool], faces: int, *, envelope: bool) -> float:
    """Return the sum of steps of recall times precision, with or without the envelope."""
    precisions = [sum(hits[: i + 1]) / (i + 1) for i in range(len(hits))]
    total = 0.0
    for i, hit in enumerate(hits):
        if hit:
            total += (max(precisions[i:]) if envelope else precisions[i]) / faces
    return total


def average_precision_at_101_recalls(hits: Sequence[bool], faces: int) -> float:
    points = [(sum(hits[: i + 1]) / faces, sum(hits[: i + 1]) / (i + 1)) for i in range(len(hits))]
    total = 0.0
    for percent in range(101):
        reached = [precision for recall, precision in points if recall >= percent / 100]
        total += max(reached, default=0.0)
    return total / 101
