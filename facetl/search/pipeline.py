"""Several detectors over the same pictures: each picture is read once, each detector is timed.

Pictures of any kind go in one after the other and are forgotten once they are searched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

from facetl.data.images import Pixels, load_image
from facetl.errors import ImageError
from facetl.results.detections import Detections, FrameResult, Skipped
from facetl.search.parallel import ROOM, in_batches, in_parallel, most_waiting
from facetl.search.settings import BATCH_SIZE, Settings

Progress = Callable[[int, int | None], object]
"""Is told how much is done and of how much, None where nobody knows."""


@dataclass(frozen=True)
class Search:
    """What a search of one image gave.

    Attributes:
        detections: the faces, best score first.
        candidates: windows left after each stage: ``pnet``, ``rnet``, ``onet``.
        size_hw: height and width of the image in pixels.
    """

    detections: Detections
    candidates: dict[str, int]
    size_hw: tuple[int, int] | None = None


class Searcher(Protocol):
    """What finds faces in images: a :class:`facetl.mtcnn.detector.Detector`, or the like of it."""

    @property
    def device(self) -> str:
        """Where its networks run: ``cpu``, or what torch calls another device."""

    def search(
        self,
        images: Iterable[Pixels],
        settings: Settings,
        batch_size: int = BATCH_SIZE,
        workers: int = 1,
    ) -> Iterable[Search]:
        """Yield what is found in each image, in order, by so many threads at most."""


@dataclass(frozen=True)
class SearchRun:
    """One set of weights, how it searches, and where its results go.

    Attributes:
        name: the name of the run in results.
        detector: what searches.
        settings: how it searches.
        facts: JSON-able, what else the results say of how they were made.
        path: the file or folder of the results, if there is any.
    """

    name: str
    detector: Searcher
    settings: Settings
    facts: Mapping[str, Any] = field(default_factory=dict)
    path: Path = Path()

    @property
    def described(self) -> dict[str, Any]:
        """JSON-able settings that made the results."""
        return {**self.settings.to_json(), **self.facts}

    @property
    def lasting(self) -> dict[str, Any]:
        """Those of :attr:`described` on which results depend, or the score they are shown from.

        A search that is resumed must have the same.  Only torch's last digits depend on which
        pictures share a batch; of videos, whose large frames share smaller ones, the number of
        workers plays a part in that too.
        """
        told = self.described
        is_exact = told.get("engine") != "torch"
        passing = {
            "command": True,
            "batch_size": is_exact,
            "workers": is_exact or "frame_rates" not in told,
        }
        return {key: value for key, value in told.items() if not passing.get(key)}


class _Searchable(Protocol):
    """What can be searched: it has a name, and its pixels when they are needed."""

    @property
    def name(self) -> str:
        """Its name in results."""

    @property
    def video(self) -> str | None:
        """The name of the video that it is a frame of; None for an image."""

    @property
    def held(self) -> int:
        """How many pixels it keeps in memory while it waits."""

    def load(self) -> Pixels:
        """Return (H, W, 3) RGB pixels."""


_AnySearchable = TypeVar("_AnySearchable", bound=_Searchable)


@dataclass(frozen=True)
class NamedImage:
    """An image on disk and what it is called in results."""

    name: str
    path: Path
    video: None = None

    @property
    def held(self) -> int:
        """None: they are on disk."""
        return 0

    def load(self) -> Pixels:
        """Read the image."""
        return load_image(self.path)


Watch = Callable[[str, Pixels, Mapping[str, FrameResult]], None]
"""Is shown each picture once it is searched, while its pixels are there, by any of the workers:
its name, the pixels, and what each run found."""

Found = dict[str, FrameResult] | Skipped
"""What all runs have for a picture, by name, or why it could not be searched."""


@dataclass(frozen=True)
class Searched(Generic[_AnySearchable]):
    """A picture that has been searched.

    Attributes:
        picture: which.
        results: what each run found, by name; empty if it could not be read.
        skipped: why not, if it could not be read.
        is_known: whether the results of an earlier search hold it, which is resumed.
        is_cut: whether it is the first frame of a shot of a video, but not of the first one.
    """

    picture: _AnySearchable
    results: dict[str, FrameResult]
    skipped: Skipped | None = None
    is_known: bool = False
    is_cut: bool = False

    @classmethod
    def of(cls, picture: _AnySearchable, found: Found, *, is_known: bool = False) -> Self:
        """Return a picture with what was found in it."""
        if isinstance(found, Skipped):
            return cls(picture, {}, found, is_known)
        return cls(picture, found, None, is_known)

    def above(self, scores: Mapping[str, float]) -> Self:
        """Return the same with the detections alone that reach the score of their run."""
        shown = {name: result.above(scores[name]) for name, result in self.results.items()}
        return replace(self, results=shown)


def search_all(
    runs: Sequence[SearchRun],
    pictures: Iterable[_AnySearchable],
    batch_size: int = BATCH_SIZE,
    workers: int = 1,
    room: int = ROOM,
    threads: int = 1,
    recall: Callable[[_AnySearchable], dict[str, FrameResult] | None] = lambda _: None,
    watch: Watch | None = None,
) -> Iterator[Searched[_AnySearchable]]:
    """Yield what all runs find in each picture, in order; memory stays flat.

    The pictures are taken from the calling thread, a few batches ahead of the search, so that
    a video is decoded while frames before are searched.  Where its frames are large, there are
    fewer in a batch.

    Args:
        runs: detectors, and how they search.
        pictures: what to search.
        batch_size: pictures that go through the networks together.
        workers: batches searched side by side; 1 on a GPU.
        room: pixels that may be held by pictures at once, if a picture for each of the batches
            does not hold more.
        threads: that each batch may use, if the detector can.
        recall: tells what an earlier search found in a picture, None if nobody knows.  A batch is
            searched unless all of it is known, for torch's last digits depend on all of it.
        watch: is shown what is searched.
    """
    if any(run.detector.device != "cpu" for run in runs):
        workers = 1  # they would share one GPU's memory, and gain nothing
    search = partial(_search_batch, runs, share=1 / workers, threads=threads, watch=watch)
    share_of_room = room / most_waiting(workers)
    batches = in_batches(pictures, batch_size, share_of_room, lambda picture: picture.held)
    recalled = ([(picture, recall(picture)) for picture in batch] for batch in batches)
    for searched in in_parallel(search, recalled, workers):
        yield from searched


def search_list(
    runs: Sequence[SearchRun],
    pictures: Sequence[_AnySearchable],
    batch_size: int = BATCH_SIZE,
    workers: int = 1,
    watch: Watch | None = None,
) -> Iterator[Searched[_AnySearchable]]:
    """Yield what :func:`search_all` does, in batches small enough for all workers to get some.

    Where there are fewer batches than workers, those that are left share the work on each.
    """
    size = min(batch_size, -(-len(pictures) // workers) or 1)
    batches = -(-len(pictures) // size)
    used = min(workers, batches) or 1
    return search_all(runs, pictures, size, used, threads=workers // used, watch=watch)


def _search_batch(
    runs: Sequence[SearchRun],
    batch: Sequence[tuple[_AnySearchable, dict[str, FrameResult] | None]],
    share: float,
    threads: int,
    watch: Watch | None,
) -> list[Searched[_AnySearchable]]:
    """Return what all runs find; ``share`` of a batch's time is its own."""
    known = [Searched(picture, results) for picture, results in batch if results is not None]
    if len(known) == len(batch):
        return known
    pictures = [picture for picture, _ in batch]
    readable, skipped = _load_readable(pictures)
    results: list[dict[str, FrameResult]] = [{} for _ in batch]
    named = [(pictures[place].name, pixels) for place, pixels in readable.items()]
    for run in runs:
        found = _search(run, named, share, threads)
        for place, result in zip(readable, found, strict=True):
            results[place][run.name] = result
    if watch:
        for place, pixels in readable.items():
            watch(pictures[place].name, pixels, results[place])
    return [
        Searched(picture, results[place], skipped.get(place))
        for place, picture in enumerate(pictures)
    ]


def _load_readable(
    batch: Sequence[_AnySearchable],
) -> tuple[dict[int, Pixels], dict[int, Skipped]]:
    """Return the pixels of what can be read, and why the rest cannot, by place in the batch."""
    readable, skipped = {}, {}
    for place, picture in enumerate(batch):
        try:
            readable[place] = picture.load()
        except ImageError as error:
            skipped[place] = Skipped(picture.name, str(error))
    return readable, skipped


def _search(
    run: SearchRun, images: Sequence[tuple[str, Pixels]], share: float, threads: int
) -> Iterator[FrameResult]:
    """Yield what one detector finds, each with an equal part of the time that all took."""
    began = time.perf_counter()
    pixels = [image for _, image in images]
    found = list(run.detector.search(pixels, run.settings, max(len(images), 1), threads))
    seconds = (time.perf_counter() - began) * share / max(len(images), 1)
    for (name, image), search in zip(images, found, strict=True):
        height, width = image.shape[:2]
        yield FrameResult(
            name, (height, width), search.detections, search.candidates, round(seconds, 6)
        )
