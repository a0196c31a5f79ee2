"""Faces cut out of the images that were searched, and a contact sheet of them for each run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from facetl.cli import options
from facetl.cli.console import note, track
from facetl.cli.options import Decorator

if TYPE_CHECKING:
    from collections.abc import Callable

    from facetl.data.images import Pixels
    from facetl.mtcnn.detections import FrameResult, Run
    from facetl.mtcnn.runs import NamedImage

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
    """A face that was cut out: where it is, and its score."""

    path: Path
    score: float


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


def save_crops(
    folder: Path, images: Sequence[NamedImage], runs: Sequence[Run], cropping: Cropping
) -> None:
    """Cut out all faces that the runs found, and draw a contact sheet of each run's.

    Each run has a folder of its own in ``folder``.  A face found in ``a/b.jpg`` is called
    ``a/b_1_0.998.png``: after the image, its place by score in the image, and its score.  The
    contact sheets show all faces, best first; where they need several pages, ``contact_sheet.jpg``
    is the first.
    """
    stems = _stems(images)
    crops: list[list[Crop]] = [[] for _ in runs]
    for run in runs:
        _make_way(folder / run.name)
    per_image = list(zip(*(run.frames for run in runs), strict=True))
    paths = {image.name: image.path for image in images}
    for frames in track(per_image, "cutting", len(per_image)):
        for run, frame, own in zip(runs, frames, crops, strict=True):
            stem = folder / run.name / stems[frame.image]
            own += _cut(paths[frame.image], frame, stem, cropping)
    found = sum(len(frame.detections) for run in runs for frame in run.frames)
    if hidden := found - sum(map(len, crops)):
        note(f"left out {hidden} faces that lie outside their images")
    for run, own in zip(runs, crops, strict=True):
        save_sheets(folder / run.name, own)


def save_sheets(folder: Path, crops: Sequence[Crop]) -> None:
    """Draw contact sheets of faces that were cut out, best first; in memory one page at a time."""
    from facetl.data.cutouts import COLUMNS, ROWS, draw_sheet, fit_cell
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
    from facetl.data.cutouts import in_view, windows_around
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
        save_image(target, _cut_one(image, windows[place], landmarks))
        yield Crop(target, score)


def _cut_one(image: Pixels, window: Any, landmarks: Any) -> Pixels:
    from facetl.data.cutouts import cut_upright, cut_window

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
