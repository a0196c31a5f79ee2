"""Held frames: runs of a video's frames that show the same picture.

Drawn cartoons hold their pictures: many are shot "on twos" or "on threes", backgrounds stand
still, and only a mouth moves.  The thumbnails of :mod:`facetl.data.near_duplicates` show if two
frames are of one shot; a face that moves by a few pixels doesn't change their mean.  Here the
frame is shrunk to 48 × 36 and the cell that changes most decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facetl.data.images import Pixels
from facetl.data.resizing import as_grey, resize_to_bytes
from facetl.data.video import VideoFrame

_SIZE = (48, 36)
STILL = 12.0
"""Largest change of a cell's grey value between frames that count as the same.

Measured on ten drawn frames of 480 × 360: H.264 alone changes a cell by at most 5 at a CRF of 20
and by 11 at 32; a camera that moves by one pixel by at least 17, a face that moves by two pixels
in a picture that stands still by at least 14.
"""
_LONGEST_HOLD = 250
"""Frames after which a still picture is searched again, so that memory stays flat."""


@dataclass(frozen=True)
class Timestamp:
    """The number of a frame of a video, and its seconds from the start."""

    index: int
    time: float


@dataclass(frozen=True, eq=False)
class HeldFrame:
    """A frame to search, and the frames after it that show the same."""

    frame: VideoFrame
    still: tuple[Timestamp, ...] = ()

    @property
    def stamps(self) -> tuple[Timestamp, ...]:
        """The frame to search and the still ones, in order."""
        return (Timestamp(self.frame.index, self.frame.time), *self.still)


def group_held_frames(
    frames: Iterable[VideoFrame], limit: float = STILL, longest: int = _LONGEST_HOLD
) -> Iterator[HeldFrame]:
    """Yield the frames that show something new, each with the still ones that follow it.

    All are compared with the frame that is searched, so that slow movement is not missed.

    Args:
        frames: in the order of their times.
        limit: change of a cell, 0 to 255, from which a frame is not still; at 0 none is still.
        longest: still frames that may follow one.
    """
    first: VideoFrame | None = None
    seen = np.zeros(0, np.float32)
    still: list[Timestamp] = []
    for frame in frames:
        small = _shrink_grey(frame.pixels)
        if first is not None and len(still) < longest and _largest_change(seen, small) < limit:
            still.append(Timestamp(frame.index, frame.time))
            continue
        if first is not None:
            yield HeldFrame(first, tuple(still))
        first, seen, still = frame, small, []
    if first is not None:
        yield HeldFrame(first, tuple(still))


def _shrink_grey(pixels: Pixels) -> NDArray[np.float32]:
    """Return the (36, 48) grey values, 0 to 255, of a picture shrunk by averaging areas."""
    return resize_to_bytes(as_grey(pixels), _SIZE).astype(np.float32)


def _largest_change(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the change, 0 to 255, of the cell that changes most."""
    return float(np.abs(one - other).max())
