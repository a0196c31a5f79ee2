"""``facetl frames``: frames of videos that are worth annotating, with boxes to start from."""

from __future__ import annotations

from typing import Any

import click

from facetl.cli import options
from facetl.cli.console import note, suggest
from facetl.cli.ending import ConsoleReporter


@click.command(short_help="Pick frames of videos that are worth annotating.")
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
    help="Where the frames go: new or empty.",
)
@click.option("--count", type=click.IntRange(min=1), default=100, help="How many to pick.")
@click.option(
    "--every",
    type=options.Frequency(),
    default="0.5s",
    help="Look at one frame in so many, like 10, or one in a time, like 0.5s.",
)
@click.option(
    "--weights",
    default="cartoon",
    type=options.READ_NAME,
    metavar="FILE",
    help="The detector whose doubts count: a weights file, 'cartoon' or 'pretrained'.",
)
@click.option(
    "--unlike",
    multiple=True,
    type=options.READ,
    metavar="FOLDER",
    help="Frames that are annotated already: pick none like them; repeatable.",
)
@click.option(
    "--variety",
    type=options.SHARE,
    default=0.5,
    help="Weight of being unlike the other frames; that of the detector's doubt is the rest.",
)
@options.score
@options.workers
@options.device
@options.engine
def frames(**given: Any) -> None:
    """Pick the frames of VIDEOS that are most worth annotating.

    Frames that the detector is unsure of come first (active learning), and frames unlike all
    others; blurred and blank ones, near-duplicates of each other and of --unlike never.

    Writes a folder for each video, beside it VIDEO_annotations.txt with the boxes that the
    detector is sure of (--score), for you to mend, and frames.csv: the frames in the order of
    their worth, and why.  A video of any length takes the same memory.

    \b
    Example:
      facetl frames episode.mp4 --count 100 --out frames
      facetl train frames --out cascade.safetensors  # once the boxes are mended
      facetl frames next.mp4 --unlike frames --weights cascade.safetensors --out more
    """
    from facetl.commands.frames import FramesRequest
    from facetl.commands.frames import frames as run

    request = FramesRequest(**given)
    result = run(request, ConsoleReporter())
    picked = len(result.picks)
    click.echo(
        f"picked {picked} of {result.seen} frames, {result.doubtful} as the detector is unsure of "
        f"them and {picked - result.doubtful} as they are unlike the others; {result.boxes} boxes "
        "to start from"
    )
    if picked < request.count:
        note("the other frames are blank, blurred, or like one that was picked or known")
    click.echo(f"wrote {request.out}")
    why = "once you have mended the boxes"
    suggest("train", request.out, "--out", "cascade.safetensors", why=why)
