"""The main road on annotated frames, over several seeds: what fine-tuning PNet brings.

    python benchmarks/main_road.py DATA [--seeds 1 2 3] [--workers 2]
    python benchmarks/main_road.py --cartoon [--seeds 1 2 3]

For each seed, patches are cut from the training frames of DATA and PNet is retrained, both with
the defaults of the commands; then the pretrained and the fine-tuned detector search the test
frames at the default thresholds.  Recall is that of PNet's proposals, squares against the
squares of the true faces.  With --cartoon each seed draws its own frames, as `facetl demo` does.
The run fails if a figure misses what facetl promises: on DATA an AP of 0.50, fewer than 150
proposals a frame, a PNet recall of 0.97 and under 3 minutes; on drawn frames a gain of 0.10 in AP.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facetl import (
    FaceDataset,
    FrameResult,
    Recipe,
    Run,
    Weights,
    evaluate,
    load_dataset,
    load_image,
    load_patches,
    load_weights,
    prepare_patches,
    train,
)
from facetl.boxes import iou, square
from facetl.commands.cartoons import CartoonsRequest, cartoons
from facetl.mtcnn.detector import Detector, run_until
from facetl.training.initialisation import build_starting_network
from facetl.training.patches import patches_path
from facetl.training.stages import STAGE_FACTS

Figures = dict[str, float]


def retrain(data: FaceDataset, seed: int, workers: int, epochs: int) -> tuple[Weights, Figures]:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        path = patches_path(Path(folder))
        recipe = Recipe().enriched(len(data), data.face_count, STAGE_FACTS["pnet"].least_patches)
        prepare_patches(data, path, recipe, seed=seed, workers=workers)
        middle = time.perf_counter()
        settings = replace(STAGE_FACTS["pnet"].training, seed=seed, epochs=epochs)
        network = build_starting_network("pnet", "pretrained", seed)
        *_, last = train(network, "pnet", load_patches(path), settings)
        seconds = {"prepare": middle - began, "train": time.perf_counter() - middle}
    return Weights({"pnet": last.best_weights}), seconds


def measure(weights: Weights, data: FaceDataset, images: list[NDArray[np.uint8]]) -> Figures:
    detector, settings = Detector(weights), weights.settings
    began = time.perf_counter()
    found = list(detector.search(images, settings))
    seconds = (time.perf_counter() - began) / len(images)
    frames = tuple(
        FrameResult(frame.name, frame.size_hw, each.detections, each.candidates, seconds)
        for frame, each in zip(data.frames, found, strict=True)
    )
    evaluation = evaluate(Run("", settings.to_json(), frames), data)
    names = {f"AP {key}": value for key, value in evaluation.metrics.ap.items()}
    return {
        **names,
        "AP course": evaluation.metrics.ap_course,
        "proposals": evaluation.proposals_per_frame,
        "PNet recall 0.5": proposal_recall(detector, data, images, 0.5),
        "PNet recall 0.65": proposal_recall(detector, data, images, 0.65),
        "s/frame": seconds,
    }


def proposal_recall(
    detector: Detector, data: FaceDataset, images: list[NDArray[np.uint8]], iou_threshold: float
) -> float:
    found = 0
    for frame, image in zip(data.frames, images, strict=True):
        backend = detector.backend(image[None])
        proposals = run_until("rnet_input", backend, detector.settings)
        overlap = iou(square(frame.boxes), proposals.boxes.astype(np.float64))
        found += int((overlap.max(axis=1, initial=0) >= iou_threshold).sum())
    return found / data.face_count


def data_for(
    folder: Path | None, seed: int, workers: int
) -> Iterator[tuple[FaceDataset, FaceDataset]]:
    """Yield training and test frames; drawn ones last until the caller goes on."""
    if folder is not None:
        yield load_dataset(folder), load_dataset(folder, part="test")
        return
    with tempfile.TemporaryDirectory() as place:
        cartoons(CartoonsRequest(Path(place), train=120, test=60, seed=seed, workers=workers))
        yield load_dataset(Path(place)), load_dataset(Path(place), part="test")


def missed(figures: Figures, gain: float, *, cartoon: bool) -> list[str]:
    """Return the promises that the figures of one seed do not keep."""
    promises = {"a gain of 0.10 in AP": gain >= 0.10}
    if not cartoon:
        promises = {
            "an AP of 0.50": figures["AP 0.3"] >= 0.50,
            "fewer than 150 proposals": figures["proposals"] < 150,
            "a PNet recall of 0.97": figures["PNet recall 0.5"] >= 0.97,
            "under 3 minutes": figures["prepare"] + figures["train"] < 180,
        }
    return [promise for promise, kept in promises.items() if not kept]


def print_row(title: str, figures: Figures) -> None:
    print(f"{title:14}" + "".join(f"  {name} {value:.4g}" for name, value in figures.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("data", nargs="?", type=Path)
    source.add_argument("--cartoon", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=STAGE_FACTS["pnet"].training.epochs)
    arguments = parser.parse_args()
    gains: list[float] = []
    broken: list[str] = []
    for seed in arguments.seeds:
        for training, test in data_for(arguments.data, seed, arguments.workers):
            images = [load_image(frame.path) for frame in test.frames]
            before = measure(load_weights("pretrained"), test, images)
            weights, seconds = retrain(training, seed, arguments.workers, arguments.epochs)
            after = measure(weights, test, images)
        after |= seconds
        gains.append(after["AP 0.3"] - before["AP 0.3"])
        print_row(f"{seed} pretrained", before)
        print_row(f"{seed} tuned", after)
        broken += [
            f"seed {seed}: {promise}"
            for promise in missed(after, gains[-1], cartoon=arguments.cartoon)
        ]
    spread = statistics.stdev(gains) if len(gains) > 1 else 0.0
    print(f"gain in AP 0.3: mean {statistics.mean(gains):.3f}, spread {spread:.3f}")
    if broken:
        sys.exit(f"not kept: {'; '.join(broken)}")


if __name__ == "__main__":
    main()
