"""What makes a window a positive, a part face or a negative, and how many of each are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from facetl.errors import InputError
from facetl.settings import NOT_NEGATIVE, SHARE, as_json, find_fault, setting

Match = Literal["square", "box"]
"""What a window's overlap with a face is measured against: the face's square, or its box."""

_MOST_ENRICHED = 8
"""How many times as many windows a frame may give if there are few frames."""


@dataclass(frozen=True)
class Bands:
    """Limits of overlap: negative below the first, part from the second, positive from the third.

    Raises:
        InputError: unless 0 < negative <= part <= positive <= 1.
    """

    negative: float = 0.3
    part: float = 0.4
    positive: float = 0.65

    def __post_init__(self) -> None:
        if not 0 < self.negative <= self.part <= self.positive <= 1:
            raise InputError(
                f"found the bands negative {self.negative}, part {self.part}, positive "
                f"{self.positive}; choose 0 < negative <= part <= positive <= 1"
            )


@dataclass(frozen=True)
class Recipe:
    """How many windows of each class to keep, and what makes a window one of them.

    Attributes:
        positives: most positives for a face.
        parts: most part faces for a face.
        negatives: negatives for a frame.
        near_share: share of the negatives that is taken from around faces or, for the later
            stages, from proposals; the rest lies anywhere.
        bands: limits of overlap.
        match: what overlap is measured against.
        padding: whether windows that leave the frame are black there, or what is left of them
            is stretched.
        skin: probability that a frame is cut with skin of another colour, see
            :func:`facetl.training.skin.recolour_skin`.

    Raises:
        InputError: if a count is negative, a share not in [0, 1] or ``match`` is unknown.
    """

    positives: int = setting(12, allowed=NOT_NEGATIVE)
    parts: int = setting(6, allowed=NOT_NEGATIVE)
    negatives: int = setting(18, allowed=NOT_NEGATIVE)
    near_share: float = setting(0.5, allowed=SHARE)
    bands: Bands = field(default_factory=Bands)
    match: Match = setting("square", allowed=get_args(Match))
    padding: bool = True
    skin: float = setting(
        0.0,
        "Fraction of frames in which skin is given another colour: yellow, brown, any.",
        SHARE,
    )

    def __post_init__(self) -> None:
        if fault := find_fault(self):
            raise InputError(fault)

    def enriched(self, frames: int, faces: int, at_least: int) -> Recipe:
        """Return a recipe that cuts at least so many patches in all, if it can.

        All counts grow by one whole factor, ``_MOST_ENRICHED`` at most.  With few frames, more
        windows of each are worth having; see ``docs/performance.md`` for what they bring.

        Args:
            frames: number of frames to cut.
            faces: number of faces in them.
            at_least: number of patches wanted.
        """
        expected = faces * (self.positives + self.parts) + frames * self.negatives
        factor = min(max(-(-at_least // max(expected, 1)), 1), _MOST_ENRICHED)
        return self._with_counts(lambda count: factor * count)

    def thinned(self, share: float) -> Recipe:
        """Return a recipe that cuts a share of the windows, at least one of each class it has."""
        return self._with_counts(lambda count: max(round(share * count), 1) if count else 0)

    def _with_counts(self, change: Callable[[int], int]) -> Recipe:
        names = ("positives", "parts", "negatives")
        counts: dict[str, Any] = {name: change(getattr(self, name)) for name in names}
        return replace(self, **counts)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values, see :func:`facetl.settings.as_json`."""
        return as_json(self, later=("skin",))
