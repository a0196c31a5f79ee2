"""facetl's detector beside facenet-pytorch's, over the same images in one run.

    python benchmarks/detect.py [FRAMES] [--count 40] [--repeats 3]

Without FRAMES, the built-in cartoon is drawn.  Both take turns, image by image list, and the
medians of their times are compared; the run fails if their boxes differ by more than 0.01 px,
their scores by more than 1e-4, or their counts at all.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image

from facetl import Detections, Detector, draw_frame, load_image
from facetl.data.images import image_paths

THRESHOLDS = {"default": (0.6, 0.7, 0.7), "loose": (0.1, 0.2, 0.2)}


def load_frames(folder: Path | None, count: int) -> list[Image.Image]:
    if folder is None:
        return [Image.fromarray(draw_frame(1, "benchmark", i).image) for i in range(count)]
    return [Image.fromarray(load_image(path)) for path in image_paths(folder)[:count]]


def search_with_peer(frames: list[Image.Image], peer: MTCNN) -> list[Detections]:
    found = []
    for frame in frames:
        boxes, scores, landmarks = peer.detect(frame, landmarks=True)
        if boxes is None:
            found.append(Detections.empty())
            continue
        best_first = np.argsort(-scores, kind="stable")
        found.append(Detections.from_lists(boxes, scores, landmarks)[best_first])
    return found


def largest_difference(ours: list[Detections], theirs: list[Detections]) -> tuple[float, float]:
    if [len(each) for each in ours] != [len(each) for each in theirs]:
        return float("inf"), float("inf")
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if len(a)]
    boxes = max((float(abs(a.boxes - b.boxes).max()) for a, b in pairs), default=0.0)
    scores = max((float(abs(a.scores - b.scores).max()) for a, b in pairs), default=0.0)
    return boxes, scores


def compare(frames: list[Image.Image], thresholds: tuple[float, float, float], repeats: int) -> str:
    detector = Detector.load("pretrained", "cpu")
    peer = MTCNN(keep_all=True, thresholds=list(thresholds), device="cpu")
    times: dict[str, list[float]] = {"facetl": [], "facenet-pytorch": []}
    for _ in range(repeats):
        began = time.perf_counter()
        ours = detector.detect(frames, thresholds)
        middle = time.perf_counter()
        theirs = search_with_peer(frames, peer)
        times["facetl"].append((middle - began) / len(frames))
        times["facenet-pytorch"].append((time.perf_counter() - middle) / len(frames))
    boxes, scores = largest_difference(ours, theirs)
    if boxes > 0.01 or scores > 1e-4:
        sys.exit(f"the detectors differ: {boxes:g} px, {scores:g} in score")
    own, other = (statistics.median(values) * 1e3 for values in times.values())
    ratios = [b / a for a, b in zip(*times.values(), strict=True)]
    return (
        f"{own:7.1f} ms   {other:7.1f} ms   {statistics.median(ratios):4.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})   {sum(map(len, ours)):5}   "
        f"{boxes:.1e} px   {scores:.1e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", nargs="?", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # facenet-pytorch's, of torch.load and numpy
    frames = load_frames(arguments.frames, arguments.count)
    print(f"{len(frames)} frames, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print("thresholds      facetl   facenet-pytorch   times faster   faces   largest difference")
    for name, thresholds in THRESHOLDS.items():
        print(f"{name:10}  {compare(frames, thresholds, arguments.repeats)}")


if __name__ == "__main__":
    main()
