"""Non-maximum suppression (NMS): of boxes that overlap, keep the one with the best score."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import box_iou
from torchvision.ops import nms as torchvision_nms

from facetl.mtcnn.candidates import Candidates

TOGETHER = 300
"""Boxes up to which one NMS over all images is quicker than one for each, being quadratic."""

_TINY = 1e-9  # a score of 0 must not divide by 0


def suppress(candidates: Candidates, iou_threshold: float, among: Tensor | None = None) -> Tensor:
    """Return the indices to keep, best score first: greedy NMS by IoU within each image.

    Args:
        candidates: of any number of images.
        iou_threshold: above it the lower score goes.
        among: (N,) numbers from 0; if given, only candidates with the same number compete.
    """
    groups = candidates.image_index
    if among is not None and len(among):
        groups = groups * (among.max() + 1) + among
    boxes, scores = candidates.boxes.double(), candidates.scores.double()
    if len(boxes) <= TOGETHER:
        keep: Tensor = torchvision_nms(_apart(boxes, groups), scores, iou_threshold)
        return keep
    order = groups.argsort(stable=True)
    parts = torch.split(order, torch.unique(groups, return_counts=True)[1].tolist())
    kept = [part[torchvision_nms(boxes[part], scores[part], iou_threshold)] for part in parts]
    keep = torch.cat(kept).sort().values
    return keep[scores[keep].argsort(descending=True, stable=True)]


def suppress_nested(candidates: Candidates, overlap_threshold: float) -> Tensor:
    """Return the indices to keep, best score first: greedy NMS by overlap with the smaller box.

    The cascade's last step.  Unlike IoU, the intersection over the smaller area also removes a
    small box inside a large one.  Areas count both edge pixels, as facenet-pytorch's do.
    """
    boxes = _apart(candidates.boxes.double(), candidates.image_index).cpu().numpy()
    order = torch.argsort(candidates.scores, descending=True, stable=True).cpu().numpy()
    keep = []
    while order.size:
        best, rest = order[0], order[1:]
        keep.append(best)
        order = rest[_overlap_with_smaller(boxes[best], boxes[rest]) <= overlap_threshold]
    return torch.tensor(np.array(keep, dtype=np.int64), device=candidates.scores.device)


def vote(candidates: Candidates, keep: Tensor, iou_threshold: float) -> Tensor:
    """Return (K, 4) boxes of the candidates to keep, each the mean of all that overlap it much.

    Box voting (Gidaris and Komodakis 2015, equation 4): boxes of the same image with an IoU of
    at least ``iou_threshold`` count, weighed by their scores.  Several looks at a face place it
    better than one.

    Args:
        candidates: all N before NMS.
        keep: (K,) indices that NMS left.
        iou_threshold: in (0, 1].
    """
    boxes = _apart(candidates.boxes.double(), candidates.image_index)
    overlap = box_iou(boxes[keep], boxes)
    weights = (overlap >= iou_threshold) * candidates.scores.double().clamp(min=_TINY)
    means: Tensor = weights @ candidates.boxes.double() / weights.sum(dim=1, keepdim=True)
    return means.to(candidates.boxes.dtype)


def _overlap_with_smaller(
    box: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (N,) intersections of one box with (N, 4) others, over the smaller of both areas."""
    top_left = np.maximum(box[:2], others[:, :2])
    bottom_right = np.minimum(box[2:], others[:, 2:])
    overlap = np.clip(bottom_right - top_left + 1, 0, None).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2] + 1).prod(axis=1)
    return np.asarray(overlap / np.minimum(areas, (box[2:] - box[:2] + 1).prod()))


def _apart(boxes: Tensor, groups: Tensor) -> Tensor:
    """Return (N, 4) boxes moved so that those of different groups cannot overlap."""
    if not len(boxes):
        return boxes
    stride = boxes.max() - boxes.min() + 2
    return boxes + (groups * stride)[:, None]
