"""Columns that grow record by record in a folder, so that a break costs the last record at most.

::

    pnet.patches.work/
        log.jsonl             first what is being made, then a line for each record
        windows, offsets, …   the columns: plain bytes, one row after the other

A record's line is written after its rows and tells their number and checksum.  When the work is
gone on with, records count as far as lines are whole and checksums right; what stands behind
them is cut off.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Any

from facetl.errors import InputError, PatchesError
from facetl.files import MAKE_ROOM, cannot_write, parse_json, remove_folder
from facetl.interruptions import holding_signals
from facetl.training.checkpoint import describe_differences
from facetl.version import VERSION

_LOG = "log.jsonl"
_PIECE = 2**24


def work_folder(path: Path) -> Path:
    """Return the folder in which the columns of a file grow."""
    return path.with_name(f"{path.name}.work")


def has_work(path: Path) -> bool:
    """Return whether there is unfinished work for a file."""
    return (work_folder(path) / _LOG).is_file()


def discard_work(path: Path) -> None:
    """Give up the unfinished work for a file, the log first: without it there is none."""
    folder = work_folder(path)
    with holding_signals():
        with suppress(OSError):
            (folder / _LOG).unlink(missing_ok=True)
        remove_folder(folder)


@dataclass(frozen=True)
class Record:
    """What a line of the log tells.

    Attributes:
        rows: how many rows the record has in each column.
        checksum: CRC-32 of these rows, column after column.
        facts: JSON-able, whatever the maker wants to know again.
    """

    rows: int
    checksum: int
    facts: Any

    @classmethod
    def parse(cls, line: bytes) -> Record:
        """Read a line.

        Raises:
            ValueError, LookupError, TypeError: if it is damaged.
        """
        content = parse_json(line)
        return cls(max(int(content["rows"]), 0), int(content["checksum"]), content["facts"])

    def to_line(self) -> bytes:
        """Return the line."""
        return _to_line(vars(self))


class Growth:
    """Columns that grow; :func:`growing` gives them.

    Attributes:
        records: facts of the records that are there, in order.
        rows: how many rows each column has.
    """

    def __init__(
        self, path: Path, log: FileIO, columns: Mapping[str, FileIO], row_bytes: Mapping[str, int]
    ) -> None:
        self.records: list[Any] = []
        self.rows = 0
        self._path = path
        self._log = log
        self._columns = columns
        self._row_bytes = row_bytes

    def append(self, columns: Mapping[str, bytes], rows: int, facts: Any) -> None:
        """Append a record.

        Args:
            columns: for every column, the bytes of its rows.
            rows: how many these are.
            facts: JSON-able.

        Raises:
            OutputError: if the disk does not take it.
        """
        checksum = 0
        for name, file in self._columns.items():
            self._write(file, columns[name])
            checksum = zlib.crc32(columns[name], checksum)
        self._write(self._log, Record(rows, checksum, facts).to_line())
        self._count(rows, facts)

    def copy_to(self, file: IO[bytes]) -> None:
        """Write the columns into a file, one after the other."""
        for column in self._columns.values():
            column.seek(0)
            shutil.copyfileobj(column, file, _PIECE)

    def start(self, head: Mapping[str, Any]) -> None:
        """Take up the records that are there, if they are of the same making, or begin anew.

        Raises:
            OutputError: if the disk does not take it.
            PatchesError: if the records belong to another task.
        """
        first, *lines = self._log.readall().splitlines(keepends=True) or [b""]
        if self._read_head(first, head):
            self._recover(len(first), lines)
        else:
            self._cut(0)
            self._write(self._log, _to_line(head))

    def _read_head(self, line: bytes, head: Mapping[str, Any]) -> bool:
        """Return whether there is a head; it must be the one expected, if it is of our format."""
        try:
            found = parse_json(line)
            formats = [(each["format"], each["version"]) for each in (found, head)]
        except (ValueError, LookupError, TypeError):
            return False
        if formats[0] != formats[1] or not isinstance(found.get("task"), dict):
            return False
        if differing := describe_differences(found["task"], head["task"]):
            raise PatchesError(
                f"{work_folder(self._path)}: holds unfinished patches with {differing}; resume "
                "with the same command, or start anew with --force"
            )
        return line.endswith(b"\n")

    def _recover(self, good: int, lines: list[bytes]) -> None:
        """Take up records as far as they are whole; cut off what stands behind them.

        Args:
            good: bytes of the log's head.
            lines: what stands in the log after it.
        """
        for line in lines:
            try:
                record = Record.parse(line if line.endswith(b"\n") else b"")
            except (ValueError, LookupError, TypeError):
                break
            if record.checksum != self._sum_up(record.rows):
                break
            self._count(record.rows, record.facts)
            good += len(line)
        self._cut(good)

    def _sum_up(self, rows: int) -> int:
        """Return the checksum of the next rows."""
        checksum = 0
        for name, file in self._columns.items():
            checksum = zlib.crc32(file.read(rows * self._row_bytes[name]), checksum)
        return checksum

    def _cut(self, log_bytes: int) -> None:
        """Cut the log to a length, and the columns to the rows that count."""
        _cut(self._log, log_bytes)
        for name, file in self._columns.items():
            _cut(file, self.rows * self._row_bytes[name])

    def _count(self, rows: int, facts: Any) -> None:
        self.records.append(facts)
        self.rows += rows

    def _write(self, file: FileIO, data: bytes) -> None:
        """Hand all bytes to the system."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            raise cannot_write(self._path, error, MAKE_ROOM) from error


@contextmanager
def growing(
    path: Path, row_bytes: Mapping[str, int], task: Mapping[str, Any], *, resume: bool
) -> Iterator[Growth]:
    """Give columns that grow beside ``path``; if the block succeeds, they are gone afterwards.

    If it raises, they stay to be gone on with, unless there is no record in them yet, or the
    error is in what was given.

    Args:
        path: the file that the columns are for.
        row_bytes: bytes of a row, by column, in the order in which they will stand in the file.
        task: JSON-able: all that the records depend on.
        resume: go on with what an earlier call has left, if it has left anything.

    Raises:
        OutputError: if the place cannot be written.
        PatchesError: if what is to be gone on with belongs to another task.
    """
    described = json.loads(json.dumps({"facetl": VERSION, "columns": dict(row_bytes), **task}))
    if not resume:
        discard_work(path)
    is_new = not path.parent.exists()
    growth = None
    try:
        with ExitStack() as stack:
            growth = _open(stack, path, row_bytes)
            growth.start({"format": "facetl-growth", "version": 1, "task": described})
            yield growth
    except PatchesError:
        raise  # it is another task's work
    except BaseException as error:
        if not (growth and growth.records) or isinstance(error, InputError):
            discard_work(path)
            if is_new:
                with suppress(OSError):  # it holds something else
                    path.parent.rmdir()
        raise
    discard_work(path)


def _open(stack: ExitStack, path: Path, row_bytes: Mapping[str, int]) -> Growth:
    """Open the log and the columns, as they are or new."""
    folder = work_folder(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        columns = {name: stack.enter_context(_open_column(folder / name)) for name in row_bytes}
        log = stack.enter_context(_open_column(folder / _LOG))
    except OSError as error:
        raise cannot_write(path, error) from error
    return Growth(path, log, columns, row_bytes)


def _open_column(path: Path) -> FileIO:
    """Open a file for reading and writing, without a buffer: what is written is the system's."""
    path.touch()
    return path.open("r+b", buffering=0)


def _cut(file: FileIO, size: int) -> None:
    file.truncate(size)
    file.seek(size)


def _to_line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"
