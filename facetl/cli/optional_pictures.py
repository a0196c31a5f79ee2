"""OptionalPictures beside numbers: drawn once the numbers are written, and never at their cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facetl.cli.console import note
from facetl.errors import OutputError


class OptionalPictures:
    """Counts the pictures that a command could not draw."""

    def __init__(self) -> None:
        self._missing: list[str] = []

    @contextmanager
    def drawing(self, *places: Path) -> Iterator[None]:
        """Let the block draw one picture; if it cannot, an older one in its place goes too.

        Args:
            places: the files of the picture.

        Raises:
            OutputError: if a place cannot be written.
        """
        try:
            yield
        except OutputError:
            raise
        except Exception as error:  # the numbers are worth more than whatever went wrong here
            self._missing.append(f"{places[0]}: {type(error).__name__}: {error}")
            for place in places:
                place.unlink(missing_ok=True)

    @property
    def count(self) -> int:
        """How many pictures are missing."""
        return len(self._missing)

    def note_missing(self) -> None:
        """Say on stderr how many pictures are missing, and why the first one is."""
        if self._missing:
            note(f"pictures that cannot be drawn, left out: {self.count} ({self._missing[0]})")
