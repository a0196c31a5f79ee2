"""Stagings that several styles share: nearer, farther and fuller than the house's."""

from __future__ import annotations

from dataclasses import replace

from facetl.cartoons.places.any_colours import ANY_COLOURS
from facetl.cartoons.props import GROUPS, HOUSE
from facetl.cartoons.staging import SHOTS, Staging

_WEIGHTS = {
    "close": 4,
    "medium": 4,
    "wide": 2,
    "crowd": 1,
    "huddle": 1,
    "row": 2,
    "far": 1,
    "extreme": 1,
    "off centre": 2,
}


def shots(**weights: int) -> Staging:
    """Return a staging with all shots, some of them more or less often than usual."""
    chosen = {**_WEIGHTS, **{name.replace("_", " "): weight for name, weight in weights.items()}}
    return replace(
        _EVERY_SIZE, shots=tuple(replace(SHOTS[name], weight=each) for name, each in chosen.items())
    )


_EVERY_SIZE = Staging(
    heads=(22.0, 480.0),
    turned_away=0.15,
    regulars=0.0,
    props=(1, 10),
    prop_scales=(10.0, 80.0),
    small_props=True,
    prop_groups=GROUPS,
    place_groups=(HOUSE, ANY_COLOURS),
    foreground=0.2,
)
VARIED = shots()
"""Any shot, and props from small to large."""
