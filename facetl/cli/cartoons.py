"""``facetl cartoons``: frames of the built-in cartoon in the course's layout."""

from __future__ import annotations

from typing import Any

import click

from facetl.cli import options
from facetl.cli.console import suggest
from facetl.cli.ending import ConsoleReporter


@click.command(short_help="Draw frames of the built-in cartoon.")
@click.argument("out", type=options.WRITE)
@click.option("--train", type=click.IntRange(min=1), default=120, help="Number of training frames.")
@click.option("--test", type=click.IntRange(min=1), default=60, help="Number of validation frames.")
@options.seed
@options.workers
@click.option(
    "--style",
    default="house",
    metavar="NAME",
    show_default=True,
    help="How things are drawn: house, another style, or any for one of chance per frame.",
)
@click.option("--force", is_flag=True, help="Replace a cartoon drawn into OUT earlier.")
def cartoons(**given: Any) -> None:
    """Draw a made-up cartoon with an exact box for every face, in the course's layout.

    The frames are CC0 and depend only on the seed: a frame of a part is the same picture, however
    many are drawn.  Every command that takes annotated frames accepts OUT.

    \b
    Examples:
      facetl cartoons cartoons
      facetl cartoons cartoons --train 400 --test 100 --seed 7
      facetl cartoons mixed --train 400 --test 100 --style any
    """
    from facetl.commands.cartoons import CartoonsRequest
    from facetl.commands.cartoons import cartoons as run

    request = CartoonsRequest(**given)
    result = run(request, ConsoleReporter())
    for part, frames in result.frames.items():
        click.echo(f"{part}: {frames} frames, {result.faces[part]} faces")
    click.echo(f"Rule: {result.rule}")
    suggest("train", request.out, "--out", "cascade.safetensors")
