"""Pictures beside numbers: drawn once the numbers are written, and never at their cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from facetl.errors import OutputError
from facetl.files import plot_paths
from facetl.reporting import Reporter

if TYPE_CHECKING:
    from facetl.evaluation.report.figures import Figure
    from facetl.evaluation.report.plots import Drawing

Drawable = TypeVar("Drawable", "Figure", "Drawing")


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

    def save_figure(self, path: Path, draw: Callable[[], Drawable]) -> Drawable | None:
        """Draw a figure and write it as PNG and as SVG; return it, None if it cannot be drawn.

        Args:
            path: where one of the two goes, with any suffix.
            draw: imports matplotlib, which may be missing or broken, not before it is called.

        Raises:
            OutputError: if a place cannot be written.
        """
        with self.drawing(*plot_paths(path)):
            from facetl.evaluation.report import plots

            drawn = draw()
            plots.save_plot(path, drawn)
            return drawn
        return None

    def save_figures(
        self, folder: Path, names: Iterable[str], draw: Callable[[str], Drawing]
    ) -> dict[str, Drawing]:
        """Draw figures, by their names, and write them; return those that can be drawn."""
        drawn = {name: self.save_figure(folder / name, partial(draw, name)) for name in names}
        return {name: drawing for name, drawing in drawn.items() if drawing}

    @property
    def count(self) -> int:
        """How many pictures are missing."""
        return len(self._missing)

    def note_missing(self, reporter: Reporter) -> None:
        """Report how many pictures are missing, and why the first one is."""
        if self._missing:
            reporter.note(
                f"pictures that cannot be drawn, left out: {self.count} ({self._missing[0]})"
            )
