"""Images seen by onnxruntime: the exact boxes where kernels were not built, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.errors import say_not_installed
from facetl.mtcnn.backend import BackendFactory, Cells, WindowOutputs
from facetl.mtcnn.candidates import Floats
from facetl.mtcnn.geometry import level_size
from facetl.mtcnn.layers import ONET_FEATURES, output_count
from facetl.mtcnn.onnx_export import FEATURES, build_model
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage
from facetl.mtcnn.weights import Weights
from facetl.run_onnx import add_up, crop, open_network, resize

_CROPS_AT_ONCE = 128
"""Windows scored together."""

_SAID_BY: dict[Stage, list[str]] = {
    "rnet": ["scores", "offsets"],
    "onet": ["scores", "offsets", "landmarks"],
}
_Sessions = Mapping[Stage, Any]
"""An ``onnxruntime.InferenceSession`` of each network."""


class _OnnxBackend:
    """Images, one after the other (see :class:`facetl.mtcnn.backend.Backend`)."""

    def __init__(self, sessions: _Sessions, pixels: NDArray[np.uint8]) -> None:
        self._sessions = sessions
        self._sums = [add_up(image) for image in pixels]
        self.count, height, width, _ = pixels.shape
        self.size_hw = (height, width)

    def scan_pyramid(self, scales: Sequence[float], border: int, threshold: float) -> Cells:
        """Return PNet's cells that pass on the levels of a pyramid."""
        found = [
            self._scan_level(image, level, scale, border, threshold)
            for image in range(self.count)
            for level, scale in enumerate(scales)
        ]
        return Cells(*map(np.concatenate, zip(*found, strict=True)))

    def classify(
        self, stage: Stage, windows: NDArray[np.int64], image_index: NDArray[np.int64]
    ) -> WindowOutputs:
        """Return what RNet or ONet gives for windows of whole pixels."""
        columns = np.empty((len(windows), output_count(stage)), np.float32)
        for image, sums in enumerate(self._sums):
            rows = np.flatnonzero(image_index == image)
            for some in np.split(rows, range(_CROPS_AT_ONCE, len(rows), _CROPS_AT_ONCE)):
                pixels = crop(sums, windows[some], INPUT_SIZES[stage])
                scores, *others = self._sessions[stage].run(_SAID_BY[stage], {"pixels": pixels})
                columns[some] = np.concatenate([scores[:, None], *others], axis=1)
        return WindowOutputs(columns[:, 0], columns[:, 1:5], columns[:, 5:])

    def describe(self, windows: NDArray[np.int64], image_index: NDArray[np.int64]) -> Floats:
        """Return the features of windows of whole pixels."""
        features = np.empty((len(windows), ONET_FEATURES), np.float32)
        for image, sums in enumerate(self._sums):
            rows = np.flatnonzero(image_index == image)
            for some in np.split(rows, range(_CROPS_AT_ONCE, len(rows), _CROPS_AT_ONCE)):
                pixels = crop(sums, windows[some], INPUT_SIZES["onet"])
                (features[some],) = self._sessions["onet"].run([FEATURES], {"pixels": pixels})
        return features

    def _scan_level(
        self, image: int, level: int, scale: float, border: int, threshold: float
    ) -> tuple[Floats, Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
        """Return the columns of one image's cells that pass on a level."""
        pixels = resize(self._sums[image], level_size(self.size_hw, scale))
        framed = np.pad(pixels, ((0, 0), (0, 0), (border, border), (border, border)))
        scores, offsets = self._sessions["pnet"].run(None, {"pixels": framed})
        rows, columns = np.nonzero(scores[0] >= threshold)
        places = np.stack([columns, rows], axis=1).astype(np.float32)
        ones = np.ones(len(rows), np.int64)
        return (
            places,
            scores[0, rows, columns],
            offsets[0][:, rows, columns].T,
            image * ones,
            level * ones,
        )


class _OnnxEngine:
    """onnxruntime on the processor (see :class:`facetl.mtcnn.engines.Engine`)."""

    exact = True

    def why_not(self, device: str) -> str:
        """Return what keeps it from being used on a device; nothing if it can be."""
        if device != "cpu":
            return f"onnxruntime is used on the processor, not on {device}"
        return "" if find_spec("onnxruntime") else say_not_installed("onnxruntime", "it")

    def describe(self) -> str:
        """Return nothing: the name says it."""
        return ""

    def prepare(self, weights: Weights, device: str) -> BackendFactory:
        """Return what it makes of images; each session takes one thread for itself."""
        models = {
            stage: build_model(stage, weights, with_features=stage == "onet") for stage in STAGES
        }
        sessions = {stage: open_network(model, threads=1) for stage, model in models.items()}
        return lambda pixels, _: _OnnxBackend(sessions, pixels)


ONNX = _OnnxEngine()
