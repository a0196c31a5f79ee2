"""Draw the picture at the top of the README from what ``facetl demo`` left.

    facetl demo --out demo
    python docs/before_after.py demo docs/before_after.jpg

Shows three frames in which the fine-tuned cascade finds more faces: pretrained above,
the whole cascade below.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from facetl import FrameResult, load_dataset, load_image, load_run, save_image
from facetl.boxes import iou
from facetl.data.overlays import FOUND, TRUTH, contact_sheet, draw_boxes

SCORE_THRESHOLD = 0.35
IOU_THRESHOLD = 0.5
FRAMES = 3
RUNS = ("pretrained", "whole-cascade")


def confident(result: FrameResult) -> FrameResult:
    keep = result.detections.scores >= SCORE_THRESHOLD
    return FrameResult(
        result.image, result.size_hw, result.detections[keep], result.candidates, result.seconds
    )


def hits_minus_false_alarms(result: FrameResult, faces: np.ndarray) -> int:
    overlap = iou(faces, result.detections.boxes.astype(float))
    found = int((overlap.max(axis=1, initial=0) >= IOU_THRESHOLD).sum())
    return 2 * found - len(result.detections)


def main() -> None:
    folder, target = map(Path, sys.argv[1:])
    frames = {frame.name: frame for frame in load_dataset(folder / "cartoons", part="test").frames}
    runs = [
        [confident(result) for result in load_run(path).frames]
        for path in (folder / "results" / f"{name}.detections.json" for name in RUNS)
    ]
    gains = [
        hits_minus_false_alarms(after, frames[after.image].boxes)
        - hits_minus_false_alarms(before, frames[before.image].boxes)
        for before, after in zip(*runs, strict=True)
    ]
    chosen = np.argsort(gains, kind="stable")[::-1][:FRAMES]
    panels = []
    for run in runs:
        for result in (run[place] for place in chosen):
            frame = frames[result.image]
            image = draw_boxes(load_image(frame.path), frame.boxes, colour=TRUTH, thickness=4)
            found = result.detections
            panels.append(draw_boxes(image, found.boxes, colour=FOUND, scores=found.scores))
    save_image(target, contact_sheet(panels, FRAMES), quality=85)


if __name__ == "__main__":
    main()
