"""Searching a block: the detector's own search, written down as a shard of each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from facetl.data.video import Sampling, VideoReader
from facetl.errors import OutputError, VideoError
from facetl.files import cannot_write, entering_all
from facetl.locks import clear
from facetl.results.detections import FrameResult, Skipped
from facetl.results.parquet import ShardHead, ShardWriter, count_shard, shard_path, writing_shard
from facetl.search.blocks import Block
from facetl.search.pipeline import NamedImage, Searcher, search_all
from facetl.search.settings import Settings
from facetl.search.video import link_results, search_video

PATIENCE = 4
"""How often a block may be begun before it counts as one that ends whoever searches it."""

Found = dict[str, FrameResult] | Skipped
"""What all runs have for a picture, or why it could not be searched."""


class RunPlan(NamedTuple):
    """One of the runs of a search.

    Attributes:
        detector: what searches.
        settings: how it searches.
        described: JSON-able settings that the shards tell.
        folder: where the shards go.
    """

    detector: Searcher
    settings: Settings
    described: dict[str, object]
    folder: Path


class VideoPlan(NamedTuple):
    """How videos are looked at: which frames count, and whether still ones are searched."""

    every: Sampling
    skip_still: bool


class Outcome(NamedTuple):
    """What became of a block.

    Attributes:
        block: its number.
        frames: how many images or frames have been searched, or got the boxes of the one before.
        skipped: why pictures could not be searched.
        faces: how many each run found, at its score and above, by name.
        boxes: how many it found in all, by name.
    """

    block: int
    frames: int
    skipped: list[str]
    faces: dict[str, int]
    boxes: dict[str, int]


@dataclass(frozen=True)
class BlockSearch:
    """A search that can be done block by block, in any order and anywhere.

    Attributes:
        runs: by name.
        blocks: how many blocks there are.
        batch_size: images that go through the networks together.
        video: how videos are looked at; None if the blocks are of images.
    """

    runs: Mapping[str, RunPlan]
    blocks: int
    batch_size: int
    video: VideoPlan | None = None

    def search(self, block: Block) -> Outcome:
        """Search a block and write its shards, unless they are there already.

        Raises:
            OutputError: if a shard cannot be written, or whoever began the block before came to
                an end over it :data:`PATIENCE` times.
        """
        if not self.is_done(block):
            with self._counting(block), self._writing(block) as writers:
                for found in self._search(block):
                    _write(writers, found)
        return self.tell(block)

    def is_done(self, block: Block) -> bool:
        """Return whether all runs have a shard of the block."""
        return all(path.exists() for path in self.shards(block).values())

    def shards(self, block: Block) -> dict[str, Path]:
        """Return where each run's shard of a block lies."""
        return {name: shard_path(run.folder, block.number) for name, run in self.runs.items()}

    def head(self, name: str, block: Block) -> ShardHead:
        """Return what a run's shard of a block says of itself."""
        described = dict(self.runs[name].described)
        return ShardHead(name, described, block.number, self.blocks, block.fingerprint)

    def tell(self, block: Block) -> Outcome:
        """Return what the shards of a block hold."""
        counts = {
            name: count_shard(path, self.runs[name].settings.score)
            for name, path in self.shards(block).items()
        }
        first = next(iter(counts.values()))
        faces = {name: each.faces for name, each in counts.items()}
        boxes = {name: each.boxes for name, each in counts.items()}
        return Outcome(block.number, first.frames, first.skipped, faces, boxes)

    def clear_marks(self) -> None:
        """Remove what processes that were killed have left beside the shards."""
        for run in self.runs.values():
            clear(run.folder)
            for path in run.folder.glob(".part-*"):
                path.unlink(missing_ok=True)

    def _search(self, block: Block) -> Iterator[Found]:
        if self.video:
            (video,) = block.pictures
            return self._search_video(video, self.video)
        return self._search_images(block)

    def _search_images(self, block: Block) -> Iterator[Found]:
        for searched in search_all(
            self._detectors, self._settings, block.pictures, self.batch_size
        ):
            yield searched.skipped or searched.results

    def _search_video(self, video: NamedImage, plan: VideoPlan) -> Iterator[Found]:
        reader = VideoReader(video.path)
        try:
            step = plan.every.step(float(reader.facts().rate))
        except VideoError as error:
            yield Skipped(video.name, str(error))
            return
        found = search_video(
            video.name,
            reader.frames(plan.every),
            self._detectors,
            self._settings,
            self.batch_size,
            skip_still=plan.skip_still,
        )
        yield from (results for _, results in link_results(found, step))
        yield from (Skipped(video.name, fault) for fault in reader.faults)

    @property
    def _detectors(self) -> dict[str, Searcher]:
        return {name: run.detector for name, run in self.runs.items()}

    @property
    def _settings(self) -> dict[str, Settings]:
        return {name: run.settings for name, run in self.runs.items()}

    def _writing(self, block: Block) -> AbstractContextManager[dict[str, ShardWriter]]:
        """Give a writer of each run's shard; if the block succeeds, they are put in place."""
        return entering_all(
            {
                name: writing_shard(path, self.head(name, block))
                for name, path in self.shards(block).items()
            }
        )

    @contextmanager
    def _counting(self, block: Block) -> Iterator[None]:
        """Count how often a block is begun: a process that dies over it says nothing else.

        Raises:
            OutputError: if it was begun too often.
        """
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


def _write(writers: Mapping[str, ShardWriter], found: Found) -> None:
    for name, writer in writers.items():
        if isinstance(found, Skipped):
            writer.skip(found)
        else:
            writer.add(found[name])


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
        "what breaks them, then go on with --resume"
    )
