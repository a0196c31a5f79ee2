"""The whole cascade, trained and measured: seeds, numbers of frames, and shows it never saw.

    python benchmarks/cascade.py ../shared/data/dexter --out figures seeds
    python benchmarks/cascade.py ../shared/data/dexter --out figures curve
    python benchmarks/cascade.py ../shared/data/dexter --out figures shows

``seeds`` trains on all frames with the defaults of ``facetl train`` and shows where the time
goes; ``curve`` on a few random frames; ``shows`` leaves one character's folder out and tests
on it, and exchanges drawn and real frames.  Figures are kept in ``figures/cascade.json``: what is
there is not done again, so a run that was broken off goes on.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from facetl import FaceDataset, Weights, evaluate, load_dataset, load_weights
from facetl.commands.cartoons import CartoonsRequest, cartoons
from facetl.evaluation.report.figures import Figure, styled
from facetl.evaluation.report.plots import PALETTE, save_plot
from facetl.files import write_text
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.weights import save_weights
from facetl.results.detections import Run
from facetl.search.pipeline import NamedImage, SearchRun, search_list
from facetl.training.cascade import Training, Workshop
from facetl.training.checkpoint import Checkpoint
from facetl.training.plan import CascadePlan, Step
from facetl.training.preparation import FrameCut, Preparation, Unreadable
from facetl.training.progress import Watcher
from facetl.training.stages import STAGE_FACTS

DEFAULT_EPOCHS = [facts.training.epochs for facts in STAGE_FACTS.values()]
SIZES = (10, 25, 50, 100, 200, 400)
DRAWN = 400


@dataclass
class Stopwatch(Watcher):
    """A watcher that adds up the seconds of every part."""

    seconds: dict[str, float] = field(default_factory=dict)
    _began: float = field(default_factory=time.perf_counter)

    def cutting(
        self, step: Step, frames: Iterator[FrameCut | Unreadable]
    ) -> Iterator[FrameCut | Unreadable]:
        return frames

    def has_cut(self, step: Step, preparation: Preparation) -> None:
        self._stop(f"{step.label} patches")

    def has_trained(self, step: Step, checkpoint: Checkpoint) -> None:
        self._stop(f"{step.label} training")

    def skips(self, step: Step) -> None:
        raise AssertionError("nothing is done before in a new folder")

    def _stop(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._began
        self._began = now


@dataclass(frozen=True)
class Bench:
    """Figures on disk, and how to make more.

    Attributes:
        label: what tells other plans' figures apart from those of the defaults.
    """

    out: Path
    workers: int
    plan: CascadePlan
    label: str = ""

    @property
    def path(self) -> Path:
        return self.out / "cascade.json"

    def figures(self) -> dict[str, Any]:
        return json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}

    def train(
        self, name: str, frames: FaceDataset, tests: dict[str, FaceDataset], seed: int = 1
    ) -> None:
        """Train and measure, unless the figures have it; say what came of it."""
        name += self.label
        if name in self.figures():
            return
        plan = replace(self.plan, seed=seed, frames=None).enriched(frames).stretched(frames)
        watch, began = Stopwatch(), time.perf_counter()
        with tempfile.TemporaryDirectory(dir=self.out) as folder:
            shop, cpu = Workshop(Path(folder)), "cpu"
            weights = Training(frames, plan, shop, watch, cpu, workers=self.workers).run().weights
        seconds = time.perf_counter() - began
        save_weights(self.out / f"{name.replace(' ', '_')}.safetensors", weights)
        self._note(
            name,
            weights,
            tests,
            {"seconds": seconds, "parts": watch.seconds, "frames": len(frames)},
        )

    def measure(self, name: str, weights: Weights, tests: dict[str, FaceDataset]) -> None:
        """Measure weights that are there, unless the figures have it."""
        if name not in self.figures():
            self._note(name, weights, tests, {})

    def _note(
        self, name: str, weights: Weights, tests: dict[str, FaceDataset], facts: dict[str, Any]
    ) -> None:
        found = {title: score(weights, frames) for title, frames in tests.items()}
        write_text(
            self.path, json.dumps({**self.figures(), name: {**facts, "ap": found}}, indent=1) + "\n"
        )
        for title, figures in found.items():
            row = "  ".join(f"{key} {value:.4f}" for key, value in figures.items())
            print(f"{name:28} on {title:14} {row}", flush=True)


def score(weights: Weights, frames: FaceDataset) -> dict[str, float]:
    detector = Detector(weights)
    run = SearchRun("", detector, detector.settings)
    named = [NamedImage(frame.name, frame.path) for frame in frames]
    found = tuple(each.results[""] for each in search_list([run], named, batch_size=8))
    return evaluate(Run("", run.described, found), frames).metrics.ap


def seeds(bench: Bench, data: Path, chosen: Sequence[int]) -> None:
    frames, test = load_dataset(data), load_dataset(data, part="test")
    for seed in chosen:
        bench.train(f"seed {seed}", frames, {"validation": test}, seed)
    done = [bench.figures()[f"seed {seed}{bench.label}"] for seed in chosen]
    for iou in done[0]["ap"]["validation"]:
        values = [each["ap"]["validation"][iou] for each in done]
        print(f"AP {iou}: mean {np.mean(values):.4f}, from {min(values):.4f} to {max(values):.4f}")
    for part, seconds in done[0]["parts"].items():
        print(f"{part:16} {seconds:6.0f} s  {seconds / done[0]['seconds']:.0%}")


def curve(bench: Bench, data: Path, drawn: int, seeds: Sequence[int]) -> None:
    frames, test = load_dataset(data), load_dataset(data, part="test")
    bench.measure("pretrained", load_weights("pretrained"), {"validation": test})
    cartoons = draw(bench, drawn)
    for size in SIZES:
        for seed in seeds:
            chosen = replace(bench.plan, frames=size, seed=seed).choose_frames(frames)
            mixed = chosen.joined(cartoons, "cartoons/") if drawn else chosen
            name = f"{size} frames seed {seed}" + (f" and {drawn} drawn" if drawn else "")
            bench.train(name, mixed, {"validation": test}, seed)
    save_plot(
        bench.out / "learning_curve.png", plot_learning_curve(learning_curve(bench.figures()))
    )


def plot_learning_curve(table: Mapping[int, Sequence[Mapping[str, float]]]) -> Figure:
    """Draw AP by number of annotated frames: a line an IoU threshold, a band over the seeds.

    Args:
        table: by number of frames, one mapping of AP by IoU threshold a seed; the entry of 0
            frames, the pretrained detector, becomes a dotted line.
    """
    sizes = sorted(size for size in table if size and table[size])
    with styled():
        figure = Figure(figsize=(7.0, 4.8))
        axes = figure.add_subplot()
        for iou, colour in zip(table[0][0], PALETTE, strict=False):
            values = [[seed[iou] for seed in table[size]] for size in sizes]
            means = [float(np.mean(each)) for each in values]
            axes.plot(sizes, means, "o-", color=colour, label=f"IoU {iou}")
            axes.fill_between(
                sizes, [*map(min, values)], [*map(max, values)], color=colour, alpha=0.2
            )
            axes.axhline(table[0][0][iou], color=colour, linewidth=1, linestyle=":")
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.set(xlabel="annotated frames (dotted: pretrained)", ylabel="AP", ylim=(0, 1.02))
        axes.set_title("How many frames have to be annotated")
        axes.legend(loc="lower right")
    return figure


def learning_curve(figures: dict[str, Any]) -> dict[int, list[dict[str, float]]]:
    """Return AP by number of real frames, 0 for pretrained, one entry a seed."""
    table = {0: [figures["pretrained"]["ap"]["validation"]]}
    for name, each in figures.items():
        if re.fullmatch(r"(\d+ frames )?seed \d+", name):
            table.setdefault(each["frames"], []).append(each["ap"]["validation"])
    return dict(sorted(table.items()))


def shows(bench: Bench, data: Path, drawn: int) -> None:
    frames, test = load_dataset(data), load_dataset(data, part="test")
    cartoons = draw(bench, drawn)
    bench.train("drawn", cartoons, {"real": test})
    for left_out in sorted({frame.name.split("/")[0] for frame in frames}):
        others = FaceDataset(tuple(f for f in frames if not f.name.startswith(f"{left_out}/")))
        own = FaceDataset(tuple(f for f in frames if f.name.startswith(f"{left_out}/"))[::3])
        others = bench.plan.choose_frames(others)
        bench.measure(f"pretrained on {left_out}", load_weights("pretrained"), {left_out: own})
        bench.train(f"without {left_out}", others, {left_out: own})
        mixed = others.joined(cartoons, "cartoons/")
        bench.train(f"without {left_out}, drawn", mixed, {left_out: own})


def draw(bench: Bench, count: int) -> FaceDataset:
    folder = bench.out / "cartoons"
    if not folder.exists():
        cartoons(CartoonsRequest(folder, max(count, 1), 100, seed=1, workers=bench.workers))
    return load_dataset(folder)


def describe(options: argparse.Namespace) -> str:
    """Return what is not as usual in a plan."""
    epochs = f", epochs {options.epochs}" if options.epochs != DEFAULT_EPOCHS else ""
    repaint = f", repaint {options.repaint:g}" if options.repaint is not None else ""
    return epochs + repaint + (f", {options.frames} frames" if options.frames else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("what", choices=["seeds", "curve", "shows"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--drawn", type=int, default=0)
    parser.add_argument("--epochs", type=int, nargs=3, default=DEFAULT_EPOCHS)
    parser.add_argument("--repaint", type=float)
    parser.add_argument("--frames", type=int, help="random frames of the shows")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    plan = CascadePlan.default().with_epochs(options.epochs)
    if options.repaint is not None:
        plan = plan.augmented(repaint=options.repaint)
    plan = replace(plan, frames=options.frames)
    bench = Bench(options.out, options.workers, plan, describe(options))
    if options.what == "seeds":
        seeds(bench, options.data, options.seeds)
    elif options.what == "curve":
        curve(bench, options.data, options.drawn, options.seeds)
    else:
        shows(bench, options.data, options.drawn or DRAWN)


if __name__ == "__main__":
    main()
