"""``facetl frames``: frames of videos that are worth annotating, with boxes to start from."""

from __future__ import annotations

import click

from facetl.cli import options
from facetl.cli.console import note, suggest
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import FramesRequest


@options.command(
    FramesRequest,
    "Pick the frames of videos that are worth annotating.",
    "videos out count every unlike weights | ...",
)
def frames(request: FramesRequest) -> None:
    """Save those frames (single pictures) of VIDEOS from which a detector learns most.

    \b
    Examples:
      facetl frames episode.mp4 --count 100 --out frames
      facetl train frames --out mine.safetensors  # once the boxes are corrected
      facetl frames next.mp4 --unlike frames --weights mine.safetensors --out more

    For work in a labelling program of your own: beside the frames lie the boxes that the detector
    suggests, for you to correct.  To correct them in the browser, use facetl annotate instead.

    In detail:

    Frames that the detector is unsure about come first (active learning), and frames unlike all
    others.  Blurred or blank frames and near-duplicates, of each other or of --unlike, are never
    picked.

    Writes a folder for each video, beside it VIDEO_annotations.txt with the boxes whose score
    (how sure the detector is) is at least --score, and frames.csv: the frames in order of
    priority, with reasons.  A video of any length takes the same memory.
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
