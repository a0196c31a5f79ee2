"""Whether files are still what a manifest says that was written or given."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from facetl.errors import ManifestError
from facetl.files import absolute
from facetl.manifests.fingerprints import (
    Fingerprint,
    fingerprint_file,
    is_regular,
    look_at,
    names_below,
    names_in,
)
from facetl.manifests.manifest import Step, load_manifest


class State(StrEnum):
    """How something is, compared with what the manifest says."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    UNREADABLE = "cannot be read"
    OUTSIDE = "leads out of the folder"


def check_outputs(folder: Path, outputs: Mapping[str, Fingerprint]) -> Iterator[tuple[str, State]]:
    """Compare outputs with what their manifest says; yield each with how it is.

    Nothing outside of the folder is opened, whatever links there are in it.

    Args:
        folder: the manifest's.
        outputs: by name, as :func:`facetl.manifests.manifest.load_manifest` lets them through.
    """
    is_inside: dict[Path, bool] = {}
    for name, output in outputs.items():
        path = folder / name
        try:
            if path.parent not in is_inside:
                real = path.parent.resolve(strict=True)
                is_inside[path.parent] = real.is_relative_to(folder.resolve(strict=True))
            state = _compare(path, output) if is_inside[path.parent] else State.OUTSIDE
        except (FileNotFoundError, NotADirectoryError):
            state = State.MISSING
        except (OSError, RuntimeError):  # forbidden, links in a circle, a name too long
            state = State.UNREADABLE
        yield name, state


def check_input(folder: Path, path: str, given: Fingerprint, step: Step) -> State:
    """Compare an input with what it was.

    A manifest may name anything: what differs in number or size is not read at all.

    Args:
        folder: the manifest's.
        path: as it was given.
        given: what it was.
        step: whose input it is; what it wrote into its input itself does not count.
    """
    places = [folder / given["place"]] if "place" in given else []
    own = {absolute(folder / name) for name in step.outputs}
    try:
        place = next((each for each in (*places, Path(path)) if each.exists()), None)
        if place is None:
            return State.MISSING
        if _differs_in_size(place, given, own):
            return State.CHANGED
        found = look_at(place)
        now = found and found.describe(names_in(place, own))
    except OSError:
        return State.UNREADABLE
    if now is None:
        return State.UNREADABLE
    return State.SAME if {**given, **now} == given else State.CHANGED


def find_writer(path: Path) -> Step | None:
    """Return the step that wrote a file, if the file is still what it wrote, byte for byte.

    None if no manifest tells of the file, in its folder or in the two above, or if it has been
    changed since.
    """
    place = Path(absolute(path))
    for folder in place.parents[:3]:
        name = place.relative_to(folder).as_posix()
        with suppress(ManifestError):  # there is none that can be read
            for step in load_manifest(folder).steps:
                if output := step.outputs.get(name):
                    [(_, state)] = check_outputs(folder, {name: output})
                    return step if state is State.SAME else None
    return None


def _differs_in_size(path: Path, given: Fingerprint, without: Set[str]) -> bool:
    """Return whether other numbers of files or bytes are at a path; no more are counted."""
    if not path.is_dir():
        return is_regular(path) and path.stat().st_size != given["bytes"]
    left_out = names_in(path, without)
    files = size = 0
    for name in names_below(path):
        if name not in left_out:
            files, size = files + 1, size + _readable_bytes(path / name)
        if files > given["files"] or size > given["bytes"]:
            return True
    return (files, size) != (given["files"], given["bytes"])


def _readable_bytes(path: Path) -> int:
    """Return how many bytes of a file count; those of one that may not be read do not."""
    try:
        return path.stat().st_size if os.access(path, os.R_OK) else 0
    except FileNotFoundError:
        return 0  # it went meanwhile


def _compare(path: Path, output: Fingerprint) -> State:
    status = path.lstat()
    if "link" in output:
        same = stat.S_ISLNK(status.st_mode) and str(path.readlink()) == output["link"]
    else:
        same = (
            stat.S_ISREG(status.st_mode)
            and status.st_size == output["bytes"]
            and fingerprint_file(path) == output
        )
    return State.SAME if same else State.CHANGED
