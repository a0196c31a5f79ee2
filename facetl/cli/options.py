"""Options that several commands share, written once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from facetl.cli.input_hints import expecting as expecting
from facetl.cores import usable_cores
from facetl.data.formats.table import COURSE, readable
from facetl.mtcnn.engines import engine_names
from facetl.search.settings import FACTORS, LEAST_FACE, Settings
from facetl.settings import AT_LEAST_ONE, Range, Setting, settings_of

if TYPE_CHECKING:
    from facetl.data.video import Sampling

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
MIN_FACE = FiniteRange(LEAST_FACE)
PYRAMID_FACTOR = FiniteRange(*FACTORS)


def _type_of(value: Any, allowed: Range | tuple[str, ...] | None) -> Any:
    """Return click's type for values like one that are allowed."""
    if isinstance(allowed, tuple):
        return click.Choice(allowed)
    if allowed is None:
        return None
    if isinstance(value, tuple):
        return (_type_of(value[0], allowed),) * len(value)
    kind = click.IntRange if isinstance(value, int) else FiniteRange
    limits: Any = (allowed.least, allowed.most, allowed.above, allowed.below)
    return kind(*limits)


def from_fields(settings: Any, *names: str, unset: str | None = None) -> Decorator:
    """Give a command the options that fields of settings are, in the order of the names.

    Args:
        settings: whose values are the defaults.
        names: of the fields; all that say something of themselves if there are none.
        unset: what the help shows as the default where None is it, which is what is given then.
    """
    entries = settings_of(settings)
    chosen = [
        _from_field(name, entries[name], getattr(settings, name), unset)
        for name in names or entries
    ]
    return together(*chosen)


def together(*decorators: Decorator) -> Decorator:
    """Give a command several options, the first of them first."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(decorators):
            command = option(command)
        return command

    return decorate


def _from_field(name: str, entry: Setting, value: Any, unset: str | None) -> Decorator:
    is_flag = isinstance(value, bool)
    return click.option(
        entry.flag or f"--{name.replace('_', '-')}",
        name,
        type=None if is_flag else _type_of(value, entry.allowed),
        is_flag=is_flag,
        multiple=value == (),
        default=None if unset or value == () else value,
        show_default=unset or entry.shown_default,
        metavar=entry.metavar,
        help=entry.help or None,
    )


seed = click.option("--seed", type=click.IntRange(min=0), default=1, help="Random seed.")
force = click.option("--force", is_flag=True, help="Overwrite --out.")
workers = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=usable_cores(),
    show_default="all cores",
    help="Number of parallel workers; the result does not depend on it.",
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="Where the networks run; auto uses a GPU if there is one.",
)
ENGINES = engine_names()
ENGINE_HELP = (
    "What computes the networks: torch, or kernels compiled for the CPU, exact or in half "
    "precision (see facetl doctor)."
)
engine = click.option(
    "--engine", type=click.Choice(engine_names()), default="auto", help=ENGINE_HELP
)
on_error = click.option(
    "--on-error",
    type=click.Choice(["strict", "skip"]),
    default="strict",
    help="Errors in annotations: read everything, then stop; or leave the lines out and count "
    "them.",
)


def _of_weights(name: str, word: str = "that") -> Decorator:
    """Return the option for a setting that weights recommend."""
    usual = getattr(Settings(), name)
    numbers = usual if isinstance(usual, tuple) else (usual,)
    shown = " ".join(f"{number:g}" for number in numbers)
    return from_fields(Settings(), name, unset=f"{word} of the weights, otherwise {shown}")


thresholds = _of_weights("thresholds", "those")
min_face = _of_weights("min_face")
factor = _of_weights("factor")
score = _of_weights("score")

start = click.option(
    "--start",
    default="pretrained",
    type=READ_NAME,
    metavar="pretrained|scratch|FILE",
    help="Weights to start from.",
)
resume = click.option("--resume", is_flag=True, help="Resume an interrupted training.")
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
    help="Their annotation file, if it is not found automatically.",
)
annotation_format = click.option(
    "--format",
    "form",
    type=click.Choice(["auto", *sorted(readable(), key=COURSE.__ne__)]),
    default="auto",
    help="Annotation format; auto recognises it from the files.",
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
    help="The weights file to write (.safetensors); training log and loss curves are written "
    "beside it.",
)


def epochs_by_stage(*default: int) -> Decorator:
    """Give a command the epochs of all three stages, PNet's first."""
    return click.option(
        "--epochs",
        type=_type_of(default, AT_LEAST_ONE),
        default=default,
        metavar="PNET RNET ONET",
        help="Training epochs of each stage.",
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
