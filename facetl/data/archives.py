"""ZIPs as folders: what is in one is put into a temporary folder, which goes when Python ends.

Labelling tools offer data sets as ZIPs, with or without images.  Nothing in one leads out of the
folder: names lose what is absolute in them or climbs, and links are files like any other.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from facetl.data.annotations import MOST_UNPACKED, is_office, is_zip, open_zip
from facetl.data.formats.names import is_plain
from facetl.data.media_types import IMAGE_SUFFIXES
from facetl.errors import AnnotationError, show_place_as
from facetl.files import absolute

_MOST_FILES = 1_000_000
_MOST_GROWTH = 100
"""How many times its own size a ZIP may have when unpacked, if that is above MOST_UNPACKED."""
_ROOM_LEFT = 2**28
"""Bytes that stay free on the disk."""
_UTF8 = 0x800
"""The flag of a name that is UTF-8."""

_unpacked: dict[tuple[str, int, int], Path] = {}
"""The folder of each ZIP that this process has unpacked, by its path, time and size."""
_packed: dict[Path, Path] = {}
"""Each of these ZIPs, by its folder."""


def unpacked(path: Path) -> Path:
    """Return a folder with what a ZIP holds; any other path as it is.

    Raises:
        AnnotationError: if the ZIP is damaged, encrypted, too large, or there is no room for it.
    """
    if not path.is_file() or not is_zip(path):
        return path
    status = path.stat()
    key = (os.path.realpath(path), status.st_mtime_ns, status.st_size)
    if key not in _unpacked:
        _unpacked[key] = place = _unpack_anew(path)
        _packed[place] = Path(absolute(path))
        show_place_as(str(place), str(path))
    return _unpacked[key]


def packed(path: Path) -> Path:
    """Return the ZIP that a path was unpacked from; any other path as it is."""
    found = (archive for place, archive in _packed.items() if path.is_relative_to(place))
    return next(found, path)


def forget_unpacked() -> None:
    """Remove all that this process has unpacked, which must not be in use any more."""
    for place in _packed:
        _remove(place.parent, os.getpid())
    _unpacked.clear()
    _packed.clear()


def holds_images(folder: Path) -> bool:
    """Return whether any file below a folder has the suffix of an image."""
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.rglob("*"))


def _unpack_anew(path: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="facetl-zip-"))
    atexit.register(_remove, folder, os.getpid())
    place = folder / path.name
    try:
        _unpack(path, place)
    except BaseException:
        _remove(folder, os.getpid())
        raise
    return place


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a process that was forked ends before the one that unpacked
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(path: Path, place: Path) -> None:
    try:
        with open_zip(path) as archive:
            members = dict(_members_of(path, archive))
            _refuse_large(path, members, place.parent)
            place.mkdir()
            for target, member in members.items():
                _write_member(archive, member, place / target)
    except OSError as error:
        raise AnnotationError(
            f"{path} cannot be unpacked ({error.strerror}); unpack it and give the folder"
        ) from error


def _write_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as source, path.open("xb") as target:
        shutil.copyfileobj(source, target)  # never more than the size that is said


def _members_of(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Yield the files in a ZIP by their place in the folder, without hidden ones."""
    if is_office(archive.namelist()):
        raise AnnotationError(f"{path} is an Office file; save it as plain text or as COCO JSON")
    files = [(_place_of(each), each) for each in archive.infolist() if not each.is_dir()]
    shown = [(name, each) for name, each in files if not _is_hidden(name)]
    if len(shown) > _MOST_FILES:
        raise AnnotationError(f"{path} holds {len(shown):,} files; unpack it and give the folder")
    for name, count in Counter(name for name, _ in shown).items():
        if count > 1 or not is_plain(name):
            found = "holds two files" if count > 1 else "holds a file"
            raise AnnotationError(f"{path} {found} {name!r}; unpack it and give the folder")
    yield from shown


def _place_of(member: zipfile.ZipInfo) -> str:
    """Return where a file goes, with slashes, below the folder."""
    name = member.filename
    if not member.flag_bits & _UTF8:  # macOS writes UTF-8 and does not say so
        try:
            name = name.encode("cp437").decode()
        except UnicodeError:
            name = member.filename
    relative = PureWindowsPath(name).as_posix().removeprefix(PureWindowsPath(name).drive)
    return "/".join(part for part in relative.split("/") if part not in ("", ".", ".."))


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def _refuse_large(path: Path, members: dict[str, zipfile.ZipInfo], place: Path) -> None:
    size = sum(member.file_size for member in members.values())
    if size > max(MOST_UNPACKED, _MOST_GROWTH * path.stat().st_size):
        raise AnnotationError(
            f"{path} grows to {size:,} bytes, which no data set does; unpack it and give the folder"
        )
    if size + _ROOM_LEFT > shutil.disk_usage(place).free:
        raise AnnotationError(
            f"{path} takes {size:,} bytes when unpacked, and {place.parent} has no room for them; "
            "set TMPDIR to a folder on a larger disk"
        )
