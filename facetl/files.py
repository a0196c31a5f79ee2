"""Writing files so that nobody ever finds half of one, or loses an old one unasked."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from facetl.errors import OutputError

UNENCODABLE = "backslashreplace"
"""How texts are encoded that UTF-8 cannot hold."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    The folder is made if it is missing.  If the block raises, the temporary file is removed,
    a folder that was made for it too, and ``path`` stays as it was.

    Raises:
        OutputError: if the place cannot be written.
    """
    is_new = not path.parent.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(path.suffix, f".{path.stem}-", path.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(_cannot_write(path, error)) from error
    temporary = Path(name)
    try:
        yield temporary
        _put_in_place(temporary, path)
    except OSError as error:
        if not _speaks_of(error, temporary):
            raise  # something else could not be read or written inside the block
        raise OutputError(_cannot_write(path, error)) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
        if is_new:
            with suppress(OSError):  # it holds something, as it should
                path.parent.rmdir()


@contextmanager
def folder_in_place(path: Path) -> Iterator[Path]:
    """Give a new hidden folder; move what it holds into ``path`` if the block succeeds.

    It lies in ``path``, or beside it if that is yet to be made.  Of what is in ``path``, entries
    of the same names make way, and everything else stays.  If the block raises, ``path`` stays
    as it was.

    Raises:
        OutputError: if the place cannot be written.
    """
    try:
        beside = path if path.is_dir() else path.parent
        beside.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=beside))
    except OSError as error:
        raise OutputError(_cannot_write(path, error)) from error
    try:
        yield temporary
        path.mkdir(exist_ok=True)
        for entry in sorted(temporary.iterdir()):
            _make_way(path / entry.name)
            entry.replace(path / entry.name)
    except OSError as error:
        if not _speaks_of(error, temporary, path):
            raise  # something else could not be read or written inside the block
        raise OutputError(_cannot_write(path, error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, atomically.

    What UTF-8 cannot hold (a byte of a file's name that is no text) is written as an escape like
    ``\\udcff``, as which JSON reads it back.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=UNENCODABLE)


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no JSON, or nested too deeply.
    """
    return parse_json(path.read_text(encoding="utf-8"))


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON text holds.

    Raises:
        ValueError: if it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def plot_paths(path: Path) -> tuple[Path, Path]:
    """Return where a plot goes, as a picture and as a drawing: its .png and its .svg."""
    return path.with_suffix(".png"), path.with_suffix(".svg")


def is_occupied(path: Path) -> bool:
    """Return whether there is something at ``path``; an empty folder is nothing."""
    return any(path.iterdir()) if path.is_dir() else path.exists()


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Raise if ``path`` exists (a folder only if it holds something) and ``force`` is off.

    Raises:
        OutputError: naming the path and the way out.
    """
    if is_occupied(path) and not force:
        raise OutputError(f"{path} exists already; choose another place, or overwrite with --force")


def require_writable(folder: Path) -> None:
    """Raise before the work if the folder, or the first that exists above it, can't be written.

    Raises:
        OutputError: naming the folder and the way out.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise OutputError(_cannot_write(folder, error)) from error


def _put_in_place(temporary: Path, path: Path) -> None:
    """Rename the file, with the permissions that a new file would have."""
    temporary.chmod(0o666 & ~_umask())
    temporary.replace(path)


def _make_way(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)


def _speaks_of(error: OSError, *places: Path) -> bool:
    """Return whether an error is about one of the places or what is in them, or names none."""
    if error.filename is None:
        return True
    return any(Path(str(error.filename)).is_relative_to(place) for place in places)


def _cannot_write(path: Path, error: OSError) -> str:
    return f"{path} cannot be written ({error.strerror or error}); choose another place"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
