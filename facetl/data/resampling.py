"""Faces cut out of pictures at one size, resampled as each kind of picture's library does it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from facetl.data.images import ImageLike, Pixels, as_image


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
    cut = picture[span.top : span.bottom, span.left : span.right]
    return np.asarray(cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
