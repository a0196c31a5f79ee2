"""What the library ``trackers`` makes of faces that wander: the tracks of ``recorded_tracks.json``.

It is not installed with facetl, for it brings the OpenCV that needs libGL.  To record them anew::

    pip install trackers==2.6.1
    python tests/reference_tracks.py
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from trackers import ByteTrackTracker, DIoU
from wandering_faces import WALKS, wander

from facetl.boxes import Boxes, as_boxes
from facetl.data.tracks import _INSTANT, _NEAR, _RESIZED, _SURE, _SWING, LOST, Track


class ReferenceTracker:
    """Numbers the faces of one video, frame after frame.

    A box is a track from the second frame on, so that false alarms of a single frame have none.
    In the first frame it gets its number in hindsight.

    Args:
        step: seconds from one frame to the next, on average.

    Attributes:
        hindsight: after each frame, what the boxes of the frame before turn out to follow that had
            no number then: the number, by the place of the box.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        self._lost = max(LOST, 3 * step)
        self._used = self._before = 0
        self._time: float | None = None
        self._clock = 0.0
        self.hindsight: dict[int, int] = {}
        self._young: list[tuple[Any, int]]  # tracks that began just now, and the places of boxes
        self._start_shot()

    def follow(
        self,
        boxes: Boxes,
        scores: NDArray[np.floating[Any]],
        time: float,
        *,
        cut: bool = False,
    ) -> tuple[Track, ...]:
        """Return the track of each box of the next frame, as far as it is known yet.

        Args:
            boxes: (N, 4) half-open pixels.
            scores: (N,) in [0, 1].
            time: seconds from the start, no less than that of the frame before.
            cut: whether the frame begins another shot (see :mod:`facetl.data.shots`).
        """
        if cut:
            self._start_shot()
        found = sv.Detections(
            xyxy=as_boxes(boxes),
            confidence=np.asarray(scores, np.float64),
            class_id=np.zeros(len(boxes), int),
            data={"place": np.arange(len(boxes))},
        )
        self._forget(time)
        old = list(self._tracker.tracks)
        linked = self._tracker.update(found, timestamp=self._tracker_time(time))
        self._note_missing(linked.tracker_id, time)
        tracks: list[Track] = [None] * len(boxes)
        for place, number in zip(linked.data.get("place", ()), linked.tracker_id, strict=True):
            tracks[int(place)] = self._number(int(number))
        self._look_back()
        young = [track for track in self._tracker.tracks if track not in old]
        self._young = list(zip(young, _beginners(scores, tracks), strict=True))
        return tuple(tracks)

    def amend(self, tracks: Sequence[Track]) -> tuple[Track, ...]:
        """Return the tracks of the frame before the last one as they are known by now."""
        return tuple(self.hindsight.get(place, track) for place, track in enumerate(tracks))

    def _start_shot(self) -> None:
        """Start a shot, without tracks."""
        self._before = self._used
        self._young = []
        self._missing: dict[int, float] = {}
        self._tracker = ByteTrackTracker(
            # at its own 30 a second; longer than ours, which forgets by true time
            lost_track_buffer=math.ceil(30 * (self._lost + 2 * _SWING * self._step)),
            frame_rate=1 / self._step,
            track_activation_threshold=_SURE,
            high_conf_det_threshold=_SURE,
            minimum_iou_threshold=_NEAR,
            iou=NearOfOneSize(),
            minimum_consecutive_frames=2,
        )

    def _look_back(self) -> None:
        """Find out which of the tracks that began a frame ago have got a number."""
        numbers = ((place, self._number(track.tracker_id)) for track, place in self._young)
        self.hindsight = {place: number for place, number in numbers if number is not None}

    def _number(self, number: int) -> Track:
        """Return the number within the video of a track of the present shot."""
        if number < 0:
            return None
        self._used = max(self._used, self._before + number + 1)
        return self._before + number + 1

    def _tracker_time(self, time: float) -> float:
        """Return the time that the tracker is given: long gaps between frames are shortened."""
        if self._time is not None:
            self._clock += min(max(time - self._time, _INSTANT), _SWING * self._step)
        self._time = time
        return self._clock

    def _forget(self, time: float) -> None:
        """Give up the tracks that have been without a box for too long.

        What a frame shows is seen until the next one comes, however late: a face is missing from
        the first frame on that does not show it.
        """
        longest = self._lost - self._step + 1e-6
        self._tracker.tracks = [
            track
            for track in self._tracker.tracks
            if time - self._missing.get(track.tracker_id, time) <= longest
        ]

    def _note_missing(self, seen: NDArray[Any], time: float) -> None:
        """Note from when on each track is without a box."""
        gone = {track.tracker_id for track in self._tracker.tracks} - set(seen.tolist())
        self._missing = {number: self._missing.get(number, time) for number in gone}


class NearOfOneSize(DIoU):  # type: ignore[misc]
    """DIoU, but -1 for boxes of unlike sizes."""

    def _compute(self, one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
        near = super()._compute(one, other)
        sides = [np.maximum(each[:, 2:] - each[:, :2], 1e-6) for each in (one, other)]
        ratios = np.abs(np.log(sides[0][:, None] / sides[1][None]))
        return np.where((ratios > math.log(_RESIZED)).any(axis=2), -1.0, near)


def _beginners(scores: NDArray[np.floating[Any]], tracks: Sequence[Track]) -> list[int]:
    """Return the places of the boxes that have begun a track: sure ones that follow none."""
    sure = np.flatnonzero(np.asarray(scores, np.float64) >= _SURE).tolist()
    return [place for place in sure if tracks[place] is None]


def record(seed: int) -> list[tuple[Track, ...]]:
    """Return the track of each box, frame by frame."""
    walk = wander(seed)
    tracker = ReferenceTracker(walk.step)
    return [tracker.follow(f.boxes, f.scores, f.time, cut=f.cut) for f in walk.frames]


if __name__ == "__main__":
    recorded = [json.dumps(record(seed)) for seed in range(WALKS)]
    path = Path(__file__).with_name("recorded_tracks.json")
    path.write_text("[\n" + ",\n".join(recorded) + "\n]\n", encoding="utf-8")
