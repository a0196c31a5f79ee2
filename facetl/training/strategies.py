"""What of a network learns, and when, by the names of the strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from facetl.registry import Registry

Part = Literal["head", "last-block", "full"]
"""What of a network learns: each part holds the one before."""


@dataclass(frozen=True)
class Strategy:
    """What learns when.

    Attributes:
        parts: what learns, phase by phase: a single part, which learns for the epochs of the
            training, or three with epochs and learning rates of their own.
        is_random: whether everything starts from random weights.
    """

    parts: tuple[Part] | tuple[Part, Part, Part]
    is_random: bool = False

    @property
    def has_phases(self) -> bool:
        """Whether there are several phases."""
        return len(self.parts) > 1


STRATEGIES: Registry[Strategy] = Registry(
    {
        "full": Strategy(("full",)),
        "last-block": Strategy(("last-block",)),
        "head": Strategy(("head",)),
        "gradual": Strategy(("head", "last-block", "full")),
        "scratch": Strategy(("full",), is_random=True),
    }
)
