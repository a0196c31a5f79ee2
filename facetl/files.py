"""Writing files so that nobody ever finds half of one, or loses an old one unasked."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from facetl.errors import FacetlError, NameTooLongError, OutputError
from facetl.interruptions import holding_signals

UNENCODABLE = "backslashreplace"
"""How texts are encoded that UTF-8 cannot hold."""
MAKE_ROOM = "free some space, then resume with --resume"
"""What to do if work that can be resumed cannot be written."""
LARGEST = 2**32
"""Bytes of the largest file that is read into memory, where its kind has no smaller bound."""

_LONGEST_SUFFIX = 32
"""Bytes of the longest suffix that is kept: writers choose a format by it."""

T = TypeVar("T")


class Ledger:
    """Is told what a command reads and writes; this one ignores it."""

    def lock(self) -> None:
        """See that no other command changes the place: something in it is looked at."""

    def begin(self) -> None:
        """See that the place may be written, and read what was given: it may change soon."""

    def add_input(self, path: Path) -> None:
        """Add a file or folder to what the command was given."""

    def add_outputs(self, paths: Iterable[Path]) -> None:
        """Add what was put in place; a folder stands for all that is in it."""


_ledgers = [Ledger()]
"""The innermost last.  Worker threads write too, and context variables would not reach them."""


@contextmanager
def keeping_ledger(ledger: Ledger) -> Iterator[None]:
    """Tell a ledger what this process reads and writes in the block; the innermost one is told."""
    _ledgers.append(ledger)
    try:
        yield
    finally:
        _ledgers.pop()


def lock_place() -> None:
    """Lock the command's place: something is looked at that no other command may change."""
    _ledgers[-1].lock()


def about_to_write() -> None:
    """Note that something will be written soon."""
    _ledgers[-1].begin()


def note_written(*paths: Path) -> None:
    """Note what was put in place, by other means than this module or by other processes.

    Args:
        paths: files, or folders that hold nothing but what was written.
    """
    _ledgers[-1].add_outputs(paths)


def note_read(*paths: Path) -> None:
    """Note files that belong to what was given and may lie elsewhere."""
    for path in paths:
        _ledgers[-1].add_input(path)


def absolute(path: Path | str) -> str:
    """Return a path from the root on, without any ``..``; links are not followed."""
    return os.path.abspath(path)  # noqa: PTH100 - the other way follows links


def address_from(folder: Path, path: Path | None) -> str | None:
    """Return the relative address of a file for a page in a folder; None if it has none."""
    if path is None or not path.exists():
        return None
    try:
        return quote(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:  # on another drive
        return None


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    The folder is made if it is missing.  If the block raises, the temporary file is removed,
    a folder that was made for it too, and ``path`` stays as it was.

    Raises:
        OutputError: if the place cannot be written.
    """
    about_to_write()
    is_new = not path.parent.exists()
    temporary = temporary_name(path.parent, path)
    try:
        _make_new(temporary, path)
        yield temporary
        _put_in_place(temporary, path)
        note_written(path)
    except OSError as error:
        if not _speaks_of(error, temporary):
            raise  # something else could not be read or written inside the block
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):  # it was put in place, or never made
            temporary.unlink()
        if is_new:
            with suppress(OSError):  # it holds something, as it should
                path.parent.rmdir()


@contextmanager
def folder_in_place(path: Path) -> Iterator[Path]:
    """Give a new hidden folder; move what it holds into ``path`` if the block succeeds.

    It lies in ``path``, or beside it if that is yet to be made.  Of what is in ``path``, entries
    of the same names are replaced, and everything else stays.  If the block raises, ``path`` stays
    as it was.

    Raises:
        OutputError: if the place cannot be written.
    """
    about_to_write()
    temporary = temporary_name(path if path.is_dir() else path.parent, path)
    try:
        _make_new(temporary, path, folder=True)
        yield temporary
        with holding_signals():
            path.mkdir(exist_ok=True)
            for entry in sorted(temporary.iterdir()):
                _remove_old_folder(path / entry.name)
                entry.replace(path / entry.name)
                note_written(path / entry.name)
    except OSError as error:
        if not _speaks_of(error, temporary, path):
            raise  # something else could not be read or written inside the block
        raise cannot_write(path, error) from error
    finally:
        remove_folder(temporary)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, atomically.

    What UTF-8 cannot hold (a byte of a file's name that is no text) is written as an escape like
    ``\\udcff``, as which JSON reads it back.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=UNENCODABLE)


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write ``data`` to ``path``, atomically.

    Libraries encode into memory, for this to write: where a disk is full, Pillow takes a file that
    is cut short for written, and others raise what is no ``OSError``.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def open_regular(path: Path, largest: int = LARGEST) -> Iterator[io.BufferedReader | io.BytesIO]:
    """Give a file that others made, open to be read: nothing waits, and nothing has no end.

    Pipes and devices are never opened.  A file that says that it holds nothing is empty: those
    of ``/proc`` say so, and some of them have no end or wait for more.

    Args:
        path: the file, or a link to it.
        largest: bytes that it may have.

    Raises:
        OSError: if it cannot be read, is no regular file, or is too large.
    """
    _require_regular(path.stat(), path, largest)  # to open a device alone may do something
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        _require_regular(found, path, largest)
        yield file if found.st_size else io.BytesIO()


def read_regular(path: Path, largest: int = LARGEST) -> bytes:
    """Return what a file that others made holds; see :func:`open_regular`.

    Raises:
        OSError: if it cannot be read, is no regular file, or is too large.
    """
    with open_regular(path, largest) as file:
        size = file.seek(0, io.SEEK_END)  # room is made for so many bytes and no more
        if size > largest:
            raise _too_large(path, largest)
        file.seek(0)
        return file.read(size)


def read_beginning(path: Path, size: int) -> bytes | None:
    """Return the first bytes of a file of any length, None if it cannot be read."""
    try:
        with open_regular(path, sys.maxsize) as file:
            return file.read(size)
    except OSError:
        return None


def require_regular(path: Path, largest: int = LARGEST) -> None:
    """Raise before a library opens a file, unless :func:`open_regular` finds something in it.

    Raises:
        OSError: if it cannot be read, is no regular file, is empty, or is too large.
    """
    with open_regular(path, largest) as file:
        if not file.read(1):
            raise OSError(errno.EINVAL, "it is empty", str(path))


def _require_regular(found: os.stat_result, path: Path, largest: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
    if found.st_size > largest:
        raise _too_large(path, largest)


def _too_large(path: Path, largest: int) -> OSError:
    return OSError(errno.EFBIG, f"it has more than {largest:,} bytes", str(path))


def read_json(path: Path, largest: int = LARGEST) -> Any:
    """Return what a JSON file holds.

    Raises:
        OSError: if it cannot be read, is no regular file, or is too large.
        ValueError: if it is no JSON, or nested too deeply.
    """
    return parse_json(read_regular(path, largest).decode())


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON text holds.

    Raises:
        ValueError: if it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


@dataclass(frozen=True)
class FileKind:
    """A kind of file of ours, which names itself in the head of each file.

    Attributes:
        name: of the format.
        error: what is raised about a file of another format or version.
        remedy: what to do about it.
        version: of the format.
    """

    name: str
    error: type[FacetlError]
    remedy: str
    version: int = 1

    @property
    def head(self) -> dict[str, Any]:
        """How a file names its format and version."""
        return {"format": self.name, "version": self.version}

    def require(self, name: object, version: object, path: Path | None = None) -> None:
        """Raise if a file is of another format or version than the one that is read.

        Args:
            name: of the format, as the file names it.
            version: the same.
            path: the file; None if whoever catches the error names it.

        Raises:
            FacetlError: of the kind's own class.
        """
        if (name, version) != (self.name, self.version):
            raise self.error(
                f"{path}: " * (path is not None) + f"found format {name!r} version {version!r}, "
                f"expected {self.name!r} version {self.version}; {self.remedy}"
            )


def plot_paths(path: Path) -> tuple[Path, Path]:
    """Return where a plot goes, as a picture and as a drawing: its .png and its .svg."""
    return path.with_suffix(".png"), path.with_suffix(".svg")


def is_there(path: Path) -> bool:
    """Return whether there is something at a path; nothing is by a name too long for the disk."""
    try:
        return path.exists()
    except OSError:
        return False


def is_occupied(path: Path) -> bool:
    """Return whether there is something at ``path``.

    An empty folder is nothing, and so is what a killed command has left half-written.
    """
    if not path.is_dir():
        return path.exists()
    names = (entry.name for entry in path.iterdir())
    return not all(is_temporary(name) or is_lock(name) for name in names)


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Raise if ``path`` exists (a folder only if it holds something) and ``force`` is off.

    Raises:
        OutputError: naming the path, and what to do.
    """
    if is_occupied(path) and not force:
        raise OutputError(f"{path} exists already; choose another place, or overwrite with --force")


def require_writable(folder: Path) -> None:
    """Raise before the work if the folder, or the first that exists above it, can't be written.

    Raises:
        OutputError: naming the folder, and what to do.
    """
    about_to_write()
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise cannot_write(folder, error) from error


def cannot_write(path: Path, error: OSError, remedy: str = "choose another place") -> OutputError:
    """Return the error that says why a place cannot be written, and what to do."""
    if error.errno == errno.ENAMETOOLONG:
        return NameTooLongError(f"{path} cannot be written ({error.strerror}); shorten its name")
    return OutputError(f"{path} cannot be written ({error.strerror or error}); {remedy}")


def remove_folder(path: Path) -> None:
    """Remove a folder and all that is in it, if it is there; signals wait until it is gone."""
    with holding_signals():
        shutil.rmtree(path, ignore_errors=True)


def lock_name(place: Path) -> str:
    """Return the name of the file that is locked while a command writes to a place."""
    return f".facetl-{_tag(place)}.lock"


def is_lock(name: str) -> bool:
    """Return whether a name is one that :func:`lock_name` gives."""
    return re.fullmatch(r"\.facetl-[0-9a-f]{8}\.lock", name) is not None


def is_temporary(name: str, path: Path | None = None) -> bool:
    """Return whether a name is one of what is yet to be put in place, at a path or anywhere."""
    tag = "[0-9a-f]{8}" if path is None else _tag(path)
    return re.fullmatch(rf"\.facetl-{tag}-[0-9a-f]{{8}}(\.[^.]*)?", name) is not None


def temporary_name(folder: Path, path: Path) -> Path:
    """Return a name that nobody has: known before there is anything by it, so nothing is lost.

    It is short however long that of ``path`` is, and has the same suffix, which writers go by.
    """
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= _LONGEST_SUFFIX else ""
    return folder / f".facetl-{_tag(path)}-{secrets.token_hex(4)}{suffix}"


def _tag(path: Path) -> str:
    """Return what stands for a name in those of the hidden files that serve it."""
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]


def _make_new(temporary: Path, path: Path, *, folder: bool = False) -> None:
    """Make an empty file or folder, and the folder that it lies in."""
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            path.lstat()  # better now than after the work: its name may be too long
        if folder:
            temporary.mkdir()
        else:
            temporary.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise cannot_write(path, error) from error


def _put_in_place(temporary: Path, path: Path) -> None:
    """Rename the file, with the permissions that a new file would have."""
    temporary.chmod(0o666 & ~_umask())
    temporary.replace(path)


def _remove_old_folder(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)


def _speaks_of(error: OSError, *places: Path) -> bool:
    """Return whether an error is about one of the places or what is in them, or names none."""
    if error.filename is None:
        return True
    return any(Path(str(error.filename)).is_relative_to(place) for place in places)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
