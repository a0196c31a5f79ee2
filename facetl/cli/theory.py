"""``facetl theory``: what L2 and L2-SP do where it can be worked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.console import plain_table, print_table
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import TheoryRequest

if TYPE_CHECKING:
    from facetl.experiments.theory import Moments


@options.command(TheoryRequest, "Draw what theory says of L2 and L2-SP.")
def theory(request: TheoryRequest) -> None:
    """Draw what theory says of learning that is held back: in formulas, and simulated.

    \b
    Examples:
      facetl theory --out theory
      facetl theory --out far --distance 1.5

    Two ways to keep a training from going too far, worked out and drawn for students: one pulls
    the numbers that are learnt towards zero, the other towards where they started.

    In detail:

    L2 pulls weights towards zero, L2-SP towards their start.  Both lower the variance of what is
    learnt alike; how much bias they bring depends on how far zero, or the start, is from the truth.

    \b
    Writes two pictures, each as PNG and SVG, and the numbers as CSV:
      paths           gradient descent from the start in a plane, over the contours of the loss
      bias_variance   bias² and variance of a linear regression against the noise
    and prints the errors.  docs/transfer.md compares them with what was measured.
    """
    from facetl.commands.theory import theory as run

    result = run(request, ConsoleReporter())
    names = list(result.theory)
    click.echo("mean squared error: in closed form, and simulated with its standard error")
    table = plain_table("noise", names)
    for place, noise in enumerate(result.noises):
        pairs = ((result.theory[name][place], result.simulated[name][place]) for name in names)
        table.add_row(f"{noise:.3g}", *(_show(*pair) for pair in pairs))
    print_table(table)
    for name, noise in result.break_even.items():
        click.echo(f"{name} is better than least squares from noise {noise:.3g} on")
    click.echo(f"wrote {request.out}")


def _show(closed: Moments, drawn: Moments) -> str:
    return f"{closed.total:.3f}  {drawn.total:.3f} ± {drawn.total_error:.3f}"
