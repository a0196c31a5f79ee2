"""The manifest: which commands wrote what is in a folder, from what, with which settings.

``manifest.json`` lies in the folder that a command wrote to (``--out`` or OUT; beside the file,
where that is a file) and holds a step for each command that wrote there, in their order::

    {"format": "facetl-manifest", "version": 1, "steps": [
      {"command": "facetl train frames --out cascade.safetensors",
       "name": "train",
       "settings": {"seed": 1, "epochs": [20, 8, 10], …},
       "seed": 1,
       "versions": {"facetl": "0.1.0", "python": "3.12.3", "torch": "2.9.1", …},
       "inputs": {"frames": {"kind": "folder", "place": "../frames", "files": 101,
                             "bytes": 2811904, "sha256": "…"}},
       "outputs": {"cascade.safetensors": {"bytes": 1958904, "sha256": "…"}, …}}]}

``command``
    as it was typed.
``settings``
    all options and arguments, those that were not given too, as their defaults are here.
``seed``
    the random seed; only where the command has one.
``versions``
    of facetl, Python and the libraries, the platform, and where networks ran: the processor's
    instructions, how many threads, the engine.
``inputs``
    what the command was given, under the path by which it was: a ``file``, a ``folder``, or
    weights that come ``built-in``, with how many files and bytes and what they hold
    (:mod:`facetl.manifests.fingerprints`); ``place`` is a relative path seen from the manifest's
    folder.  They are read when the command begins to work.
``outputs``
    what it wrote, under the path from the manifest's folder; of a link, ``{"link": TARGET}``.

No moment and no duration stands in it: equal commands with equal inputs leave equal manifests,
but for the fingerprints of outputs that hold measured times.  What a later command writes again
belongs to its step alone, and a step of which nothing is left is left out.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from facetl.errors import ManifestError
from facetl.files import absolute, read_json, write_text
from facetl.locks import locking
from facetl.manifests.fingerprints import (
    MANIFEST,
    Fingerprint,
    fingerprint_file,
    is_regular,
    look_at,
    names_below,
    names_in,
)

_FORMAT = "facetl-manifest"
_FORMAT_VERSION = 1
_LARGEST = 2**30
"""Bytes of the largest manifest that is read."""
PATIENCE = 60.0
"""Seconds to wait for other commands that are writing the same manifest."""

_KINDS = ("file", "folder", "built-in")
_EXPECTED: Mapping[Any, str] = {str: "a text", dict: "a JSON object", list: "a list"}
_T = TypeVar("_T")


@dataclass(frozen=True)
class Step:
    """What one command did; see above for its fields.

    ``inputs`` and ``outputs`` hold what stands in the file: an output is a ``Fingerprint``, or the
    target of a link, ``{"link": TARGET}``.
    """

    command: str
    name: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str | int]
    inputs: Mapping[str, Fingerprint]
    outputs: Mapping[str, Fingerprint]
    seed: int | None = None

    def without(self, names: Collection[str]) -> Step:
        """Return the step as if it had not written some of its outputs."""
        kept = {name: each for name, each in self.outputs.items() if name not in names}
        return replace(self, outputs=kept)

    def to_json(self) -> dict[str, Any]:
        """Return the step as the file has it."""
        return {
            "command": self.command,
            "name": self.name,
            "settings": self.settings,
            **({} if self.seed is None else {"seed": self.seed}),
            "versions": self.versions,
            "inputs": self.inputs,
            "outputs": self.outputs,
        }


@dataclass(frozen=True)
class Manifest:
    """All steps of a folder, in their order."""

    steps: tuple[Step, ...] = ()

    @property
    def outputs(self) -> dict[str, Fingerprint]:
        """What all steps wrote."""
        return {name: each for step in self.steps for name, each in step.outputs.items()}

    def followed_by(self, step: Step, gone: Collection[str] = ()) -> Manifest:
        """Return the manifest with one more step, which takes over what it wrote again.

        Args:
            step: the new one.
            gone: outputs that it removed.
        """
        older = (each.without({*step.outputs, *gone}) for each in self.steps)
        return Manifest((*(each for each in older if each.outputs), step))


def add_step(folder: Path, step: Step, gone: Collection[str] = ()) -> None:
    """Write one more step into a folder's manifest; make the manifest if there is none.

    Where file systems know no locks, two commands that end in the same moment may lose one step.

    Args:
        folder: which.
        step: the new step.
        gone: outputs of older steps that it removed.

    Raises:
        ManifestError: if what lies there is no manifest that can be added to.
        OutputError: if the place cannot be written.
    """
    busy = (
        f"{folder / MANIFEST} is being written by another program; what this command wrote is "
        "there, but no manifest tells of it: give it again to have one"
    )
    with locking(folder / f".{MANIFEST}", PATIENCE, busy):
        _save_manifest(folder, find_manifest(folder).followed_by(step, gone))


def _save_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder, atomically.

    Raises:
        OutputError: if the place cannot be written.
    """
    steps = [step.to_json() for step in manifest.steps]
    document = {"format": _FORMAT, "version": _FORMAT_VERSION, "steps": steps}
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    write_text(folder / MANIFEST, text + "\n")


def find_manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder, an empty one if there is none.

    Raises:
        ManifestError: if it cannot be read, or is somebody else's.
    """
    is_there = os.path.lexists(folder / MANIFEST)
    return load_manifest(folder) if is_there else Manifest()


def load_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder.

    Raises:
        ManifestError: if there is none, or it is damaged, of another kind or another version, or
            names outputs that would not lie in the folder.
    """
    path = folder / MANIFEST
    if not path.is_file():
        what = "is no file" if os.path.lexists(path) else "is not there"
        raise ManifestError(f"{path} {what}; give a folder that facetl has written to")
    try:
        return _parse(path, _require(dict, read_json(path, _LARGEST)))
    except OSError as error:
        raise ManifestError(
            f"{path} cannot be read ({error.strerror}); move it away, or see to its permissions"
        ) from error
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise ManifestError(
            f"{path}: damaged manifest ({type(error).__name__}: {str(error)[:200]}); move it away, "
            "and give the command again that wrote it"
        ) from error


class State(StrEnum):
    """How something is, compared with what the manifest says."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    UNREADABLE = "cannot be read"
    OUTSIDE = "leads out of the folder"


def check_outputs(folder: Path, outputs: Mapping[str, Fingerprint]) -> Iterator[tuple[str, State]]:
    """Compare outputs with what their manifest says; yield each with how it is.

    Nothing outside of the folder is opened, whatever links there are in it.

    Args:
        folder: the manifest's.
        outputs: by name, as :func:`load_manifest` lets them through.
    """
    is_inside: dict[Path, bool] = {}
    for name, output in outputs.items():
        path = folder / name
        try:
            if path.parent not in is_inside:
                real = path.parent.resolve(strict=True)
                is_inside[path.parent] = real.is_relative_to(folder.resolve(strict=True))
            state = _compare(path, output) if is_inside[path.parent] else State.OUTSIDE
        except (FileNotFoundError, NotADirectoryError):
            state = State.MISSING
        except (OSError, RuntimeError):  # forbidden, links in a circle, a name too long
            state = State.UNREADABLE
        yield name, state


def check_input(folder: Path, path: str, given: Fingerprint, step: Step) -> State:
    """Compare an input with what it was.

    A manifest may name anything: what differs in number or size is not read at all.

    Args:
        folder: the manifest's.
        path: as it was given.
        given: what it was.
        step: whose input it is; what it wrote into its input itself does not count.
    """
    places = [folder / given["place"]] if "place" in given else []
    own = {absolute(folder / name) for name in step.outputs}
    try:
        place = next((each for each in (*places, Path(path)) if each.exists()), None)
        if place is None:
            return State.MISSING
        if _differs_in_size(place, given, own):
            return State.CHANGED
        found = look_at(place)
        now = found and found.describe(names_in(place, own))
    except OSError:
        return State.UNREADABLE
    if now is None:
        return State.UNREADABLE
    return State.SAME if {**given, **now} == given else State.CHANGED


def find_writer(path: Path) -> Step | None:
    """Return the step that wrote a file, if the file is still what it wrote, byte for byte.

    None if no manifest tells of the file, in its folder or in the two above, or if it has been
    changed since.
    """
    place = Path(absolute(path))
    for folder in place.parents[:3]:
        name = place.relative_to(folder).as_posix()
        with suppress(ManifestError):  # there is none that can be read
            for step in load_manifest(folder).steps:
                if output := step.outputs.get(name):
                    [(_, state)] = check_outputs(folder, {name: output})
                    return step if state is State.SAME else None
    return None


def _parse(path: Path, document: dict[str, Any]) -> Manifest:
    found = (document.get("format"), document.get("version"))
    if found != (_FORMAT, _FORMAT_VERSION):
        raise ManifestError(
            f"{path} is no manifest of facetl: found format {str(found[0])[:40]!r} version "
            f"{str(found[1])[:40]!r}, expected {_FORMAT!r} version {_FORMAT_VERSION}; move it away"
        )
    return Manifest(tuple(_parse_step(each) for each in _require(list, document["steps"])))


def _parse_step(content: Any) -> Step:
    step = _require(dict, content)
    inputs, outputs = _require(dict, step["inputs"]), _require(dict, step["outputs"])
    json.dumps((step["settings"], step["versions"]), allow_nan=False)  # as it is written again
    return Step(
        command=_require(str, step["command"]),
        name=_require(str, step["name"]),
        settings=_require(dict, step["settings"]),
        versions=_require(dict, step["versions"]),
        inputs={path: _parse_input(each) for path, each in inputs.items()},
        outputs={_inside(name): _parse_output(each) for name, each in outputs.items()},
        seed=None if step.get("seed") is None else _count(step["seed"]),
    )


def _parse_input(content: Any) -> Fingerprint:
    given = _require(dict, content)
    kind, place = given["kind"], given.get("place")
    if kind not in _KINDS:
        raise ValueError(f"found kind {str(kind)[:40]!r}, expected one of {_KINDS}")
    where = {} if place is None else {"place": _require(str, place)}
    return {"kind": kind, **where, "files": _count(given["files"]), **_parse_output(given)}


def _parse_output(content: Any) -> Fingerprint:
    output = _require(dict, content)
    if "link" in output:
        return {"link": _require(str, output["link"])}
    digits = _require(str, output["sha256"])
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError(f"found {digits[:80]!r}, expected 64 hexadecimal digits")
    return {"bytes": _count(output["bytes"]), "sha256": digits}


def _inside(name: str) -> str:
    """Return the name of an output if it can only lie below the folder."""
    parts = name.split("/")
    if "\0" in name or not all(parts) or {".", ".."} & {*parts}:
        raise ValueError(f"found the output {name[:80]!r}, expected a path below the folder")
    os.fsencode(name)
    return name


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"found {str(value)[:40]!r}, expected a whole number from 0")
    return value


def _require(kind: type[_T], value: Any) -> _T:
    """Return a value if it is of a kind."""
    if not isinstance(value, kind):
        raise TypeError(f"found {str(value)[:40]!r}, expected {_EXPECTED[kind]}")
    return value


def _differs_in_size(path: Path, given: Fingerprint, without: Set[str]) -> bool:
    """Return whether other numbers of files or bytes are at a path; no more are counted."""
    if not path.is_dir():
        return is_regular(path) and path.stat().st_size != given["bytes"]
    left_out = names_in(path, without)
    files = size = 0
    for name in names_below(path):
        if name not in left_out:
            files, size = files + 1, size + _readable_bytes(path / name)
        if files > given["files"] or size > given["bytes"]:
            return True
    return (files, size) != (given["files"], given["bytes"])


def _readable_bytes(path: Path) -> int:
    """Return how many bytes of a file count; those of one that may not be read do not."""
    try:
        return path.stat().st_size if os.access(path, os.R_OK) else 0
    except FileNotFoundError:
        return 0  # it went meanwhile


def _compare(path: Path, output: Fingerprint) -> State:
    status = path.lstat()
    if "link" in output:
        same = stat.S_ISLNK(status.st_mode) and str(path.readlink()) == output["link"]
    else:
        same = (
            stat.S_ISREG(status.st_mode)
            and status.st_size == output["bytes"]
            and fingerprint_file(path) == output
        )
    return State.SAME if same else State.CHANGED
