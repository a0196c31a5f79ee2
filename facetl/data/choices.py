"""What commands let people choose about data; light to import, unlike what reads it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

Part = Literal["train", "val", "test"]
"""Frames to learn from, to choose by, or to test on."""
PARTS: tuple[Part, ...] = ("train", "val", "test")
OnError = Literal["strict", "skip"]
"""What to do about wrong lines: stop at the end of reading, or leave them out and count."""
Difficult = Literal["ignore", "face"]
"""What becomes of the faces that Pascal VOC marks difficult."""
Placing = Literal["copy", "link", "none"]
"""What becomes of the images: copied, linked to where they lie, or left where they are."""


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video count: one in ``frames``, or one every ``seconds``.

    Attributes:
        frames: at least 1; 1 means all.
        seconds: if given, above 0, and ``frames`` plays no part.
    """

    frames: int = 1
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"expected at least 1 frame, got {self.frames}")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise ValueError(f"expected seconds above 0, got {self.seconds}")

    @classmethod
    def parse(cls, text: str) -> Sampling:
        """Return what ``10`` (frames) or ``0.5s`` (seconds) means.

        Raises:
            ValueError: if it is neither, or 0.
        """
        found = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?|\.\d+)s", text.strip())
        if not found or not float(found[1] or found[2]):
            raise ValueError(f"found {text!r}, expected frames like 10 or a time like 0.5s")
        return cls(frames=int(found[1])) if found[1] else cls(seconds=float(found[2]))

    def __str__(self) -> str:
        return str(self.frames) if self.seconds is None else f"{self.seconds:g}s"

    def slot(self, index: int, time: float) -> int:
        """Return the number of the slot that a frame falls in; a slot's first frame counts.

        A microsecond early is in time: timestamps are rounded.
        """
        if self.seconds is None:
            return index // self.frames
        return int((time + 1e-6) / self.seconds)

    def step(self, rate: float) -> float:
        """Return the seconds from one frame that counts to the next, at ``rate`` a second."""
        return self.frames / rate if self.seconds is None else max(self.seconds, 1 / rate)
