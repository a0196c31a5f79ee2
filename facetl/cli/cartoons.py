"""``facetl cartoons``: frames of the built-in cartoon in the course's layout."""

from __future__ import annotations

import click

from facetl.cli import options
from facetl.cli.console import suggest
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import CartoonsRequest
from facetl.reporting import plural


@options.command(
    CartoonsRequest, "Draw frames of the built-in cartoon.", "out train test style seed force | ..."
)
def cartoons(request: CartoonsRequest) -> None:
    """Draw a made-up cartoon into OUT, to try all commands on: pictures, and where the faces are.

    \b
    Examples:
      facetl cartoons cartoons
      facetl cartoons cartoons --train 400 --test 100 --seed 7
      facetl cartoons mixed --train 400 --test 100 --style any

    There are frames to learn from (train) and others to measure on (test), with an exact box for
    every face.  facetl train, and every other command that takes annotated frames, accepts OUT.

    In detail:

    The frames are CC0, and laid out as in the course's data set.  They depend only on the seed: a
    frame of a part is the same picture, however many are drawn.
    """
    from facetl.commands.cartoons import cartoons as run

    result = run(request, ConsoleReporter())
    for part, frames in result.frames.items():
        faces = plural(result.faces[part], "face")
        click.echo(f"{part}: {plural(frames, 'frame')}, {faces}")
    click.echo(f"Rule: {result.rule}")
    suggest("train", request.out, "--out", "cascade.safetensors")
