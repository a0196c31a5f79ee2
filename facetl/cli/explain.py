"""``facetl explain``: how one image is searched, stage by stage, in pictures and numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.console import note, plain_table, print_table
from facetl.cli.optional_pictures import OptionalPictures
from facetl.cli.searching import NamedWeights, parse_weights
from facetl.errors import OutputError
from facetl.files import refuse_to_overwrite, require_writable

if TYPE_CHECKING:
    from facetl.data.images import Pixels
    from facetl.evaluation.report.figures import Figure
    from facetl.evaluation.report.trace_figures import Traces
    from facetl.mtcnn.engines import EngineChoice
    from facetl.mtcnn.trace import Trace


def parse_source(ctx: click.Context, param: click.Parameter, value: str) -> NamedWeights:
    """Split ``NAME=FILE``; without a name weights are called after their file."""
    return parse_weights(ctx, param, (value,))[0]


@click.command(short_help="Show in pictures how MTCNN searches an image.")
@click.argument("image", type=options.READ, callback=options.expecting("image"))
@click.option(
    "--out", type=options.WRITE, required=True, metavar="FOLDER",
    help="Where the pictures go.",
)  # fmt: skip
@click.option(
    "--weights", default="cartoon", callback=parse_source, type=options.READ_NAME,
metavar="[NAME=]FILE",
    help="A weights file, 'cartoon' or 'pretrained'.",
)  # fmt: skip
@click.option(
    "--against", default="pretrained", callback=parse_source, type=options.READ_NAME,
metavar="[NAME=]FILE",
    help="Weights to compare with, drawn first; the same as --weights: none.",
)  # fmt: skip
@options.thresholds
@options.min_face
@options.factor
@options.score
@options.device
@options.engine
@options.force
def explain(
    image: Path,
    out: Path,
    weights: NamedWeights,
    against: NamedWeights,
    thresholds: tuple[float, float, float] | None,
    min_face: float | None,
    factor: float | None,
    score: float | None,
    device: str,
    engine: EngineChoice,
    force: bool,
) -> None:
    """Show how MTCNN searches IMAGE, before and after training.

    \b
    Writes four pictures, each as PNG and SVG:
      pyramid      the sizes at which PNet looks, with its window of 12×12 pixels
      scores       heat maps of PNet's scores: the best of all levels, then some levels
      candidates   what is left after each step, from PNet's windows to ONet's faces
      story        all of this on one sheet
    and says how many windows were looked at and how many were left after each step.
    docs/mtcnn.md explains the steps.

    \b
    Examples:
      facetl explain frame.jpg --out explained
      facetl explain frame.jpg --weights tuned=cascade.safetensors --out explained --force
    """
    from facetl.data.images import load_image

    refuse_to_overwrite(out, force=force)
    require_writable(out)
    pixels = load_image(image)
    sources = {each.name: each.source for each in (against, weights)}
    if len(sources) == 1 and against.source != weights.source:
        raise click.UsageError(
            f"--weights and --against are both called {weights.name}; write NAME=FILE"
        )
    given = {"thresholds": thresholds, "min_face": min_face, "factor": factor, "score": score}
    traces = {
        name: trace_image(pixels, source, given, device, engine) for name, source in sources.items()
    }
    _report(image, traces)
    save_pictures(out, traces)
    click.echo(f"wrote {out}")
    note(f"look at {out / 'story.png'} first; docs/mtcnn.md explains what it shows")


def trace_image(
    pixels: Pixels, source: str, given: dict[str, Any], device: str, engine: EngineChoice
) -> Trace:
    """Search an image with a set of weights, step by step.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        source: a weights file or a built-in name.
        given: settings by name, None where the weights' own count.
        device: where the networks run.
        engine: what does their arithmetic.
    """
    from facetl.mtcnn.detector import Detector
    from facetl.mtcnn.trace import trace_search

    detector = Detector.load(source, device, engine)
    return trace_search(detector, pixels, detector.settings.override(**given))


def save_pictures(out: Path, traces: Traces) -> None:
    """Draw and write all pictures; the pyramid is that of the last set of weights.

    Raises:
        OutputError: if none can be drawn.
    """
    from facetl.evaluation.report import trace_figures

    last = list(traces.values())[-1]
    drawn: dict[str, Callable[[], Figure]] = {
        "pyramid": partial(trace_figures.draw_pyramid, last),
        "scores": partial(trace_figures.draw_scores, traces),
        "candidates": partial(trace_figures.draw_candidates, traces),
        "story": partial(trace_figures.draw_sheet, traces),
    }
    pictures = OptionalPictures()
    for name, draw in drawn.items():
        with pictures.drawing(out / f"{name}.png", out / f"{name}.svg"):
            trace_figures.save_drawing(out, name, draw())
    pictures.note_missing()
    if pictures.count == len(drawn):
        raise OutputError(f"{out}: no picture can be drawn; try another image, or other weights")


def _report(image: Path, traces: Traces) -> None:
    """Print the levels of each pyramid, and a table of what was left after each step."""
    for name, trace in traces.items():
        height, width = trace.image.shape[:2]
        click.echo(f"{name}: {image.name}, {width}×{height} pixels, {len(trace.levels)} levels")
        for level in trace.levels:
            rows, columns = level.scores.shape
            click.echo(
                f"  ×{level.scale:.3f}  {columns:4}×{rows:<4} windows of {level.window:5.0f} px, "
                f"best score {level.scores.max():.3f}"
            )
    _print_steps(traces)


def _print_steps(traces: Traces) -> None:
    from facetl.mtcnn.trace import STEP_NAMES

    table = plain_table("windows", list(traces))
    table.add_row("PNet looks at", *(f"{trace.windows:,}" for trace in traces.values()))
    for step, name in STEP_NAMES.items():
        table.add_row(name, *(f"{len(trace.steps[step]):,}" for trace in traces.values()))
    table.add_row("drawn", *(f"{len(trace.shown):,}" for trace in traces.values()))
    table.add_row("  from score", *(f"{trace.settings.score:g}" for trace in traces.values()))
    print_table(table)
