"""How a batch of images is seen: PNet over a level of its pyramid, RNet and ONet in windows.

A detector uses a :class:`Backend` and does the rest: thresholds, NMS, moving boxes.  The one here
is torch's: it runs anywhere, all images of a batch at once, and is what the other
(:mod:`facetl.mtcnn.native`) has to agree with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from facetl.mtcnn.geometry import PNET_STRIDE, PNET_WINDOW, level_size
from facetl.mtcnn.networks import Network, Outputs, normalise
from facetl.mtcnn.resampling import IntegralImages
from facetl.mtcnn.stages import INPUT_SIZES, Stage

CROPS_AT_ONCE: dict[Stage, int] = {"rnet": 128, "onet": 32}
"""Windows scored together: so few that their maps stay in the processor's cache."""
LEVEL_PIXELS_AT_ONCE = 600_000
"""Pixels of a level of the pyramid, over all images, that PNet sees together."""


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

    places: Tensor
    scores: Tensor
    offsets: Tensor
    image_index: Tensor
    level: Tensor


class WindowOutputs(NamedTuple):
    """What RNet or ONet gives for N windows.

    Attributes:
        scores: (N,) in [0, 1].
        offsets: (N, 4) box minus window, as fractions of the window's side.
        landmarks: (N, 10) as fractions of the window, x then y; (N, 0) of RNet.
    """

    scores: Tensor
    offsets: Tensor
    landmarks: Tensor


class Backend(Protocol):
    """Images of one size, and networks that look at them.

    Attributes:
        size_hw: height and width in pixels.
        count: number of images.
        device: where outputs lie.
    """

    size_hw: tuple[int, int]
    count: int
    device: torch.device

    def scan_pyramid(self, scales: Sequence[float], border: int, threshold: float) -> Cells:
        """Return PNet's cells that score at least ``threshold`` on the levels of a pyramid.

        Args:
            scales: of the levels, at least one.
            border: pixels of black around each level.
            threshold: least score.
        """

    def classify(self, stage: Stage, windows: Tensor, image_index: Tensor) -> WindowOutputs:
        """Return what RNet or ONet gives for (N, 4) windows of whole pixels of the images.

        What lies outside an image is black.
        """


BackendFactory = Callable[[Tensor], Backend]
"""Takes (B, H, W, 3) uint8 images and returns how they are seen."""


class _TorchBackend:
    """Images seen by torch."""

    def __init__(self, pixels: Tensor, networks: Mapping[Stage, Network]) -> None:
        """Take (B, H, W, 3) uint8 images, on the device of the networks."""
        self._images = IntegralImages(pixels)
        self._networks = networks
        self.size_hw, self.count = self._images.size_hw, self._images.count
        self.device = self._images.device

    def scan_pyramid(self, scales: Sequence[float], border: int, threshold: float) -> Cells:
        """Return PNet's cells that pass on the levels of a pyramid (see :class:`Backend`)."""
        scanned = [
            self._scan_band(number, size, band, border, threshold)
            for number, size in enumerate(level_size(self.size_hw, scale) for scale in scales)
            for band in _bands(size, border, self.count)
        ]
        return Cells(*map(torch.cat, zip(*scanned, strict=True)))

    def _scan_band(
        self, number: int, size: tuple[int, int], band: range, border: int, threshold: float
    ) -> Cells:
        """Return the cells that pass among some rows of the bordered level of a number and size."""
        level = self._images.resize(size, slice(max(band.start - border, 0), band.stop - border))
        above = max(border - band.start, 0)
        below = len(band) - above - level.shape[2]
        level = functional.pad(level, [border, border, above, below])
        outputs = self._run_network("pnet", level)
        scores = outputs.scores
        passed = scores >= threshold
        image_index, rows, columns = passed.nonzero(as_tuple=True)
        rows = rows + band.start // PNET_STRIDE
        return Cells(
            places=torch.stack([columns, rows], dim=1).float(),
            scores=scores[passed],
            offsets=outputs.offsets.permute(0, 2, 3, 1)[passed],
            image_index=image_index,
            level=torch.full_like(image_index, number),
        )

    def classify(self, stage: Stage, windows: Tensor, image_index: Tensor) -> WindowOutputs:
        """Return what RNet or ONet gives for windows (see :class:`Backend`)."""
        size, count = INPUT_SIZES[stage], CROPS_AT_ONCE[stage]
        chunks = [
            self._run_network(stage, self._images.crop(some, index, size))
            for some, index in zip(
                torch.split(windows, count), torch.split(image_index, count), strict=True
            )
        ]
        outputs = Outputs(*map(torch.cat, zip(*chunks, strict=True)))
        return WindowOutputs(outputs.scores, outputs.offsets, outputs.landmarks)

    def _run_network(self, stage: Stage, pixels: Tensor) -> Outputs:
        """Return what a network gives, in 32-bit numbers whatever the program around it uses."""
        with torch.autocast(self.device.type, enabled=False):
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

    def why_not(self, device: torch.device) -> str:
        """Return nothing: it can always be used."""
        return ""

    def describe(self) -> str:
        """Return nothing: the name says it."""
        return ""

    def prepare(self, networks: Mapping[Stage, Network], device: torch.device) -> BackendFactory:
        """Return what it makes of images, with networks that lie on ``device``."""
        return lambda pixels: _TorchBackend(pixels.to(device), networks)


TORCH = _TorchEngine()
