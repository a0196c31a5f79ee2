"""A run and the truth brought together: from named frames to columns of boxes, and figures.

Which frames count follows from what the truth knows.  A folder of annotated frames knows them
all.  An annotation file has no lines for frames without faces: frames of a run that it does not
list are taken to have none, unless only the listed ones are asked for.  Faces of a frame that a
run never saw are missed faces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes, as_boxes
from facetl.data.annotations import AnnotationFile
from facetl.data.dataset import FaceDataset
from facetl.evaluation.diagnosis import Diagnosis, diagnose
from facetl.evaluation.frame_names import UNMATCHED, find_rows
from facetl.evaluation.matching import Indices, Ranking, TrueBoxes
from facetl.evaluation.metrics import (
    NAN,
    FaceCounts,
    Metrics,
    OperatingPoint,
    count_at,
    measure,
    point_at,
)
from facetl.evaluation.naming import NamedRanking, Naming, measure_names
from facetl.results.detections import Run
from facetl.results.peers import PeerDetections
from facetl.results.shown_score import recorded_score


@dataclass(frozen=True, eq=False)
class Truth:
    """The faces by frame.

    Attributes:
        boxes: (N, 4) half-open boxes by frame name, N may be 0.
        complete: whether frames without faces are listed too.
        labels: N names of who it is by frame name, None where not known; a frame may be left
            out if none of its faces has a label.
        ignored: (K, 4) regions to be ignored by frame name, of the frames that have any.
    """

    boxes: Mapping[str, Boxes]
    complete: bool
    labels: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    ignored: Mapping[str, Boxes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, labels in self.labels.items():
            if len(labels) != len(self.boxes[name]):
                raise ValueError(
                    f"expected {len(self.boxes[name])} labels in {name}, got {len(labels)}"
                )

    @classmethod
    def of(cls, source: Truth | FaceDataset | AnnotationFile | Mapping[str, Boxes]) -> Truth:
        """Return the truth that a data set, an annotation file or plain boxes tell.

        Plain boxes by frame name are taken to list all frames.
        """
        if isinstance(source, Truth):
            return source
        if isinstance(source, FaceDataset):
            return cls(
                {frame.name: frame.boxes for frame in source.frames},
                complete=True,
                labels={frame.name: frame.labels for frame in source.frames},
                ignored={each.name: each.ignored for each in source.frames if len(each.ignored)},
            )
        if isinstance(source, AnnotationFile):
            faces = source.faces
            return cls(
                {name: each.boxes for name, each in faces.items()},
                complete=source.images is not None,
                labels={name: each.labels for name, each in faces.items()},
                ignored=source.ignored,
            )
        return cls({name: as_boxes(boxes) for name, boxes in source.items()}, complete=True)

    @property
    def true_boxes(self) -> TrueBoxes:
        """All faces as columns; a frame's index is its place among the names."""
        nothing = as_boxes([])
        ignored = [self.ignored.get(name, nothing) for name in self.boxes]
        return TrueBoxes.of(self.boxes.values(), ignored)

    @property
    def face_labels(self) -> list[str | None]:
        """The label of each face, in the order of :attr:`true_boxes`."""
        return [
            label
            for name, boxes in self.boxes.items()
            for label in self.labels.get(name, (None,) * len(boxes))
        ]

    @property
    def fingerprint(self) -> str:
        """A short hash of all names and boxes, whatever their order on disk."""
        digest = hashlib.sha256()
        for name in sorted(self.boxes):
            digest.update(f"{name}\0{self.boxes[name].tolist()}\0".encode())
            if name in self.ignored:
                digest.update(f"ignored\0{self.ignored[name].tolist()}\0".encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Predictions:
    """What is to be scored: a run of ours or a peer's detections, as columns.

    Attributes:
        name: how it is called in tables and plots.
        frames: the frames searched, each once.
        boxes: (N, 4) half-open pixels.
        scores: (N,) finite numbers.
        frame_index: (N,) place in ``frames``.
        lists_all: whether ``frames`` names the frames without detections too.
        skipped: how many images could not be read.
        candidates_per_frame: mean number of windows after each stage, by stage.
        seconds_per_frame: mean time of the detector, NaN if unknown.
        settings: what the detections were made with; empty for a peer's.
        sizes_hw: height and width of each frame; empty for a peer's.
        names: N characters that the faces were recognised as; None if nobody asked.
        name_scores: (N,) in [0, 1]; without names none.
        likeliest: N characters that the faces are likeliest to be, however little likely.
    """

    name: str
    frames: tuple[str, ...]
    boxes: Boxes
    scores: NDArray[np.float64]
    frame_index: Indices
    lists_all: bool
    skipped: int
    candidates_per_frame: dict[str, float]
    seconds_per_frame: float
    settings: dict[str, Any] = field(default_factory=dict)
    sizes_hw: tuple[tuple[int, int], ...] = ()
    names: tuple[str, ...] | None = None
    name_scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    likeliest: tuple[str, ...] = ()

    @classmethod
    def of_run(cls, run: Run) -> Predictions:
        """Return a run as columns.

        Raises:
            DetectionsError: if a frame occurs twice.
        """
        names = tuple(frame.image for frame in run.frames)
        run.refuse_twins()
        found = [frame.detections for frame in run.frames]
        boxes = np.concatenate([np.zeros((0, 4)), *(each.boxes for each in found)])
        scores = np.concatenate([np.zeros(0), *(each.scores for each in found)])
        named = [each for each in found if each.names is not None]
        is_named = len(named) == len(found) > 0
        said = [each.names or () for each in named]
        likeliest = [each.likeliest or each.names or () for each in named]
        name_scores = [each.name_scores for each in named if each.name_scores is not None]
        return cls(
            name=run.name,
            frames=names,
            boxes=boxes,
            scores=scores,
            frame_index=np.repeat(np.arange(len(found)), [len(each) for each in found]),
            lists_all=True,
            skipped=len(run.skipped),
            candidates_per_frame=run.candidates_per_frame,
            seconds_per_frame=run.seconds_per_frame,
            settings=run.settings,
            sizes_hw=tuple(frame.size_hw for frame in run.frames),
            names=tuple(chain.from_iterable(said)) if is_named else None,
            name_scores=np.concatenate([np.zeros(0), *name_scores]),
            likeliest=tuple(chain.from_iterable(likeliest)),
        )

    @classmethod
    def of_peer(cls, name: str, peer: PeerDetections) -> Predictions:
        """Return a peer's detections as columns."""
        frames = tuple(dict.fromkeys(peer.file_names))
        places = {frame: place for place, frame in enumerate(frames)}
        return cls(
            name=name,
            frames=frames,
            boxes=peer.boxes,
            scores=peer.scores,
            frame_index=np.array([places[each] for each in peer.file_names], dtype=np.intp),
            lists_all=False,
            skipped=0,
            candidates_per_frame={},
            seconds_per_frame=NAN,
        )


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The figures of one run, and what a reader of them must know.

    Attributes:
        name: the name of the run.
        metrics: everything that follows from boxes and scores.
        diagnosis: what the missing AP is made of, recall by kind of face, calibration.
        skipped: how many images the run could not read.
        candidates_per_frame: mean number of windows after each stage; ``pnet`` are the proposals.
        seconds_per_frame: mean time of the detector, NaN if unknown.
        notes: frames that only one side knows, and what was done about them; what was ignored.
        settings: what the detections were made with; empty for a peer's.
        score: from which detections are shown, if it was asked for.
        naming: how well the faces are named, if they are and the truth has labels.
    """

    name: str
    metrics: Metrics
    diagnosis: Diagnosis
    skipped: int
    candidates_per_frame: dict[str, float]
    seconds_per_frame: float
    notes: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    score: float | None = None
    naming: Naming | None = None

    @property
    def shown(self) -> OperatingPoint:
        """What is shown: from the score asked for, else the run's own, else that of the best F1."""
        score = recorded_score(self.settings) if self.score is None else self.score
        return self.metrics.best if score is None else point_at(self.metrics.curve, score)

    @property
    def counts(self) -> FaceCounts:
        """What is found and missed, and the false alarms, of what is shown; at IoU 0.3."""
        return count_at(self.metrics.curve, self.shown.score_threshold)

    @property
    def proposals_per_frame(self) -> float:
        """Mean number of windows that PNet passes on, NaN if unknown."""
        return self.candidates_per_frame.get("pnet", NAN)


@dataclass(frozen=True, eq=False)
class _FrameMatches:
    """The frames of one run in the order of the truth, then those the truth does not list."""

    places: Indices
    length: int
    notes: tuple[str, ...]


def evaluate(
    run: Run,
    truth: Truth | FaceDataset | AnnotationFile | Mapping[str, Boxes],
    *,
    only_listed: bool = False,
) -> Evaluation:
    """Return the figures of one run against the true faces.

    Args:
        run: what the detector found in a list of frames.
        truth: annotated frames, an annotation file, or (N, 4) boxes by frame name.
        only_listed: leave out the frames that the truth does not list.

    Raises:
        InputError: if the names of the frames cannot be brought together.
        DetectionsError: if a frame occurs twice.
    """
    return evaluate_all([Predictions.of_run(run)], Truth.of(truth), only_listed=only_listed)[0]


def evaluate_all(
    runs: Sequence[Predictions], truth: Truth, *, only_listed: bool = False
) -> list[Evaluation]:
    """Return the figures of several runs over the same frames.

    All are measured on the same number of frames, the most that any of them knows: a peer's
    arrays don't name the frames in which nothing was found.

    Raises:
        InputError: if the names of the frames cannot be brought together.
    """
    matches = [_match_frames(run, truth, only_listed or truth.complete) for run in runs]
    frames = max((match.length for match in matches), default=0)
    return [_score(run, truth, match, frames) for run, match in zip(runs, matches, strict=True)]


def measure_frames(run: Predictions, truth: Truth, names: Collection[str]) -> Metrics:
    """Return the figures of one run on some of the true frames alone.

    Args:
        run: detections in any frames; those in other frames don't count.
        truth: the faces of all frames.
        names: the frames of the truth that count; none is as good as many.

    Raises:
        InputError: if the names of the frames cannot be brought together.
    """
    boxes = {name: boxes for name, boxes in truth.boxes.items() if name in names}
    part = Truth(boxes, True, ignored=truth.ignored)
    rows = {name: row for row, name in enumerate(part.boxes)}
    # one more, for UNMATCHED: as an index it means the last
    row_at = np.array([*(rows.get(name, UNMATCHED) for name in truth.boxes), UNMATCHED])
    # looked up among all frames: whether base names decide must not depend on the part
    places = row_at[find_rows(run.frames, tuple(truth.boxes), run.name)]
    return measure(_rank(run, places), part.true_boxes, len(part.boxes))


def _score(run: Predictions, truth: Truth, match: _FrameMatches, frames: int) -> Evaluation:
    ranking, true_boxes = _rank(run, match.places), truth.true_boxes
    metrics = measure(ranking, true_boxes, frames)
    return Evaluation(
        name=run.name,
        metrics=metrics,
        diagnosis=diagnose(ranking, true_boxes, truth.face_labels),
        skipped=run.skipped,
        candidates_per_frame=run.candidates_per_frame,
        seconds_per_frame=run.seconds_per_frame,
        notes=(*match.notes, *_note_ignored(run, metrics.ignored)),
        settings=run.settings,
    )


def name_evaluations(
    evaluations: Sequence[Evaluation],
    runs: Sequence[Predictions],
    truth: Truth,
    *,
    only_listed: bool = False,
) -> list[Evaluation]:
    """Return evaluations with how well the faces of each run are named, where they are.

    Args:
        evaluations: those of the runs; what is shown decides which faces count.
        runs: as they were evaluated.
        truth: the true faces; without labels nothing is known of names.
        only_listed: as it was.
    """
    if not any(label is not None for label in truth.face_labels):
        return list(evaluations)
    return [
        replace(each, naming=_measure_naming(each, run, truth, only_listed or truth.complete))
        if run.names is not None
        else each
        for each, run in zip(evaluations, runs, strict=True)
    ]


def _measure_naming(
    evaluation: Evaluation, run: Predictions, truth: Truth, only_listed: bool
) -> Naming:
    places = _match_frames(run, truth, only_listed).places
    frame_index = places[run.frame_index]
    rows = np.flatnonzero(frame_index != UNMATCHED)
    names = run.names or ()
    found = NamedRanking(
        run.boxes[rows].astype(np.float64),
        run.scores[rows].astype(np.float64),
        [names[row] for row in rows.tolist()],
        [run.likeliest[row] for row in rows.tolist()],
        run.name_scores[rows].astype(np.float64),
        frame_index[rows],
        truth.true_boxes,
        truth.face_labels,
    )
    return measure_names(found, evaluation.shown.score_threshold)


def _rank(run: Predictions, places: Indices) -> Ranking:
    """Return the detections of the frames that have a place."""
    frame_index = places[run.frame_index]
    counted = frame_index != UNMATCHED
    return Ranking(run.boxes[counted], run.scores[counted], frame_index[counted])


def _match_frames(run: Predictions, truth: Truth, only_listed: bool) -> _FrameMatches:
    listed = tuple(truth.boxes)
    places = find_rows(run.frames, listed, run.name)
    strangers = np.flatnonzero(places == UNMATCHED)
    unseen = len(listed) - (len(places) - len(strangers))
    renamed = sum(
        place != UNMATCHED and listed[place] != name
        for name, place in zip(run.frames, places.tolist(), strict=True)
    )
    if not only_listed:
        places[strangers] = len(listed) + np.arange(len(strangers))
    return _FrameMatches(
        places=places,
        length=len(listed) + (0 if only_listed else len(strangers)),
        notes=tuple(_notes(run, renamed, len(strangers), unseen, only_listed)),
    )


def _notes(
    run: Predictions, renamed: int, strangers: int, unseen: int, only_listed: bool
) -> list[str]:
    fate = "left out" if only_listed else "counted as frames without faces"
    notes = {
        "frames matched with the truth by the end of their names": renamed,
        f"frames that the truth does not list, {fate}": strangers,
        "frames of the truth never searched, their faces missed": unseen * run.lists_all,
        "images that could not be read": run.skipped,
    }
    return [f"{run.name}: {text}: {count}" for text, count in notes.items() if count]


def _note_ignored(run: Predictions, count: int) -> Iterator[str]:
    if count:
        yield (
            f"{run.name}: detections in regions to be ignored, which count neither way, but as "
            f"false alarms in the course's figures: {count}"
        )
