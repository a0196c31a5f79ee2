"""Where pictures come from: images, then one video after the other; and what is known of them.

A search that is resumed goes over its pictures in the same order as the one that was interrupted.
What that one has found comes from its files, so that nothing is searched twice.  A video in the
middle of which it ended is decoded from its beginning: tracks depend on all frames before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, repeat, takewhile
from typing import Any, Protocol

from facetl.data.images import Pixels
from facetl.errors import ImageError, OutputError
from facetl.reporting import Reporter
from facetl.results.detections import FrameResult, Skipped
from facetl.search.pipeline import (
    Found,
    NamedImage,
    Searched,
    SearchRun,
    Watch,
    search_all,
    search_list,
)
from facetl.search.video import FilmPicture, NamedVideo, Viewing, link_results, search_video


@dataclass(frozen=True)
class PastPicture:
    """A picture that is not read, or not again: an earlier search has seen it, or it is damaged."""

    name: str
    video: str | None = None
    held: int = 0

    def load(self) -> Pixels:
        """Raise: there are no pixels.

        Raises:
            ImageError: always.
        """
        raise ImageError(f"{self.name} was not read; search it again")


@dataclass(frozen=True)
class Effort:
    """How a search is done.

    Attributes:
        runs: detectors, how they search, and where their results go.
        batch_size: pictures that go through the networks together.
        workers: batches searched side by side.
        reporter: is told how the search gets on.
        watch: is shown each image once it is searched.
    """

    runs: Sequence[SearchRun]
    batch_size: int
    workers: int
    reporter: Reporter
    watch: Watch | None = None


@dataclass(frozen=True)
class Done:
    """What an earlier search has done, which is resumed: of all pictures, or of one source's.

    Attributes:
        names: of the pictures, in order; for what is wrong with a video, the name of the video.
        entries: what was found, one for each name, perhaps with those of later sources.
        is_finished: whether it came to its end.
    """

    names: Sequence[str] = ()
    entries: Iterator[Found] = field(default_factory=lambda: iter(()))
    is_finished: bool = False

    @property
    def count(self) -> int:
        """Of how many pictures it is known what was found, from the first one on."""
        return len(self.names)

    def recalled(self, pictures: Iterable[Any]) -> Iterator[Searched[Any]]:
        """Yield pictures, in order, with what is known of them."""
        for picture, found in zip(pictures, self.entries, strict=False):
            yield Searched.of(picture, found, is_known=True)


class _Source(Protocol):
    """Pictures that are searched together."""

    def count_own(self, names: Iterator[str]) -> int:
        """Return how many names of results are those of its pictures, from the first one on."""

    def search(self, effort: Effort, known: Done) -> Iterator[Searched[Any]]:
        """Yield its pictures as they are searched; those first that are known."""


@dataclass(frozen=True)
class _ImageSource:
    """Images on disk; unless results come as a stream, batches are small enough for all workers."""

    images: Sequence[NamedImage]
    is_stream: bool = False

    def count_own(self, names: Iterator[str]) -> int:
        """Return how many names are those of the images, from the first one on."""
        same = (name == image.name for name, image in zip(names, self.images, strict=False))
        return sum(takewhile(bool, same))

    def search(self, effort: Effort, known: Done) -> Iterator[Searched[Any]]:
        """Yield the images as they are searched."""
        yield from known.recalled(self.images[: known.count])
        left = self.images[known.count :]
        searching = search_all if self.is_stream else search_list
        found = searching(effort.runs, left, effort.batch_size, effort.workers, watch=effort.watch)
        for searched in effort.reporter.track(found, "searching", len(left)):
            if searched.skipped:
                effort.reporter.note(f"skipped {searched.skipped.reason}")
            yield searched


@dataclass(frozen=True)
class _VideoSource:
    """The frames of a video."""

    video: NamedVideo
    viewing: Viewing

    def count_own(self, names: Iterator[str]) -> int:
        """Return how many names are those of the frames, or of the video itself."""
        return _count_below(self.video.name, names)

    def search(self, effort: Effort, known: Done) -> Iterator[Searched[Any]]:
        """Yield the frames as they are searched and linked; at the end, what could not be read."""
        if known.is_finished:
            past = PastPicture(self.video.name, self.video.name)
            yield from known.recalled(repeat(past, known.count))
            return
        number = 0
        for number, searched in enumerate(self._search(effort, known), 1):
            yield replace(searched, is_known=number <= known.count)
        if number < known.count:
            raise _other_frames(effort, self.video.name)

    def _search(self, effort: Effort, known: Done) -> Iterator[Searched[Any]]:
        every, video = self.viewing.every, self.video
        found = search_video(
            video.name,
            video.frames(every, "searching", effort.reporter),
            effort.runs,
            effort.batch_size,
            effort.workers,
            skip_still=self.viewing.skip_still,
            recall=partial(_recall, effort, islice(known.entries, known.count)),
        )
        yield from link_results(found, every.step(float(video.facts.rate)))
        past = PastPicture(video.name, video.name)
        for fault in video.note_faults(effort.reporter):
            yield Searched(past, {}, Skipped(video.name, fault))


@dataclass(frozen=True)
class _Unreadable:
    """Videos that cannot be read, and why not, by name."""

    reasons: Mapping[str, str]

    def count_own(self, names: Iterator[str]) -> int:
        """Return how many names are those of the videos."""
        return sum(takewhile(bool, (name in self.reasons for name in names)))

    def search(self, effort: Effort, known: Done) -> Iterator[Searched[Any]]:
        """Yield each of the videos as skipped."""
        for number, (name, reason) in enumerate(self.reasons.items()):
            skipped = Skipped(name, reason)
            yield Searched(PastPicture(name, name), {}, skipped, number < known.count)


@dataclass(frozen=True)
class Pictures:
    """All that is searched, in the order of the results: images, videos, what cannot be read.

    Attributes:
        images: searched first.
        videos: searched one after the other.
        unreadable: why other videos cannot be searched, by name.
        viewing: which frames of videos are searched.
        is_stream: whether results are written as they come.
    """

    images: Sequence[NamedImage]
    videos: Sequence[NamedVideo] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    viewing: Viewing = field(default_factory=Viewing)
    is_stream: bool = False

    def search(self, effort: Effort, done: Done | None = None) -> Iterator[Searched[Any]]:
        """Yield all pictures as they are searched, those first that an earlier search has done."""
        done = done or Done()
        left = done.names
        for source, count in zip(self._sources, self._shares(done.names), strict=True):
            own, left = left[:count], left[count:]
            is_all = done.is_finished or len(left) > 0  # a later source has been begun
            yield from source.search(effort, Done(own, done.entries, is_all))

    def restart(self, names: Sequence[str], batch_size: int) -> int | None:
        """Return how many pictures need not be searched again; None if they are others than these.

        Args:
            names: of the pictures that are done.
            batch_size: images that are searched together: of a batch all are done, or none.
        """
        if sum(self._shares(names)) < len(names):
            return None
        are_left = len(names) < len(self.images)
        return len(names) - (len(names) % batch_size if are_left else 0)

    @property
    def _sources(self) -> list[_Source]:
        images = [_ImageSource(self.images, self.is_stream)] if self.images else []
        videos = [_VideoSource(video, self.viewing) for video in self.videos]
        return [*images, *videos, _Unreadable(self.unreadable)]

    def _shares(self, names: Sequence[str]) -> list[int]:
        """Return how many of the names belong to each source; with images left, none to a video."""
        shares: list[int] = []
        for source in self._sources:
            own = source.count_own(islice(names, sum(shares), None))
            are_left = sum(shares) < len(self.images) and len(shares) > 0
            shares.append(0 if are_left else own)
        return shares


def found_by_all(readers: Mapping[str, Iterator[FrameResult | Skipped]]) -> Iterator[Found]:
    """Yield what all runs have found in each picture.

    Args:
        readers: what each run has found, by name of the run.
    """
    for found in zip(*readers.values(), strict=True):
        results = {n: r for n, r in zip(readers, found, strict=True) if isinstance(r, FrameResult)}
        skipped = [each for each in found if isinstance(each, Skipped)]
        yield skipped[0] if skipped else results


def _count_below(video: str, names: Iterator[str]) -> int:
    """Return how many names, from the first one on, are those of a video or of its frames."""
    return sum(takewhile(bool, (f"{name}/".startswith(f"{video}/") for name in names)))


def _recall(
    effort: Effort, entries: Iterator[Found], picture: FilmPicture
) -> dict[str, FrameResult] | None:
    """Return what is known of a moment of a video, None where the earlier search had not come."""
    known = list(islice(entries, len(picture.held_frame.stamps)))
    if not known:
        return None
    first = known[0]
    if isinstance(first, Skipped) or any(each.image != picture.name for each in first.values()):
        raise _other_frames(effort, picture.video)
    return {run: replace(each, tracks=None) for run, each in first.items()}


def _other_frames(effort: Effort, video: str) -> OutputError:
    return OutputError(
        f"{effort.runs[0].path}: holds other frames of {video} than are to be searched; resume "
        "with the same video, or start over with --force"
    )
