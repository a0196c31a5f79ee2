"""The image pyramid: at which sizes PNet looks at a picture."""

from __future__ import annotations

PNET_WINDOW = 12


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
