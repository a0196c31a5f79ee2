"""What a longer search gains: AP, false alarms at equal recall, and time, of settings and tricks.

    python benchmarks/presets.py DATA [DATA …] --weights cartoon [--frames 250] [--first 0]

DATA are folders of annotated frames, of which every n-th training frame is searched.  Each way of
searching adds something to what the weights recommend:

* settings of facetl: ``rnet_weight``, thresholds, the factor of the pyramid, ``mirrored``;
* another view, and both views' scores fused as the mirror image's are, or the best one taken;
* ONet asked again, once or twice, in the square around each box that it gave: all boxes vote.

With ``--fast`` each way leaves something out: small faces, levels of the pyramid, windows.

Times are processor time of one thread, from pixels to boxes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl import Detector, load_dataset, load_image
from facetl.data.frame import Frame
from facetl.evaluation.matching import Ranking, TrueBoxes
from facetl.evaluation.metrics import Metrics, measure
from facetl.mtcnn.backend import Backend
from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.detector import onet_boxes, onet_nms, run_until
from facetl.mtcnn.fusion import VIEWS, fuse_views, turn_back, with_mirrored
from facetl.mtcnn.geometry import square
from facetl.palette import LUMA
from facetl.search.settings import Settings

RECALLS = (0.8, 0.85, 0.9)
LOW = (0.05, 0.05, 0.05)


def with_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return each image and, after it, the same in grey."""
    grey = (pixels @ np.array(LUMA)).round().astype(np.uint8)
    both = np.stack([pixels, np.broadcast_to(grey[..., None], pixels.shape)], axis=1)
    return both.reshape(-1, *pixels.shape[1:])


def as_it_is(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels


@dataclass(frozen=True)
class Way:
    """A way of searching.

    Attributes:
        name: what is added to the search that the weights recommend.
        changes: of settings.
        views: adds views of images.
        fused: whether the scores of two views are fused; else the best one counts.
        looks: how often ONet is asked again.
    """

    name: str
    changes: dict[str, Any]
    views: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = as_it_is
    fused: bool = True
    looks: int = 0

    def search(self, detector: Detector, pixels: NDArray[np.uint8]) -> Candidates:
        """Return the faces in one image, (1, H, W, 3)."""
        settings = replace(detector.settings, **self.changes)
        if settings.mirrored:
            return plain_search(detector, pixels, settings)
        backend = detector.backend(self.views(pixels))
        squares = run_until("onet_input", backend, settings)
        found = onet_boxes(backend, squares, settings)
        found = Candidates.concatenate([found, *again(backend, found, settings, self.looks)])
        return onet_nms(self._as_one(found, backend), settings)

    def _as_one(self, found: Candidates, backend: Backend) -> Candidates:
        if self.views is with_mirrored:
            found = turn_back(found, backend.size_hw[1])
        if backend.count < VIEWS:
            return found
        if self.fused:
            return fuse_views(found)
        return replace(found, image_index=found.image_index // VIEWS)


def plain_search(detector: Detector, pixels: NDArray[np.uint8], settings: Settings) -> Candidates:
    (search,) = detector.search([pixels[0]], settings)
    found = search.detections
    index = np.zeros(len(found), np.int64)
    return Candidates(found.boxes, found.scores, index, found.boxes, found.boxes[:, :0])


def again(
    backend: Backend, found: Candidates, settings: Settings, looks: int
) -> Iterator[Candidates]:
    """Yield where ONet sees the faces from where it saw them, with their first scores."""
    for _ in range(looks):
        shown = found.valid().moved_to(square(found.valid().boxes))
        seen = onet_boxes(backend, shown, settings)
        if len(seen) < len(shown):  # a square out of sight: rare, and nothing to see
            return
        found = replace(seen, scores=shown.scores)
        yield found


def ways() -> Iterator[Way]:
    yield Way("nothing", {})
    for weight in (0.25, 0.5, 0.75, 1.0):
        yield Way(f"rnet_weight {weight:g}", {"rnet_weight": weight})
    for weight in (0.0, 0.5):
        yield from (
            replace(way, name=f"rnet_weight {weight:g}, {way.name}") for way in tricks(weight)
        )
    for weight in (0.25, 0.75, 1.0):
        yield Way(f"rnet_weight {weight:g}, mirrored", {"rnet_weight": weight, "mirrored": True})


def coarser() -> Iterator[Way]:
    """Yield searches that leave out something, for those who have no time."""
    passing = ((0.2, 0.1), (0.3, 0.2), (0.4, 0.2), (0.5, 0.3))
    for side, factor, (pnet, rnet) in product((20, 24, 28, 32, 36), (0.709, 0.6), passing):
        changes = {"min_face": side, "factor": factor, "thresholds": (pnet, rnet, 0.1)}
        yield Way(f"min_face {side}, factor {factor}, thresholds {pnet} {rnet}", changes)


def tricks(rnet_weight: float) -> Iterator[Way]:
    own: dict[str, Any] = {"rnet_weight": rnet_weight}
    both = {**own, "mirrored": True}
    yield Way("thresholds 0.05", {**own, "thresholds": LOW})
    yield Way("factor 0.79", {**own, "factor": 0.79})
    yield Way("factor 0.84", {**own, "factor": 0.84})
    yield Way("a second look", own, looks=1)
    yield Way("a second and a third look", own, looks=2)
    yield Way("grey as well", own, with_grey)
    yield Way("mirrored, the better score", own, with_mirrored, fused=False)
    yield Way("mirrored", both)
    yield Way("mirrored, thresholds 0.05", {**both, "thresholds": LOW})
    yield Way("mirrored, factor 0.84", {**both, "factor": 0.84})
    yield Way("mirrored, three looks", own, with_mirrored, looks=2)


def sample(data: Path, count: int, first: float) -> list[Frame]:
    """Return ``count`` frames at even distances, from a share of that distance on."""
    frames = list(load_dataset(data))
    step = max(1.0, len(frames) / count)
    places = [int((number + first) * step) for number in range(min(count, len(frames)))]
    return [frames[place] for place in places]


def try_way(detector: Detector, way: Way, frames: Sequence[Frame]) -> tuple[Metrics, float]:
    """Return the figures of a way of searching, and its seconds a frame."""
    boxes, scores, seconds = [], [], 0.0
    for frame in frames:
        pixels = load_image(frame.path)[None]
        began = time.process_time()
        found = way.search(detector, pixels)
        seconds += time.process_time() - began
        boxes.append(found.boxes.astype(np.float64))
        scores.append(found.scores.astype(np.float64))
    faces = TrueBoxes.of([each.boxes for each in frames], [each.ignored for each in frames])
    return measure(Ranking.of(boxes, scores), faces, len(frames)), seconds / len(frames)


def false_alarms(metrics: Metrics, recall: float) -> float:
    """Return the false alarms per hundred frames where so many faces are found."""
    curve = metrics.curve
    reached = np.flatnonzero(curve.recall >= recall)
    return curve.false_alarms[reached[0]] / metrics.frames * 100 if len(reached) else np.nan


def describe(metrics: Metrics) -> str:
    ap = " / ".join(f"{value:.3f}" for value in metrics.ap.values())
    wrong = " / ".join(f"{false_alarms(metrics, recall):.1f}" for recall in RECALLS)
    return f"{ap} | {wrong}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--weights", default="cartoon")
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--fast", action="store_true", help="try coarser searches alone")
    parser.add_argument("--first", type=float, default=0.0, help="share of a step to begin with")
    options = parser.parse_args()
    detector = Detector.load(options.weights, "cpu")
    shows = [sample(data, options.frames, options.first) for data in options.data]
    heads = [f"{data.name}, AP | false alarms" for data in options.data]
    print("|", " | ".join(["what is added", *heads, "mean AP", "ms a frame"]), "|")
    print("|---" * (2 * len(heads) + 3) + "|")
    for way in [Way("nothing", {}), *coarser()] if options.fast else ways():
        tried = [try_way(detector, way, frames) for frames in shows]
        mean = np.mean([list(metrics.ap.values()) for metrics, _ in tried], axis=0)
        cells = [way.name, *(describe(metrics) for metrics, _ in tried)]
        cells += [" / ".join(f"{value:.3f}" for value in mean)]
        cells += [f"{np.mean([seconds for _, seconds in tried]) * 1e3:.1f}"]
        print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
