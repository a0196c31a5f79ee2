"""The true faces that commands are given: an annotation file, or a folder of frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facetl.cli.console import note

if TYPE_CHECKING:
    from facetl.data.annotations import AnnotationFile, OnError
    from facetl.data.dataset import FaceDataset


def load_truth(path: Path, on_error: OnError = "strict") -> FaceDataset | AnnotationFile:
    """Read the true faces; say on stderr what is wrong with them but could be borne."""
    from facetl.data.annotations import describe_problems, load_annotations
    from facetl.data.dataset import load_dataset

    source = (
        load_dataset(path, part="test", on_error=on_error)
        if path.is_dir()
        else load_annotations(path, on_error=on_error)
    )
    if source.problems:
        note(f"{path}: {describe_problems(source.problems)}")
    return source
