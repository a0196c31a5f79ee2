"""What the report opens with: sentences, bars and pictures, in words that need no explanation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from facetl.evaluation.report.frames import ReportFrame
from facetl.evaluation.report.sheet import Cutout, Row, Sheet
from facetl.evaluation.report.templating import as_address
from facetl.evaluation.scoring import Evaluation
from facetl.reporting import plural

_KINDS = {
    "missed": ("Missed faces", "the largest first"),
    "false_alarms": ("False alarms", "the surest first"),
    "loose": ("Loose boxes", "found, but box and face share less than half; the loosest first"),
    "right": ("Found well", "some of them"),
}
"""Title of each kind of pictures, and which ones come first."""
MARKS = {
    "missed": ("miss", "?"),
    "false_alarms": ("alarm", "✕"),
    "loose": ("hit", "≈"),
    "right": ("hit", "✓"),
}
"""How boxes of each kind are drawn, and the sign beside its title."""


def describe_verdicts(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Return what each run found, missed and took for faces: in words, and as parts of a bar.

    All bars have the same scale; what is left of the shorter ones is ``rest``.
    """
    longest = max((sum(each.counts) for each in evaluations), default=0)
    return [
        {
            "name": each.name,
            "text": _describe_verdict(each),
            "parts": {**each.counts._asdict(), "rest": longest - sum(each.counts)},
        }
        for each in evaluations
    ]


def _describe_verdict(run: Evaluation) -> str:
    counts, least = run.counts, threshold_of(run)
    if math.isinf(least):
        return f"found none of {plural(run.metrics.faces, 'face')} at any score."
    return (
        f"found {counts.found} of {plural(run.metrics.faces, 'face')}, missed {counts.missed}, "
        f"{plural(counts.false_alarms, 'false alarm')} at score {least:.4g} and above."
    )


def describe_change(evaluations: Sequence[Evaluation], frames: Sequence[ReportFrame]) -> str:
    """Return what changed from the first run to the best of the others, in words."""
    if len(evaluations) < 2:
        return ""
    first, best = evaluations[0], evaluations[best_but_first(evaluations)]
    gained, lost = count_changes(frames, first, best)
    return (
        f"{best.name} finds {plural(gained, 'face')} that {first.name} misses, and misses {lost} "
        f"that {first.name} finds."
    )


def describe_sheets(
    evaluations: Sequence[Evaluation], sheets: Sequence[Sheet]
) -> list[dict[str, Any]]:
    """Return the pictures of each run, those of the best one first."""
    best = best_but_first(evaluations)
    told = [
        {"name": run.name, "place": place, "rows": [_describe_row(row) for row in sheet]}
        for place, (run, sheet) in enumerate(zip(evaluations, sheets, strict=False))
        if any(row.cutouts for row in sheet)
    ]
    return sorted(told, key=lambda each: each["place"] != best)


def _describe_row(row: Row) -> dict[str, Any]:
    title, hint = _KINDS[row.kind]
    return {
        "kind": row.kind,
        "title": title,
        "hint": hint,
        "total": row.total,
        "cutouts": [_describe_cutout(title, each) for each in row.cutouts],
    }


def _describe_cutout(title: str, cutout: Cutout) -> dict[str, Any]:
    x1, y1, x2, y2 = cutout.window
    return {
        "frame": cutout.spot.frame,
        "text": cutout.spot.text,
        "words": f"{title}: {cutout.spot.text}, in {cutout.spot.frame}",
        "picture": as_address(cutout.picture, "image/jpeg"),
        "view": f"{x1} {y1} {x2 - x1} {y2 - y1}",
        "drawn": [
            {"style": style, "x": box[0], "y": box[1], "w": box[2] - box[0], "h": box[3] - box[1]}
            for style, box in cutout.drawn
        ],
    }


def count_changes(
    frames: Sequence[ReportFrame], before: Evaluation, after: Evaluation
) -> tuple[int, int]:
    """Return how many faces only the later run finds, and only the earlier, of those shown."""
    found = [[_faces_found(each, run) for each in frames] for run in (before, after)]
    gained = sum(len(new - old) for old, new in zip(*found, strict=True))
    lost = sum(len(old - new) for old, new in zip(*found, strict=True))
    return gained, lost


def best_but_first(evaluations: Sequence[Evaluation]) -> int:
    """Return the place of the best run behind the first, which it is compared with."""
    others = range(1, len(evaluations))
    return max(others, key=lambda place: _ap(evaluations[place]), default=0)


def _ap(run: Evaluation) -> float:
    ap = run.metrics.ap["0.3"]
    return -1.0 if math.isnan(ap) else ap


def threshold_of(run: Evaluation) -> float:
    """Return the score from which a run is shown; infinite for one that finds nothing."""
    threshold = run.shown.score_threshold
    return math.inf if math.isnan(threshold) else threshold


def _faces_found(frame: ReportFrame, run: Evaluation) -> set[int]:
    found = frame.detections[run.name]
    kept = found.matches.hits & (found.scores >= threshold_of(run))
    return set(found.matches.face[kept].tolist())
