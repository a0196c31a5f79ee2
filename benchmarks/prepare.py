"""How fast patches are cut: the whole of ``facetl prepare``, and its way of cutting alone.

    python benchmarks/prepare.py [DATA] [--frames 400] [--workers 1 2]

Without DATA, frames of the built-in cartoon are drawn.  First whole preparations are timed,
decoding included, with the peak of memory.  Then the frames' windows are cut twice, in turns
frame by frame: with the integral image, and with one torch pooling per window as the tests'
reference does it; the run fails if a single pixel differs.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from facetl import (
    FaceDataset,
    Recipe,
    draw_frame,
    load_dataset,
    load_image,
    prepare_patches,
    save_annotations,
    save_image,
)
from facetl.training.preparation import _cut_pixels
from facetl.training.sampling import choose_windows, draw_pool

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))


def draw_dataset(folder: Path, count: int) -> FaceDataset:
    faces = {}
    for index in range(count):
        frame = draw_frame(1, "benchmark", index)
        name = f"{index:04}.jpg"
        save_image(folder / name, frame.image)
        faces[name] = frame.boxes, [None] * len(frame.boxes)
    save_annotations(folder / "faces.txt", faces)
    return load_dataset(folder)


def peak_megabytes() -> float:
    """Return the most memory held so far; the system counts in KiB, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def time_whole(dataset: FaceDataset, workers: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        made = prepare_patches(dataset, Path(folder) / "pnet.patches", workers=workers)
        seconds = time.perf_counter() - began
    return (
        f"workers {workers}: {made.frames} frames in {seconds:.1f} s, "
        f"{made.frames / seconds:.0f} frames/s, peak of memory {peak_megabytes():.0f} MB"
    )


def compare_cutting(dataset: FaceDataset) -> str:
    from reference_sampling import cut_one

    seconds = {"integral image": 0.0, "one by one": 0.0}
    for index, frame in enumerate(dataset):
        image, chance = load_image(frame.path), np.random.default_rng(index)
        pool = draw_pool(frame.boxes, frame.size_hw, Recipe(), chance)
        windows = choose_windows(pool, frame.boxes, Recipe()).windows
        began = time.perf_counter()
        fast = _cut_pixels(image, windows, 12, padding=True)
        between = time.perf_counter()
        slow = [cut_one(image, window, 12, padding=True) for window in windows.tolist()]
        seconds["integral image"] += between - began
        seconds["one by one"] += time.perf_counter() - between
        if not np.array_equal(fast, slow):
            sys.exit(f"{frame.name}: the two ways of cutting differ")
    each = {name: 1000 * total / len(dataset) for name, total in seconds.items()}
    gain = each["one by one"] / each["integral image"]
    times = ", ".join(f"{name} {milliseconds:.2f} ms" for name, milliseconds in each.items())
    return f"cutting a frame's windows: {times}: {gain:.1f} times as fast, same pixels"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--frames", type=int, default=400, help="0 for all of DATA")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.data is None:
            dataset = draw_dataset(Path(folder), arguments.frames)
        else:
            dataset = load_dataset(arguments.data)
            dataset = FaceDataset(dataset.frames[: arguments.frames or None])
        for workers in arguments.workers:
            print(time_whole(dataset, workers))
        print(compare_cutting(dataset))


if __name__ == "__main__":
    main()
