"""Options that several commands share, written once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from facetl.training.loop import TrainingSettings

FILE_OR_FOLDER = click.Path(path_type=Path)

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class FiniteRange(click.FloatRange):
    """A range of numbers that, unlike click's own, lets neither ``nan`` nor ``inf`` through."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or fail as wrong usage."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number


SHARE = FiniteRange(0, 1)
POSITIVE_SHARE = FiniteRange(0, 1, min_open=True)
FACTOR = FiniteRange(min=0)

seed = click.option("--seed", type=click.IntRange(min=0), default=1, help="Seed of all chance.")
force = click.option("--force", is_flag=True, help="Overwrite what is at --out.")
workers = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    show_default="all cores",
    help="Work done side by side; the result does not depend on it.",
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="Where the networks run; auto takes a GPU if there is one.",
)
on_error = click.option(
    "--on-error",
    type=click.Choice(["strict", "skip"]),
    default="strict",
    help="Bad annotation lines: stop at the end of reading, or leave them out and count them.",
)

_TRAINING_OPTIONS = (
    click.option("--epochs", type=click.IntRange(min=1), default=20, help="Rounds of training."),
    click.option(
        "--batch-size", type=click.IntRange(min=2), default=1024, help="Patches in a step."
    ),
    click.option(
        "--learning-rate",
        type=FiniteRange(min=0, min_open=True),
        default=3e-3,
        help="Highest learning rate of the schedule.",
    ),
    click.option("--optimiser", type=click.Choice(["adam", "sgd"]), default="adam"),
    click.option(
        "--schedule",
        type=click.Choice(["one-cycle", "cosine", "constant"]),
        default="one-cycle",
        help="How the learning rate goes.",
    ),
    click.option(
        "--hard-share",
        type=POSITIVE_SHARE,
        default=0.7,
        help="Online hard example mining: share of the examples that counts.",
    ),
    click.option(
        "--classification-weight", type=FACTOR, default=1.0, help="Weight of the face loss."
    ),
    click.option("--box-weight", type=FACTOR, default=2.0, help="Weight of the box loss."),
    click.option(
        "--class-shares",
        "shares",
        type=(FACTOR, FACTOR, FACTOR),
        default=(3.0, 1.0, 1.0),
        metavar="NEGATIVE POSITIVE PART",
        help="Relative share of the classes in a batch.",
    ),
    click.option(
        "--validation-share",
        type=FiniteRange(0, 1, min_open=True, max_open=True),
        default=0.1,
        help="Share of the frames put aside to choose the best epoch.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(min=0),
        default=0,
        help="Stop after so many epochs without improvement; 0: never.",
    ),
    click.option(
        "--score-threshold",
        type=SHARE,
        default=0.1,
        help="Where recall and false alarms are recorded.",
    ),
    click.option("--flip", type=SHARE, default=0.5, help="Share mirrored."),
    click.option(
        "--brightness",
        type=SHARE,
        default=0.15,
        help="Pixels times 1 minus to 1 plus this.",
    ),
    click.option(
        "--colour",
        type=SHARE,
        default=0.2,
        help="Each channel plus or minus up to this share of half the range.",
    ),
)


def training_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a training."""
    for option in reversed(_TRAINING_OPTIONS):
        command = option(command)
    return command


def build_settings(
    *, flip: float, brightness: float, colour: float, **settings: Any
) -> TrainingSettings:
    """Return the settings that the options of a training say."""
    from facetl.training.augmentation import Augmentation
    from facetl.training.loop import TrainingSettings

    return TrainingSettings(augmentation=Augmentation(flip, brightness, colour), **settings)
