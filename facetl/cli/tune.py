"""``facetl tune``: the settings that serve a stated aim best, written into the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.console import note, plain_table, print_table, suggest
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import TuneRequest

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.commands.tune import TuneResult
    from facetl.evaluation.tuning.aims import Aim
    from facetl.evaluation.tuning.threshold_grid import Trial

COLUMNS = (
    *("PNet", "RNet", "ONet", "from score", "min face", "factor"),
    *("precision", "recall", "F1", "AP 0.3", "AP 0.5", "AP .5:.95", "ms"),
)
"""``from score``, from which faces count, is left out where it is ONet's threshold."""


@options.command(
    TuneRequest,
    "Choose settings: more faces, fewer errors, or faster.",
    "data weights out aim images annotations force | form part ... on_error",
)
def tune(request: TuneRequest) -> None:
    """Choose a detector's settings, to find more faces, to err less often, or to be faster.

    \b
    Examples:
      facetl tune more-frames --weights mine.safetensors --out tuned.safetensors
      facetl tune more-frames --weights mine.safetensors --aim "recall>=0.99" --force

    Tries hundreds of settings on the annotated frames in DATA, one or more folders, and keeps the
    best in a new weights file, where facetl detect finds them.  Use frames that the detector was
    not trained on and that are not your test frames.

    In detail:

    The aim may be a bound: recall is the fraction of faces that are found, precision the fraction
    of found boxes that are faces; f1 (the usual aim) balances both, and ap is average precision,
    precision over all recalls.

    The detector looks at every frame at many sizes (a pyramid), and each of its three networks
    has a threshold, a score that a window must reach to pass.  The networks score every frame
    once for each pyramid; hundreds of thresholds are then evaluated from these scores.  If the
    weights rescore what they find, the frames are read once more for that, and precision and
    recall are those from the score shown on.  The choice, with the score from which boxes are
    shown, is stored in the metadata of the weights.
    """
    from facetl.commands.tune import tune as run

    result = run(request, ConsoleReporter())
    _print(result, request.aim)
    plot = f" and {result.plot}" if result.plot else ""
    click.echo(f"wrote {result.weights}{plot}")
    suggest("detect", "FRAMES", "--weights", result.weights, "--out", "results")


def _print(result: TuneResult, aim: Aim) -> None:
    """Print the best settings, the chosen one first, and the one in use so far."""
    others = ((f"{place}.", trial) for place, trial in enumerate(result.best[1:], 2))
    named = [("chosen", result.best[0]), *others]
    if result.before:
        named.append(("before", result.before))
    print_table(_draw_table(named))
    tried = f"{result.tried} settings on {result.frames} frames"
    click.echo(f"\nchosen for {aim} among {tried}, at IoU 0.5")
    click.echo(f"shown from score {result.score:g} on, unless --score says otherwise")
    note("these frames flatter the choice: measure it on others")


def _draw_table(named: Sequence[tuple[str, Trial]]) -> Table:
    rescored = named[0][1].settings.rescored
    table = plain_table("", [each for each in COLUMNS if rescored or each != "from score"])
    for name, trial in named:
        table.add_row(name, *_cells(trial), style="bold" if name == "chosen" else "")
    return table


def _cells(trial: Trial) -> list[str]:
    settings = trial.settings
    shares = (trial.precision, trial.recall, trial.f1, *trial.ap.values())
    return [
        *(f"{threshold:g}" for threshold in settings.thresholds),
        *([f"{trial.cut:g}"] if settings.rescored else []),
        f"{settings.min_face:g}",
        f"{settings.factor:g}",
        *(f"{share:.3f}" for share in shares),
        f"{trial.milliseconds:.0f}",
    ]
