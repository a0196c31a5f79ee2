"""``facetl verify``: whether outputs are still what their manifests say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.ending import ConsoleReporter
from facetl.errors import printable

if TYPE_CHECKING:
    from facetl.commands.verify import Audit

SHOWN = 5
"""So many files that no manifest names are shown."""


@click.command(short_help="Check outputs against their manifests.")
@click.argument("paths", nargs=-1, required=True, type=options.READ)
@click.option(
    "--inputs",
    is_flag=True,
    help="Check too what the commands were given: frames, annotations, weights.",
)
def verify(**given: Any) -> None:
    """Check whether what facetl wrote in PATHS is still as it was written.

    Every command leaves a manifest.json beside what it writes: the command, its settings, versions,
    seed, and the SHA-256 of all that it was given and that it wrote.  Of a folder every manifest
    to the bottom is checked; of a file what the nearest manifest that knows it says.

    Files that are changed or missing are named, and the exit code is 1; a manifest whose steps
    were emptied is a failure too.  Files that no manifest names are counted, which is no failure.
    With --inputs the frames, annotations and weights that the commands were given must be there
    and be the same too.

    \b
    Examples:
      facetl verify results
      facetl verify cascade.safetensors
      facetl verify results --inputs
    """
    from facetl.commands.verify import VerifyRequest
    from facetl.commands.verify import verify as check

    result = check(VerifyRequest(**given), ConsoleReporter())
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
        more = ", …" if len(audit.unknown) > SHOWN else ""
        shown = ", ".join(audit.unknown[:SHOWN])
        _print(f"  not in the manifest: {len(audit.unknown)} ({shown}{more})")


def _print(line: str) -> None:
    click.echo(printable(line))
