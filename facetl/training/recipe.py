"""What makes a window a positive, a part face or a negative, and how many of each are kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from facetl.errors import InputError
from facetl.mtcnn.networks import Stage

Match = Literal["square", "box"]
"""What a window's overlap with a face is measured against: the face's square, or its box."""

MOST_ENRICHED = 8
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

    Raises:
        InputError: if a count is negative, a share not in [0, 1] or ``match`` is unknown.
    """

    positives: int = 12
    parts: int = 6
    negatives: int = 18
    near_share: float = 0.5
    bands: Bands = field(default_factory=Bands)
    match: Match = "square"
    padding: bool = True

    def __post_init__(self) -> None:
        if min(self.positives, self.parts, self.negatives) < 0:
            raise InputError(f"found a negative number of windows in {self}; choose 0 or more")
        if not 0 <= self.near_share <= 1:
            raise InputError(f"found near_share {self.near_share}, expected 0 to 1")
        if self.match not in get_args(Match):
            raise InputError(f"found match {self.match!r}; choose one of {get_args(Match)}")

    def enriched(self, frames: int, faces: int, at_least: int) -> Recipe:
        """Return a recipe that cuts at least so many patches in all, if it can.

        All counts grow by one whole factor, ``MOST_ENRICHED`` at most.  With few frames, more
        windows of each are worth having; see ``docs/performance.md`` for what they bring.

        Args:
            frames: number of frames to cut.
            faces: number of faces in them.
            at_least: number of patches wanted.
        """
        expected = faces * (self.positives + self.parts) + frames * self.negatives
        factor = min(max(-(-at_least // max(expected, 1)), 1), MOST_ENRICHED)
        return replace(
            self,
            positives=factor * self.positives,
            parts=factor * self.parts,
            negatives=factor * self.negatives,
        )

    def thinned(self, share: float) -> Recipe:
        """Return a recipe that cuts a share of the windows, at least one of each class it has."""

        def part(count: int) -> int:
            return max(round(share * count), 1) if count else 0

        return replace(
            self,
            positives=part(self.positives),
            parts=part(self.parts),
            negatives=part(self.negatives),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values, for a file's metadata."""
        return asdict(self)


RECIPES: dict[Stage, Recipe] = {
    "pnet": Recipe(),
    "rnet": Recipe(positives=12, parts=6, negatives=25, near_share=1.0),
    "onet": Recipe(positives=8, parts=4, negatives=10, near_share=1.0),
}
"""How many windows each stage learns from."""
