"""What theory says of L2 and L2-SP, in closed form and simulated."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facetl.commands.optional_pictures import OptionalPictures
from facetl.commands.requests import TheoryRequest as TheoryRequest
from facetl.experiments.theory import ESTIMATORS, L2, L2_SP, Moments, Regression, example_in_plane
from facetl.files import refuse_to_overwrite, require_writable, write_text
from facetl.reporting import SILENT, Reporter

if TYPE_CHECKING:
    from facetl.evaluation.report.figures import Figure

TABLE = "bias_variance.csv"
PICTURES = ("paths", "bias_variance")


@dataclass(frozen=True)
class TheoryResult:
    """Bias² and variance of each estimator at each noise.

    Attributes:
        noises: standard deviations σ of the noise.
        theory: in closed form, by the name of the estimator.
        simulated: the same from draws.
        break_even: the σ from which on an estimator has a smaller error than least squares.
    """

    noises: Sequence[float]
    theory: Mapping[str, Sequence[Moments]]
    simulated: Mapping[str, Sequence[Moments]]
    break_even: Mapping[str, float]


def theory(request: TheoryRequest, reporter: Reporter = SILENT) -> TheoryResult:
    """Work out and simulate bias² and variance, and draw them and the paths of the descent.

    Raises:
        OutputError: if something is in the way, or a place cannot be written.
    """
    refuse_to_overwrite(request.out, force=request.force)
    require_writable(request.out)
    regression = Regression.example(request.distance, request.seed)
    result = _work_out(regression, request)
    write_text(request.out / TABLE, _as_csv(result))
    _draw(request, result, reporter)
    return result


def _work_out(regression: Regression, request: TheoryRequest) -> TheoryResult:
    alpha, draws = request.alpha, request.draws
    noises = regression.noises(alpha)
    simulated = {
        each: [
            regression.simulate(each, alpha, noise, draws, request.seed + place)
            for place, noise in enumerate(noises)
        ]
        for each in ESTIMATORS
    }
    closed = {
        each: [regression.in_theory(each, alpha, noise) for noise in noises] for each in ESTIMATORS
    }
    break_even = {each: regression.break_even(each, alpha) for each in (L2, L2_SP)}
    return TheoryResult(noises, closed, simulated, break_even)


def _draw(request: TheoryRequest, result: TheoryResult, reporter: Reporter) -> None:
    def paths() -> Figure:
        from facetl.experiments.theory_plots import plot_paths

        return plot_paths(example_in_plane(request.distance), request.alpha)

    def bias_variance() -> Figure:
        from facetl.experiments.theory_plots import plot_bias_variance

        return plot_bias_variance(result.noises, result.theory, result.simulated)

    pictures = OptionalPictures()
    for name, draw in zip(PICTURES, (paths, bias_variance), strict=True):
        pictures.save_figure(request.out / name, draw)
    pictures.note_missing(reporter)


def _as_csv(result: TheoryResult) -> str:
    """Return a row for each estimator and noise."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    figures = ("bias", "variance", "simulated_bias", "simulated_variance")
    writer.writerow(["estimator", "noise", *figures, "bias_error", "variance_error"])
    for estimator in ESTIMATORS:
        pairs = zip(result.theory[estimator], result.simulated[estimator], strict=True)
        for noise, (closed, drawn) in zip(result.noises, pairs, strict=True):
            numbers = (closed.bias, closed.variance, drawn.bias, drawn.variance)
            errors = (drawn.bias_error, drawn.variance_error)
            writer.writerow([estimator, noise, *(f"{each:.6g}" for each in numbers + errors)])
    return text.getvalue()
