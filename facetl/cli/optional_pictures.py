"""Pictures beside numbers, with what is missing said on stderr."""

from __future__ import annotations

from facetl.cli.annotated import Notes
from facetl.commands import optional_pictures
from facetl.reporting import Reporter


class OptionalPictures(optional_pictures.OptionalPictures):
    """Counts the pictures that a command could not draw."""

    def note_missing(self, reporter: Reporter | None = None) -> None:
        """Say on stderr how many pictures are missing, and why the first one is."""
        super().note_missing(reporter or Notes())
