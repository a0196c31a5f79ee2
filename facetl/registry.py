"""Registries: functions and classes by name, each added by a decorator where it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Registry(dict[str, T]):
    """A dictionary that is also a decorator.

    ::

        hat: Registry[HatDrawer] = Registry()

        @hat("cap")
        def draw_cap(pen, toon, rng): ...

        hat["cap"](pen, toon, rng)
    """

    def __call__(self, name: str) -> Callable[[T], T]:
        """Return a decorator that enters what it decorates under ``name``."""

        def enter(entry: T) -> T:
            if name in self:
                raise ValueError(f"{name!r} is taken; choose another name")
            self[name] = entry
            return entry

        return enter
