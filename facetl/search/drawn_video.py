"""Annotated copies of videos: boxes, names, scores and tracks drawn on all their frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from facetl.data.images import Pixels
from facetl.data.overlays import draw_boxes, fit_panels, side_by_side
from facetl.data.shots import FrameSignature, frame_signature, is_cut
from facetl.data.side_streams import CopyPlan, copying_sides, plan_copy
from facetl.data.video import LONGEST_SIDE, VideoFrame, VideoReader, VideoWriter, writing_video
from facetl.errors import DamagedSoundError, NameTooLongError
from facetl.palette import track_colour
from facetl.reporting import Reporter
from facetl.results.captions import captions_of, colours_of_faces
from facetl.results.detections import Detections, FrameResult
from facetl.results.votes import NameVotes
from facetl.search.inputs import refuse_twins
from facetl.search.pipeline import Searched
from facetl.search.sinks import Sink
from facetl.search.video import FilmPicture, NamedVideo

DRAWN = "videos"
"""Folder of the annotated copies."""


class CopyDrawer(Protocol):
    """Draws a copy of one video, as results become known."""

    def show(self, searched: Searched[Any]) -> None:
        """Take a frame with what runs found in it."""

    def finish(self) -> None:
        """Write all frames that are left."""


MakeDrawer = Callable[[Iterator[VideoFrame], VideoWriter], CopyDrawer]
"""Makes what draws a copy, of all frames of a video and the writer of the copy."""


def drawing_boxes(characters: Sequence[str] = ()) -> MakeDrawer:
    """Return what draws copies with boxes on them.

    Args:
        characters: who can be recognised; each has a colour.
    """
    return partial(_DrawnVideo, characters=characters)


class DrawnVideos(Sink):
    """Draws the annotated copy of each video; a copy is put in place before the next one begins.

    Each copy is drawn from the first frame on, also where the first frames were searched before.

    Args:
        folder: where the copies go: MP4, or Matroska where MP4 cannot hold the sound.
        videos: those that are searched.
        reporter: is told which of them cannot be drawn.
        make_drawer: makes what draws a copy.

    Raises:
        InputError: if two videos would have one copy.
    """

    def __init__(
        self,
        folder: Path,
        videos: Sequence[NamedVideo],
        reporter: Reporter,
        make_drawer: MakeDrawer,
    ) -> None:
        self._make_drawer = make_drawer
        self._videos = {video.name: video for video in videos}
        self._plans = {name: plan_copy(each.reader.path) for name, each in self._videos.items()}
        self._paths = {
            name: _drawing_path(folder, name, plan.suffix) for name, plan in self._plans.items()
        }
        refuse_twins([video.reader.path for video in videos], list(self._paths.values()))
        self._reporter = reporter
        self._current: str | None = None
        self._drawn: CopyDrawer | None = None
        self._open = ExitStack()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._noting_damage():
            self._open.__exit__(kind, error, trace)

    def take(self, searched: Searched[Any]) -> None:
        """Draw all frames up to one that was searched; finish the video before."""
        picture = searched.picture
        if picture.video != self._current:
            with self._noting_damage():
                self._open.close()
            is_read = isinstance(picture, FilmPicture)
            self._current = picture.video
            self._drawn = self._begin(picture.video) if is_read else None
        if self._drawn and not searched.skipped:
            self._show(self._drawn, searched)

    def _show(self, drawn: CopyDrawer, searched: Searched[Any]) -> None:
        try:
            drawn.show(searched)
        except DamagedSoundError as error:
            with self._noting_damage():  # nothing is left of the copy
                self._open.__exit__(type(error), error, error.__traceback__)
                raise

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        """Go on without the copy of a video whose sound cannot be copied."""
        try:
            yield
        except DamagedSoundError as error:
            self._drawn = None
            self._reporter.note(f"{self._current} is searched and not drawn: {error}")

    def _begin(self, name: str) -> CopyDrawer | None:
        plan = self._plans[name]
        copy = self._copying(self._videos[name], self._paths[name], plan)
        try:
            drawn = self._open.enter_context(copy)
        except NameTooLongError as error:
            self._reporter.note(f"{name} is searched and not drawn: {error}")
            return None
        if plan.left_out:
            lost = ", ".join(plan.left_out)
            self._reporter.note(f"{name}: left out of its copy, as no container takes it: {lost}")
        return drawn

    @contextmanager
    def _copying(self, video: NamedVideo, path: Path, plan: CopyPlan) -> Iterator[CopyDrawer]:
        """Give what draws a copy of a video; the copy is put in place if the block succeeds."""
        reader = VideoReader(video.reader.path)
        with (
            closing(reader.frames()) as frames,
            copying_sides(reader.path, plan) as sides,
            writing_video(path, video.facts.rate, (sides, reader)) as writer,
        ):
            drawn = self._make_drawer(frames, writer)
            yield drawn
            drawn.finish()
        for fault in sides.faults:
            self._reporter.note(f"{video.name}: {fault}; the copy holds the rest")


def _drawing_path(folder: Path, name: str, suffix: str) -> Path:
    """Return where the copy of a video goes, of the container that has this suffix."""
    return folder / (name if name.lower().endswith(suffix) else name + suffix)


class _DrawnVideo:
    """Writes a copy of a video with the boxes drawn on it, as they become known.

    The video is read a second time beside the search, so that all its frames are in the copy and
    none has to wait in memory.  Between two frames that were searched the boxes of faces that
    are in both glide from one place to the other; other boxes stay, to the next cut at the
    latest.  With several runs, there is a panel for each.

    Where faces were named, a face that is followed is called what its boxes so far vote for: a
    copy is drawn while its video is searched.
    """

    def __init__(
        self, frames: Iterator[VideoFrame], writer: VideoWriter, characters: Sequence[str] = ()
    ) -> None:
        self._characters = characters
        self._votes: dict[str, defaultdict[int, NameVotes]] = {}
        self._frames = frames
        self._writer = writer
        self._next = next(frames, None)
        self._searched = 0
        self._results: Mapping[str, FrameResult] = {}
        self._look: FrameSignature | None = None

    def show(self, searched: Searched[Any]) -> None:
        """Take what was found in a frame; write all frames before it."""
        index, results = searched.picture.stamp.index, searched.results
        self._write_until(index, results)
        self._searched = index
        self._results = {
            run: _name_by_votes(result, self._votes.setdefault(run, defaultdict(NameVotes)))
            for run, result in results.items()
        }

    def finish(self) -> None:
        """Write all frames that are left."""
        self._write_until(None, {})

    def _write_until(self, index: int | None, results: Mapping[str, FrameResult]) -> None:
        while self._next is not None and (index is None or self._next.index < index):
            self._forget_other_scenes(self._next)
            shown = self._results
            if index is not None:
                share = (self._next.index - self._searched) / max(index - self._searched, 1)
                shown = {name: _glide(old, results[name], share) for name, old in shown.items()}
            drawn = _draw_results(self._next.pixels, shown, self._characters)
            self._writer.add(drawn, self._next.time)
            self._next = next(self._frames, None)

    def _forget_other_scenes(self, frame: VideoFrame) -> None:
        """Let go of boxes if the picture shows another scene than the one they were found in."""
        signature = frame_signature(frame.pixels)
        is_new = self._look is not None and is_cut(self._look, signature)
        self._look = signature
        if is_new and frame.index != self._searched:
            self._results = {name: _without_faces(old) for name, old in self._results.items()}


def _name_by_votes(result: FrameResult, votes: defaultdict[int, NameVotes]) -> FrameResult:
    """Return a result with the names of tracks so far, in which this frame has its votes too."""
    found = result.detections
    if found.names is None or found.name_scores is None:
        return result
    names = list(found.names)
    for row, (track, score) in enumerate(zip(_tracks(result), found.name_scores, strict=True)):
        if track is not None:
            votes[track].add(names[row], float(score))
            names[row] = votes[track].name or names[row]
    return replace(result, detections=replace(found, names=tuple(names)))


def _draw_results(
    pixels: Pixels, results: Mapping[str, FrameResult], characters: Sequence[str] = ()
) -> Pixels:
    """Return a frame with what was found; a panel for each run if there are several.

    Where they would be too large together, the panels are smaller than the frame.
    """
    seen, scale = fit_panels(pixels, len(results), LONGEST_SIDE)
    panels = [
        (
            f"{name}: {len(result.detections)} found",
            draw_boxes(
                seen,
                result.detections.boxes * scale,
                colour=_colours(result, characters),
                labels=_labels(result),
            ),
        )
        for name, result in results.items()
    ]
    return panels[0][1] if len(panels) == 1 else side_by_side(panels)


def _colours(result: FrameResult, characters: Sequence[str]) -> list[str]:
    """Return the colours of characters where faces were named, else of tracks."""
    if result.detections.names is not None:
        return colours_of_faces(result.detections, characters)
    return [track_colour(number) for number in _tracks(result)]


def _labels(result: FrameResult) -> list[str]:
    """Return ``#7 dexter 0.98`` for each box: without number where it follows no face."""
    return [
        text if number is None else f"#{number} {text}"
        for number, text in zip(_tracks(result), captions_of(result.detections), strict=True)
    ]


def _tracks(result: FrameResult) -> tuple[int | None, ...]:
    return result.tracks or (None,) * len(result.detections)


def _glide(before: FrameResult, after: FrameResult, share: float) -> FrameResult:
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


def _without_faces(result: FrameResult) -> FrameResult:
    """Return a result in which nothing was found."""
    tracks = None if result.tracks is None else ()
    return replace(result, detections=Detections.empty(), tracks=tracks)
