"""One more step in a folder's manifest, also where several commands end at the same time."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from facetl.errors import OutputError
from facetl.manifests.fingerprints import MANIFEST
from facetl.manifests.manifest import Manifest, Step, load_manifest, save_manifest

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

PATIENCE = 60.0
"""Seconds to wait for other commands that are writing the same manifest."""
_PAUSE = 0.02


def add_step(folder: Path, step: Step, gone: Collection[str] = ()) -> None:
    """Write one more step into a folder's manifest; make the manifest if there is none.

    Args:
        folder: which.
        step: the new step.
        gone: outputs of older steps that it did away with.

    Raises:
        ManifestError: if what lies there is no manifest that can be gone on with.
        OutputError: if the place cannot be written.
    """
    with _alone(folder):
        save_manifest(folder, find_manifest(folder).followed_by(step, gone))


def find_manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder, an empty one if there is none.

    Raises:
        ManifestError: if it cannot be read, or is somebody else's.
    """
    is_there = os.path.lexists(folder / MANIFEST)
    return load_manifest(folder) if is_there else Manifest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other command write the folder's manifest during the block.

    The folder itself is locked, so nothing is left behind.  Where file systems know no locks, two
    commands that end in the same moment may lose one step.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)  # which unlocks it


def _lock(handle: int, folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        except OSError:
            return  # no locks here
        else:
            return
    raise OutputError(
        f"{folder / MANIFEST} is being written by another program; what this command wrote is "
        "there, but no manifest tells of it: give it again to have one"
    )
