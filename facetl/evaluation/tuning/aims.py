"""What a tuning aims at: one word, or a bound on precision or recall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

_Word = Literal["ap", "f1", "speed"]
_Bounded = Literal["recall", "precision"]

_EXPECTED = "ap, f1, speed, or a bound such as 'recall>=0.99' or 'precision>=0.95'"


@dataclass(frozen=True)
class Aim:
    """What makes one setting of a detector better than another.

    Attributes:
        figure: ``ap``, ``f1`` and ``speed``, or the figure that is bounded below.
        at_least: the bound, above 0 and at most 1, None without one.
    """

    figure: _Word | _Bounded
    at_least: float | None = None

    def __post_init__(self) -> None:
        if (self.figure in get_args(_Bounded)) != (self.at_least is not None):
            raise ValueError(f"expected {_EXPECTED}")
        if self.at_least is not None and not 0 < self.at_least <= 1:
            raise ValueError(f"expected a bound above 0 and at most 1, got {self.at_least:g}")

    @classmethod
    def parse(cls, text: str) -> Aim:
        """Return the aim that a text such as ``f1`` or ``recall>=0.99`` says.

        Raises:
            ValueError: if it says none.
        """
        name, sign, bound = (part.strip() for part in text.lower().partition(">="))
        figures = {each: each for each in (*get_args(_Word), *get_args(_Bounded))}
        number = _number(bound) if sign else None
        if name not in figures or (sign and number is None):
            raise ValueError(f"expected {_EXPECTED}")
        return cls(figures[name], number)

    def __str__(self) -> str:
        """Return the text that :meth:`parse` understands."""
        return self.figure if self.at_least is None else f"{self.figure}>={self.at_least:g}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
