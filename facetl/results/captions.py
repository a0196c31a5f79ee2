"""What pictures say of faces: texts beside boxes, and the colours of boxes."""

from __future__ import annotations

from collections.abc import Sequence

from facetl.data.characters import colours_of
from facetl.errors import printable
from facetl.palette import SKY
from facetl.results.detections import Detections

_LONGEST = 24
"""Letters of a name, at most: a longer one would hide the picture."""


def captions_of(found: Detections) -> list[str]:
    """Return ``dexter 0.98`` for each face, without a name where faces were not named."""
    scores = [f"{score:.2f}" for score in found.scores]
    if found.names is None:
        return scores
    return [f"{shorten(name)} {score}" for name, score in zip(found.names, scores, strict=True)]


def shorten(name: str) -> str:
    """Return a character's name in one line that is not too long for a picture."""
    name = printable(name)
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def colours_of_faces(found: Detections, characters: Sequence[str] = ()) -> list[str]:
    """Return a colour for each face: that of its character where faces were named.

    Args:
        found: the faces.
        characters: who can be recognised, so that each has one colour in all pictures; by default
            those in this one.
    """
    if found.names is None:
        return [SKY] * len(found)
    colours = colours_of([*characters, *sorted(set(found.names) - set(characters))])
    return [colours[name] for name in found.names]
