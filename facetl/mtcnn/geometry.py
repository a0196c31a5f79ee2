"""The image pyramid, and from windows to boxes and back as the pretrained networks have them.

facetl's windows are half open: columns ``x1`` up to but not including ``x2``.  The pretrained
networks come from a world that counts pixels from 1 and includes the last, so that their box
``x1, x2`` stands for the window ``x1 - 1, x2``; and PNet's box starts one pixel of the pyramid
level late.  Everything that has to know this is here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facetl.mtcnn.stages import Stage

PNET_WINDOW, PNET_STRIDE = 12, 2


def pnet_boxes(cells: Tensor, scale: Tensor | float) -> Tensor:
    """Return the (N, 4) boxes that PNet's (N, 2) cells ``column, row`` stand for.

    Args:
        cells: places in PNet's output maps.
        scale: of the level, or (N, 1) of each cell's level.
    """
    first = ((PNET_STRIDE * cells + 1) / scale).floor()
    last = ((PNET_STRIDE * cells + PNET_WINDOW) / scale).floor()
    return torch.cat([first, last], dim=1)


def pnet_windows(boxes: Tensor) -> Tensor:
    """Return the (N, 4) windows that PNet saw where it gave these boxes, up to rounding."""
    late = sides(boxes) / (PNET_WINDOW - 1)
    return torch.cat([boxes[:, :2] - late, boxes[:, 2:]], dim=1)


def as_windows(boxes: Tensor) -> Tensor:
    """Return the (N, 4) half-open windows that boxes with inclusive corners stand for."""
    return boxes - boxes.new_tensor([1.0, 1.0, 0.0, 0.0])


def sides(boxes: Tensor) -> Tensor:
    """Return (N, 2) widths and heights."""
    return boxes[:, 2:] - boxes[:, :2]


def inclusive_sides(boxes: Tensor) -> Tensor:
    """Return (N, 2) widths and heights that count both edge pixels."""
    return sides(boxes) + 1


def move(boxes: Tensor, offsets: Tensor, by_sides: Tensor) -> Tensor:
    """Return (N, 4) boxes moved by (N, 4) offsets, which are fractions of (N, 2) sides."""
    return boxes + offsets * by_sides.repeat(1, 2)


def square(boxes: Tensor) -> Tensor:
    """Return squares with the same centres and the longer edges as sides.

    The same as :func:`facetl.boxes.square`, but in the order of facenet-pytorch's arithmetic:
    the corners are truncated to pixels next, where the last bit decides.
    """
    longer = sides(boxes).amax(dim=1, keepdim=True)
    corners = boxes[:, :2] + sides(boxes) * 0.5 - longer * 0.5
    return torch.cat([corners, corners + longer], dim=1)


def place_landmarks(landmarks: Tensor, boxes: Tensor) -> Tensor:
    """Return (N, 10) landmarks, five x then five y, in pixels instead of fractions of boxes."""
    scale = inclusive_sides(boxes).repeat_interleave(5, dim=1)
    corner = boxes[:, :2].repeat_interleave(5, dim=1)
    return scale * landmarks + corner - 1


def regression_targets(stage: Stage, offsets: Tensor, window_sides: Tensor) -> Tensor:
    """Return what a network must give for its windows to become the boxes that it should find.

    The inverse of what the detector does with a network's offsets, up to its rounding to whole
    pixels.  It differs from the plain offsets because the detector moves not the window itself
    but the box that stands for it, which starts a pixel late: for PNet one of its 12, for the
    later networks one of the image.

    Args:
        stage: which network.
        offsets: (N, 4) box minus window, as fractions of the window's side.
        window_sides: (N,) sides of the square windows in pixels of the image.

    Returns:
        (N, 4) targets for the network's offsets.
    """
    if stage == "pnet":
        late, scale = (
            torch.full_like(window_sides, 1 / PNET_WINDOW),
            PNET_WINDOW / (PNET_WINDOW - 1),
        )
    else:
        late, scale = 1 / window_sides, 1.0
    start = torch.stack([late, late, torch.zeros_like(late), torch.zeros_like(late)], dim=1)
    return (offsets - start) * scale


def pyramid_scales(size_hw: tuple[int, int], min_face: float, factor: float) -> list[float]:
    """Return the scales of the levels, largest first.

    At the first scale a face of ``min_face`` pixels is 12 pixels high; each further level is
    ``factor`` times smaller, as long as its shorter edge still holds a 12-pixel window.

    Args:
        size_hw: height and width of the picture in pixels.
        min_face: side of the smallest face to look for, in pixels, above 0.
        factor: ratio of neighbouring levels, between 0 and 1.

    Returns:
        Scales in descending order; empty if the picture is too small for any face.
    """
    scale = PNET_WINDOW / min_face
    shorter_edge = min(size_hw) * scale
    scales = []
    while shorter_edge >= PNET_WINDOW:
        scales.append(scale)
        scale *= factor
        shorter_edge *= factor
    return scales


def level_size(size_hw: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return height and width in pixels of the level at ``scale``."""
    height, width = size_hw
    return int(height * scale + 1), int(width * scale + 1)


def map_size(size_hw: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns of the windows that PNet classifies on a level with its border.

    Windows lie 2 pixels apart; on an odd side the last one hangs over the edge by a pixel,
    because PNet's pooling counts what is left over.
    """
    height, width = size_hw
    return (height - PNET_WINDOW + 3) // 2, (width - PNET_WINDOW + 3) // 2
