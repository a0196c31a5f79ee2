"""What a search keeps of the faces that it finds, small, for a page to look at.

Of images, faces evenly by score, cut out by the workers while they hold the pixels; of videos, the
best moment of each track.  However many there are, memory is bounded, and what is left out is
counted.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock
from typing import Any

import numpy as np

from facetl.boxes import clip
from facetl.data.crops import cut_window, in_view, windows_around
from facetl.data.images import Pixels, encode_jpeg, encode_small, shrink, shrink_quickly
from facetl.results.detections import FrameResult
from facetl.results.votes import NameVotes
from facetl.search.pipeline import Searched
from facetl.search.sinks import Sink

_MARGIN = 0.35
"""What is shown around a face, as a share of its box."""
_FACE, _FRAME = 96, 400
"""Longest sides of the pictures of faces and of frames, in pixels; of faces in images, about."""
_QUALITY = 75
"""Of the JPEG files of faces: WebP would take 13 times as long, a tenth of a fast search."""
_BANDS = 20
"""Bands of scores, from 0 to 1, of which as many faces each are kept."""
_IN_BAND, _IN_LAST_BAND = 12, 120
"""Faces that are kept of a band, and of that of the greatest scores."""
MOST_TRACKS = 400
"""Tracks that are kept, of each run: those that are seen longest."""


@dataclass(frozen=True)
class ShownFace:
    """A face in an image.

    Attributes:
        image: the name of the image.
        score: in [0, 1].
        picture: the face and a little around it, a JPEG file.
        name: the character that it was recognised as; None if nobody asked.
    """

    image: str
    score: float
    picture: bytes
    name: str | None = None


@dataclass
class ShownTrack:
    """A face that is followed through a video, and its best moment.

    Attributes:
        video: the name of the video.
        number: that of the track.
        shot: in which shot it is, counted from 0.
        first, last: when it is seen first and last, in seconds.
        frames: in how many frames.
        best: when its score is greatest, in seconds.
        score: its greatest score.
        box: the face then, as shares of the frame's width and height: left, top, width, height.
        picture: the face then, a WebP file; before the track is over, pixels.
        frame: the whole frame then, likewise.
        votes: what its boxes were called.
    """

    video: str
    number: int
    shot: int
    first: float
    last: float = 0.0
    frames: int = 0
    best: float = 0.0
    score: float = -math.inf
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    picture: Any = b""
    frame: Any = b""
    votes: NameVotes = field(default_factory=NameVotes)

    @property
    def name(self) -> str | None:
        """What its boxes vote for; None if nobody asked."""
        return self.votes.name

    def compress(self) -> None:
        """Turn the pixels into files: the track is over."""
        self.picture = encode_small(self.picture, _FACE)
        self.frame = encode_small(self.frame, _FRAME)


_Key = tuple[int, str, int]
"""A number that looks random, the name of the image, and the place among its faces."""


@dataclass
class _Band:
    """Faces of similar scores: of more than there is room for, those with the least keys.

    As keys say nothing of the faces, that is a random choice; it is the same in whatever order
    the faces come.
    """

    room: int
    seen: int = 0
    faces: list[tuple[_Key, ShownFace]] = field(default_factory=list)

    def has_room(self, key: _Key) -> bool:
        """Return whether a face with this key would be kept, as things are."""
        return len(self.faces) < self.room or key < self.faces[-1][0]

    def keep(self, key: _Key, face: ShownFace) -> None:
        """Keep a face, or not, if others with lesser keys have come meanwhile."""
        insort(self.faces, (key, face), key=lambda each: each[0])
        del self.faces[self.room :]


class KeptRun:
    """What is kept of a run."""

    def __init__(self) -> None:
        self._bands = [_Band(_IN_BAND) for _ in range(_BANDS - 1)] + [_Band(_IN_LAST_BAND)]
        self._guard = Lock()
        self._open: dict[int, ShownTrack] = {}
        self._closed: list[ShownTrack] = []
        self.tracks_left_out = 0

    @property
    def faces(self) -> list[ShownFace]:
        """The faces that are kept, best score first."""
        kept = [each for band in self._bands for each in band.faces]
        return [face for _, face in sorted(kept, key=lambda each: (-each[1].score, each[0][1:]))]

    @property
    def faces_left_out(self) -> int:
        """How many faces in images are not kept."""
        return sum(band.seen - len(band.faces) for band in self._bands)

    @property
    def tracks(self) -> list[ShownTrack]:
        """The tracks that are over, in the order of their beginnings, video by video."""
        return sorted(self._closed, key=lambda track: (track.video, track.first, track.number))

    def see_image(self, image: str, result: FrameResult, pixels: Pixels) -> None:
        """Keep faces of an image, if there is room for their scores; any thread may call it."""
        for row, score, window in _in_view(result):
            band, key = self._bands[min(int(score * _BANDS), _BANDS - 1)], _key_of(image, row)
            with self._guard:
                band.seen += 1
                is_kept = band.has_room(key)
            if is_kept:
                picture = shrink_quickly(cut_window(pixels, window), _FACE)
                name = result.detections.names[row] if result.detections.names else None
                face = ShownFace(image, score, encode_jpeg(picture, _QUALITY), name)
                with self._guard:
                    band.keep(key, face)

    def add_frame(self, video: str, shot: int, result: FrameResult, pixels: Pixels) -> None:
        """Keep what is best of the tracks in a frame of a video."""
        time, tracks = result.time or 0.0, result.tracks or ()
        for row, score, window in _in_view(result):
            number = tracks[row] if tracks else None
            if number is None:
                continue
            track = self._open.setdefault(number, ShownTrack(video, number, shot, time))
            track.last, track.frames = time, track.frames + 1
            face = result.detections[row]
            if face.name is not None and face.name_score is not None:
                track.votes.add(face.name, face.name_score)
            if score > track.score and not result.carried:
                box = result.detections.boxes[row]
                track.score, track.best, track.box = score, time, _as_shares(box, result.size_hw)
                track.picture = shrink(cut_window(pixels, window), _FACE)
                track.frame = shrink(pixels, _FRAME)

    def close_tracks(self, before: int | None = None) -> None:
        """Finish the tracks of the shots before one; all if it is None."""
        over = [n for n, each in self._open.items() if before is None or each.shot < before]
        for number in over:
            track = self._open.pop(number)
            track.compress()
            self._closed.append(track)
        if len(self._closed) > MOST_TRACKS:
            self._closed.sort(key=lambda track: -track.frames)
            self.tracks_left_out += len(self._closed) - MOST_TRACKS
            del self._closed[MOST_TRACKS:]


def _key_of(image: str, row: int) -> _Key:
    digest = blake2b(f"{row} {image}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big"), image, row


class Gallery(Sink):
    """Keeps what runs find, small, for a page: of images as a watch, of videos as a sink.

    Attributes:
        found: what is kept, by name of the run.

    Args:
        runs: the names of the runs.
    """

    def __init__(self, runs: Sequence[str]) -> None:
        self.found = {run: KeptRun() for run in runs}
        self.videos: list[str] = []
        self._shot = 0

    def see_image(self, image: str, pixels: Pixels, results: Mapping[str, FrameResult]) -> None:
        """Keep what is worth showing of an image; any thread may call it."""
        for run, result in results.items():
            self.found[run].see_image(image, result, pixels)

    def take(self, searched: Searched[Any]) -> None:
        """Keep what is worth showing of a frame of a video, and see where videos and shots end."""
        if searched.skipped or searched.is_known:
            return
        picture, video = searched.picture, searched.picture.video
        self._follow(video, cut=searched.is_cut)
        for run, result in searched.results.items() if video is not None else ():
            self.found[run].add_frame(video, self._shot, result, picture.load())

    def _follow(self, video: str | None, *, cut: bool) -> None:
        """Count the shots; tracks end with them, and with their video."""
        is_new = video is not None and video not in self.videos[-1:]
        if not (cut or is_new):
            return
        self._shot += 1
        for each in self.found.values():
            each.close_tracks(self._shot)
        if is_new and video is not None:
            self.videos.append(video)

    def finish(self) -> None:
        """Finish the last tracks."""
        for each in self.found.values():
            each.close_tracks()


def _in_view(result: FrameResult) -> Iterator[tuple[int, float, Any]]:
    """Yield row, score and window of the faces that lie in their picture."""
    windows = windows_around(result.detections.boxes, _MARGIN)
    for row in in_view(windows, result.size_hw).nonzero()[0].tolist():
        yield row, float(result.detections.scores[row]), windows[row]


def _as_shares(box: Any, size_hw: tuple[int, int]) -> tuple[float, float, float, float]:
    height, width = size_hw
    x1, y1, x2, y2 = clip(np.asarray(box, dtype=float)[None], size_hw)[0].tolist()
    return x1 / width, y1 / height, (x2 - x1) / width, (y2 - y1) / height
