"""The runner that ``facetl export --onnx`` writes, beside facetl's engines, over the same images.

    python benchmarks/onnx_runner.py [FRAMES] [--count 40] [--repeats 5] [--weights cartoon]

From files to boxes with one thread, processor time.  Without FRAMES, the built-in cartoon is drawn.
All take turns; medians are printed, and in how many images each engine finds what the runner
finds, within 0.01 px and 1e-4 in score.  (Where many windows score 1, the last bit of a score
decides which of them wins, so that facetl's own engines may differ on one image in a few dozen.)
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from facetl import Detections, Detector, draw_frame, load_weights
from facetl.data.images import image_paths, save_image
from facetl.mtcnn.engines import why_not
from facetl.mtcnn.onnx_export import save_onnx
from facetl.run_onnx import Cascade, load_image

Search = Callable[[], list[Detections]]
ENGINES: tuple[str, ...] = ("torch",)
if not why_not("native", "cpu"):
    ENGINES += ("native",)


def search_with_runner(cascade: Cascade, paths: Sequence[Path]) -> list[Detections]:
    return [Detections.from_lists(*cascade.detect(load_image(path))) for path in paths]


def is_same(found: Detections, other: Detections) -> bool:
    if len(found) != len(other):
        return False
    boxes, scores = abs(found.boxes - other.boxes), abs(found.scores - other.scores)
    return bool(boxes.max(initial=0) <= 0.01 and scores.max(initial=0) <= 1e-4)


def compare(searches: dict[str, Search], repeats: int, images: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in searches}
    found: dict[str, list[Detections]] = {}
    for _ in range(repeats):
        for name, search in searches.items():
            time.sleep(0.3)  # threads of the one before have to stop spinning
            began = time.process_time()
            found[name] = search()
            times[name].append((time.process_time() - began) / images * 1e3)
    print(f"{'runner':8} {statistics.median(times['runner']):7.1f} ms an image")
    for name in ENGINES:
        ratios = [runner / own for runner, own in zip(times["runner"], times[name], strict=True)]
        same = sum(map(is_same, found[name], found["runner"]))
        print(
            f"{name:8} {statistics.median(times[name]):7.1f} ms, {statistics.median(ratios):.2f} "
            f"times as fast ({min(ratios):.2f} to {max(ratios):.2f}); same in {same} of {images}"
        )


@contextmanager
def frames_of(folder: Path | None, count: int) -> Iterator[list[Path]]:
    if folder is not None:
        yield image_paths(folder)[:count]
        return
    with tempfile.TemporaryDirectory() as drawn:
        for index in range(count):
            image = draw_frame(seed=1, part="test", index=index).image
            save_image(Path(drawn) / f"{index:03d}.jpg", image)
        yield image_paths(Path(drawn))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("frames", nargs="?", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--weights", default="cartoon")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as networks, frames_of(given.frames, given.count) as paths:
        save_onnx(Path(networks), load_weights(given.weights))
        torch.set_num_threads(1)
        cascade = Cascade(networks, threads=1)
        searches: dict[str, Search] = {"runner": lambda: search_with_runner(cascade, paths)}
        for engine in ENGINES:
            detector = Detector.load(given.weights, "cpu", engine)
            detector.detect(paths[:1])
            searches[engine] = lambda own=detector: own.detect(paths, workers=1)  # type: ignore[misc]
        print(f"{len(paths)} images, {given.weights} weights, one thread, processor time")
        compare(searches, given.repeats, len(paths))


if __name__ == "__main__":
    main()
