"""What the missing average precision is made of: pure numbers, no files.

False alarms and faces that were not found are divided as TIDE divides them (Bolya, Foley, Hays
and Hoffman, "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020,
section 2.2).  Its mistakes of classification, and of both at once, need two classes; with faces
alone four kinds are left, see :class:`Mistake`.  A detection is a hit by the rule of
:func:`~facetl.evaluation.matching.match_best`; every other one makes exactly one mistake.

Each kind is weighed by the average precision there would be without it (section 2.3):

* localisation: the box is moved onto its face; of the detections that hit the same face then,
  the one with the best score stays.  (So the paper.  Its program, ``tidecv``, keeps the hit
  there was and leaves the moved box out even if its score is better, which gives a little less.)
* duplicate, background: the detection is left out.
* missed: the face is left out, as if the detector were as precise on it as on the others.

The gains don't add up to what is missing, because precision and recall multiply; all four
mended together give an average precision of 1.  What is undefined is NaN, such as the average
precision without missed faces where every face is missed.

Detections that count neither way, in regions to be ignored, are left out before.

Shares come with their 95 % interval (Wilson, "Probable inference, the law of succession, and
statistical inference", 1927).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

import numpy as np

from facetl.boxes import area
from facetl.evaluation.matching import (
    Flags,
    Indices,
    Ranking,
    TrueBoxes,
    find_overlaps,
    leave_out_ignored,
    match_best,
)
from facetl.evaluation.metrics import (
    IOU_THRESHOLD,
    NAN,
    Curve,
    Floats,
    average_precision,
    best_point,
)

_BACKGROUND_IOU = 0.1
"""Below this IoU with every face a false alarm is background (TIDE's t_b)."""
DIAGNOSED_IOUS = (IOU_THRESHOLD, 0.5)
"""The IoU thresholds of a hit (TIDE's t_f) at which mistakes are weighed."""
_SIZE_BOUNDS = (24.0, 32.0, 48.0, 72.0, 108.0, 160.0, 240.0)
"""Between groups of faces by the root of their area, in pixels."""
_ASPECT_BOUNDS = (1 / 2, 2 / 3, 4 / 5, 1.0, 5 / 4, 3 / 2, 2.0)
"""Between groups of faces by width over height."""
_CALIBRATION_BINS = 10
UNNAMED = "no label"
"""The group of the faces without a label, where others have one."""
_NONE = -1
"""The row that is none: of a detection over no face, of a face that no detection hits."""
_Z_95 = 1.959963984540054
"""Between ± this many deviations lie 95 % of a normal distribution."""


class Mistake(StrEnum):
    """The kinds of mistakes with a single class."""

    LOCALISATION = "localisation"
    """A detection that overlaps a face, too little for a hit."""
    DUPLICATE = "duplicate"
    """A detection over a face that a better-scored one hits."""
    BACKGROUND = "background"
    """A detection that overlaps no face, or hardly."""
    MISSED = "missed"
    """A face that no detection hits, nor overlaps so that it counts as localisation."""


class _Interval(NamedTuple):
    """The bounds of a 95 % interval; NaN if nothing was counted."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Matches:
    """What each of N ranked detections does, and each of M faces has done to it.

    Attributes:
        hits: (N,) which detections are hits.
        face: (N,) the row of the face that a detection overlaps most, -1 if none.
        iou: (N,) the IoU with that face, 0 if none.
        faces: M.
        iou_threshold: least IoU of a hit.
        background_iou: least IoU of a mistake of localisation.
    """

    hits: Flags
    face: Indices
    iou: Floats
    faces: int
    iou_threshold: float
    background_iou: float

    def __len__(self) -> int:
        return len(self.hits)

    @cached_property
    def flags(self) -> dict[Mistake, Flags]:
        """Which detections, (N,), or for missed which faces, (M,), make each kind of mistake."""
        background = self.iou < self.background_iou
        near = self.iou >= self.iou_threshold
        localisation = ~(self.hits | background | near)
        return {
            Mistake.LOCALISATION: localisation,
            Mistake.DUPLICATE: ~self.hits & near,
            Mistake.BACKGROUND: ~self.hits & background,
            Mistake.MISSED: ~self._touched_by(self.hits | localisation),
        }

    @cached_property
    def verdicts(self) -> tuple[Mistake | None, ...]:
        """What each detection is: None for a hit, else its mistake."""
        verdicts: list[Mistake | None] = [None] * len(self)
        for mistake in (Mistake.LOCALISATION, Mistake.DUPLICATE, Mistake.BACKGROUND):
            for row in np.flatnonzero(self.flags[mistake]).tolist():
                verdicts[row] = mistake
        return tuple(verdicts)

    @property
    def counts(self) -> dict[Mistake, int]:
        """How many mistakes of each kind there are."""
        return {mistake: int(flags.sum()) for mistake, flags in self.flags.items()}

    def _touched_by(self, detections: Flags) -> Flags:
        touched = np.zeros(self.faces, dtype=np.bool_)
        touched[self.face[detections]] = True
        return touched


@dataclass(frozen=True)
class MistakeCosts:
    """How much average precision each kind of mistake costs.

    Attributes:
        iou_threshold: least IoU of a hit.
        ap: as it is.
        counts: mistakes by kind; all detections count, however low their scores.
        mended: the average precision without the mistakes of a kind.
    """

    iou_threshold: float
    ap: float
    counts: Mapping[Mistake, int]
    mended: Mapping[Mistake, float]

    @property
    def lost(self) -> dict[Mistake, float]:
        """The average precision that mending each kind would bring (TIDE's ΔAP)."""
        return {mistake: mended - self.ap for mistake, mended in self.mended.items()}


@dataclass(frozen=True)
class FaceGroup:
    """Faces that have something in common, and how many of them were found.

    Attributes:
        name: what they have in common, such as ``24–32`` or a label.
        low, high: the values that belong to the group, ``high`` not included; NaN for a label.
        faces, found: counts.
    """

    name: str
    low: float
    high: float
    faces: int
    found: int

    @property
    def recall(self) -> float:
        """The share of its faces that were found."""
        return self.found / self.faces if self.faces else NAN

    @property
    def interval(self) -> _Interval:
        """The 95 % interval of the recall."""
        return _wilson(self.found, self.faces)


@dataclass(frozen=True)
class ScoreBin:
    """Detections of about the same score.

    Attributes:
        low, high: the scores that belong here; ``high`` only in the last bin.
        detections, hits: counts.
        score: the mean of the scores.
    """

    low: float
    high: float
    detections: int
    hits: int
    score: float

    @property
    def precision(self) -> float:
        """The share of hits."""
        return self.hits / self.detections if self.detections else NAN

    @property
    def interval(self) -> _Interval:
        """The 95 % interval of the precision."""
        return _wilson(self.hits, self.detections)


@dataclass(frozen=True)
class Diagnosis:
    """What one detector does wrong on one set of frames.

    Attributes:
        costs: what each kind of mistake costs, by IoU threshold: ``0.3`` and ``0.5``.
        score_threshold: that of the best F1; recall counts detections from there on.
        recall_by_size: by the root of a face's area in pixels; empty groups are left out.
        recall_by_aspect: by width over height, likewise.
        recall_by_label: most faces first; empty if no face has a label.
        calibration: bins of equal width that hold detections, by rising scores; empty if any
            score lies outside 0 to 1.
    """

    costs: Mapping[str, MistakeCosts]
    score_threshold: float
    recall_by_size: tuple[FaceGroup, ...]
    recall_by_aspect: tuple[FaceGroup, ...]
    recall_by_label: tuple[FaceGroup, ...]
    calibration: tuple[ScoreBin, ...]

    @property
    def usual(self) -> MistakeCosts:
        """What mistakes cost at the IoU threshold of precision, recall and F1."""
        return self.costs[f"{IOU_THRESHOLD:g}"]

    @property
    def recall_by(self) -> dict[str, tuple[FaceGroup, ...]]:
        """The groups by what divides them: ``size``, ``aspect`` and ``label``."""
        return {
            "size": self.recall_by_size,
            "aspect": self.recall_by_aspect,
            "label": self.recall_by_label,
        }

    @property
    def calibration_error(self) -> float:
        """The expected calibration error, 0 to 1, NaN without bins.

        ``Σ n_b / n · |precision_b − score_b|`` (Guo, Pleiss, Sun and Weinberger, "On calibration
        of modern neural networks", 2017, equation 3).
        """
        total = sum(each.detections for each in self.calibration)
        gaps = (each.detections * abs(each.precision - each.score) for each in self.calibration)
        return sum(gaps) / total if total else NAN


def match_detections(
    ranking: Ranking,
    true_boxes: TrueBoxes,
    iou_threshold: float = IOU_THRESHOLD,
    background_iou: float = _BACKGROUND_IOU,
) -> Matches:
    """Return what each detection and each face is, in the order of ranking and true boxes.

    Raises:
        ValueError: unless ``0 < background_iou <= iou_threshold``.
    """
    if not 0 < background_iou <= iou_threshold:
        raise ValueError(
            f"expected 0 < background_iou <= iou_threshold, got {background_iou}, {iou_threshold}"
        )
    overlaps = find_overlaps(ranking, true_boxes)
    face, iou = np.full(len(ranking), _NONE, dtype=np.intp), np.zeros(len(ranking))
    overlapping = overlaps.detection[overlaps.best]
    face[overlapping] = overlaps.face[overlaps.best]
    iou[overlapping] = overlaps.iou[overlaps.best]
    hits = match_best(overlaps, iou_threshold)
    return Matches(hits, face, iou, len(true_boxes), iou_threshold, background_iou)


def _measure_costs(ranking: Ranking, matches: Matches) -> MistakeCosts:
    """Return the average precision as it is, and as it would be without each kind of mistake."""
    return MistakeCosts(
        iou_threshold=matches.iou_threshold,
        ap=average_precision(Curve(ranking.scores, matches.hits, matches.faces)),
        counts=matches.counts,
        mended={
            mistake: average_precision(_mend(ranking, matches, mistake)) for mistake in Mistake
        },
    )


def diagnose(
    ranking: Ranking, true_boxes: TrueBoxes, labels: Sequence[str | None] = ()
) -> Diagnosis:
    """Return what a detector does wrong.

    Args:
        ranking: the detections of all frames.
        true_boxes: M faces.
        labels: who each face is, None where not known; or nothing at all.

    Raises:
        ValueError: if there are labels, but not M.
    """
    if len(labels) not in (0, len(true_boxes)):
        raise ValueError(f"expected {len(true_boxes)} labels or none, got {len(labels)}")
    counted = {iou: leave_out_ignored(ranking, true_boxes, iou) for iou in DIAGNOSED_IOUS}
    matches = {iou: match_detections(each, true_boxes, iou) for iou, each in counted.items()}
    ranking, usual = counted[IOU_THRESHOLD], matches[IOU_THRESHOLD]
    threshold = best_point(Curve(ranking.scores, usual.hits, usual.faces)).score_threshold
    found = _find_faces(ranking, usual, threshold)
    sizes: Floats = np.sqrt(np.maximum(area(true_boxes.boxes), 0), dtype=np.float64)
    return Diagnosis(
        costs={f"{iou:g}": _measure_costs(counted[iou], each) for iou, each in matches.items()},
        score_threshold=threshold,
        recall_by_size=_group_by_value(sizes, found, _SIZE_BOUNDS),
        recall_by_aspect=_group_by_value(_aspects(true_boxes), found, _ASPECT_BOUNDS),
        recall_by_label=_group_by_label(labels, found),
        calibration=_calibrate(ranking.scores, usual.hits),
    )


def _find_faces(ranking: Ranking, matches: Matches, score_threshold: float) -> Flags:
    """Return (M,) which faces are found by detections of at least ``score_threshold``."""
    kept = matches.hits & (ranking.scores >= score_threshold)
    found = np.zeros(matches.faces, dtype=np.bool_)
    found[matches.face[kept]] = True
    return found


def _group_by_value(values: Floats, found: Flags, bounds: Sequence[float]) -> tuple[FaceGroup, ...]:
    """Return the groups between ``bounds`` that hold faces."""
    lows, highs = (0.0, *bounds), (*bounds, float("inf"))
    group = np.searchsorted(bounds, values, side="right")
    return tuple(
        FaceGroup(
            _name_range(lows[row], highs[row]), lows[row], highs[row], *_count(found, group, row)
        )
        for row in np.unique(group).tolist()
    )


def _group_by_label(labels: Sequence[str | None], found: Flags) -> tuple[FaceGroup, ...]:
    """Return a group a label, the largest first; nothing if no face has a label."""
    if not any(labels):
        return ()
    names, group = np.unique([label or UNNAMED for label in labels], return_inverse=True)
    groups = [
        FaceGroup(name, NAN, NAN, *_count(found, group, row))
        for row, name in enumerate(names.tolist())
    ]
    return tuple(sorted(groups, key=lambda each: (-each.faces, each.name)))


def _calibrate(scores: Floats, hits: Flags) -> tuple[ScoreBin, ...]:
    """Return bins of equal width from 0 to 1; nothing if any score lies outside."""
    if len(scores) == 0 or scores.min() < 0 or scores.max() > 1:
        return ()
    bounds = np.arange(_CALIBRATION_BINS + 1) / _CALIBRATION_BINS
    place = np.searchsorted(bounds[1:-1], scores, side="right")
    return tuple(
        ScoreBin(
            low=float(bounds[row]),
            high=float(bounds[row + 1]),
            detections=int((place == row).sum()),
            hits=int(hits[place == row].sum()),
            score=float(scores[place == row].mean()),
        )
        for row in np.unique(place).tolist()
    )


def _wilson(part: int, whole: int) -> _Interval:
    """Return the 95 % interval of a share of ``part`` in ``whole`` (Wilson 1927)."""
    if whole == 0:
        return _Interval(NAN, NAN)
    share, spread = part / whole, _Z_95**2 / whole
    centre = (share + spread / 2) / (1 + spread)
    reach = np.sqrt(spread * share * (1 - share) + spread**2 / 4) / (1 + spread)
    # at the ends rounding must not leave the share outside
    return _Interval(
        min(max(float(centre - reach), 0.0), share), max(min(float(centre + reach), 1.0), share)
    )


def _mend(ranking: Ranking, matches: Matches, mistake: Mistake) -> Curve:
    """Return hits and false alarms as they would be without one kind of mistake."""
    flags = matches.flags[mistake]
    match mistake:
        case Mistake.MISSED:
            return Curve(ranking.scores, matches.hits, matches.faces - int(flags.sum()))
        case Mistake.LOCALISATION:
            hits = _move_onto_faces(matches, flags)
            kept = hits | ~(matches.hits | flags)
            return Curve(ranking.scores[kept], hits[kept], matches.faces)
        case Mistake.DUPLICATE | Mistake.BACKGROUND:
            return Curve(ranking.scores[~flags], matches.hits[~flags], matches.faces)


def _move_onto_faces(matches: Matches, localisation: Flags) -> Flags:
    """Return (N,) hits if badly placed boxes lay on their faces: for each face the best score."""
    claims = np.flatnonzero(matches.hits | localisation)
    _, first_to_claim = np.unique(matches.face[claims], return_index=True)
    hits = np.zeros(len(matches), dtype=np.bool_)
    hits[claims[first_to_claim]] = True
    return hits


def _aspects(faces: TrueBoxes) -> Floats:
    """Return (M,) widths over heights; infinite for a face without height."""
    width, height = (faces.boxes[:, 2:] - faces.boxes[:, :2]).T
    shares = np.divide(width, height, out=np.full(len(faces), np.inf), where=height > 0)
    return np.asarray(shares, dtype=np.float64)


def _name_range(low: float, high: float) -> str:
    if low == 0:
        return f"< {high:.3g}"
    return f"≥ {low:.3g}" if high == float("inf") else f"{low:.3g}–{high:.3g}"


def _count(found: Flags, group: Indices, row: int) -> tuple[int, int]:
    """Return how many faces a group has, and how many of them were found."""
    return int((group == row).sum()), int(found[group == row].sum())
