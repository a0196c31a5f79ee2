"""The metrics file: one JSON with the figures of all runs that were scored together.

::

    {"format": "facetl-metrics", "version": 1, "facetl": "0.1.0",
     "settings": {"iou_threshold": 0.3, …}, "truth": {"path": …, "fingerprint": …},
     "runs": {NAME: {"ap": {"0.3": x, "0.5": x, "0.7": x, "0.5:0.95": x}, "ap_course": x, …}}}

``NAME`` holds the operating point from which the run is shown, ``"shown": {"score_threshold": x,
"precision": x, "recall": x, "f1": x}``, and a diagnosis, too: what average precision each kind of
mistake costs (see :mod:`facetl.evaluation.diagnosis`), recall at ``score_threshold`` by kind of
face, and how far scores can be taken for probabilities::

     "diagnosis": {
       "mistakes": {"0.3": {"ap": x, "localisation": {"count": n, "ap_mended": x, "ap_lost": x},
                            "duplicate": …, "background": …, "missed": …}, "0.5": …},
       "recall_by": {"size": [{"name": "24–32", "low": 24, "high": 32, "faces": n, "found": n,
                               "recall": x, "interval": [x, x]}, …], "aspect": …, "label": …},
       "calibration": {"error": x, "bins": [{"low": 0.9, "high": 1, "detections": n, "hits": n,
                       "score": x, "precision": x, "interval": [x, x]}, …]}}

Where faces were named and the truth has labels, ``NAME`` has one key more::

     "naming": {"mean_ap": x, "characters": {"dexter": {"faces": n, "ap": x, "precision": x,
       "recall": x, "f1": x}}, "unlabelled": n,
       "shown": {"right": n, "named_faces": n, "accuracy": x, "rejected": n, "unknown_faces": n,
                 "rejection": x, "rows": […], "columns": […], "confusion": [[n]]},
       "on_true_boxes": {"all": {…}, "near_twins": {…}, "unlike": {…}}}

``shown`` counts the faces that are shown, ``on_true_boxes`` those of the truth, named where the
names file is still there; with training frames near-twins of them and unlike ones apart.

If the frames were compared with training frames, there is one key more::

     "near_duplicates": {"measure": …, "train": {"path": …, "frames": n},
       "parts": {"near_twins": {"at_least": 0, "below": 5, "frames": n, "faces": n,
                                "runs": {NAME: {"ap": …}}},
                 "unlike": {"at_least": 12, "below": null, …}}}

Detections in regions to be ignored count neither way, but as false alarms in the figures named
``course``, whose evaluator knows no such regions.  ``truth`` tells how many regions there are
(``ignored_regions``), and ``NAME`` how many of its ``detections`` count neither way at IoU 0.3
(``ignored_detections``).  ``truth`` also names the annotation files that hold what a detector
suggested and nobody has corrected (``uncorrected_suggestions``).

A figure that is undefined, such as the recall where there are no faces, is ``null``; so are the
bounds of a group that has none, such as a label or the largest faces.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from facetl.evaluation.diagnosis import Diagnosis, MistakeCosts
from facetl.evaluation.metrics import FRAMES_PER_FALSE_ALARM, IOU_THRESHOLD, Metrics
from facetl.evaluation.near_duplicates import MEASURE, Subset, TrainTestOverlap
from facetl.evaluation.scoring import Evaluation, Truth
from facetl.files import write_text
from facetl.version import VERSION

FILE_NAME = "metrics.json"


def describe(
    evaluations: Sequence[Evaluation],
    truth: Truth,
    *,
    truth_path: Path,
    only_listed: bool,
    overlap: TrainTestOverlap | None = None,
    suggestions: Sequence[Path] = (),
) -> dict[str, Any]:
    """Return the document that :func:`save_metrics` writes.

    Args:
        evaluations: the figures of all runs.
        truth: the true faces.
        truth_path: where they were read from.
        only_listed: whether frames that the truth does not list are left out.
        overlap: the figures by distance to the training frames, if they were compared.
        suggestions: annotation files of the truth that a detector wrote.
    """
    document = {
        "format": "facetl-metrics",
        "version": 1,
        "facetl": VERSION,
        "settings": {
            "iou_threshold": IOU_THRESHOLD,
            "frames_per_false_alarm": FRAMES_PER_FALSE_ALARM,
            "matching": "greedy by score, each detection to the face it overlaps most",
            "boxes": "half open; inclusive pixels in the figures named course",
            "only_listed": only_listed,
        },
        "truth": {
            "path": str(truth_path),
            "fingerprint": truth.fingerprint,
            "frames": len(truth.boxes),
            "faces": sum(len(boxes) for boxes in truth.boxes.values()),
            "ignored_regions": sum(len(boxes) for boxes in truth.ignored.values()),
            "uncorrected_suggestions": [str(path) for path in suggestions],
        },
        "runs": {each.name: _figures(each) for each in evaluations},
    }
    return document | ({"near_duplicates": _describe_overlap(overlap)} if overlap else {})


def save_metrics(path: Path, document: dict[str, Any]) -> None:
    """Write a document of :func:`describe`, atomically; NaN and infinities become ``null``.

    Raises:
        OutputError: if the place cannot be written.
    """
    text = json.dumps(_without_undefined(document), ensure_ascii=False, indent=2, allow_nan=False)
    write_text(path, text + "\n")


def _describe_overlap(overlap: TrainTestOverlap) -> dict[str, Any]:
    return {
        "measure": MEASURE,
        "train": {"path": str(overlap.train_path), "frames": overlap.train_frames},
        "parts": {name: _describe_subset(part) for name, part in overlap.parts.items()},
    }


def _describe_subset(subset: Subset) -> dict[str, Any]:
    metrics = {name: _metric_figures(each) for name, each in subset.metrics.items()}
    figures = {key: value for key, value in vars(subset).items() if key != "metrics"}
    return {**figures, "runs": metrics}


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    return {
        **_metric_figures(evaluation.metrics),
        "shown": asdict(evaluation.shown),
        "skipped": evaluation.skipped,
        "proposals_per_frame": evaluation.proposals_per_frame,
        "candidates_per_frame": evaluation.candidates_per_frame,
        "seconds_per_frame": evaluation.seconds_per_frame,
        "diagnosis": _describe_diagnosis(evaluation.diagnosis),
        "notes": list(evaluation.notes),
        **({"naming": evaluation.naming.to_json()} if evaluation.naming else {}),
    }


def _describe_diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "mistakes": {iou: _describe_costs(each) for iou, each in diagnosis.costs.items()},
        "recall_by": {
            key: [
                {**asdict(each), "recall": each.recall, "interval": list(each.interval)}
                for each in groups
            ]
            for key, groups in diagnosis.recall_by.items()
        },
        "calibration": {
            "error": diagnosis.calibration_error,
            "bins": [
                {**asdict(each), "precision": each.precision, "interval": list(each.interval)}
                for each in diagnosis.calibration
            ],
        },
    }


def _describe_costs(costs: MistakeCosts) -> dict[str, Any]:
    lost = costs.lost
    kinds = {
        mistake.value: {
            "count": count,
            "ap_mended": costs.mended[mistake],
            "ap_lost": lost[mistake],
        }
        for mistake, count in costs.counts.items()
    }
    return {"ap": costs.ap, **kinds}


def _metric_figures(metrics: Metrics) -> dict[str, Any]:
    return {
        "ap": metrics.ap,
        "ap_course": metrics.ap_course,
        "ap_coco": metrics.ap_coco,
        "precision": metrics.best.precision,
        "recall": metrics.best.recall,
        "f1": metrics.best.f1,
        "score_threshold": metrics.best.score_threshold,
        "recall_at_1_false_alarm_in_10_frames": metrics.recall_at_budget,
        "precision_all": metrics.precision_all,
        "recall_all": metrics.recall_all,
        "precision_course": metrics.precision_course,
        "recall_course": metrics.recall_course,
        "faces": metrics.faces,
        "detections": metrics.detections,
        "ignored_detections": metrics.ignored,
        "frames": metrics.frames,
    }


def _without_undefined(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_undefined(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_undefined(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
