"""``facetl train``: from annotated frames to a tuned cascade, in one command."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.console import note, suggest
from facetl.cli.ending import ConsoleReporter
from facetl.settings import filled
from facetl.training.settings import Augmentation
from facetl.training.stages import STAGE_FACTS
from facetl.training.transfer import Transfer

if TYPE_CHECKING:
    from facetl.commands.train import TrainResult


@click.command(short_help="Train the whole cascade on annotated frames.")
@click.argument("data", required=False, type=options.READ, callback=options.expecting("frames"))
@options.weights_out
@options.images_folder
@options.annotation_file
@options.annotation_format
@options.start
@options.epochs_by_stage(*(facts.training.epochs for facts in STAGE_FACTS.values()))
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=1,
    help="With 2, mine again with the retrained cascade and train again, and so on.",
)
@click.option(
    "--budget",
    type=options.Duration(),
    metavar="TIME",
    help="Take about this long, e.g. 10m: adapt the epochs, then the patches per frame; with "
    "--epochs only the patches.",
)
@click.option(
    "--with-cartoons",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Add N frames of the built-in cartoon.",
)
@options.from_fields(Augmentation(), "repaint", unset="0 for PNet, otherwise 0.05")
@options.from_fields(Transfer())
@options.seed
@options.workers
@options.device
@options.engine
@options.on_error
@options.resume
@options.force
def train(**given: Any) -> None:
    """Train PNet, RNet and ONet in turn on the annotated frames in DATA.

    Each network is trained on what the retrained ones before it actually propose: its negatives
    are the false alarms that reach it.  Unfinished work is kept in a folder beside the weights;
    after an interruption, the same command with --resume continues from the last epoch.

    \b
    Examples:
      facetl train cartoons --out cascade.safetensors
      facetl train --images frames --annotations faces.txt --budget 10m --out cascade.safetensors
      facetl train cartoons --out cascade.safetensors --resume
    """
    began = time.perf_counter()
    from facetl.cli.training_view import TrainingView
    from facetl.commands.train import TrainRequest, train

    transfer = filled(Transfer(), given)
    note_idle_epochs(transfer)
    request = filled(
        TrainRequest(
            data=given["data"],
            images=given["images"],
            out=given["out"],
            transfer=transfer,
            keep_epochs=options.is_given("epochs") or options.is_given("phase_epochs"),
            began=began,
        ),
        {**given, "start": given_start(given)},
    )
    _report(train(request, ConsoleReporter(), TrainingView))


def given_start(given: dict[str, Any]) -> str | None:
    """Return the weights to start from that were given by hand, if any."""
    return given["start"] if options.is_given("start") else None


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
    weights = ("--weights", "pretrained", "--weights", f"tuned={files.weights}")
    suggest("detect", "FRAMES", *weights, "--out", "results")
