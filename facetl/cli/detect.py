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
            help="Turn crops so that the eyes, as landmarks say, are level.",
        ),
        click.option(
            "--margin",
            type=options.SHARE,
            default=0.2,
            help="What crops show around the box, as a share of its width and height.",
        ),
        click.option(
            "--crops",
            is_flag=True,
            help="Cut the faces out, one picture each, and a contact sheet; of videos up to three "
            "of each track, those of the best scores, half a second or more apart.",
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
            help="With --engine ray: images in a Parquet shard; of videos each has one.",
        ),
        click.option(
            "--address",
            metavar="HOST:PORT",
            help="With --engine ray: a cluster that runs already, or auto; without it a Ray is "
            "started on this machine.",
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
    help="Write JSON lines, NAME.detections.jsonl, picture by picture: a search that is broken "
    "off is resumed by --resume.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Resume a search that --stream or --engine ray began and did not end.",
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
def detect(**given: Any) -> None:
    """Find the faces in IMAGES: files, folders that are searched to the bottom, videos.

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
        suggest("frames", *request.images, "--out", "frames", why="what is most worth annotating")
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
