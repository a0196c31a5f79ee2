"""Frames with what each run found in them, judged: what the report's gallery shows.

At a score threshold the detections below it vanish and nothing else changes: a detection is a
hit or a false alarm by the ones above it alone (see :mod:`facetl.evaluation.matching`).  So one
judgement serves every threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.evaluation.diagnosis import Judged, judge
from facetl.evaluation.matching import Indices, Ranking, TrueBoxes
from facetl.evaluation.naming import NOWHERE, find_places
from facetl.evaluation.scoring import Entry, Truth


@dataclass(frozen=True, eq=False)
class Findings:
    """What one run found in one frame, best score first.

    Attributes:
        boxes: (N, 4) half-open pixels.
        scores: (N,) finite numbers.
        judged: which of them are hits, and of which faces.
    """

    boxes: Boxes
    scores: NDArray[np.float64]
    judged: Judged


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame of the gallery.

    Attributes:
        name: how the truth calls it, or the runs if the truth does not list it.
        boxes: (M, 4) true faces.
        labels: M names of who it is, None where not known.
        findings: what each run found, by name of the run.
    """

    name: str
    boxes: Boxes
    labels: tuple[str | None, ...]
    findings: Mapping[str, Findings]

    def mistakes(self, thresholds: Mapping[str, float]) -> int:
        """Return how many misses and false alarms all runs make at their thresholds."""
        return sum(
            _count_mistakes(found, len(self.boxes), thresholds[run])
            for run, found in self.findings.items()
        )


def hang(entries: Sequence[Entry], truth: Truth, *, only_listed: bool = False) -> list[Picture]:
    """Return all frames with what each entry found there, in the order of their names.

    Args:
        entries: the runs.
        truth: the faces by frame.
        only_listed: leave out the frames that the truth does not list.

    Raises:
        InputError: if the names of the frames cannot be brought together.
    """
    listed = tuple(truth.boxes)
    rows = {entry.name: _rows_by_frame(entry, listed) for entry in entries}
    names = dict.fromkeys([*listed, *(name for each in rows.values() for name in each)])
    nobody = np.zeros((0, 4))
    return [
        Picture(
            name=name,
            boxes=truth.boxes.get(name, nobody),
            labels=truth.labels.get(name, ()),
            findings={
                entry.name: _find(entry, rows[entry.name].get(name), truth.boxes.get(name, nobody))
                for entry in entries
            },
        )
        for name in sorted(names)
        if not only_listed or name in truth.boxes
    ]


def _count_mistakes(found: Findings, faces: int, threshold: float) -> int:
    kept = found.scores >= threshold
    hits = int((found.judged.hits & kept).sum())
    return (faces - hits) + (int(kept.sum()) - hits)


def _rows_by_frame(entry: Entry, listed: tuple[str, ...]) -> dict[str, Indices]:
    """Return the rows of an entry's detections by the name under which the gallery knows them."""
    places = find_places(entry.frames, listed, entry.name)
    names = [
        own if place == NOWHERE else listed[place]
        for own, place in zip(entry.frames, places, strict=True)
    ]
    order = np.argsort(entry.frame_index, kind="stable")
    ends = np.searchsorted(entry.frame_index[order], np.arange(len(names) + 1))
    return {name: order[ends[i] : ends[i + 1]] for i, name in enumerate(names)}


def _find(entry: Entry, rows: Indices | None, faces: Boxes) -> Findings:
    rows = np.zeros(0, dtype=np.intp) if rows is None else rows
    ranking = Ranking(entry.boxes[rows], entry.scores[rows], np.zeros(len(rows), dtype=np.intp))
    return Findings(ranking.boxes, ranking.scores, judge(ranking, TrueBoxes.of([faces])))
