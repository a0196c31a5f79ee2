"""``facetl convert``: annotated frames, or detections, in another format."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from facetl.commands.annotated import chosen_format, note_problems
from facetl.commands.requests import ConvertRequest as ConvertRequest
from facetl.data.dataset import FaceDataset, load_sources
from facetl.data.discovery import find_parts
from facetl.data.formats.base import Source
from facetl.data.formats.conversion import is_nameable, save_dataset, save_single
from facetl.data.formats.table import load_format, writable
from facetl.data.frame import PARTS, Frame, Part
from facetl.errors import InputError, OutputError, UsageError
from facetl.files import refuse_to_overwrite, require_writable
from facetl.reporting import SILENT, Reporter
from facetl.results.export_table import EXPORTS
from facetl.results.exports import save_exports
from facetl.results.store import SUFFIXES, find_runs, load_run, name_of
from facetl.settings import option_of

_FILE_SUFFIXES = (".csv", ".json", ".txt", ".xml", ".yaml", ".yml")
_FOR_ANNOTATIONS = ("images", "form", "part", "placing", "difficult", "on_error")
"""Fields of a request that say nothing about detections."""

Parts = Mapping[Part, FaceDataset]
Sources = Mapping[Part, Sequence[Source]]


@dataclass(frozen=True)
class ConvertResult:
    """What was written.

    Attributes:
        written: the data set, or the files or folders of each run.
        counts: frames and faces of each part of a data set.
    """

    written: Sequence[Sequence[Path]]
    counts: Mapping[Part, tuple[int, int]] = field(default_factory=dict)


def convert(request: ConvertRequest, reporter: Reporter = SILENT) -> ConvertResult:
    """Write annotated frames or detections in another format.

    Raises:
        InputError: if the source cannot be read, or nothing of it can be written.
        UsageError: if the format or a setting does not fit what the source holds.
        OutputError: if the place cannot be written, or a frame would be overwritten.
    """
    if not request.source.exists():
        raise InputError(f"{request.source}: no such file or folder; check the path")
    refuse_to_overwrite(request.out, force=request.force)
    require_writable(request.out.parent)
    if runs := _runs_in(request.source):
        return _convert_runs(runs, request, reporter)
    return _convert_frames(request, reporter)


def _runs_in(source: Path) -> list[Path]:
    """Return the detections files that are meant, none if these are annotations."""
    if source.name.endswith(SUFFIXES):
        return [source]
    return find_runs(source) if source.is_dir() else []


def _convert_runs(
    paths: Sequence[Path], request: ConvertRequest, reporter: Reporter
) -> ConvertResult:
    """Write detections; runs are named after their files."""
    _refuse_target(request, EXPORTS, f"for annotations, and {paths[0]} holds detections")
    for each in fields(request):
        if each.name in _FOR_ANNOTATIONS and getattr(request, each.name) != each.default:
            raise UsageError(
                f"{option_of(request, each.name)} is for annotations, and {paths[0]} holds "
                "detections; leave it out"
            )
    _refuse_file_name(request)
    runs = [replace(load_run(path), name=name_of(path)) for path in paths]
    return ConvertResult(save_exports(request.out, runs, [request.target], request.score, reporter))


def _convert_frames(request: ConvertRequest, reporter: Reporter) -> ConvertResult:
    if request.score is not None:
        raise UsageError(
            f"--score is for detections, and {request.source} holds annotations; leave it out"
        )
    _refuse_target(request, writable(), f"for detections, and {request.source} holds annotations")
    alone = _is_single(request)
    if not alone:
        _refuse_file_name(request)
    sources = _find_parts(request)
    if request.placing != "none" and not alone:
        _refuse_inside(request.out, sources)
    found = {
        each: load_sources(of_part, request.on_error, request.difficult)
        for each, of_part in sources.items()
    }
    for dataset in found.values():
        note_problems(dataset, reporter)
    copied_from = sources if request.placing == "copy" and not alone else {}
    parts = _leave_out(found, copied_from, reporter)
    _save(parts, request)
    _note_losses(parts, request, reporter)
    counts = {part: (len(dataset), dataset.face_count) for part, dataset in parts.items()}
    return ConvertResult([[request.out]], counts)


def _refuse_target(request: ConvertRequest, names: Collection[str], why: str) -> None:
    if request.target not in names:
        raise UsageError(f"--to {request.target} is {why}; choose from {', '.join(names)}")


def _refuse_file_name(request: ConvertRequest) -> None:
    """Refuse to make a folder that is named like a file."""
    if request.out.suffix.lower() in _FILE_SUFFIXES and not request.out.is_dir():
        raise UsageError(
            f"--to {request.target} does not write a file named like {request.out}; name a folder"
        )


def _is_single(request: ConvertRequest) -> bool:
    """Return whether ``out`` means one file of annotations, not a folder."""
    suffix = load_format(request.target).single_suffix
    return bool(suffix) and request.out.suffix.lower() == suffix and not request.out.is_dir()


def _find_parts(request: ConvertRequest) -> Sources:
    """Return where the requested parts are."""
    wanted = [each for each in PARTS if request.part in ("all", each)]
    found = find_parts(
        request.source, images=request.images, form=chosen_format(request.form), wanted=wanted
    )
    chosen = {each: sources for each, sources in found.items() if each in wanted}
    if not chosen:
        raise InputError(
            f"{request.source} holds {', '.join(found)} but no {request.part}; choose another "
            "--part"
        )
    return chosen


def _refuse_inside(out: Path, parts: Sources) -> None:
    """Raise if the frames written would be found among the frames read from then on."""
    for sources in parts.values():
        for source in sources:
            if source.images.resolve() in out.resolve().parents:
                raise OutputError(
                    f"{out} lies among the frames in {source.images}; choose another OUT, or "
                    "--with-images none"
                )


def _leave_out(parts: Parts, copied_from: Sources, reporter: Reporter) -> Parts:
    """Return the frames that can be written; report how many are left out, and why."""
    every = [frame for dataset in parts.values() for frame in dataset]
    odd = [frame for frame in every if not is_nameable(frame)]
    strays = _find_strays(parts, copied_from)
    _note_left_out(odd, "whose names no annotation file can hold; rename them", reporter)
    why = "links lead out of their folder; copy the images there, or --with-images link"
    _note_left_out(strays, why, reporter)
    lost = {*odd, *strays}
    if every and {frame.name for frame in lost} >= {frame.name for frame in every}:
        raise InputError(f"none of the {len(every)} frames can be written; see above")
    return {
        part: replace(dataset, frames=tuple(frame for frame in dataset if frame not in lost))
        for part, dataset in parts.items()
    }


def _note_left_out(frames: Sequence[Frame], why: str, reporter: Reporter) -> None:
    if frames:
        reporter.note(f"frames left out: {len(frames)}, such as {frames[0].name}: {why}")


def _find_strays(parts: Parts, sources: Sources) -> list[Frame]:
    """Return the frames whose images are outside the folders they were found in."""
    strays = []
    for part, found in sources.items():
        roots = {os.path.realpath(source.images) for source in found}
        for frame in parts[part]:
            place = Path(os.path.realpath(frame.path))  # wherever links lead
            if not any(place.is_relative_to(root) for root in roots):
                strays.append(frame)
    return strays


def _save(parts: Parts, request: ConvertRequest) -> None:
    if not _is_single(request):
        frames = {each: dataset.frames for each, dataset in parts.items()}
        save_dataset(request.out, request.target, frames, request.placing)
        return
    every = [frame for dataset in parts.values() for frame in dataset]
    counts = Counter(frame.name for frame in every)
    if twin := next((name for name, count in counts.items() if count > 1), None):
        raise OutputError(
            f"{request.out} cannot hold two frames named {twin}; convert one --part, or into a "
            "folder"
        )
    save_single(request.out, request.target, every)


def _note_losses(parts: Parts, request: ConvertRequest, reporter: Reporter) -> None:
    """Report what the format could not hold."""
    form, alone = load_format(request.target), _is_single(request)
    datasets = parts.values()
    faceless = sum(not len(frame.boxes) for dataset in datasets for frame in dataset)
    if faceless and not form.names_all_images and (alone or request.placing == "none"):
        reporter.note(f"frames without faces, which this format cannot name: {faceless}")
    ignored = sum(dataset.ignored_count for dataset in datasets)
    if ignored and not form.keeps_ignored:
        reporter.note(
            f"regions to be ignored, which this format cannot hold, so they are lost: {ignored}"
        )
    if alone and len(parts) > 1:
        reporter.note(f"parts, which one file cannot tell apart: {', '.join(parts)}")
