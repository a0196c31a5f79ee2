"""A correction carried to the other frames of its shot: one correction, several frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from facetl.annotating.records import Box, Corners, FrameRecord, fit_corners
from facetl.boxes import as_boxes, iou, offsets, shift
from facetl.data.tracks import FaceTracker, Track
from facetl.errors import AnnotationError

NEAR = 3.0
"""Seconds up to which a face that a person drew is suggested where the detector sees none."""
_SAME = 0.5
"""IoU from which a suggestion is of what a person has deleted."""


def carry(
    before: FrameRecord, after: FrameRecord, others: Mapping[int, FrameRecord]
) -> dict[int, FrameRecord]:
    """Return those of other frames whose suggestions change as a frame of their shot is done.

    Labels and corrections go to the boxes that the tracker takes for the same face.  A face for
    which there is none is suggested where it was, if the frame is near in time; and what was
    deleted is no longer suggested at that very place.

    Args:
        before: the frame as it was.
        after: the frame as it is done.
        others: frames that wait, by their numbers.
    """
    if after.time is None:
        return {}
    mates = {
        number: each
        for number, each in others.items()
        if (each.group, each.shot) == (after.group, after.shot)
    }
    kept = {box.id for box in after.boxes}
    deleted = as_boxes([box.corners for box in before.boxes if box.id not in kept])
    carried = {number: _carry(after, each, deleted) for number, each in mates.items()}
    return {number: each for number, each in carried.items() if each != mates[number]}


def _carry(done: FrameRecord, other: FrameRecord, deleted: np.ndarray) -> FrameRecord:
    boxes = [
        box
        for box in other.boxes
        if not len(deleted) or iou(as_boxes([box.corners]), deleted).max() < _SAME
    ]
    followed = _follow(done, boxes)
    boxes = [_corrected(box, followed.get(place), other) for place, box in enumerate(boxes)]
    next_id = other.next_id
    if abs((other.time or 0.0) - (done.time or 0.0)) <= NEAR:
        lost = [box for box in done.boxes if box not in followed.values()]
        boxes += [
            Box(next_id + place, box.corners, box.label, None, box.corners, is_sure=False)
            for place, box in enumerate(lost)
        ]
        next_id += len(lost)
    return replace(other, boxes=tuple(boxes), next_id=next_id)


def _follow(done: FrameRecord, boxes: list[Box]) -> dict[int, Box]:
    """Return which box of a frame that is done each box continues, by the places of the latter."""
    if not (boxes and done.boxes):
        return {}
    tracker = FaceTracker(1.0)
    tracker.follow(done.corners, np.ones(len(done.boxes)), 0.0)
    tracks = tracker.follow(as_boxes([box.corners for box in boxes]), np.ones(len(boxes)), 1.0)
    begun: dict[Track, int] = {track: place for place, track in tracker.hindsight.items()}
    return {place: done.boxes[begun[track]] for place, track in enumerate(tracks) if track in begun}


def _corrected(box: Box, corrected: Box | None, frame: FrameRecord) -> Box:
    """Return a suggestion with the label of a corrected box, moved as that was moved."""
    if corrected is None:
        return box
    label = corrected.label or box.label
    if corrected.origin is None or corrected.origin == corrected.corners:
        return replace(box, label=label)
    by = offsets(as_boxes([corrected.origin]), as_boxes([corrected.corners]))
    moved = shift(as_boxes([box.origin or box.corners]), by).round()[0].tolist()
    try:
        corners: Corners = fit_corners(moved, frame.size_hw)
    except AnnotationError:
        corners = box.corners
    return replace(box, corners=corners, label=label)
