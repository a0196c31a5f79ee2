"""``facetl verify``: whether outputs are still what their manifests say."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from facetl.cli import options
from facetl.cli.console import track
from facetl.cli.recording import mark_built_in
from facetl.errors import ManifestError, printable
from facetl.files import absolute
from facetl.manifests.checking import State, check_input, check_outputs
from facetl.manifests.fingerprints import MANIFEST, names_below
from facetl.manifests.manifest import Input, Manifest, OutputMark, Step, load_manifest

SHOWN = 5
"""So many files that no manifest names are shown."""


@click.command(short_help="Check outputs against their manifests.")
@click.argument("paths", nargs=-1, required=True, type=options.READ)
@click.option(
    "--inputs",
    is_flag=True,
    help="Check too what the commands were given: frames, annotations, weights.",
)
def verify(paths: tuple[Path, ...], inputs: bool) -> None:
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
    audits = [audit for path in paths for audit in _plan(path)]
    total = sum(len(audit.outputs) for audit in audits)
    for audit, name, state in track(_check(audits), "checking", total):
        audit.states[name] = state
    whole = [_report(audit) for audit in audits]
    if inputs:
        whole += [_report_inputs(audit) for audit in audits]
    if not all(whole):
        raise SystemExit(1)


@dataclass
class Audit:
    """A manifest, or the part of one that is to be checked.

    Attributes:
        folder: of the manifest.
        steps: what the manifest tells of what is to be checked.
        unknown: files that no manifest names.
        states: how each output is, by name, once it is checked.
    """

    folder: Path
    steps: Sequence[Step]
    unknown: Sequence[str] = ()
    states: dict[str, State] = field(default_factory=dict)

    @property
    def outputs(self) -> dict[str, OutputMark]:
        """What is to be checked."""
        return Manifest(tuple(self.steps)).outputs

    @property
    def is_hollow(self) -> bool:
        """Whether there is no step, or one that names no file: facetl writes no such manifest."""
        return not all(step.outputs for step in self.steps) or not self.steps


def _plan(path: Path) -> list[Audit]:
    """Return what is to be checked at a path.

    Raises:
        ManifestError: if no manifest tells of it, or one cannot be read.
    """
    if folders := _folders_with_manifest(path):
        return _find_unknown([Audit(each, load_manifest(each).steps) for each in folders])
    for folder in Path(absolute(path)).parents:
        if os.path.lexists(folder / MANIFEST) and (audit := _find_in(folder, path)):
            return [audit]
    raise ManifestError(
        f"{path}: found no {MANIFEST} in it, and none above that tells of it; give what a facetl "
        "command has written"
    )


def _folders_with_manifest(path: Path) -> list[Path]:
    """Return those of a folder and all below it that have a manifest; links are not followed."""
    found = []
    for place, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place)] * (MANIFEST in files)
    return sorted(found)


def _find_in(folder: Path, path: Path) -> Audit | None:
    """Return what a folder's manifest tells of a file or folder below it; None if nothing."""
    wanted = Path(absolute(path)).relative_to(folder).as_posix()
    steps = load_manifest(folder).steps
    names = [name for step in steps for name in step.outputs]
    others = {name for name in names if not f"{name}/".startswith(f"{wanted}/")}
    told = [own for step in steps if (own := step.without(others)).outputs]
    return Audit(folder, told) if told else None


def _find_unknown(audits: list[Audit]) -> list[Audit]:
    """Return the audits with the files that no manifest names, each with the nearest."""
    known = {audit.folder / name for audit in audits for name in audit.outputs}
    folders = {audit.folder for audit in audits}
    for audit in audits:
        nested = folders - {audit.folder}
        audit.unknown = [
            name
            for name in names_below(audit.folder)
            if audit.folder / name not in known
            and not any(_lies_in(audit.folder, name, folder) for folder in nested)
        ]
    return audits


def _lies_in(folder: Path, name: str, nested: Path) -> bool:
    """Return whether a file of a folder lies in another folder, which is nested in that one."""
    return nested.is_relative_to(folder) and (folder / name).is_relative_to(nested)


def _check(audits: Sequence[Audit]) -> Iterator[tuple[Audit, str, State]]:
    for audit in audits:
        for name, state in check_outputs(audit.folder, audit.outputs):
            yield audit, name, state


def _report(audit: Audit) -> bool:
    """Say how the outputs are; return whether all are as they were written."""
    wrong = {name: state for name, state in audit.states.items() if state is not State.SAME}
    if audit.is_hollow:
        what = "a step without any file" if audit.steps else "no step"
        _say(
            f"{audit.folder / MANIFEST}: holds {what}, which facetl never writes: it was "
            "changed, and what it says of other files proves nothing"
        )
    names = ", ".join(dict.fromkeys(step.name for step in audit.steps))
    same = len(audit.states) - len(wrong)
    _say(
        f"{audit.folder / MANIFEST}: {same} of {len(audit.states)} files are as they were written "
        f"({names})"
    )
    for name, state in wrong.items():
        _say(f"  {state}: {name}")
    if audit.unknown:
        more = ", …" if len(audit.unknown) > SHOWN else ""
        shown = ", ".join(audit.unknown[:SHOWN])
        _say(f"  not in the manifest: {len(audit.unknown)} ({shown}{more})")
    return not wrong and not audit.is_hollow


def _report_inputs(audit: Audit) -> bool:
    """Say what the inputs are that are not what they were; return whether there are none."""
    whole = True
    for step in audit.steps:
        for path, given in step.inputs.items():
            state = _check_input(audit.folder, path, given, step)
            whole = whole and state is State.SAME
            _say(f"  input of {step.name}, {state}: {path}")
    return whole


def _check_input(folder: Path, path: str, given: Input, step: Step) -> State:
    if given.kind != "built-in":
        return check_input(folder, path, given, step)
    found = mark_built_in(path)
    if found is None:
        return State.MISSING
    return State.SAME if found == given else State.CHANGED


def _say(line: str) -> None:
    click.echo(printable(line))
