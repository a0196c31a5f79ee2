"""Which image was searched: its path, or the image itself for as long as others hold it."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facetl.errors import ImageError

if TYPE_CHECKING:
    from facetl.data.images import Pixels
    from facetl.data.pictures import Picture


def _nothing() -> None:
    """Stand for an image that is gone."""


def _file_of(picture: object) -> Path | None:
    """Return the file that a PIL image shows as it is, None if it is another frame, or none."""
    name = getattr(picture, "filename", "")
    if not isinstance(name, str | bytes) or not name:
        return None
    return None if getattr(picture, "tell", int)() else Path(os.fsdecode(name))


@dataclass(frozen=True, eq=False)
class Origin:
    """The image that detections were found in; no image is kept in memory by it.

    Attributes:
        path: its file, None for one that was in memory alone.
        size_hw: its height and width in pixels, None if they are not known.
        bgr: whether an array has its colours in the order of OpenCV.
        shown_from: least score of the faces that are drawn on it, unless another is asked for.
    """

    path: Path | None
    size_hw: tuple[int, int] | None = None
    bgr: bool = False
    shown_from: float = 0.0
    _held: Callable[[], Any] = field(default=_nothing, repr=False)

    @classmethod
    def of(cls, picture: Picture, bgr: bool = False) -> Origin:
        """Remember a picture: a path as it is, anything else weakly."""
        if isinstance(picture, str | Path):
            return cls(Path(picture))
        held: Callable[[], Any] = _nothing
        with contextlib.suppress(TypeError):  # what is no picture is said by whoever reads it
            held = weakref.ref(picture)
        return cls(_file_of(picture), bgr=bgr and hasattr(picture, "ndim"), _held=held)

    def searched(self, size_hw: tuple[int, int] | None, shown_from: float) -> Origin:
        """Return the same with what is known once it has been searched."""
        return replace(self, size_hw=size_hw, shown_from=shown_from)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle takes along: all but the image."""
        return {**vars(self), "_held": _nothing}

    def pixels(self, picture: Picture | None = None) -> Pixels:
        """Return (H, W, 3) RGB pixels: of a picture that is given, else of what was searched.

        Raises:
            ImageError: if it is gone, cannot be read, or has another size.
        """
        from facetl.data.pictures import as_rgb

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
