"""The annotated frames that commands learn from: a folder as it is, or frames and file apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli.console import note

if TYPE_CHECKING:
    from facetl.data.annotations import AnnotationFile, OnError
    from facetl.data.dataset import FaceDataset
    from facetl.data.sources import Format, Part
    from facetl.manifests.manifest import Step


AUTO = "auto"
SUGGESTED = (".cvat.json", ".label-studio.json")
"""How the exports of detections are called that are made to be corrected."""


def chosen_format(form: str) -> Format | None:
    """Return the format that was named, None if it shall be recognised."""
    from facetl.data.sources import Format

    return None if form == AUTO else Format(form)


def require_source(data: Path | None, images: Path | None) -> None:
    """Refuse a command line that does not say where the frames are."""
    if data is None and images is None:
        raise click.UsageError("found neither DATA nor --images; say where the frames are")


def load_frames(
    data: Path | None,
    images: Path | None,
    annotations: Path | None,
    on_error: OnError,
    part: Part = "train",
    form: str = AUTO,
) -> FaceDataset:
    """Read annotated frames; say on stderr what is wrong with them but could be borne."""
    from facetl.data.dataset import load_dataset

    dataset = load_dataset(
        data,
        images=images,
        annotations=annotations,
        part=part,
        on_error=on_error,
        form=chosen_format(form),
    )
    note_problems(dataset)
    return dataset


def note_problems(source: FaceDataset | AnnotationFile, what: str = "") -> None:
    """Say on stderr what was wrong but could be borne, and if there is less than one expects.

    Args:
        source: what was read.
        what: what it is, where that needs to be said.
    """
    from facetl.data.annotations import AnnotationFile, describe_problems
    from facetl.data.dataset import find_warnings

    warn_of_suggestions(source)
    if source.problems:
        note(what + describe_problems(source.problems))
    warnings = [*find_warnings(source)] if isinstance(source, AnnotationFile) else source.warnings
    if warnings:
        more = f" (and {_more_files(len(warnings) - 1)} like it)" if len(warnings) > 1 else ""
        note(f"warning: {warnings[0]}{more}")


def warn_of_suggestions(source: FaceDataset | AnnotationFile) -> None:
    """Say on stderr if the faces are a detector's suggestions that nobody has corrected."""
    if found := find_suggestions(source):
        note(describe_suggestions(found))


def find_suggestions(source: FaceDataset | AnnotationFile) -> list[Path]:
    """Return the annotation files that hold a detector's suggestions, byte for byte.

    Their manifests tell, also in a copy of their folder.
    """
    from facetl.data.dataset import FaceDataset
    from facetl.manifests.checking import find_writer

    paths = source.annotations if isinstance(source, FaceDataset) else (source.path,)
    writers = {path: find_writer(path) for path in paths if path.is_file()}
    return [path for path, step in writers.items() if step and _suggests(step, path)]


def describe_suggestions(paths: Sequence[Path]) -> str:
    """Return a warning of the files, of which there is at least one."""
    others = len(paths) - 1
    files = f"{paths[0]} and {_more_files(others)} hold" if others else f"{paths[0]} holds"
    return (
        f"warning: {files} what a detector suggested, and nobody has corrected it: figures on it "
        "tell how alike detectors are, not how right they are, and training on it teaches their "
        "mistakes; correct the boxes first"
    )


def _more_files(count: int) -> str:
    return "1 more file" if count == 1 else f"{count} more files"


def _suggests(step: Step, path: Path) -> bool:
    """Return whether what a step wrote to a path are detections, in the guise of annotations."""
    if step.name == "convert":  # of detections; a file of annotations may be given any name
        out = Path(str(step.settings.get("out")))
        return path.name.endswith(SUGGESTED) and out.name != path.name
    return step.name in ("frames", "detect")


def spread(dataset: FaceDataset, limit: int) -> FaceDataset:
    """Return the frames, or ``limit`` of them at equal distances."""
    count = len(dataset)
    if count <= limit:
        return dataset
    return replace(dataset, frames=tuple(dataset.frames[i * count // limit] for i in range(limit)))
