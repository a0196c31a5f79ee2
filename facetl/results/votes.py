"""The name of a face that is followed over frames: its boxes vote."""

from __future__ import annotations

from collections import defaultdict

from facetl.data.characters import UNKNOWN

LEAST_SHARE = 0.25
"""Share of a track's named boxes that a character needs, to be the name of the track."""


class NameVotes:
    """Counts what the boxes of one track are called, and tells what the track is called.

    Each box votes for its name with the score of that name.  The character with the greatest sum
    is the name of the track if it has more than half of what all characters have together, and at
    least a quarter of the boxes.  Else the track is ``unknown``: of boxes that nobody is recognised
    in, three times as many do not outvote a clear character.
    """

    def __init__(self) -> None:
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)

    def add(self, name: str, score: float) -> None:
        """Count a box.

        Args:
            name: what it is called.
            score: probability of the character that it is likeliest to be, in [0, 1].
        """
        self._sums[name] += score
        self._counts[name] += 1

    @property
    def name(self) -> str | None:
        """The name of the track; None if no box had one."""
        if not self._counts:
            return None
        sums = {name: total for name, total in self._sums.items() if name != UNKNOWN}
        if not sums:
            return UNKNOWN
        best = min(sums, key=lambda name: (-sums[name], name))
        is_clear = 2 * sums[best] > sum(sums.values())
        is_seen = self._counts[best] >= LEAST_SHARE * sum(self._counts.values())
        return best if is_clear and is_seen else UNKNOWN

    @property
    def score(self) -> float | None:
        """The name's scores together, divided by the number of all boxes: in [0, 1].

        Of ``unknown`` it is how unlike all characters the boxes are, on average.
        """
        name, count = self.name, sum(self._counts.values())
        if name == UNKNOWN:
            return 1 - sum(self._sums.values()) / count
        return None if name is None else self._sums[name] / count
