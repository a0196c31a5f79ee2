"""``facetl doctor``: what this installation works with, and whether it works."""

from __future__ import annotations

from collections.abc import Iterator

from facetl.cli import options
from facetl.cli.console import print_facts
from facetl.commands.requests import DoctorRequest


@options.command(DoctorRequest, "Show which engine searches frames here, and test it.")
def doctor(request: DoctorRequest) -> None:
    """Check that facetl works on this machine, and see what it uses here, and why.

    \b
    Example:
      facetl doctor

    Shows the processor or graphics card that is used, and the libraries.  The last lines say
    whether a test search finds what it should, and what to do if not.

    In detail:

    An engine is what computes the detector's networks.  One drawn frame is searched with the
    engine in use, and with torch, another: the boxes must be the same, unless --engine half
    was requested.
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
