"""The registry of props: ``@prop("indoors", "outdoors")`` adds one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random

from facetl.cartoons.pen import Pen
from facetl.registry import Registry

PropDrawer = Callable[[Pen, Random], None]
"""Draws a thing about 2 wide around the origin; random only by the generator."""

HOUSE = "house"
"""The group of what the built-in cartoon shows."""


@dataclass(frozen=True)
class Prop:
    """A thing that stands or hangs about; ``settings`` are the kinds of places it is seen in.

    ``size`` is relative to other props; ``weight`` says how often it is chosen.  It is drawn
    only in styles whose staging lists its ``group``; the house's lists "house".
    """

    draw: PropDrawer
    settings: tuple[str, ...]
    hangs: bool = False
    size: float = 1.0
    weight: int = 1
    group: str = HOUSE


PROPS: Registry[Prop] = Registry()
"""All props by the names of the functions that draw them."""


def prop(
    *settings: str, hangs: bool = False, size: float = 1.0, weight: int = 1, group: str = HOUSE
) -> Callable[[PropDrawer], PropDrawer]:
    """Return a decorator that adds a drawing function to the props of the given settings."""

    def enter(draw: PropDrawer) -> PropDrawer:
        PROPS(draw.__name__)(Prop(draw, settings, hangs, size, weight, group))
        return draw

    return enter


def props_for(setting: str, groups: Collection[str] = (HOUSE,)) -> list[Prop]:
    """Return the props of some groups seen in a setting, each as often as its weight says."""
    seen = [each for each in PROPS.values() if setting in each.settings and each.group in groups]
    return [each for each in seen for _ in range(each.weight)]
