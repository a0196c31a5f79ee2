"""The registry of places: ``@place("indoors", weight=6)`` adds one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random

from facetl.cartoons.pen import Pen
from facetl.cartoons.props import HOUSE, PropDrawer
from facetl.registry import Registry

PlaceDrawer = Callable[[Pen, Random], float]
"""Fills the whole frame and returns the height at which the floor begins."""


@dataclass(frozen=True)
class Place:
    """A background; ``setting`` says which props and which foreground belong there.

    It is drawn only in styles whose staging lists its ``group``; the house's lists "house".
    """

    draw: PlaceDrawer
    setting: str
    weight: int = 1
    group: str = HOUSE


PLACES: Registry[Place] = Registry()
"""All places by the names of the functions that draw them."""

FOREGROUNDS: dict[str, list[PropDrawer]] = {}
"""For each setting what may stand in front of everybody."""


def place(
    setting: str, *, weight: int = 1, group: str = HOUSE
) -> Callable[[PlaceDrawer], PlaceDrawer]:
    """Return a decorator that adds a place; ``weight`` says how often it is chosen."""

    def enter(draw: PlaceDrawer) -> PlaceDrawer:
        PLACES(draw.__name__)(Place(draw, setting, weight, group))
        return draw

    return enter


def foreground(setting: str) -> Callable[[PropDrawer], PropDrawer]:
    """Return a decorator that adds something to stand in front in a setting."""

    def enter(draw: PropDrawer) -> PropDrawer:
        FOREGROUNDS.setdefault(setting, []).append(draw)
        return draw

    return enter


def choose_place(rng: Random, groups: Collection[str] = (HOUSE,)) -> Place:
    """Return a random place of some groups."""
    places = [each for each in PLACES.values() if each.group in groups]
    return rng.choices(places, [each.weight for each in places])[0]
