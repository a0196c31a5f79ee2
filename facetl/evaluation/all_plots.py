"""All plots of an evaluation, by the name of their file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure

from facetl.evaluation.diagnosis_plots import (
    Diagnoses,
    plot_calibration,
    plot_errors,
    plot_recall_by,
)
from facetl.evaluation.metrics import Curve
from facetl.evaluation.plots import plot_precision_recall, plot_scores
from facetl.evaluation.scoring import Evaluation

Plot = Callable[[Sequence[Evaluation]], Figure]


def _of_curves(plot: Callable[[Mapping[str, Curve]], Figure]) -> Plot:
    return lambda evaluations: plot({each.name: each.metrics.curve for each in evaluations})


def _of_diagnoses(plot: Callable[[Diagnoses], Figure]) -> Plot:
    return lambda evaluations: plot({each.name: each.diagnosis for each in evaluations})


PLOTS: Mapping[str, Plot] = {
    "precision_recall": _of_curves(plot_precision_recall),
    "scores": _of_curves(plot_scores),
    "errors": _of_diagnoses(plot_errors),
    "recall_by": _of_diagnoses(plot_recall_by),
    "calibration": _of_diagnoses(plot_calibration),
}
"""From the evaluations of all runs to a figure."""

CAPTIONS: Mapping[str, str] = {
    "errors": "What the missing AP is made of: what mending each kind of mistake would bring.",
    "recall_by": "Recall by size, aspect ratio and label of the faces, with 95 % intervals.",
    "calibration": "Calibration: share of hits by score. On the diagonal scores are probabilities.",
}
"""Words to the plots that stand in the report."""
