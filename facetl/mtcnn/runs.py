"""Several detectors over the same images: each image is read once, each detector is timed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from facetl.data.images import Pixels, load_image
from facetl.errors import ImageError
from facetl.mtcnn.detections import FrameResult, Run, Skipped
from facetl.mtcnn.detector import Detector
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

    def search(self, images: Sequence[NamedImage], batch_size: int) -> Iterator[NamedImage]:
        """Search all images; yield each one when it is done or skipped."""
        pending = iter(images)
        while batch := list(islice(pending, batch_size)):
            readable = self._load_readable(batch)
            for name, detector in self.detectors.items():
                self.results[name] += _search_batch(detector, readable, self.settings[name])
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

    def _load_readable(self, batch: Sequence[NamedImage]) -> dict[str, Pixels]:
        readable = {}
        for image in batch:
            try:
                readable[image.name] = load_image(image.path)
            except ImageError as error:
                self.skipped.append(Skipped(image.name, str(error)))
        return readable


def _search_batch(
    detector: Detector, images: Mapping[str, Pixels], settings: Settings
) -> Iterator[FrameResult]:
    """Yield what one detector finds, each with an equal part of the time that all took."""
    began = time.perf_counter()
    found = list(detector.search(images.values(), settings, batch_size=max(len(images), 1)))
    seconds = (time.perf_counter() - began) / max(len(images), 1)
    for (name, image), search in zip(images.items(), found, strict=True):
        height, width = image.shape[:2]
        yield FrameResult(
            name, (height, width), search.detections, search.candidates, round(seconds, 6)
        )
