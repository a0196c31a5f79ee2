"""Whether outputs are still what their manifests say."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from facetl.commands.requests import VerifyRequest as VerifyRequest
from facetl.errors import ManifestError
from facetl.files import absolute
from facetl.manifests.fingerprints import (
    MANIFEST,
    Fingerprint,
    Given,
    fingerprint_file,
    names_below,
)
from facetl.manifests.manifest import (
    Manifest,
    State,
    Step,
    check_input,
    check_outputs,
    load_manifest,
)
from facetl.mtcnn.weights import built_in_files
from facetl.reporting import SILENT, Reporter


@dataclass(frozen=True)
class Audit:
    """A manifest, or the part of one that was to be checked.

    Attributes:
        folder: of the manifest.
        steps: what the manifest says of what was to be checked.
        unknown: names of files that no manifest names.
        states: how each output is, by name.
        inputs: how each input is: the name of its step, its path, and its state; empty if they
            were not to be checked.
    """

    folder: Path
    steps: Sequence[Step]
    unknown: Sequence[str] = ()
    states: Mapping[str, State] = field(default_factory=dict)
    inputs: Sequence[tuple[str, str, State]] = ()

    @property
    def manifest(self) -> Path:
        """The path of the manifest."""
        return self.folder / MANIFEST

    @property
    def outputs(self) -> dict[str, Fingerprint]:
        """What is to be checked."""
        return Manifest(tuple(self.steps)).outputs

    @property
    def wrong(self) -> dict[str, State]:
        """The outputs that are not as they were written."""
        return {name: state for name, state in self.states.items() if state is not State.SAME}

    @property
    def is_hollow(self) -> bool:
        """Whether there is no step, or one that names no file: facetl writes no such manifest."""
        return not all(step.outputs for step in self.steps) or not self.steps

    @property
    def is_whole(self) -> bool:
        """Whether all is as it was."""
        inputs = all(state is State.SAME for _, _, state in self.inputs)
        return inputs and not self.wrong and not self.is_hollow


@dataclass(frozen=True)
class VerifyResult:
    """What was found.

    Attributes:
        audits: of each manifest.
    """

    audits: Sequence[Audit]

    @property
    def is_whole(self) -> bool:
        """Whether everything is as it was."""
        return all(audit.is_whole for audit in self.audits)


def verify(request: VerifyRequest, reporter: Reporter = SILENT) -> VerifyResult:
    """Check whether what facetl wrote is still as it was written.

    Raises:
        ManifestError: if no manifest tells of a path, or one cannot be read.
    """
    audits = [audit for path in request.paths for audit in _plan(path)]
    states: list[dict[str, State]] = [{} for _ in audits]
    total = sum(len(audit.outputs) for audit in audits)
    for number, name, state in reporter.track(_check(audits), "checking", total):
        states[number][name] = state
    return VerifyResult(
        [
            replace(audit, states=found, inputs=[*_inputs(audit)] if request.inputs else [])
            for audit, found in zip(audits, states, strict=True)
        ]
    )


def _plan(path: Path) -> list[Audit]:
    """Return what is to be checked at a path."""
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
    """Return what a folder's manifest says of a file or folder below it; None if nothing."""
    wanted = Path(absolute(path)).relative_to(folder).as_posix()
    steps = load_manifest(folder).steps
    names = [name for step in steps for name in step.outputs]
    others = {name for name in names if not f"{name}/".startswith(f"{wanted}/")}
    found = [own for step in steps if (own := step.without(others)).outputs]
    return Audit(folder, found) if found else None


def _find_unknown(audits: list[Audit]) -> list[Audit]:
    """Return the audits with the files that no manifest names, each with the nearest."""
    known = {audit.folder / name for audit in audits for name in audit.outputs}
    folders = {audit.folder for audit in audits}
    return [replace(each, unknown=_unknown_in(each.folder, known, folders)) for each in audits]


def _unknown_in(folder: Path, known: set[Path], folders: set[Path]) -> list[str]:
    """Return the names of unknown files below a folder, but not in another of the folders."""
    nested = [each for each in folders if each != folder and each.is_relative_to(folder)]
    return [
        name
        for name in names_below(folder)
        if (path := folder / name) not in known
        and not any(path.is_relative_to(each) for each in nested)
    ]


def _check(audits: Sequence[Audit]) -> Iterator[tuple[int, str, State]]:
    for number, audit in enumerate(audits):
        for name, state in check_outputs(audit.folder, audit.outputs):
            yield number, name, state


def _inputs(audit: Audit) -> Iterator[tuple[str, str, State]]:
    for step in audit.steps:
        for path, given in step.inputs.items():
            yield step.name, path, _check_input(audit.folder, path, given, step)


def _check_input(folder: Path, path: str, given: Fingerprint, step: Step) -> State:
    if given["kind"] != "built-in":
        return check_input(folder, path, given, step)
    files = [(each.name, fingerprint_file(each)) for each in built_in_files(path)]
    if not files:
        return State.MISSING
    is_same = {**given, **Given("built-in", files).describe()} == given
    return State.SAME if is_same else State.CHANGED
