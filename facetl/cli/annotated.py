"""Annotated frames, with what is wrong with them said on stderr."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli.ending import ConsoleReporter

if TYPE_CHECKING:
    from facetl.data.annotations import AnnotationFile
    from facetl.data.dataset import FaceDataset

AUTO = "auto"


def chosen_format(form: str) -> str | None:
    """Return the name of a format, None if it is to be recognised."""
    from facetl.commands import annotated

    return annotated.chosen_format(form)


def require_source(data: Path | None, images: Path | None) -> None:
    """Refuse a command line that does not say where the frames are."""
    if data is None and images is None:
        raise click.UsageError("found neither DATA nor --images; say where the frames are")


def load_frames(*given: Any, **named: Any) -> FaceDataset:
    """Read annotated frames; say on stderr what is wrong with them but can be tolerated."""
    from facetl.commands import annotated

    return annotated.load_frames(*given, **named, reporter=ConsoleReporter())


def note_problems(source: FaceDataset | AnnotationFile, what: str = "") -> None:
    """Say on stderr what was wrong but can be tolerated."""
    from facetl.commands import annotated

    annotated.note_problems(source, ConsoleReporter(), what)


def spread(dataset: FaceDataset, limit: int) -> FaceDataset:
    """Return the frames, or ``limit`` of them at equal distances."""
    from facetl.commands import annotated

    return annotated.spread(dataset, limit)


def find_suggestions(source: FaceDataset | AnnotationFile) -> list[Path]:
    """Return the annotation files that hold a detector's suggestions."""
    from facetl.commands import annotated

    return annotated.find_suggestions(source)


def describe_suggestions(paths: Sequence[Path]) -> str:
    """Return a warning of the files, of which there is at least one."""
    from facetl.commands import annotated

    return annotated.describe_suggestions(paths)
