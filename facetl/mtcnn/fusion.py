"""One score of what two networks, or two views of an image, say of the same face.

The second view is the mirror image.  A detector scores a face and its mirror image differently;
where both scores are high, it is right more often.  The two views of an image lie side by side in
a batch: image ``2 n`` is the ``n``-th one, image ``2 n + 1`` its mirror image.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import iou
from facetl.mtcnn.candidates import Candidates, Floats

VIEWS = 2
"""Views of an image: as it is, and mirrored."""
SAME_FACE = 0.5
"""IoU from which boxes of two views count as the same face."""
UNSEEN = 0.1
"""What a view counts that does not find the face, or scores it lower."""
_CERTAIN = 1e-7
"""Scores count as this far from 0 and 1 at least: the log-odds of certainty are infinite."""
_ROWS = 512
"""Boxes that are compared at once with all of the other view."""
_MIRRORED_LANDMARKS = [1, 0, 2, 4, 3]
"""Eyes and corners of the mouth change sides."""


def fuse_scores(more: Floats, scores: Floats, weight: float) -> Floats:
    """Return (N,) scores of which the log-odds are the weighted mean of two.

    Args:
        more: (N,) scores in [0, 1], of RNet or of another view.
        scores: (N,) scores in [0, 1] of the same faces.
        weight: of ``more``, in [0, 1]; that of ``scores`` is 1.
    """
    odds = (_log_odds(scores) + weight * _log_odds(more)) / (1 + weight)
    return np.asarray(1 / (1 + np.exp(-odds)), scores.dtype)


def _log_odds(scores: Floats) -> NDArray[np.float64]:
    kept = scores.astype(np.float64).clip(_CERTAIN, 1 - _CERTAIN)
    return np.asarray(np.log(kept / (1 - kept)))


def with_mirrored(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (2 B, H, W, 3) images: each of B and, after it, its mirror image."""
    return np.stack([pixels, pixels[:, :, ::-1]], axis=1).reshape(-1, *pixels.shape[1:])


def turn_back(found: Candidates, width: int) -> Candidates:
    """Return what ONet found in both views, where it lies in the image that is not mirrored.

    Args:
        found: boxes half open and landmarks in pixels.
        width: of the images, in pixels.
    """
    if not len(found):
        return found
    mirrored = (found.image_index % VIEWS == 1)[:, None]
    x1, y1, x2, y2 = found.boxes.T
    boxes = np.stack([width - x2, y1, width - x1, y2], axis=1)
    points = found.landmarks.reshape(-1, 2, 5)[..., _MIRRORED_LANDMARKS]
    landmarks = np.concatenate([width - points[:, 0], points[:, 1]], axis=1)
    return replace(
        found,
        boxes=np.where(mirrored, boxes, found.boxes),
        landmarks=np.where(mirrored, landmarks, found.landmarks),
    )


def fuse_views(found: Candidates) -> Candidates:
    """Return the candidates of both views as those of one image each, with scores of both.

    The log-odds of a score become the mean of its own and the best of the same face in the other
    view, which counts :data:`UNSEEN` at least.  So two boxes that are each other's best have the
    same score; of the same face the box of the image that is not mirrored comes first.

    Args:
        found: as :func:`turn_back` gives it, of which those that are no boxes go.
    """
    found = found.valid()
    found = found[found.image_index.argsort(kind="stable")]
    other = np.full_like(found.scores, UNSEEN)
    for view in np.unique(found.image_index):
        own, others = found.image_index == view, found.image_index == (view ^ 1)
        other[own] = np.maximum(other[own], _best_overlapping(found[own], found[others]))
    scores = fuse_scores(other, found.scores, 1.0)
    return replace(found, scores=scores, image_index=found.image_index // VIEWS)


def _best_overlapping(found: Candidates, others: Candidates) -> Floats:
    """Return for each candidate the best score of others of the same face, 0 if there are none."""
    boxes = others.boxes.astype(np.float64)
    best = [
        np.where(iou(rows, boxes) >= SAME_FACE, others.scores, 0).max(axis=1, initial=0)
        for rows in np.split(found.boxes.astype(np.float64), range(_ROWS, len(found), _ROWS))
    ]
    return np.concatenate(best).astype(np.float32)
