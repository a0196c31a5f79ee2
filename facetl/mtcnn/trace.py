"""The way of one image through the cascade, every step of it kept to be looked at.

The steps are those of :func:`facetl.mtcnn.detector.run_cascade`, by which the detector searches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.data.images import Pixels
from facetl.mtcnn.backend import Backend
from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.candidates import Floats as Numbers
from facetl.mtcnn.detector import CascadeStep, Detector, border_of, run_cascade
from facetl.mtcnn.geometry import (
    PNET_STRIDE,
    PNET_WINDOW,
    as_windows,
    level_size,
    map_size,
    pnet_windows,
    pyramid_scales,
)
from facetl.mtcnn.rescoring import rescore
from facetl.results.detections import Floats
from facetl.run_onnx import add_up, resize
from facetl.search.settings import Settings

STEP_NAMES: Final[Mapping[CascadeStep, str]] = {
    "pnet_scan": "PNet passes",
    "pnet_nms": "NMS leaves",
    "rnet_input": "RNet is shown",
    "onet_input": "ONet is shown",
    "onet_nms": "ONet finds",
}
"""What a trace shows, and how it is named in tables and pictures."""


@dataclass(frozen=True, eq=False)
class Level:
    """A level of the image pyramid as PNet saw it.

    Attributes:
        scale: its size as a share of the image's.
        pixels: (h, w, 3) uint8, without the border.
        border: pixels of black around it that PNet saw as well.
        scores: (rows, columns) float32 in [0, 1], PNet's score of each window, 2 pixels apart.
    """

    scale: float
    pixels: Pixels
    border: int
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        height, width = self.pixels.shape[:2]
        expected = map_size((height + 2 * self.border, width + 2 * self.border))
        if self.scores.shape != expected:
            raise ValueError(f"expected scores of shape {expected}, got {self.scores.shape}")

    @property
    def window(self) -> float:
        """Side in pixels of the image of what PNet's window covers."""
        return PNET_WINDOW / self.scale


@dataclass(frozen=True, eq=False)
class _Remaining:
    """The candidates that are left after a step, best score first from PNet's NMS on.

    Boxes are half open and may leave the image; landmarks are (N, 5, 2) after ONet, (0, 5, 2)
    before.
    """

    boxes: Boxes
    scores: Floats
    landmarks: Floats

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, eq=False)
class Trace:
    """How one image was searched.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        settings: how the weights search.
        levels: of the image pyramid, largest first; none if the image is too small.
        steps: what was left after each step, in order.
        rescored: the faces that ONet finds, rescored; None if the settings do not ask for it.
    """

    image: Pixels
    settings: Settings
    levels: tuple[Level, ...]
    steps: Mapping[CascadeStep, _Remaining]
    rescored: _Remaining | None = None

    @property
    def windows(self) -> int:
        """How many windows PNet looked at, over all levels."""
        return sum(level.scores.size for level in self.levels)

    @property
    def shown(self) -> _Remaining:
        """The faces in the end that reach the score from which they are shown."""
        found = self.steps["onet_nms"] if self.rescored is None else self.rescored
        keep = found.scores >= self.settings.score
        return _Remaining(found.boxes[keep], found.scores[keep], found.landmarks[keep])

    def best_scores(self) -> NDArray[np.float32]:
        """Return (H, W) in [0, 1]: PNet's best score, over all levels, of a window around here.

        A window's score is painted where its middle is; 0 where no window has its middle.
        """
        best = np.zeros(self.image.shape[:2], np.float32)
        for level in self.levels:
            np.maximum(best, _spread(level, self.image.shape[:2]), out=best)
        return best


def trace_search(detector: Detector, image: Pixels, settings: Settings) -> Trace:
    """Search one (H, W, 3) RGB image as it is, not mirrored too, and keep every step.

    Args:
        detector: the cascade.
        image: (H, W, 3) uint8, RGB.
        settings: how to search.
    """
    backend = detector.backend(image[None])
    left = dict(run_cascade(backend, settings))
    steps = {
        step: _remaining(left[step], _windows_of(step, left[step].boxes)) for step in STEP_NAMES
    }
    rescored = None
    if settings.rescored:
        found = rescore(image, left["onet_nms"])
        rescored = _remaining(found, found.boxes)
    return Trace(image, settings, tuple(_levels(backend, image, settings)), steps, rescored)


def _score_maps(backend: Backend, settings: Settings) -> list[NDArray[np.float32]]:
    """Return PNet's scores of all windows of one image, (rows, columns) for each level.

    They come from the scan that gives the detector's candidates, with a threshold that all pass.
    """
    scales = pyramid_scales(backend.size_hw, settings.min_face, settings.factor)
    if not scales:
        return []
    border = border_of(settings)
    cells = backend.scan_pyramid(scales, border, 0.0)
    columns, rows = cells.places.astype(np.int64).T
    maps = []
    for number, scale in enumerate(scales):
        height, width = level_size(backend.size_hw, scale)
        own = cells.level == number
        found = np.zeros(map_size((height + 2 * border, width + 2 * border)), np.float32)
        found[rows[own], columns[own]] = cells.scores[own]
        maps.append(found)
    return maps


def _levels(backend: Backend, image: Pixels, settings: Settings) -> Iterator[Level]:
    sums = add_up(image)
    scales = pyramid_scales(backend.size_hw, settings.min_face, settings.factor)
    for scale, scores in zip(scales, _score_maps(backend, settings), strict=True):
        pixels = resize(sums, level_size(backend.size_hw, scale))[0].transpose(1, 2, 0)
        yield Level(scale, pixels.round().astype(np.uint8), border_of(settings), scores)


def _windows_of(step: CascadeStep, boxes: Numbers) -> Numbers:
    """Return the half-open boxes that those of candidates after a step stand for."""
    if step in ("pnet_scan", "pnet_nms"):
        return pnet_windows(boxes)
    return boxes if step == "onet_nms" else as_windows(boxes)


def _remaining(candidates: Candidates, boxes: Numbers) -> _Remaining:
    """Return candidates as arrays; ``boxes`` are theirs, half open."""
    landmarks = candidates.landmarks.reshape(-1, 2, 5).transpose(0, 2, 1)
    return _Remaining(boxes.astype(np.float64), candidates.scores, landmarks)


def _spread(level: Level, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Return (H, W): for each pixel of the image the score of the window with its middle there."""
    rows, columns = (
        _nearest(side, level, count)
        for side, count in zip(size_hw, level.scores.shape, strict=True)
    )
    framed = np.pad(level.scores, ((0, 1), (0, 1)))  # the last row and column: no window
    return framed[rows[:, None], columns]


def _nearest(side: int, level: Level, count: int) -> NDArray[np.int64]:
    """Return for each pixel of an edge which of ``count`` windows has its middle nearest.

    Window ``k`` starts at pixel ``2 k`` of the bordered level, and its middle stands for two
    pixels; ``count`` itself means none.
    """
    places = (np.arange(side) + 0.5) * level.scale + level.border
    nearest = np.floor((places - (PNET_WINDOW - PNET_STRIDE) / 2) / PNET_STRIDE).astype(np.int64)
    return np.where((nearest >= 0) & (nearest < count), nearest, count)
