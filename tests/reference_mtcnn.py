"""Slow and obvious versions of what the detector does fast, and facenet-pytorch as a witness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import facenet_pytorch
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

Box = Sequence[float]
Overlap = Callable[[Box, Box], float]


class Witness(NamedTuple):
    """What facenet-pytorch finds in one image: (N, 4) boxes, (N,) scores, (N, 5, 2) landmarks."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]


def facenet(thresholds: Sequence[float]) -> facenet_pytorch.MTCNN:
    return facenet_pytorch.MTCNN(
        keep_all=True, thresholds=list(thresholds), select_largest=False, device="cpu"
    )


def detect_with_facenet(mtcnn: facenet_pytorch.MTCNN, image: NDArray[np.uint8]) -> Witness:
    boxes, scores, landmarks = mtcnn.detect(Image.fromarray(image), landmarks=True)
    if boxes is None:
        boxes, scores, landmarks = [], [], []
    return Witness(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32).reshape(-1),
        np.array(landmarks, np.float32).reshape(-1, 5, 2),
    )


def area_resize(images: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Resize (B, H, W, 3) uint8 images to (B, 3, h, w)."""
    return interpolate(images.movedim(-1, 1).double(), size=size_hw, mode="area")


def cut_one_by_one(images: Tensor, windows: Tensor, image_index: Tensor, size: int) -> Tensor:
    """Cut (N, 4) windows out of (B, H, W, 3) uint8 images: (N, 3, size, size)."""
    crops = [
        adaptive_avg_pool2d(images[place, y1:y2, x1:x2].movedim(-1, 0).double(), size)
        for (x1, y1, x2, y2), place in zip(windows.tolist(), image_index.tolist(), strict=True)
    ]
    return torch.stack(crops)


def iou(box: Box, other: Box) -> float:
    overlap = _intersection(box, other, pixel=0)
    return overlap / (_area(box, pixel=0) + _area(other, pixel=0) - overlap)


def overlap_with_smaller(box: Box, other: Box) -> float:
    """Intersection over the smaller area, both edge pixels counted."""
    smaller = min(_area(box, pixel=1), _area(other, pixel=1))
    return _intersection(box, other, pixel=1) / smaller


def greedy_nms(
    boxes: Sequence[Box],
    scores: Sequence[float],
    image_index: Sequence[int],
    overlap: Overlap,
    threshold: float,
) -> list[int]:
    """Return the places to keep, best score first."""
    kept: list[int] = []
    for place in sorted(range(len(boxes)), key=lambda each: -scores[each]):
        rivals = [better for better in kept if image_index[better] == image_index[place]]
        if all(overlap(boxes[place], boxes[better]) <= threshold for better in rivals):
            kept.append(place)
    return kept


def _area(box: Box, pixel: int) -> float:
    return (box[2] - box[0] + pixel) * (box[3] - box[1] + pixel)


def _intersection(box: Box, other: Box, pixel: int) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0]) + pixel
    height = min(box[3], other[3]) - max(box[1], other[1]) + pixel
    return max(width, 0) * max(height, 0)
