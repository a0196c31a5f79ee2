"""Videos for the commands: searched frame by frame, with memory that stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli.console import note, track
from facetl.cli.folders import describe_score, open_runs
from facetl.errors import InputError, NameTooLongError, VideoError

if TYPE_CHECKING:
    from facetl.cli.searching import Searching
    from facetl.data.images import Pixels
    from facetl.data.shots import FrameSignature
    from facetl.data.video import Sampling, VideoFacts, VideoFrame, VideoReader, VideoWriter
    from facetl.mtcnn.detector import Detector
    from facetl.results.detections import FrameResult
    from facetl.results.json_file import RunWriter
    from facetl.search.pipeline import NamedImage, Searched
    from facetl.search.settings import Settings
    from facetl.search.video import FilmPicture

DRAWN = "videos"


@dataclass(frozen=True)
class Viewing:
    """How videos are looked at.

    Attributes:
        every: which frames count.
        skip_still: carry boxes over to frames that show the same as the one before.
        draw: write annotated videos as well.
    """

    every: Sampling
    skip_still: bool
    draw: bool

    @classmethod
    def of(cls, every: Sampling | None, skip_still: bool, draw: bool) -> Viewing:
        """Return what the options say; without ``every`` all frames count."""
        from facetl.data.video import Sampling

        return cls(every or Sampling(), skip_still, draw)


@dataclass(frozen=True)
class NamedVideo:
    """A video that can be read, and how results call it."""

    name: str
    reader: VideoReader
    facts: VideoFacts

    def frames(self, every: Sampling, doing: str) -> Iterator[VideoFrame]:
        """Yield the frames that count, with a progress bar."""
        frames = self.reader.frames(every)
        return track(frames, f"{doing} {self.name}", self.facts.count(every))

    def search(
        self,
        every: Sampling,
        detectors: Mapping[str, Detector],
        settings: Mapping[str, Settings],
        how: Searching,
        *,
        skip_still: bool = False,
    ) -> Iterator[Searched[FilmPicture]]:
        """Yield the frames that count as they are searched by all detectors."""
        from facetl.search.video import search_video

        return search_video(
            self.name,
            self.frames(every, "searching"),
            detectors,
            settings,
            how.batch_size,
            how.workers,
            skip_still=skip_still,
        )

    def tell_faults(self) -> list[str]:
        """Say on stderr what was wrong with the file; return it."""
        for fault in self.reader.faults:
            note(f"{self.reader.path}: {fault}; what was read counts")
        return self.reader.faults


@dataclass
class VideoTally:
    """What is remembered of a run over videos: counts.

    Attributes:
        score: from which boxes count as faces; a track counts if one of its boxes does.
    """

    score: float
    frames: int = 0
    carried: int = 0
    boxes: int = 0
    faces: int = 0
    seconds: float = 0.0
    _tracks: dict[str, set[int]] = field(default_factory=dict)

    @property
    def tracks(self) -> int:
        """How many faces were followed."""
        return sum(map(len, self._tracks.values()))

    def add(self, video: str, result: FrameResult) -> None:
        """Count what was found in a frame."""
        self.frames += 1
        self.carried += result.carried
        self.seconds += result.seconds
        shown = result.above(self.score)
        self.boxes += len(result.detections)
        self.faces += len(shown.detections)
        numbers = (number for number in shown.tracks or () if number is not None)
        self._tracks.setdefault(video, set()).update(numbers)

    def describe(self) -> str:
        """Return the counts in words."""
        searched = self.frames - self.carried
        carried = f" ({self.carried} carried over)" if self.carried else ""
        pace = self.seconds / max(searched, 1)
        return (
            f"{self.faces} boxes and {self.tracks} tracks in {self.frames} frames{carried}, "
            f"{pace:.3f} s a frame searched\n{describe_score(self.score, self.boxes)}"
        )


def search_videos(
    videos: Sequence[NamedImage],
    detectors: Mapping[str, Detector],
    settings: Mapping[str, Settings],
    facts: Mapping[str, Mapping[str, Any]],
    how: Searching,
    viewing: Viewing,
    out: Path,
) -> bool:
    """Search videos with all detectors and write what is found; return whether all was well.

    Args:
        videos: files, and how results call them.
        detectors: by name of their run.
        settings: how each of them searches.
        facts: what else the detections files say of their settings, by name.
        how: where and how the work is done.
        viewing: which frames are looked at, and how.
        out: folder of the detections files.

    Raises:
        InputError: if two videos would have one name, or one annotated copy.
        VideoError: if no video can be read.
    """
    ready, unreadable = open_videos(videos)
    if viewing.draw:
        _refuse_twins(
            [each.reader.path for each in ready], [drawing_path(out, each.name) for each in ready]
        )
    described = {
        name: {**settings[name].to_json(), **facts[name], **_describe(ready, viewing)}
        for name in detectors
    }
    tallies = {name: VideoTally(settings[name].score) for name in detectors}
    with open_runs(out, described) as writers:
        search = partial(_search_one, detectors, settings, how, viewing, out)
        whole = [_record(video, search(video), writers, tallies) for video in ready]
        for name, reason in unreadable.items():
            _skip(writers, name, reason)
    for name, tally in tallies.items():
        click.echo(f"{name}: {tally.describe()}")
    click.echo(f"wrote {out}" + (f" and {out / DRAWN}" if viewing.draw else ""))
    return all(whole) and not unreadable


def open_videos(videos: Sequence[NamedImage]) -> tuple[list[NamedVideo], dict[str, str]]:
    """Return the videos that can be read, and why the others cannot, by name.

    Raises:
        InputError: if two would have one name.
        VideoError: if none can be read.
    """
    from facetl.data.video import VideoReader

    ready, unreadable = [], {}
    for each in name_videos(videos):
        reader = VideoReader(each.path)
        try:
            ready.append(NamedVideo(each.name, reader, reader.facts()))
        except VideoError as error:
            if len(videos) == 1:
                raise
            unreadable[each.name] = str(error)
            note(f"skipped {error}")
    if not ready:
        raise VideoError(f"none of the {len(videos)} videos could be read; give others")
    return ready, unreadable


def name_videos(videos: Sequence[NamedImage]) -> list[NamedImage]:
    """Return the videos with names of folders, where their frames go: without slashes.

    Raises:
        InputError: if two would have one name.
    """
    named = [replace(each, name=each.name.replace("/", "-")) for each in videos]
    _refuse_twins([each.path for each in named], [each.name for each in named])
    return named


def _refuse_twins(videos: Sequence[Path], names: Sequence[object]) -> None:
    """Raise if two videos would go by one name.

    Raises:
        InputError: naming both, and the way out.
    """
    first: dict[object, Path] = {}
    for path, name in zip(videos, names, strict=True):
        if name in first:
            raise InputError(
                f"{first[name]} and {path}: both would be called {name}; "
                "rename one, or search them one by one"
            )
        first[name] = path


def _describe(videos: Sequence[NamedVideo], viewing: Viewing) -> dict[str, Any]:
    """Return what the detections file says of the videos."""
    return {
        "every": str(viewing.every),
        "skip_still": viewing.skip_still,
        "frame_rates": {video.name: round(float(video.facts.rate), 3) for video in videos},
    }


def _search_one(
    detectors: Mapping[str, Detector],
    settings: Mapping[str, Settings],
    how: Searching,
    viewing: Viewing,
    out: Path,
    video: NamedVideo,
) -> Iterator[dict[str, FrameResult]]:
    """Yield what all runs have for each frame of a video that counts; draw it on the way."""
    from facetl.search.pipeline import results_above
    from facetl.search.video import link_results

    scores = {name: each.score for name, each in settings.items()}
    found = video.search(viewing.every, detectors, settings, how, skip_still=viewing.skip_still)
    linked = link_results(found, viewing.every.step(float(video.facts.rate)))
    if not viewing.draw:
        yield from (results for _, results in linked)
        return
    with ExitStack() as stack:
        drawn = None
        try:
            drawn = stack.enter_context(drawing(video, drawing_path(out, video.name)))
        except NameTooLongError as error:
            note(f"{video.name} is searched and not drawn: {error}")
        for stamp, results in linked:
            if drawn:
                drawn.show(stamp.index, results_above(results, scores))
            yield results


def _record(
    video: NamedVideo,
    search: Iterator[dict[str, FrameResult]],
    writers: Mapping[str, RunWriter],
    tallies: Mapping[str, VideoTally],
) -> bool:
    """Write down what is found in a video; return whether all of it could be read."""
    for results in search:
        for name, result in results.items():
            writers[name].add(result)
            tallies[name].add(video.name, result)
    faults = video.tell_faults()
    for fault in faults:
        _skip(writers, video.name, fault)
    return not faults


def _skip(writers: Mapping[str, RunWriter], name: str, reason: str) -> None:
    from facetl.results.detections import Skipped

    for writer in writers.values():
        writer.skip(Skipped(name, reason))


def drawing_path(out: Path, name: str) -> Path:
    """Return where the annotated copy of a video goes, always an MP4."""
    return out / DRAWN / (name if name.lower().endswith(".mp4") else f"{name}.mp4")


@contextmanager
def drawing(video: NamedVideo, path: Path) -> Iterator[DrawnVideo]:
    """Give what draws a copy of a video; the copy is put in place if the block succeeds."""
    from facetl.data.video import VideoReader, writing_video

    frames = VideoReader(video.reader.path).frames()
    with closing(frames), writing_video(path, video.facts.rate) as writer:
        drawn = DrawnVideo(frames, writer)
        yield drawn
        drawn.finish()


class DrawnVideo:
    """Writes a video anew with the boxes drawn on it, as they become known.

    The video is read a second time beside the search, so that all its frames are in the copy and
    none has to wait in memory.  Between two frames that were searched the boxes of faces that
    are in both glide from one place to the other; other boxes stay, to the next cut at the
    latest.  With several runs, there is a panel for each.
    """

    def __init__(self, frames: Iterator[VideoFrame], writer: VideoWriter) -> None:
        self._frames = frames
        self._writer = writer
        self._next = next(frames, None)
        self._searched = 0
        self._results: Mapping[str, FrameResult] = {}
        self._signature: FrameSignature | None = None

    def show(self, index: int, results: Mapping[str, FrameResult]) -> None:
        """Take what was found in frame ``index``; write all frames before it."""
        self._write_until(index, results)
        self._searched, self._results = index, results

    def finish(self) -> None:
        """Write all frames that are left."""
        self._write_until(None, {})

    def _write_until(self, index: int | None, results: Mapping[str, FrameResult]) -> None:
        from facetl.search.video import glide

        while self._next is not None and (index is None or self._next.index < index):
            self._forget_other_scenes(self._next)
            shown = self._results
            if index is not None:
                share = (self._next.index - self._searched) / max(index - self._searched, 1)
                shown = {name: glide(old, results[name], share) for name, old in shown.items()}
            self._writer.add(draw_results(self._next.pixels, shown), self._next.time)
            self._next = next(self._frames, None)

    def _forget_other_scenes(self, frame: VideoFrame) -> None:
        """Let go of boxes if the picture shows another scene than the one they were found in."""
        from facetl.data.shots import frame_signature, is_cut
        from facetl.search.video import without_faces

        signature = frame_signature(frame.pixels)
        is_new = self._signature is not None and is_cut(self._signature, signature)
        self._signature = signature
        if is_new and frame.index != self._searched:
            self._results = {name: without_faces(old) for name, old in self._results.items()}


def draw_results(pixels: Pixels, results: Mapping[str, FrameResult]) -> Pixels:
    """Return a frame with boxes, tracks and scores; a panel for each run if there are several.

    Where they would be too large together, the panels are smaller than the frame.
    """
    from facetl.data.overlays import draw_boxes, fit_panels, side_by_side
    from facetl.data.video import LONGEST_SIDE
    from facetl.palette import track_colour

    seen, scale = fit_panels(pixels, len(results), LONGEST_SIDE)
    panels = [
        (
            f"{name}: {len(result.detections)} found",
            draw_boxes(
                seen,
                result.detections.boxes * scale,
                colour=[track_colour(number) for number in _tracks(result)],
                labels=_labels(result),
            ),
        )
        for name, result in results.items()
    ]
    return panels[0][1] if len(panels) == 1 else side_by_side(panels)


def _labels(result: FrameResult) -> list[str]:
    """Return ``#7 0.98`` for each box, without the number where it follows no face."""
    return [
        f"{score:.2f}" if number is None else f"#{number} {score:.2f}"
        for number, score in zip(_tracks(result), result.detections.scores, strict=True)
    ]


def _tracks(result: FrameResult) -> tuple[int | None, ...]:
    return result.tracks or (None,) * len(result.detections)
