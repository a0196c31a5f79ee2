"""Where results go: files of runs, and overlays.  Crops and drawn videos have modules of their own.

Sinks that draw take a picture before those that write its results down: what is written down need
never be drawn again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from facetl.boxes import Boxes
from facetl.data.images import JPEG_QUALITY, Pixels, save_image
from facetl.data.overlays import TRUTH, draw_boxes, line_width, side_by_side
from facetl.errors import NameTooLongError
from facetl.reporting import Reporter
from facetl.results.captions import captions_of, colours_of_faces
from facetl.results.store import RunWriter
from facetl.search.pipeline import NamedImage, Searched

OVERLAYS = "overlays"
"""Folder of the overlays."""
_WRITABLE = (".jpg", ".jpeg", ".png")
_ADDED = ".jpg"
"""What goes behind the names of other images."""


class Sink(ABC):
    """Takes what is found, picture by picture; its block finishes it if it succeeds."""

    @abstractmethod
    def take(self, searched: Searched[Any]) -> None:
        """Take what all runs found in a picture, or why it could not be read.

        What an earlier search has written already (``is_known``) comes again as well: counts and
        contact sheets are of all pictures.
        """

    def finish(self) -> None:  # noqa: B027 - most have nothing left to do
        """Do what can be done when all is known."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()


class RunFiles(Sink):
    """Writes down what each run finds.

    Args:
        writers: of the runs' files, by name.
    """

    def __init__(self, writers: Mapping[str, RunWriter]) -> None:
        self._writers = writers

    def take(self, searched: Searched[Any]) -> None:
        """Write down what was found in a picture, unless an earlier search has done it."""
        if searched.is_known:
            return
        for name, writer in self._writers.items():
            if searched.skipped:
                writer.skip(searched.skipped)
            else:
                writer.add(searched.results[name])


@contextmanager
def writing_runs(
    writers: Mapping[str, AbstractContextManager[RunWriter]],
) -> Iterator[RunFiles]:
    """Give what writes runs down; if the block succeeds, all files are finished, or none.

    Args:
        writers: what opens each run's file, by name.
    """
    with ExitStack() as stack:
        yield RunFiles({name: stack.enter_context(each) for name, each in writers.items()})


class ImageCopies(Sink):
    """Draws a copy of each image; frames of videos have none.

    Args:
        folder: where the copies go.
        what: what they are called where some cannot be written.
        taken: names that need another suffix (:func:`find_taken`).
        reporter: is told how many copies are not there.
        quality: of JPEG, 1 to 100.
    """

    def __init__(
        self,
        folder: Path,
        what: str,
        taken: frozenset[str],
        reporter: Reporter,
        quality: int = JPEG_QUALITY,
    ) -> None:
        self._folder = folder
        self._what = what
        self._taken = taken
        self._reporter = reporter
        self._quality = quality
        self._left_out = 0

    @abstractmethod
    def _draw(self, searched: Searched[Any]) -> Pixels:
        """Return the (H, W, 3) RGB pixels of an image's copy."""

    def take(self, searched: Searched[Any]) -> None:
        """Write the copy of an image."""
        picture = searched.picture
        if searched.is_known or searched.skipped or picture.video is not None:
            return
        drawn = self._draw(searched)
        try:
            save_image(self._folder / name_copy(picture.name, self._taken), drawn, self._quality)
        except NameTooLongError:
            self._left_out += 1

    def finish(self) -> None:
        """Say how many copies are not there."""
        if self._left_out:
            why = "as their names would be too long"
            self._reporter.note(f"{self._what} left out, {why}: {self._left_out}")


class Overlays(ImageCopies):
    """Draws the overlay of each image: once for each run, side by side, with what was found.

    Frames of videos have none: annotated videos show them.

    Args:
        folder: where the overlays go.
        faces: (N, 4) true boxes by name of the image, drawn where they are known.
        taken: names that need another suffix (:func:`find_taken`).
        reporter: is told how many overlays are not there.
        characters: who can be recognised; each has a colour.
    """

    def __init__(
        self,
        folder: Path,
        faces: Mapping[str, Boxes],
        taken: frozenset[str],
        reporter: Reporter,
        characters: Sequence[str] = (),
    ) -> None:
        super().__init__(folder, "overlays", taken, reporter)
        self._faces = faces
        self._characters = characters

    def _draw(self, searched: Searched[Any]) -> Pixels:
        """Draw what the runs found in an image, each in a panel of its own."""
        picture = searched.picture
        pixels: Pixels = picture.load()
        if picture.name in self._faces:
            width = line_width(pixels) * 3 // 2
            pixels = draw_boxes(pixels, self._faces[picture.name], colour=TRUTH, thickness=width)
        panels = [
            (
                f"{run}: {len(frame.detections)} found",
                draw_boxes(
                    pixels,
                    frame.detections.boxes,
                    colour=colours_of_faces(frame.detections, self._characters),
                    labels=captions_of(frame.detections),
                ),
            )
            for run, frame in searched.results.items()
        ]
        return side_by_side(panels)


def name_copy(name: str, taken: frozenset[str]) -> str:
    """Return the name of what is drawn of an image: no other image's, and one that can be written.

    Args:
        name: the image's.
        taken: names that need another suffix (:func:`find_taken`).
    """
    if name.lower().endswith(_WRITABLE):
        return name
    while name in taken:
        name += _ADDED
    return name + _ADDED


def find_taken(images: Sequence[NamedImage]) -> frozenset[str]:
    """Return the names of images that are other images' names once they have one more suffix."""
    names = {image.name for image in images}
    return frozenset(name for name in names if name + _ADDED in names)


def run_through(
    found: Iterator[Searched[Any]],
    sinks: Sequence[Sink],
    shown: Sequence[Sink],
    scores: Mapping[str, float],
) -> None:
    """Hand all pictures to the sinks.

    Args:
        found: pictures that were searched.
        sinks: take all boxes.
        shown: take those of the score of their run and above; before the others.
        scores: least score of what is shown, by name of the run.
    """
    for searched in found:
        visible = searched.above(scores) if shown else searched
        for sink in shown:
            sink.take(visible)
        for sink in sinks:
            sink.take(searched)
