"""The true faces that commands are given: an annotation file, or a folder of frames."""

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

    truth = annotated.load_truth(path, on_error, form)
    note_problems(truth, f"{path}: ")
    return truth
