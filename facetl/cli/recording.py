"""Every command leaves a manifest of what it wrote; made here, in one place, for all of them."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache, wraps
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import click

from facetl.cli.console import note, typed_command
from facetl.cli.options import ReadName, ReadPath, WritePath
from facetl.errors import UsageError
from facetl.files import Ledger, absolute, keeping_ledger
from facetl.locks import clear, locking
from facetl.manifests.checking import mark_input, names_in
from facetl.manifests.fingerprints import (
    MANIFEST,
    FileMark,
    is_regular,
    mark_file,
    mark_files,
    names_below,
    sum_up,
)
from facetl.manifests.manifest import Input, LinkMark, OutputMark, Step
from facetl.manifests.updating import add_step, find_manifest
from facetl.version import VERSION

LIBRARIES = (
    *("av", "facenet-pytorch", "matplotlib", "numpy", "onnx", "opencv-python", "pillow"),
    *("pyarrow", "ray", "safetensors", "torch", "trackers"),
)
UNREAD_EXIT = 1
"""Exit code of a command that did its work, but not all that was given could be read."""


def leaving_manifest(command: click.Command) -> click.Command:
    """Return the command, changed so that it leaves a manifest beside what it writes."""
    run = command.callback
    assert run is not None, command.name

    @wraps(run)
    def run_and_record(*arguments: Any, **parameters: Any) -> Any:
        recorder = Recorder(click.get_current_context())
        with recorder, keeping_ledger(recorder):
            try:
                result = run(*arguments, **parameters)
            except SystemExit as end:
                if end.code == UNREAD_EXIT:
                    recorder.save()
                raise
            except UsageError as error:
                raise click.UsageError(str(error)) from error
            recorder.save()
        return result

    command.callback = run_and_record
    return command


class Recorder(Ledger):
    """Takes note of what one command is given and writes; saves it as a step of the manifest.

    What was given is read when the command is about to write, which is after it has looked
    whether it may, and before it works.  Then the place is locked too, until the command ends,
    and cleared of what killed commands have left half-written.

    Args:
        context: of the command.
    """

    def __init__(self, context: click.Context) -> None:
        super().__init__()
        self._context = context
        self._place = _place_of(context)
        self._inputs: dict[str, Input | Holding] = {}
        self._found: set[str] = set()
        self._claimed: list[Path] = []
        self._lock = ExitStack()
        self._is_locked = False

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *details: object) -> None:
        self._lock.close()

    def claim(self) -> None:
        """Lock the place, once, and remove what killed commands have left there.

        Raises:
            OutputError: if another command is writing there.
        """
        if self._place and not self._is_locked:
            place = self._place.path
            has_locks = self._lock.enter_context(locking(place))
            self._is_locked = True
            clear(place, deep=self._place.is_own)
            if not has_locks:
                note(f"{place}: no locks there; run no other facetl command that writes to it")

    def begin(self) -> None:
        """See that a manifest can be written; read what was given, before it may change.

        Raises:
            ManifestError: if there is something else in the manifest's place.
        """
        if self._place and (folder := self._place.folder):
            claimed = (folder / name for name in find_manifest(folder).outputs)
            self._claimed = [path for path in claimed if os.path.lexists(path)]
        for given in _given(self._context):
            self._take(given)

    def read(self, path: Path) -> None:
        """Read what belongs to what was given and lies elsewhere, such as a file beside frames."""
        self.begin_once()
        places = [Path(given).absolute() for given in self._inputs]
        if not any(path.absolute().is_relative_to(place) for place in places):
            self._found.add(str(path))
            self._take(path)

    def save(self) -> None:
        """Add the command's step to the manifest, if the command has written anything.

        Raises:
            ManifestError: if something else has come to lie in the manifest's place.
            OutputError: if it cannot be written.
        """
        folder = self._place.folder if self._place else None
        if not self.written or not folder:
            return
        outputs = dict(_mark_outputs(folder, self.written))
        if outputs:
            gone = {absolute(path) for path in self._claimed if not os.path.lexists(path)}
            add_step(folder, self._describe(folder, outputs), names_in(folder, gone))

    def _take(self, given: Path | str) -> None:
        """Read what was given: something at a path, or what comes under a built-in name."""
        path = Path(given)
        if self._place and self._place.overlaps(path):
            self._inputs[str(given)] = Holding(path, list(mark_files(path)))
            return
        found = mark_built_in(given) if isinstance(given, str) else None
        with suppress(OSError):  # the command will say what it thinks of it
            found = found or mark_input(path)
        if found:
            self._inputs[str(given)] = found

    def _describe(self, folder: Path, outputs: Mapping[str, OutputMark]) -> Step:
        settings = dict(_settings(self._context))
        own = {absolute(folder / name) for name in outputs}
        inputs = {
            given: _locate(
                given, folder, found.without(own) if isinstance(found, Holding) else found
            )
            for given, found in self._inputs.items()
            if given not in self._found or os.path.lexists(given)  # not what was for a while
        }
        return Step(
            command=typed_command(),
            name=str(self._context.info_name),
            settings=settings,
            versions=_tell_versions(self._context.params),
            inputs=inputs,
            outputs=outputs,
            seed=settings.get("seed"),
        )


class Place(NamedTuple):
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

    def overlaps(self, folder: Path) -> bool:
        """Return whether what is written may lie in a folder that is read."""
        if not folder.is_dir():
            return False
        read, written = folder.resolve(), self.path.resolve()
        return read.is_relative_to(written) or written.is_relative_to(read)


class Holding(NamedTuple):
    """What a folder held that was read, before there were outputs among it."""

    folder: Path
    marks: Sequence[tuple[str, FileMark]]

    def without(self, outputs: set[str]) -> Input:
        """Return what it held but for what was written there, by absolute path."""
        return Input("folder", sum_up(self.marks, names_in(self.folder, outputs)))


def _place_of(context: click.Context) -> Place | None:
    """Return where a command writes: at its --out, else beside what it reads."""
    types = {parameter.name: parameter.type for parameter in context.command.params}
    given = {name: each for name, each in context.params.items() if isinstance(each, Path | str)}
    for name, kind in types.items():
        if isinstance(kind, WritePath) and name in given:
            return Place(Path(given[name]), is_file=not kind.dir_okay, is_own=True)
    for name, kind in types.items():
        if isinstance(kind, ReadPath | ReadName) and kind.is_written_beside and name in given:
            return _place_beside(Path(given[name]), is_path=isinstance(kind, ReadPath))
    return None


def _place_beside(path: Path, *, is_path: bool) -> Place:
    """Return where a command writes that has no --out: beside a run, or into a folder of runs."""
    if not is_path:
        return Place(path, is_file=False, is_own=True)
    is_run = not path.is_dir() or path.suffix == ".parquet"
    return Place(path.parent if is_run else path, is_file=False, is_own=False)


def _given(context: click.Context) -> Iterator[Path | str]:
    """Yield what a command was given to read: paths, and texts that stand for files."""
    for parameter in context.command.params:
        if isinstance(parameter.type, ReadPath | ReadName):
            yield from _places_in(context.params.get(parameter.name or ""))


def _places_in(value: Any) -> Iterator[Path | str]:
    if isinstance(value, Path | str):
        yield value
    elif hasattr(value, "_fields"):  # NAME=PLACE
        yield value[-1]
    elif isinstance(value, tuple):
        for each in value:
            yield from _places_in(each)


def mark_built_in(name: str) -> Input | None:
    """Return what the weights hold that come under a name; None if there are none."""
    from facetl.mtcnn.weights import built_in_files

    files = built_in_files(name)
    marks = [(path.name, mark_file(path)) for path in files]
    return Input("built-in", sum_up(marks)) if marks else None


def _locate(given: str, folder: Path, found: Input) -> Input:
    """Return an input with its place seen from the manifest's folder."""
    if found.kind == "built-in" or Path(given).is_absolute():
        return found
    place = os.path.relpath(absolute(given), folder.resolve())
    return found._replace(place=Path(place).as_posix())


def _mark_outputs(folder: Path, written: set[str]) -> Iterator[tuple[str, OutputMark]]:
    """Yield what was written below a folder and is still there, by name, in order.

    What lies behind a link that leads out of the folder is left out: in a copy of the folder
    nobody would find it by its name.
    """
    is_inside = cache(lambda parent: parent.resolve().is_relative_to(folder.resolve()))
    for name in sorted(_names_of(folder, written), key=lambda name: name.split("/")):
        path = folder / name
        if is_inside(path.parent):
            with suppress(FileNotFoundError):  # another command did away with it
                yield name, LinkMark(str(path.readlink())) if path.is_symlink() else mark_file(path)


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
            yield name, _as_json(context.params[parameter.name])


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "_fields"):
        return "=".join(map(str, value))
    if isinstance(value, tuple | list):
        return [_as_json(each) for each in value]
    return str(value)


def _tell_versions(parameters: Mapping[str, Any]) -> dict[str, str | int]:
    """Return the versions of all that takes part, and where networks run if the command has any."""
    told: dict[str, str | int] = {
        "facetl": VERSION,
        "python": platform.python_version(),
        **_installed(),
        "platform": platform.platform(),
    }
    if "device" in parameters:
        from facetl.mtcnn.detector import choose_device
        from facetl.mtcnn.machine import describe_machine

        told |= describe_machine(choose_device(parameters["device"]), parameters.get("engine"))
    return told


@cache
def _installed() -> dict[str, str]:
    """Return the versions of the libraries that are installed."""
    found = {}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[library] = version(library)
    return found
