"""What limits a cascade: the recall of every stage, and what mending each kind of error would give.

    python benchmarks/limits.py FRAMES --weights cascade.safetensors

Kinds of errors as TIDE divides them (Bolya, Foley, Hays and Hoffman 2020): a false alarm with an
IoU from 0.1 to the threshold is a mistake of localisation, one over a face that is taken already
a duplicate, any other background; a face that no detection comes near is missed.  Mending means:
localisation moves the box onto its face, duplicates and background are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facetl import Detector, FaceDataset, load_dataset, load_image
from facetl.boxes import Boxes, iou, square
from facetl.evaluation.matching import Ranking, TrueBoxes
from facetl.evaluation.metrics import measure
from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.detector import (
    onet_boxes,
    onet_nms,
    run_cascade,
)

RECALLS = (0.3, 0.5, 0.7, 0.8)
BACKGROUND = 0.1


@dataclass(frozen=True)
class Found:
    """What the stages give in one frame: boxes, and the scores of the last."""

    faces: Boxes
    pnet: Boxes
    rnet: Boxes
    boxes: Boxes
    scores: np.ndarray
    from_truth: Boxes
    scores_from_truth: np.ndarray


def look(detector: Detector, path: Path, faces: Boxes) -> Found:
    """Search a frame, and ask ONet about the true squares as well."""
    backend, settings = (
        detector.backend(load_image(path)[None]),
        detector.settings,
    )
    steps = dict(run_cascade(backend, settings))
    proposed, refined, finished = (steps[step] for step in ("rnet_input", "onet_input", "onet_nms"))
    given = onet_boxes(backend, as_candidates(faces), settings)
    truth = onet_nms(given, settings)
    return Found(
        faces,
        proposed.boxes.astype(np.float64),
        refined.boxes.astype(np.float64),
        finished.boxes.astype(np.float64),
        finished.scores.astype(np.float64),
        truth.boxes.astype(np.float64),
        truth.scores.astype(np.float64),
    )


def as_candidates(faces: Boxes) -> Candidates:
    """Return the squares of the true boxes as if an ideal RNet had proposed them."""
    boxes = (square(faces) + [1, 1, 0, 0]).astype(np.float32)
    count = len(boxes)
    ones, index = np.ones(count, np.float32), np.zeros(count, np.int64)
    return Candidates(boxes, ones, index, boxes, boxes[:, :0])


def recall(found: list[Found], stage: Callable[[Found], Boxes], squared: bool, at: float) -> float:
    hits = faces = 0
    for each in found:
        truth = square(each.faces) if squared else each.faces
        hits += int((iou(truth, stage(each)).max(axis=1, initial=0) >= at).sum())
        faces += len(truth)
    return hits / faces


def average_precision(
    found: list[Found], detections: list[tuple[Boxes, np.ndarray]]
) -> dict[str, float]:
    ranking = Ranking.of(*zip(*detections, strict=True))
    return measure(ranking, TrueBoxes.of(each.faces for each in found), len(found)).ap


def mend(each: Found, what: str) -> tuple[Boxes, np.ndarray]:
    """Return the detections of a frame without one kind of error."""
    boxes, scores = each.boxes.copy(), each.scores
    if not len(each.faces):
        keep = np.full(len(boxes), what != "background")
        return boxes[keep], scores[keep]
    overlap = iou(boxes, each.faces)
    best, face = overlap.max(axis=1), overlap.argmax(axis=1)
    first = np.zeros(len(boxes), bool)
    first[np.unique(face, return_index=True)[1]] = True
    if what == "localisation":
        near = (best >= BACKGROUND) & first
        boxes[near] = each.faces[face[near]]
    keep = {
        "background": best >= BACKGROUND,
        "duplicates": first | (best < BACKGROUND),
    }.get(what, np.ones(len(boxes), bool))
    return boxes[keep], scores[keep]


def report(found: list[Found]) -> None:
    stages: dict[str, tuple[Callable[[Found], Boxes], bool]] = {
        "PNet, squares": (lambda each: each.pnet, True),
        "RNet, squares": (lambda each: each.rnet, True),
        "ONet, boxes": (lambda each: each.boxes, False),
        "ONet from true squares": (lambda each: each.from_truth, False),
    }
    print("recall at IoU          " + "".join(f"{at:>8}" for at in RECALLS))
    for name, (stage, squared) in stages.items():
        row = "".join(f"{recall(found, stage, squared, at):8.4f}" for at in RECALLS)
        print(f"{name:23}{row}")
    rows = {"as it is": [(each.boxes, each.scores) for each in found]}
    rows["with true squares"] = [(each.from_truth, each.scores_from_truth) for each in found]
    for what in ("localisation", "duplicates", "background"):
        rows[f"without {what}"] = [mend(each, what) for each in found]
    print()
    for name, detections in rows.items():
        figures = average_precision(found, detections)
        print(f"AP {name:22}" + "  ".join(f"{key} {value:.4f}" for key, value in figures.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", default="cartoon")
    options = parser.parse_args()
    frames: FaceDataset = load_dataset(options.data, part="test")
    detector = Detector.load(options.weights, "cpu")
    report([look(detector, frame.path, frame.boxes) for frame in frames])


if __name__ == "__main__":
    main()
