"""Mistakes and what mending them gives, in the slow and obvious way: boxes are really mended."""

from __future__ import annotations

from collections.abc import Sequence

from reference_metrics import Box, average_precision, find_hits, overlap

Detection = tuple[int, Box, float]
Face = tuple[int, Box]


def rank(detections: Sequence[Detection]) -> list[Detection]:
    return sorted(detections, key=lambda detection: -detection[2])


def nearest(detection: Detection, faces: Sequence[Face]) -> tuple[int, float]:
    """Return the face that a detection overlaps most, -1 if none, and how much."""
    best, most = -1, 0.0
    for number, (frame, face) in enumerate(faces):
        if frame == detection[0] and overlap(detection[1], face) > most:
            best, most = number, overlap(detection[1], face)
    return best, most


def name_mistakes(
    detections: Sequence[Detection], faces: Sequence[Face], iou: float, background: float
) -> list[str]:
    """Return ``hit`` or the mistake of each detection, in the order of the scores."""
    hits = find_hits(detections, faces, iou, free_only=False)
    names = []
    for detection, hit in zip(rank(detections), hits, strict=True):
        most = nearest(detection, faces)[1]
        if hit:
            names.append("hit")
        elif most < background:
            names.append("background")
        elif most < iou:
            names.append("localisation")
        else:
            names.append("duplicate")
    return names


def missed(
    detections: Sequence[Detection], faces: Sequence[Face], iou: float, background: float
) -> list[int]:
    names = name_mistakes(detections, faces, iou, background)
    touched = {
        nearest(detection, faces)[0]
        for detection, name in zip(rank(detections), names, strict=True)
        if name in ("hit", "localisation")
    }
    return [number for number in range(len(faces)) if number not in touched]


def mended_ap(
    detections: Sequence[Detection],
    faces: Sequence[Face],
    mistakes: Sequence[str],
    iou: float,
    background: float,
) -> float:
    """Return the average precision once all mistakes of the kinds named are mended.

    A box put right is matched anew; what becomes a duplicate by that is left out.
    """
    names = name_mistakes(detections, faces, iou, background)
    lost = missed(detections, faces, iou, background)
    left, was_duplicate = [], []
    for detection, name in zip(rank(detections), names, strict=True):
        frame, box, score = detection
        if name == "localisation" and name in mistakes:
            box = faces[nearest(detection, faces)[0]][1]
        if not (name in mistakes and name in ("duplicate", "background")):
            left.append((frame, box, score))
            was_duplicate.append(name == "duplicate")
    hits = find_hits(left, faces, iou, free_only=False)
    kept = [
        hit
        for (frame, box, score), hit, duplicate in zip(left, hits, was_duplicate, strict=True)
        if hit or duplicate or nearest((frame, box, score), faces)[1] < iou
    ]
    count = len(faces) - (len(lost) if "missed" in mistakes else 0)
    return average_precision(kept, count, envelope=True)
