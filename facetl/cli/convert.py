"""``facetl convert``: annotated frames, or detections, in another format."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.annotated import chosen_format, note_problems
from facetl.cli.console import note
from facetl.cli.exports import EXPORT_NAMES, save_exports
from facetl.errors import InputError, OutputError
from facetl.files import refuse_to_overwrite, require_writable

if TYPE_CHECKING:
    from facetl.data.annotations import OnError
    from facetl.data.dataset import Difficult, FaceDataset
    from facetl.data.formats.conversion import Placing
    from facetl.data.frame import Frame
    from facetl.data.sources import Format, Part, Source

DATASETS = ("coco", "yolo", "voc", "course")
FORMATS = {**{name: name for name in DATASETS}, "cvat": "coco"}
"""The format of annotated frames by what they are for: CVAT reads COCO."""
WITHOUT_IGNORED = ("course", "label-studio", "yolo")
"""Formats of annotated frames that cannot say that a region is to be ignored."""
FILE_SUFFIXES = (".csv", ".json", ".txt", ".xml", ".yaml", ".yml")
FOR_FRAMES = (*FORMATS, "label-studio")
TARGETS = (*DATASETS, *(name for name in EXPORT_NAMES if name not in DATASETS))


@click.command(short_help="Write annotations or detections in another format.")
@click.argument("source", metavar="IN", type=options.READ, callback=options.expecting("annotated"))
@click.argument("out", metavar="OUT", type=options.WRITE)
@click.option(
    "--to", "target", required=True, type=click.Choice(TARGETS), help="The format to write."
)
@click.option(
    "--images",
    type=options.READ,
    metavar="FOLDER",
    help="The frames, if IN is their annotation file and they are not beside it.",
)
@options.annotation_format
@click.option(
    "--part",
    type=click.Choice(["all", "train", "val", "test"]),
    default="all",
    help="Which part of an IN that has several.",
)
@click.option(
    "--with-images",
    "placing",
    type=click.Choice(["copy", "link", "none"]),
    default="copy",
    help="Copy the frames into OUT, link to them, or write annotations alone.",
)
@click.option(
    "--difficult",
    type=click.Choice(["ignore", "face"]),
    default="ignore",
    help="Whether what Pascal VOC marks difficult is to be ignored or is a face like any other.",
)
@options.score
@options.on_error
@click.option("--force", is_flag=True, help="Overwrite what is at OUT.")
def convert(
    source: Path,
    out: Path,
    target: str,
    images: Path | None,
    form: str,
    part: str,
    placing: Placing,
    difficult: Difficult,
    score: float | None,
    on_error: OnError,
    force: bool,
) -> None:
    """Write the annotated frames in IN, or the detections in IN, to OUT in another format.

    Annotated frames, in any format that facetl reads, become a data set in COCO, YOLO, Pascal
    VOC or the course's text: a folder with annotations and frames, or one file of annotations
    where OUT ends in .json (COCO) or .txt (the course's).  Labels become classes; a face
    without one is of the class "face".  Regions to be ignored stay so in COCO (iscrowd) and
    VOC (difficult); the other formats cannot hold them.

    Detections, as facetl detect writes them, become COCO results, YOLO text, CSV or the
    course's three arrays: boxes of at least the score that the run is shown from, or --score.
    Average precision needs all boxes: --score 0.

    Both become pre-annotations, to be corrected in CVAT or Label Studio.

    \b
    Examples:
      facetl convert cartoons yolo-cartoons --to yolo
      facetl convert frames for-cvat --to cvat
      facetl convert faces.txt faces.json --images frames --to coco
      facetl convert results/cartoon.detections.json corrections --to cvat
    """
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; check the path")
    refuse_to_overwrite(out, force=force)
    require_writable(out.parent)
    if runs := _find_runs(source):
        _convert_runs(runs, out, target, score)
        return
    options.refuse_idle(
        f"is for detections, and {source} holds annotations; leave it out", score="--score"
    )
    if target not in FOR_FRAMES:
        raise click.UsageError(
            f"--to {target} is for detections, and {source} holds annotations; "
            f"choose from {', '.join(FOR_FRAMES)}"
        )
    alone = _is_single(out, target)
    if not alone:
        _refuse_file_name(out, target)
    sources = _find_parts(source, images, chosen_format(form), part)
    if placing != "none" and not alone:
        _refuse_inside(out, sources)
    copies = placing == "copy" and not alone
    datasets = _leave_out(_load_parts(sources, on_error, difficult), sources, copies=copies)
    _convert_frames(datasets, out, target, placing)


def _is_single(out: Path, target: str) -> bool:
    """Return whether OUT means one file of annotations, not a folder."""
    from facetl.data.formats.conversion import SINGLE_FILES

    form = SINGLE_FILES.get(out.suffix.lower())
    return form is not None and form == FORMATS.get(target) and not out.is_dir()


def _refuse_file_name(out: Path, target: str) -> None:
    """Refuse to make a folder that is called like a file."""
    if out.suffix.lower() in FILE_SUFFIXES and not out.is_dir():
        raise click.UsageError(
            f"--to {target} does not write such a file as {out} is called; name a folder"
        )


def _find_runs(source: Path) -> list[Path]:
    """Return the detections files that are meant, none if these are annotations."""
    from facetl.results.store import SUFFIXES, find_runs

    if source.name.endswith(SUFFIXES):
        return [source]
    return find_runs(source) if source.is_dir() else []


def _convert_runs(paths: list[Path], out: Path, target: str, score: float | None) -> None:
    """Write detections; runs are called after their files."""
    from facetl.results.store import load_run, name_of

    if target not in EXPORT_NAMES:
        raise click.UsageError(
            f"--to {target} is for annotations, and {paths[0]} holds detections; "
            f"choose from {', '.join(EXPORT_NAMES)}"
        )
    options.refuse_idle(
        f"is for annotations, and {paths[0]} holds detections; leave it out",
        images="--images",
        form="--format",
        part="--part",
        placing="--with-images",
        difficult="--difficult",
        on_error="--on-error",
    )
    _refuse_file_name(out, target)
    runs = [replace(load_run(path), name=name_of(path)) for path in paths]
    save_exports(out, runs, [target], score)


def _find_parts(
    source: Path, images: Path | None, form: Format | None, part: str
) -> dict[Part, list[Source]]:
    """Return where the parts lie that are wanted."""
    from facetl.data.layouts import PARTS, find_parts

    chosen = PARTS if part == "all" else [each for each in PARTS if each == part]
    found = find_parts(source, images=images, form=form, wanted=chosen)
    wanted = {each: sources for each, sources in found.items() if part in ("all", each)}
    if not wanted:
        raise InputError(f"{source} holds {', '.join(found)} but no {part}; choose another --part")
    return wanted


def _refuse_inside(out: Path, parts: Mapping[Part, list[Source]]) -> None:
    """Raise if the frames written would be found among the frames read from then on."""
    for sources in parts.values():
        for source in sources:
            if source.images.resolve() in out.resolve().parents:
                raise OutputError(
                    f"{out} lies among the frames in {source.images}; choose another OUT, or "
                    "--with-images none"
                )


def _load_parts(
    parts: Mapping[Part, list[Source]], on_error: OnError, difficult: Difficult
) -> dict[Part, FaceDataset]:
    """Read all parts; say on stderr what could be borne."""
    from facetl.data.dataset import load_sources

    datasets = {each: load_sources(sources, on_error, difficult) for each, sources in parts.items()}
    for dataset in datasets.values():
        note_problems(dataset)
    return datasets


def _leave_out(
    parts: dict[Part, FaceDataset], sources: Mapping[Part, list[Source]], *, copies: bool
) -> dict[Part, FaceDataset]:
    """Return the frames that can be written; say how many are left out, and why.

    Raises:
        InputError: if none is left.
    """
    from facetl.data.formats.conversion import is_nameable

    every = [frame for dataset in parts.values() for frame in dataset]
    odd = [frame.name for frame in every if not is_nameable(frame)]
    strays = _find_strays(parts, sources) if copies else []
    outside = [frame.name for frame in strays]
    _tell_left_out(odd, "whose names no annotation file can hold; rename them")
    why = "links lead out of their folder; copy the images there, or --with-images link"
    _tell_left_out(outside, why)
    if every and {*odd, *outside} >= {frame.name for frame in every}:
        raise InputError(f"none of the {len(every)} frames can be written; see above")
    fit = {*every} - {*strays}
    return {
        part: replace(
            dataset,
            frames=tuple(each for each in dataset if is_nameable(each) and each in fit),
        )
        for part, dataset in parts.items()
    }


def _find_strays(
    parts: Mapping[Part, FaceDataset], sources: Mapping[Part, list[Source]]
) -> list[Frame]:
    """Return the frames whose images lie outside the folders they were found in."""
    from facetl.data.formats.conversion import lies_in

    roots = {part: {os.path.realpath(source.images) for source in sources[part]} for part in parts}
    return [
        frame
        for part, dataset in parts.items()
        for frame in dataset
        if not lies_in(frame, roots[part])
    ]


def _tell_left_out(names: Sequence[str], why: str) -> None:
    if names:
        note(f"frames left out: {len(names)}, such as {names[0]}: {why}")


def _convert_frames(
    parts: dict[Part, FaceDataset], out: Path, target: str, placing: Placing
) -> None:
    """Write a data set; say how much it holds and what a format cannot say."""
    from facetl.data.formats.conversion import save_dataset, save_single, save_tasks
    from facetl.data.sources import Format

    frames = {each: dataset.frames for each, dataset in parts.items()}
    alone = _is_single(out, target)
    if target == "label-studio":
        save_tasks(out, frames, placing)
    elif alone:
        every = [frame for dataset in parts.values() for frame in dataset]
        _refuse_twins([frame.name for frame in every], out)
        save_single(out, Format(FORMATS[target]), every)
    else:
        save_dataset(out, Format(FORMATS[target]), frames, placing)
    if target == "course" and (alone or placing == "none"):
        _note_faceless(parts)
    if target in WITHOUT_IGNORED:
        _note_ignored(parts)
    if alone and len(parts) > 1:
        note(f"parts, which one file cannot tell apart: {', '.join(parts)}")
    for part, dataset in parts.items():
        title = f"{part}: " if len(parts) > 1 else ""
        click.echo(f"{title}{len(dataset)} frames, {dataset.face_count} faces")
    click.echo(f"wrote {out}")


def _refuse_twins(names: list[str], out: Path) -> None:
    twin = next((name for name, count in Counter(names).items() if count > 1), None)
    if twin:
        raise OutputError(
            f"{out} cannot hold two frames called {twin}; convert one --part, or into a folder"
        )


def _note_ignored(parts: dict[Part, FaceDataset]) -> None:
    count = sum(dataset.ignored_count for dataset in parts.values())
    if count:
        note(f"regions to be ignored, which this format cannot hold, so they are lost: {count}")


def _note_faceless(parts: dict[Part, FaceDataset]) -> None:
    count = sum(not len(frame.boxes) for dataset in parts.values() for frame in dataset)
    if count:
        note(f"frames without faces, which this format cannot name: {count}")
