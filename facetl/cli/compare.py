"""``facetl compare``: methods of transfer side by side, over seeds and numbers of frames."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.annotated import chosen_format, note_problems
from facetl.cli.console import TimeBar, note, print_table, say_time
from facetl.cli.ending import resumable
from facetl.cli.optional_pictures import OptionalPictures
from facetl.errors import OutputError
from facetl.files import (
    is_occupied,
    note_written,
    plot_paths,
    read_json,
    remove_folder,
    require_writable,
    write_text,
)

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.data.annotations import OnError
    from facetl.data.dataset import FaceDataset
    from facetl.experiments.results import Result, Row
    from facetl.experiments.runner import Bench
    from facetl.experiments.study import Study
    from facetl.experiments.tables import Section
    from facetl.experiments.tasks import Graph, Task


@click.command(short_help="Compare ways of transferring weights: a study.")
@click.argument("data", type=options.READ, callback=options.expecting("frames"))
@click.option(
    "--out",
    type=options.WRITE,
    required=True,
    metavar="FOLDER",
    help="Where cells, tables and plots go; several studies of the same frames may share it.",
)
@click.option(
    "--study",
    "source",
    default="strategies",
    type=options.READ_NAME,
    metavar="NAME|FILE.toml",
    help="A study that comes with facetl, or a file.",
)
@click.option(
    "--test",
    type=options.READ,
    metavar="FOLDER",
    help="Frames to measure on, if DATA has no such part; else a fifth of DATA is put aside.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done and how long it takes.")
@options.annotation_format
@options.workers
@options.device
@options.on_error
@click.option("--resume", is_flag=True, help="Go on, or add a study to the folder's.")
@options.force
def compare(
    data: Path,
    out: Path,
    source: str,
    test: Path | None,
    dry_run: bool,
    form: str,
    workers: int,
    device: str,
    on_error: OnError,
    resume: bool,
    force: bool,
) -> None:
    """Train by every method of a study, measure, and compare with plain fine-tuning.

    A study is a grid: stages or the whole cascade, strategies, regularisers, gradient rules,
    numbers of frames, seeds.  Each cell's result is written as it ends.  Studies that come with
    facetl: strategies, few-frames, few-frames-rnet, new-head, never-hurt,
    never-hurt-mild, defaults.

    \b
    Examples:
      facetl compare DATA --out lab --study never-hurt --dry-run
      facetl compare DATA --out lab --study never-hurt
      facetl compare DATA --out lab --study few-frames --resume
    """
    from facetl.experiments.description import load_study
    from facetl.experiments.runner import Bench
    from facetl.experiments.tasks import plan_tasks
    from facetl.mtcnn.detector import choose_device

    study, chosen_device = load_study(source), str(choose_device(device))
    if chosen_device != "cpu" and not options.is_given("workers"):
        workers = 1  # one process keeps a GPU busy
    if not dry_run:
        find_room(out, resume=resume, force=force)
    with nullcontext() if dry_run else resumable(out, (out / _CLAIM).exists):
        train_frames, test_frames = _load_frames(data, test, on_error, form)
        study = study.fitted(len(train_frames))
        bench = Bench(out, train_frames, test_frames, study.epochs, chosen_device)
        if not dry_run:
            _claim(bench, anew=force and not resume)
        graph = plan_tasks(study.cells)
        seconds = _forecast(graph, bench, workers)
        for line in _describe(study, graph, bench, workers, seconds):
            note(line)
        if not dry_run:
            _run(graph, bench, workers, seconds)
            note_written(*(path for task in graph for path in bench.files_of(task)))
            _report(study, bench)


def find_room(out: Path, *, resume: bool, force: bool) -> None:
    """See that there is a study to go on with, or nothing in the way of a new one.

    Raises:
        OutputError: if something is in the way.
    """
    occupied = is_occupied(out)
    if occupied and not (resume or force):
        raise OutputError(f"{out} exists already; go on with --resume, or start anew with --force")
    if occupied and _read_claim(out).get("format") != _FORMAT:
        raise OutputError(f"{out} holds no study of facetl; choose another --out")
    require_writable(out)


_CLAIM, _FORMAT = "study.json", "facetl-study"
_FOLDERS = ("patches", "starts", "cells", "work")


def _read_claim(out: Path) -> dict[str, Any]:
    """Return what a folder of studies says that its cells depend on, nothing if it says nothing."""
    try:
        claim = read_json(out / _CLAIM)
    except (OSError, ValueError):
        return {}
    return claim if isinstance(claim, dict) else {}


def _claim(bench: Bench, *, anew: bool) -> None:
    """Note in the folder what its cells depend on; refuse cells that depend on something else.

    Args:
        bench: everything that cells have in common.
        anew: whether the cells that are there may go.

    Raises:
        OutputError: if the folder's cells were made from other frames or with other settings.
    """
    own = {"format": _FORMAT, "version": 1, **bench.to_json()}
    found = _read_claim(bench.folder)
    if anew:
        for name in _FOLDERS:
            remove_folder(bench.folder / name)
    elif found and found != own:
        differing = ", ".join(key for key in own if found.get(key) != own[key])
        raise OutputError(
            f"{bench.folder} holds a study with other {differing}; choose another --out, or start "
            "anew with --force"
        )
    write_text(bench.folder / _CLAIM, json.dumps(own, indent=1) + "\n")


def _load_frames(
    data: Path, test: Path | None, on_error: OnError, form: str
) -> tuple[FaceDataset, FaceDataset]:
    """Return frames to learn from, and frames to measure on that can be read.

    Raises:
        InputError: if some frames are among both, or there is no face to find.
    """
    from facetl.data.dataset import leave_out_unreadable, load_dataset
    from facetl.experiments.frames import put_aside, require_apart

    load = partial(load_dataset, on_error=on_error, form=chosen_format(form))
    train_frames = load(data, part="train")
    test_frames = load(test or data, part="test")
    for frames in (train_frames, test_frames):
        note_problems(frames)
    same = [frame.path for frame in train_frames] == [frame.path for frame in test_frames]
    if same and not test:
        train_frames, test_frames = put_aside(train_frames)
        note(
            f"found no frames to measure on; put {len(test_frames)} of "
            f"{len(train_frames) + len(test_frames)} aside (--test gives others)"
        )
        return train_frames, test_frames  # which have all been read
    readable = leave_out_unreadable(test_frames)
    if len(readable) < len(test_frames):
        note(f"frames to measure on that cannot be read: {len(test_frames) - len(readable)}")
    require_apart(train_frames, readable)
    return train_frames, readable


def _forecast(graph: Graph, bench: Bench, workers: int) -> float:
    from facetl.experiments.forecast import forecast, measure_thread

    return forecast(graph, bench, measure_thread(bench), workers)


def _describe(study: Study, graph: Graph, bench: Bench, workers: int, seconds: float) -> list[str]:
    """Return the plan of a study in words, line by line."""
    from facetl.experiments.naming import describe_method

    done = sum(bench.is_done(task) for task in graph)
    lines = {
        "stages": ", ".join(study.targets),
        "starts": ", ".join(study.starts),
        "frames": ", ".join(str(count or "all") for count in study.frames),
        "seeds": ", ".join(map(str, study.seeds)),
        "methods": "; ".join(map(describe_method, study.methods)),
        "cells": f"{len(study.cells)} (with what they need {len(graph)} tasks, {done} done)",
        "time": f"about {say_time(seconds)}, {workers} tasks side by side",
    }
    plan = [f"  {name:8} {text}" for name, text in lines.items()]
    return [f"{study.name}: {study.description}", *plan]


def _run(graph: Graph, bench: Bench, workers: int, seconds: float) -> None:
    """Do all tasks, and say of each what came of it."""
    from facetl.experiments.scheduler import run

    done = {task for task in graph if bench.is_done(task)}
    share = seconds / max(len(graph) - len(done), 1)
    with TimeBar(seconds) as bar:
        bar.describe("comparing")
        for number, task in enumerate(run(graph, bench, workers), 1):
            if task not in done:
                bar.say(f"[{number}/{len(graph)}] {_describe_task(task, bench)}")
                bar.advance(share)


def _describe_task(task: Task, bench: Bench) -> str:
    from facetl.experiments.naming import describe_method
    from facetl.experiments.results import load_results
    from facetl.experiments.study import Cell

    if not isinstance(task, Cell):
        return task.name
    (result,) = load_results(bench, [task])
    figures = " ".join(f"{result.ap[iou]:.3f}" for iou in ("0.3", "0.5", "0.7"))
    spoilt = "" if task.start == "pretrained" else f", {task.start}"
    return (
        f"{task.target}, {task.frames or 'all'} frames, seed {task.seed}{spoilt}, "
        f"{describe_method(task.method)}: AP {figures}  {result.seconds:.0f} s"
    )


def _report(study: Study, bench: Bench) -> None:
    """Print the table; write it as Markdown and CSV, and the plots."""
    from facetl.experiments.results import load_results, summarise
    from facetl.experiments.tables import cells_csv, sections, summary_csv

    def path_of(ending: str) -> Path:
        return bench.folder / f"{study.name}{ending}"

    results = load_results(bench, study.cells)
    rows = summarise(results)
    write_text(path_of("_cells.csv"), cells_csv(results))
    write_text(path_of(".csv"), summary_csv(rows))
    table = sections(rows)
    write_text(path_of(".md"), _as_markdown(study, table))
    _save_plots(path_of, results, rows)
    for section in table:
        print_table(_draw(section))
        click.echo()
    click.echo(_LEGEND)
    click.echo(f"wrote {path_of('.md')}, .csv, _cells.csv and plots beside them")


def _save_plots(
    path_of: Callable[[str], Path], results: Sequence[Result], rows: Sequence[Row]
) -> None:
    from facetl.experiments.plots import plot_study

    pictures = OptionalPictures()
    for name, plot in plot_study(results, rows):
        path = path_of(f"_{name}.png")
        with pictures.drawing(*plot_paths(path)):
            from facetl.evaluation.report.plots import save_plot

            save_plot(path, plot())
    pictures.note_missing()


_LEGEND = (
    "Means ± standard deviations over seeds; the difference to plain fine-tuning is paired by "
    "seed, ± its 95 % confidence interval, * where it is beyond that. Photographs: AP at IoU 0.5 "
    "on variants of a portrait, which is what may be forgotten. Gap: the loss on patches put aside "
    "minus that on as many learnt from."
)


def _draw(section: Section, markdown: bool = False) -> Table:
    """Return a section as a table, the best of each column in bold."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    style: dict[str, Any] = {"box": box.MARKDOWN} if markdown else {"box": None}
    table = Table(header_style="bold", pad_edge=markdown, padding=(0, 1), **style)
    for header in (section.title, *section.headers[1:]):
        table.add_column(Text(header), justify="left" if header == section.title else "right")
    for line in section.lines:
        if markdown:
            table.add_row(*(f"**{each.text}**" if each.best else each.text for each in line))
        else:
            table.add_row(*(Text(each.text, "bold" if each.best else "") for each in line))
    return table


def _as_markdown(study: Study, table: Sequence[Section]) -> str:
    from facetl.cli.console import render

    parts = [f"# {study.name}", study.description]
    parts += [render(_draw(section, markdown=True)) for section in table]
    return "\n\n".join([*parts, _LEGEND]) + "\n"
