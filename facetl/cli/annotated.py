"""Annotated frames, with what is wrong with them said on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli.console import note
from facetl.reporting import Reporter

if TYPE_CHECKING:
    from facetl.data.annotations import AnnotationFile
    from facetl.data.dataset import FaceDataset
    from facetl.data.sources import Format

AUTO = "auto"


class Notes(Reporter):
    """Says on stderr what it is told, also where no command is running."""

    def note(self, message: str) -> None:
        """Say something on stderr, in one line."""
        note(message)


def chosen_format(form: str) -> Format | None:
    """Return the format of a name, None for the one that is recognised."""
    from facetl.commands import annotated

    return annotated.chosen_format(form)


def require_source(data: Path | None, images: Path | None) -> None:
    """Refuse a command line that does not say where the frames are."""
    if data is None and images is None:
        raise click.UsageError("found neither DATA nor --images; say where the frames are")


def load_frames(*given: Any, **named: Any) -> FaceDataset:
    """Read annotated frames; say on stderr what is wrong with them but can be tolerated."""
    from facetl.commands import annotated

    return annotated.load_frames(*given, **named, reporter=Notes())


def note_problems(source: FaceDataset | AnnotationFile, what: str = "") -> None:
    """Say on stderr what was wrong but can be tolerated."""
    from facetl.commands import annotated

    annotated.note_problems(source, Notes(), what)


def spread(dataset: FaceDataset, limit: int) -> FaceDataset:
    """Return the frames, or ``limit`` of them at equal distances."""
    from facetl.commands import annotated

    return annotated.spread(dataset, limit)
