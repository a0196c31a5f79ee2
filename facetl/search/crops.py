"""Faces cut out of what was searched, and a contact sheet of them for each run.

Of an image, all faces are cut out; of a video, the best few of each track
(``_BestOfTrack``).
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from facetl.data.crops import (
    COLUMNS,
    ROWS,
    cut_upright,
    cut_window,
    draw_sheet,
    fit_cell,
    in_view,
    square_windows,
    windows_around,
)
from facetl.data.images import Pixels, load_image, save_image
from facetl.data.near_duplicates import UNLIKE, SeenThumbnails, thumbnail
from facetl.data.tracks import LOST
from facetl.errors import NameTooLongError
from facetl.files import is_there, write_text
from facetl.reporting import Reporter
from facetl.results.detections import FrameResult
from facetl.results.json_file import shortest_decimals
from facetl.search.pipeline import NamedImage, Searched
from facetl.search.sinks import Sink
from facetl.search.video import FilmPicture

CROPS = "crops"
"""Folder of the crops."""
_SHEET = "contact_sheet"
_INDEX = "metadata.csv"
"""What each crop of a data set shows; Hugging Face's ``imagefolder`` reads it by this name."""
PER_TRACK = 3
"""Faces of a track that are cut out, at most."""
_APART = 0.5
"""Seconds that lie between two of them, at least."""
_LIKE = UNLIKE
"""Distance below which crops are near-duplicates: two frames of one mouth are mostly as near; of
404 square crops from 260 frames of three shows, no two are nearer than 15."""
_WRITTEN = re.compile(rf".+_\d+_[01]\.\d{{3}}\.png|{_SHEET}(_\d+)?\.jpg|metadata\.csv")
"""Names of what an earlier search may have left, which makes way under --force."""


class Cropping(NamedTuple):
    """How faces are cut out.

    Attributes:
        margin: what is shown on every side, as a share of the box's width and height.
        align: whether they are turned so that the eyes are level.
        square: whether they make a data set: squares, without near-duplicates, with an index.
    """

    margin: float = 0.2
    align: bool = False
    square: bool = False


class _Source(NamedTuple):
    """Where a face was found: a row of the index."""

    image: str
    video: str | None
    time: float | None
    track: int | None
    box: tuple[float, ...]
    name: tuple[str, float] | None

    def describe(self) -> tuple[object, ...]:
        """Return what the index says of it, in the order of its columns."""
        return (self.image, self.video, self.time, self.track, *self.box, *(self.name or ()))


class _Crop(NamedTuple):
    """A face that was cut out: where it is, its score, and whether the disk takes its name."""

    path: Path
    score: float
    is_written: bool = True
    source: _Source | None = None


class _Cut(NamedTuple):
    """A face to be cut out, and its pixels; none if an earlier search has cut it out."""

    path: Path
    score: float
    time: float
    pixels: Pixels | None
    source: _Source

    def save(self) -> _Crop:
        """Write the pixels."""
        is_written = True
        if self.pixels is None:
            is_written = is_there(self.path)
        else:
            try:
                save_image(self.path, self.pixels)
            except NameTooLongError:
                is_written = False
        return _Crop(self.path, self.score, is_written, self.source)


@dataclass
class _BestOfTrack:
    """The faces of a track with the best scores, a while apart from each other.

    A face makes way for one that comes soon after it and is better, and the worst for one that
    comes later: no more of them is in memory at any time.

    Attributes:
        picks: the faces, in the order of their times.
        seen: seconds at which the track was seen last.
    """

    picks: list[_Cut] = field(default_factory=list)
    seen: float = 0.0

    def wants(self, time: float, score: float) -> bool:
        """Return whether a face that comes now would be one of the best; make room for it."""
        rivals = self.picks if len(self.picks) == PER_TRACK else []
        if self.picks and time - self.picks[-1].time < _APART:
            rivals = self.picks[-1:]
        if not rivals:
            return True
        worst = min(rivals, key=lambda pick: pick.score)
        if score <= worst.score:
            return False
        self.picks.remove(worst)
        return True


class CropCutter(Sink):
    """Cuts out the faces that runs find, picture by picture, and draws contact sheets at the end.

    Each run has a folder of its own in ``folder``.  A face found in ``a/b.jpg`` is called
    ``a/b_1_0.998.png``: after the image, its place by score in the image, and its score.  One of
    the best of a track in ``c.mp4`` is called ``c.mp4/track0007_000123_0.998.png``: after the
    video, the number of the track, that of the frame, and its score.  The contact sheets show all
    faces, best first; where they need several pages, ``contact_sheet.jpg`` is the first.

    What an earlier search has cut out, which is resumed, is not cut out again.

    Args:
        folder: where the crops go.
        runs: the names of the runs.
        cropping: how faces are cut out.
        reporter: is told what is not cut out, and what makes way.
        twins: stems that several images have (:func:`find_twins`).
        is_resumed: whether what lies in the folder stays; else it makes way for what is new.
        has_sheets: whether contact sheets are drawn: not of a part of what is searched.
    """

    def __init__(
        self,
        folder: Path,
        runs: Sequence[str],
        cropping: Cropping,
        reporter: Reporter,
        twins: frozenset[str] = frozenset(),
        *,
        is_resumed: bool = False,
        has_sheets: bool = True,
    ) -> None:
        self._reporter = reporter
        self._hidden = self._left_out = self._twin_faces = 0
        self._folder = folder
        self._twins = twins
        self._has_sheets = has_sheets
        self._cropping = cropping
        self._old = [] if is_resumed else [folder / run for run in runs]
        self._crops: dict[str, list[_Crop]] = {run: [] for run in runs}
        self._seen = {run: SeenThumbnails(_LIKE) for run in runs}
        self._tracks: dict[str, dict[int, _BestOfTrack]] = {run: {} for run in runs}
        self._video: str | None = None
        self._time = self._gap = 0.0

    def take(self, searched: Searched[Any]) -> None:
        """Cut out what the runs found in an image, or what is best of a video so far."""
        self._make_room()
        if searched.picture.video != self._video:
            self._end_video()
            self._video = searched.picture.video
        for run, frame in searched.results.items():
            if self._video is None:
                self._keep(run, self._cut_image(run, frame, _pixels_of(searched, frame)))
            else:
                self._follow(run, frame, _pixels_of(searched, frame))

    def _end_video(self) -> None:
        """Write the best of the tracks that are left."""
        for run in self._tracks:
            self._write_tracks(run, patience=-math.inf)
        self._time = self._gap = 0.0

    def finish(self) -> None:
        """Write the last crops; draw the contact sheets, and say what is not on them."""
        self._make_room()
        self._end_video()
        if not self._has_sheets:
            return
        if self._hidden:
            self._reporter.note(f"faces outside their images, left out: {self._hidden}")
        if self._left_out:
            why = "as their names would be too long"
            self._reporter.note(f"crops left out, {why}: {self._left_out}")
        if self._twin_faces:
            self._reporter.note(f"crops left out, as near-duplicates: {self._twin_faces}")
        for run, crops in self._crops.items():
            _save_sheets(self._folder / run, crops)
            if self._cropping.square and crops:
                _save_index(self._folder / run, crops)

    def _make_room(self) -> None:
        """Let what an earlier search left make way, not before there is something new."""
        for folder in self._old:
            make_way(folder, self._reporter)
        self._old = []

    def _keep(self, run: str, cuts: Iterable[_Cut]) -> None:
        """Write faces, and remember them for the contact sheet."""
        square = self._cropping.square
        crops = [cut.save() for cut in cuts if not (square and self._is_twin(run, cut))]
        self._crops[run] += [crop for crop in crops if crop.is_written]
        self._left_out += sum(not crop.is_written for crop in crops)

    def _is_twin(self, run: str, cut: _Cut) -> bool:
        """Return whether a face is left out as a near-duplicate; remember it if it is not."""
        pixels = cut.pixels
        if pixels is None and is_there(cut.path):
            pixels = load_image(cut.path)
        elif pixels is None or self._seen[run].has_twin(thumbnail(pixels)):
            self._twin_faces += 1
            return True
        self._seen[run].add(thumbnail(pixels))
        return False

    def _cut_image(self, run: str, frame: FrameResult, pixels: Pixels | None) -> Iterator[_Cut]:
        """Yield the faces of an image; those outside it have no picture."""
        short = str(PurePosixPath(frame.image).with_suffix(""))
        stem = self._folder / run / (frame.image if short in self._twins else short)
        windows = dict(self._windows(frame))
        self._hidden += len(frame.detections) - len(windows)
        for row, window in windows.items():
            score = float(frame.detections.scores[row])
            path = stem.with_name(f"{stem.name}_{row + 1}_{score:.3f}.png")
            cut = self._cut(frame, row, window, pixels)
            yield _Cut(path, score, 0.0, cut, self._source(frame, row))

    def _follow(self, run: str, frame: FrameResult, pixels: Pixels | None) -> None:
        """Look whether faces of a frame are better than those of their tracks before."""
        now, best = frame.time or 0.0, self._tracks[run]
        self._gap, self._time = max(self._gap, now - self._time), now
        for row, window in self._windows(frame):
            number = frame.tracks[row] if frame.tracks else None
            score = float(frame.detections.scores[row])
            if number is not None:
                track = best.setdefault(number, _BestOfTrack())
                track.seen = now
                if not frame.carried and track.wants(now, score):
                    name = f"track{number:04}_{PurePosixPath(frame.image).stem}_{score:.3f}.png"
                    path = self._folder / run / str(self._video) / name
                    cut = self._cut(frame, row, window, pixels)
                    track.picks.append(_Cut(path, score, now, cut, self._source(frame, row)))
        self._write_tracks(run, patience=2 * max(LOST, 3 * self._gap))

    def _write_tracks(self, run: str, patience: float) -> None:
        """Write the best of the tracks that have not been seen for more seconds than these."""
        tracks = self._tracks[run]
        for number in [n for n, each in tracks.items() if self._time - each.seen > patience]:
            self._keep(run, tracks.pop(number).picks)

    def _windows(self, frame: FrameResult) -> Iterator[tuple[int, Any]]:
        """Yield the rows of the faces that lie in their picture, and what crops of them show."""
        windows = windows_around(frame.detections.boxes, self._cropping.margin)
        seen = in_view(windows, frame.size_hw).nonzero()[0].tolist()
        if self._cropping.square:
            windows = square_windows(windows, frame.size_hw)
        for row in seen:
            yield row, windows[row]

    def _source(self, frame: FrameResult, row: int) -> _Source:
        box = shortest_decimals(frame.detections.boxes[row]).tolist()
        track = frame.tracks[row] if frame.tracks else None
        face = frame.detections[row]
        name = None
        if face.name is not None and face.name_score is not None:
            name = face.name, round(face.name_score, 3)
        return _Source(frame.image, self._video, frame.time, track, tuple(box), name)

    def _cut(
        self, frame: FrameResult, row: int, window: Any, pixels: Pixels | None
    ) -> Pixels | None:
        if pixels is None:
            return None
        if self._cropping.align:
            return cut_upright(pixels, window, frame.detections.landmarks[row])
        return cut_window(pixels, window)


def _save_sheets(folder: Path, crops: Sequence[_Crop]) -> None:
    """Draw contact sheets of faces that were cut out, best first; in memory one page at a time."""
    ranked = sorted(crops, key=lambda crop: -crop.score)
    size = COLUMNS * ROWS
    pages = [ranked[start : start + size] for start in range(0, len(ranked), size)]
    for number, page in enumerate(pages, start=1):
        name = f"{_SHEET}.jpg" if number == 1 else f"{_SHEET}_{number}.jpg"
        cells = [fit_cell(load_image(crop.path)) for crop in page]
        save_image(folder / name, draw_sheet(cells, [crop.score for crop in page]))


def _save_index(folder: Path, crops: Sequence[_Crop]) -> None:
    """Write a row for each crop, in the order of their names; with characters if there are any."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ("image", "video", "time", "track", "x1", "y1", "x2", "y2")
    named = any(crop.source and crop.source.name for crop in crops)
    writer.writerow(["file_name", "score", *columns, *(("name", "name_score") * named)])
    for crop in sorted(crops, key=lambda each: each.path):
        if crop.source is not None:
            name = crop.path.relative_to(folder).as_posix()
            writer.writerow([name, f"{crop.score:.3f}", *crop.source.describe()])
    write_text(folder / _INDEX, text.getvalue())


def find_twins(images: Sequence[NamedImage]) -> frozenset[str]:
    """Return the names without suffix that several images have: their crops keep the suffix."""
    count = Counter(str(PurePosixPath(image.name).with_suffix("")) for image in images)
    return frozenset(stem for stem, images in count.items() if images > 1)


def _pixels_of(searched: Searched[Any], frame: FrameResult) -> Pixels | None:
    """Return the pixels of a picture in which there are faces to cut out, None if they have been.

    Those of a video that is being searched are at hand.
    """
    picture = searched.picture
    is_done = searched.is_known and not isinstance(picture, FilmPicture)
    return None if is_done or not len(frame.detections) else picture.load()


def make_way(folder: Path, reporter: Reporter) -> None:
    """Remove what an earlier search has left, which --force gave up."""
    old = [path for path in folder.rglob("*") if _WRITTEN.fullmatch(path.name) and path.is_file()]
    for path in old:
        path.unlink()
    if old:
        reporter.note(f"removed {len(old)} pictures from {folder}, which another run had left")
