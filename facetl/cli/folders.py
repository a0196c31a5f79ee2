"""Images for ``facetl detect``: searched one after the other, with memory that stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from facetl.cli.console import note, track
from facetl.errors import ImageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from facetl.cli.searching import Searching
    from facetl.mtcnn.detections import FrameResult, Skipped
    from facetl.mtcnn.detector import Detector
    from facetl.mtcnn.runs import NamedImage, Searched
    from facetl.mtcnn.settings import Settings

NOT_IN_LINES = ("command", "batch_size", "workers")
"""Facts on which the results do not depend: they would keep equal files from being equal."""


class Outlet(Protocol):
    """Takes what is found in each image as it comes."""

    folder: Path

    def take(self, searched: Searched[NamedImage]) -> None:
        """Take what was found in an image that could be read."""

    def finish(self) -> None:
        """Hear that there is no more."""


class Writer(Protocol):
    """Writes the detections of one run."""

    def add(self, frame: FrameResult) -> None:
        """Write what was found in an image."""

    def skip(self, skipped: Skipped) -> None:
        """Write that an image could not be searched."""


@dataclass
class Tally:
    """What is remembered of a run over images: counts."""

    images: int = 0
    faces: int = 0
    proposals: int = 0
    seconds: float = 0.0

    def add(self, frame: FrameResult) -> None:
        """Count what was found in an image."""
        self.images += 1
        self.faces += len(frame.detections)
        self.proposals += frame.candidates.get("pnet", 0)
        self.seconds += frame.seconds

    def describe(self, skipped: int) -> str:
        """Return the counts in words."""
        count = max(self.images, 1)
        return (
            f"{self.faces} faces in {self.images} images ({skipped} skipped), "
            f"{self.proposals / count:.0f} proposals and {self.seconds / count:.3f} s an image"
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
    tallies: dict[str, Tally] = field(init=False)
    skipped: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.tallies = {name: Tally() for name in self.detectors}

    def run(self, out: Path) -> None:
        """Search all images; write a detections file for each run.

        Raises:
            ImageError: if none could be read; nothing is written then.
        """
        with self._open(out) as writers:
            self._search(self.images, writers)
            if self.skipped == len(self.images):
                count = len(self.images)
                raise ImageError(f"none of the {count} images could be read; give others")

    def stream(self, out: Path, *, resume: bool) -> None:
        """Search all images, or those that an earlier search did not come to; write as they come.

        Raises:
            OutputError: if there is nothing to resume, or another search's work.
        """
        from facetl.mtcnn.run_lines import describe_head, recover

        heads = {
            _lines_path(out, name): describe_head(name, self._describe(name, NOT_IN_LINES))
            for name in self.detectors
        }
        done = recover(heads, [image.name for image in self.images]) if resume else 0
        if done:
            note(f"going on after {done} of {len(self.images)} images")
        with self._open_lines(out) as writers:
            self._search(self.images[done:], writers)

    def _search(self, images: Sequence[NamedImage], writers: Mapping[str, Writer]) -> None:
        from facetl.mtcnn.runs import search_all

        workers = self.how.workers
        size = min(self.how.batch_size, -(-len(images) // workers) or 1)
        found = search_all(
            *(self.detectors, self.settings, images, size, workers),
            together=min(workers, -(-len(images) // size)),
        )
        for searched in track(found, "searching", len(images)):
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
        for outlet in self.outlets:
            outlet.take(searched)
        for name, frame in searched.results.items():
            writers[name].add(frame)
            self.tallies[name].add(frame)

    @contextmanager
    def _open(self, out: Path) -> Iterator[dict[str, Writer]]:
        """Give a writer of a whole file for each run; all of them are put in place, or none."""
        from facetl.mtcnn.detections import SUFFIX, RunWriter

        with enter_all(
            {
                name: RunWriter(out / f"{name}{SUFFIX}", name, self._describe(name))
                for name in self.detectors
            }
        ) as writers:
            yield writers

    @contextmanager
    def _open_lines(self, out: Path) -> Iterator[dict[str, Writer]]:
        from facetl.mtcnn.run_lines import LinesWriter

        with enter_all(
            {
                name: LinesWriter(_lines_path(out, name), name, self._describe(name, NOT_IN_LINES))
                for name in self.detectors
            }
        ) as writers:
            yield writers

    def _describe(self, name: str, without: Sequence[str] = ()) -> dict[str, Any]:
        described = {**self.settings[name].to_json(), **self.facts[name]}
        return {key: value for key, value in described.items() if key not in without}

    def report(self, written: Sequence[Path]) -> None:
        """Say what was found, and which places were written."""
        for name, tally in self.tallies.items():
            click.echo(f"{name}: {tally.describe(self.skipped)}")
        click.echo(f"wrote {' and '.join(map(str, written))}")


@contextmanager
def enter_all(
    writers: Mapping[str, AbstractContextManager[Any]],
) -> Iterator[dict[str, Any]]:
    """Enter all writers; leave all of them, the last first."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(writer) for name, writer in writers.items()}


def _lines_path(out: Path, name: str) -> Path:
    from facetl.mtcnn.detections import LINES_SUFFIX

    return out / f"{name}{LINES_SUFFIX}"
