"""Which file holds a run: its name, how it is read and how it is written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from facetl.interruptions import holding_signals
from facetl.results.detections import FrameResult, Run, Skipped
from facetl.results.json_file import load_document, writing_run
from facetl.results.json_lines import load_lines, writing_lines
from facetl.results.parquet import load_shards, writing_shard


class RunWriter(Protocol):
    """Writes the results of one run, picture by picture."""

    def add(self, frame: FrameResult) -> None:
        """Write what was found in a picture."""

    def skip(self, skipped: Skipped) -> None:
        """Write that a picture could not be searched, and why."""


@dataclass(frozen=True)
class Kind:
    """A kind of file, or of folder, that holds a run.

    Attributes:
        suffix: a run called ``tuned`` is kept as ``tuned`` and this.
        load: reads a run.
        writing: gives a writer of a run, or of a part of it; see there for what it is given.
    """

    suffix: str
    load: Callable[[Path], Run]
    writing: Callable[..., AbstractContextManager[RunWriter]]


DOCUMENT = Kind(".detections.json", load_document, writing_run)
"""One JSON document (:mod:`facetl.results.json_file`)."""
LINES = Kind(".detections.jsonl", load_lines, writing_lines)
"""JSON lines, which grow (:mod:`facetl.results.json_lines`)."""
SHARDS = Kind(".detections.parquet", load_shards, writing_shard)
"""A folder of Parquet shards (:mod:`facetl.results.parquet`)."""
_KINDS = (DOCUMENT, LINES, SHARDS)

SUFFIX = DOCUMENT.suffix
SHARDS_SUFFIX = SHARDS.suffix
SUFFIXES = tuple(kind.suffix for kind in _KINDS)


def find_runs(folder: Path) -> list[Path]:
    """Return all detections files in a folder, of any kind, in the order of their names."""
    return sorted(path for path in folder.glob("*") if path.name.endswith(SUFFIXES))


def name_of(path: Path) -> str:
    """Return the name of the run in a detections file of any kind, as the file's name tells it."""
    end = next((end for end in SUFFIXES if path.name.endswith(end)), "")
    return path.name.removesuffix(end)


def run_path(folder: Path, name: str, kind: Kind = DOCUMENT) -> Path:
    """Return where a run of a name is kept in a folder."""
    return folder / f"{name}{kind.suffix}"


def load_run(path: Path | str) -> Run:
    """Read a detections file: one JSON document, JSON lines, or a folder of Parquet shards.

    Raises:
        DetectionsError: if the file is missing, damaged, or of another format or version.
    """
    path = Path(path)
    return _kind_of(path).load(path)


def _kind_of(path: Path) -> Kind:
    """Return what a file is read as: by the end of its suffix, whatever stands before that."""
    ends = {Path(kind.suffix).suffix: kind for kind in _KINDS}
    kind = ends.get(path.suffix, DOCUMENT)
    is_folder = path.is_dir() and path.name.endswith(SHARDS.suffix)
    return DOCUMENT if kind is SHARDS and not is_folder else kind


def other_runs(folder: Path, kept: Collection[Path]) -> list[Path]:
    """Return the runs in a folder that are not among ``kept``."""
    return [run for run in find_runs(folder) if run not in kept]


def remove_run(path: Path) -> None:
    """Remove a run of any kind; signals wait, so that none stays in part."""
    with holding_signals():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
