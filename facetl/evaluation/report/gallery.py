"""Frames with what each run found in them, judged: what the report's gallery shows.

At a score threshold the detections below it vanish and nothing else changes: a detection is a
hit or a false alarm by the ones above it alone (see :mod:`facetl.evaluation.matching`).  So one
judgement serves every threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.evaluation.diagnosis import Judged, judge
from facetl.evaluation.matching import (
    Indices,
    Ranking,
    TrueBoxes,
    leave_out_ignored,
    rows_by_frame,
)
from facetl.evaluation.metrics import IOU_THRESHOLD
from facetl.evaluation.naming import NOWHERE, find_places
from facetl.evaluation.scoring import Entry, Truth

NO_FACES = np.zeros((0, 4))


@dataclass(frozen=True, eq=False)
class Findings:
    """What one run found in one frame and what counts, best score first.

    Attributes:
        boxes: (N, 4) half-open pixels.
        scores: (N,) finite numbers.
        judged: which of them are hits, and of which faces.
    """

    boxes: Boxes
    scores: NDArray[np.float64]
    judged: Judged

    def mistakes(self, threshold: float) -> int:
        """Return how many misses and false alarms there are from a score threshold on."""
        kept = self.scores >= threshold
        hits = int((self.judged.hits & kept).sum())
        return (self.judged.faces - hits) + (int(kept.sum()) - hits)


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A frame of the gallery.

    Attributes:
        name: how the truth calls it, or the runs if the truth does not list it.
        size_hw: height and width in pixels; where no run tells, large enough for the boxes.
        boxes: (M, 4) true faces.
        labels: M names of who it is, None where not known.
        findings: what each run found, by name of the run.
        ignored: (K, 4) regions to be ignored.
    """

    name: str
    size_hw: tuple[int, int]
    boxes: Boxes
    labels: tuple[str | None, ...]
    findings: Mapping[str, Findings]
    ignored: Boxes = field(default_factory=lambda: NO_FACES)

    def mistakes(self, thresholds: Mapping[str, float]) -> int:
        """Return how many misses and false alarms all runs make at their thresholds."""
        return sum(found.mistakes(thresholds[run]) for run, found in self.findings.items())


def hang(entries: Sequence[Entry], truth: Truth, *, only_listed: bool = False) -> list[Exhibit]:
    """Return all frames with what each entry found there, in the order of their names.

    Args:
        entries: the runs.
        truth: the faces by frame.
        only_listed: leave out the frames that the truth does not list.

    Raises:
        InputError: if the names of the frames cannot be brought together.
    """
    names = {entry.name: _common_names(entry, tuple(truth.boxes)) for entry in entries}
    rows = {entry.name: _rows_by_name(entry, names[entry.name]) for entry in entries}
    sizes = {
        name: size
        for entry in entries
        for name, size in zip(names[entry.name], entry.sizes_hw, strict=False)
    }
    seen = (
        {*truth.boxes} if only_listed or truth.complete else {*truth.boxes}.union(*names.values())
    )
    return [
        _exhibit(name, truth, sizes.get(name), entries, {run: rows[run].get(name) for run in rows})
        for name in sorted(seen)
    ]


def _exhibit(
    name: str,
    truth: Truth,
    size_hw: tuple[int, int] | None,
    entries: Sequence[Entry],
    rows: Mapping[str, Indices | None],
) -> Exhibit:
    boxes = truth.boxes.get(name, NO_FACES)
    ignored = truth.ignored.get(name, NO_FACES)
    true_boxes = TrueBoxes.of([boxes], [ignored])
    findings = {entry.name: _find(entry, rows[entry.name], true_boxes) for entry in entries}
    return Exhibit(
        name=name,
        size_hw=size_hw or _extent([boxes, ignored, *(found.boxes for found in findings.values())]),
        boxes=boxes,
        labels=truth.labels.get(name, (None,) * len(boxes)),
        findings=findings,
        ignored=ignored,
    )


def _common_names(entry: Entry, listed: tuple[str, ...]) -> list[str]:
    """Return the names of an entry's frames as the truth has them, else their own."""
    places = find_places(entry.frames, listed, entry.name)
    return [
        own if place == NOWHERE else listed[place]
        for own, place in zip(entry.frames, places, strict=True)
    ]


def _rows_by_name(entry: Entry, names: Sequence[str]) -> dict[str, Indices]:
    """Return the rows of an entry's detections by frame, of those frames that have any."""
    return {names[frame]: rows for frame, rows in rows_by_frame(entry.frame_index).items()}


def _find(entry: Entry, rows: Indices | None, faces: TrueBoxes) -> Findings:
    rows = np.zeros(0, dtype=np.intp) if rows is None else rows
    ranking = Ranking(entry.boxes[rows], entry.scores[rows], np.zeros(len(rows), dtype=np.intp))
    ranking = leave_out_ignored(ranking, faces, IOU_THRESHOLD)
    return Findings(ranking.boxes, ranking.scores, judge(ranking, faces))


def _extent(groups: Sequence[Boxes]) -> tuple[int, int]:
    """Return a height and width that hold all boxes."""
    corners = np.concatenate([NO_FACES, *groups])[:, 2:]
    width, height = np.ceil(corners.max(axis=0, initial=1)).astype(int).tolist()
    return height, width
