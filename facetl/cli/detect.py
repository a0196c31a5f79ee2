"""``facetl detect``: one or several sets of weights over the same images and videos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.console import note, print_written, suggest
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import DetectRequest
from facetl.data.project import find_project, place_beside

if TYPE_CHECKING:
    from facetl.commands.detect import DetectResult


def _place_beside(
    context: click.Context, parameter: click.Parameter, out: Path | None
) -> Path | None:
    """Return where the detections go: beside what is searched, if nothing else was said."""
    paths = context.params.get("images", ())
    if out is not None or not paths:
        return out
    options.require_one_place(paths, "IMAGES", "the detections go")
    project = find_project(paths)
    return project.results if project else place_beside(paths[0])


def _require_unlike_names(
    context: click.Context, parameter: click.Parameter, given: tuple[options.Named, ...]
) -> tuple[options.Named, ...]:
    names = [each.name for each in given]
    if len(set(names)) < len(names):
        raise click.BadParameter(f"found a name twice in {names}; write NAME=FILE")
    return given


@options.command(
    DetectRequest,
    "Find faces with one or several sets of weights.",
    "images out weights names overlays video crops blur mask every score preset force | ...",
    parse={"weights": options.parse_weights},
    callbacks={"weights": _require_unlike_names, "out": _place_beside},
)
def detect(request: DetectRequest) -> None:
    """Find the faces in IMAGES: videos, image files, or folders (with all folders in them).

    \b
    Examples:
      facetl detect episode.mp4
      facetl detect frames --out results --overlays
      facetl detect frames --out results --crops --margin 0.3 --align
      facetl detect episode.mp4 --every 0.5s --video --out results
      facetl detect frames --weights pretrained --weights tuned=mine.safetensors --out results
      facetl detect archive --stream --crops --out results --resume
      facetl detect archive --engine ray --out results

    Writes where the faces are, and report.html, a page to look at them in the browser.

    In detail:

    What a detector has learnt stands in a file, its weights.  For each set of weights a file of
    detections is written: for each image boxes, how sure the detector is of them (scores, from 0
    to 1), five landmarks (eyes, nose, corners of the mouth), how many candidates each of the
    detector's three networks (PNet, RNet and ONet) let through, and the time in seconds.
    Settings that are not given are those that facetl train or tune stored in the weights.

    The file keeps all boxes.  Only boxes from a minimum score on are counted, drawn, cut out and
    exported: the score stored in the weights, or --score; 0 includes all.

    For frames of a video the file also contains the time, and for each box the number of its
    track (the same face from frame to frame); a cut ends all tracks.  A video of any length takes
    the same memory.
    """
    from facetl.commands import detect as command

    _refuse_idle(request)
    request = _use_project(request)
    result = command.detect(request, ConsoleReporter())
    _print_result(result)
    if result.are_videos:
        suggest(
            "frames", *request.images, "--out", "frames", why="the frames most worth annotating"
        )
    else:
        suggest("evaluate", request.out, "--truth", request.truth or "FILE_OR_FOLDER")
    if click.get_current_context().params["strict"] and not result.is_whole:
        raise SystemExit(1)


def _use_project(request: DetectRequest) -> DetectRequest:
    """Return the request with the detector of the project that is searched for, if it has one."""
    project = None if options.is_given("weights") else find_project(request.images)
    if project is None:
        return request
    name = f"round-{project.used}" if project.used else Path(project.start).stem
    note(f"searching with the detector in use in {project.path}: {project.weights}")
    return replace(request, weights={name: project.weights})


_STRICT = click.Option(
    ["--strict"], is_flag=True, help="Exit with code 1 if anything cannot be read."
)
detect.params.insert([each.name for each in detect.params].index("form"), _STRICT)


def _refuse_idle(request: DetectRequest) -> None:
    """Refuse options that would have no effect."""
    if not request.crops and (request.align or request.square or options.is_given("margin")):
        what = "--margin, --align and --square say how to cut faces out"
        raise click.UsageError(f"{what}; add --crops")
    if not request.by_blocks:
        why = "is for --engine ray; add that or leave it out"
        options.refuse_idle(request, why, "address", "shard_size")
    if not request.truth:
        why = "says how --truth is read; add --truth, or leave it out"
        options.refuse_idle(request, why, "form", "on_error")


def _print_result(result: DetectResult) -> None:
    for line in result.describe():
        click.echo(line)
    print_written([result.written, *result.exported])
