"""What is in data sets: a summary of each folder and part, tables and one picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from facetl.commands.annotated import chosen_format, note_problems
from facetl.commands.optional_pictures import OptionalPictures
from facetl.commands.requests import StatsRequest as StatsRequest
from facetl.data.dataset import FaceDataset, load_dataset, load_sources
from facetl.data.discovery import find_parts
from facetl.data.joining import name_folders, require_apart
from facetl.data.near_duplicates import stack_thumbnails
from facetl.data.summary import (
    FrameLook,
    Summary,
    count_seen_before,
    face_aspects,
    face_sizes,
    look_at,
    similar_labels,
    summarise,
)
from facetl.errors import OutputError
from facetl.files import refuse_to_overwrite, require_writable, write_text
from facetl.reporting import SILENT, Reporter, plural
from facetl.search.parallel import in_parallel
from facetl.search.settings import Settings

if TYPE_CHECKING:
    from facetl.evaluation.report.figures import Figure

FIGURES, FRAMES, FACES, PICTURE = "stats.json", "frames.csv", "faces.csv", "stats.png"


@dataclass(frozen=True, eq=False)
class _Group:
    """The frames of a folder, or of a part of one, and what their pixels show."""

    name: str
    dataset: FaceDataset
    looks: Sequence[FrameLook | None] = ()

    def summarise(self) -> Summary:
        return summarise(self.name, self.dataset.frames, self.looks, Settings.min_face)


@dataclass(frozen=True)
class StatsResult:
    """What is in the data sets.

    Attributes:
        groups: a summary of each folder, or of each of its parts if it has several.
        together: a summary of all frames.
        warnings: what should be looked at, a line each.
    """

    groups: Sequence[Summary]
    together: Summary
    warnings: Sequence[str]


def stats(request: StatsRequest, reporter: Reporter = SILENT) -> StatsResult:
    """Summarise data sets; write figures, tables and a picture if a place for them is given.

    Raises:
        InputError: if there are no frames.
        AnnotationError: under ``strict``, if annotations are wrong.
        OutputError: if the place is taken, cannot be written, or lies among the frames.
    """
    if request.out:
        refuse_to_overwrite(request.out, force=request.force)
        require_writable(request.out)
    groups = _load(request, reporter)
    if request.out:
        _refuse_inside(request.out, groups)
    groups = _look_at_all(groups, request.workers, reporter)
    summaries = [group.summarise() for group in groups]
    together = _join(groups).summarise() if len(groups) > 1 else summaries[0]
    result = StatsResult(summaries, together, [*_find_warnings(groups, summaries)])
    if request.out:
        _save(request.out, result, groups, reporter)
    for warning in result.warnings:
        reporter.note(f"warning: {warning}")
    return result


def _load(request: StatsRequest, reporter: Reporter) -> list[_Group]:
    """Return the parts of each folder, named so that each can be told from the others."""
    folders = request.data or (None,)
    places = [folder or request.images or Path() for folder in folders]
    names = name_folders(places)
    loaded = [
        [*_load_parts(request, folder, name)] for folder, name in zip(folders, names, strict=True)
    ]
    require_apart(places, [_join(groups).dataset for groups in loaded])
    groups = [*chain.from_iterable(loaded)]
    for group in groups:
        note_problems(group.dataset, reporter, f"{group.name}: ")
    return groups


def _load_parts(request: StatsRequest, folder: Path | None, name: str) -> Iterator[_Group]:
    images, form = request.images, chosen_format(request.form)
    if request.annotations:
        load = partial(load_dataset, folder, images=images, annotations=request.annotations)
        yield _Group(name, load(on_error=request.on_error, form=form))
        return
    parts = find_parts(folder, images=images, form=form)
    for part, sources in parts.items():
        called = name if len(parts) == 1 else f"{name}/{part}"
        yield _Group(called, load_sources(sources, request.on_error))


def _refuse_inside(out: Path, groups: Sequence[_Group]) -> None:
    """Raise if the picture would be found among the frames from then on."""
    folders = {frame.path.parent.resolve() for group in groups for frame in group.dataset}
    for place in (out.resolve(), *out.resolve().parents):
        if place in folders:
            raise OutputError(f"{out} lies among the frames in {place}; choose another --out")


def _look_at_all(groups: Sequence[_Group], workers: int, reporter: Reporter) -> list[_Group]:
    """Read the pixels of all frames once, side by side."""
    frames = [frame for group in groups for frame in group.dataset]
    looks = iter([*reporter.track(in_parallel(look_at, frames, workers), "reading", len(frames))])
    return [
        _Group(group.name, group.dataset, [next(looks) for _ in group.dataset]) for group in groups
    ]


def _join(groups: Sequence[_Group]) -> _Group:
    frames = tuple(frame for group in groups for frame in group.dataset)
    looks = [look for group in groups for look in group.looks]
    return _Group("all", FaceDataset(frames), looks)


def _find_warnings(groups: Sequence[_Group], summaries: Sequence[Summary]) -> Iterator[str]:
    """Yield a line for each thing that should be looked at."""
    for summary in summaries:
        if summary.unreadable:
            yield f"{summary.name}: {plural(summary.unreadable, 'frame')} cannot be read"
        for oddity in summary.oddities:
            yield f"{summary.name}: {oddity.what}: {oddity.count:,}, first in {oddity.first}"
    yield from _find_similar_labels(summaries)
    for place, group in enumerate(groups):
        for earlier in groups[:place]:
            yield from _find_repeated(group, earlier)


def _find_similar_labels(summaries: Sequence[Summary]) -> Iterator[str]:
    counts: dict[str | None, int] = {}
    for label, faces in chain.from_iterable(summary.labels.items() for summary in summaries):
        counts[label] = counts.get(label, 0) + faces
    if groups := similar_labels(counts):
        told = "; ".join(
            ", ".join(f"{label!r} ({counts[label]:,})" for label in group) for group in groups
        )
        yield f"labels that differ only in case or spaces: {told}; make them one"


def _find_repeated(group: _Group, earlier: _Group) -> Iterator[str]:
    known = stack_thumbnails(look.thumbnail for look in earlier.looks if look)
    if count := count_seen_before(group.looks, known):
        yield (
            f"{group.name}: {count:,} of {len(group.dataset):,} frames are near-duplicates of "
            f"frames in {earlier.name}; figures on them tell what is remembered, not what is learnt"
        )


def _save(out: Path, result: StatsResult, groups: Sequence[_Group], reporter: Reporter) -> None:
    """Write figures and tables, and the picture if it can be drawn."""
    document = {
        "groups": [summary.to_json() for summary in result.groups],
        "together": result.together.to_json(),
        "warnings": list(result.warnings),
    }
    write_text(out / FIGURES, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    write_text(out / FRAMES, _as_csv(_frame_rows(groups, result.groups)))
    write_text(out / FACES, _as_csv(_face_rows(groups)))
    pictures = OptionalPictures()
    pictures.save_figure(out / PICTURE, partial(_draw, result))
    pictures.note_missing(reporter)


def _draw(result: StatsResult) -> Figure:
    from facetl.evaluation.report.summary_plots import plot_summaries

    return plot_summaries(result.groups, result.together)


def _frame_rows(
    groups: Sequence[_Group], summaries: Sequence[Summary]
) -> Iterator[tuple[object, ...]]:
    """Yield a row for each frame; near-duplicates in a group have the same number, ``alike``."""
    yield "group", "frame", "width", "height", "faces", "ignored", "alike"
    for group, summary in zip(groups, summaries, strict=True):
        numbers = iter(summary.alike.tolist())
        for frame, look in zip(group.dataset, group.looks, strict=True):
            height, width = frame.size_hw
            counts = (len(frame.boxes), len(frame.ignored))
            yield group.name, frame.name, width, height, *counts, next(numbers) if look else ""


def _face_rows(groups: Sequence[_Group]) -> Iterator[tuple[object, ...]]:
    yield "group", "frame", "x1", "y1", "x2", "y2", "label", "size", "aspect"
    for group in groups:
        for frame in group.dataset:
            sizes, aspects = face_sizes(frame.boxes), face_aspects(frame.boxes)
            for box, label, size, aspect in zip(
                frame.boxes, frame.labels, sizes, aspects, strict=True
            ):
                shape = (f"{size:.2f}", f"{aspect:.3f}")
                yield group.name, frame.name, *(f"{edge:g}" for edge in box), label or "", *shape


def _as_csv(rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
