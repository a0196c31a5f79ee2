"""Work in numbered parts, each a file of its own, so that a break costs the last part at most.

::

    pnet.patches.work/
        task.json             what is being made
        00000000, 00000001, … the parts, in order

A part begins with a checksum of the task and of all that follows: a line of JSON, and data.  When
the work is resumed, parts count up to the first that is missing or whose checksum is wrong.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from facetl.errors import InputError
from facetl.files import MAKE_ROOM, cannot_write, parse_json, remove_folder, temporary_name
from facetl.interruptions import holding_signals
from facetl.version import VERSION

_HEAD = {"format": "facetl-parts", "version": 1}
_TASK = "task.json"
_OLD_LOG = "log.jsonl"
"""What an older facetl kept instead."""
_CHECKSUM_BYTES = 4


def work_folder(path: Path) -> Path:
    """Return the folder in which the parts of a file lie until it is finished."""
    return path.with_name(f"{path.name}.work")


def has_work(path: Path) -> bool:
    """Return whether there is unfinished work for a file."""
    return any((work_folder(path) / name).is_file() for name in (_TASK, _OLD_LOG))


def _discard_work(path: Path) -> None:
    """Remove the unfinished work for a file, all at once for whoever comes after a kill.

    What a kill leaves of it then has a temporary name, and goes with the next command.
    """
    folder = work_folder(path)
    with holding_signals():
        with suppress(OSError):  # there is none, or it stays by its name
            folder = folder.rename(temporary_name(folder.parent, folder))
        remove_folder(folder)


class Parts:
    """Parts on disk, in their order; :func:`keeping_parts` gives them.

    Attributes:
        facts: of the parts that are there, in order.
        size: bytes of the data of all parts together.
    """

    def __init__(self, path: Path, task: bytes) -> None:
        self.facts: list[Any] = []
        self.size = 0
        self._path = path
        self._folder = work_folder(path)
        self._checksum = zlib.crc32(task)

    def add(self, facts: Any, data: bytes) -> None:
        """Write one more part.

        Args:
            facts: JSON-able, whatever the maker wants to know again.
            data: any bytes.

        Raises:
            OutputError: if the disk does not take it.
        """
        content = json.dumps(facts).encode() + b"\n" + data
        checksum = zlib.crc32(content, self._checksum).to_bytes(_CHECKSUM_BYTES, "little")
        try:
            self._file(len(self.facts)).write_bytes(checksum + content)
        except OSError as error:
            raise cannot_write(self._path, error, MAKE_ROOM) from error
        self._count(facts, data)

    def read(self) -> Iterator[bytes]:
        """Yield the data of all parts."""
        for number in range(len(self.facts)):
            yield self._split(self._file(number).read_bytes())[1]

    def recover(self) -> None:
        """Count the parts that are there, up to the first that is missing or damaged."""
        with suppress(OSError, ValueError):
            while True:
                self._count(*self._split(self._file(len(self.facts)).read_bytes(), check=True))

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:08}"

    def _count(self, facts: Any, data: bytes) -> None:
        self.facts.append(facts)
        self.size += len(data)

    def _split(self, whole: bytes, *, check: bool = False) -> tuple[Any, bytes]:
        """Return the facts and the data that a file holds."""
        checksum, content = whole[:_CHECKSUM_BYTES], whole[_CHECKSUM_BYTES:]
        if check and zlib.crc32(content, self._checksum) != int.from_bytes(checksum, "little"):
            raise ValueError("found a wrong checksum")
        facts, _, data = content.partition(b"\n")
        return parse_json(facts), data


@contextmanager
def keeping_parts(
    path: Path, task: Mapping[str, Any], *, resume: bool, error: type[InputError] = InputError
) -> Iterator[Parts]:
    """Give parts that lie beside ``path``; if the block succeeds, they are gone afterwards.

    If it raises, they stay for another call to resume, unless there is no part yet, or the error
    is in what was given.

    Args:
        path: the file that the parts are for.
        task: JSON-able: all that the parts depend on.
        resume: take up the parts that an earlier call has left, if it has left any.
        error: what to raise if they belong to another task.

    Raises:
        InputError: of that kind, if what is to be resumed belongs to another task.
        OutputError: if the place cannot be written.
    """
    described = json.dumps({"facetl": VERSION, **task})
    is_known = resume and _is_task(path, json.loads(described), error)
    is_new = not path.parent.exists()
    parts = Parts(path, described.encode())
    try:
        if is_known:
            parts.recover()
        else:
            _begin(path, described)
        yield parts
    except BaseException as raised:
        if not parts.facts or isinstance(raised, InputError):
            _discard_work(path)
            if is_new:
                with suppress(OSError):  # it holds something else
                    path.parent.rmdir()
        raise
    _discard_work(path)


def describe_differences(found: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    """Return what a task that was found has otherwise than the one that is wanted; may be empty."""
    return ", ".join(_differences(found, task))


def _begin(path: Path, task: str) -> None:
    """Make an empty folder of parts with their task."""
    _discard_work(path)
    head = json.dumps({**_HEAD, "task": json.loads(task)}) + "\n"
    try:
        work_folder(path).mkdir(parents=True)
        (work_folder(path) / _TASK).write_text(head, encoding="utf-8")
    except OSError as error:
        raise cannot_write(path, error) from error


def _is_task(path: Path, task: Mapping[str, Any], error: type[InputError]) -> bool:
    """Return whether there are parts of a task; a description that is damaged is of none."""
    folder = work_folder(path)
    if (folder / _OLD_LOG).is_file():
        raise error(f"{folder}: holds unfinished work of an older facetl; start over with --force")
    try:
        head = parse_json((folder / _TASK).read_bytes())
        if {name: head[name] for name in _HEAD} != _HEAD:
            return False
        differing = describe_differences(head["task"], task)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    if differing:
        raise error(
            f"{folder}: holds unfinished {path.suffix.lstrip('.')} with {differing}; resume "
            "with the same command, or start over with --force"
        )
    return True


def _differences(found: Mapping[str, Any], task: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the task that was found has otherwise, and what is wanted."""
    for key, value in task.items():
        if isinstance(value, dict):
            part = found.get(key)
            yield from _differences(part if isinstance(part, dict) else {}, value)
        elif found.get(key) != value:
            yield f"{key.replace('_', ' ')} {found.get(key)} (now {value})"
