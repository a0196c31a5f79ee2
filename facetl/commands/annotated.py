"""The annotated frames that commands are given: read, and what is wrong with them reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from facetl.commands.requests import AUTO, AnnotatedRequest, DetectRequest, EvaluateRequest
from facetl.data import dataset as datasets
from facetl.data.annotations import AnnotationFile, describe_problems
from facetl.data.dataset import FaceDataset, find_warnings, load_dataset
from facetl.data.frame import Part
from facetl.data.joining import join_folders
from facetl.errors import AnnotationError
from facetl.manifests.manifest import Step, find_writer
from facetl.reporting import SILENT, Reporter

SUGGESTED = (".cvat.json", ".label-studio.json", ".labelme")
"""How the names of exports of detections end that are made to be corrected."""


_LOOKED_AT = 20
"""Files that are compared with the manifest; people correct the first ones first."""


def chosen_format(form: str) -> str | None:
    """Return the name of a format, None if it is to be recognised."""
    return None if form == AUTO else form


def load_frames(
    request: AnnotatedRequest, reporter: Reporter = SILENT, part: Part = "train"
) -> FaceDataset:
    """Read annotated frames; report what is wrong with them but can be tolerated.

    Of several folders, each is read and reported by itself, and the frames' names begin with
    their folder's.

    Args:
        request: which frames.
        reporter: is told.
        part: which part of data that has several.

    Raises:
        InputError: if they cannot be read.
    """
    if len(request.data) > 1:
        return _load_together(request, reporter, part)
    dataset = _load(request, request.data[0] if request.data else None, part)
    note_problems(dataset, reporter)
    return dataset


def _load_together(request: AnnotatedRequest, reporter: Reporter, part: Part) -> FaceDataset:
    """Read several folders, and say how many frames each has; all errors are told at once."""
    datasets, errors = [], []
    for folder in request.data:
        try:
            datasets.append(_load(request, folder, part))
        except AnnotationError as error:
            errors.append(str(error))
            continue
        note_problems(datasets[-1], reporter, f"{folder}: ")
    if errors:
        raise AnnotationError("; ".join(errors))
    together = join_folders(request.data, datasets)
    pairs = zip(request.data, datasets, strict=True)
    reporter.note(f"frames: {', '.join(f'{len(each):,} in {folder}' for folder, each in pairs)}")
    return together


def _load(request: AnnotatedRequest, root: Path | None, part: Part) -> FaceDataset:
    return load_dataset(
        root,
        images=request.images,
        annotations=request.annotations,
        part=part,
        on_error=request.on_error,
        form=chosen_format(request.form),
    )


def load_truth(
    request: DetectRequest | EvaluateRequest, path: Path, reporter: Reporter
) -> tuple[FaceDataset | AnnotationFile, list[Path]]:
    """Read the true faces: a folder of frames, or a file, with its images if its boxes need them.

    Returns:
        What was read, and the annotation files that hold a detector's suggestions.

    Raises:
        InputError: if they cannot be read.
    """
    source = datasets.load_truth(path, request.on_error, chosen_format(request.form))
    return source, note_problems(source, reporter, f"{path}: ")


def note_problems(
    source: FaceDataset | AnnotationFile, reporter: Reporter, what: str = ""
) -> list[Path]:
    """Report what was wrong but can be tolerated, and if there is less than one expects.

    Args:
        source: what was read.
        reporter: is told.
        what: what it is, where that needs to be said.

    Returns:
        The annotation files that hold a detector's suggestions (see ``_find_suggestions``).
    """
    if suggestions := _find_suggestions(source):
        reporter.note(describe_suggestions(suggestions))
    if source.problems:
        reporter.note(what + describe_problems(source.problems))
    warnings = [*find_warnings(source)] if isinstance(source, AnnotationFile) else source.warnings
    if warnings:
        more = f" (and {_more_files(len(warnings) - 1)} like it)" if len(warnings) > 1 else ""
        reporter.note(f"warning: {warnings[0]}{more}")
    return suggestions


def _find_suggestions(source: FaceDataset | AnnotationFile) -> list[Path]:
    """Return the annotation files that hold a detector's suggestions, byte for byte.

    Their manifests tell, also in a copy of their folder.
    """
    paths = source.annotations if isinstance(source, FaceDataset) else (source.path,)
    return [path for path in paths if _is_suggested(path)]


def _is_suggested(path: Path) -> bool:
    """Return whether a file holds suggestions, or the first files of a folder with one an image."""
    files = [path] if path.is_file() else sorted(path.rglob("*.json"))[:_LOOKED_AT]
    steps = map(find_writer, files)
    return bool(files) and all(step and _suggests(step, path) for step in steps)


def describe_suggestions(paths: Sequence[Path]) -> str:
    """Return a warning of the files, of which there is at least one."""
    others = len(paths) - 1
    files = f"{paths[0]} and {_more_files(others)} hold" if others else f"{paths[0]} holds"
    return (
        f"warning: {files} what a detector suggested, and nobody has corrected it: figures on it "
        "tell how alike detectors are, not how right they are, and training on it teaches their "
        "mistakes; correct the boxes first"
    )


def spread(dataset: FaceDataset, limit: int) -> FaceDataset:
    """Return the frames, or ``limit`` of them at equal distances."""
    count = len(dataset)
    if count <= limit:
        return dataset
    return replace(dataset, frames=tuple(dataset.frames[i * count // limit] for i in range(limit)))


def _more_files(count: int) -> str:
    return "1 more file" if count == 1 else f"{count} more files"


def _suggests(step: Step, path: Path) -> bool:
    """Return whether what a step wrote to a path are detections, in the guise of annotations."""
    if step.name == "convert":  # of detections; a file of annotations may be given any name
        out = Path(str(step.settings.get("out")))
        return path.name.endswith(SUGGESTED) and out.name != path.name
    return step.name in ("frames", "detect")
