"""Images seen by torch: on any device, all images of a batch at once.

What the other backends have to agree with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from facetl.mtcnn.backend import BackendFactory, Cells, WindowOutputs
from facetl.mtcnn.candidates import Floats
from facetl.mtcnn.geometry import PNET_STRIDE, PNET_WINDOW, level_size
from facetl.mtcnn.networks import Network, ONet, Outputs, normalise
from facetl.mtcnn.resampling import IntegralImages
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage
from facetl.mtcnn.weights import Weights

CROPS_AT_ONCE: dict[Stage, int] = {"rnet": 128, "onet": 32}
"""Windows scored together: so few that their maps stay in the processor's cache."""
LEVEL_PIXELS_AT_ONCE = 600_000
"""Pixels of a level of the pyramid, over all images, that PNet sees together."""


class _TorchBackend:
    """Images seen by torch."""

    @torch.inference_mode()
    def __init__(self, pixels: Tensor, networks: Mapping[Stage, Network]) -> None:
        """Take (B, H, W, 3) uint8 images, on the device of the networks."""
        self._images = IntegralImages(pixels)
        self._networks = networks
        self.size_hw, self.count = self._images.size_hw, self._images.count

    @torch.inference_mode()
    def scan_pyramid(self, scales: Sequence[float], border: int, threshold: float) -> Cells:
        """Return PNet's cells that pass on the levels of a pyramid (see :class:`Backend`)."""
        scanned = [
            self._scan_band(number, size, band, border, threshold)
            for number, size in enumerate(level_size(self.size_hw, scale) for scale in scales)
            for band in _bands(size, border, self.count)
        ]
        return Cells(*(torch.cat(each).cpu().numpy() for each in zip(*scanned, strict=True)))

    def _scan_band(
        self, number: int, size: tuple[int, int], band: range, border: int, threshold: float
    ) -> tuple[Tensor, ...]:
        """Return the columns of the cells that pass among some rows of a bordered level."""
        level = self._images.resize(size, slice(max(band.start - border, 0), band.stop - border))
        above = max(border - band.start, 0)
        below = len(band) - above - level.shape[2]
        level = functional.pad(level, [border, border, above, below])
        outputs = self._run_network("pnet", level)
        scores = outputs.scores
        passed = scores >= threshold
        image_index, rows, columns = passed.nonzero(as_tuple=True)
        rows = rows + band.start // PNET_STRIDE
        places = torch.stack([columns, rows], dim=1).float()
        offsets = outputs.offsets.permute(0, 2, 3, 1)[passed]
        level = torch.full_like(image_index, number)
        return places, scores[passed], offsets, image_index, level

    @torch.inference_mode()
    def classify(
        self, stage: Stage, windows: NDArray[np.int64], image_index: NDArray[np.int64]
    ) -> WindowOutputs:
        """Return what RNet or ONet gives for windows (see :class:`Backend`)."""
        size, count = INPUT_SIZES[stage], CROPS_AT_ONCE[stage]
        shown = torch.split(torch.from_numpy(windows).to(self._images.device), count)
        index = torch.split(torch.from_numpy(image_index).to(self._images.device), count)
        chunks = [
            self._run_network(stage, self._images.crop(*some, size))
            for some in zip(shown, index, strict=True)
        ]
        outputs = Outputs(*map(torch.cat, zip(*chunks, strict=True)))
        columns = (outputs.scores, outputs.offsets, outputs.landmarks)
        return WindowOutputs(*(column.cpu().numpy() for column in columns))

    @torch.inference_mode()
    def describe(self, windows: NDArray[np.int64], image_index: NDArray[np.int64]) -> Floats:
        """Return the features of windows (see :class:`Backend`)."""
        onet = self._networks["onet"]
        assert isinstance(onet, ONet)
        device = self._images.device
        shown, index = torch.from_numpy(windows).to(device), torch.from_numpy(image_index)
        pixels = self._images.crop(shown, index.to(device), INPUT_SIZES["onet"])
        with torch.autocast(device.type, enabled=False):
            features = onet.describe(normalise(pixels))
        return np.asarray(features.cpu().numpy())

    def _run_network(self, stage: Stage, pixels: Tensor) -> Outputs:
        """Return what a network gives, in 32-bit numbers whatever the program around it uses."""
        with torch.autocast(pixels.device.type, enabled=False):
            outputs: Outputs = self._networks[stage](normalise(pixels))
            return outputs


def _bands(size: tuple[int, int], border: int, images: int) -> Iterator[range]:
    """Yield the rows of a bordered level in bands that PNet may see one after the other.

    Neighbouring bands share the rows that their windows share, so that each window is in one.
    """
    height, width = (side + 2 * border for side in size)
    shared = PNET_WINDOW - PNET_STRIDE
    step = max(LEVEL_PIXELS_AT_ONCE // (images * width) - shared, PNET_STRIDE)
    step -= step % PNET_STRIDE
    for start in range(0, max(height - shared, 1), step):
        last = start + step + shared >= height
        yield range(start, height if last else start + step + shared)
        if last:
            return


class _TorchEngine:
    """Torch's own arithmetic, on any device (see :class:`facetl.mtcnn.engines.Engine`)."""

    exact = True

    def why_not(self, device: str) -> str:
        """Return nothing: where torch is installed, it can always be used."""
        return ""

    def describe(self) -> str:
        """Return nothing: the name says it."""
        return ""

    def prepare(self, weights: Weights, device: str) -> BackendFactory:
        """Return what it makes of images, with networks that lie on ``device``."""
        networks = {stage: weights.network(stage).to(device) for stage in STAGES}
        return lambda pixels, _: _TorchBackend(torch.from_numpy(pixels).to(device), networks)


TORCH = _TorchEngine()
