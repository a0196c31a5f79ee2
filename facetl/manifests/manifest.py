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
    of all chance; only where the command has one.
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
but for the fingerprints of outputs that hold measured times.  What a later command writes anew
belongs to its step alone, and a step of which nothing is left is left out.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from facetl.errors import ManifestError
from facetl.files import read_json, write_text
from facetl.manifests.fingerprints import MANIFEST, FileMark, FolderMark

FORMAT = "facetl-manifest"
FORMAT_VERSION = 1
LARGEST = 2**30
"""Bytes of the largest manifest that is read."""

Kind = Literal["file", "folder", "built-in"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Input(NamedTuple):
    """Something that a command was given, and what it held.

    Attributes:
        kind: what it was.
        mark: what it held.
        place: where it lies from the manifest's folder, if the path that was given is relative.
    """

    kind: Kind
    mark: FolderMark
    place: str | None = None


class LinkMark(NamedTuple):
    """A link that was written, and the path in it."""

    link: str


OutputMark = FileMark | LinkMark


@dataclass(frozen=True)
class Step:
    """What one command did.

    Attributes:
        command: as it was typed.
        name: of the command, without its arguments.
        settings: JSON-able, by the name of the option or argument.
        versions: of whatever took part, by name.
        inputs: by the path as it was given.
        outputs: by the path from the manifest's folder, with slashes.
        seed: of all chance, if it has one.
    """

    command: str
    name: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str | int]
    inputs: Mapping[str, Input]
    outputs: Mapping[str, OutputMark]
    seed: int | None = None

    def without(self, names: Collection[str]) -> Step:
        """Return the step as if it had not written some of its outputs."""
        kept = {name: mark for name, mark in self.outputs.items() if name not in names}
        return replace(self, outputs=kept)

    def to_json(self) -> dict[str, Any]:
        """Return the step as the file has it."""
        return {
            "command": self.command,
            "name": self.name,
            "settings": dict(self.settings),
            **({} if self.seed is None else {"seed": self.seed}),
            "versions": dict(self.versions),
            "inputs": {path: _input_to_json(given) for path, given in self.inputs.items()},
            "outputs": {name: mark._asdict() for name, mark in self.outputs.items()},
        }


@dataclass(frozen=True)
class Manifest:
    """All steps of a folder, in their order."""

    steps: tuple[Step, ...] = ()

    @property
    def outputs(self) -> dict[str, OutputMark]:
        """What all steps wrote."""
        return {name: mark for step in self.steps for name, mark in step.outputs.items()}

    def followed_by(self, step: Step, gone: Collection[str] = ()) -> Manifest:
        """Return the manifest with one more step, which takes over what it wrote anew.

        Args:
            step: the new one.
            gone: outputs that it did away with.
        """
        older = (each.without({*step.outputs, *gone}) for each in self.steps)
        return Manifest((*(each for each in older if each.outputs), step))


def save_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder, atomically.

    Raises:
        OutputError: if the place cannot be written.
    """
    document = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "steps": [step.to_json() for step in manifest.steps],
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    write_text(folder / MANIFEST, text + "\n")


def load_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder.

    Raises:
        ManifestError: if there is none, or it is damaged, of another kind or another version, or
            names outputs that would not lie in the folder.
    """
    path = folder / MANIFEST
    document = _read(path)
    found = (document.get("format"), document.get("version"))
    if found != (FORMAT, FORMAT_VERSION):
        raise ManifestError(
            f"{path} is no manifest of facetl: found format {str(found[0])[:40]!r} version "
            f"{str(found[1])[:40]!r}, expected {FORMAT!r} version {FORMAT_VERSION}; move it away"
        )
    try:
        return Manifest(tuple(_parse_step(each) for each in _list(document["steps"])))
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise ManifestError(_damaged(path, error)) from error


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        what = "is no file" if os.path.lexists(path) else "is not there"
        raise ManifestError(f"{path} {what}; give a folder that facetl has written to")
    try:
        document = read_json(path, LARGEST)
        if not isinstance(document, dict):
            raise ValueError(f"found {str(document)[:40]!r}, expected a JSON object")
    except OSError as error:
        raise ManifestError(
            f"{path} cannot be read ({error.strerror}); move it away, or see to its permissions"
        ) from error
    except ValueError as error:
        raise ManifestError(_damaged(path, error)) from error
    return document


def _damaged(path: Path, error: Exception) -> str:
    return (
        f"{path}: damaged manifest ({type(error).__name__}: {str(error)[:200]}); move it away, and "
        "give the command again that wrote it"
    )


def _input_to_json(given: Input) -> dict[str, Any]:
    place = {"place": given.place} if given.place is not None else {}
    return {"kind": given.kind, **place, **given.mark._asdict()}


def _parse_step(content: Any) -> Step:
    step = _object(content)
    seed = step.get("seed")
    return Step(
        command=_text(step["command"]),
        name=_text(step["name"]),
        settings=_plain(step["settings"]),
        versions=_plain(step["versions"]),
        inputs={path: _parse_input(each) for path, each in _object(step["inputs"]).items()},
        outputs={
            _inside(name): _parse_mark(each) for name, each in _object(step["outputs"]).items()
        },
        seed=None if seed is None else _count(seed),
    )


def _parse_input(content: Any) -> Input:
    given = _object(content)
    kind = given["kind"]
    if kind not in get_args(Kind):
        raise ValueError(f"found kind {str(kind)[:40]!r}, expected one of {get_args(Kind)}")
    mark = FolderMark(_count(given["files"]), _count(given["bytes"]), _sha256(given["sha256"]))
    place = given.get("place")
    return Input(kind, mark, None if place is None else _text(place))


def _parse_mark(content: Any) -> OutputMark:
    mark = _object(content)
    if "link" in mark:
        return LinkMark(_text(mark["link"]))
    return FileMark(_count(mark["bytes"]), _sha256(mark["sha256"]))


def _inside(name: str) -> str:
    """Return the name of an output if it can only lie below the folder."""
    parts = name.split("/")
    if "\0" in name or not all(parts) or {".", ".."} & {*parts}:
        raise ValueError(f"found the output {name[:80]!r}, expected a path below the folder")
    os.fsencode(name)
    return name


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"found {str(value)[:40]!r}, expected a text")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"found {str(value)[:40]!r}, expected a whole number from 0")
    return value


def _sha256(value: Any) -> str:
    if not _SHA256.fullmatch(_text(value)):
        raise ValueError(f"found {value[:80]!r}, expected 64 hexadecimal digits")
    return str(value)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"found {str(value)[:40]!r}, expected a JSON object")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"found {str(value)[:40]!r}, expected a list")
    return value


def _plain(value: Any) -> dict[str, Any]:
    """Return an object in which every number is one, as it is to be written again."""
    json.dumps(_object(value), allow_nan=False)
    return _object(value)
