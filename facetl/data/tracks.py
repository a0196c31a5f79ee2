"""Faces linked over the frames of a video: ByteTrack, as the library ``trackers`` 2.6 has it.

Zhang et al., "ByteTrack: Multi-object tracking by associating every detection box", ECCV 2022: a
Kalman filter predicts where each face will be; boxes of high score are matched to the tracks
first, and boxes of low score may then carry on a track, but never begin one.  Near is who has a
high DIoU, the overlap less the distance (Zheng et al., "Distance-IoU loss", AAAI 2020): a small
face that jumps from one drawing to the next need not overlap itself.

The library itself would bring OpenCV, SciPy and more, 340 MB; ``tests/test_tracks.py`` holds the
tracks to those that it gave.  Our own are three things.  A cut ends all tracks: whoever stands
where somebody stood before the cut would else inherit the number.  A box of another size or shape
is another face's, however near: a face does not become half a body from one frame to the next.  As
a tracker does not compare faces, somebody who comes back after a cut or after more than a second
is a new track.  And numbers run from 1 on and are used only once in a video.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import lap
import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes, as_boxes, iou

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

_MEASURED, _DRIFT = 0.1, 0.01
"""Variances, in square pixels, of a measured side of a box and of its drift in a step, as
``trackers`` has them."""
_ON_TIME = 0.004
"""Seconds by which a frame may be early or late and still count as one step after the last."""

Track = int | None
"""The number of a face, from 1 on; None for a box that follows none (yet)."""


@dataclass(eq=False)
class _Path:
    """One face: a Kalman filter of constant velocity for each side of its box.

    Attributes:
        box: (4,) where it is expected, half-open pixels.
        place: that of the box that began it, in its frame.
        velocity: (4,) pixels a step.
        covariance: (2, 2) of position and velocity, the same for each side.
        number: its number; None until a second box in a row has been found.
        missing: the time of the first frame that does not show it.
    """

    box: NDArray[np.float64]
    place: int
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))
    covariance: NDArray[np.float64] = field(default_factory=lambda: np.eye(2))
    number: Track = None
    missing: float | None = None

    def predict(self, steps: float, drift: NDArray[np.float64]) -> None:
        """Move on by a number of steps, in which position and velocity drift by a covariance."""
        moves = np.array([[1.0, steps], [0.0, 1.0]])
        self.box = self.box + steps * self.velocity
        self.covariance = moves @ self.covariance @ moves.T + drift

    def correct(self, box: NDArray[np.float64]) -> None:
        """Take in the (4,) box that was found."""
        gain = self.covariance[:, 0] / (self.covariance[0, 0] + _MEASURED)
        error = box - self.box
        self.box, self.velocity = self.box + gain[0] * error, self.velocity + gain[1] * error
        self.covariance = self.covariance - np.outer(gain, self.covariance[0])
        self.missing = None


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
        self._used = 0
        self._time: float | None = None
        self._paths: list[_Path] = []
        self.hindsight: dict[int, int] = {}

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
        boxes = as_boxes(boxes).astype(np.float64)
        if cut:
            self._paths = []
        self._predict(time)
        sure = np.asarray(scores, np.float64) >= _SURE
        followed: dict[int, _Path] = {}
        for places in (np.flatnonzero(sure), np.flatnonzero(~sure)):
            free = [path for path in self._paths if path not in followed.values()]
            followed |= {int(places[at]): path for path, at in _match(free, boxes[places])}
        self._note(followed, boxes, time)
        begun = [place for place in np.flatnonzero(sure).tolist() if place not in followed]
        self._paths += [_Path(boxes[place], place) for place in begun]
        return tuple(
            followed[place].number if place in followed else None for place in range(len(boxes))
        )

    def amend(self, tracks: Sequence[Track]) -> tuple[Track, ...]:
        """Return the tracks of the frame before the last one as they are known by now."""
        return tuple(self.hindsight.get(place, track) for place, track in enumerate(tracks))

    def _predict(self, time: float) -> None:
        """Forget who has been away for too long; expect the others where they will be by now.

        What a frame shows is seen until the next one comes, however late: a face is missing from
        the first frame on that does not show it.
        """
        longest = self._lost - self._step + 1e-6
        self._paths = [
            path for path in self._paths if path.missing is None or time - path.missing <= longest
        ]
        passed = time - self._time if self._time is not None else self._step
        self._time = time
        passed = min(max(passed, _INSTANT), _SWING * self._step)
        drift = self._drift_in(passed)
        for path in self._paths:
            path.predict(passed / self._step, drift)

    def _drift_in(self, passed: float) -> NDArray[np.float64]:
        """Return the (2, 2) covariance by which position and velocity drift in some seconds.

        In a step that is longer or shorter than usual they drift by a random acceleration.
        """
        if abs(passed - self._step) <= _ON_TIME:
            return _DRIFT * np.eye(2)
        steps = passed / self._step
        return _DRIFT * np.outer([steps**2 / 2, steps], [steps**2 / 2, steps])

    def _note(self, followed: dict[int, _Path], boxes: Boxes, time: float) -> None:
        """Take in the boxes that were found, by their places, and for each track whether it was."""
        self.hindsight = {}
        for place, path in followed.items():
            path.correct(boxes[place])
            if path.number is None:
                self._used += 1
                path.number = self.hindsight[path.place] = self._used
        self._paths = [path for path in self._paths if path.number is not None]
        for path in self._paths:
            if path.missing is None and path not in followed.values():
                path.missing = time


def _match(paths: Sequence[_Path], boxes: Boxes) -> list[tuple[_Path, int]]:
    """Return the pairs of tracks and of places of boxes that are nearest to each other in sum."""
    if not (paths and len(boxes)):
        return []
    near = _nearness(np.array([path.box for path in paths]), boxes)
    places = lap.lapjv(-near, extend_cost=True, return_cost=False)[0]
    pairs = zip(paths, near, places.tolist(), strict=True)
    return [(path, at) for path, row, at in pairs if at >= 0 and row[at] >= _NEAR]


def _nearness(expected: Boxes, boxes: Boxes) -> NDArray[np.float64]:
    """Return the (N, M) DIoU, but -1 for boxes of unlike sizes, which are not near."""
    one, other = expected[:, None], boxes[None]
    apart = ((one[..., :2] + one[..., 2:] - other[..., :2] - other[..., 2:]) / 2) ** 2
    around = np.maximum(one, other)[..., 2:] - np.minimum(one, other)[..., :2]
    near = iou(expected, boxes) - apart.sum(axis=2) / ((around**2).sum(axis=2) + 1e-7)
    sides = [np.maximum(each[..., 2:] - each[..., :2], 1e-6) for each in (one, other)]
    ratios = np.abs(np.log(sides[0] / sides[1]))
    return np.where((ratios > math.log(_RESIZED)).any(axis=2), -1.0, near)
