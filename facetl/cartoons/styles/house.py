"""The house's style: the regulars of the cartoon, and strangers like them."""

from __future__ import annotations

from random import Random

from facetl.cartoons.staging import choose_toon
from facetl.cartoons.styles.style import STYLES, Style
from facetl.cartoons.toon import Toon


class _House(Style):
    def choose_toon(self, label: str, rng: Random, turned_away: bool) -> Toon:
        """Return a regular or a stranger as they have always been."""
        return choose_toon(label, rng, turned_away)


HOUSE_STYLE = _House()


@STYLES("house")
def house(rng: Random) -> Style:
    """Return the style of the built-in cartoon, the same in every frame."""
    return HOUSE_STYLE
