"""What a detector does at many settings, on annotated frames: pure numbers.

For each pair of a PNet and an RNet threshold the detections are ranked once.  The final
threshold only cuts the ranked list, so that the whole precision-recall curve, and the best cut
for an aim, follow from it.  Where faces are rescored, their new scores are ranked: the score from
which they are shown cuts the list, and the final threshold, which knows the cascade's scores
alone, stays at its lowest.  Precision, recall and F1 are those at IoU 0.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facetl.evaluation.matching import Ranking, TrueBoxes, find_overlaps
from facetl.evaluation.metrics import Curve, Floats, average_precision, by_iou, draw_curve
from facetl.evaluation.tuning.aims import Aim
from facetl.mtcnn.cached_scores import CachedScores, ReplayedSearch
from facetl.search.settings import Settings

TUNING_IOU = 0.5
"""Least IoU of a hit for precision, recall and F1."""

PNET_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_RNET_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FLOOR = (PNET_THRESHOLDS[0], _RNET_THRESHOLDS[0], 0.05)
"""The lowest thresholds that are tried."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A setting, and what the detector does with it on the annotated frames.

    Attributes:
        settings: thresholds and pyramid; if faces are rescored, also the score to show from.
        precision, recall, f1: at IoU 0.5.
        ap: average precision under ``0.3``, ``0.5`` and ``0.5:0.95``, of what passes the final
            threshold.
        milliseconds: estimated for each frame.
        curve: hits and false alarms at IoU 0.5 if nothing were cut.
    """

    settings: Settings
    precision: float
    recall: float
    f1: float
    ap: dict[str, float]
    milliseconds: float
    curve: Curve

    @property
    def cut(self) -> float:
        """The score above which detections count."""
        return self.settings.score if self.settings.rescored else self.settings.thresholds[2]

    def to_json(self) -> dict[str, Any]:
        """Return the figures, rounded to what they are worth."""
        single = {
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "f1": round(self.f1, 4),
            "milliseconds": round(self.milliseconds, 2),
        }
        return {**single, "ap": {name: round(ap, 4) for name, ap in self.ap.items()}}


@dataclass(frozen=True)
class _Cut:
    """A place to cut ranked detections short.

    Attributes:
        kept: how many detections are left.
        threshold: a score below all that are left and not below any that is dropped.
    """

    kept: int
    threshold: float


def try_grid(
    cached: CachedScores,
    faces: TrueBoxes,
    aim: Aim,
    pnet: Sequence[float] = PNET_THRESHOLDS,
    rnet: Sequence[float] = _RNET_THRESHOLDS,
) -> Iterator[Trial]:
    """Yield each pair of thresholds, what it finds cut where it serves the aim best.

    Settings that find nothing at all are passed over.

    Args:
        cached: what the networks say of the frames.
        faces: the true boxes of these frames, in their order.
        aim: what the cut is for.
        pnet: thresholds of PNet to try.
        rnet: thresholds of RNet to try.
    """
    lowest = lowest_score(cached.floor)
    for replayed in cached.replay(pnet, rnet):
        if trial := _measure(replayed, faces, lambda curve: find_cut(curve, aim, lowest)):
            yield trial


def try_setting(cached: CachedScores, faces: TrueBoxes, settings: Settings) -> Trial | None:
    """Return what the detector does at one setting; None if nothing is found.

    Args:
        cached: what the networks say of the frames, at the pyramid of the settings.
        faces: the true boxes of these frames, in their order.
        settings: thresholds that are not below those of the cached.
    """
    first, second, last = settings.thresholds
    (replayed,) = cached.replay([first], [second], last)
    cut = settings.score if settings.rescored else last
    least = float(np.float32(cut))  # as the detector compares
    return _measure(replayed, faces, lambda curve: _Cut(int((curve.scores > least).sum()), cut))


def lowest_score(settings: Settings) -> float:
    """Return a score that nothing found is below, by itself or rescored."""
    return 0.0 if settings.rescored else settings.thresholds[2]


def _measure(
    replayed: ReplayedSearch, faces: TrueBoxes, find: Callable[[Curve], _Cut]
) -> Trial | None:
    """Return the figures of what is found, cut short where ``find`` says; None if nothing is."""
    found = replayed.detections
    ranking = Ranking(found.boxes, found.scores.astype(np.float64), found.image_index)
    overlaps = find_overlaps(ranking, faces)

    whole = draw_curve(ranking, overlaps, len(faces), TUNING_IOU)
    cut = find(whole) if len(whole.hits) else _Cut(0, 1.0)
    if not cut.kept:
        return None
    hits = int(whole.hits[: cut.kept].sum())
    settings = replayed.settings
    if settings.rescored:
        settings = replace(settings, score=cut.threshold)
    else:
        settings = replace(settings, thresholds=(*settings.thresholds[:2], cut.threshold))

    def shortened(iou_threshold: float) -> Curve:
        curve = draw_curve(ranking, overlaps, len(faces), iou_threshold)
        kept = curve.scores > np.float32(lowest_score(settings))
        return Curve(curve.scores[kept], curve.hits[kept], len(faces))

    return Trial(
        settings=settings,
        precision=hits / cut.kept,
        recall=hits / len(faces),
        f1=2 * hits / (cut.kept + len(faces)),
        ap=by_iou(average_precision, shortened, (0.3, 0.5)),
        milliseconds=replayed.seconds * 1000,
        curve=whole,
    )


def find_cut(curve: Curve, aim: Aim, lowest: float) -> _Cut:
    """Return where the ranked detections are best cut short for the aim.

    AP can only lose by a cut, so that ``ap`` and ``speed`` keep all.  F1 is cut where it is
    greatest.  Under a bound on recall the cut with the best precision among those that reach it
    is taken, under a bound on precision the one with the best recall; where none reaches the
    bound, the one that comes nearest.

    Args:
        curve: at least one detection, and at least one face to find.
        aim: what the cut is for.
        lowest: the threshold if all are kept.
    """
    precision, recall = curve.precision[curve.cuts], curve.recall[curve.cuts]
    if aim.figure == "recall":
        row = _best_where(precision, recall, aim.at_least)
    elif aim.figure == "precision":
        row = _best_where(recall, precision, aim.at_least)
    elif aim.figure == "f1":
        row = int(np.argmax(curve.f1_at_cuts))
    else:
        row = len(curve.cuts) - 1
    kept = int(curve.cuts[row]) + 1
    if kept == len(curve.scores):
        return _Cut(kept, lowest)
    return _Cut(kept, _threshold_between(float(curve.scores[kept]), float(curve.scores[kept - 1])))


def _best_where(figure: Floats, bounded: Floats, at_least: float | None) -> int:
    """Return the row of the best figure among those that reach the bound, else the nearest."""
    reached = bounded >= (at_least or 0.0)
    if reached.any():
        return int(np.argmax(np.where(reached, figure, -1.0)))
    return int(np.argmax(bounded))


def _threshold_between(below: float, above: float) -> float:
    """Return the shortest decimal near the middle that parts two float32 scores.

    The detector keeps what is greater than its threshold, and compares in float32.
    """
    middle, quarter = (below + above) / 2, (above - below) / 4
    for digits in range(2, 10):
        threshold = round(middle, digits)
        if abs(float(np.float32(threshold)) - middle) <= quarter:
            return threshold
    return below
