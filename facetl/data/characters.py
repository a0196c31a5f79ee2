"""The characters that labels name: which there are, and which are one in several spellings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import cycle

from facetl.palette import GREY, TRACKS, blend

UNKNOWN = "unknown"
"""The label of faces that are nobody in particular; also what a face is called that is rejected."""

FEWEST_FACES = 3
"""Faces that a character needs, to be learnt."""


def folded(label: str) -> str:
    """Return a label without what spellings of one name differ by: case and spaces."""
    return "".join(label.split()).casefold()


def sureness(name: str, likely: float) -> float:
    """Return how sure a name is: of ``unknown``, how unlike all characters the face is.

    Args:
        name: what a face is called.
        likely: probability of the character that it is likeliest to be, in [0, 1].
    """
    return 1 - likely if name == UNKNOWN else likely


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name, in their order; faces that are nobody's are grey.

    After the sixth name come darker shades of the colours, then lighter ones.
    """
    known = [name for name in dict.fromkeys(names) if name != UNKNOWN]
    colours = [*TRACKS, *(blend(each, "#000000", 0.5) for each in TRACKS)]
    colours += [blend(each, "#ffffff", 0.5) for each in TRACKS]
    return {**dict(zip(known, cycle(colours), strict=False)), UNKNOWN: GREY}


@dataclass(frozen=True)
class Characters:
    """The characters of some faces.

    Attributes:
        counts: how many faces each has, by its usual spelling; the most frequent first.
        spellings: the other spellings of each that has any.
        unknown: how many faces are called unknown.
        unlabelled: how many faces have no label.
    """

    counts: Mapping[str, int]
    spellings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: int = 0
    unlabelled: int = 0

    @classmethod
    def of(cls, labels: Iterable[str | None]) -> Characters:
        """Count the characters among labels."""
        found = Counter(labels)
        unlabelled = found.pop(None, 0)
        by_name: dict[str, list[tuple[str, int]]] = {}
        for label, count in found.most_common():
            by_name.setdefault(folded(str(label)), []).append((str(label), count))
        unknown = sum(count for _, count in by_name.pop(UNKNOWN, []))
        names = sorted(by_name.values(), key=lambda each: (-sum(n for _, n in each), each[0][0]))
        return cls(
            {each[0][0]: sum(count for _, count in each) for each in names},
            {each[0][0]: tuple(other for other, _ in each[1:]) for each in names if len(each) > 1},
            unknown,
            unlabelled,
        )

    @property
    def few(self) -> dict[str, int]:
        """The characters that have too few faces to be learnt, and how many they have."""
        return {name: count for name, count in self.counts.items() if count < FEWEST_FACES}

    @property
    def classes(self) -> tuple[str, ...]:
        """What can be learnt: the characters with enough faces; ``unknown`` if any face is."""
        names = (name for name in self.counts if name not in self.few)
        return (*names, UNKNOWN) if self.unknown else tuple(names)

    def describe_spellings(self) -> str:
        """Return in words which labels are taken for one; empty if none are."""
        told = (
            f"{', '.join(map(repr, others))} for {name!r}"
            for name, others in self.spellings.items()
        )
        return "; ".join(told)
