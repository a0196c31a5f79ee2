"""Tables of features by name, some of which only certain styles use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from facetl.registry import Registry

T = TypeVar("T")


class Features(Registry[T]):
    """A registry whose rare entries are used only by styles that name them.

    The house style picks from ``common`` at random, so a rare entry leaves its frames as they are.
    """

    def __init__(self, common: Mapping[str, T] | None = None) -> None:
        super().__init__(common or {})
        self._rare: set[str] = set()

    @property
    def common(self) -> list[str]:
        """The names that anybody may have."""
        return [name for name in self if name not in self._rare]

    def rare(self, name: str) -> Callable[[T], T]:
        """Return a decorator that enters what it decorates as rare under ``name``."""
        enter = self(name)

        def enter_rare(entry: T) -> T:
            enter(entry)
            self._rare.add(name)
            return entry

        return enter_rare

    def add_rare(self, entries: Mapping[str, T]) -> None:
        """Enter a table of rare features."""
        for name, entry in entries.items():
            self.rare(name)(entry)
