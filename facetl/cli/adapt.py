"""``facetl adapt``: a detector for a show of which nobody has annotated a frame."""

from __future__ import annotations

import click

from facetl.cli import options
from facetl.cli.console import note, suggest
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import AdaptRequest


@options.command(
    AdaptRequest,
    "Adapt a detector to a show that nobody has annotated.",
    "sources out weights count force resume | ...",
)
def adapt(request: AdaptRequest) -> None:
    """Teach the face detector your show without any work of yours: videos or images, SOURCES, do.

    \b
    Examples:
      facetl adapt episode.mp4 --out mine.safetensors
      facetl adapt season1 --count 400 --out mine.safetensors
      facetl detect episode.mp4 --weights mine.safetensors

    The first takes some minutes, and writes what was learnt to a file, the weights.  With it, the
    detector takes fewer other things for faces, and finds some more.  Faces of a kind that it
    never finds are not learnt so: show it some, with facetl annotate.

    In detail:

    The detector searches frames (single pictures) of the show.  Faces that it is sure of in a
    thorough search (detect --preset thorough) are learnt as faces; what it doubts is ignored, and
    all else is background.
    """
    from facetl.cli.training_view import TrainingView
    from facetl.commands.adapt import adapt as run

    result = run(request, ConsoleReporter(), TrainingView)
    click.echo(result.describe())
    click.echo(f"wrote {request.out}")
    note("nobody has checked these faces; compare both detectors on some annotated frames")
    suggest("detect", *request.sources, "--weights", request.out, "--out", "results")
