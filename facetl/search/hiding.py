"""Copies of images and videos in which the faces that were found are hidden.

A face that is seen in one frame is known, so videos are hidden more widely than faces are found.
Where a track misses a face for some frames, its box moves evenly from the last place to the next
one; before a face is found first, and after it was found last, it stays hidden for two more of the
frames that were searched, to the next cut at the most.  Boxes of several runs are hidden together.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from facetl.boxes import Boxes, as_boxes
from facetl.data.hiding import Hiding, hide_faces
from facetl.data.images import Pixels
from facetl.data.tracks import LOST
from facetl.data.video import VideoFrame, VideoWriter
from facetl.reporting import Reporter
from facetl.results.detections import FrameResult
from facetl.search.pipeline import Searched
from facetl.search.sinks import ImageCopies

HIDDEN: dict[Hiding, str] = {"blur": "blurred", "mask": "masked"}
"""Folders of the copies."""
_LONGER = 2
"""Searched frames for which a face is hidden before it is found first and after it was last."""
_QUALITY = 95


class HiddenImages(ImageCopies):
    """Writes a copy of each image in which all faces are hidden; frames of videos have none.

    Args:
        folder: where the copies go.
        how: how faces are hidden.
        taken: names that need another suffix (:func:`facetl.search.sinks.find_taken`).
        reporter: is told how many copies are not there.
    """

    def __init__(
        self, folder: Path, how: Hiding, taken: frozenset[str], reporter: Reporter
    ) -> None:
        super().__init__(folder, f"{HIDDEN[how]} copies", taken, reporter, _QUALITY)
        self._how = how

    def _draw(self, searched: Searched[Any]) -> Pixels:
        """Hide what all runs found in an image."""
        found = [frame.detections.boxes for frame in searched.results.values()]
        return hide_faces(searched.picture.load(), np.concatenate(found), self._how)


class HiddenVideo:
    """Writes a copy of a video in which all faces are hidden, as they become known.

    Args:
        frames: all frames of the video.
        writer: takes the copy.
        how: how faces are hidden.
    """

    def __init__(self, frames: Iterator[VideoFrame], writer: VideoWriter, how: Hiding) -> None:
        self._frames = frames
        self._writer = writer
        self._how = how
        self._next = next(frames, None)
        self._cover = FaceCover()

    def show(self, searched: Searched[Any]) -> None:
        """Take what was found in a frame; write the frames of which all is known."""
        results = searched.results
        times = [result.time for result in results.values() if result.time is not None]
        time = max(times, default=0.0)
        self._write_until(self._cover.add(time, results, cut=searched.is_cut))

    def finish(self) -> None:
        """Write all frames that are left."""
        self._write_until(math.inf)

    def _write_until(self, time: float) -> None:
        while self._next is not None and self._next.time < time:
            boxes = self._cover.at(self._next.time)
            self._writer.add(hide_faces(self._next.pixels, boxes, self._how), self._next.time)
            self._next = next(self._frames, None)


def hiding_in_video(how: Hiding) -> Callable[[Iterator[VideoFrame], VideoWriter], HiddenVideo]:
    """Return what makes a copy in which faces are hidden."""
    return lambda frames, writer: HiddenVideo(frames, writer, how)


class _Sighting(NamedTuple):
    """A face in a searched frame: the number of the frame, its time, and the box."""

    number: int
    time: float
    box: tuple[float, ...]


class FaceCover:
    """Where faces are to be hidden, at any time of a video; what is past is forgotten.

    Frames that were searched are added in order; times that are asked for must not run backwards.
    """

    def __init__(self) -> None:
        self._times: deque[float] = deque()
        self._cuts: deque[int] = deque()
        self._gone = 0
        self._step = 0.0
        self._faces: dict[tuple[Any, ...], deque[_Sighting]] = {}

    def add(self, time: float, results: Mapping[str, FrameResult], *, cut: bool = False) -> float:
        """Take what runs found in the next searched frame.

        Args:
            time: of the frame, in seconds.
            results: by the names of the runs.
            cut: whether the frame begins another shot than the searched one before.

        Returns:
            The time in seconds before which nothing changes by what comes later.
        """
        number = self._gone + len(self._times)
        if self._times:
            self._step = max(self._step, time - self._times[-1])
        self._times.append(time)
        if cut:
            self._cuts.append(number)
        for run, result in results.items():
            tracks = result.tracks or (None,) * len(result.detections)
            faces = zip(tracks, result.detections.boxes.tolist(), strict=True)
            for row, (track, box) in enumerate(faces):
                key = (run, track) if track is not None else (run, number, row)
                seen = self._faces.setdefault(key, deque())
                seen.append(_Sighting(number, time, tuple(box)))
        return time - max(LOST, 3 * self._step)

    def at(self, time: float) -> Boxes:
        """Return the (N, 4) boxes that are hidden at a time, in seconds."""
        for key in [key for key, seen in self._faces.items() if self._is_past(seen, time)]:
            del self._faces[key]
        boxes = [self._box_at(seen, time) for seen in self._faces.values()]
        while len(self._times) > 2 * _LONGER + 2 and self._times[2 * _LONGER + 1] < time:
            self._times.popleft()
            self._gone += 1
        while self._cuts and self._cuts[0] <= self._gone:
            self._cuts.popleft()
        return as_boxes([box for box in boxes if box is not None])

    def _time_of(self, number: int, otherwise: float) -> float:
        """Return the time of a searched frame, if it is one of those that are remembered."""
        place = number - self._gone
        return self._times[place] if 0 <= place < len(self._times) else otherwise

    def _end_of(self, last: int) -> float:
        """Return when a face is no longer hidden that was found last in a searched frame."""
        cuts = (cut for cut in self._cuts if cut > last)
        return self._time_of(min([last + _LONGER + 1, *cuts]), math.inf)

    def _begin_of(self, first: int) -> float:
        """Return after which time a face is hidden that was found first in a searched frame."""
        cuts = (cut - 1 for cut in self._cuts if cut <= first)
        return self._time_of(max([first - _LONGER - 1, *cuts]), -math.inf)

    def _is_past(self, seen: deque[_Sighting], time: float) -> bool:
        """Drop the sightings that no longer matter; return whether none is left that does."""
        while len(seen) > 1 and seen[1].time <= time:
            seen.popleft()
        return len(seen) == 1 and time >= self._end_of(seen[0].number)

    def _box_at(self, seen: deque[_Sighting], time: float) -> tuple[float, ...] | None:
        first = seen[0]
        if time < first.time:
            return first.box if time > self._begin_of(first.number) else None
        if len(seen) == 1:
            return first.box
        share = (time - first.time) / (seen[1].time - first.time)
        pairs = zip(first.box, seen[1].box, strict=True)
        return tuple(one + share * (other - one) for one, other in pairs)
