"""How one image is searched, stage by stage, in pictures and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from facetl.commands.optional_pictures import OptionalPictures
from facetl.commands.requests import ExplainRequest as ExplainRequest
from facetl.data.images import Pixels, load_image
from facetl.errors import UsageError, say_not_installed
from facetl.files import refuse_to_overwrite, require_writable
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.trace import Trace, trace_search
from facetl.reporting import SILENT, Reporter

if TYPE_CHECKING:
    from facetl.evaluation.report.plots import Drawing

PICTURES = ("pyramid", "scores", "candidates", "story")
"""Names of the pictures, those of :func:`facetl.evaluation.report.trace_figures.plot_traces`."""


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
    sources = _choose_weights(request, reporter)
    traces = {name: _trace(pixels, source, request) for name, source in sources.items()}
    return ExplainResult(traces, _save_pictures(request.out, traces, reporter))


def _choose_weights(request: ExplainRequest, reporter: Reporter) -> dict[str, str]:
    """Return the weights that search the image, by name.

    Without facenet-pytorch, which has the pretrained ones, nothing is compared with them unless
    they were asked for.
    """
    weights, against = request.weights, request.against
    is_usual = against == ExplainRequest.against
    if is_usual and find_spec("facenet_pytorch") is None:
        missing = say_not_installed("facenet_pytorch", f"comparing with {against[1]}")
        reporter.note(f"{missing}; showing {weights[0]} alone")
        return dict([weights])
    if against[0] == weights[0] and against != weights:
        raise UsageError(f"--weights and --against are both called {weights[0]}; write NAME=FILE")
    return dict([against, weights])


def _trace(pixels: Pixels, source: str, request: ExplainRequest) -> Trace:
    detector = Detector.load(source, request.device, request.engine)
    return trace_search(detector, pixels, request.override(detector.settings))


def _save_pictures(out: Path, traces: Mapping[str, Trace], reporter: Reporter) -> list[Path]:
    """Draw and write all pictures; return those that could be drawn."""

    def draw(name: str) -> Drawing:
        from facetl.evaluation.report import trace_figures

        return trace_figures.as_drawing(name, trace_figures.plot_traces(traces)[name]())

    pictures = OptionalPictures()
    drawn = pictures.save_figures(out, PICTURES, draw)
    pictures.note_missing(reporter)
    return [out / name for name in drawn]
