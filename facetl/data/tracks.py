"""Faces linked over the frames of a video: ByteTrack, as the library ``trackers`` has it.

Zhang et al., "ByteTrack: Multi-object tracking by associating every detection box", ECCV 2022: a
Kalman filter predicts where each face will be; boxes of high score are matched to the tracks
first, and boxes of low score may then carry on a track, but never begin one.  Near is who has a
high DIoU, the overlap less the distance (Zheng et al., "Distance-IoU loss", AAAI 2020): a small
face that jumps from one drawing to the next need not overlap itself.

Our own are three things.  A cut ends all tracks: whoever stands where somebody stood before the
cut would else inherit the number.  A box of another size or shape is another face's, however near:
a face does not become half a body from one frame to the next.  As a tracker does not
compare faces, somebody who comes back after a cut or after more than a second is a new track.  And
numbers run from 1 on and are used only once in a video.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes, as_boxes

_SURE = 0.5
"""Score from which a box may begin a track."""
LOST = 1.0
"""Seconds without a box after which a track is given up; three steps if they are longer."""
_SWING = 3
"""Steps for which a face is expected to move on as it did: where a file leaves out frames that
show the same as the one before, the face stood still for most of a long gap."""
_INSTANT = 1e-6
"""Seconds that pass at least from frame to frame: files may give two of them one time."""
_NEAR = -0.4
"""DIoU with where a track is expected below which a box is another face's: without overlap, two
faces of one size are as near as that if they lie less than 1.9 of their sides apart."""

_RESIZED = 2.5
"""How many times as wide or high a box may be as the track is expected, or the other way round.

Half a body is three faces high.  With 2.2, numbers of drawn faces changed more often than without a
bound (3 times instead of once in 2,057 faces); with 2.5 they did not.
"""

Track = int | None
"""The number of a face, from 1 on; None for a box that follows none (yet)."""


class FaceTracker:
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
        import supervision as sv  # takes half a second, which a search of images saves

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
        from trackers import ByteTrackTracker

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
            iou=_near_of_one_size(),
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


@cache
def _near_of_one_size() -> Any:
    """Return DIoU as the tracker takes it, but for boxes of unlike sizes, which are not near."""
    from trackers import DIoU

    class NearOfOneSize(DIoU):  # type: ignore[misc]
        def _compute(self, one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
            near = super()._compute(one, other)
            sides = [np.maximum(each[:, 2:] - each[:, :2], 1e-6) for each in (one, other)]
            ratios = np.abs(np.log(sides[0][:, None] / sides[1][None]))
            return np.where((ratios > math.log(_RESIZED)).any(axis=2), -1.0, near)

    return NearOfOneSize()


def _beginners(scores: NDArray[np.floating[Any]], tracks: Sequence[Track]) -> list[int]:
    """Return the places of the boxes that have begun a track: sure ones that follow none."""
    sure = np.flatnonzero(np.asarray(scores, np.float64) >= _SURE).tolist()
    return [place for place in sure if tracks[place] is None]
