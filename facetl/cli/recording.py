"""Every command leaves a manifest of what it wrote; made here, in one place, for all of them."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import cache, wraps
from pathlib import Path
from typing import Any, NamedTuple

import click

from facetl.cli.console import note, typed_command
from facetl.cli.options import PathType
from facetl.errors import UsageError
from facetl.files import Ledger, absolute, keeping_ledger
from facetl.locks import clear, locking
from facetl.manifests.fingerprints import (
    MANIFEST,
    Fingerprint,
    Given,
    fingerprint_file,
    is_regular,
    look_at,
    names_below,
    names_in,
)
from facetl.manifests.manifest import Step, add_step, find_manifest
from facetl.settings import Place
from facetl.version import VERSION, installed_versions

_LIBRARIES = (
    *("av", "facenet-pytorch", "lap", "matplotlib", "numpy", "onnx", "onnxruntime"),
    *("opencv-python", "opencv-python-headless", "pillow", "pyarrow", "ray"),
    *("safetensors", "scipy", "torch"),
)
_UNREAD_EXIT = 1
"""Exit code of a command that did its work, but not all that was given could be read."""


def leaving_manifest(command: click.Command) -> click.Command:
    """Return the command, changed so that it leaves a manifest beside what it writes."""
    run = command.callback
    assert run is not None, command.name

    @wraps(run)
    def run_and_record(*arguments: Any, **parameters: Any) -> Any:
        with ExitStack() as stack:
            recorder = _Recorder(click.get_current_context(), stack)
            stack.enter_context(keeping_ledger(recorder))
            try:
                result = run(*arguments, **parameters)
            except SystemExit as end:
                if end.code == _UNREAD_EXIT:
                    recorder.save()
                raise
            except UsageError as error:
                raise click.UsageError(str(error)) from error
            recorder.save()
        return result

    command.callback = run_and_record
    return command


class _Place(NamedTuple):
    """Where a command writes.

    Attributes:
        path: as it was given.
        is_file: whether it can only mean a file.
        is_own: whether it was named to be written to, not to be read.
    """

    path: Path
    is_file: bool
    is_own: bool

    @property
    def folder(self) -> Path | None:
        """The folder that the manifest belongs into; None while nobody knows."""
        if self.path.is_dir():
            return self.path
        known = (self.is_file or self.path.exists()) and self.path.parent.is_dir()
        return self.path.parent if known else None


class _Recorder(Ledger):
    """Takes note of what one command is given and writes; saves it as a step of the manifest.

    What was given is read when the command is about to write, which is after it has looked
    whether it may, and before it works.  Then the place is locked too, until the command ends,
    and cleared of what killed commands have left half-written.
    """

    def __init__(self, context: click.Context, stack: ExitStack) -> None:
        self._context = context
        self._place = _place_of(context)
        self._stack = stack
        self._is_locked = self._has_begun = False
        self._given: dict[str, Given] = {}
        """As it was before the work."""
        self._beside: set[str] = set()
        """What of it was not typed, but belongs to what was."""
        self._written: set[str] = set()
        self._older: list[Path] = []
        """What earlier steps wrote and was there when this one began."""

    def lock(self) -> None:
        """Lock the place, once, and remove what killed commands have left there."""
        if self._place and not self._is_locked:
            place = self._place.path
            has_locks = self._stack.enter_context(locking(place))
            self._is_locked = True
            clear(place, deep=self._place.is_own)
            if not has_locks:
                note(f"{place}: no locks there; run no other facetl command that writes to it")

    def begin(self) -> None:
        """Once, see that a manifest can be written, and read what was given."""
        self.lock()
        if self._has_begun:
            return
        self._has_begun = True
        if self._place and (folder := self._place.folder):
            older = (folder / name for name in find_manifest(folder).outputs)
            self._older = [path for path in older if os.path.lexists(path)]
        for given in _given(self._context):
            self._read(given)

    def add_input(self, path: Path) -> None:
        """Read what belongs to what was given and lies elsewhere, such as a file beside frames."""
        self.begin()
        places = [Path(given).absolute() for given in self._given]
        if not any(path.absolute().is_relative_to(place) for place in places):
            self._beside.add(str(path))
            self._read(path)

    def add_outputs(self, paths: Iterable[Path]) -> None:
        """Remember what was written."""
        self.begin()
        self._written.update(map(absolute, paths))

    def save(self) -> None:
        """Add the command's step to the manifest, if the command has written anything."""
        folder = self._place.folder if self._place else None
        if not self._written or not folder:
            return
        if outputs := dict(_outputs(folder, self._written)):
            gone = {absolute(path) for path in self._older if not os.path.lexists(path)}
            add_step(folder, self._describe(folder, outputs), names_in(folder, gone))

    def _read(self, given: Path | str) -> None:
        """Read what was given: something at a path, or what comes under a built-in name."""
        with suppress(OSError):  # the command will say what is wrong with it
            if found := _built_in(given) or look_at(Path(given)):
                self._given[str(given)] = Given(found.kind, list(found.files))

    def _describe(self, folder: Path, outputs: Mapping[str, Fingerprint]) -> Step:
        settings = dict(_settings(self._context))
        own = {absolute(folder / name) for name in outputs}
        inputs = {
            path: _input(path, given, folder, own)
            for path, given in self._given.items()
            if path not in self._beside or os.path.lexists(path)  # not what was there for a while
        }
        return Step(
            command=typed_command(),
            name=str(self._context.info_name),
            settings=settings,
            versions=_versions(self._context.params),
            inputs=inputs,
            outputs=outputs,
            seed=settings.get("seed"),
        )


def _place_of(context: click.Context) -> _Place | None:
    """Return where a command writes: at its --out, else beside what it reads."""
    beside = None
    for parameter, place in _places_of(context):
        given = context.params.get(parameter.name or "")
        if isinstance(given, Path | str):
            if place.is_written:
                return _Place(Path(given), is_file=place.is_file, is_own=True)
            if place.is_beside:
                beside = _place_beside(Path(given), is_path=isinstance(parameter.type, PathType))
    return beside


def _places_of(context: click.Context) -> Iterator[tuple[click.Parameter, Place]]:
    """Yield the parameters that say where something is, and what becomes of it."""
    for parameter in context.command.params:
        if place := getattr(parameter.type, "place", None):
            yield parameter, place


def _place_beside(path: Path, *, is_path: bool) -> _Place:
    """Return where a command writes that has no --out: beside a run, or into a folder of runs."""
    if not is_path:
        return _Place(path, is_file=False, is_own=True)
    is_run = not path.is_dir() or path.suffix == ".parquet"
    return _Place(path.parent if is_run else path, is_file=False, is_own=False)


def _given(context: click.Context) -> Iterator[Path | str]:
    """Yield what a command was given to read: paths, and texts that stand for files."""
    for parameter, place in _places_of(context):
        if not place.is_written:
            yield from _places_in(context.params.get(parameter.name or ""))


def _places_in(value: Any) -> Iterator[Path | str]:
    if isinstance(value, Path | str):
        yield value
    elif hasattr(value, "_fields"):  # NAME=PLACE
        yield value[-1]
    elif isinstance(value, tuple):
        for each in value:
            yield from _places_in(each)


def _built_in(name: Path | str) -> Given | None:
    """Return the weights that come under a name, if any do."""
    from facetl.mtcnn.weights import built_in_files

    paths = built_in_files(name) if isinstance(name, str) else []
    return (
        Given("built-in", [(path.name, fingerprint_file(path)) for path in paths])
        if paths
        else None
    )


def _input(path: str, given: Given, folder: Path, own: set[str]) -> Fingerprint:
    """Return an input as the manifest in ``folder`` has it, without the command's own outputs."""
    place = {}
    if given.kind != "built-in" and not Path(path).is_absolute():
        place["place"] = Path(os.path.relpath(absolute(path), folder.resolve())).as_posix()
    without = names_in(Path(path), own) if given.kind == "folder" else ()
    return {"kind": given.kind, **place, **given.describe(without)}


def _outputs(folder: Path, written: set[str]) -> Iterator[tuple[str, Fingerprint]]:
    """Yield what was written below a folder and is still there, by name, in order.

    What lies behind a link that leads out of the folder is left out: in a copy of the folder
    nobody would find it by its name.
    """
    is_inside = cache(lambda parent: parent.resolve().is_relative_to(folder.resolve()))
    for name in sorted(_names_of(folder, written), key=lambda name: name.split("/")):
        path = folder / name
        if is_inside(path.parent):
            with suppress(FileNotFoundError):  # another command removed it
                is_link = path.is_symlink()
                yield name, {"link": str(path.readlink())} if is_link else fingerprint_file(path)


def _names_of(folder: Path, written: set[str]) -> set[str]:
    """Return the names of files that were written below a folder, folders as what is in them."""
    names: set[str] = set()
    for name in names_in(folder, written):
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            names.update(f"{name}/{below}" for below in names_below(path))
        elif is_regular(path) and path.name != MANIFEST:
            names.add(name)
    return {name for name in names if not re.search(r"(^|/)\.", name)}


def _settings(context: click.Context) -> Iterator[tuple[str, Any]]:
    """Yield all options and arguments of a command, by the name that people type."""
    for parameter in context.command.params:
        if parameter.name in context.params:
            typed = isinstance(parameter, click.Option)
            name = max(parameter.opts, key=len).lstrip("-") if typed else str(parameter.name)
            yield name, _as_json(_as_typed(parameter, context.params[parameter.name]))


def _as_typed(parameter: click.Parameter, value: Any) -> Any:
    """Return a value; of an argument that may be left out and is mostly one, the one or None."""
    is_mostly_one = isinstance(parameter, click.Argument) and not parameter.required
    if is_mostly_one and isinstance(value, tuple) and len(value) < 2:
        return value[0] if value else None
    return value


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "_fields"):
        return "=".join(map(str, value))
    if isinstance(value, tuple | list):
        return [_as_json(each) for each in value]
    return str(value)


def _versions(parameters: Mapping[str, Any]) -> dict[str, str | int]:
    """Return the versions of all that takes part, and where networks run if the command has any."""
    found: dict[str, str | int] = {
        "facetl": VERSION,
        "python": platform.python_version(),
        **installed_versions(_LIBRARIES),
        "platform": platform.platform(),
    }
    if "device" in parameters:
        from facetl.mtcnn.devices import choose_device, describe_machine

        found |= describe_machine(choose_device(parameters["device"]), parameters.get("engine"))
    return found
