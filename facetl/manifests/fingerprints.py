"""Fingerprints of files and folders, taken as they stream by.

A file's is the SHA-256 of its bytes.  A folder's is that of one line for each of its files,
``SHA256 BYTES NAME`` ended by a NUL, in the order of their names, folder by folder.  Names are
relative to the folder, with slashes, as the bytes that they are on disk.

Of what was given to a command, a file of more than 4 GiB is known by its first and last 64 MiB and
its size: none keeps a command waiting.  What it wrote is read to the last byte.

Left out are hidden files, manifests (they describe the others), and whatever is no regular file:
pipes, devices, links that lead nowhere.  Links to files count as the files, links to folders are
not followed.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from facetl.files import absolute, open_regular

MANIFEST = "manifest.json"
"""The name of a manifest, wherever it lies."""
_LONGEST = 2**32
"""Bytes of a file that is given up to which all of it is read."""
_EDGE = 2**26
"""Bytes that are read at the beginning and at the end of a longer one."""
UNREADABLE = "unreadable"
"""What stands in a folder's fingerprint for the SHA-256 of a file that may not be read."""

Fingerprint = Mapping[str, Any]
"""As a manifest has it: ``bytes`` and ``sha256``, 64 hexadecimal digits; of a folder ``files`` too,
their number."""


def fingerprint_file(path: Path) -> Fingerprint:
    """Return the fingerprint of a regular file.

    Raises:
        OSError: if it cannot be read.
    """
    with open_regular(path, sys.maxsize) as file:
        digest = hashlib.file_digest(file, "sha256")
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}


def _fingerprint_given(path: Path) -> Fingerprint:
    """Return the fingerprint of a regular file that a command is given, in seconds at most.

    Raises:
        OSError: if it cannot be read.
    """
    size = path.stat().st_size
    if size <= _LONGEST:
        return fingerprint_file(path)
    with open_regular(path, sys.maxsize) as file:
        digest = hashlib.sha256(file.read(_EDGE))
        file.seek(size - _EDGE)
        digest.update(file.read(_EDGE))
    return {"bytes": size, "sha256": digest.hexdigest()}


def _fingerprint_files(folder: Path) -> Iterator[tuple[str, Fingerprint]]:
    """Yield all files of a folder that is given and that count, by name, with fingerprints."""
    for name in names_below(folder):
        try:
            yield name, _fingerprint_given(folder / name)
        except FileNotFoundError:
            continue  # it went while the others were read
        except OSError:
            yield name, {"bytes": 0, "sha256": UNREADABLE}


def _sum_up(files: Iterable[tuple[str, Fingerprint]], without: Collection[str] = ()) -> Fingerprint:
    """Return the fingerprint of a folder.

    Args:
        files: its files, as :func:`_fingerprint_files` yields them.
        without: names of files that do not count.
    """
    digest, count, size = hashlib.sha256(), 0, 0
    for name, each in files:
        if name not in without:
            digest.update(f"{each['sha256']} {each['bytes']} ".encode() + os.fsencode(name) + b"\0")
            count, size = count + 1, size + each["bytes"]
    return {"files": count, "bytes": size, "sha256": digest.hexdigest()}


class Given(NamedTuple):
    """What a command was given.

    Attributes:
        kind: a ``file``, a ``folder``, or weights that come ``built-in``.
        files: its files by name, in order.
    """

    kind: str
    files: Iterable[tuple[str, Fingerprint]]

    def describe(self, without: Collection[str] = ()) -> Fingerprint:
        """Return what it is in a manifest; of a folder, files of some names do not count."""
        if self.kind == "file":
            [(_, file)] = self.files
            return {"kind": self.kind, "files": 1, **file}
        return {"kind": self.kind, **_sum_up(self.files, without)}


def look_at(path: Path) -> Given | None:
    """Return what is at a path; None if it is neither a regular file nor a folder.

    Raises:
        OSError: if it is a file that cannot be read.
    """
    if is_regular(path):
        return Given("file", [("", _fingerprint_given(path))])
    return Given("folder", _fingerprint_files(path)) if path.is_dir() else None


def names_in(folder: Path, paths: Set[str]) -> set[str]:
    """Return the names that those of some absolute paths have in a folder that lie in it."""
    root = Path(absolute(folder))
    below = (Path(path) for path in paths)
    return {path.relative_to(root).as_posix() for path in below if path.is_relative_to(root)}


def names_below(folder: Path) -> Iterator[str]:
    """Yield the names of all files below a folder that count, in order."""
    pending = [""]
    while pending:
        name = pending.pop()
        if name and not name.endswith("/"):
            yield name
        else:
            pending += _entries(folder / name, name)


def is_regular(path: Path) -> bool:
    """Return whether there is a regular file at a path, or a link to one."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # a link to itself, a name too long, a NUL in it
        return False


def _entries(folder: Path, prefix: str) -> list[str]:
    """Return what counts in a folder, the last name first; folders end with a slash."""
    found = {}
    with suppress(OSError), os.scandir(folder) as entries:  # one may be forbidden
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            counts = is_folder or (entry.name != MANIFEST and is_regular(folder / entry.name))
            if counts and not entry.name.startswith("."):
                found[entry.name] = f"{prefix}{entry.name}" + "/" * is_folder
    return [found[name] for name in sorted(found, key=os.fsencode, reverse=True)]
