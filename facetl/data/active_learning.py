"""Frames worth annotating: of many, a few that are sharp, varied, and hard for the detector.

What each part comes from:

- the detector's doubt: uncertainty sampling, Lewis and Gale, "A sequential algorithm for training
  text classifiers", SIGIR 1994; for the faces of a frame the squared margins summed, as Brust,
  Käding and Denzler have it, "Active learning for deep object detection", VISAPP 2019;
- variety: the greedy k-centre rule, Sener and Savarese, "Active learning for convolutional neural
  networks: a core-set approach", ICLR 2018, on the signatures of frames;
- a pool that never grows: the doubling algorithm, Charikar, Chekuri, Feder and Motwani,
  "Incremental clustering and dynamic information retrieval", STOC 1997.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.data.held_frames import Timestamp
from facetl.data.images import Pixels
from facetl.data.near_duplicates import NEAR_TWIN, stack_thumbnails
from facetl.data.resizing import as_grey
from facetl.data.shots import FrameSignature

BLURRED = 0.5
"""Sharpness, as a share of the median of its video, below which a frame counts as blurred."""
_SOFTER = 0.8
"""The same for two frames that show the same, of which the other is then the better one."""
_BLANK = 5.0
"""Standard deviation of a thumbnail's grey values below which a frame shows nothing."""
FAR, RECOLOURED, UNCORRELATED = 48.0, 0.5, 0.5
"""Where a frame is entirely new: distance of thumbnails, share of the picture in other
colours, 1 less the thumbnails' correlation.  All three count, for a camera that pans changes the
picture but not its colours, and a fade its colours but not the picture."""
_OTHER_LIGHT = 0.01
"""1 less the correlation, below which two frames are near-duplicates, though one be darker."""
_POOL = 1000
"""Candidates that are kept at once."""


class Reason(StrEnum):
    """The main reason why a frame was picked."""

    DOUBT = "the detector is unsure"
    VARIETY = "unlike those before"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A frame that could be annotated.

    Attributes:
        video: the name of its video.
        stamp: which frame it is.
        look: what it is compared by.
        sharpness: see :func:`measure_sharpness`.
        boxes: (N, 4) half-open pixels where the detector sees faces.
        scores: (N,) in [0, 1].
    """

    video: str
    stamp: Timestamp
    signature: FrameSignature
    sharpness: float
    boxes: Boxes
    scores: NDArray[np.floating[Any]]

    @property
    def doubt(self) -> float:
        """How unsure the detector is, 0 or more."""
        return _measure_doubt(self.scores)

    @property
    def is_blank(self) -> bool:
        """Whether it shows nothing: a fade, black."""
        return float(self.signature.thumbnail.std()) < _BLANK


@dataclass(frozen=True, eq=False)
class Pick:
    """A frame that was picked.

    Attributes:
        candidate: the frame.
        doubt_share: how many of the candidates the detector is surer of, in [0, 1].
        novelty: how unlike the frames known or picked before it is, in [0, 1].
        reason: what counted most.
    """

    candidate: Candidate
    doubt_share: float
    novelty: float
    reason: Reason


def measure_sharpness(pixels: Pixels) -> float:
    """Return how sharp an (H, W, 3) RGB picture is, 0 or more, whatever it shows.

    The energy of the Laplacian over that of the gradient: how steep the edges are, not how many
    there are, so that a flat or dark drawing does not count as blurred.  Drawn frames
    have 3.5 to 6, at most 1.0 once a Gaussian of one pixel has blurred them.
    """
    grey = np.pad(as_grey(pixels).astype(np.float32), 1, mode="reflect")
    left, middle, right = grey[:, :-2], grey[:, 1:-1], grey[:, 2:]
    curves = (left + right - 4 * middle)[1:-1] + middle[:-2] + middle[2:]
    across, smooth = right - left, left + 2 * middle + right  # the two parts of Sobel's filter
    across = (across[:-2] + 2 * across[1:-1] + across[2:]) / 8
    down = (smooth[2:] - smooth[:-2]) / 8
    slopes = float((across**2).sum() + (down**2).sum())
    return float((curves**2).sum()) / slopes if slopes else 0.0


def _measure_doubt(scores: NDArray[np.floating[Any]]) -> float:
    """Return the sum of (1 - |2s - 1|)² over the scores: a half counts 1, a 0 or 1 nothing."""
    margins = np.abs(2 * np.asarray(scores, np.float64) - 1)
    return float(((1 - margins) ** 2).sum())


class Pool:
    """Keeps candidates unlike each other, never more than ``limit``.

    Of two that are closer than :attr:`distance` the better one stays.  When there are too many,
    the distance grows until they are few enough.

    Attributes:
        candidates: what is kept.
        distance: least distance of their thumbnails.
        seen: how many frames were offered.
    """

    def __init__(self, limit: int = _POOL) -> None:
        if limit < 1:
            raise ValueError(f"expected room for at least 1, got {limit}")
        self.candidates: list[Candidate] = []
        self.distance = NEAR_TWIN
        self.seen = 0
        self._limit = limit

    def offer(self, candidate: Candidate) -> None:
        """Take a candidate in, unless it is blank or a better one is like it."""
        self.seen += 1
        if not candidate.is_blank:
            self._take(candidate)
        while len(self.candidates) > self._limit:
            self.distance *= 1.5
            crowded, self.candidates = self.candidates, []
            for each in crowded:
                self._take(each)

    def _take(self, candidate: Candidate) -> None:
        rows = stack_thumbnails(each.signature.thumbnail for each in self.candidates)
        distances = np.abs(rows - candidate.signature.thumbnail).mean(axis=1)
        like = np.flatnonzero(distances < self.distance)
        if all(_is_better(candidate, self.candidates[place]) for place in like):
            gone = set(like.tolist())
            self.candidates = [c for i, c in enumerate(self.candidates) if i not in gone]
            self.candidates.append(candidate)


def _is_better(one: Candidate, other: Candidate) -> bool:
    """Return whether a frame is the better of two that are alike: not blurred, then in doubt."""
    if min(one.sharpness, other.sharpness) < _SOFTER * max(one.sharpness, other.sharpness):
        return one.sharpness > other.sharpness
    return one.doubt > other.doubt


def pick_frames(
    candidates: Sequence[Candidate],
    count: int,
    *,
    known: Iterable[FrameSignature] = (),
    variety: float = 0.5,
) -> list[Pick]:
    """Return the frames most worth annotating, best first.

    Each round takes the frame with the highest sum of doubt and novelty.  Doubt is the share of
    candidates that the detector is surer of; novelty how unlike a frame is the one most like it
    that is known or picked already.  Blurred frames and near-duplicates are never taken.

    Args:
        candidates: to choose from.
        count: how many are wanted; fewer come if there are not enough.
        known: frames that are annotated already.
        variety: weight of novelty, 0 to 1; that of doubt is the rest.

    Raises:
        ValueError: if ``variety`` is outside its range.
    """
    if not 0 <= variety <= 1:
        raise ValueError(f"expected a variety in [0, 1], got {variety}")
    sharp = _leave_out_blurred(candidates)
    signatures = [each.signature for each in sharp]
    doubts = _share_below(np.array([each.doubt for each in sharp]))
    novelties = np.ones(len(sharp))
    for signature in known:
        novelties = np.minimum(novelties, _measure_novelty(signatures, signature))
    picks: list[Pick] = []
    while len(picks) < count and (novelties > 0).any():
        for_doubt, for_variety = (1 - variety) * doubts, variety * novelties
        best = int(np.where(novelties > 0, for_doubt + for_variety, -1.0).argmax())
        reason = Reason.DOUBT if for_doubt[best] >= for_variety[best] else Reason.VARIETY
        picks.append(Pick(sharp[best], float(doubts[best]), float(novelties[best]), reason))
        novelties = np.minimum(novelties, _measure_novelty(signatures, signatures[best]))
    return picks


def _measure_novelty(
    signatures: Sequence[FrameSignature], known: FrameSignature
) -> NDArray[np.float64]:
    """Return how unlike a known frame each of N frames is.

    Returns:
        (N,) in [0, 1]; 0 for its near-duplicates, and above 0 for all others.
    """
    thumbnails = stack_thumbnails(signature.thumbnail for signature in signatures)
    colours = np.array([signature.colours for signature in signatures]).reshape(
        -1, len(known.colours)
    )
    moved = np.abs(thumbnails - known.thumbnail).mean(axis=1)
    uncorrelated = 1 - _correlate(thumbnails, known.thumbnail)
    recoloured = np.abs(colours - known.colours).sum(axis=1) / 2
    shares = (moved / FAR, recoloured / RECOLOURED)
    novelty = np.minimum(np.minimum(*shares), uncorrelated / UNCORRELATED).clip(1e-6, 1)
    same = (moved < NEAR_TWIN) | (uncorrelated < _OTHER_LIGHT)
    return np.where(same, 0.0, novelty).astype(np.float64)


def _correlate(rows: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the correlation of each row with another one; 0 where one of them is flat."""
    rows, other = rows - rows.mean(axis=1, keepdims=True), other - other.mean()
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(other)
    return np.asarray(rows @ other / np.where(lengths > 0, lengths, np.inf), np.float32)


def _leave_out_blurred(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that are not much less sharp than others of their video."""
    by_video: dict[str, list[float]] = {}
    for each in candidates:
        by_video.setdefault(each.video, []).append(each.sharpness)
    least = {video: BLURRED * float(np.median(values)) for video, values in by_video.items()}
    return [each for each in candidates if each.sharpness >= least[each.video]]


def _share_below(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each value the share of the others that are less."""
    return np.searchsorted(np.sort(values), values, side="left") / max(len(values) - 1, 1)
