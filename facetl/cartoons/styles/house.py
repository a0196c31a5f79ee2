"""The house's style: the regulars of the cartoon, and strangers like them."""

from __future__ import annotations

from random import Random

from facetl.cartoons.staging import engage
from facetl.cartoons.styles.style import STYLES, Style
from facetl.cartoons.toon import Toon


class _House(Style):
    def engage(self, label: str, rng: Random, turned_away: bool) -> Toon:
        """Return a regular or a stranger as they have always been."""
        return engage(label, rng, turned_away)


HOUSE_STYLE = _House()


@STYLES("house")
def house(rng: Random) -> Style:
    """Return the style of the built-in cartoon, which leaves nothing to chance."""
    return HOUSE_STYLE
