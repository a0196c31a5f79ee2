"""``facetl frames``: frames of videos that are worth annotating, with boxes to start from."""

from __future__ import annotations

from typing import Any

import click

from facetl.cli import options
from facetl.cli.console import note, suggest
from facetl.cli.ending import ConsoleReporter


@click.command(short_help="Pick the frames of videos that are worth annotating.")
@click.argument(
    "videos",
    nargs=-1,
    required=True,
    type=options.READ,
    callback=options.expecting("videos"),
)
@click.option(
    "--out",
    required=True,
    type=options.WRITE,
    metavar="FOLDER",
    help="Folder for the frames: new or empty.",
)
@click.option("--count", type=click.IntRange(min=1), default=100, help="How many frames to pick.")
@click.option(
    "--every",
    type=options.Frequency(),
    default="0.5s",
    help="Consider every n-th frame, e.g. 10, or one frame per time interval, e.g. 0.5s.",
)
@click.option(
    "--weights",
    default="cartoon",
    type=options.READ_NAME,
    metavar="FILE",
    help="The detector whose uncertainty counts: a weights file, 'cartoon' or 'pretrained'.",
)
@click.option(
    "--unlike",
    multiple=True,
    type=options.READ,
    metavar="FOLDER",
    help="Frames that are already annotated: pick none that resemble them; repeatable.",
)
@click.option(
    "--variety",
    type=options.SHARE,
    default=0.5,
    help="Weight of the difference from other frames; the rest is the weight of the detector's "
    "uncertainty.",
)
@options.score
@options.workers
@options.device
@options.engine
def frames(**given: Any) -> None:
    """Pick the frames of VIDEOS that are most worth annotating.

    Frames that the detector is unsure about come first (active learning), and frames unlike all
    others.  Blurred or blank frames and near-duplicates, of each other or of --unlike, are never
    picked.

    Writes a folder for each video, beside it VIDEO_annotations.txt with the boxes that the
    detector is sure about (--score), for you to correct, and frames.csv: the frames in order of
    priority, with reasons.  A video of any length takes the same memory.

    \b
    Example:
      facetl frames episode.mp4 --count 100 --out frames
      facetl train frames --out cascade.safetensors  # once the boxes are corrected
      facetl frames next.mp4 --unlike frames --weights cascade.safetensors --out more
    """
    from facetl.commands.frames import FramesRequest
    from facetl.commands.frames import frames as run

    request = FramesRequest(**given)
    result = run(request, ConsoleReporter())
    picked = len(result.picks)
    click.echo(
        f"picked {picked} of {result.seen} frames, {result.doubtful} because the detector is "
        f"unsure about them and {picked - result.doubtful} because they are unlike the others; "
        f"{result.boxes} boxes to start from"
    )
    if picked < request.count:
        note("the other frames are blank, blurred, or resemble one that was picked or given")
    click.echo(f"wrote {request.out}")
    why = "once you have corrected the boxes"
    suggest("train", request.out, "--out", "cascade.safetensors", why=why)
