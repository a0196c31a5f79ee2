"""How a batch of images is seen: PNet over a level of its pyramid, RNet and ONet in windows.

A detector uses a :class:`Backend` and does the rest on arrays: thresholds, NMS, moving boxes.
There is one for torch (:mod:`facetl.mtcnn.torch_backend`), one for the compiled kernels
(:mod:`facetl.mtcnn.native`) and one for onnxruntime (:mod:`facetl.mtcnn.onnx_backend`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from facetl.mtcnn.candidates import Floats
from facetl.mtcnn.stages import Stage


class Cells(NamedTuple):
    """The cells of PNet's maps that pass, over the images of a batch.

    Those of one image come level by level, row by row.

    Attributes:
        places: (N, 2) float32 column and row in PNet's map.
        scores: (N,) in [0, 1].
        offsets: (N, 4) box minus window, as fractions of the window's side.
        image_index: (N,) int64.
        level: (N,) int64, which level of the pyramid.
    """

    places: Floats
    scores: Floats
    offsets: Floats
    image_index: NDArray[np.int64]
    level: NDArray[np.int64]


class WindowOutputs(NamedTuple):
    """What RNet or ONet gives for N windows.

    Attributes:
        scores: (N,) in [0, 1].
        offsets: (N, 4) box minus window, as fractions of the window's side.
        landmarks: (N, 10) as fractions of the window, x then y; (N, 0) of RNet.
    """

    scores: Floats
    offsets: Floats
    landmarks: Floats


class Backend(Protocol):
    """Images of one size, and networks that look at them.

    Attributes:
        size_hw: height and width in pixels.
        count: number of images.
    """

    size_hw: tuple[int, int]
    count: int

    def scan_pyramid(self, scales: Sequence[float], border: int, threshold: float) -> Cells:
        """Return PNet's cells that score at least ``threshold`` on the levels of a pyramid.

        Args:
            scales: of the levels, at least one.
            border: pixels of black around each level.
            threshold: least score.
        """

    def classify(
        self, stage: Stage, windows: NDArray[np.int64], image_index: NDArray[np.int64]
    ) -> WindowOutputs:
        """Return what RNet or ONet gives for (N, 4) windows of whole pixels of the images.

        What lies outside an image is black.
        """

    def describe(self, windows: NDArray[np.int64], image_index: NDArray[np.int64]) -> Floats:
        """Return (N, 256) features of (N, 4) windows of whole pixels: ONet's hidden dense layer.

        What lies outside an image is black.
        """


BackendFactory = Callable[[NDArray[np.uint8], int], Backend]
"""Takes (B, H, W, 3) images and how many threads may look at them; returns how they are seen."""
