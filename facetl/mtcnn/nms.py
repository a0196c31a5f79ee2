"""Non-maximum suppression (NMS): of boxes that overlap, keep the one with the best score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facetl.mtcnn.candidates import Candidates, Floats
from facetl.mtcnn.native import suppress_ranked

Indices = NDArray[np.intp]

TOGETHER = 300
"""Boxes up to which one NMS over all images is quicker than one for each, being quadratic."""
BLOCK = 128
"""Boxes, one after the other in the order of their scores, that are compared together."""

Array = NDArray[np.float64]
_Overlap = Callable[[Array, Array], Array]
"""Takes (4, N) and (4, M) corners of boxes, a row for each of ``x1, y1, x2, y2``; gives (N, M)."""

_LATER = np.triu(np.ones((BLOCK, BLOCK), dtype=bool), 1)  # which columns come after which rows
_TINY = 1e-9  # a score of 0 must not divide by 0


def suppress(
    candidates: Candidates, iou_threshold: float, among: NDArray[np.int64] | None = None
) -> Indices:
    """Return the indices to keep, best score first: greedy NMS by IoU within each image.

    Args:
        candidates: of any number of images.
        iou_threshold: above it the lower score goes.
        among: (N,) numbers from 0; if given, only candidates with the same number compete.
    """
    groups = candidates.image_index
    if among is not None and len(among):
        groups = groups * (int(among.max()) + 1) + among
    boxes, scores = candidates.boxes.astype(np.float64), candidates.scores
    if len(boxes) <= TOGETHER:
        return _keep_best(_apart(boxes, groups), scores, iou_threshold)
    order = groups.argsort(kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    kept = [part[_keep_best(boxes[part], scores[part], iou_threshold)] for part in parts]
    keep = np.sort(np.concatenate(kept))
    return keep[_ranked(scores[keep])]


def suppress_nested(candidates: Candidates, overlap_threshold: float) -> Indices:
    """Return the indices to keep, best score first: greedy NMS by overlap with the smaller box.

    The cascade's last step.  Unlike IoU, the intersection over the smaller area also removes a
    small box inside a large one.  Areas count both edge pixels, as facenet-pytorch's do.
    """
    boxes = _apart(candidates.boxes.astype(np.float64), candidates.image_index)
    return _keep_best(boxes, candidates.scores, overlap_threshold, nested=True)


def vote(candidates: Candidates, keep: Indices, iou_threshold: float) -> Floats:
    """Return (K, 4) boxes of the candidates to keep, each the mean of all that overlap it much.

    Box voting (Gidaris and Komodakis 2015, equation 4): boxes of the same image with an IoU of
    at least ``iou_threshold`` count, weighed by their scores, and the box itself always.  Several
    looks at a face place it better than one.

    Args:
        candidates: all N before NMS.
        keep: (K,) indices that NMS left.
        iou_threshold: in (0, 1].
    """
    exact = candidates.boxes.astype(np.float64)
    boxes = _apart(exact, candidates.image_index)
    votes = _iou(boxes[keep].T, boxes.T) >= iou_threshold
    votes[np.arange(len(keep)), keep] = True  # however small it is
    weights = votes * candidates.scores.astype(np.float64).clip(min=_TINY)
    means = weights @ exact / weights.sum(axis=1, keepdims=True)
    return np.asarray(means, candidates.boxes.dtype)


def _keep_best(
    boxes: Array, scores: NDArray[np.floating], threshold: float, *, nested: bool = False
) -> Indices:
    """Return the rows of (N, 4) boxes that greedy NMS keeps, best score first.

    A box goes if it overlaps a better one that stays by more than the threshold.  The compiled
    kernels do it where there are any.
    """
    order = _ranked(scores)
    keep = suppress_ranked(boxes, order, threshold, nested=nested)
    if keep is None:
        keep = _keep_ranked(boxes, order, _overlap_with_smaller if nested else _iou, threshold)
    return keep


def _keep_ranked(boxes: Array, order: Indices, overlap: _Overlap, threshold: float) -> Indices:
    """Return the rows that stay, in the given order.

    Boxes are compared with those that stay block by block: first with the ones of earlier blocks.
    """
    corners = boxes[order].T
    keep = order[:0]
    for start in range(0, len(order), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(order)))
        if len(keep):
            beaten = (overlap(corners[:, keep], corners[:, block]) > threshold).any(axis=0)
            block = block[~beaten]
        among = overlap(corners[:, block], corners[:, block]) > threshold
        among &= _LATER[: len(block), : len(block)]
        keep = np.concatenate([keep, block[_unbeaten(among)]])
    return order[keep]


def _unbeaten(beats: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (N,) which stay, where each of N in turn, if it stays, removes those that it beats."""
    stays = np.ones(len(beats), dtype=bool)
    while True:
        settled = np.asarray(~(beats & stays[:, None]).any(axis=0))
        if np.array_equal(settled, stays):
            return settled
        stays = settled


def _ranked(scores: NDArray[np.floating]) -> Indices:
    """Return the rows in the order of their scores, best first; of equal ones the first."""
    return np.argsort(-scores, kind="stable")


def _iou(boxes: Array, others: Array) -> Array:
    """Return intersections over unions; not a number where both boxes are empty."""
    shared = _intersection(boxes, others, edge=0)
    union = np.add.outer(_area(boxes, edge=0), _area(others, edge=0))
    union -= shared
    with np.errstate(invalid="ignore"):
        return np.divide(shared, union, out=shared)


def _overlap_with_smaller(boxes: Array, others: Array) -> Array:
    """Return intersections over the smaller of both areas."""
    shared = _intersection(boxes, others, edge=1)
    shared /= np.minimum.outer(_area(boxes, edge=1), _area(others, edge=1))
    return shared


def _intersection(boxes: Array, others: Array, edge: int) -> Array:
    """Return the (N, M) areas that (4, N) and (4, M) boxes share; 0 or below where they share none.

    ``edge`` is 1 where both edge pixels count.
    """
    width, height = (_shared(boxes[axis::2], others[axis::2], edge) for axis in (0, 1))
    np.maximum(width, 0, out=width)  # two negative sides would make an area
    return np.multiply(width, height, out=width)


def _shared(spans: Array, others: Array, edge: int) -> Array:
    """Return (N, M) lengths that (2, N) and (2, M) spans share, negative where they are apart."""
    length: Array = np.minimum.outer(spans[1], others[1])
    length -= np.maximum.outer(spans[0], others[0])
    if edge:
        length += edge
    return length


def _area(boxes: Array, edge: int) -> Array:
    return np.asarray((boxes[2] - boxes[0] + edge) * (boxes[3] - boxes[1] + edge))


def _apart(boxes: Array, groups: NDArray[np.int64]) -> Array:
    """Return (N, 4) boxes moved so that those of different groups cannot overlap."""
    if not len(boxes):
        return boxes
    stride = boxes.max() - boxes.min() + 2
    return np.asarray(boxes + (groups * stride)[:, None])
