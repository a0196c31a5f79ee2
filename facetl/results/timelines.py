"""Faces of videos by their tracks: who is seen from when to when, for exports with times.

Times are seconds from the first frame of a video, as in the results; so videos of variable frame
rate are right.  A track ends when its last frame does.  Frames that editors count are times on the
grid of the video's rate; rates such as 23.976 are the exact fractions that are meant.

Where faces were named, a track has the name that its boxes vote for
(:class:`facetl.results.votes.NameVotes`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from facetl.data.characters import UNKNOWN
from facetl.errors import DetectionsError, printable
from facetl.results.detections import FrameResult, Run
from facetl.results.json_file import shortest_decimals
from facetl.results.votes import NameVotes

_NTSC = [Fraction(1000 * count, 1001) for count in (24, 30, 48, 60, 120)]
_STANDARD = [*_NTSC, *map(Fraction, (8, 10, 12, 15, 24, 25, 30, 48, 50, 60, 100, 120))]
_USUAL = Fraction(25)
_SAME = 0.0004
"""Share by which a rate may differ from a standard one that is meant: 24 and 23.976 differ by
0.001."""
_FINEST = 1000
"""Largest denominator of other rates."""
_MOST_TOLD = 10
"""Tracks that are told in words, where there are more."""
_PAUSE = 1.0
"""Seconds without a face that end a scene with faces, at least."""


class Sighting(NamedTuple):
    """A face in one frame.

    Attributes:
        image: the name of the frame.
        time: seconds from the first frame.
        box: ``x1, y1, x2, y2`` in pixels.
        score: in [0, 1].
        name: what the face was called in this frame; None if nobody asked.
        name_score: of the name, in [0, 1].
    """

    image: str
    time: float
    box: tuple[float, ...]
    score: float
    name: str | None = None
    name_score: float | None = None


@dataclass(frozen=True)
class TrackSpan:
    """A face that is followed.

    Attributes:
        number: of the track, from 1 on.
        sightings: the frames in which it was found, in order; at least one.
        end: seconds at which the last of them ends.
    """

    number: int
    sightings: tuple[Sighting, ...]
    end: float

    @property
    def start(self) -> float:
        """Seconds at which it is seen first."""
        return self.sightings[0].time

    @property
    def best(self) -> Sighting:
        """The one of the highest score, the first of equals."""
        return max(self.sightings, key=lambda each: each.score)

    @property
    def name(self) -> str | None:
        """What its boxes vote for; None if nobody asked."""
        return self._votes.name

    @property
    def name_score(self) -> float | None:
        """How much its boxes are for the name, in [0, 1]; None if nobody asked."""
        return self._votes.score

    @cached_property
    def _votes(self) -> NameVotes:
        votes = NameVotes()
        for each in self.sightings:
            if each.name is not None and each.name_score is not None:
                votes.add(each.name, each.name_score)
        return votes


class Stretch(NamedTuple):
    """A time in which the same tracks are seen, or a scene with its tracks.

    Attributes:
        start, end: seconds.
        tracks: their numbers, in order; none if there are none.
    """

    start: float
    end: float
    tracks: tuple[int, ...]


@dataclass(frozen=True)
class Timeline:
    """The tracks of one video.

    Attributes:
        video: its name in the results.
        size_hw: height and width of its frames in pixels.
        rate: frames a second, exact.
        end: seconds at which the last frame that was searched ends.
        tracks: in the order in which they are seen first.
    """

    video: str
    size_hw: tuple[int, int]
    rate: Fraction
    end: float
    tracks: tuple[TrackSpan, ...]

    def frame_at(self, time: float) -> int:
        """Return the frame, on the grid of the rate, that is nearest to a time."""
        return round(Fraction(time) * self.rate)

    @property
    def is_named(self) -> bool:
        """Whether faces were named."""
        return any(span.name is not None for span in self.tracks)

    def describe(self, numbers: Sequence[int]) -> str:
        """Return tracks in words: the characters' names, numbers of those that have none."""
        return describe_tracks(numbers, self._names)

    @cached_property
    def _names(self) -> dict[int, str]:
        """The characters' names by the numbers of tracks, without those that are unknown."""
        return {each.number: each.name for each in self.tracks if each.name not in (None, UNKNOWN)}

    def stretches(self) -> Iterator[Stretch]:
        """Yield the times in which the same tracks are seen, in order, to the millisecond."""
        begin = {span.number: round(span.start, 3) for span in self.tracks}
        finish = {span.number: round(span.end, 3) for span in self.tracks}
        coming = deque(begin)
        seen: list[int] = []
        for start, end in pairwise(sorted({*begin.values(), *finish.values()})):
            while coming and begin[coming[0]] <= start:
                seen.append(coming.popleft())
            seen = [number for number in seen if finish[number] > start]
            if seen:
                yield Stretch(start, end, tuple(sorted(seen)))

    def scenes(self) -> list[Stretch]:
        """Return the whole video as scenes with faces, and the times without between them.

        Scenes with faces that are less than a second apart are one.
        """
        busy: list[Stretch] = []
        for each in self.stretches():
            if busy and each.start - busy[-1].end < _PAUSE:
                last = busy.pop()
                tracks = tuple(sorted({*last.tracks, *each.tracks}))
                busy.append(Stretch(last.start, each.end, tracks))
            else:
                busy.append(each)
        scenes, time = [], 0.0
        for each in busy:
            scenes += [Stretch(time, each.start, ()), each]
            time = each.end
        return [
            each
            for each in [*scenes, Stretch(time, round(self.end, 3), ())]
            if each.end > each.start
        ]


def timelines_of(run: Run) -> list[Timeline]:
    """Return the tracks of each video, in the order of the results; images are left out.

    Raises:
        DetectionsError: if there is no frame of a video.
    """
    videos: dict[str, list[FrameResult]] = {}
    for frame in run.frames:
        if frame.time is not None:
            videos.setdefault(str(PurePosixPath(frame.image).parent), []).append(frame)
    if not videos:
        raise DetectionsError(
            f"{run.name}: found no frame of a video, and this export is of times; search a video"
        )
    rates = run.settings.get("frame_rates")
    told = rates if isinstance(rates, dict) else {}
    return [_timeline(video, frames, told.get(video)) for video, frames in videos.items()]


def count_untracked(run: Run) -> int:
    """Return how many boxes in frames of videos follow no face: no track has them."""
    frames = [frame for frame in run.frames if frame.time is not None]
    return sum(track is None for frame in frames for track in _tracks_of(frame))


def _timeline(video: str, frames: Sequence[FrameResult], told: object) -> Timeline:
    rate = exact_rate(told if isinstance(told, float | int) else _measure_rate(frames))
    step = float(1 / rate)
    sightings: dict[int, list[Sighting]] = {}
    for frame in sorted(frames, key=_time_of):
        for number, sighting in _sightings(frame):
            sightings.setdefault(number, []).append(sighting)
    tracks = [
        TrackSpan(number, tuple(seen), seen[-1].time + step) for number, seen in sightings.items()
    ]
    tracks.sort(key=lambda each: (each.start, each.number))
    last = max(map(_time_of, frames))
    return Timeline(video, frames[0].size_hw, rate, last + step, tuple(tracks))


def _sightings(frame: FrameResult) -> Iterator[tuple[int, Sighting]]:
    boxes = shortest_decimals(frame.detections.boxes).tolist()
    scores = shortest_decimals(frame.detections.scores).tolist()
    nobody = [None] * len(scores)
    names, name_scores = frame.detections.names or nobody, nobody
    if frame.detections.name_scores is not None:
        name_scores = shortest_decimals(frame.detections.name_scores).tolist()
    rows = zip(_tracks_of(frame), boxes, scores, names, name_scores, strict=True)
    for number, box, *told in rows:
        if number is not None:
            yield number, Sighting(frame.image, _time_of(frame), tuple(box), *told)


def _tracks_of(frame: FrameResult) -> Sequence[int | None]:
    return frame.tracks if frame.tracks is not None else [None] * len(frame.detections)


def _time_of(frame: FrameResult) -> float:
    return max(frame.time or 0.0, 0.0)


def _measure_rate(frames: Sequence[FrameResult]) -> float:
    """Return frames a second by the numbers in the frames' names; the usual rate without any."""
    stems = [PurePosixPath(frame.image).stem for frame in frames]
    if not all(stem.isascii() and stem.isdigit() for stem in stems):
        return float(_USUAL)
    numbers = np.array([float(stem) for stem in stems])
    times = np.array([_time_of(frame) for frame in frames])
    return float(np.ptp(numbers) / max(np.ptp(times), 1e-9)) if np.ptp(numbers) else float(_USUAL)


def exact_rate(rate: float) -> Fraction:
    """Return the fraction that a rounded number of frames a second means: 24000/1001 for 23.976."""
    if not 0.01 <= rate <= 10_000:
        return _USUAL
    nearest = min(_STANDARD, key=lambda each: abs(float(each) - rate))
    if abs(float(nearest) - rate) <= _SAME * rate:
        return nearest
    return Fraction(rate).limit_denominator(_FINEST)


def describe_tracks(numbers: Sequence[int], names: Mapping[int, str] | None = None) -> str:
    """Return ``face 7``, ``faces 1, 3`` or ``dexter, deedee, face 3`` in words.

    Of many, these are the first ten, and how many more; a character is told once.

    Args:
        numbers: of the tracks.
        names: of characters, by the numbers of their tracks.
    """
    if not numbers:
        return "no faces"
    names = names or {}
    known = [*dict.fromkeys(printable(names[each]) for each in numbers if each in names)]
    others = [str(each) for each in numbers if each not in names]
    left_out = len(known) + len(others) - _MOST_TOLD
    known, others = known[:_MOST_TOLD], others[: max(_MOST_TOLD - len(known), 0)]
    faces = [f"face{'s' * (len(others) > 1)} {', '.join(others)}"] if others else []
    return ", ".join([*known, *faces]) + (f" and {left_out} more" if left_out > 0 else "")


def files_of(run: Run, timelines: Sequence[Timeline], suffix: str) -> list[str]:
    """Return the names of files, one a video: the run's name, the video's, and a suffix.

    Raises:
        DetectionsError: if two videos would share one.
    """
    names: dict[str, str] = {}
    for each in timelines:
        name = f"{run.name}.{each.video.replace('/', '-')}{suffix}"
        if name in names:
            raise DetectionsError(
                f"{run.name}: the videos {printable(names[name])!r} and {printable(each.video)!r} "
                f"would share the file {name!r}; search them one after the other"
            )
        names[name] = each.video
    return [*names]
