"""Precision, recall and average precision: pure numbers, no files.

Three figures are called "average precision" in this field; each has its own function here.

* :func:`average_precision`: the area under the precision-recall curve after precision has been
  made to fall with recall (all-point interpolation; Pascal VOC 2010 and later).  facetl's ``ap``.
* :func:`average_precision_coco`: the same curve read at 101 recalls.  facetl's ``ap_coco``.
* :func:`average_precision_raw`: the raw sum of steps without that envelope, on inclusive pixels:
  the figure of the course's evaluator.  facetl's ``ap_course``.

What is undefined is not a number (NaN) here and ``null`` in the metrics file: anything divided
by the number of faces if there are none, or by the number of detections if there are none.

Detections in regions to be ignored count neither way (see :mod:`facetl.evaluation.matching`), but
in the course's figures: its evaluator knows no such regions, so they are false alarms there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facetl.evaluation.matching import (
    Flags,
    Indices,
    Overlaps,
    Ranking,
    Rule,
    TrueBoxes,
    find_overlaps,
    match_best,
    match_free,
)

Floats = NDArray[np.float64]

IOU_THRESHOLD = 0.3
"""Least IoU of a hit for precision, recall, F1, the curves and the course's figure."""
_STRICT_IOU_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
"""The thresholds 0.5, 0.55, … 0.95 of the mean AP, to the bit as pycocotools has them."""
FRAMES_PER_FALSE_ALARM = 10
"""The budget at which recall is quoted: 1 false alarm in so many frames."""
NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Curve:
    """Hits and false alarms in the order of their scores.

    Attributes:
        scores: (N,) falling.
        hits: (N,) whether each detection found a face of its own; of those that count.
        faces: how many faces there were to find.
    """

    scores: Floats
    hits: Flags
    faces: int

    @cached_property
    def precision(self) -> Floats:
        """(N,) the share of hits among the first 1, 2, … N detections."""
        return np.asarray(np.cumsum(self.hits) / np.arange(1, len(self.hits) + 1))

    @cached_property
    def recall(self) -> Floats:
        """(N,) the share of faces that the first 1, 2, … N detections hit; NaN without faces."""
        if self.faces == 0:
            return np.full(len(self.hits), NAN)
        return np.asarray(np.cumsum(self.hits) / self.faces)

    @cached_property
    def envelope(self) -> Floats:
        """(N,) the best precision at this recall or a higher one."""
        return np.maximum.accumulate(self.precision[::-1])[::-1]

    @cached_property
    def false_alarms(self) -> Indices:
        """(N,) how many of the first 1, 2, … N detections hit no face."""
        return np.cumsum(~self.hits)

    @cached_property
    def cuts(self) -> Indices:
        """(K,) the rows at which a score threshold can cut: the last of each score."""
        return np.flatnonzero(np.diff(self.scores, append=-np.inf))

    @cached_property
    def f1_at_cuts(self) -> Floats:
        """(K,) F1 if a score threshold cuts there; 0 without faces."""
        # 2PR / (P + R) with hits / kept for P and hits / faces for R, so that 0 / 0 cannot occur
        hits = np.cumsum(self.hits)[self.cuts]
        return np.asarray(2 * hits / (self.cuts + 1 + self.faces))


_CurveAt = Callable[[float], Curve]
"""From the least IoU of a hit to hits and false alarms."""


@dataclass(frozen=True)
class OperatingPoint:
    """What a detector does when detections below ``score_threshold`` are dropped."""

    score_threshold: float
    precision: float
    recall: float
    f1: float


class FaceCounts(NamedTuple):
    """How many faces are found, how many are missed, and how many detections hit no face."""

    found: int
    missed: int
    false_alarms: int


@dataclass(frozen=True)
class Metrics:
    """The figures of one detector on one set of frames.

    Attributes:
        frames, faces, detections: counts.
        ap: average precision by IoU threshold: ``0.3``, ``0.5``, ``0.7`` and, as ``0.5:0.95``,
            the mean over 0.5, 0.55, … 0.95.
        ap_coco: COCO's 101-point figures under ``0.5``, ``0.75`` and ``0.5:0.95``.
        ap_course: the course's figure at IoU 0.3.
        best: the score threshold of the greatest F1, at IoU 0.3.
        recall_at_budget: recall with at most 1 false alarm in 10 frames, at IoU 0.3.
        precision_all, recall_all: over all detections, at IoU 0.3.
        precision_course, recall_course: the same on inclusive pixels, as the course counts.
        curve: hits and false alarms at IoU 0.3.
        ignored: of the detections, how many count neither way at IoU 0.3.
    """

    frames: int
    faces: int
    detections: int
    ap: dict[str, float]
    ap_coco: dict[str, float]
    ap_course: float
    best: OperatingPoint
    recall_at_budget: float
    precision_all: float
    recall_all: float
    precision_course: float
    recall_course: float
    curve: Curve
    ignored: int = 0


def measure(ranking: Ranking, true_boxes: TrueBoxes, frames: int) -> Metrics:
    """Return all figures of ranked detections against the true boxes of ``frames`` frames."""
    best, free = _curves(ranking, true_boxes, match_best, match_free)
    (course_best,) = _curves(
        ranking.on_inclusive_pixels(), true_boxes.on_inclusive_pixels(), match_best
    )
    usual, course = best(IOU_THRESHOLD), course_best(IOU_THRESHOLD)
    return Metrics(
        frames=frames,
        faces=len(true_boxes),
        detections=len(ranking),
        ap=by_iou(average_precision, best, (0.3, 0.5, 0.7)),
        ap_coco=by_iou(average_precision_coco, free, (0.5, 0.75)),
        ap_course=average_precision_raw(course),
        best=best_point(usual),
        recall_at_budget=_recall_within(usual, frames / FRAMES_PER_FALSE_ALARM),
        precision_all=_last(usual.precision, NAN),
        recall_all=_last(usual.recall, _none_found(usual)),
        precision_course=_last(course.precision, NAN),
        recall_course=_last(course.recall, _none_found(course)),
        curve=usual,
        ignored=len(ranking) - len(usual.hits),
    )


def draw_curve(
    ranking: Ranking, overlaps: Overlaps, faces: int, iou_threshold: float, rule: Rule = match_best
) -> Curve:
    """Return hits and false alarms of the detections that count."""
    hits = rule(overlaps, iou_threshold)
    counted = overlaps.counted(hits, iou_threshold)
    return Curve(ranking.scores[counted], hits[counted], faces)


def average_precision(curve: Curve) -> float:
    """Return the area under the precision-recall curve, all points interpolated.

    ``Σ (r_i − r_{i−1}) · max_{j ≥ i} p_j`` (Everingham et al., Pascal VOC 2010 development kit,
    section 3.4.1).  NaN without faces.
    """
    return _step_sum(curve, curve.envelope)


def average_precision_raw(curve: Curve) -> float:
    """Return ``Σ (r_i − r_{i−1}) · p_i``: the course's figure.

    The evaluator of the course means to take the envelope first, but its loop never runs.
    NaN without faces.
    """
    return _step_sum(curve, curve.precision)


def average_precision_coco(curve: Curve) -> float:
    """Return the mean envelope at the recalls 0, 0.01, … 1, as pycocotools does.

    Recalls that are never reached count as precision 0.  NaN without faces.
    """
    if curve.faces == 0:
        return NAN
    rows = np.searchsorted(curve.recall, np.linspace(0, 1, 101), side="left")
    return float(np.append(curve.envelope, 0.0)[rows].mean())


def best_point(curve: Curve) -> OperatingPoint:
    """Return the operating point with the greatest F1; among equals, the highest threshold."""
    if curve.faces == 0 or len(curve.cuts) == 0:
        return OperatingPoint(NAN, NAN, _none_found(curve), _none_found(curve))
    best = int(curve.cuts[np.argmax(curve.f1_at_cuts)])
    return OperatingPoint(
        score_threshold=float(curve.scores[best]),
        precision=float(curve.precision[best]),
        recall=float(curve.recall[best]),
        f1=float(curve.f1_at_cuts.max()),
    )


def count_at(curve: Curve, score_threshold: float) -> FaceCounts:
    """Return the counts at a score threshold; with NaN nothing is found."""
    kept = int((curve.scores >= score_threshold).sum())
    hits = int(curve.hits[:kept].sum())
    return FaceCounts(hits, curve.faces - hits, kept - hits)


def point_at(curve: Curve, score_threshold: float) -> OperatingPoint:
    """Return the operating point at a score threshold; precision is NaN if nothing is left."""
    hits, _, false_alarms = count_at(curve, score_threshold)
    kept = hits + false_alarms
    return OperatingPoint(
        score_threshold=score_threshold,
        precision=hits / kept if kept else NAN,
        recall=hits / curve.faces if curve.faces else NAN,
        f1=2 * hits / (kept + curve.faces) if kept + curve.faces else NAN,
    )


def _recall_within(curve: Curve, false_alarms: float) -> float:
    """Return the recall at the lowest score threshold with no more than ``false_alarms``.

    0 if every threshold lets more through; NaN without faces.
    """
    affordable = curve.cuts[curve.false_alarms[curve.cuts] <= false_alarms]
    return _last(curve.recall[affordable], _none_found(curve))


def _curves(ranking: Ranking, true_boxes: TrueBoxes, *rules: Rule) -> list[_CurveAt]:
    """Return, for each rule, the function from an IoU threshold to its curve."""
    overlaps = find_overlaps(ranking, true_boxes)

    def curve(rule: Rule, threshold: float) -> Curve:
        return draw_curve(ranking, overlaps, len(true_boxes), threshold, rule)

    return [partial(curve, rule) for rule in rules]


def by_iou(
    figure: Callable[[Curve], float],
    curve: _CurveAt,
    thresholds: tuple[float, ...],
) -> dict[str, float]:
    """Return a figure for each IoU threshold and, as ``0.5:0.95``, its mean over the strict ones.

    Args:
        figure: of one curve, such as :func:`average_precision`.
        curve: gives the curve at an IoU threshold.
        thresholds: those to tell one by one.
    """
    single = {f"{threshold:g}": figure(curve(threshold)) for threshold in thresholds}
    mean = np.mean([figure(curve(threshold)) for threshold in _STRICT_IOU_THRESHOLDS])
    return single | {"0.5:0.95": float(mean)}


def _step_sum(curve: Curve, heights: Floats) -> float:
    if curve.faces == 0:
        return NAN
    return float(heights[curve.hits].sum() / curve.faces)


def _none_found(curve: Curve) -> float:
    """Return the recall of a detector that keeps nothing."""
    return 0.0 if curve.faces else NAN


def _last(values: Floats, otherwise: float) -> float:
    return float(values[-1]) if len(values) else otherwise
