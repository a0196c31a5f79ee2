"""``facetl detect``: one or several sets of weights over the same images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from facetl.cli import options
from facetl.cli.console import suggest
from facetl.cli.crops import CROPS, CropCutter, crop_options, settle_cropping
from facetl.cli.ending import resumable
from facetl.cli.exports import exports_option, save_exports
from facetl.cli.fleet import RAY, FleetSearch, fleet_options, plan_runs, settle_fleet
from facetl.cli.folders import FolderSearch
from facetl.cli.overlays import OVERLAYS, OverlayDrawer, load_faces
from facetl.cli.searching import (
    NamedWeights,
    Searching,
    find_inputs,
    load_detectors,
    parse_weights,
    refuse_other_runs,
    remove_other_runs,
    tell_facts,
)
from facetl.cli.videos import Viewing, search_videos
from facetl.files import note_written, refuse_to_overwrite, require_writable

if TYPE_CHECKING:
    from facetl.data.annotations import OnError
    from facetl.data.video import Sampling
    from facetl.mtcnn.engines import EngineChoice


def _place_beside(
    context: click.Context, parameter: click.Parameter, out: Path | None
) -> Path | None:
    """Return where the detections go: beside what is searched, if nothing else was said."""
    paths = context.params.get("images", ())
    if out is not None or not paths:
        return out
    path: Path = paths[0]
    if len(paths) > 1 or path.name in ("", "..") or not os.access(path.parent, os.W_OK):
        why = f"nothing can be written beside {path}" if len(paths) == 1 else "found several IMAGES"
        raise click.UsageError(f"{why}; say with --out where the detections go")
    return path.with_name(f"{path.name if path.is_dir() else path.stem}.faces")


@click.command(short_help="Find faces with one or several sets of weights.")
@click.argument(
    "images",
    nargs=-1,
    required=True,
    type=options.READ,
    callback=options.expecting("images"),
)
@click.option(
    "--weights",
    multiple=True,
    default=("cartoon",),
    callback=parse_weights,
    type=options.READ_NAME,
    metavar="[NAME=]FILE",
    help="A weights file, 'cartoon' (shipped with facetl) or 'pretrained' (on photographs); "
    "repeat it to compare.",
)
@click.option(
    "--out",
    type=options.WRITE,
    callback=_place_beside,
    metavar="FOLDER",
    show_default="INPUT.faces, beside the input",
    help="Where the detections go, one NAME.detections.json per set of weights.",
)
@options.thresholds
@options.min_face
@options.factor
@options.score
@click.option(
    "--padding/--no-padding",
    default=None,
    show_default="that of the weights",
    help="Let windows leave the image: black beyond its edge, not a stretched remainder.",
)
@click.option(
    "--voting/--no-voting",
    default=None,
    show_default="that of the weights",
    help="Let all boxes around a face vote on where it is.",
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=4, help="Images searched together."
)
@options.workers
@click.option("--overlays", is_flag=True, help="Draw the boxes, one picture per image.")
@click.option(
    "--truth",
    type=options.READ,
    metavar="FILE_OR_FOLDER",
    help="True faces to draw on the overlays as well.",
)
@crop_options
@click.option(
    "--every",
    type=options.Frequency(),
    show_default="every frame",
    help="Of a video: search one frame in so many, like 10, or one in a time, like 0.5s.",
)
@click.option(
    "--video", is_flag=True, help="Write videos anew with boxes, scores and tracks drawn on them."
)
@click.option(
    "--skip-still",
    is_flag=True,
    help="Of a video: don't search frames that show the same as the one before; carry its boxes "
    "over.",
)
@click.option(
    "--stream",
    is_flag=True,
    help="Write JSON lines, NAME.detections.jsonl, image by image: a search that is broken off "
    "goes on with --resume.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with a search that --stream or --engine ray began and did not end.",
)
@click.option("--strict", is_flag=True, help="Exit with code 1 if anything cannot be read.")
@options.annotation_format
@exports_option
@options.device
@click.option(
    "--engine",
    type=click.Choice([*options.ENGINES, RAY]),
    default="auto",
    help=f"{options.ENGINE_HELP} Or ray: the same search by shards, on one or many machines (see "
    "docs/many-machines.md).",
)
@fleet_options
@options.on_error
@options.force
def detect(
    images: tuple[Path, ...],
    weights: tuple[NamedWeights, ...],
    out: Path,
    thresholds: tuple[float, float, float] | None,
    min_face: float | None,
    factor: float | None,
    score: float | None,
    padding: bool | None,
    voting: bool | None,
    batch_size: int,
    workers: int,
    overlays: bool,
    truth: Path | None,
    crops: bool,
    margin: float,
    align: bool,
    every: Sampling | None,
    video: bool,
    skip_still: bool,
    stream: bool,
    resume: bool,
    strict: bool,
    form: str,
    exports: tuple[str, ...],
    device: str,
    engine: str,
    address: str | None,
    shard_size: int,
    on_error: OnError,
    force: bool,
) -> None:
    """Find the faces in IMAGES: files, folders that are searched to the bottom, or videos.

    Writes a detections file per set of weights: boxes, scores and five landmarks for each
    image, how many candidates each stage left, and the seconds it took.  Settings that are not
    given are those that facetl train or tune wrote into the weights.

    The file keeps all boxes.  What is counted, drawn, cut out and exported begins at a score,
    that of the weights unless --score says otherwise: 0 shows all.

    Of a video's frames the file has the time as well, and for each box the number of the face
    that it follows; a cut ends all tracks.  A video of any length takes the same memory.

    \b
    Examples:
      facetl detect episode.mp4
      facetl detect frames --out results --overlays
      facetl detect frames --out results --crops --margin 0.3 --align
      facetl detect frames --weights pretrained --weights tuned=cascade.safetensors --out results
      facetl detect episode.mp4 --every 0.5s --video --out results
      facetl detect archive --stream --out results --resume
      facetl detect archive --engine ray --out results
    """
    from facetl.results.store import LINES_SUFFIX, SHARDS_SUFFIX, SUFFIX

    cropping = settle_cropping(crops, margin, align)
    for_videos = bool(every or video or skip_still)
    found = find_inputs(images, prefer_videos=for_videos)
    named, filmed = found.named, found.are_videos
    _require_kind(
        filmed, for_videos=for_videos, for_images=bool(overlays or truth or crops or stream)
    )
    fleet = settle_fleet(engine, address, workers)
    if fleet:
        _require_shards_alone(pictures=bool(overlays or truth or crops or video), stream=stream)
    else:
        _require_together(stream=stream, resume=resume, crops=crops)
    if not truth:
        why = "says how --truth is read; add --truth, or leave it out"
        options.refuse_idle(why, form="--format", on_error="--on-error")
    if not resume:
        refuse_to_overwrite(out, force=force)
    require_writable(out)
    faces = load_faces(truth, named, on_error, form) if truth else {}
    given = {
        "thresholds": thresholds,
        "min_face": min_face,
        "factor": factor,
        "padding": padding,
        "voting": voting,
        "score": score,
    }
    how = _how(device, engine, batch_size, workers)
    detectors, settings = load_detectors(weights, given, how)
    facts = tell_facts(weights, detectors, how)
    viewing = Viewing.of(every, skip_still, video) if filmed else None
    suffix = SHARDS_SUFFIX if fleet else LINES_SUFFIX if stream else SUFFIX
    written = [out / f"{name}{suffix}" for name in detectors]
    if resume and not force:
        refuse_other_runs(out, written)
    if (fleet or stream) and force and not resume:
        remove_other_runs(out, [])  # which would be gone on with
    if fleet:
        runs = plan_runs(detectors, settings, facts, viewing, out)
        shards = FleetSearch(named, runs, fleet, batch_size, shard_size, viewing)
        whole = shards.run(out, resume=resume)
    elif viewing:
        whole = search_videos(named, detectors, settings, facts, how, viewing, out)
    else:
        drawer = [OverlayDrawer(out / OVERLAYS, faces)] if overlays or truth else []
        cutter = [CropCutter(out / CROPS, named, list(detectors), cropping)] if cropping else []
        search = FolderSearch(named, detectors, settings, facts, how, (*drawer, *cutter))
        whole = _search_folder(search, out, stream=stream, resume=resume, exporting=bool(exports))
    found.note_passed_over()
    remove_other_runs(out, written)
    _export(out, exports)
    if filmed:
        suggest("frames", *images, "--out", "frames", why="what is most worth annotating")
    else:
        suggest("evaluate", out, "--truth", truth or "FILE_OR_FOLDER")
    if strict and not whole:
        raise SystemExit(1)


def _how(device: str, engine: str, batch_size: int, workers: int) -> Searching:
    """Return where and how the work is done; Ray's workers have no GPU unless told so."""
    if engine == RAY:
        return Searching("cpu" if device == "auto" else device, "auto", batch_size, workers)
    return Searching(device, cast("EngineChoice", engine), batch_size, workers)


def _search_folder(
    search: FolderSearch, out: Path, *, stream: bool, resume: bool, exporting: bool
) -> bool:
    """Search images and say what was found; return whether all could be read."""
    if stream:
        with resumable(out, partial(_has_lines, out)):
            search.stream(out, resume=resume, finished=exporting)
            note_written(*(outlet.folder for outlet in search.outlets if resume))
    else:
        search.run(out)
    search.report([out, *(outlet.folder for outlet in search.outlets)])
    return not search.skipped


def _has_lines(out: Path) -> bool:
    from facetl.results.store import LINES_SUFFIX

    return any(out.glob(f"*{LINES_SUFFIX}"))


def _require_together(*, stream: bool, resume: bool, crops: bool) -> None:
    """Refuse options that do not go together."""
    if resume and not stream:
        raise click.UsageError(
            "--resume goes on with what --stream or --engine ray has written; add --stream"
        )
    if stream and crops:
        raise click.UsageError("--crops needs all faces at once; leave out --stream or --crops")


def _require_shards_alone(*, pictures: bool, stream: bool) -> None:
    """Refuse what --engine ray does not do."""
    if pictures:
        raise click.UsageError(
            "--engine ray draws nothing; leave out --overlays, --truth, --crops and --video"
        )
    if stream:
        raise click.UsageError("--engine ray writes shards as they come; leave out --stream")


def _require_kind(filmed: bool, *, for_videos: bool, for_images: bool) -> None:
    """Refuse options that do not go with what is to be searched."""
    if filmed and for_images:
        raise click.UsageError(
            "--overlays, --truth, --crops and --stream are for images; videos have --video"
        )
    if not filmed and for_videos:
        raise click.UsageError("--every, --video and --skip-still are for videos; found none")


def _export(out: Path, kinds: Sequence[str]) -> None:
    from facetl.results.store import find_runs, load_run

    if kinds:
        save_exports(out, [load_run(path) for path in find_runs(out)], kinds)
