"""``facetl tune``: the settings that serve a stated aim best, written into the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.console import note, plain_table, print_table, suggest
from facetl.cli.ending import ConsoleReporter
from facetl.evaluation.tuning.aims import Aim

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.commands.tune import TuneResult
    from facetl.evaluation.tuning.threshold_grid import Trial

COLUMNS = (
    *("PNet", "RNet", "ONet", "min face", "factor"),
    *("precision", "recall", "F1", "AP 0.3", "AP 0.5", "AP .5:.95", "ms"),
)


class AimType(click.ParamType[Aim]):
    """An aim of the tuning, as one word or a bound."""

    name = "aim"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Aim:
        """Return the aim, or fail as wrong usage."""
        try:
            return value if isinstance(value, Aim) else Aim.parse(value)
        except ValueError as error:
            self.fail(f"found {value!r}, {error}.", param, ctx)


def _check_name(ctx: click.Context, param: click.Parameter, out: Path | None) -> Path | None:
    return None if out is None else options.require_safetensors(ctx, param, out)


@click.command(short_help="Choose thresholds and image pyramid for an aim.")
@click.argument("data", required=False, type=options.READ, callback=options.expecting("frames"))
@options.images_folder
@options.annotation_file
@options.annotation_format
@click.option(
    "--part",
    type=click.Choice(["train", "test"]),
    default="train",
    help="Which part to use, if DATA has both.",
)
@click.option(
    "--weights",
    required=True,
    type=options.ReadName(beside=True),
    metavar="FILE",
    help="A weights file, 'cartoon' or 'pretrained'.",
)
@click.option(
    "--out",
    type=options.WRITE_FILE,
    callback=_check_name,
    metavar="FILE",
    help="Weights file to write with the chosen settings; without it, --force overwrites "
    "--weights.",
)
@click.option(
    "--aim",
    type=AimType(),
    default="f1",
    metavar="AIM",
    help="ap, f1, speed, or a bound such as 'recall>=0.99' or 'precision>=0.95'.",
)
@click.option(
    "--min-face",
    "min_faces",
    type=options.MIN_FACE,
    multiple=True,
    show_default="depends on the smallest annotated face",
    help="Side of the smallest face to find, in pixels; repeatable, to compare.",
)
@click.option(
    "--factor",
    "factors",
    type=options.PYRAMID_FACTOR,
    multiple=True,
    show_default="that of the weights",
    help="Ratio of neighbouring levels of the image pyramid; repeatable, to compare.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=400,
    help="Use at most this many frames, evenly spaced.",
)
@options.workers
@options.device
@options.engine
@options.on_error
@options.force
def tune(**given: Any) -> None:
    """Choose the best settings for an aim on the annotated frames in DATA.

    The networks score every frame once for each pyramid; hundreds of thresholds are then evaluated
    from these scores.  The choice, including the score from which boxes are shown, is stored in the
    metadata of the weights, where facetl detect finds it.  Use frames that the weights were not
    trained on and that are not your test frames.

    \b
    Examples:
      facetl tune more-frames --weights cascade.safetensors --out tuned.safetensors
      facetl tune more-frames --weights cascade.safetensors --aim "recall>=0.99" --force
    """
    from facetl.commands.tune import TuneRequest
    from facetl.commands.tune import tune as run

    if not options.is_given("part"):
        given["part"] = None
    result = run(TuneRequest(**given), ConsoleReporter())
    _print(result, given["aim"])
    plot = f" and {result.plot}" if result.plot else ""
    click.echo(f"wrote {result.weights}{plot}")
    suggest("detect", "FRAMES", "--weights", result.weights, "--out", "results")


def _print(result: TuneResult, aim: Aim) -> None:
    """Print the best settings, the chosen one first, and the one in use so far."""
    named = [("chosen", result.best[0]), *(("", trial) for trial in result.best[1:])]
    if result.before:
        named.append(("before", result.before))
    print_table(_draw_table(named))
    tried = f"{result.tried} settings on {result.frames} frames"
    click.echo(f"\nchosen for {aim} among {tried}, at IoU 0.5")
    click.echo(f"shown from score {result.score:g} on, unless --score says otherwise")
    note("these frames flatter the choice: measure it on others")


def _draw_table(named: Sequence[tuple[str, Trial]]) -> Table:
    table = plain_table("", COLUMNS)
    for name, trial in named:
        table.add_row(name, *_cells(trial), style="bold" if name == "chosen" else "")
    return table


def _cells(trial: Trial) -> list[str]:
    settings = trial.settings
    shares = (trial.precision, trial.recall, trial.f1, *trial.ap.values())
    return [
        *(f"{threshold:g}" for threshold in settings.thresholds),
        f"{settings.min_face:g}",
        f"{settings.factor:g}",
        *(f"{share:.3f}" for share in shares),
        f"{trial.milliseconds:.0f}",
    ]
