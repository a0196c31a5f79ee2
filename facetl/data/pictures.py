"""Pictures as paths, PIL images, arrays or torch tensors; single ones, batches, lists.

A tensor has its channels where torch has them, (3, H, W), or last, (H, W, 3), whichever of the
two axes can be colours; where both can, it is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from facetl.data.images import (
    ImageLike,
    OneImage,
    PilImage,
    Pixels,
    as_image,
    as_images,
)
from facetl.errors import ImageError

if TYPE_CHECKING:
    from torch import Tensor

Picture: TypeAlias = "ImageLike | Tensor"
"""A path, a PIL image, an array, or a tensor (3, H, W) or (H, W, 3)."""

_COLOURS = (1, 3, 4)


def as_pixels(picture: Picture) -> Pixels:
    """Return a picture as (H, W, 3) RGB pixels of 8 bits.

    Args:
        picture: what :func:`facetl.data.images.as_image` takes, or a tensor with 1, 3 or 4
            channels, or (H, W), on any device, of uint8, bool or floats in [0, 1] or [0, 255].

    Raises:
        ImageError: if it is none of these, or the file cannot be read.
    """
    return as_image(cast("ImageLike", _as_array(picture) if _is_tensor(picture) else picture))


def is_array(picture: object) -> bool:
    """Return whether a picture is an array or a tensor, whose colours may be in any order."""
    return isinstance(picture, np.ndarray) or _is_tensor(picture)


def as_rgb(picture: Picture, bgr: bool) -> Pixels:
    """Return a picture as (H, W, 3) RGB pixels of 8 bits.

    Args:
        picture: what :func:`as_pixels` takes.
        bgr: whether arrays and tensors have their colours in the order of OpenCV, blue first;
            paths and PIL images know theirs.

    Raises:
        ImageError: if it is no picture, or the file cannot be read.
    """
    pixels = as_pixels(picture)
    return np.ascontiguousarray(pixels[:, :, ::-1]) if bgr and is_array(picture) else pixels


def held_by(picture: Picture) -> int:
    """Return how many pixels, of three bytes each, a picture keeps in memory; none for a path."""
    if isinstance(picture, np.ndarray) or _is_tensor(picture):
        return picture.nbytes // 3
    return picture.width * picture.height if isinstance(picture, PilImage) else 0


def is_one(pictures: object) -> bool:
    """Return whether this is a single picture, neither a batch nor a list."""
    if isinstance(pictures, np.ndarray) or _is_tensor(pictures):
        return pictures.ndim < 4
    return isinstance(pictures, OneImage)


def each_of(pictures: Picture | Iterable[Picture]) -> Iterable[Picture]:
    """Return the pictures one by one, of a single one that one.

    Raises:
        ImageError: if a batch of four dimensions holds no images.
    """
    if (isinstance(pictures, np.ndarray) or _is_tensor(pictures)) and pictures.ndim >= 4:
        return as_images(_as_array(pictures) if _is_tensor(pictures) else np.asarray(pictures))
    are_several = isinstance(pictures, Iterable) and not is_one(pictures)
    return cast("Iterable[Picture]", pictures if are_several else [pictures])


def _is_tensor(picture: object) -> TypeGuard[Tensor]:
    """Return whether this is a tensor; without torch being loaded there are none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(picture, torch.Tensor)


def _as_array(tensor: Tensor) -> NDArray[Any]:
    """Return an image or a batch as an array with its channels last."""
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.float()  # numpy knows no bfloat16
    if tensor.ndim in (3, 4):
        tensor = tensor.movedim(_channels_of(tensor), -1)
    return np.ascontiguousarray(tensor.numpy())


def _channels_of(tensor: Tensor) -> int:
    """Return which axis holds the colours: third from the end, or the last."""
    axes = [axis for axis in (-3, -1) if tensor.shape[axis] in _COLOURS]
    if len(axes) == 1:
        return axes[0]
    found = f"found a tensor of shape {tuple(tensor.shape)}"
    if axes:
        raise ImageError(f"{found}, channels first or last; give an array, which has them last")
    raise ImageError(f"{found}; give (3, H, W), (H, W, 3) or a batch (B, 3, H, W)")
