"""A search in blocks, some images or a video each: what one machine finds becomes shards."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from facetl.errors import OutputError
from facetl.files import cannot_write
from facetl.locks import clear
from facetl.reporting import Reporter
from facetl.results.parquet import ShardHead, shard_path
from facetl.results.store import SHARDS
from facetl.search.drawing import Drawing
from facetl.search.inputs import open_videos
from facetl.search.parallel import in_batches
from facetl.search.pipeline import NamedImage, SearchRun
from facetl.search.sinks import RunFiles, run_through, writing_runs
from facetl.search.sources import Effort, Pictures
from facetl.search.video import Viewing

PATIENCE = 4
"""How often a block may be begun before it counts as one that ends whoever searches it."""


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


class Outcome(NamedTuple):
    """What became of a block.

    Attributes:
        block: its number.
        notes: what there is to say about it, such as why pictures could not be searched.
    """

    block: int
    notes: list[str]


class _Notes(Reporter):
    """Keeps what is said about a block, for whoever asked for it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


@dataclass(frozen=True)
class BlockSearch:
    """A search that can be done block by block, in any order and anywhere.

    Attributes:
        runs: each with the folder of its shards.
        blocks: how many blocks there are.
        batch_size: images that go through the networks together.
        viewing: how videos are looked at.
        drawing: what is drawn, to a place that means the same everywhere.
    """

    runs: Sequence[SearchRun]
    blocks: int
    batch_size: int
    viewing: Viewing
    drawing: Drawing

    def search(self, block: Block) -> Outcome:
        """Search a block and write its shards, unless they are there already.

        Raises:
            OutputError: if a shard cannot be written, or whoever began the block before came to
                an end over it :data:`PATIENCE` times.
        """
        notes = _Notes()
        if not self.is_done(block):
            with self._counting(block):
                self._search(block, Effort(self.runs, self.batch_size, 1, notes))
        return Outcome(block.number, notes.said)

    def is_done(self, block: Block) -> bool:
        """Return whether all runs have a shard of the block."""
        return all(path.exists() for path in self.shards(block).values())

    def shards(self, block: Block) -> dict[str, Path]:
        """Return where each run's shard of a block lies, by name of the run."""
        return {run.name: shard_path(run.path, block.number) for run in self.runs}

    def head(self, run: SearchRun, block: Block) -> ShardHead:
        """Return what a run's shard of a block says of itself."""
        described = json.loads(json.dumps(run.lasting))  # as it will be read: tuples become lists
        return ShardHead(run.name, described, block.number, self.blocks, block.fingerprint)

    def clear_marks(self) -> None:
        """Remove what processes that were killed have left beside the shards."""
        for run in self.runs:
            clear(run.path)
            for path in run.path.glob(".part-*"):
                path.unlink(missing_ok=True)

    def _search(self, block: Block, effort: Effort) -> None:
        pictures = self._pictures(block, effort.reporter)
        names, scores = (
            [run.name for run in self.runs],
            {r.name: r.settings.score for r in self.runs},
        )
        with (
            self._writing(block) as files,
            self.drawing.opened(
                names, pictures.videos, effort.reporter, is_resumed=True, is_part=True
            ) as shown,
        ):
            run_through(pictures.search(effort), [files], shown, scores)

    def _pictures(self, block: Block, reporter: Reporter) -> Pictures:
        if not block.is_video:
            return Pictures(block.pictures, is_stream=True)
        ready, unreadable = open_videos(block.pictures, reporter, beside_images=True)
        return Pictures((), ready, unreadable, self.viewing)

    def _writing(self, block: Block) -> AbstractContextManager[RunFiles]:
        """Give what writes each run's shard; if the block succeeds, they are put in place."""
        paths = self.shards(block)
        return writing_runs(
            {run.name: SHARDS.writing(paths[run.name], self.head(run, block)) for run in self.runs}
        )

    @contextmanager
    def _counting(self, block: Block) -> Iterator[None]:
        """Count how often a block is begun: a process that dies over it says nothing else."""
        first = next(iter(self.shards(block).values()))
        marks = first.with_name(f".{first.stem}.begun")
        begun = marks.stat().st_size if marks.exists() else 0
        if begun >= PATIENCE:
            raise OutputError(_tell_deadly(block, begun))
        _mark(marks, begun)
        try:
            yield
        finally:
            marks.unlink(missing_ok=True)


def _mark(marks: Path, begun: int) -> None:
    try:
        marks.parent.mkdir(parents=True, exist_ok=True)
        marks.write_bytes(b"." * (begun + 1))
    except OSError as error:
        raise cannot_write(marks.parent, error) from error


def _tell_deadly(block: Block, begun: int) -> str:
    first, last = block.pictures[0], block.pictures[-1]
    span = str(first.path) if first == last else f"{first.path} to {last.path}"
    return (
        f"{span}: ended {begun} processes that searched it; give them more memory or leave out "
        "what breaks them, then resume with --resume"
    )
