"""``facetl verify``: whether outputs are still what their manifests say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import VerifyRequest
from facetl.errors import printable

if TYPE_CHECKING:
    from facetl.commands.verify import Audit

_SHOWN = 5
"""So many files that no manifest names are shown."""


@options.command(VerifyRequest, "Check that written files are unchanged.")
def verify(request: VerifyRequest) -> None:
    """Check that files which facetl wrote, those in PATHS, were not changed or lost since.

    \b
    Examples:
      facetl verify results
      facetl verify mine.safetensors
      facetl verify results --inputs

    Changed or missing files are listed, and the exit code is 1.

    In detail:

    Every command leaves a manifest.json beside what it writes: the command, its settings,
    versions, seed, and the SHA-256 (a fingerprint) of every input and output.  For a folder, every
    manifest in it and below is checked; for a file, its entry in the nearest manifest that lists
    it.

    A manifest whose steps were removed is a failure too.  Files that no manifest lists are
    counted, which is not a failure.  With --inputs, the frames, annotations and weights given to
    the commands must also exist and be unchanged.
    """
    from facetl.commands.verify import verify as check

    result = check(request, ConsoleReporter())
    for audit in result.audits:
        _print_outputs(audit)
    for audit in result.audits:
        for step, path, state in audit.inputs:
            _print(f"  input of {step}, {state}: {path}")
    if not result.is_whole:
        raise SystemExit(1)


def _print_outputs(audit: Audit) -> None:
    if audit.is_hollow:
        what = "a step without any file" if audit.steps else "no step"
        _print(
            f"{audit.manifest}: holds {what}, which facetl never writes: it was changed, and what "
            "it says of other files proves nothing"
        )
    names = ", ".join(dict.fromkeys(step.name for step in audit.steps))
    same, wrong = len(audit.states) - len(audit.wrong), audit.wrong
    _print(
        f"{audit.manifest}: {same} of {len(audit.states)} files are as they were written ({names})"
    )
    for name, state in wrong.items():
        _print(f"  {state}: {name}")
    if audit.unknown:
        more = ", …" if len(audit.unknown) > _SHOWN else ""
        shown = ", ".join(audit.unknown[:_SHOWN])
        _print(f"  not in the manifest: {len(audit.unknown)} ({shown}{more})")


def _print(line: str) -> None:
    click.echo(printable(line))
