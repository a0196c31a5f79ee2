"""``facetl doctor``: what this installation works with, and whether it works."""

from __future__ import annotations

from typing import Any

import click

from facetl.cli import options


@click.command(short_help="Say what searches frames here, and check that it does.")
@options.device
@options.engine
def doctor(**given: Any) -> None:
    """Say which engine, device, threads and libraries are in use here, and why.

    Then it searches one drawn frame, with torch as well: the boxes must be the same, unless
    --engine half was asked for.

    \b
    Example:
      facetl doctor
    """
    from facetl.commands.doctor import DoctorRequest
    from facetl.commands.doctor import doctor as run

    is_missing = False
    for subject, text in run(DoctorRequest(**given)):
        click.echo(f"{subject:10} {text}")
        is_missing |= subject == "missing"
    if is_missing:
        raise SystemExit(1)
