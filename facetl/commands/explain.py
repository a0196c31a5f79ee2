"""How one image is searched, stage by stage, in pictures and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from facetl.commands.optional_pictures import OptionalPictures
from facetl.data.images import Pixels, load_image
from facetl.errors import UsageError
from facetl.files import refuse_to_overwrite, require_writable
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.trace import Trace, trace_search
from facetl.reporting import SILENT, Reporter

if TYPE_CHECKING:
    from facetl.evaluation.report.plots import Drawing

PICTURES = ("pyramid", "scores", "candidates", "story")
"""Names of the pictures, those of :func:`facetl.evaluation.report.trace_figures.plot_traces`."""


@dataclass(frozen=True)
class ExplainRequest:
    """Which image is searched, and how.

    Attributes:
        image: the image.
        out: the folder for the pictures.
        weights: name and source of the weights: a weights file, ``cartoon`` or ``pretrained``.
        against: those to compare with, drawn first; the same as ``weights``: none.
        thresholds: least scores in [0, 1] to pass PNet, RNet and ONet; None for the weights' own.
        min_face: side of the smallest face looked for, in pixels; None for the weights' own.
        factor: ratio of neighbouring levels of the pyramid; None for the weights' own.
        score: from which boxes are drawn, 0 to 1; None for the weights' own.
        device: where the networks run, ``auto``, ``cpu`` or ``cuda``.
        engine: what does their arithmetic.
        force: whether pictures that are there may be overwritten.
    """

    image: Path
    out: Path
    weights: tuple[str, str] = ("cartoon", "cartoon")
    against: tuple[str, str] = ("pretrained", "pretrained")
    thresholds: tuple[float, float, float] | None = None
    min_face: float | None = None
    factor: float | None = None
    score: float | None = None
    device: str = "auto"
    engine: str = "auto"
    force: bool = False


@dataclass(frozen=True)
class ExplainResult:
    """How the image was searched.

    Attributes:
        traces: every step, by the name of the weights.
        pictures: what was written, without the suffixes, .png and .svg; empty if none can be
            drawn.
    """

    traces: Mapping[str, Trace]
    pictures: Sequence[Path]


def explain(request: ExplainRequest, reporter: Reporter = SILENT) -> ExplainResult:
    """Search an image step by step, and draw the steps.

    Raises:
        UsageError: if two sets of weights have one name.
        InputError: if image or weights cannot be read.
        OutputError: if something is in the way, or a place cannot be written.
    """
    refuse_to_overwrite(request.out, force=request.force)
    require_writable(request.out)
    pixels = load_image(request.image)
    sources = dict([request.against, request.weights])
    if len(sources) == 1 and request.against != request.weights:
        raise UsageError(
            f"--weights and --against are both called {request.weights[0]}; write NAME=FILE"
        )
    traces = {name: _trace(pixels, source, request) for name, source in sources.items()}
    return ExplainResult(traces, _save_pictures(request.out, traces, reporter))


def _trace(pixels: Pixels, source: str, request: ExplainRequest) -> Trace:
    detector = Detector.load(source, request.device, request.engine)
    settings = detector.settings.override(
        thresholds=request.thresholds,
        min_face=request.min_face,
        factor=request.factor,
        score=request.score,
    )
    return trace_search(detector, pixels, settings)


def _save_pictures(out: Path, traces: Mapping[str, Trace], reporter: Reporter) -> list[Path]:
    """Draw and write all pictures; return those that could be drawn."""
    pictures = OptionalPictures()
    drawn = [
        out / name
        for name in PICTURES
        if pictures.save_figure(out / name, partial(_draw, name, traces))
    ]
    pictures.note_missing(reporter)
    return drawn


def _draw(name: str, traces: Mapping[str, Trace]) -> Drawing:
    from facetl.evaluation.report import trace_figures

    return trace_figures.as_drawing(name, trace_figures.plot_traces(traces)[name]())
