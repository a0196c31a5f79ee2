"""``facetl train``: from annotated frames to a tuned cascade, in one command."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.console import note, suggest
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import TrainRequest
from facetl.data.project import Project, is_project
from facetl.training.transfer import Transfer

if TYPE_CHECKING:
    from facetl.commands.train import TrainResult


def _place_in_project(
    context: click.Context, parameter: click.Parameter, out: Path | None
) -> Path | None:
    """Return where the weights go: in a project to its next round, if nothing else was said."""
    folders = context.params.get("data", ())
    if out is not None:
        return out
    if len(folders) != 1 or not is_project(folders[0]):
        raise click.MissingParameter(ctx=context, param=parameter)
    project = Project.open(folders[0])
    return project.weights_of(project.next_round)


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def parse_duration(value: str) -> float:
    """Return the seconds that ``90``, ``90s``, ``10m`` or ``1h`` means.

    Raises:
        ValueError: if it is none of these, or no time at all.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value)
    if not found or not float(found[1]):
        raise ValueError(f"found {value!r}, expected a time like 90s, 10m or 1h")
    return float(found[1]) * _SECONDS[found[2]]


@options.command(
    TrainRequest,
    "Retrain the face detector on annotated frames.",
    "data out images annotations budget with_cartoons workers resume force | ... on_error",
    parse={"budget": parse_duration},
    callbacks={"out": _place_in_project},
)
def train(request: TrainRequest) -> None:
    """Teach the face detector your show: it learns from frames in which the faces are marked.

    \b
    Examples:
      facetl cartoons cartoons
      facetl train cartoons --out mine.safetensors
      facetl train --images frames --annotations faces.txt --budget 10m --out mine.safetensors
      facetl train show1 show2 --with-cartoons 400 --out mine.safetensors
      facetl train cartoons --out mine.safetensors --resume

    DATA are folders of such annotated frames (to make one, use facetl annotate).  What was learnt
    is written to a file, the weights: give it to facetl detect as --weights.  In the end the new
    detector is compared with the one in use so far.

    In detail:

    The detector is a cascade of three networks, PNet, RNet and ONet, which are trained in turn;
    an epoch is one pass over all that a network learns from.  Each is trained on what the
    retrained ones before it actually propose: its negatives (examples of what is no face) are the
    false alarms that reach it.

    Several folders are trained on together.  Every frame counts alike: a show with many frames
    counts more than one with few.  Unfinished work is kept in a folder beside the weights; after
    an interruption, the same command with --resume continues from the last epoch.

    The comparison is on frames that neither detector has learnt from: the test part of DATA, or
    frames held out (--hold-out).
    """
    began = time.perf_counter()
    from facetl.cli.training_view import TrainingView
    from facetl.commands.train import train

    note_idle_epochs(request.transfer)
    keep = options.is_given("epochs") or options.is_given("phase_epochs")
    asked = replace(request, keep_epochs=keep, began=began)
    _report(train(asked, ConsoleReporter(), TrainingView))


def note_idle_epochs(transfer: Transfer) -> None:
    """Say so where --epochs was given for a strategy that has its own."""
    if transfer.layout.has_phases and options.is_given("epochs"):
        note(
            f"--strategy {transfer.strategy} takes its epochs from --phase-epochs, not from "
            "--epochs"
        )


def _report(result: TrainResult) -> None:
    files, suspects = result.files, result.cascade.suspects
    click.echo(files.describe())
    if suspects:
        written = [each for each in (files.suspects, files.suspects_sheet) if each.exists()]
        click.echo(
            f"wrote {' and '.join(map(str, written))}: {len(suspects)} "
            "regions look like faces and are not annotated"
        )
    for line in result.describe():
        click.echo(line)
    if not result.is_better:
        click.echo(f"the new detector is not better; {result.before} stays the one to use")
    suggest("detect", "FRAMES", "--weights", result.better, "--out", "results")
