"""The pieces of a search that go to machines: some images, or a video."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facetl.search.parallel import in_batches
from facetl.search.pipeline import NamedImage


@dataclass(frozen=True)
class Block:
    """Pictures that are searched in one place, in order.

    Attributes:
        number: which block of the search it is, from 0.
        pictures: images; or one video.
    """

    number: int
    pictures: tuple[NamedImage, ...]

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with the names of the pictures and their order."""
        names = json.dumps([picture.name for picture in self.pictures])
        return hashlib.sha256(names.encode()).hexdigest()[:16]

    def to_text(self) -> str:
        """Return the block as ASCII, as which it travels."""
        named = [(each.name, os.fsdecode(each.path)) for each in self.pictures]
        return json.dumps({"number": self.number, "pictures": named})

    @classmethod
    def from_text(cls, text: str) -> Block:
        """Return the block that :meth:`to_text` has described."""
        document = json.loads(text)
        pictures = tuple(NamedImage(name, Path(path)) for name, path in document["pictures"])
        return cls(int(document["number"]), pictures)


def cut_into_blocks(pictures: Sequence[NamedImage], size: int) -> list[Block]:
    """Return the pictures in blocks of ``size``, the last perhaps smaller."""
    batches = in_batches(pictures, size)
    return [Block(number, tuple(batch)) for number, batch in enumerate(batches)]
