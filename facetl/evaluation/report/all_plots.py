"""All plots of an evaluation, by the name of their file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from facetl.evaluation.scoring import Evaluation

if TYPE_CHECKING:
    from facetl.evaluation.report.figures import Figure

PLOTS = ("precision_recall", "scores", "errors", "recall_by", "calibration")
"""Names of the plots."""

CAPTIONS: Mapping[str, str] = {
    "errors": "What the missing AP is made of: what mending each kind of mistake would bring.",
    "recall_by": "Recall by size, aspect ratio and label of the faces, with 95 % intervals.",
    "calibration": "Calibration: share of hits by score. On the diagonal scores are probabilities.",
}
"""Words to the plots that stand in the report."""


def plot(name: str, evaluations: Sequence[Evaluation]) -> Figure:
    """Draw the plot of a name from the evaluations of all runs."""
    from facetl.evaluation.report import diagnosis_plots, plots  # not before: they take matplotlib

    curves = {each.name: each.metrics.curve for each in evaluations}
    diagnoses = {each.name: each.diagnosis for each in evaluations}
    match name:
        case "precision_recall":
            return plots.plot_precision_recall(curves)
        case "scores":
            return plots.plot_scores(curves)
        case "errors":
            return diagnosis_plots.plot_errors(diagnoses)
        case "recall_by":
            return diagnosis_plots.plot_recall_by(diagnoses)
        case "calibration":
            return diagnosis_plots.plot_calibration(diagnoses)
        case _:
            raise ValueError(f"expected one of {PLOTS}, got {name!r}")
