"""What accuracy costs in time: AP against milliseconds a frame, from files, on all cores.

    python benchmarks/frontier.py DATA [--weights cartoon] [--repeats 3] [--out docs/frontier.png]

Searches the test frames of DATA with each engine and with pyramids and thresholds from thorough
to hasty.  All take turns, and the median of their times counts.  YOLO11n and YOLOv8n are timed in
the same run where ``ultralytics`` is installed: with random weights, for time alone.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from matplotlib.ticker import MultipleLocator

from facetl import Detector, FaceDataset, evaluate, load_dataset
from facetl.cores import usable_cores
from facetl.evaluation.report.figures import Figure, styled
from facetl.evaluation.report.plots import save_plot
from facetl.mtcnn.engines import why_not
from facetl.palette import BLUE, GREEN, ORANGE
from facetl.results.detections import Run
from facetl.search.pipeline import NamedImage, SearchRun, search_list
from facetl.search.settings import Settings

COLOURS: dict[str, str] = {"torch": ORANGE, "native": BLUE, "half": GREEN}
PYRAMIDS = ((20.0, 0.709), (24.0, 0.709), (30.0, 0.709), (36.0, 0.709), (36.0, 0.6), (40.0, 0.6))
PNET_THRESHOLDS = (0.2, 0.4)
PEERS = ("yolo11n", "yolov8n")
PEER_SIDE = 480
OWN = ["0.3", "0.5", "0.7", "0.5:0.95"]


@dataclass
class Trial:
    """A way of searching, what it finds and how long it takes."""

    engine: str
    settings: Settings
    ap: dict[str, float] = field(default_factory=dict)
    milliseconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)


def engines() -> list[str]:
    cpu = "cpu"
    found: list[str] = ["torch"]
    found += ["native"] if not why_not("native", cpu) else []
    found += ["half"] if not why_not("half", cpu) else []
    return found


def trials_of(own: Settings) -> Iterator[Trial]:
    for engine in engines():
        for min_face, factor in PYRAMIDS:
            for threshold in PNET_THRESHOLDS:
                thresholds = (threshold, *own.thresholds[1:])
                settings = replace(own, thresholds=thresholds, min_face=min_face, factor=factor)
                if engine != "torch" or settings == own:
                    yield Trial(engine, settings)


def run(detector: Detector, trial: Trial, data: FaceDataset) -> None:
    """Search the frames from files; note the time and, the first time, the AP."""
    began = time.perf_counter()
    paths = [frame.path for frame in data]
    for _ in detector.search(paths, trial.settings, workers=usable_cores()):
        pass
    trial.milliseconds.append((time.perf_counter() - began) / len(data) * 1e3)
    if not trial.ap:
        named = [NamedImage(frame.name, frame.path) for frame in data]
        run = SearchRun("", detector, trial.settings)
        found = search_list([run], named, workers=usable_cores())
        frames = tuple(each.results[""] for each in found)
        trial.ap = dict(evaluate(Run("", run.described, frames), data).metrics.ap)


def peers() -> dict[str, Callable[[], float]]:
    """Return what times a forward pass of each peer, in milliseconds, if there are any."""
    try:
        from ultralytics import YOLO
    except ImportError:
        print("ultralytics is not installed: no peers")
        return {}
    image = torch.zeros(1, 3, PEER_SIDE, PEER_SIDE)

    def timer(network: torch.nn.Module) -> Callable[[], float]:
        @torch.inference_mode()
        def look() -> float:
            network(image)
            began = time.perf_counter()
            for _ in range(10):
                network(image)
            return (time.perf_counter() - began) * 100

        return look

    return {name: timer(YOLO(f"{name}.yaml").model.eval().fuse()) for name in PEERS}


def plot(trials: Sequence[Trial], times: dict[str, float], iou: str) -> Figure:
    with styled():
        figure = Figure(figsize=(8.0, 4.8))
        axes = figure.subplots()
        for engine, colour in COLOURS.items():
            own = [trial for trial in trials if trial.engine == engine]
            axes.scatter(
                [trial.median for trial in own],
                [trial.ap[iou] for trial in own],
                color=colour,
                s=36,
                label=f"engine {engine}",
                zorder=3,
            )
        for name, side in zip(times, cycle(("right", "left")), strict=False):
            milliseconds = times[name]
            axes.axvline(milliseconds, color="#888888", linestyle=":", linewidth=1)
            axes.annotate(
                f"{name} (time only)",
                (milliseconds, 0.02),
                xycoords=("data", "axes fraction"),
                xytext=(-4 if side == "right" else 4, 0),
                textcoords="offset points",
                rotation=90,
                ha=side,
                color="#666666",
            )
        axes.set_xscale("log")
        ticks = [2, 3, 4, 6, 10, 20, 40, 80]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("milliseconds a frame of 480×360, from file, all cores")
        axes.set_ylabel(f"AP, IoU {iou}")
        axes.yaxis.set_major_locator(MultipleLocator(0.005))
        axes.set_title("What accuracy costs in time")
        axes.legend(loc="upper right")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", default="cartoon")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--iou", choices=OWN, default="0.5:0.95")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    data = load_dataset(options.data, part="test")
    detectors = {name: Detector.load(options.weights, "cpu", name) for name in engines()}
    trials = list(trials_of(detectors["torch"].settings))
    yolos = peers()
    times: dict[str, list[float]] = {name: [] for name in yolos}
    for _ in range(options.repeats):
        for trial in trials:
            run(detectors[trial.engine], trial, data)
        for name, look in yolos.items():
            times[name].append(look())
    print("engine   min face  factor  PNet | AP 0.3    0.5    0.7   mean |     ms   frames/s")
    for trial in trials:
        own = trial.settings
        accuracy = " ".join(f"{trial.ap[iou]:.4f}" for iou in OWN)
        print(
            f"{trial.engine:8} {own.min_face:8.0f} {own.factor:7.3f} {own.thresholds[0]:5.1f} | "
            f"{accuracy} | {trial.median:6.2f} {1e3 / trial.median:10.0f}"
        )
    medians = {name: float(np.median(own)) for name, own in times.items()}
    for name, median in medians.items():
        print(f"{name:8} forward pass at {PEER_SIDE}×{PEER_SIDE}, {median:.1f} ms")
    if options.out:
        save_plot(options.out, plot(trials, medians, options.iou))


if __name__ == "__main__":
    main()
