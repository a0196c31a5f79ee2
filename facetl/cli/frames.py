"""``facetl frames``: frames of videos that are worth annotating, with boxes to start from."""

from __future__ import annotations

import click

from facetl.cli import options
from facetl.cli.console import note, suggest
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import FramesRequest


@options.command(FramesRequest, "Pick the frames of videos that are worth annotating.")
def frames(request: FramesRequest) -> None:
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
    from facetl.commands.frames import frames as run

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
