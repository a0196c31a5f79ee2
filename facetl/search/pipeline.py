"""Several detectors over the same images: each image is read once, each detector is timed.

:func:`search_all` is the stream, in which images of any kind go in one after the other and are
forgotten once they are searched; :class:`SideBySide` remembers what was found in a list of images.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from facetl.data.images import Pixels, load_image
from facetl.errors import ImageError
from facetl.results.detections import Detections, FrameResult, Run, Skipped
from facetl.search.parallel import ROOM, in_batches, in_parallel, most_waiting
from facetl.search.settings import Settings

BATCH_SIZE = 4
"""Images searched together: fewer leave torch idle, more don't fit into the processor's cache."""

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
    def device(self) -> Any:
        """Where its networks run, a ``torch.device``."""

    def search(
        self, images: Iterable[Pixels], settings: Settings, batch_size: int = BATCH_SIZE
    ) -> Iterable[Search]:
        """Yield what is found in each image, in order."""


class Searchable(Protocol):
    """What can be searched: it has a name, and its pixels when they are needed."""

    @property
    def name(self) -> str:
        """How results call it."""

    @property
    def held(self) -> int:
        """How many pixels it keeps in memory while it waits."""

    def load(self) -> Pixels:
        """Return (H, W, 3) RGB pixels.

        Raises:
            ImageError: if it cannot be read.
        """


AnySearchable = TypeVar("AnySearchable", bound=Searchable)


@dataclass(frozen=True)
class NamedImage:
    """An image on disk and what it is called in results."""

    name: str
    path: Path

    @property
    def held(self) -> int:
        """None: they are on disk."""
        return 0

    def load(self) -> Pixels:
        """Read the image."""
        return load_image(self.path)


@dataclass(frozen=True)
class Searched(Generic[AnySearchable]):
    """A picture that has been searched.

    Attributes:
        picture: which.
        results: what each detector found, by name; empty if it could not be read.
        skipped: why not, if it could not be read.
    """

    picture: AnySearchable
    results: dict[str, FrameResult]
    skipped: Skipped | None = None

    def above(self, scores: Mapping[str, float]) -> Searched[AnySearchable]:
        """Return the same with the detections alone that reach the score of their detector."""
        return replace(self, results=results_above(self.results, scores))


def results_above(
    results: Mapping[str, FrameResult], scores: Mapping[str, float]
) -> dict[str, FrameResult]:
    """Return results with the detections alone that reach the score of their run, by name."""
    return {name: result.above(scores[name]) for name, result in results.items()}


def search_all(
    detectors: Mapping[str, Searcher],
    settings: Mapping[str, Settings],
    pictures: Iterable[AnySearchable],
    batch_size: int = BATCH_SIZE,
    workers: int = 1,
    room: int = ROOM,
) -> Iterator[Searched[AnySearchable]]:
    """Yield what all detectors find in each picture, in order; memory stays flat.

    The pictures are taken from the calling thread, a few batches ahead of the search, so that
    a video is decoded while frames before are searched.  Where its frames are large, there are
    fewer in a batch.

    Args:
        detectors: by name.
        settings: how each of them searches, by name.
        pictures: what to search.
        batch_size: pictures that go through the networks together.
        workers: batches searched side by side; 1 on a GPU.
        room: pixels that may be held by pictures at once, if a picture for each of the batches
            does not hold more.
    """
    if any(detector.device.type != "cpu" for detector in detectors.values()):
        workers = 1  # they would share one GPU's memory, and gain nothing
    search = partial(_search_batch, detectors, settings, share=1 / workers)
    share_of_room = room / most_waiting(workers)
    batches = in_batches(pictures, batch_size, share_of_room, lambda picture: picture.held)
    for searched in in_parallel(search, batches, workers):
        yield from searched


def search_list(
    detectors: Mapping[str, Searcher],
    settings: Mapping[str, Settings],
    pictures: Sequence[AnySearchable],
    batch_size: int = BATCH_SIZE,
    workers: int = 1,
) -> Iterator[Searched[AnySearchable]]:
    """Yield what :func:`search_all` does, in batches small enough for all workers to get some."""
    size = min(batch_size, -(-len(pictures) // workers) or 1)
    batches = -(-len(pictures) // size)
    return search_all(detectors, settings, pictures, size, min(workers, batches) or 1)


@dataclass
class SideBySide:
    """Runs of several detectors over a list of images, growing batch by batch.

    Attributes:
        detectors: the detectors by name of their run.
        settings: how each of them searches.
        results: what each has found so far.
        skipped: the images that could not be read so far.
    """

    detectors: Mapping[str, Searcher]
    settings: Mapping[str, Settings]
    results: dict[str, list[FrameResult]] = field(init=False)
    skipped: list[Skipped] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.results = {name: [] for name in self.detectors}

    def search(
        self, images: Sequence[NamedImage], batch_size: int = BATCH_SIZE, workers: int = 1
    ) -> Iterator[NamedImage]:
        """Search all images; yield each one when it is done or skipped.

        Args:
            images: what to search.
            batch_size: images that go through the networks together.
            workers: batches read and searched side by side.
        """
        for searched in search_list(self.detectors, self.settings, images, batch_size, workers):
            for name, result in searched.results.items():
                self.results[name].append(result)
            self.skipped += [searched.skipped] if searched.skipped else []
            yield searched.picture

    def runs(self, facts: Mapping[str, Mapping[str, Any]]) -> list[Run]:
        """Return the finished runs; ``facts`` adds to the settings of each, by name."""
        return [
            Run(
                name=name,
                settings={**self.settings[name].to_json(), **facts.get(name, {})},
                frames=tuple(frames),
                skipped=tuple(self.skipped),
            )
            for name, frames in self.results.items()
        ]


def _search_batch(
    detectors: Mapping[str, Searcher],
    settings: Mapping[str, Settings],
    batch: Sequence[AnySearchable],
    share: float,
) -> list[Searched[AnySearchable]]:
    """Return what all detectors find; ``share`` of a batch's time is its own."""
    readable, skipped = _load_readable(batch)
    results: list[dict[str, FrameResult]] = [{} for _ in batch]
    named = [(batch[place].name, pixels) for place, pixels in readable.items()]
    for name, detector in detectors.items():
        found = _search(detector, named, settings[name], share)
        for place, result in zip(readable, found, strict=True):
            results[place][name] = result
    return [
        Searched(picture, results[place], skipped.get(place)) for place, picture in enumerate(batch)
    ]


def _load_readable(
    batch: Sequence[AnySearchable],
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
    detector: Searcher, images: Sequence[tuple[str, Pixels]], settings: Settings, share: float
) -> Iterator[FrameResult]:
    """Yield what one detector finds, each with an equal part of the time that all took."""
    began = time.perf_counter()
    pixels = [image for _, image in images]
    found = list(detector.search(pixels, settings, batch_size=max(len(images), 1)))
    seconds = (time.perf_counter() - began) * share / max(len(images), 1)
    for (name, image), search in zip(images, found, strict=True):
        height, width = image.shape[:2]
        yield FrameResult(
            name, (height, width), search.detections, search.candidates, round(seconds, 6)
        )
