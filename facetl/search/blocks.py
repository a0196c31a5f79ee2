"""The pieces of a search that go to machines: some images, or a video."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facetl.search.parallel import in_batches
from facetl.search.pipeline import NamedImage


@dataclass(frozen=True)
class Block:
    """Pictures that are searched in one place, in order.

    Attributes:
        number: which block of the search it is, from 0.
        pictures: images; or one video.
        is_video: which of both.
    """

    number: int
    pictures: tuple[NamedImage, ...]
    is_video: bool = False

    @property
    def video(self) -> str | None:
        """The name of the video; None for images."""
        return self.pictures[0].name if self.is_video else None

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with the names of the pictures and their order."""
        names = json.dumps([picture.name for picture in self.pictures])
        return hashlib.sha256(names.encode()).hexdigest()[:16]

    def to_text(self) -> str:
        """Return the block as ASCII, as which it travels."""
        named = [(each.name, os.fsdecode(each.path)) for each in self.pictures]
        document = {"number": self.number, "pictures": named, "is_video": self.is_video}
        return json.dumps(document)

    @classmethod
    def from_text(cls, text: str) -> Block:
        """Return the block that :meth:`to_text` has described."""
        document = json.loads(text)
        pictures = tuple(NamedImage(name, Path(path)) for name, path in document["pictures"])
        return cls(int(document["number"]), pictures, bool(document["is_video"]))


def cut_into_blocks(
    images: Sequence[NamedImage], videos: Sequence[NamedImage], size: int
) -> list[Block]:
    """Return the images in blocks of ``size``, the last perhaps smaller, then a block a video.

    Their paths become absolute, to mean the same everywhere.
    """
    images, videos = (
        [replace(each, path=each.path.absolute()) for each in named] for named in (images, videos)
    )
    of_images = [Block(n, tuple(batch)) for n, batch in enumerate(in_batches(images, size))]
    first = len(of_images)
    return [*of_images, *(Block(n, (each,), True) for n, each in enumerate(videos, first))]
