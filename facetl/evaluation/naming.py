"""How well faces are named: figures of each character, and who is taken for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.data.characters import UNKNOWN, Characters, folded
from facetl.evaluation.matching import (
    Flags,
    Indices,
    Overlaps,
    Ranking,
    TrueBoxes,
    find_overlaps,
    match_best,
)
from facetl.evaluation.metrics import IOU_THRESHOLD, NAN, average_precision, draw_curve

NO_FACE = "no face"
"""The row of a confusion matrix that false alarms are in."""
MISSED = "missed"
"""Its column for faces that are not found."""
PARTS = {
    "all": "true boxes",
    "near_twins": "true boxes in near-duplicates of training frames",
    "unlike": "true boxes in frames unlike all training frames",
}
"""Which true faces are named apart, in words."""


@dataclass(frozen=True)
class CharacterFigures:
    """The figures of one character.

    Attributes:
        faces: how many true faces it has.
        ap: average precision at IoU 0.3 of the faces that are likeliest to be the character's,
            those called ``unknown`` too; a hit is one of its faces.  The score is that of the face
            times that of the name.  The course's task 2.
        precision, recall: of the faces that are shown and called by its name; NaN without any.
    """

    faces: int
    ap: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, NaN if either is."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else both


@dataclass(frozen=True, eq=False)
class Confusion:
    """Who is taken for whom.

    Attributes:
        rows: the true names, ``unknown`` and ``no face`` at the end.
        columns: the names given, ``unknown`` and ``missed`` at the end.
        counts: (R, C) faces.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]], characters: Sequence[str]) -> Confusion:
        """Count pairs of what is true and what was said; names are folded."""
        rows, columns = (*characters, UNKNOWN, NO_FACE), (*characters, UNKNOWN, MISSED)
        row_of = {folded(name): place for place, name in enumerate(rows)}
        column_of = {folded(name): place for place, name in enumerate(columns)}
        counts = np.zeros((len(rows), len(columns)), np.int64)
        for true, said in pairs:
            counts[row_of[true], column_of[said]] += 1
        return cls(rows, columns, counts)

    def without_empty_ends(self) -> Confusion:
        """Return the same without the last row and column, where nothing is in them."""
        rows = len(self.rows) - (not self.counts[-1].any())
        columns = len(self.columns) - (not self.counts[:, -1].any())
        kept = self.counts[:rows, :columns]
        return Confusion(self.rows[:rows], self.columns[:columns], kept)

    @property
    def right(self) -> tuple[int, int]:
        """Of the faces of characters that are found, how many have their name; how many are."""
        own = self.counts[:-2, :-1]
        return int(np.trace(own[:, :-1])), int(own.sum())

    @property
    def rejected(self) -> tuple[int, int]:
        """Of the unknown faces that are found, how many have no name; how many are found."""
        own = self.counts[-2, :-1]
        return int(own[-1]), int(own.sum())

    def describe(self) -> str:
        """Return a line on what is right."""
        (right, named), (rejected, unknown) = self.right, self.rejected
        line = f"{right} of {named} faces named right ({_share(right, named)})"
        if unknown:
            share = _share(rejected, unknown)
            line += f", {rejected} of {unknown} unknown ones left without a name ({share})"
        return line

    def to_json(self) -> dict[str, Any]:
        """Return the matrix and what is right as plain values."""
        (right, named), (rejected, unknown) = self.right, self.rejected
        return {
            "right": right,
            "named_faces": named,
            "accuracy": right / named if named else NAN,
            "rejected": rejected,
            "unknown_faces": unknown,
            "rejection": rejected / unknown if unknown else NAN,
            "rows": list(self.rows),
            "columns": list(self.columns),
            "confusion": self.counts.tolist(),
        }


@dataclass(frozen=True, eq=False)
class Naming:
    """How well the faces of a run are named.

    Attributes:
        characters: figures of each, by name, those with the most faces first.
        confusion: of the faces that are shown.
        on_true_boxes: of all true faces, if they were named too; by part of the frames:
            ``all``, ``near_twins`` of training frames and those ``unlike`` them.
        unlabelled: true faces without a label, which play no part.
    """

    characters: Mapping[str, CharacterFigures]
    confusion: Confusion
    on_true_boxes: Mapping[str, Confusion] = field(default_factory=dict)
    unlabelled: int = 0

    @property
    def mean_ap(self) -> float:
        """The mean AP of the characters, NaN if there are none."""
        aps = [each.ap for each in self.characters.values()]
        return float(np.mean(aps)) if aps else NAN

    def to_json(self) -> dict[str, Any]:
        """Return all figures as plain values."""
        return {
            "mean_ap": self.mean_ap,
            "characters": {
                name: {**vars(each), "f1": each.f1} for name, each in self.characters.items()
            },
            "shown": self.confusion.to_json(),
            "on_true_boxes": {part: each.to_json() for part, each in self.on_true_boxes.items()},
            "unlabelled": self.unlabelled,
        }


@dataclass(frozen=True, eq=False)
class NamedRanking:
    """Detections with names, and the true faces with labels.

    Attributes:
        boxes: (N, 4) half-open pixels.
        scores: (N,) of the faces.
        names: N names.
        likeliest: N characters, those that the faces are likeliest to be.
        name_scores: (N,) their probabilities.
        frame_index: (N,) the frame of each detection.
        faces: the true boxes.
        labels: M labels of the true faces, None where not known.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    names: Sequence[str]
    likeliest: Sequence[str]
    name_scores: NDArray[np.float64]
    frame_index: Indices
    faces: TrueBoxes
    labels: Sequence[str | None]


def measure_names(found: NamedRanking, score: float) -> Naming:
    """Return how well faces are named; names are the same whatever their case and spaces.

    Args:
        found: detections and truth.
        score: from which faces are shown; AP counts all.
    """
    known = Characters.of(found.labels)
    strangers = Characters.of(found.names).counts.keys()
    names = {folded(name): name for name in (*strangers, *known.counts)}
    characters = [*known.counts, *(n for f, n in names.items() if n not in known.counts)]
    confusion = Confusion.of(_pair(found, score), characters)
    likeliest = np.array([folded(name) for name in found.likeliest], object)
    true = np.array([folded(label or "") for label in found.labels], object)
    figures = {
        name: _measure_character(
            found, name, likeliest == folded(name), true == folded(name), confusion
        )
        for name in known.counts
    }
    return Naming(figures, confusion, {}, known.unlabelled)


def _measure_character(
    found: NamedRanking, name: str, own: Flags, true: Flags, confusion: Confusion
) -> CharacterFigures:
    """Return the figures of a character, by which detections and which faces are its own."""
    faces = TrueBoxes(found.faces.boxes[true], found.faces.frame_index[true])
    scores = found.scores[own] * found.name_scores[own]
    ranking = Ranking(found.boxes[own], scores, found.frame_index[own])
    curve = draw_curve(ranking, find_overlaps(ranking, faces), len(faces), IOU_THRESHOLD)
    place = confusion.rows.index(name)
    hits, said = confusion.counts[place, place], confusion.counts[:, place].sum()
    return CharacterFigures(
        faces=len(faces),
        ap=average_precision(curve),
        precision=float(hits / said) if said else NAN,
        recall=float(hits / len(faces)) if len(faces) else NAN,
    )


def _pair(found: NamedRanking, score: float) -> list[tuple[str, str]]:
    """Return what is true and what was said of each face and each detection that is shown.

    Faces without a label, and detections of them, are left out.
    """
    shown = np.flatnonzero(found.scores >= score)
    order = shown[np.argsort(-found.scores[shown], kind="stable")]
    ranking = Ranking(found.boxes[order], found.scores[order], found.frame_index[order])
    overlaps = find_overlaps(ranking, found.faces)
    face_of = _faces_hit(overlaps)
    ignored = ~overlaps.counted(match_best(overlaps, IOU_THRESHOLD), IOU_THRESHOLD)
    pairs = []
    for row, place in enumerate(order.tolist()):
        said, face = folded(found.names[place]), face_of.get(row)
        label = NO_FACE if face is None else found.labels[face]
        if label is not None and not ignored[row]:
            pairs.append((folded(label), said))
    missed = set(range(len(found.faces))) - set(face_of.values())
    labels = (found.labels[face] for face in missed)
    return pairs + [(folded(label), MISSED) for label in labels if label is not None]


def _faces_hit(overlaps: Overlaps) -> dict[int, int]:
    """Return the face that each hit found, by the row of the detection."""
    hits = match_best(overlaps, IOU_THRESHOLD)
    best = overlaps.best
    pairs = zip(overlaps.detection[best].tolist(), overlaps.face[best].tolist(), strict=True)
    return {row: face for row, face in pairs if hits[row]}


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "–"
