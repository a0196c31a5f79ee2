"""``facetl demo``: everything from drawn frames to figures, on the built-in cartoon."""

from __future__ import annotations

import shlex
from functools import partial

import click

from facetl.cli import options
from facetl.cli.console import note, show_command
from facetl.commands.requests import DemoRequest


@options.command(
    DemoRequest, "Train and test a detector on the built-in cartoon.", "out train test force | ..."
)
def demo(request: DemoRequest) -> None:
    """See what facetl does, in a few minutes: it trains and tests a detector on a drawn cartoon.

    \b
    Examples:
      facetl demo
      facetl demo --out quick --train 40 --test 20 --epochs 6 3 2

    Every step is a command that you can run yourself; it is shown before it runs.  In the end you
    can look at pictures of what the detector finds before and after training.

    In detail:

    The detector is a cascade: three networks, PNet, RNet and ONet, of which each checks what the
    one before lets through.  After drawing frames, the demo retrains the first network alone and
    then all three.  It runs the pretrained and both retrained detectors side by side on frames
    that none of them has seen, and compares them.
    """
    from facetl.commands.demo import demo as show

    result = show(request, partial(_run, force=request.force))
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
