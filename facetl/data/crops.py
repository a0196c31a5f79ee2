"""Faces cut out of images: a box and some of what is around it, turned upright if wished."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from facetl.boxes import Boxes, as_boxes, clip
from facetl.data.images import ImageLike, Pixels, as_image
from facetl.data.overlays import contact_sheet

CELL = 96
"""Side of a face on a contact sheet, in pixels."""
COLUMNS, ROWS = 16, 15
"""Of a contact sheet."""


def windows_around(boxes: Boxes, margin: float) -> NDArray[np.int64]:
    """Return (N, 4) whole pixels, at least one each, that show boxes and what is around them.

    Args:
        boxes: (N, 4) half-open pixels.
        margin: what is shown on every side, as a share of the box's width and height.
    """
    boxes = as_boxes(boxes)
    reach = margin * np.tile(boxes[:, 2:] - boxes[:, :2], 2) * [-1, -1, 1, 1]
    first, last = np.split(boxes + reach, 2, axis=1)
    first = np.floor(first)
    return np.concatenate([first, np.maximum(np.ceil(last), first + 1)], axis=1).astype(np.int64)


def square_windows(windows: NDArray[np.int64], size_hw: tuple[int, int]) -> NDArray[np.int64]:
    """Return (N, 4) squares around windows, all inside the image.

    A square is as large as the window's longer side, and no larger than the image's shorter one.
    It is moved into the image rather than padded: all its pixels are the image's, and the face
    need not be in its middle.

    Args:
        windows: (N, 4) whole pixels, half open.
        size_hw: height and width of the image.
    """
    size = np.array(size_hw[::-1], np.int64)
    first, last = np.split(windows, 2, axis=1)
    sides = np.minimum((last - first).max(axis=1, keepdims=True), size.min())
    corners = np.clip((first + last - sides) // 2, 0, size - sides)
    return np.concatenate([corners, corners + sides], axis=1)


def in_view(windows: NDArray[np.int64], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return (N,) booleans: which (N, 4) windows hold a pixel of an image of ``size_hw``."""
    seen = clip(as_boxes(windows), size_hw)
    return np.asarray((seen[:, 2:] > seen[:, :2]).all(axis=1))


def cut_window(image: Pixels, window: NDArray[np.int64]) -> Pixels:
    """Return a copy of what of a window lies inside the image.

    Args:
        image: (H, W, 3) RGB.
        window: (4,) whole pixels, half open, of which one at least lies inside.

    Raises:
        ValueError: if none does.
    """
    _require_in_view(window, image)
    x1, y1, x2, y2 = clip(as_boxes(window[None]), image.shape[:2])[0].astype(int)
    return image[y1:y2, x1:x2].copy()


def cut_all(image: Pixels, boxes: Boxes, margin: float) -> list[Pixels]:
    """Return what of each box and of what is around it lies inside the image.

    Args:
        image: (H, W, 3) RGB.
        boxes: (N, 4) half-open pixels; one wholly outside gives an array without pixels.
        margin: what is shown on every side, as a share of the box's width and height.
    """
    windows = windows_around(boxes, margin)
    seen = in_view(windows, (image.shape[0], image.shape[1]))
    return [
        cut_window(image, window) if visible else image[:0, :0].copy()
        for window, visible in zip(windows, seen, strict=True)
    ]


def cut_upright(image: Pixels, window: NDArray[np.int64], landmarks: NDArray[Any]) -> Pixels:
    """Return a window of the image, turned about its middle so that the eyes are level.

    The whole window comes back; what lies outside the image is black.

    Args:
        image: (H, W, 3) RGB.
        window: (4,) whole pixels, half open, of which one at least lies inside.
        landmarks: (5, 2) x, y in the image, the eyes first.

    Raises:
        ValueError: if no pixel of the window lies inside the image.
    """
    _require_in_view(window, image)
    x1, y1, x2, y2 = window.tolist()
    half_w, half_h = (x2 - x1) / 2, (y2 - y1) / 2
    angle = math.radians(_tilt(landmarks))
    cos, sin = math.cos(angle), math.sin(angle)
    # Where the middle of a pixel of the window comes from: a turn about the window's middle.
    across = (cos, -sin, x1 + half_w - cos * half_w + sin * half_h)
    down = (sin, cos, y1 + half_h - sin * half_w - cos * half_h)
    turned = Image.fromarray(image).transform(
        (x2 - x1, y2 - y1),
        Image.Transform.AFFINE,
        (*across, *down),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(turned, np.uint8)


def _tilt(landmarks: NDArray[Any]) -> float:
    """Return by how many degrees the line of the eyes descends to the right, in (-90, 90].

    Eyes that are taken for each other count as exchanged, so that no face is turned upside
    down; eyes in one place are level.

    Args:
        landmarks: (5, 2) x, y, the eyes first.
    """
    across, down = (landmarks[1] - landmarks[0]).tolist()
    angle = math.degrees(math.atan2(down, across))
    if angle > 90:
        return angle - 180
    return angle + 180 if angle <= -90 else angle


def fit_cell(face: Pixels) -> Pixels:
    """Return an (H, W, 3) face at the size of a sheet's cell: proportions kept, white around."""
    cell = ImageOps.pad(Image.fromarray(face), (CELL, CELL), color="white")
    return np.asarray(cell, np.uint8)


def draw_sheet(cells: Sequence[Pixels], scores: Sequence[float]) -> Pixels:
    """Return a contact sheet of faces, each with its score below.

    Args:
        cells: at least one, as :func:`fit_cell` gives them.
        scores: theirs, in [0, 1].

    Raises:
        ValueError: if there is no cell, or not one score for each.
    """
    return contact_sheet(cells, COLUMNS, captions=[f"{score:.3f}" for score in scores])


def _require_in_view(window: NDArray[np.int64], image: Pixels) -> None:
    if not in_view(window[None], image.shape[:2])[0]:
        raise ValueError(f"window {window.tolist()} lies outside the image of {image.shape[:2]}")


class Span(NamedTuple):
    """A rectangle of whole pixels inside a picture, half open, not empty."""

    left: int
    top: int
    right: int
    bottom: int


def as_stored(picture: ImageLike) -> Image.Image | Pixels:
    """Return a picture in RGB; a PIL image stays one and is not turned as its EXIF data say.

    Raises:
        ImageError: if it is no picture, or the file cannot be read.
    """
    if isinstance(picture, Image.Image):
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    return as_image(picture)


def cut_face(picture: Image.Image | Pixels, span: Span, size: int) -> Pixels:
    """Return (size, size, 3) pixels: bilinear from a PIL image, area means from an array."""
    if isinstance(picture, Image.Image):
        face = picture.crop(span).resize((size, size), Image.Resampling.BILINEAR)
        return np.array(face)
    import cv2  # facenet-pytorch's own way, whose faces are to be the same to the bit

    cut = picture[span.top : span.bottom, span.left : span.right]
    return np.asarray(cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
