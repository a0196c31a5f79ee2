"""Several detectors over the same images: each image is read once, each detector is timed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from facetl.data.images import Pixels, load_image
from facetl.errors import ImageError
from facetl.mtcnn.detections import FrameResult, Run, Skipped
from facetl.mtcnn.detector import BATCH_SIZE, Detector
from facetl.mtcnn.parallel import in_batches, in_parallel
from facetl.mtcnn.settings import Settings


@dataclass(frozen=True)
class NamedImage:
    """An image on disk and what it is called in results."""

    name: str
    path: Path


@dataclass
class SideBySide:
    """Runs of several detectors over a list of images, growing batch by batch.

    Attributes:
        detectors: the detectors by name of their run.
        settings: how each of them searches.
        results: what each has found so far.
        skipped: the images that could not be read so far.
    """

    detectors: Mapping[str, Detector]
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
        if any(detector.device.type != "cpu" for detector in self.detectors.values()):
            workers = 1  # they would share one GPU's memory, and gain nothing
        batches = list(in_batches(images, min(batch_size, -(-len(images) // workers) or 1)))
        together = min(workers, len(batches))
        search = partial(self._search_batch, share=1 / max(together, 1))
        for batch, part in zip(batches, in_parallel(search, batches, workers), strict=True):
            self.skipped += part.skipped
            for name, results in part.results.items():
                self.results[name] += results
            yield from batch

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

    def _search_batch(self, batch: Sequence[NamedImage], share: float) -> _Part:
        """Return what all detectors find; ``share`` of a batch's time is its own."""
        readable, skipped = _load_readable(batch)
        results = {
            name: list(_search(detector, readable, self.settings[name], share))
            for name, detector in self.detectors.items()
        }
        return _Part(results, skipped)


class _Part(NamedTuple):
    """What comes of one batch."""

    results: dict[str, list[FrameResult]]
    skipped: list[Skipped]


def _load_readable(batch: Sequence[NamedImage]) -> tuple[dict[str, Pixels], list[Skipped]]:
    readable, skipped = {}, []
    for image in batch:
        try:
            readable[image.name] = load_image(image.path)
        except ImageError as error:
            skipped.append(Skipped(image.name, str(error)))
    return readable, skipped


def _search(
    detector: Detector, images: Mapping[str, Pixels], settings: Settings, share: float
) -> Iterator[FrameResult]:
    """Yield what one detector finds, each with an equal part of the time that all took."""
    began = time.perf_counter()
    found = list(detector.search(images.values(), settings, batch_size=max(len(images), 1)))
    seconds = (time.perf_counter() - began) * share / max(len(images), 1)
    for (name, image), search in zip(images.items(), found, strict=True):
        height, width = image.shape[:2]
        yield FrameResult(
            name, (height, width), search.detections, search.candidates, round(seconds, 6)
        )
