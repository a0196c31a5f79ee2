"""Places that commands write to: one command at a time, and nothing left by those that are gone.

A command that writes locks its place, by a hidden file beside it.  The system holds the lock for
the process that has the file open and lets go when that ends, however that comes: a file that was
left behind locks nothing, and programs that it starts do not inherit it.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from facetl.errors import OutputError
from facetl.files import is_lock, is_temporary, is_there, lock_name
from facetl.interruptions import holding_signals

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


_BUSY = "another facetl command is writing there; wait until it has ended, or choose another place"
_PAUSE = 0.02
_MOST_FOLDERS = 10_000
"""Folders of a place that are looked through: somebody may name a home, which holds any number."""


@contextmanager
def locking(place: Path, patience: float = 0.0, busy: str = "") -> Iterator[bool]:
    """Let no other command write to a place during the block; yield whether locks are known here.

    Where nothing can be written, nothing is locked.

    Args:
        place: a file or a folder, there or not.
        patience: seconds to wait for another command.
        busy: what to say if another command is writing there still.

    Raises:
        OutputError: if another command is writing there.
    """
    path = _lock_path(place)
    made = [folder for folder in path.parents if not is_there(folder)]
    handle, has_locks = None, True
    end = time.monotonic() + patience

    def tidy() -> None:
        nonlocal handle
        own, handle = handle, None
        _give_back(own, path)
        for folder in made:
            with suppress(OSError):  # it holds something, as it should
                folder.rmdir()

    try:
        while True:
            try:
                with holding_signals():
                    handle = _take(path)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise OutputError(busy or f"{place}: {_BUSY}") from None
                time.sleep(_PAUSE)
            except OSError:
                has_locks = False
                break
        yield has_locks
    finally:
        try:
            with holding_signals():
                tidy()
        except KeyboardInterrupt:
            tidy()  # it may have come just before signals were held; a second one is ignored
            raise


def clear(place: Path, *, deep: bool = True) -> None:
    """Remove what killed commands have left of a place, and nothing else that is hidden.

    Where another command is writing in a folder of it, that folder stays as it is.

    Args:
        place: a file or a folder; it should be locked.
        deep: look into the folders of a folder as well.
    """
    own = _lock_path(place)
    _remove(entry for entry in _entries(place.parent) if is_temporary(entry.name, place))
    for folder, folders, files in islice(os.walk(os.path.realpath(place)), _MOST_FOLDERS):
        if any(_is_locked(Path(folder, name)) for name in files if Path(folder, name) != own):
            folders.clear()
            continue
        _remove(Path(folder, name) for name in (*folders, *files) if is_temporary(name))
        folders[:] = [name for name in folders if deep and not name.startswith(".")]


def _lock_path(place: Path) -> Path:
    """Return where the lock of a place is: in it if it is mounted, or nothing fits beside it."""
    place = Path(os.path.realpath(place))
    beside = place.parent
    is_folder = is_there(place) and place.is_dir()
    inside = is_folder and (os.path.ismount(place) or not os.access(beside, os.W_OK))
    return (place if inside else beside) / lock_name(place)


def _take(path: Path) -> int | None:
    """Return the open file by which a lock is held, None if no file can be opened there.

    Raises:
        BlockingIOError: if another process holds it.
        OSError: if there are no locks here.
    """
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError:
            return None
        try:
            _lock(handle)
        except BlockingIOError:
            os.close(handle)
            raise
        except OSError:
            _give_back(handle, path)
            raise
        if _is_at(handle, path):
            return handle
        os.close(handle)  # whoever held it before has removed it meanwhile


def _give_back(handle: int | None, path: Path) -> None:
    """Remove a lock, then let go of it: in this order nobody else can hold what is removed.

    Windows removes no open file, so there it goes afterwards, unless somebody else has it open.
    """
    if handle is not None:
        with suppress(OSError):
            path.unlink()
        os.close(handle)
        if fcntl is None:
            with suppress(OSError):
                path.unlink()


def _lock(handle: int) -> None:
    """Lock an open file for this process, without waiting.

    Raises:
        BlockingIOError: if it is held.
        OSError: if there are no locks here.
    """
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EDEADLK):  # as other systems say it
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
        raise


def _is_at(handle: int, path: Path) -> bool:
    """Return whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _is_locked(path: Path) -> bool:
    """Return whether a file is a lock that another command holds."""
    if not is_lock(path.name):
        return False
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        _lock(handle)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def _entries(folder: Path) -> list[Path]:
    with suppress(OSError):
        return list(folder.iterdir())
    return []


def _remove(entries: Iterator[Path]) -> None:
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with suppress(OSError):
                entry.unlink()
