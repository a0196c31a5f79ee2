"""``facetl doctor``: what this installation works with, and whether it works."""

from __future__ import annotations

from collections.abc import Iterator

from facetl.cli import options
from facetl.cli.console import print_facts
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

    missing = []

    def told() -> Iterator[tuple[str, str]]:
        for subject, text in run(request):
            yield subject, text
            missing.extend([text] * (subject == "missing"))

    print_facts(told())
    if missing:
        raise SystemExit(1)
