"""A video searched: its frames as pictures with names, and what was found linked over time."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facetl.data.held_frames import HeldFrame, Timestamp, group_held_frames
from facetl.data.images import Pixels
from facetl.data.shots import FrameSignature, frame_signature, is_cut
from facetl.data.tracks import FaceTracker
from facetl.data.video import Sampling, VideoFacts, VideoFrame, VideoReader
from facetl.reporting import Reporter
from facetl.results.detections import Detections, FrameResult
from facetl.results.origin import Origin
from facetl.search.pipeline import BATCH_SIZE, Progress, Searched, Searcher, search_all
from facetl.search.settings import Settings


@dataclass(frozen=True, eq=False)
class FilmPicture:
    """A frame of a video to be searched, with the still ones that follow it.

    Attributes:
        video: how results call the video.
        moment: the frames.
    """

    video: str
    held_frame: HeldFrame

    @property
    def name(self) -> str:
        """How results call the frame."""
        return frame_name(self.video, self.held_frame.frame.index)

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
    detectors: Mapping[str, Searcher],
    settings: Mapping[str, Settings],
    batch_size: int = BATCH_SIZE,
    workers: int = 1,
    *,
    skip_still: bool = False,
) -> Iterator[Searched[FilmPicture]]:
    """Yield the frames of a video as all detectors search them, in order.

    Args:
        video: how results call it.
        frames: those that count.
        detectors: by name of their run.
        settings: how each of them searches, by name.
        batch_size: frames that go through the networks together.
        workers: batches searched side by side.
        skip_still: leave out frames that show the same as the one before; they come with it.
    """
    held_frames = group_held_frames(frames) if skip_still else map(HeldFrame, frames)
    pictures = (FilmPicture(video, held_frame) for held_frame in held_frames)
    return search_all(detectors, settings, pictures, batch_size, workers)


def link_results(
    found: Iterable[Searched[FilmPicture]], step: float
) -> Iterator[tuple[Timestamp, dict[str, FrameResult]]]:
    """Yield each frame's number and time, and what each run has for it: tracks, still frames too.

    A frame comes when the next one is known, which tells whose first frame it was.

    Args:
        found: the moments of one video, searched, in order.
        step: seconds from one frame to the next, on average.
    """
    trackers: dict[str, FaceTracker] = {}
    before: FrameSignature | None = None
    waiting: tuple[Timestamp, dict[str, FrameResult]] | None = None
    for searched in found:
        signature = frame_signature(searched.picture.load())
        cut = before is not None and is_cut(before, signature)
        before = signature
        for stamp, results in _spread(searched):
            linked = {
                run: _link(result, trackers.setdefault(run, FaceTracker(step)), stamp.time, cut=cut)
                for run, result in results.items()
            }
            if waiting:
                yield waiting[0], _look_back(waiting[1], trackers)
            waiting = stamp, linked
            cut = False
    if waiting:
        yield waiting


def _spread(
    searched: Searched[FilmPicture],
) -> Iterator[tuple[Timestamp, dict[str, FrameResult]]]:
    """Yield what is known of each frame of a moment: still ones show what the first does."""
    first, *still = searched.picture.held_frame.stamps
    yield first, searched.results
    for stamp in still:
        name = frame_name(searched.picture.video, stamp.index)
        yield (
            stamp,
            {
                run: replace(result, image=name, candidates={}, seconds=0.0, carried=True)
                for run, result in searched.results.items()
            },
        )


def _link(result: FrameResult, tracker: FaceTracker, time: float, *, cut: bool) -> FrameResult:
    found = result.detections
    tracks = tracker.follow(found.boxes, found.scores, time, cut=cut)
    return replace(result, time=time, tracks=tracks)


def _look_back(
    results: Mapping[str, FrameResult], trackers: Mapping[str, FaceTracker]
) -> dict[str, FrameResult]:
    """Return a frame's results with the numbers that are known one frame later."""
    return {
        run: replace(result, tracks=trackers[run].amend(result.tracks or ()))
        for run, result in results.items()
    }


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
        frames: dict[int, Pixels] = {}
        found = search_video(
            reader.path.name,
            reader.frames(every),
            {"": self.detector},
            {"": self.settings},
            self.batch_size,
            self.workers,
        )
        linked = link_results(_hold(found, frames), every.step(float(facts.rate)))
        for number, (stamp, results) in enumerate(linked, 1):
            pixels = frames.pop(stamp.index)  # held here as long as the result is looked at
            if self.progress:
                self.progress(number, facts.count(every))
            yield self._finish(results[""], pixels)
        for fault in reader.faults:
            warnings.warn(f"{reader.path}: {fault}; what was read counts", stacklevel=2)

    def _finish(self, result: FrameResult, pixels: Pixels) -> FrameResult:
        """Return a result that knows its frame, without detections of a low score."""
        origin = Origin.of(pixels).searched(result.size_hw, self.settings.score)
        found = replace(result.detections, origin=origin)
        return replace(result, detections=found).above(self.min_score)


def _hold(
    found: Iterable[Searched[FilmPicture]], frames: dict[int, Pixels]
) -> Iterator[Searched[FilmPicture]]:
    """Yield what is found, and keep the pixels in ``frames`` by the number of the frame."""
    for searched in found:
        frame = searched.picture.held_frame.frame
        frames[frame.index] = frame.pixels
        yield searched


def glide(before: FrameResult, after: FrameResult, share: float) -> FrameResult:
    """Return what a frame between two searched ones shows: faces that are in both move evenly.

    Args:
        before: what was found in the earlier frame; its boxes are shown.
        after: what was found in the later one.
        share: how far the frame lies from the earlier to the later one, 0 to 1.
    """
    if before.tracks is None or after.tracks is None:
        return before
    later = dict(zip(after.tracks, after.detections.boxes, strict=True))
    boxes = before.detections.boxes.copy()
    for row, track in enumerate(before.tracks):
        if track is not None and track in later:
            boxes[row] += np.float32(share) * (later[track] - boxes[row])
    return replace(before, detections=replace(before.detections, boxes=boxes))


def without_faces(result: FrameResult) -> FrameResult:
    """Return a result in which nothing was found."""
    tracks = None if result.tracks is None else ()
    return replace(result, detections=Detections.empty(), tracks=tracks)
