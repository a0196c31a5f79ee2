"""Methods of transfer compared with plain fine-tuning, over seeds and numbers of frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import wrap

import numpy as np

from facetl.commands.annotated import chosen_format, note_problems
from facetl.commands.optional_pictures import OptionalPictures
from facetl.commands.requests import CompareRequest as CompareRequest
from facetl.cores import usable_cores
from facetl.data.dataset import FaceDataset, leave_out_unreadable, load_dataset
from facetl.data.near_duplicates import group_frames
from facetl.errors import InputError
from facetl.experiments.description import load_study
from facetl.experiments.plots import plot_study
from facetl.experiments.results import Result, Row, load_results, summarise
from facetl.experiments.scheduler import forecast, run
from facetl.experiments.setup import Setup, has_begun, require_place
from facetl.experiments.study import Cell, Graph, Study, Task, describe_method, plan_tasks
from facetl.experiments.tables import (
    Section,
    as_markdown,
    cells_csv,
    sections,
    summary_csv,
    title_of,
)
from facetl.files import note_written, write_text
from facetl.mtcnn.devices import choose_device
from facetl.reporting import SILENT, Reporter, say_time
from facetl.training.batches import split_by_frame

_WIDTH = 80
"""Columns of text that a plan takes at most."""
TEST_SHARE = 0.2
"""Share of the frames to measure on, where there are no others."""


@dataclass(frozen=True)
class CompareResult:
    """What a comparison found; of a dry run there are no sections.

    Attributes:
        study: what was compared.
        seconds: how long it was expected to take.
        sections: the table.
        table: the file of the table; other files beside it have the same name.
    """

    study: Study
    seconds: float
    sections: Sequence[Section]
    table: Path


def compare(request: CompareRequest, reporter: Reporter = SILENT) -> CompareResult:
    """Train by every method of a study, measure, and compare with plain fine-tuning.

    Raises:
        InputError: if the study or the frames cannot be read, or frames are in both parts.
        OutputError: if the folder holds other things, or a study of other frames or settings.
    """
    study, device, out = load_study(request.study), str(choose_device(request.device)), request.out
    # one process keeps a GPU busy
    workers = request.workers or (usable_cores() if device == "cpu" else 1)
    if not request.dry_run:
        require_place(out, resume=request.resume, force=request.force)
    resumable = (
        nullcontext() if request.dry_run else reporter.resumable(out, partial(has_begun, out))
    )
    with resumable:
        train_frames, test_frames = _load_frames(request, reporter)
        study = study.limited_to(len(train_frames))
        setup = Setup(out, train_frames, test_frames, study.epochs, study.training, device)
        if not request.dry_run:
            setup.claim(overwrite=request.force and not request.resume)
        graph = plan_tasks(study.cells)
        seconds = forecast(graph, setup, workers)
        for line in _describe(study, graph, setup, workers, seconds):
            reporter.note(line)
        table: Sequence[Section] = ()
        if not request.dry_run:
            _run(graph, setup, workers, reporter)
            note_written(*(path for task in graph for path in setup.files_of(task)))
            table = _write(study, setup, reporter)
    return CompareResult(study, seconds, table, _table_of(study, out, ".md"))


def hold_out(dataset: FaceDataset) -> tuple[FaceDataset, FaceDataset]:
    """Return frames to learn from and frames to measure on; near-duplicates stay together.

    Raises:
        InputError: if there is but one frame, or none can be read.
    """
    readable, groups = group_frames(dataset)
    if not readable:
        raise InputError(f"none of the {len(dataset)} frames can be read; restore the images")
    train, test = split_by_frame(np.arange(len(readable)), TEST_SHARE, 1, groups)
    return (
        FaceDataset(tuple(readable[place] for place in train)),
        FaceDataset(tuple(readable[place] for place in test)),
    )


def _load_frames(request: CompareRequest, reporter: Reporter) -> tuple[FaceDataset, FaceDataset]:
    """Return frames to train on, and readable frames to test on."""
    load = partial(load_dataset, on_error=request.on_error, form=chosen_format(request.form))
    train_frames = load(request.data, part="train")
    test_frames = load(request.test or request.data, part="test")
    for frames in (train_frames, test_frames):
        note_problems(frames, reporter)
    same = [frame.path for frame in train_frames] == [frame.path for frame in test_frames]
    if same and not request.test:
        train_frames, test_frames = hold_out(train_frames)
        reporter.note(
            f"found no test frames; held out {len(test_frames)} of "
            f"{len(train_frames) + len(test_frames)} (--test gives others)"
        )
        return train_frames, test_frames  # which have all been read
    readable = leave_out_unreadable(test_frames)
    if unreadable := len(test_frames) - len(readable):
        reporter.note(f"frames to measure on that cannot be read: {unreadable}")
    _require_apart(train_frames, readable)
    return train_frames, readable


def _require_apart(train: FaceDataset, test: FaceDataset) -> None:
    """Raise unless there are faces to measure on, in frames that are not learnt from."""
    learnt = {frame.path.resolve() for frame in train}
    both = [frame.path for frame in test if frame.path.resolve() in learnt]
    if both:
        raise InputError(
            f"found {len(both)} frames to measure on among those to learn from, such as {both[0]}; "
            "give others with --test"
        )
    if not test.face_count:
        raise InputError(
            f"found no face in the {len(test)} frames to measure on; give others with --test"
        )


def _describe(study: Study, graph: Graph, setup: Setup, workers: int, seconds: float) -> list[str]:
    """Return the plan of a study in words, line by line."""
    done = sum(setup.is_done(task) for task in graph)
    lines = {
        "stages": ", ".join(study.targets),
        "starts": ", ".join(study.starts),
        "frames": ", ".join(str(count or "all") for count in study.frames),
        "seeds": ", ".join(map(str, study.seeds)),
        "methods": "; ".join(map(describe_method, study.methods)),
        "cells": f"{len(study.cells)} (with what they need {len(graph)} tasks, {done} done)",
        "time": f"about {say_time(seconds)}, {workers} tasks side by side",
    }
    plan = [
        f"  {'' if number else name:8} {line}"
        for name, text in lines.items()
        for number, line in enumerate(_fold(text))
    ]
    return [*wrap(f"{study.name}: {study.description}", _WIDTH), *plan]


def _fold(text: str) -> list[str]:
    """Return a text as lines; of a list with semicolons, no item is broken."""
    if "; " not in text:
        return wrap(text, _WIDTH - 11)
    firm = "; ".join(item.replace(" ", "\xa0") for item in text.split("; "))
    return [line.replace("\xa0", " ") for line in wrap(firm, _WIDTH - 11)]


def _run(graph: Graph, setup: Setup, workers: int, reporter: Reporter) -> None:
    """Do all tasks, and report the result of each that was not done before."""
    done = {task for task in graph if setup.is_done(task)}
    numbered = enumerate(run(graph, setup, workers), 1)
    new = ((number, task) for number, task in numbered if task not in done)
    for number, task in reporter.track(new, "comparing", len(graph) - len(done)):
        reporter.note(f"[{number}/{len(graph)}] {_describe_task(task, setup)}")


def _describe_task(task: Task, setup: Setup) -> str:
    if not isinstance(task, Cell):
        return task.name
    (result,) = load_results(setup, [task])
    shown = ("accuracy", "named", "rejected") if task.backbone else ("0.3", "0.5", "0.7")
    figures = " ".join(f"{result.figures[name]:.3f}" for name in shown)
    what = "accuracy, named, rejected" if task.backbone else "AP"
    return (
        f"{title_of(task.group)}, seed {task.seed}, {describe_method(task.method)}: "
        f"{what} {figures}  {result.seconds:.0f} s"
    )


def _write(study: Study, setup: Setup, reporter: Reporter) -> list[Section]:
    """Write the table as Markdown and CSV, and the plots; return the table."""
    path_of = partial(_table_of, study, setup.folder)
    results = load_results(setup, study.cells)
    rows = summarise(results)
    table = sections(rows)
    write_text(path_of("_cells.csv"), cells_csv(results))
    write_text(path_of(".csv"), summary_csv(rows))
    write_text(path_of(".md"), as_markdown(study, table))
    save_plots(path_of, results, rows, reporter)
    return table


def _table_of(study: Study, folder: Path, ending: str) -> Path:
    return folder / f"{study.name}{ending}"


def save_plots(
    path_of: Callable[[str], Path],
    results: Sequence[Result],
    rows: Sequence[Row],
    reporter: Reporter = SILENT,
) -> None:
    """Write all plots of a study; report those that cannot be drawn.

    Args:
        path_of: gives the path of a file by the end of its name.
        results: of all cells.
        rows: of the table.
        reporter: receives a note of those that cannot be drawn.
    """
    pictures = OptionalPictures()
    for name, plot in plot_study(results, rows):
        pictures.save_figure(path_of(f"_{name}.png"), plot)
    pictures.note_missing(reporter)
