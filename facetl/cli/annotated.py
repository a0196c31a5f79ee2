"""The annotated frames that commands learn from: a folder as it is, or frames and file apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli.console import note

if TYPE_CHECKING:
    from facetl.data.annotations import AnnotationFile, OnError
    from facetl.data.dataset import FaceDataset
    from facetl.data.sources import Format, Part


AUTO = "auto"


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
    tell(dataset)
    return dataset


def tell(source: FaceDataset | AnnotationFile, what: str = "") -> None:
    """Say on stderr what was wrong but could be borne, and if there is less than one expects.

    Args:
        source: what was read.
        what: what it is, where that needs to be said.
    """
    from facetl.data.annotations import AnnotationFile, describe_problems
    from facetl.data.dataset import find_doubts

    if source.problems:
        note(what + describe_problems(source.problems))
    doubts = [*find_doubts(source)] if isinstance(source, AnnotationFile) else source.doubts
    if doubts:
        more = f" (and {len(doubts) - 1} more files like it)" if len(doubts) > 1 else ""
        note(f"warning: {doubts[0]}{more}")
