"""``facetl cartoons``: frames of the built-in cartoon in the course's layout."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.console import suggest, track
from facetl.errors import OutputError
from facetl.files import (
    folder_in_place,
    is_occupied,
    refuse_to_overwrite,
    require_writable,
    write_text,
)
from facetl.interruptions import obey_parent, starting_workers

if TYPE_CHECKING:
    from facetl.boxes import Boxes

TRAIN = Path("antrenare")
TEST = Path("validare")
NOTICE = Path("README.md")
_TITLE = "# Drawn by `facetl cartoons`"


@dataclass(frozen=True)
class Job:
    """A frame to draw: ``name`` in its folder, which is relative to the place of all frames."""

    seed: int
    part: str
    index: int
    folder: Path
    name: str


@dataclass(frozen=True)
class DrawnFrame:
    """What is remembered of a frame once its picture is written."""

    job: Job
    boxes: Boxes
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Count:
    """How many frames and faces a part has."""

    frames: int
    faces: int


@click.command(short_help="Draw frames of the built-in cartoon.")
@click.argument("out", type=options.WRITE)
@click.option("--train", type=click.IntRange(min=1), default=120, help="Training frames.")
@click.option("--test", type=click.IntRange(min=1), default=60, help="Validation frames.")
@options.seed
@options.workers
@click.option("--force", is_flag=True, help="Replace a cartoon that was drawn into OUT before.")
def cartoons(out: Path, train: int, test: int, seed: int, workers: int, force: bool) -> None:
    """Draw a made-up cartoon with an exact box for every face, in the course's layout.

    The frames are CC0 and depend on the seed alone: the same frame of the same part is the same
    picture however many are drawn.  Every command that takes annotated frames takes OUT.

    \b
    Examples:
      facetl cartoons cartoons
      facetl cartoons cartoons --train 400 --test 100 --seed 7
    """
    from facetl.cartoons import RULE

    counts = write_cartoons(out, train, test, seed, workers, force=force)
    for part, count in counts.items():
        click.echo(f"{part}: {count.frames} frames, {count.faces} faces")
    click.echo(f"Rule: {RULE}")
    suggest("train", out, "--out", "cascade.safetensors")


def write_cartoons(
    out: Path, train: int, test: int, seed: int, workers: int = 1, *, force: bool = False
) -> dict[str, Count]:
    """Draw ``train`` and ``test`` frames into the folder ``out``; all of them or none.

    Args:
        out: made if it is missing.
        train: number of frames for ``antrenare``, spread over one folder for each regular.
        test: number of frames for ``validare``.
        seed: of all chance.
        workers: processes; the result does not depend on it.
        force: replace a cartoon drawn before, and nothing else.

    Returns:
        Frames and faces of "train" and "test".

    Raises:
        OutputError: if ``out`` cannot be written or holds something already.
    """
    _check_room(out, force=force)
    jobs = [*_plan_train(train, seed), *_plan_test(test, seed)]
    require_writable(out)
    with folder_in_place(out) as place:
        drawn = list(track(_draw_all(jobs, place, workers), "drawing", total=len(jobs)))
        for folder in dict.fromkeys(job.folder for job in jobs):
            _save_annotations(place, folder, [each for each in drawn if each.job.folder == folder])
        write_text(place / NOTICE, _notice(out, train, test, seed))
    return {part: _count(part, drawn) for part in ("train", "test")}


def _check_room(out: Path, *, force: bool) -> None:
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


def _plan_train(count: int, seed: int) -> list[Job]:
    """Return the jobs for training: the regulars take turns in whose folder a frame goes."""
    from facetl.cartoons.cast import CAST

    regulars = list(CAST)
    return [
        Job(
            seed=seed,
            part="train",
            index=i,
            folder=TRAIN / regulars[i % len(regulars)],
            name=f"{i // len(regulars) + 1:04d}.jpg",
        )
        for i in range(count)
    ]


def _plan_test(count: int, seed: int) -> list[Job]:
    return [Job(seed, "test", i, TEST / TEST.name, f"{i + 1:03d}.jpg") for i in range(count)]


def _draw_all(jobs: list[Job], place: Path, workers: int) -> Iterator[DrawnFrame]:
    """Yield the drawn frames in the order of the jobs."""
    tasks = [(job, place) for job in jobs]
    if workers == 1:
        yield from map(_draw_one, tasks)
        return
    # Spawned, not forked: a forked copy of a process whose libraries run threads may hang.
    context = multiprocessing.get_context("spawn")
    with starting_workers():
        pool = context.Pool(min(workers, len(jobs)), initializer=_settle_down)
    with pool:
        yield from pool.imap(_draw_one, tasks, chunksize=4)


def _settle_down() -> None:
    from facetl.cartoons import use_one_core

    obey_parent()
    use_one_core()


def _draw_one(task: tuple[Job, Path]) -> DrawnFrame:
    from facetl.cartoons import draw_frame
    from facetl.data.images import save_image

    job, place = task
    frame = draw_frame(job.seed, job.part, job.index)
    save_image(place / job.folder / job.name, frame.image, quality=92)
    return DrawnFrame(job, frame.boxes, frame.labels)


def _save_annotations(place: Path, folder: Path, drawn: list[DrawnFrame]) -> None:
    """Write the boxes of one folder beside it; those for the test also without labels."""
    from facetl.data.formats.course import save_annotations

    labelled = {each.job.name: (each.boxes, each.labels) for each in drawn}
    save_annotations(place / folder.parent / f"{folder.name}_annotations.txt", labelled)
    if folder.parent == TEST:
        unlabelled = {each.job.name: (each.boxes, [None] * len(each.labels)) for each in drawn}
        save_annotations(place / TEST / "task1_gt_validare.txt", unlabelled)


def _count(part: str, drawn: list[DrawnFrame]) -> Count:
    frames = [each for each in drawn if each.job.part == part]
    return Count(len(frames), sum(len(each.boxes) for each in frames))


def _notice(out: Path, train: int, test: int, seed: int) -> str:
    from facetl.cartoons import LICENCE, RULE

    command = f"facetl cartoons {out.resolve().name} --train {train} --test {test} --seed {seed}"
    return f"{_TITLE}\n\n{LICENCE} {RULE} They were drawn with `{command}`.\n"
