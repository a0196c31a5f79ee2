"""Faces cut out of the images that were searched, and a contact sheet of them for each run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from facetl.cli import options
from facetl.cli.console import note
from facetl.cli.options import Decorator
from facetl.errors import NameTooLongError

if TYPE_CHECKING:
    from collections.abc import Callable

    from facetl.data.images import Pixels
    from facetl.results.detections import FrameResult
    from facetl.search.pipeline import NamedImage, Searched

CROPS = "crops"
SHEET = "contact_sheet"
_WRITTEN = re.compile(rf".+_\d+_[01]\.\d{{3}}\.png|{SHEET}(_\d+)?\.jpg")
"""Names of what an earlier search may have left, which makes way under --force."""


class Cropping(NamedTuple):
    """How faces are cut out.

    Attributes:
        margin: what is shown on every side, as a share of the box's width and height.
        align: whether they are turned so that the eyes are level.
    """

    margin: float
    align: bool


class Crop(NamedTuple):
    """A face that was cut out: where it is, its score, and whether the disk takes its name."""

    path: Path
    score: float
    is_written: bool = True


_OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "--crops", is_flag=True, help="Cut the faces out, one picture each, and a contact sheet."
    ),
    click.option(
        "--margin",
        type=options.SHARE,
        default=0.2,
        help="What crops show around the box, as a share of its width and height.",
    ),
    click.option(
        "--align", is_flag=True, help="Turn crops so that the eyes, as landmarks say, are level."
    ),
)


def crop_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of cutting faces out."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def settle_cropping(crops: bool, margin: float, align: bool) -> Cropping | None:
    """Return what the options of :func:`crop_options` ask for; None if no face is to be cut out.

    Raises:
        click.UsageError: if it is said how, but not that.
    """
    if not crops and (align or options.is_given("margin")):
        raise click.UsageError("--margin and --align say how to cut faces out; add --crops")
    return Cropping(margin, align) if crops else None


class CropCutter:
    """Cuts out all faces that runs find, image by image, and draws contact sheets at the end.

    Each run has a folder of its own in ``folder``.  A face found in ``a/b.jpg`` is called
    ``a/b_1_0.998.png``: after the image, its place by score in the image, and its score.  The
    contact sheets show all faces, best first; where they need several pages, ``contact_sheet.jpg``
    is the first.

    Args:
        folder: where the crops go; what an earlier search left there makes way.
        images: all images that are searched.
        runs: the names of the runs.
        cropping: how faces are cut out.
    """

    def __init__(
        self, folder: Path, images: Sequence[NamedImage], runs: Sequence[str], cropping: Cropping
    ) -> None:
        self.folder = folder
        self._stems = _stems(images)
        self._cropping = cropping
        self._crops: dict[str, list[Crop]] = {run: [] for run in runs}
        self._hidden = 0
        self._left_out = 0
        self._has_room = False

    def take(self, searched: Searched[NamedImage]) -> None:
        """Cut out and write what the runs found in an image."""
        self._make_room()
        picture = searched.picture
        for run, frame in searched.results.items():
            stem = self.folder / run / self._stems[picture.name]
            cut = list(_cut(picture.path, frame, stem, self._cropping))
            self._crops[run] += [crop for crop in cut if crop.is_written]
            self._left_out += sum(not crop.is_written for crop in cut)
            self._hidden += len(frame.detections) - len(cut)

    def finish(self) -> None:
        """Draw the contact sheets."""
        self._make_room()
        if self._hidden:
            note(f"left out {self._hidden} faces that lie outside their images")
        if self._left_out:
            note(f"crops left out, as their names would be too long: {self._left_out}")
        for run, crops in self._crops.items():
            save_sheets(self.folder / run, crops)

    def _make_room(self) -> None:
        """Let what an earlier search left make way, not before there is something new."""
        if not self._has_room:
            for run in self._crops:
                _make_way(self.folder / run)
            self._has_room = True


def save_sheets(folder: Path, crops: Sequence[Crop]) -> None:
    """Draw contact sheets of faces that were cut out, best first; in memory one page at a time."""
    from facetl.data.crops import COLUMNS, ROWS, draw_sheet, fit_cell
    from facetl.data.images import load_image, save_image

    ranked = sorted(crops, key=lambda crop: -crop.score)
    size = COLUMNS * ROWS
    pages = [ranked[start : start + size] for start in range(0, len(ranked), size)]
    for number, page in enumerate(pages, start=1):
        name = f"{SHEET}.jpg" if number == 1 else f"{SHEET}_{number}.jpg"
        cells = [fit_cell(load_image(crop.path)) for crop in page]
        save_image(folder / name, draw_sheet(cells, [crop.score for crop in page]))


def _cut(path: Path, frame: FrameResult, stem: Path, cropping: Cropping) -> Iterator[Crop]:
    """Cut out and write the faces of one image; those outside it have no picture."""
    from facetl.data.crops import in_view, windows_around
    from facetl.data.images import load_image, save_image

    found = frame.detections
    if not len(found):
        return
    image = load_image(path)
    windows = windows_around(found.boxes, cropping.margin)
    for place in in_view(windows, frame.size_hw).nonzero()[0].tolist():
        score = float(found.scores[place])
        target = stem.with_name(f"{stem.name}_{place + 1}_{score:.3f}.png")
        landmarks = found.landmarks[place] if cropping.align else None
        try:
            save_image(target, _cut_one(image, windows[place], landmarks))
        except NameTooLongError:
            yield Crop(target, score, is_written=False)
        else:
            yield Crop(target, score)


def _cut_one(image: Pixels, window: Any, landmarks: Any) -> Pixels:
    from facetl.data.crops import cut_upright, cut_window

    if landmarks is None:
        return cut_window(image, window)
    return cut_upright(image, window, landmarks)


def _stems(images: Sequence[NamedImage]) -> dict[str, str]:
    """Return what crops are called after, by image: its name without suffix, if that is unique."""
    short = {image.name: str(PurePosixPath(image.name).with_suffix("")) for image in images}
    count = Counter(short.values())
    return {name: stem if count[stem] == 1 else name for name, stem in short.items()}


def _make_way(folder: Path) -> None:
    """Remove what an earlier search has left, which --force gave up."""
    old = [path for path in folder.rglob("*") if _WRITTEN.fullmatch(path.name) and path.is_file()]
    for path in old:
        path.unlink()
    if old:
        note(f"removed {len(old)} pictures from {folder}, which another run had left")
