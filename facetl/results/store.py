"""Which file holds a run: how it is called, and how it is read."""

from __future__ import annotations

from pathlib import Path

from facetl.results.detections import Run
from facetl.results.json_file import load_document
from facetl.results.json_lines import load_lines
from facetl.results.parquet import load_shards

SUFFIX = ".detections.json"
"""A run called ``tuned`` is stored as ``tuned.detections.json``."""
LINES_SUFFIX = ".detections.jsonl"
"""… or, as JSON lines (:mod:`facetl.results.json_lines`), as ``tuned.detections.jsonl``,"""
SHARDS_SUFFIX = ".detections.parquet"
"""… or, as a folder of shards (:mod:`facetl.results.parquet`), as ``tuned.detections.parquet``."""
SUFFIXES = (SUFFIX, LINES_SUFFIX, SHARDS_SUFFIX)


def find_runs(folder: Path) -> list[Path]:
    """Return all detections files in a folder, of any kind, in the order of their names."""
    return sorted(path for path in folder.glob("*") if path.name.endswith(SUFFIXES))


def name_of(path: Path) -> str:
    """Return the name of the run that a detections file of any kind is called after."""
    end = next((end for end in SUFFIXES if path.name.endswith(end)), "")
    return path.name.removesuffix(end)


def run_path(folder: Path, name: str, suffix: str = SUFFIX) -> Path:
    """Return where a run of a name is kept in a folder."""
    return folder / f"{name}{suffix}"


def load_run(path: Path | str) -> Run:
    """Read a detections file: one JSON document, JSON lines, or a folder of Parquet shards.

    Raises:
        DetectionsError: if the file is missing, damaged, or of another format or version.
    """
    path = Path(path)
    if path.suffix == ".jsonl":
        return load_lines(path)
    if path.is_dir() and path.name.endswith(SHARDS_SUFFIX):
        return load_shards(path)
    return load_document(path)
