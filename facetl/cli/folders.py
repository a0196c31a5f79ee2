"""Images for ``facetl detect``: searched one after the other, with memory that stays flat."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from facetl.cli.console import note, track
from facetl.errors import ImageError
from facetl.files import entering_all

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from facetl.cli.searching import Searching
    from facetl.mtcnn.detector import Detector
    from facetl.results.detections import FrameResult, Skipped
    from facetl.results.json_file import RunWriter
    from facetl.search.pipeline import NamedImage, Searched
    from facetl.search.settings import Settings


def describe_lasting(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file tells of a run that goes on: with more, equal results would differ.

    That is what the results depend on, and the score they are shown from.  Only torch's last
    digits depend on which images share a batch.
    """
    passing = {"command", "workers", *(() if told.get("engine") == "torch" else ("batch_size",))}
    return {key: value for key, value in told.items() if key not in passing}


def describe_score(score: float, boxes: int) -> str:
    """Return from which score faces were counted, and how many boxes the file holds, in words."""
    return f"  at score {score:g} and more; {boxes} boxes in all are in the file"


class Outlet(Protocol):
    """Takes what is shown of each image as it comes."""

    folder: Path

    def take(self, searched: Searched[NamedImage]) -> None:
        """Take what was found, at its run's score and above, in an image that could be read."""

    def finish(self) -> None:
        """Hear that there is no more."""


class Writer(Protocol):
    """Writes the detections of one run."""

    def add(self, frame: FrameResult) -> None:
        """Write what was found in an image."""

    def skip(self, skipped: Skipped) -> None:
        """Write that an image could not be searched."""


@dataclass
class ImageTally:
    """What is remembered of a run over images: counts.

    Attributes:
        score: from which boxes count as faces.
        timed: images of which it is known how long they took, all of them ``seconds``.
    """

    score: float
    images: int = 0
    boxes: int = 0
    faces: int = 0
    proposals: int = 0
    timed: int = 0
    seconds: float = 0.0

    def add(self, frame: FrameResult) -> None:
        """Count what was found in an image."""
        self.images += 1
        self.boxes += len(frame.detections)
        self.faces += len(frame.above(self.score).detections)
        self.proposals += frame.candidates.get("pnet", 0)
        if not math.isnan(frame.seconds):
            self.timed += 1
            self.seconds += frame.seconds

    def describe(self, skipped: int) -> str:
        """Return the counts in words."""
        proposals = self.proposals / max(self.images, 1)
        seconds = f" and {self.seconds / self.timed:.3f} s" if self.timed else ""
        return (
            f"{self.faces} faces in {self.images} images ({skipped} skipped), "
            f"{proposals:.0f} proposals{seconds} an image\n"
            f"{describe_score(self.score, self.boxes)}"
        )


@dataclass
class FolderSearch:
    """A search of images with one or several detectors.

    Attributes:
        images: what is searched.
        detectors: by name of their run.
        settings: how each of them searches.
        facts: what else the detections files say of their settings, by name.
        how: where and how the work is done.
        outlets: who takes what is found, besides the detections files.
        tallies: what was found, by name.
        skipped: how many images could not be read.
    """

    images: Sequence[NamedImage]
    detectors: Mapping[str, Detector]
    settings: Mapping[str, Settings]
    facts: Mapping[str, Mapping[str, Any]]
    how: Searching
    outlets: Sequence[Outlet] = ()
    tallies: dict[str, ImageTally] = field(init=False)
    skipped: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.tallies = {name: ImageTally(self.settings[name].score) for name in self.detectors}

    def run(self, out: Path) -> None:
        """Search all images; write a detections file for each run.

        Raises:
            ImageError: if none could be read; nothing is written then.
        """
        described = {name: self._describe(name) for name in self.detectors}
        with open_runs(out, described) as writers:
            self._record_all(self._search_list(), len(self.images), writers)
            if self.skipped == len(self.images):
                count = len(self.images)
                raise ImageError(f"none of the {count} images could be read; give others")

    def stream(self, out: Path, *, resume: bool, finished: bool = False) -> None:
        """Search all images, or those that an earlier search did not come to; write as they come.

        Args:
            out: the folder of the detections files.
            resume: go on with an earlier search.
            finished: let it be one that came to its end, after which something is still to do.

        Raises:
            OutputError: if there is nothing to resume, or another search's work.
        """
        from facetl.results.json_lines import describe_head, recover, writing_lines
        from facetl.results.store import LINES_SUFFIX
        from facetl.search.pipeline import search_all

        described = {name: describe_lasting(self._describe(name)) for name in self.detectors}
        paths = {name: out / f"{name}{LINES_SUFFIX}" for name in described}
        heads = {paths[name]: describe_head(name, each) for name, each in described.items()}
        names = [image.name for image in self.images]
        size = self.how.batch_size
        done = recover(heads, names, size, finished=finished) if resume else 0
        if done:
            note(f"going on after {done} of {len(self.images)} images")
            self._count_recovered(paths)
        with entering_all(
            {n: writing_lines(paths[n], n, each, done) for n, each in described.items()}
        ) as writers:
            left = self.images[done:]
            found = search_all(self.detectors, self.settings, left, size, self.how.workers)
            self._record_all(found, len(left), writers)

    def _count_recovered(self, paths: Mapping[str, Path]) -> None:
        """Count what an earlier search has found, in the files of the runs, by name."""
        from facetl.results.detections import Skipped
        from facetl.results.json_lines import read_recovered

        for name, path in paths.items():
            self.skipped = 0  # all runs skip the same images
            for found in read_recovered(path):
                if isinstance(found, Skipped):
                    self.skipped += 1
                else:
                    self.tallies[name].add(found)

    def _search_list(self) -> Iterator[Searched[NamedImage]]:
        from facetl.search.pipeline import search_list

        how = self.how
        return search_list(self.detectors, self.settings, self.images, how.batch_size, how.workers)

    def _record_all(
        self,
        found: Iterator[Searched[NamedImage]],
        count: int,
        writers: Mapping[str, Writer],
    ) -> None:
        for searched in track(found, "searching", count):
            self._record(searched, writers)
        for outlet in self.outlets:
            outlet.finish()

    def _record(self, searched: Searched[NamedImage], writers: Mapping[str, Writer]) -> None:
        if searched.skipped:
            self.skipped += 1
            note(f"skipped {searched.skipped.reason}")
            for writer in writers.values():
                writer.skip(searched.skipped)
            return
        shown = searched.above({name: each.score for name, each in self.settings.items()})
        for outlet in self.outlets:
            outlet.take(shown)
        for name, frame in searched.results.items():
            writers[name].add(frame)
            self.tallies[name].add(frame)

    def _describe(self, name: str) -> dict[str, Any]:
        return {**self.settings[name].to_json(), **self.facts[name]}

    def report(self, written: Sequence[Path]) -> None:
        """Say what was found, and which places were written."""
        for name, tally in self.tallies.items():
            click.echo(f"{name}: {tally.describe(self.skipped)}")
        click.echo(f"wrote {' and '.join(map(str, written))}")


def open_runs(
    out: Path, described: Mapping[str, dict[str, Any]]
) -> AbstractContextManager[dict[str, RunWriter]]:
    """Give a writer of a detections file for each run; all of them are put in place, or none.

    Args:
        out: the folder of the files.
        described: the settings that the files tell, by name of the run.
    """
    from facetl.results.json_file import writing_run
    from facetl.results.store import SUFFIX

    return entering_all(
        {
            name: writing_run(out / f"{name}{SUFFIX}", name, settings)
            for name, settings in described.items()
        }
    )
