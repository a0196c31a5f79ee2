"""The true faces that commands are given, with what is wrong with them said on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facetl.cli.annotated import AUTO, note_problems

if TYPE_CHECKING:
    from facetl.data.annotations import AnnotationFile, OnError
    from facetl.data.dataset import FaceDataset


def load_truth(
    path: Path, on_error: OnError = "strict", form: str = AUTO
) -> FaceDataset | AnnotationFile:
    """Read the true faces; say on stderr what is wrong with them but can be tolerated."""
    from facetl.commands import annotated

    source = annotated.load_truth(path, on_error, form)
    note_problems(source, f"{path}: ")
    return source
