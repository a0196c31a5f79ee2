"""Which image was searched: its path, or the image itself for as long as others hold it."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facetl.errors import ImageError

if TYPE_CHECKING:
    from facetl.data.images import Pixels
    from facetl.mtcnn.pictures import Picture


def _nothing() -> None:
    """Stand for an image that is gone."""


@dataclass(frozen=True, eq=False)
class Origin:
    """The image that detections were found in; no image is kept in memory by it.

    Attributes:
        path: its file, None for one that was in memory alone.
        size_hw: its height and width in pixels, None if they are not known.
        bgr: whether an array has its colours in the order of OpenCV.
    """

    path: Path | None
    size_hw: tuple[int, int] | None = None
    bgr: bool = False
    _held: Callable[[], Any] = field(default=_nothing, repr=False)

    @classmethod
    def of(cls, picture: Picture, bgr: bool = False) -> Origin:
        """Remember a picture: a path as it is, anything else weakly."""
        if isinstance(picture, str | Path):
            return cls(Path(picture))
        name = getattr(picture, "filename", "")  # of a PIL image that was opened
        path = Path(os.fsdecode(name)) if isinstance(name, str | bytes) and name else None
        held: Callable[[], Any] = _nothing
        with contextlib.suppress(TypeError):  # what is no picture is said by whoever reads it
            held = weakref.ref(picture)
        return cls(path, bgr=bgr and hasattr(picture, "ndim"), _held=held)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle takes along: all but the image."""
        return {**vars(self), "_held": _nothing}

    def pixels(self, picture: Picture | None = None) -> Pixels:
        """Return (H, W, 3) RGB pixels: of a picture that is given, else of what was searched.

        Raises:
            ImageError: if it is gone, cannot be read, or has another size.
        """
        from facetl.mtcnn.pictures import as_rgb

        places = (picture, self._held(), self.path)
        shown = next((each for each in places if each is not None), None)
        if shown is None:
            raise ImageError("the image is no longer in memory; give it as the first argument")
        pixels = as_rgb(shown, self.bgr)
        if self.size_hw not in (None, pixels.shape[:2]):
            found, searched = ("{1}×{0}".format(*each) for each in (pixels.shape, self.size_hw))
            raise ImageError(
                f"found an image of {found} pixels, searched was one of {searched}; give that one"
            )
        return pixels
