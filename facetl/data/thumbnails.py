"""Small pictures of many frames that are limited in size together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from facetl.data.images import encode_small, load_image
from facetl.errors import ImageError

_LARGEST_SIDE = 480
"""Longest side of a picture in pixels, where there is space."""
_SMALLEST_SIDE = 96
"""Longest side below which a picture shows nothing."""
_SAMPLE = 16


def make_thumbnails(paths: Mapping[str, Path], space: int) -> Iterator[tuple[str, bytes | None]]:
    """Yield a WebP file for each image, None if it can't be read or the space is used up.

    The more images there are, the smaller each one is.

    Args:
        paths: images by name.
        space: bytes that all may take together.
    """
    longest = _fit(list(paths.values()), space)
    for name, path in paths.items():
        picture = _encode(path, longest)
        if picture is not None and len(picture) > space:
            picture = None
        space -= len(picture or b"")
        yield name, picture


def _fit(paths: list[Path], space: int) -> int:
    """Return the longest side at which all images probably fit, judged by a few of them."""
    some = paths[:: max(len(paths) // _SAMPLE, 1)]
    sizes = [len(picture) for path in some if (picture := _encode(path, _LARGEST_SIDE))]
    if not sizes:
        return _LARGEST_SIDE
    expected = len(paths) * sum(sizes) / len(sizes)
    # bytes grow a little slower than the area
    return max(_SMALLEST_SIDE, int(_LARGEST_SIDE * min(1.0, 0.9 * space / expected) ** 0.6))


def _encode(path: Path, longest: int) -> bytes | None:
    try:
        return encode_small(load_image(path), longest)
    except ImageError:
        return None
