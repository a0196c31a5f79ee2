"""Which detections hit a face, and which are false alarms: pure numbers, no files.

Detections are taken greedily, best score first, and each face is given away once.  Two rules
for choosing the face are in use, and both are here:

* :func:`match_best`, the rule of Pascal VOC (Everingham et al. 2010, section 4.4) and of the
  course: a detection claims the face that it overlaps most; if that face is taken already, the
  detection is a false alarm.
* :func:`match_free`, the rule of COCO (Lin et al. 2014, ``pycocotools``): a detection claims
  the face that it overlaps most among those still free.

They differ only where one detection overlaps two faces above the threshold, which non-maximum
suppression and faces side by side make rare: on the 624 detections of the pretrained MTCNN in
200 cartoon frames both find exactly the same hits at every threshold.  The figures that facetl
calls ``ap`` use the first rule, ``ap_coco`` the second.

Regions to be ignored are treated as pycocotools treats crowds, under both rules: a detection that
hits no face and lies in such a region, with at least as much of its area as the IoU threshold
asks for, counts neither way; one region may hold any number of them.  Hits are hits, wherever
they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facetl.boxes import Boxes, as_boxes, coverage, inclusive, iou

Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class TrueBoxes:
    """The true boxes of all frames, one row a face, and the regions to be ignored.

    Attributes:
        boxes: (M, 4) half-open pixels.
        frame_index: (M,) the frame of each face, counted from 0.
        ignored: (K, 4) half-open pixels.
        ignored_frame_index: (K,) the frame of each region to be ignored.
    """

    boxes: Boxes
    frame_index: Indices
    ignored: Boxes = field(default_factory=lambda: as_boxes([]))
    ignored_frame_index: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    def __post_init__(self) -> None:
        boxes, ignored = as_boxes(self.boxes), as_boxes(self.ignored)
        index = _as_column(self.ignored_frame_index, ignored, np.intp)
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "frame_index", _as_column(self.frame_index, boxes, np.intp))
        object.__setattr__(self, "ignored", ignored)
        object.__setattr__(self, "ignored_frame_index", index)

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def of(cls, frames: Iterable[Boxes], ignored: Iterable[Boxes] = ()) -> TrueBoxes:
        """Return the (N, 4) true boxes of each frame as columns; N may be 0.

        Args:
            frames: the faces.
            ignored: (K, 4) regions to be ignored of each frame, or of none at all.
        """
        return cls(*_as_columns(list(frames)), *_as_columns(list(ignored)))

    def on_inclusive_pixels(self) -> TrueBoxes:
        """Return the same faces with ``x2`` and ``y2`` read as belonging to the box.

        So the course has them, which knows no regions to be ignored: there are none then.
        """
        return TrueBoxes(inclusive(self.boxes), self.frame_index)


@dataclass(frozen=True, eq=False)
class Ranking:
    """The detections of all frames, best score first; equal scores keep the order given.

    Attributes:
        boxes: (N, 4) half-open pixels.
        scores: (N,) any finite numbers, the greater the surer.
        frame_index: (N,) the frame of each detection, counted from 0.
    """

    boxes: Boxes
    scores: NDArray[np.float64]
    frame_index: Indices

    def __post_init__(self) -> None:
        boxes = as_boxes(self.boxes)
        scores = _as_column(self.scores, boxes, np.float64)
        frame_index = _as_column(self.frame_index, boxes, np.intp)
        if not np.isfinite(scores).all():
            raise ValueError("expected finite scores, got some that are infinite or not a number")
        order = np.argsort(-scores, kind="stable")
        object.__setattr__(self, "boxes", boxes[order])
        object.__setattr__(self, "scores", scores[order])
        object.__setattr__(self, "frame_index", frame_index[order])

    @classmethod
    def of(cls, boxes: Iterable[Boxes], scores: Iterable[ArrayLike]) -> Ranking:
        """Return the (N, 4) boxes and (N,) scores of each frame as columns; N may be 0."""
        columns, frame_index = _as_columns(list(boxes))
        return cls(columns, np.concatenate([np.zeros(0), *scores]), frame_index)

    def __len__(self) -> int:
        return len(self.boxes)

    def on_inclusive_pixels(self) -> Ranking:
        """Return the same detections with ``x2`` and ``y2`` read as belonging to the box."""
        return Ranking(inclusive(self.boxes), self.scores, self.frame_index)


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Every detection and face that overlap: one row a pair, ranked as the detections.

    Within a detection the greatest overlap comes first; among equal ones the face given first.

    Attributes:
        detection: (P,) row in the ranking, ascending.
        face: (P,) row in the faces.
        iou: (P,) intersection over union, above 0.
        detections: how many detections were ranked, hits or not.
        covered: (D,) the share of each detection that lies in a region to be ignored.
    """

    detection: Indices
    face: Indices
    iou: NDArray[np.float64]
    detections: int
    covered: NDArray[np.float64]

    @cached_property
    def best(self) -> Indices:
        """(D,) rows of the pairs in which a detection meets the face that it overlaps most."""
        return np.asarray(np.unique(self.detection, return_index=True)[1])

    def counted(self, hits: Flags, iou_threshold: float) -> Flags:
        """Return (D,) which detections count: hits, and what no region to be ignored holds."""
        return np.asarray(hits | (self.covered < iou_threshold))


Rule = Callable[[Overlaps, float], Flags]
"""From overlaps and the least IoU to (N,) flags: which of the ranked detections are hits."""


def find_overlaps(ranking: Ranking, faces: TrueBoxes) -> Overlaps:
    """Return all pairs of a detection and a face of the same frame that overlap.

    Frames are visited once each, so that the cost grows with the frames and not with their
    square.
    """
    shared = _shared_frames(ranking.frame_index, faces.frame_index)
    pairs = [_overlaps_in_frame(ranking, faces, *rows) for rows in shared]
    covered = _find_covered(ranking, faces)
    if not pairs:
        nothing = np.zeros(0, dtype=np.intp)
        return Overlaps(nothing, nothing, np.zeros(0), len(ranking), covered)
    detection, face, overlap = (np.concatenate(column) for column in zip(*pairs, strict=True))
    order = np.lexsort((face, -overlap, detection))
    return Overlaps(detection[order], face[order], overlap[order], len(ranking), covered)


def leave_out_ignored(ranking: Ranking, faces: TrueBoxes, iou_threshold: float) -> Ranking:
    """Return the detections that count; what the others are by :func:`match_best` stays.

    Args:
        ranking: all detections.
        faces: the true boxes, and the regions to be ignored.
        iou_threshold: least IoU of a hit.
    """
    if not len(faces.ignored):
        return ranking
    overlaps = find_overlaps(ranking, faces)
    kept = overlaps.counted(match_best(overlaps, iou_threshold), iou_threshold)
    return Ranking(ranking.boxes[kept], ranking.scores[kept], ranking.frame_index[kept])


def match_best(overlaps: Overlaps, iou_threshold: float) -> Flags:
    """Return (N,) hits by the rule of Pascal VOC and of the course (see the module's head)."""
    claims = overlaps.best[overlaps.iou[overlaps.best] >= iou_threshold]
    _, first_to_claim = np.unique(overlaps.face[claims], return_index=True)
    return _flags(overlaps.detection[claims[first_to_claim]], overlaps.detections)


def match_free(overlaps: Overlaps, iou_threshold: float) -> Flags:
    """Return (N,) hits by the rule of COCO (see the module's head)."""
    # among faces overlapped equally, pycocotools gives away the last one
    order = np.lexsort((-overlaps.face, -overlaps.iou, overlaps.detection))
    order = order[overlaps.iou[order] >= iou_threshold]
    matched: set[int] = set()
    taken: set[int] = set()
    pairs = zip(overlaps.detection[order].tolist(), overlaps.face[order].tolist(), strict=True)
    for detection, face in pairs:
        if detection not in matched and face not in taken:
            matched.add(detection)
            taken.add(face)
    return _flags(np.array(list(matched), dtype=np.intp), overlaps.detections)


def _overlaps_in_frame(
    ranking: Ranking, faces: TrueBoxes, detection_rows: Indices, face_rows: Indices
) -> tuple[Indices, Indices, NDArray[np.float64]]:
    table = iou(ranking.boxes[detection_rows], faces.boxes[face_rows])
    row, column = np.nonzero(table)
    return detection_rows[row], face_rows[column], table[row, column].astype(np.float64)


def _find_covered(ranking: Ranking, faces: TrueBoxes) -> NDArray[np.float64]:
    covered = np.zeros(len(ranking))
    for rows, regions in _shared_frames(ranking.frame_index, faces.ignored_frame_index):
        covered[rows] = coverage(ranking.boxes[rows], faces.ignored[regions])
    return covered


def _shared_frames(detections: Indices, faces: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Yield the rows of detections and of faces for each frame that has both."""
    detection_rows = rows_by_frame(detections)
    for frame, face_rows in rows_by_frame(faces).items():
        if frame in detection_rows:
            yield detection_rows[frame], face_rows


def rows_by_frame(frame_index: Indices) -> dict[int, Indices]:
    """Return the rows of each frame that has any, in their order."""
    order = np.argsort(frame_index, kind="stable")
    frames, starts = np.unique(frame_index[order], return_index=True)
    return dict(zip(frames.tolist(), np.split(order, starts[1:]), strict=False))


def _as_columns(groups: Sequence[Boxes]) -> tuple[Boxes, Indices]:
    """Return the boxes of all groups, and the place of the group of each."""
    return (
        np.concatenate([np.zeros((0, 4)), *groups]),
        np.repeat(np.arange(len(groups)), [len(group) for group in groups]),
    )


def _flags(rows: Indices, count: int) -> Flags:
    flags = np.zeros(count, dtype=np.bool_)
    flags[rows] = True
    return flags


def _as_column(values: ArrayLike, boxes: Boxes, dtype: Any) -> NDArray[Any]:
    """Return ``values`` as a column with one value for each box."""
    column = np.asarray(values, dtype=dtype)
    if column.shape != (len(boxes),):
        raise ValueError(f"expected one value for each of {len(boxes)} boxes, got {column.shape}")
    return column
