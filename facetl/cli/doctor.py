"""``facetl doctor``: what this installation works with, and whether it works."""

from __future__ import annotations

import click

from facetl.cli import options
from facetl.commands.requests import DoctorRequest


@options.command(DoctorRequest, "Show which engine searches frames here, and test it.")
def doctor(request: DoctorRequest) -> None:
    """Show which engine, device, threads and libraries are in use here, and why.

    Then searches one drawn frame, also with torch: the boxes must be the same, unless
    --engine half was requested.

    \b
    Example:
      facetl doctor
    """
    from facetl.commands.doctor import doctor as run

    is_missing = False
    for subject, text in run(request):
        click.echo(f"{subject:10} {text}")
        is_missing |= subject == "missing"
    if is_missing:
        raise SystemExit(1)
