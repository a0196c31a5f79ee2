"""``facetl detect``: one or several sets of weights over the same images and videos."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.console import suggest
from facetl.cli.ending import ConsoleReporter
from facetl.cli.exports import exports_option, print_exports
from facetl.cli.searching import parse_weights

if TYPE_CHECKING:
    from facetl.commands.detect import DetectResult

RAY = "ray"


def crop_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of cutting faces out."""
    for option in (
        click.option(
            "--align",
            is_flag=True,
            help="Rotate crops so that the eyes, according to the landmarks, are level.",
        ),
        click.option(
            "--margin",
            type=options.SHARE,
            default=0.2,
            help="Margin of crops around the box, as a fraction of its width and height.",
        ),
        click.option(
            "--crops",
            is_flag=True,
            help="Cut out the faces, one file each, with a contact sheet; of videos up to three "
            "per track, those with the best scores, at least half a second apart.",
        ),
    ):
        command = option(command)
    return command


def fleet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that --engine ray has of its own."""
    for option in (
        click.option(
            "--shard-size",
            type=click.IntRange(min=1),
            default=256,
            help="With --engine ray: images per Parquet shard; each video has its own.",
        ),
        click.option(
            "--address",
            metavar="HOST:PORT",
            help="With --engine ray: a running cluster, or auto; otherwise Ray is started on this "
            "machine.",
        ),
    ):
        command = option(command)
    return command


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
    "repeatable, to compare.",
)
@click.option(
    "--out",
    type=options.WRITE,
    callback=_place_beside,
    metavar="FOLDER",
    show_default="INPUT.faces, beside the input",
    help="Folder for the detections, one NAME.detections.json per set of weights.",
)
@options.thresholds
@options.min_face
@options.factor
@options.score
@click.option(
    "--padding/--no-padding",
    default=None,
    show_default="that of the weights",
    help="Let windows extend beyond the image: black outside it, instead of stretching the "
    "visible rest.",
)
@click.option(
    "--voting/--no-voting",
    default=None,
    show_default="that of the weights",
    help="Let all boxes around a face vote on its position.",
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=4, help="Images searched together."
)
@options.workers
@click.option("--overlays", is_flag=True, help="Draw the boxes, one overlay per image.")
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
    help="For videos: search every n-th frame, e.g. 10, or one frame per time interval, e.g. 0.5s.",
)
@click.option(
    "--video",
    is_flag=True,
    help="Write a copy of each video with boxes, scores and tracks drawn on it.",
)
@click.option(
    "--skip-still",
    is_flag=True,
    help="For videos: skip frames that show the same picture as the one before, and reuse its "
    "boxes.",
)
@click.option(
    "--stream",
    is_flag=True,
    help="Write JSON lines, NAME.detections.jsonl, picture by picture; an interrupted search can "
    "be resumed with --resume.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Resume an unfinished search of --stream or --engine ray.",
)
@click.option("--strict", is_flag=True, help="Exit with code 1 if anything cannot be read.")
@options.annotation_format
@exports_option
@options.device
@click.option(
    "--engine",
    type=click.Choice([*options.ENGINES, RAY]),
    default="auto",
    help=f"{options.ENGINE_HELP} Or ray: the same search in shards, on one or many machines (see "
    "docs/many-machines.md).",
)
@fleet_options
@options.on_error
@options.force
def detect(**given: Any) -> None:
    """Find the faces in IMAGES: files, folders (searched recursively), or videos.

    Writes a detections file per set of weights: boxes, scores and five landmarks for each
    image, how many candidates remained after each stage, and the time in seconds.  Settings that
    are not given are those that facetl train or tune stored in the weights.

    The file keeps all boxes.  Only boxes from a minimum score on are counted, drawn, cut out and
    exported: the score stored in the weights, or --score; 0 includes all.

    For frames of a video the file also contains the time, and for each box the number of its
    track; a cut ends all tracks.  A video of any length takes the same memory.

    \b
    Examples:
      facetl detect episode.mp4
      facetl detect frames --out results --overlays
      facetl detect frames --out results --crops --margin 0.3 --align
      facetl detect frames --weights pretrained --weights tuned=cascade.safetensors --out results
      facetl detect episode.mp4 --every 0.5s --video --out results
      facetl detect archive --stream --crops --out results --resume
      facetl detect archive --engine ray --out results
    """
    from facetl.commands import detect as command

    _refuse_idle(given)
    strict, weights = given.pop("strict"), dict(given.pop("weights"))
    if not options.is_given("workers"):
        given["workers"] = None
    request = command.DetectRequest(weights=weights, **given)
    result = command.detect(request, ConsoleReporter())
    _print_result(result)
    if result.are_videos:
        suggest(
            "frames", *request.images, "--out", "frames", why="the frames most worth annotating"
        )
    else:
        suggest("evaluate", request.out, "--truth", request.truth or "FILE_OR_FOLDER")
    if strict and not result.is_whole:
        raise SystemExit(1)


def _refuse_idle(given: dict[str, Any]) -> None:
    """Refuse options that would have no effect."""
    if not given["crops"] and (given["align"] or options.is_given("margin")):
        raise click.UsageError("--margin and --align say how to cut faces out; add --crops")
    if given["engine"] != RAY:
        for name in ("address", "shard_size"):
            if options.is_given(name):
                flag = f"--{name.replace('_', '-')}"
                raise click.UsageError(f"{flag} is for --engine ray; add that or leave it out")
    if not given["truth"]:
        why = "says how --truth is read; add --truth, or leave it out"
        options.refuse_idle(why, form="--format", on_error="--on-error")


def _print_result(result: DetectResult) -> None:
    for line in result.describe():
        click.echo(line)
    click.echo(f"wrote {' and '.join(map(str, result.written))}")
    print_exports(result.exported)
