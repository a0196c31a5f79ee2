"""Area resampling: pyramid levels and crops from sums over rectangles.

Every pixel that a network sees, in training and in detection, comes from here.  A pixel of the
output is the mean over a bin of input pixels, with the overlapping bins of torch's adaptive
average pooling (``interpolate(mode="area")``); the sum over any bin takes four look-ups in an
integral image (Crow 1984; Viola and Jones 2001), so that the cost does not depend on the size
of the window.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facetl.mtcnn.geometry import place_windows


class IntegralImages:
    """Sums over rectangles of a batch of images of one size.

    Sums are kept in 32 bits and may wrap around; a bin's own sum, the difference of four of
    them, is exact as long as the bin has fewer than 8.4 million pixels.

    Attributes:
        size_hw: height and width in pixels.
        count: number of images.
    """

    def __init__(self, images: Tensor) -> None:
        """Sum up ``images``, (B, H, W, 3) uint8."""
        self.count, height, width, _ = images.shape
        self.size_hw = (height, width)
        self._sums = images.new_zeros((self.count, height + 1, width + 1, 3), dtype=torch.int32)
        self._sums[:, 1:, 1:] = images
        self._sums[:, 1:, 1:].cumsum_(dim=1).cumsum_(dim=2)

    @property
    def device(self) -> torch.device:
        """Where the sums live."""
        return self._sums.device

    def resize(self, size_hw: tuple[int, int], band: slice = slice(None)) -> Tensor:
        """Return all images at another size: (B, 3, h, w) float32 in 0 to 255.

        Args:
            size_hw: the other height and width.
            band: which rows of the result are wanted, all by default.
        """
        rows, columns = (
            _bins(torch.tensor(own, device=self.device), new)
            for own, new in zip(self.size_hw, size_hw, strict=True)
        )
        rows = (rows[0][band], rows[1][band])
        strips = self._sums[:, rows[1]] - self._sums[:, rows[0]]
        sums = strips[:, :, columns[1]] - strips[:, :, columns[0]]
        return _means(sums, rows[1] - rows[0], columns[1] - columns[0])

    def crop(self, windows: Tensor, image_index: Tensor, size: int) -> Tensor:
        """Return windows of the images: (N, 3, size, size) float32 in 0 to 255.

        What lies outside the image is black.

        Args:
            windows: (N, 4) integers, half open, not empty.
            image_index: (N,) integers, which image each window is cut from.
            size: side of the crops in pixels.
        """
        windows = windows.long()
        columns = _bins(windows[:, 2] - windows[:, 0], size)
        rows = _bins(windows[:, 3] - windows[:, 1], size)
        height, width = self.size_hw
        flat = self._sums.view(-1, 3)

        def corner(y_edge: int, x_edge: int) -> Tensor:
            y = (windows[:, 1, None] + rows[y_edge]).clamp(0, height)
            x = (windows[:, 0, None] + columns[x_edge]).clamp(0, width)
            y = y + image_index.long()[:, None] * (height + 1)
            places = y[:, :, None] * (width + 1) + x[:, None, :]
            return flat.index_select(0, places.flatten()).view(*places.shape, 3)

        sums = corner(1, 1) - corner(0, 1) - corner(1, 0) + corner(0, 0)
        return _means(sums, rows[1] - rows[0], columns[1] - columns[0])


def cut_windows(
    image: NDArray[np.uint8], windows: NDArray[np.floating], size: int, *, padding: bool = False
) -> Tensor:
    """Return the pixels of windows of one image as the networks see them.

    Args:
        image: (H, W, 3) uint8, RGB.
        windows: (N, 4) half-open windows, each with at least one pixel inside the image.
        size: side of the patches in pixels: 12, 24 or 48.
        padding: whether windows that leave the image are black there.  Otherwise they are
            clipped at its border and what is left is stretched to the square, as
            facenet-pytorch's detector does it.

    Returns:
        (N, 3, size, size) float32 in 0 to 255.

    Raises:
        ValueError: if a window holds no pixel of the image.
    """
    images = IntegralImages(torch.from_numpy(np.ascontiguousarray(image))[None])
    wanted = np.asarray(windows, dtype=np.float64)
    shown, visible = place_windows(wanted, images.size_hw, padding=padding)
    if not visible.all():
        raise ValueError(f"a window lies outside the image of {images.size_hw} pixels")
    return images.crop(torch.from_numpy(shown), torch.zeros(len(shown), dtype=torch.long), size)


def _bins(lengths: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return where each of ``count`` bins over ``lengths`` pixels starts and ends.

    Neighbouring bins share a pixel where the length is no multiple of the count: starts are
    rounded down and ends up.
    """
    steps = torch.arange(count, device=lengths.device)
    lengths = lengths[..., None]
    return steps * lengths // count, -(-(steps + 1) * lengths // count)


def _means(sums: Tensor, heights: Tensor, widths: Tensor) -> Tensor:
    """Divide (..., h, w, 3) sums by the height, then the width of their bins: torch's order."""
    means = sums.float() / heights[..., :, None, None] / widths[..., None, :, None]
    return means.movedim(-1, 1)
