"""How a cascade does on a show that it was not trained on, and after a few frames of it.

    python benchmarks/shows.py ../shared/data --out figures left-out
    python benchmarks/shows.py ../shared/data --out figures few
    python benchmarks/shows.py ../shared/data --out figures adapt --rescorers FOLDER
    python benchmarks/shows.py ../shared/data --out figures measure --weights cartoon
    python benchmarks/shows.py ../shared/data --out figures picture --weights cartoon

``left-out`` trains on all shows but one, with drawn frames, and tests on the validation frames of
the one, for each show and seed.  ``few`` goes on from there with 12, 25, 50 and 100 random frames
of the show that was left out, ``adapt`` with 300 random frames of it, of which the annotations are
not used (``facetl adapt``); the faces are rescored by ``FOLDER/without_SHOW.onnx``, which
``benchmarks/rescorer.py`` makes without the show.  ``measure`` tests weights that are there.  Each
test has more parts: the show with skin of other colours and in grey, drawn people of one style
each (skin of four colours among them), and variants of a photograph, which show what was
forgotten.  ``picture`` draws one frame of each style, with what is found.

Figures are kept in ``figures/shows.json``; what is there is not done again, so that an interrupted
run can be resumed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facetl import Detector, FaceDataset, Weights, load_dataset, load_weights
from facetl.boxes import Boxes, iou
from facetl.cartoons import STYLES, draw_frame
from facetl.commands.adapt import AdaptRequest, adapt
from facetl.commands.cartoons import CartoonsRequest, cartoons
from facetl.commands.train import TrainRequest, train
from facetl.data.forgetting import photographs, without_colour
from facetl.data.formats.conversion import save_dataset
from facetl.data.formats.table import COURSE
from facetl.data.images import Pixels, load_image, save_image
from facetl.data.overlays import contact_sheet, draw_boxes, fit_panels
from facetl.evaluation.matching import Ranking, TrueBoxes
from facetl.evaluation.metrics import measure
from facetl.files import write_text
from facetl.mtcnn import rescoring
from facetl.training.skin import recolour_skin

SHOWS = ("dexter", "scooby", "flintstones")
SIZES = (12, 25, 50, 100)
UNLABELLED = 300
"""Frames of the show that was left out to adapt to, without their annotations."""
TESTED = 60
"""Drawn frames of each style to test on."""
COLUMNS = ("faces", "0.3", "0.5", "0.7", "0.5:0.95", "recall", "false per 100")
"""What is measured: AP by IoU, and at the weights' own score recall and false alarms (IoU 0.3)."""
PICTURED = 3
"""Which frame of each style is in the picture."""

Pictures = Iterable[tuple[Pixels, Boxes]]


@dataclass(frozen=True)
class Bench:
    """Figures on disk, and how to make more.

    Attributes:
        data: the folder of the shows.
        out: the folder of the figures, of the weights and of what is drawn.
        workers: work done side by side.
        label: what tells these trainings from those with the defaults.
        training: how they are trained, as options of ``facetl train``.
        limit: how many random frames of each show they are trained on; 0: all.
    """

    data: Path
    out: Path
    workers: int
    label: str
    training: dict[str, Any]
    limit: int

    @property
    def path(self) -> Path:
        return self.out / "shows.json"

    def figures(self) -> dict[str, Any]:
        return json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}

    def train(self, name: str, folders: tuple[Path, ...], seed: int, **how: Any) -> Path:
        """Return weights trained on folders, those that are there if they are finished."""
        name += self.label
        out = self.out / f"{name.replace(' ', '_')}.safetensors"
        if name in self.figures():
            return out
        began = time.perf_counter()
        resume = out.with_name(f"{out.name}.work").exists()
        request = TrainRequest(
            data=folders,
            out=out,
            seed=seed,
            workers=self.workers,
            resume=resume,
            force=not resume,
            **{**self.training, **how},
        )
        train(request)
        self.note(name, seconds=time.perf_counter() - began)
        return out

    def adapt(self, name: str, frames: Path, start: Path, seed: int) -> Path:
        """Return weights adapted to unlabelled frames, those that are there if they are."""
        name += self.label
        out = self.out / f"{name.replace(' ', '_')}.safetensors"
        if name not in self.figures():
            began = time.perf_counter()
            request = AdaptRequest(
                (frames,), out, str(start), UNLABELLED, seed=seed, workers=self.workers, force=True
            )
            said = adapt(request).describe()
            self.note(name, seconds=time.perf_counter() - began, said=said)
        return out

    def test(self, name: str, weights: Weights, shows: Sequence[str]) -> None:
        """Measure weights on shows, on drawn styles and on photographs; print a table."""
        name += self.label
        tests = dict(self.figures().get(name, {}).get("tests", {}))
        print(f"\n{name}\n\n| | {' | '.join(COLUMNS)} |\n|---{'|---' * len(COLUMNS)}|")
        for title, pictures in self.tests(shows):
            if title not in tests:
                tests[title] = figures_of(weights, pictures)
                self.note(name, tests=tests)
            print(f"| {title} | {' | '.join(map(str, tests[title].values()))} |", flush=True)

    def tests(self, shows: Sequence[str]) -> Iterator[tuple[str, Pictures]]:
        """Yield what is tested on: its title and the pictures with their faces."""
        for show in shows:
            frames = load_dataset(self.data / show, part="test")
            yield show, pictures_of(frames)
            yield f"{show}, other skin", recoloured(frames)
            grey = ((without_colour(pixels), faces) for pixels, faces in pictures_of(frames))
            yield f"{show}, grey", grey
        for style in STYLES:
            yield style, pictures_of(load_dataset(self.drawn(style), part="test"))
        yield "photographs", photographs()

    def drawn(self, style: str) -> Path:
        folder = self.out / "drawn" / style
        if not folder.exists():
            cartoons(CartoonsRequest(folder, 1, TESTED, 77, self.workers, style))
        return folder

    def others(self, show: str, seed: int) -> tuple[Path, ...]:
        """Return the folders of all shows but one, or of as many frames of each as are wanted."""
        others = [other for other in SHOWS if other != show]
        if self.limit:
            return tuple(self.few(other, self.limit, seed) for other in others)
        return tuple(self.data / other for other in others)

    def few(self, show: str, size: int, seed: int) -> Path:
        """Return a folder of so many random training frames of a show."""
        folder = self.out / "few" / f"{show}_{size}_{seed}"
        if not folder.exists():
            frames = load_dataset(self.data / show)
            chosen = np.random.default_rng(seed).permutation(len(frames))[:size]
            few = [frames.frames[place] for place in sorted(chosen)]
            save_dataset(folder, COURSE, {"train": few}, "link")
        return folder

    def note(self, name: str, **facts: Any) -> None:
        figures = self.figures()
        figures[name] = {**figures.get(name, {}), **facts}
        write_text(self.path, json.dumps(figures, indent=1) + "\n")


def pictures_of(frames: FaceDataset) -> Pictures:
    return ((load_image(frame.path), frame.boxes) for frame in frames)


def recoloured(frames: FaceDataset) -> Pictures:
    for place, (pixels, faces) in enumerate(pictures_of(frames)):
        yield recolour_skin(pixels, faces, np.random.default_rng(place)), faces


def figures_of(weights: Weights, pictures: Pictures) -> dict[str, float]:
    """Return AP by IoU, and at the weights' own score the recall and false alarms a hundred."""
    detector = Detector(weights)
    found, truth = [], []
    for pixels, boxes in pictures:
        found.append(detector.detect(pixels))
        truth.append(boxes)
    ranking = Ranking.of([each.boxes for each in found], [each.scores for each in found])
    metrics = measure(ranking, TrueBoxes.of(truth), len(found))
    shown = metrics.curve.scores >= detector.score
    hits = int(metrics.curve.hits[shown].sum())
    values = (
        metrics.faces,
        *(round(each, 3) for each in metrics.ap.values()),
        round(hits / max(metrics.faces, 1), 3),
        round(100 * (int(shown.sum()) - hits) / len(found), 1),
    )
    return dict(zip(COLUMNS, values, strict=True))


def left_out(bench: Bench, shows: list[str], seeds: list[int]) -> None:
    for seed in seeds:
        for show in shows:
            others = bench.others(show, seed)
            name = f"without {show} seed {seed}"
            bench.test(name, load_weights(bench.train(name, others, seed)), [show])


def few(bench: Bench, shows: list[str], seeds: list[int], sizes: list[int]) -> None:
    """Go on from the weights that have not seen a show, with a few of its frames."""
    for seed in seeds:
        for show in shows:
            start = bench.train(f"without {show} seed {seed}", bench.others(show, seed), seed)
            for size in sizes:
                name = f"{size} of {show} seed {seed}"
                folder = bench.few(show, size, seed)
                path = bench.train(name, (folder,), seed, start=str(start), with_cartoons=0)
                bench.test(name, load_weights(path), [show])


def adapt_each(bench: Bench, shows: list[str], seeds: list[int], rescorers: Path) -> None:
    """Adapt the weights that have not seen a show to unlabelled frames of it, and measure both."""
    for seed in seeds:
        for show in shows:
            name = f"without {show} seed {seed}"
            start = bench.train(name, bench.others(show, seed), seed)
            bench.test(name, load_weights(start), [show])
            frames = bench.few(show, UNLABELLED, seed)
            rescoring.MODEL = rescorers / f"without_{show}.onnx"
            name = f"{UNLABELLED} unlabelled of {show} seed {seed}"
            bench.test(name, load_weights(bench.adapt(name, frames, start, seed)), [show])


def picture(bench: Bench, weights: str) -> Path:
    """Draw one frame of each style with what is found, green, and the faces missed, red."""
    detector = Detector(load_weights(weights))
    cells = []
    for style in STYLES:
        frame = draw_frame(7, "test", PICTURED, style)
        found = detector.detect(frame.image)
        boxes = found.boxes[found.scores >= detector.score]
        missed = frame.boxes[(iou(frame.boxes, boxes) < 0.5).all(axis=1)]
        drawn = draw_boxes(frame.image, boxes, colour="#00C853", thickness=4)
        drawn = draw_boxes(drawn, missed, colour="#FF1744", thickness=4)
        cells.append(fit_panels(drawn, 1, 320)[0])
    out = bench.out / "styles.png"
    save_image(out, contact_sheet(cells, 5, titles=list(STYLES)))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder of the shows")
    parser.add_argument("what", choices=["left-out", "few", "adapt", "measure", "picture"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=SHOWS, default=list(SHOWS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--drawn", type=int, default=1600, help="drawn frames in each training")
    parser.add_argument("--limit", type=int, default=0, help="frames of each show; 0: all")
    parser.add_argument("--skin", type=float, default=0.0)
    parser.add_argument("--epochs", type=int, nargs=3)
    parser.add_argument("--weights", nargs="+", default=["cartoon"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rescorers", type=Path, help="the folder of those that left a show out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    training: dict[str, Any] = {"with_cartoons": options.drawn}
    label = "" if options.drawn == 1600 else f", {options.drawn} drawn"
    if options.limit:
        label += f", {options.limit} frames of each"
    if options.skin:
        training["skin"] = options.skin
        label += f", skin {options.skin:g}"
    if options.epochs:
        training["epochs"] = tuple(options.epochs)
        label += f", epochs {' '.join(map(str, options.epochs))}"
    bench = Bench(options.data, options.out, options.workers, label, training, options.limit)
    if options.what == "left-out":
        left_out(bench, options.only, options.seeds)
    elif options.what == "few":
        few(bench, options.only, options.seeds, options.sizes)
    elif options.what == "adapt":
        if not options.rescorers:
            parser.error("found no --rescorers; the one that facetl brings knows all shows")
        adapt_each(bench, options.only, options.seeds, options.rescorers)
    elif options.what == "picture":
        print(picture(bench, options.weights[0]))
    else:
        for source in options.weights:
            weights = load_weights(source)
            name = f"{Path(source).stem} {weights.fingerprint[:6]} from {weights.settings.score:g}"
            bench.test(name, weights, options.only)


if __name__ == "__main__":
    main()
