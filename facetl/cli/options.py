"""Options that several commands share, written once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from facetl.cli.console import note
from facetl.cli.input_hints import expecting as expecting
from facetl.cores import usable_cores
from facetl.data.formats.table import COURSE, readable
from facetl.results.shown_score import SCORE
from facetl.search.settings import FACTORS, LEAST_FACE

if TYPE_CHECKING:
    from facetl.data.video import Sampling
    from facetl.mtcnn.networks import Stage
    from facetl.training.settings import TrainingSettings
    from facetl.training.transfer import Transfer

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class ReadPath(click.Path):
    """A file or folder that a command reads; its manifest tells what was in it.

    Args:
        beside: the command writes beside it, or into it, where it has no ``--out``.
    """

    is_read = True

    def __init__(self, *, beside: bool = False) -> None:
        super().__init__(path_type=Path)
        self.is_written_beside = beside


class ReadName(click.types.StringParamType):
    """A text that may name a file to read, as built-in weights or ``NAME=FILE`` do.

    Args:
        beside: the command writes beside the file where it has no ``--out``.
    """

    is_read = True

    def __init__(self, *, beside: bool = False) -> None:
        self.is_written_beside = beside


class WritePath(click.Path):
    """A file or folder that a command writes."""

    is_written = True

    def __init__(self, *, dir_okay: bool = True) -> None:
        super().__init__(path_type=Path, dir_okay=dir_okay)


READ = ReadPath()
READ_NAME = ReadName()
WRITE = WritePath()
WRITE_FILE = WritePath(dir_okay=False)

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def split_name(value: str) -> tuple[str, str]:
    """Split ``NAME=PLACE``; the name is empty where there is none.

    An ``=`` behind a slash belongs to the path: ``runs/lr=0.1/cascade.safetensors``.
    """
    name, equals, place = value.partition("=")
    return (name, place) if equals and "/" not in name else ("", value)


class FiniteRange(click.FloatRange):
    """A range of numbers that, unlike click's own, lets neither ``nan`` nor ``inf`` through."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or fail as wrong usage."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number; give one like 0.5.", param, ctx)
        return number


class Duration(click.ParamType):  # type: ignore[type-arg]
    """A time like ``90``, ``90s``, ``10m`` or ``1h``, in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds, or fail as wrong usage."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value)
        if not found or not float(found[1]):
            self.fail(f"found {value!r}, expected a time like 90s, 10m or 1h", param, ctx)
        return float(found[1]) * _SECONDS[found[2]]


class Frequency(click.ParamType):  # type: ignore[type-arg]
    """Which frames of a video count: ``10``, one in ten, or ``0.5s``, one every half second."""

    name = "frequency"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Sampling:
        """Return which frames count, or fail as wrong usage."""
        from facetl.data.video import Sampling

        if isinstance(value, Sampling):
            return value
        try:
            return Sampling.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


SHARE = FiniteRange(0, 1)
POSITIVE_SHARE = FiniteRange(0, 1, min_open=True)
FACTOR = FiniteRange(min=0)
MIN_FACE = FiniteRange(min=LEAST_FACE)
PYRAMID_FACTOR = FiniteRange(*FACTORS)

seed = click.option("--seed", type=click.IntRange(min=0), default=1, help="Seed of all chance.")
force = click.option("--force", is_flag=True, help="Overwrite what is at --out.")
workers = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=usable_cores(),
    show_default="all cores",
    help="Work done side by side; the result does not depend on it.",
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="Where the networks run; auto takes a GPU if there is one.",
)
ENGINES = ("auto", "torch", "native", "half")
ENGINE_HELP = (
    "What searches frames: torch, or kernels compiled for the processor, exact or in half "
    "precision (see facetl doctor)."
)
engine = click.option("--engine", type=click.Choice(ENGINES), default="auto", help=ENGINE_HELP)
on_error = click.option(
    "--on-error",
    type=click.Choice(["strict", "skip"]),
    default="strict",
    help="Bad annotation lines: stop at the end of reading, or leave them out and count them.",
)
thresholds = click.option(
    "--thresholds",
    type=(SHARE, SHARE, SHARE),
    show_default="those of the weights, else 0.1 0.2 0.2",
    metavar="PNET RNET ONET",
    help="Least score to pass each stage.",
)
min_face = click.option(
    "--min-face",
    type=MIN_FACE,
    show_default="that of the weights, else 20",
    help="Side of the smallest face looked for, in pixels.",
)
factor = click.option(
    "--factor",
    type=PYRAMID_FACTOR,
    show_default="that of the weights, else 0.709",
    help="Ratio of neighbouring levels of the image pyramid.",
)
score = click.option(
    "--score",
    type=SHARE,
    show_default=f"that of the weights, else {SCORE:g}",
    help="Least score of a box that is drawn, counted, cut out or exported; 0 takes all.",
)

start = click.option(
    "--start",
    default="pretrained",
    type=READ_NAME,
    metavar="pretrained|scratch|FILE",
    help="Weights to start from.",
)
resume = click.option("--resume", is_flag=True, help="Go on with the training that was broken off.")
images_folder = click.option(
    "--images",
    type=READ,
    callback=expecting("frames"),
    metavar="FOLDER",
    help="The frames, if not DATA.",
)
annotation_file = click.option(
    "--annotations",
    type=READ,
    metavar="FILE",
    help="Their annotation file, if it is not found by itself.",
)
annotation_format = click.option(
    "--format",
    "form",
    type=click.Choice(["auto", *sorted(readable(), key=COURSE.__ne__)]),
    default="auto",
    help="How the faces are annotated; auto looks into the files.",
)


def require_safetensors(context: click.Context, parameter: click.Parameter, out: Path) -> Path:
    """Refuse names under which weights could not be read again."""
    if out.suffix != ".safetensors":
        raise click.BadParameter(f"{out} does not end in .safetensors; choose a name that does")
    return out


weights_out = click.option(
    "--out",
    type=WRITE_FILE,
    required=True,
    callback=require_safetensors,
    metavar="FILE",
    help="The weights file to write (.safetensors); records and loss curves go beside it.",
)

_TRANSFER_OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "--strategy",
        type=click.Choice(["full", "last-block", "head", "gradual", "scratch"]),
        default="full",
        help="What learns: everything, the last block and the two output layers, these two alone, "
        "one after the other, or everything from a random start.",
    ),
    click.option("--reset-head", is_flag=True, help="Draw the two output layers anew."),
    click.option(
        "--regulariser",
        type=click.Choice(["none", "l2", "l2-sp", "feature-map", "delta"]),
        default="none",
        help="What holds the weights: small ones, the start's, or the start's feature maps.",
    ),
    click.option(
        "--alpha", type=FACTOR, default=0.01, help="Its strength, on what the start shares."
    ),
    click.option(
        "--beta", type=FACTOR, default=0.01, help="Its strength on reset layers (l2-sp alone)."
    ),
    click.option(
        "--decay", type=POSITIVE_SHARE, default=1.0, help="Strength times this after each epoch."
    ),
    click.option(
        "--feature-layer",
        "feature_layers",
        multiple=True,
        metavar="LAYER",
        show_default="the last convolution and hidden dense layer",
        help="Layers whose feature maps are held, e.g. conv2; repeatable.",
    ),
    click.option(
        "--gradient-rule",
        type=click.Choice(["sum", "dtnh"]),
        default="sum",
        help="How the regulariser's gradient joins the loss's: added, or without the part that "
        "works against it.",
    ),
    click.option(
        "--phase-epochs",
        type=(click.IntRange(min=1),) * 3,
        default=(5, 5, 15),
        metavar="HEAD BLOCK FULL",
        help="Epochs of the phases of --strategy gradual, instead of --epochs.",
    ),
    click.option(
        "--phase-rates",
        type=(FiniteRange(min=0, min_open=True),) * 3,
        default=(1e-3, 1e-4, 1e-5),
        metavar="HEAD BLOCK FULL",
        help="Highest learning rates of these phases.",
    ),
)


def transfer(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of how weights are transferred."""
    for option in reversed(_TRANSFER_OPTIONS):
        command = option(command)
    return command


def take_transfer(given: dict[str, Any]) -> Transfer:
    """Take the options of the transfer out of all that were given; return what they say."""
    from facetl.training.transfer import Transfer

    return Transfer(**{each.name: given.pop(each.name) for each in fields(Transfer)})


def settle_start(start: str, strategy: str) -> str:
    """Return what a training starts from: with the strategy ``scratch``, from chance.

    Raises:
        click.UsageError: if another start was asked for by hand.
    """
    if strategy != "scratch":
        return start
    if is_given("start") and start != "scratch":
        raise click.UsageError(
            f"--strategy scratch starts from chance, not from {start}; leave out one of them"
        )
    return "scratch"


def tell_idle_epochs(strategy: str) -> None:
    """Say so where --epochs was given for a strategy that has its own."""
    if strategy == "gradual" and is_given("epochs"):
        note("--strategy gradual takes its epochs from --phase-epochs, not from --epochs")


EPOCHS = {"pnet": 20, "rnet": 8, "onet": 10}
_BATCH_SIZES = {"pnet": 1024, "rnet": 512, "onet": 128}
_LEARNING_RATES = {"pnet": 3e-3, "rnet": 2e-3, "onet": 1e-3}
_KEEP = {"pnet": "best", "rnet": "last", "onet": "last"}
_BOX_WEIGHTS = {"pnet": 2.0, "rnet": 2.0, "onet": 4.0}
_CONTRASTS = {"pnet": 0.0, "rnet": 0.15, "onet": 0.15}
_REPAINTS = {"pnet": 0.0, "rnet": 0.05, "onet": 0.05}
_SHARES = {"pnet": (3.0, 1.0, 1.0), "rnet": (3.0, 1.0, 1.0), "onet": (2.0, 3.0, 1.0)}


def epochs_by_stage(*default: int) -> Decorator:
    """Give a command the epochs of all three stages, PNet's first."""
    return click.option(
        "--epochs",
        type=(click.IntRange(min=1),) * 3,
        default=default,
        metavar="PNET RNET ONET",
        help="Rounds of training of each stage.",
    )


def _stage_options(stage: Stage) -> tuple[Decorator, ...]:
    """Return the options of a training whose defaults depend on the stage."""
    return (
        click.option(
            "--epochs",
            type=click.IntRange(min=1),
            default=EPOCHS[stage],
            help="Rounds of training.",
        ),
        click.option(
            "--batch-size",
            type=click.IntRange(min=2),
            default=_BATCH_SIZES[stage],
            help="Patches in a step.",
        ),
        click.option(
            "--learning-rate",
            type=FiniteRange(min=0, min_open=True),
            default=_LEARNING_RATES[stage],
            help="Highest learning rate of the schedule.",
        ),
        click.option(
            "--keep",
            type=click.Choice(["best", "last"]),
            default=_KEEP[stage],
            help="Weights to keep: of the epoch with the lowest validation loss, or the last.",
        ),
        click.option(
            "--box-weight",
            type=FACTOR,
            default=_BOX_WEIGHTS[stage],
            help="Weight of the box loss.",
        ),
        click.option(
            "--class-shares",
            "shares",
            type=(FACTOR, FACTOR, FACTOR),
            default=_SHARES[stage],
            metavar="NEGATIVE POSITIVE PART",
            help="Relative share of the classes in a batch.",
        ),
        click.option(
            "--contrast",
            type=SHARE,
            default=_CONTRASTS[stage],
            help="Distances from middle grey times 1 minus to 1 plus this.",
        ),
        repaint(_REPAINTS[stage]),
    )


def repaint(default: float | None) -> Decorator:
    """Return the option for how many patches are painted in other colours."""
    return click.option(
        "--repaint",
        type=SHARE,
        default=default,
        show_default=default is not None or "0 for PNet, else 0.05",
        help="Share with colour channels exchanged: more for other cartoons' sake.",
    )


_TRAINING_OPTIONS: tuple[Decorator, ...] = (
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
    click.option(
        "--landmark-weight",
        type=FACTOR,
        default=1.0,
        help="Weight of keeping the pretrained landmarks; ONet alone has any.",
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


def is_given(option: str) -> bool:
    """Return whether an option of the running command was given by hand."""
    source = click.get_current_context().get_parameter_source(option)
    return source is ParameterSource.COMMANDLINE


def refuse_idle(why: str, **flags: str) -> None:
    """Refuse options that were given by hand and would have no effect.

    Args:
        why: says why not, and the way out; the option's name goes before.
        flags: how the options are typed, by their names.

    Raises:
        click.UsageError: naming the first of them.
    """
    for option, flag in flags.items():
        if is_given(option):
            raise click.UsageError(f"{flag} {why}")


def training_settings(stage: Stage) -> Decorator:
    """Give a command the options of a stage's training."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed((*_stage_options(stage), *_TRAINING_OPTIONS)):
            command = option(command)
        return command

    return decorate


_CHANGES = ("flip", "brightness", "contrast", "colour", "repaint")


def build_settings(**given: Any) -> TrainingSettings:
    """Return the settings that the options of a training say."""
    from facetl.training.augmentation import Augmentation
    from facetl.training.settings import TrainingSettings

    augmentation = Augmentation(**{change: given.pop(change) for change in _CHANGES})
    transfer = take_transfer(given)
    return TrainingSettings(augmentation=augmentation, transfer=transfer, **given)
