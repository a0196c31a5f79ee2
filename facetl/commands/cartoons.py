"""Frames of the built-in cartoon in the course's layout."""

from __future__ import annotations

import multiprocessing
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import facetl.cartoons as drawing
from facetl.boxes import Boxes
from facetl.cartoons.cast import CAST
from facetl.commands.requests import CartoonsRequest as CartoonsRequest
from facetl.data.formats.course import save_annotations
from facetl.data.images import save_image
from facetl.errors import OutputError
from facetl.files import (
    folder_in_place,
    is_occupied,
    refuse_to_overwrite,
    require_writable,
    write_text,
)
from facetl.interruptions import end_with_parent, starting_workers
from facetl.reporting import SILENT, Reporter

TRAIN = Path("antrenare")
TEST = Path("validare")
NOTICE = Path("README.md")
_TITLE = "# Drawn by `facetl cartoons`"


@dataclass(frozen=True)
class CartoonsResult:
    """What was drawn.

    Attributes:
        frames: how many, by part: ``train`` and ``test``.
        faces: how many, by part.
        rule: what counts as a face.
    """

    frames: Mapping[str, int]
    faces: Mapping[str, int]
    rule: str


@dataclass(frozen=True)
class _Job:
    """A frame to draw: ``name`` in its folder, which is relative to the place of all frames."""

    seed: int
    part: str
    index: int
    folder: Path
    name: str


@dataclass(frozen=True)
class _Drawn:
    """What is kept of a frame once its picture is written."""

    job: _Job
    boxes: Boxes
    labels: tuple[str, ...]


def cartoons(request: CartoonsRequest, reporter: Reporter = SILENT) -> CartoonsResult:
    """Draw frames of the built-in cartoon; all of them or none.

    Raises:
        OutputError: if ``out`` cannot be written or holds something already.
        UsageError: if there is no such style.
    """
    out = request.out
    drawing.require_style(request.style)
    _require_place(out, force=request.force)
    jobs = _plan(request)
    require_writable(out)
    with folder_in_place(out) as place:
        drawn = list(reporter.track(_draw_all(request, jobs, place), "drawing", len(jobs)))
        for folder in dict.fromkeys(job.folder for job in jobs):
            _save_annotations(place, folder, [each for each in drawn if each.job.folder == folder])
        write_text(place / NOTICE, _notice(request))
    faces = {"train": 0, "test": 0}
    for each in drawn:
        faces[each.job.part] += len(each.boxes)
    frames = {"train": request.train, "test": request.test}
    return CartoonsResult(frames, faces, drawing.RULE)


def _require_place(out: Path, *, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; choose another folder")
    refuse_to_overwrite(out, force=force)
    if is_occupied(out) and not _is_cartoon(out):
        raise OutputError(f"{out} holds something that is no drawn cartoon; choose another folder")


def _is_cartoon(folder: Path) -> bool:
    notice, title = folder / NOTICE, _TITLE.encode()
    if not notice.is_file():
        return False
    with notice.open("rb") as file:
        return file.read(len(title)) == title


def _plan(request: CartoonsRequest) -> list[_Job]:
    """Return all jobs; the regulars take turns in whose folder a training frame goes."""
    seed, folders = request.seed, [TRAIN / name for name in CAST]
    count = len(folders)
    train = [
        _Job(seed, "train", i, folders[i % count], f"{i // count + 1:04d}.jpg")
        for i in range(request.train)
    ]
    test = [
        _Job(seed, "test", i, TEST / TEST.name, f"{i + 1:03d}.jpg") for i in range(request.test)
    ]
    return [*train, *test]


def _draw_all(request: CartoonsRequest, jobs: list[_Job], place: Path) -> Iterator[_Drawn]:
    """Yield the drawn frames in the order of the jobs."""
    draw = partial(_draw, place, request.style)
    if request.workers == 1:
        yield from map(draw, jobs)
        return
    # Spawned, not forked: a forked copy of a process whose libraries run threads may hang.
    context = multiprocessing.get_context("spawn")
    with starting_workers():
        pool = context.Pool(min(request.workers, len(jobs)), initializer=_start_worker)
    with pool:
        yield from pool.imap(draw, jobs, chunksize=4)


def _start_worker() -> None:
    end_with_parent()
    drawing.use_one_core()


def _draw(place: Path, style: str, job: _Job) -> _Drawn:
    frame = drawing.draw_frame(job.seed, job.part, job.index, style)
    save_image(place / job.folder / job.name, frame.image, quality=92)
    return _Drawn(job, frame.boxes, frame.labels)


def _save_annotations(place: Path, folder: Path, drawn: list[_Drawn]) -> None:
    """Write the boxes of one folder beside it; those for the test also without labels."""
    labelled = {each.job.name: (each.boxes, each.labels) for each in drawn}
    save_annotations(place / folder.parent / f"{folder.name}_annotations.txt", labelled)
    if folder.parent == TEST:
        unlabelled = {each.job.name: (each.boxes, [None] * len(each.labels)) for each in drawn}
        save_annotations(place / TEST / "task1_gt_validare.txt", unlabelled)


def _notice(request: CartoonsRequest) -> str:
    command = (
        f"facetl cartoons {request.out.resolve().name} --train {request.train} "
        f"--test {request.test} --seed {request.seed}"
    )
    if request.style != drawing.HOUSE:
        command += f" --style {shlex.quote(request.style)}"
    drawn = f"They were drawn in {_describe_style(request.style)} with `{command}`."
    return f"{_TITLE}\n\n{drawing.LICENCE} {drawing.RULE} {drawn}\n"


def _describe_style(style: str) -> str:
    return "a random style each" if style == drawing.ANY else f"the style `{style}`"
