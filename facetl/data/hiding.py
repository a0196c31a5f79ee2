"""Faces hidden in pictures: blurred until nothing of them is left, or masked."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from facetl.boxes import Boxes, as_boxes
from facetl.data.images import Pixels

Hiding = Literal["blur", "mask"]
"""How faces are hidden."""

_REACH = math.sqrt(2) * 1.1
"""Axes of the ellipse that hides a box, in sides of the box: the corners lie inside, and a bit."""
_CELLS = 4
"""Cells across the longer side of what is blurred: each is one colour, then they are smoothed."""
_BLACK = (0, 0, 0)


def hide_faces(image: Pixels, boxes: Boxes, how: Hiding) -> Pixels:
    """Return a copy of the image in which an ellipse around each box is blurred or black.

    Args:
        image: (H, W, 3) RGB.
        boxes: (N, 4) half-open pixels; what lies outside the image is not hidden.
        how: ``blur`` leaves a few soft spots of colour, ``mask`` nothing.
    """
    if not len(boxes):
        return image.copy()
    scene = Image.fromarray(image)
    for box in as_boxes(boxes).tolist():
        _hide(scene, box, how)
    return np.array(scene)


def _hide(scene: Image.Image, box: list[float], how: Hiding) -> None:
    """Hide one box in place."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    across, down = (max(_REACH * (box[2 + i] - box[i]) / 2, 0.5) for i in (0, 1))
    left, top = max(math.floor(x - across), 0), max(math.floor(y - down), 0)
    right = min(math.ceil(x + across), scene.width)
    bottom = min(math.ceil(y + down), scene.height)
    if left >= right or top >= bottom:
        return
    shape = Image.new("L", (right - left, bottom - top))
    oval = (x - across - left, y - down - top, x + across - left, y + down - top)
    ImageDraw.Draw(shape).ellipse(oval, fill=255)
    if how == "mask":
        scene.paste(_BLACK, (left, top), shape)
    else:
        scene.paste(_blurred(scene.crop((left, top, right, bottom))), (left, top), shape)


def _blurred(part: Image.Image) -> Image.Image:
    scale = _CELLS / max(part.size)
    cells = (max(round(part.width * scale), 1), max(round(part.height * scale), 1))
    small = part.resize(cells, Image.Resampling.BOX)
    return small.resize(part.size, Image.Resampling.BICUBIC)
