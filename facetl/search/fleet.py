"""A search by blocks, on this or on many machines, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facetl.errors import OutputError
from facetl.files import about_to_write, note_written, remove_folder
from facetl.reporting import Reporter
from facetl.results.json_lines import require_same_score
from facetl.results.parquet import count_shard, find_shards, read_head, read_shard
from facetl.search import ray_engine
from facetl.search.block_search import Block, BlockSearch
from facetl.search.inputs import none_readable
from facetl.search.pipeline import Searched, SearchRun
from facetl.search.sinks import run_through
from facetl.search.sources import PastPicture, found_by_all
from facetl.search.tally import Tally


@dataclass(frozen=True)
class FleetSearch:
    """A search by blocks, all of them.

    Attributes:
        search: what is done with a block.
        blocks: what is searched.
        fleet: where.
        reporter: is told how the search gets on.
    """

    search: BlockSearch
    blocks: Sequence[Block]
    fleet: ray_engine.Fleet
    reporter: Reporter

    def run(self, out: Path, *, resume: bool) -> dict[str, Tally]:
        """Search everything, or what an earlier search did not come to; return all counts.

        Raises:
            OutputError: if there is nothing to resume, or another search's work.
            ImageError, VideoError: if nothing could be read; nothing is left then.
        """
        about_to_write()
        self.search.clear_marks()
        left = [block for block in self.blocks if not self.search.is_done(block)]
        if resume:
            self._require_resumable(out, len(left))
        else:
            self.search.drawing.make_way([run.name for run in self.search.runs], self.reporter)
        try:
            with self.reporter.resumable(out, lambda: any(map(find_shards, self._folders))):
                self._search(left)
        finally:
            self.search.clear_marks()
        note_written(*self._folders, *self.search.drawing.folders)
        tallies = self._count()
        self._draw_sheets()
        return tallies

    @property
    def _folders(self) -> list[Path]:
        return [run.path for run in self.search.runs]

    def _require_resumable(self, out: Path, left: int) -> None:
        """Raise if nothing is left to search, or shards are not those of this search."""
        for block in self.blocks:
            for run in self.search.runs:
                self._require_same(run, block)
        if not left:
            raise OutputError(
                f"{out} is finished, there is nothing to resume; search again with --force"
            )
        count = len(self.blocks)
        self.reporter.note(f"resuming after {count - left} of {count} shards")

    def _require_same(self, run: SearchRun, block: Block) -> None:
        path, head = self.search.shards(block)[run.name], self.search.head(run, block)
        if path.exists() and (found := read_head(path)) != head:
            require_same_score(path, found.to_json(), head.to_json())
            raise OutputError(
                f"{path}: belongs to a search with other images, weights, settings or "
                "--shard-size; resume with the same command, or start over with --force"
            )

    def _search(self, blocks: Sequence[Block]) -> None:
        found = ray_engine.search_blocks(self.search, blocks, self.fleet)
        for outcome in self.reporter.track(found, "searching shards", len(blocks)):
            for note in outcome.notes:
                self.reporter.note(note)

    def _count(self) -> dict[str, Tally]:
        """Return what all shards hold."""
        tallies = {run.name: Tally(run.settings.score) for run in self.search.runs}
        for block in self.blocks:
            for name, path in self.search.shards(block).items():
                tallies[name].add_shard(count_shard(path, tallies[name].score), block.video)
        if not any(tally.pictures for tally in tallies.values()):
            for folder in self._folders:
                remove_folder(folder)
            videos = sum(block.is_video for block in self.blocks)
            raise none_readable(sum(len(each.pictures) for each in self.blocks) - videos, videos)
        return tallies

    def _draw_sheets(self) -> None:
        """Draw contact sheets of what was cut out, block by block, wherever it was."""
        if not self.search.drawing.cropping:
            return
        scores = {run.name: run.settings.score for run in self.search.runs}
        drawing = replace(self.search.drawing, overlays=False, videos=False, hiding=())
        with drawing.opened(list(scores), (), self.reporter, is_resumed=True) as sinks:
            for block in self.blocks:
                run_through(self._read(block), [], sinks, scores)

    def _read(self, block: Block) -> Iterator[Searched[PastPicture]]:
        """Yield what the shards of a block hold, picture by picture."""
        shards = self.search.shards(block)
        for found in found_by_all({name: read_shard(path) for name, path in shards.items()}):
            yield Searched.of(PastPicture("", block.video), found, is_known=True)
