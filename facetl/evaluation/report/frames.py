"""Frames with what each run found in them, matched with the truth: the report's gallery.

At a score threshold the detections below it vanish and nothing else changes: a detection is a
hit or a false alarm by the ones above it alone (see :mod:`facetl.evaluation.matching`).  So one
matching serves every threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.evaluation.diagnosis import Matches, match_detections
from facetl.evaluation.frame_names import UNMATCHED, find_rows
from facetl.evaluation.matching import (
    Indices,
    Ranking,
    TrueBoxes,
    leave_out_ignored,
    rows_by_frame,
)
from facetl.evaluation.metrics import IOU_THRESHOLD
from facetl.evaluation.scoring import Predictions, Truth

NO_FACES = np.zeros((0, 4))


@dataclass(frozen=True, eq=False)
class _FrameDetections:
    """What one run found in one frame and what counts, best score first."""

    boxes: Boxes
    scores: NDArray[np.float64]
    matches: Matches

    def mistakes(self, threshold: float) -> int:
        """Return how many misses and false alarms there are from a score threshold on."""
        kept = self.scores >= threshold
        hits = int((self.matches.hits & kept).sum())
        return (self.matches.faces - hits) + (int(kept.sum()) - hits)


@dataclass(frozen=True, eq=False)
class ReportFrame:
    """A frame of the gallery.

    Attributes:
        name: how the truth calls it, or the runs if the truth does not list it.
        size_hw: height and width in pixels; where no run tells, large enough for the boxes.
        boxes: (M, 4) true faces.
        labels: M names of who it is, None where not known.
        detections: what each run found, by name of the run.
        ignored: (K, 4) regions to be ignored.
    """

    name: str
    size_hw: tuple[int, int]
    boxes: Boxes
    labels: tuple[str | None, ...]
    detections: Mapping[str, _FrameDetections]
    ignored: Boxes = field(default_factory=lambda: NO_FACES)

    def mistakes(self, thresholds: Mapping[str, float]) -> int:
        """Return how many misses and false alarms all runs make at their thresholds."""
        return sum(found.mistakes(thresholds[run]) for run, found in self.detections.items())


def collect_frames(
    runs: Sequence[Predictions], truth: Truth, *, only_listed: bool = False
) -> list[ReportFrame]:
    """Return all frames with what each run found there, in the order of their names.

    Args:
        runs: the runs.
        truth: the faces by frame.
        only_listed: leave out the frames that the truth does not list.

    Raises:
        InputError: if the names of the frames cannot be brought together.
    """
    names = {run.name: _common_names(run, tuple(truth.boxes)) for run in runs}
    rows = {
        run.name: {
            names[run.name][frame]: own for frame, own in rows_by_frame(run.frame_index).items()
        }
        for run in runs
    }
    sizes = {
        name: size
        for run in runs
        for name, size in zip(names[run.name], run.sizes_hw, strict=False)
    }
    seen = (
        {*truth.boxes} if only_listed or truth.complete else {*truth.boxes}.union(*names.values())
    )
    return [
        _report_frame(
            name, truth, sizes.get(name), runs, {run: rows[run].get(name) for run in rows}
        )
        for name in sorted(seen)
    ]


def _report_frame(
    name: str,
    truth: Truth,
    size_hw: tuple[int, int] | None,
    runs: Sequence[Predictions],
    rows: Mapping[str, Indices | None],
) -> ReportFrame:
    boxes = truth.boxes.get(name, NO_FACES)
    ignored = truth.ignored.get(name, NO_FACES)
    true_boxes = TrueBoxes.of([boxes], [ignored])
    detections = {run.name: _find(run, rows[run.name], true_boxes) for run in runs}
    return ReportFrame(
        name=name,
        size_hw=size_hw
        or _extent([boxes, ignored, *(found.boxes for found in detections.values())]),
        boxes=boxes,
        labels=truth.labels.get(name, (None,) * len(boxes)),
        detections=detections,
        ignored=ignored,
    )


def _common_names(run: Predictions, listed: tuple[str, ...]) -> list[str]:
    """Return the names of a run's frames as the truth has them, else their own."""
    places = find_rows(run.frames, listed, run.name)
    return [
        own if place == UNMATCHED else listed[place]
        for own, place in zip(run.frames, places, strict=True)
    ]


def _find(run: Predictions, rows: Indices | None, faces: TrueBoxes) -> _FrameDetections:
    rows = np.zeros(0, dtype=np.intp) if rows is None else rows
    ranking = Ranking(run.boxes[rows], run.scores[rows], np.zeros(len(rows), dtype=np.intp))
    ranking = leave_out_ignored(ranking, faces, IOU_THRESHOLD)
    return _FrameDetections(ranking.boxes, ranking.scores, match_detections(ranking, faces))


def _extent(groups: Sequence[Boxes]) -> tuple[int, int]:
    """Return a height and width that hold all boxes."""
    corners = np.concatenate([NO_FACES, *groups])[:, 2:]
    width, height = np.ceil(corners.max(axis=0, initial=1)).astype(int).tolist()
    return height, width
