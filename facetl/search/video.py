"""A video searched: its frames as pictures with names, and what was found linked over time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from facetl.data.held_frames import HeldFrame, Timestamp, group_held_frames
from facetl.data.images import Pixels
from facetl.data.shots import FrameSignature, frame_signature, is_cut
from facetl.data.tracks import FaceTracker
from facetl.data.video import Sampling, VideoFacts, VideoFrame, VideoReader
from facetl.reporting import Reporter
from facetl.results.detections import FrameResult
from facetl.results.origin import Origin
from facetl.search.pipeline import (
    Progress,
    Searched,
    Searcher,
    SearchRun,
    search_all,
)
from facetl.search.settings import BATCH_SIZE, Settings


@dataclass(frozen=True)
class Viewing:
    """How videos are looked at.

    Attributes:
        every: which frames count.
        skip_still: carry boxes over to frames that show the same as the one before.
    """

    every: Sampling = field(default_factory=Sampling)
    skip_still: bool = False


@dataclass(frozen=True, eq=False)
class FilmPicture:
    """A frame of a video: one to be searched, or one of the still ones that follow it.

    Attributes:
        video: the name of the video in results.
        moment: the frame to be searched, with the still ones.
        place: which of them it is; 0 is the one to be searched.
    """

    video: str
    held_frame: HeldFrame
    place: int = 0

    @property
    def stamp(self) -> Timestamp:
        """Its number and time."""
        return self.held_frame.stamps[self.place]

    @property
    def name(self) -> str:
        """Its name in results."""
        return frame_name(self.video, self.stamp.index)

    @property
    def held(self) -> int:
        """How many pixels it keeps in memory: those of the frame to search."""
        return self.held_frame.frame.pixels[..., 0].size

    def load(self) -> Pixels:
        """Return the pixels, which are decoded already."""
        return self.held_frame.frame.pixels


def frame_name(video: str, index: int) -> str:
    """Return ``episode.mp4/000123.png``: the name under which ``facetl frames`` writes it too."""
    return f"{video}/{index:06d}.png"


def search_video(
    video: str,
    frames: Iterable[VideoFrame],
    runs: Sequence[SearchRun],
    batch_size: int = BATCH_SIZE,
    workers: int = 1,
    *,
    skip_still: bool = False,
    recall: Callable[[FilmPicture], dict[str, FrameResult] | None] = lambda _: None,
) -> Iterator[Searched[FilmPicture]]:
    """Yield the frames of a video as all runs search them, in order.

    Args:
        video: its name in results.
        frames: those that count.
        runs: detectors, and how they search.
        batch_size: frames that go through the networks together.
        workers: batches searched side by side.
        skip_still: leave out frames that show the same as the one before; they come with it.
        recall: tells what an earlier search found, as :func:`search_all` asks it.
    """
    held_frames = group_held_frames(frames) if skip_still else map(HeldFrame, frames)
    pictures = (FilmPicture(video, held_frame) for held_frame in held_frames)
    return search_all(runs, pictures, batch_size, workers, recall=recall)


def link_results(
    found: Iterable[Searched[FilmPicture]], step: float
) -> Iterator[Searched[FilmPicture]]:
    """Yield each frame with what each run has for it: tracks too, and still frames as well.

    A frame comes when the next one is known, which tells whose first frame it was.

    Args:
        found: the moments of one video, searched, in order.
        step: seconds from one frame to the next, on average.
    """
    trackers: dict[str, FaceTracker] = {}
    before: FrameSignature | None = None
    waiting: Searched[FilmPicture] | None = None
    for searched in found:
        signature = frame_signature(searched.picture.load())
        cut = before is not None and is_cut(before, signature)
        before = signature
        for each in _spread(searched):
            time = each.picture.stamp.time
            linked = {
                run: _link(result, trackers.setdefault(run, FaceTracker(step)), time, cut=cut)
                for run, result in each.results.items()
            }
            if waiting:
                yield _look_back(waiting, trackers)
            waiting = replace(each, results=linked, is_cut=cut)
            cut = False
    if waiting:
        yield waiting


def _spread(searched: Searched[FilmPicture]) -> Iterator[Searched[FilmPicture]]:
    """Yield what is known of each frame of a moment: still ones show what the first does."""
    yield searched
    for place in range(1, len(searched.picture.held_frame.stamps)):
        picture = replace(searched.picture, place=place)
        carried = {
            run: replace(result, image=picture.name, candidates={}, seconds=0.0, carried=True)
            for run, result in searched.results.items()
        }
        yield Searched(picture, carried)


def _link(result: FrameResult, tracker: FaceTracker, time: float, *, cut: bool) -> FrameResult:
    found = result.detections
    tracks = tracker.follow(found.boxes, found.scores, time, cut=cut)
    return replace(result, time=time, tracks=tracks)


def _look_back(
    searched: Searched[FilmPicture], trackers: Mapping[str, FaceTracker]
) -> Searched[FilmPicture]:
    """Return a frame with the numbers that are known one frame later."""
    results = {
        run: replace(result, tracks=trackers[run].amend(result.tracks or ()))
        for run, result in searched.results.items()
    }
    return replace(searched, results=results)


@dataclass(frozen=True)
class NamedVideo:
    """A video that can be read, and its name in results."""

    name: str
    reader: VideoReader
    facts: VideoFacts

    def frames(self, every: Sampling, doing: str, reporter: Reporter) -> Iterator[VideoFrame]:
        """Yield the frames that count, with a progress bar."""
        frames = self.reader.frames(every)
        return reporter.track(frames, f"{doing} {self.name}", self.facts.count(every))

    def note_faults(self, reporter: Reporter) -> list[str]:
        """Say what was wrong with the file when it was read last; return it."""
        for fault in self.reader.faults:
            reporter.note(f"{self.reader.path}: {fault}; what was read counts")
        return self.reader.faults


@dataclass(frozen=True)
class VideoSearch:
    """A search of one video by one detector, as :meth:`Detector.video` explains it."""

    detector: Searcher
    settings: Settings
    min_score: float
    batch_size: int
    workers: int
    progress: Progress | None

    def run(self, path: Path, every: int | str) -> Iterator[FrameResult]:
        """Open a video and return an iterator of what is found in it."""
        reader, chosen = VideoReader(path), Sampling.parse(str(every))
        return self._run(reader, reader.facts(), chosen)

    def _run(
        self, reader: VideoReader, facts: VideoFacts, every: Sampling
    ) -> Iterator[FrameResult]:
        found = search_video(
            reader.path.name,
            reader.frames(every),
            [SearchRun("", self.detector, self.settings)],
            self.batch_size,
            self.workers,
        )
        linked = link_results(found, every.step(float(facts.rate)))
        for number, searched in enumerate(linked, 1):
            if self.progress:
                self.progress(number, facts.count(every))
            # the pixels are held here as long as the result is looked at
            yield self._finish(searched.results[""], searched.picture.load())
        for fault in reader.faults:
            warnings.warn(f"{reader.path}: {fault}; what was read counts", stacklevel=2)

    def _finish(self, result: FrameResult, pixels: Pixels) -> FrameResult:
        """Return a result that knows its frame, without detections of a low score."""
        origin = Origin.of(pixels).searched(result.size_hw, self.settings.score)
        found = replace(result.detections, origin=origin)
        return replace(result, detections=found).above(self.min_score)
