"""The true faces that commands are given: an annotation file, or a folder of frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facetl.cli.annotated import AUTO, chosen_format, note_problems

if TYPE_CHECKING:
    from facetl.data.annotations import AnnotationFile, OnError
    from facetl.data.dataset import FaceDataset


def load_truth(
    path: Path, on_error: OnError = "strict", form: str = AUTO
) -> FaceDataset | AnnotationFile:
    """Read the true faces; say on stderr what is wrong with them but could be borne."""
    source = _load(path, on_error, form)
    note_problems(source, f"{path}: ")
    return source


def _load(path: Path, on_error: OnError, form: str) -> FaceDataset | AnnotationFile:
    """Read a folder of frames, or a file, with its images only if its boxes depend on them."""
    from facetl.data.dataset import load_dataset
    from facetl.data.formats.places import load_listed
    from facetl.data.formats.recognition import recognise
    from facetl.data.sources import Format

    chosen = chosen_format(form)
    if path.is_dir():
        return load_dataset(path, part="test", on_error=on_error, form=chosen)
    chosen = chosen or recognise(path)
    if chosen in (Format.YOLO, Format.VOC):
        return load_dataset(path, part="test", on_error=on_error, form=chosen)
    return load_listed(path, chosen, on_error)
