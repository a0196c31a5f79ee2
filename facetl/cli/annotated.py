"""The annotated frames that commands learn from: a folder as it is, or frames and file apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli.console import note

if TYPE_CHECKING:
    from facetl.data.annotations import OnError
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
    from facetl.data.annotations import describe_problems
    from facetl.data.dataset import load_dataset

    dataset = load_dataset(
        data,
        images=images,
        annotations=annotations,
        part=part,
        on_error=on_error,
        form=chosen_format(form),
    )
    if dataset.problems:
        note(describe_problems(dataset.problems))
    return dataset


def spread(dataset: FaceDataset, limit: int) -> FaceDataset:
    """Return the frames, or ``limit`` of them at equal distances."""
    count = len(dataset)
    if count <= limit:
        return dataset
    return replace(dataset, frames=tuple(dataset.frames[i * count // limit] for i in range(limit)))
