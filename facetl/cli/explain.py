"""``facetl explain``: how one image is searched, stage by stage, in pictures and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.console import note, plain_table, print_table
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import ExplainRequest
from facetl.errors import OutputError

if TYPE_CHECKING:
    from facetl.mtcnn.trace import Trace


@options.command(
    ExplainRequest,
    "Show in pictures how the detector searches an image.",
    "image out weights against score force | thresholds min_face factor device engine",
    parse={"weights": options.parse_weights, "against": options.parse_weights},
)
def explain(request: ExplainRequest) -> None:
    """Show in pictures how the detector searches IMAGE, before and after training.

    \b
    Examples:
      facetl explain frame.jpg --out explained
      facetl explain frame.jpg --weights tuned=mine.safetensors --out explained --force

    Writes pictures into a folder; begin with story.png, which has all of it on one sheet.

    In detail:

    The detector, MTCNN, looks at an image at many sizes (a pyramid); a first network, PNet,
    proposes windows that may show a face, and two more, RNet and ONet, discard most of them.

    \b
    There are four pictures, each as PNG and SVG:
      pyramid      the sizes at which PNet scans the image, with its window of 12×12 pixels
      scores       heat maps of PNet's scores: the best of all levels, then some levels
      candidates   what remains after each step, from PNet's windows to the faces
      story        all of this on one sheet

    How many windows were scored and how many remained after each step is printed; docs/mtcnn.md
    explains the steps.
    """
    from facetl.commands.explain import explain as run

    result = run(request, ConsoleReporter())
    for name, trace in result.traces.items():
        _print_levels(name, request.image, trace)
    _print_steps(result.traces)
    if not result.pictures:
        raise OutputError(
            f"{request.out}: no picture can be drawn; try another image, or other weights"
        )
    click.echo(f"wrote {request.out}")
    note(f"look at {request.out / 'story.png'} first; docs/mtcnn.md explains what it shows")


def _print_levels(name: str, image: Path, trace: Trace) -> None:
    """Print the levels of a pyramid."""
    height, width = trace.image.shape[:2]
    click.echo(f"{name}: {image.name}, {width}×{height} pixels, {len(trace.levels)} levels")
    for level in trace.levels:
        rows, columns = level.scores.shape
        click.echo(
            f"  ×{level.scale:.3f}  {columns:4}×{rows:<4} windows of {level.window:5.0f} px, "
            f"best score {level.scores.max():.3f}"
        )


def _print_steps(traces: Mapping[str, Trace]) -> None:
    """Print what was left after each step."""
    from facetl.mtcnn.trace import STEP_NAMES

    table = plain_table("windows", list(traces))
    table.add_row("PNet looks at", *(f"{trace.windows:,}" for trace in traces.values()))
    for step, name in STEP_NAMES.items():
        table.add_row(name, *(f"{len(trace.steps[step]):,}" for trace in traces.values()))
    rescored = [trace.settings.rescored for trace in traces.values()]
    if any(rescored):
        table.add_row("rescored", *("yes" if each else "no" for each in rescored))
    table.add_row("drawn", *(f"{len(trace.shown):,}" for trace in traces.values()))
    table.add_row("  from score", *(f"{trace.settings.score:g}" for trace in traces.values()))
    print_table(table)
