"""``facetl demo``: everything from drawn frames to figures, on the built-in cartoon."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Any

import click

from facetl.cli import options
from facetl.cli.console import note, show_command


@click.command(short_help="Train and test a detector on the built-in cartoon.")
@click.option(
    "--out",
    type=options.WRITE,
    default=Path("facetl-demo"),
    metavar="FOLDER",
    help="Where to write everything.",
)
@click.option("--train", type=click.IntRange(min=2), default=120, help="Number of training frames.")
@click.option("--test", type=click.IntRange(min=1), default=60, help="Number of test frames.")
@options.epochs_by_stage(12, 5, 4)
@options.seed
@options.force
def demo(force: bool, **given: Any) -> None:
    """Train and test a face detector on a cartoon, in a few minutes.

    Draws frames of a made-up cartoon, retrains the first network alone and then the whole
    cascade, runs the pretrained and both fine-tuned detectors side by side on frames that none
    of them has seen, and compares them.  Every step is a command that you can run yourself; it
    is shown before it runs.

    \b
    Examples:
      facetl demo
      facetl demo --out quick --train 40 --test 20 --epochs 6 3 2
    """
    from facetl.commands.demo import DemoRequest
    from facetl.commands.demo import demo as show

    result = show(DemoRequest(force=force, **given), partial(_run, force=force))
    click.echo(f"\nAll steps took {result.seconds:.0f} s.  Look at:")
    for place, description in result.places.items():
        click.echo(f"  {place}   {description}")
    note("next, on your own frames: facetl train FRAMES --out cascade.safetensors")


def _run(command: str, *, force: bool) -> None:
    """Show a command of facetl on stderr, and run it as if it had been typed."""
    note("")
    show_command(f"facetl {command}")
    arguments = shlex.split(command) + ["--force"] * force
    root = click.get_current_context().find_root().command
    root.main(arguments, prog_name="facetl", standalone_mode=False)
