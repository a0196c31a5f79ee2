"""Writing files so that nobody ever finds half of one, or loses an old one unasked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from facetl.errors import OutputError


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
        if error.filename is not None and Path(error.filename) != temporary:
            raise  # something else could not be read or written inside the block
        raise OutputError(_cannot_write(path, error)) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
        if is_new:
            with suppress(OSError):  # it holds something, as it should
                path.parent.rmdir()


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


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
        raise OutputError(f"{path} exists already; choose another --out or overwrite with --force")


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


def _cannot_write(path: Path, error: OSError) -> str:
    return f"{path} cannot be written ({error.strerror or error}); choose another --out"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
