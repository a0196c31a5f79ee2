"""``facetl detect --engine ray``: a search cut into blocks, on this or on many machines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli.console import note, track
from facetl.cli.ending import resumable
from facetl.cli.folders import describe_lasting, describe_score
from facetl.cli.options import is_given
from facetl.cli.videos import name_videos
from facetl.errors import ImageError, OutputError, VideoError
from facetl.files import about_to_write, note_written, remove_folder

if TYPE_CHECKING:
    from facetl.cli.videos import Viewing
    from facetl.mtcnn.detector import Detector
    from facetl.search.block_search import BlockSearch, Outcome, RunPlan
    from facetl.search.blocks import Block
    from facetl.search.pipeline import NamedImage
    from facetl.search.ray_engine import Fleet
    from facetl.search.settings import Settings

RAY = "ray"
"""What --engine is called for it."""
SHARD_SIZE = 256


def fleet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that --engine ray has of its own."""
    for option in (
        click.option(
            "--shard-size",
            type=click.IntRange(min=1),
            default=SHARD_SIZE,
            help="With --engine ray: images in a Parquet shard; of videos each has one.",
        ),
        click.option(
            "--address",
            metavar="HOST:PORT",
            help="With --engine ray: a cluster that runs already, or auto; without it a Ray is "
            "started on this machine.",
        ),
    ):
        command = option(command)
    return command


def settle_fleet(engine: str, address: str | None, workers: int) -> Fleet | None:
    """Return where blocks are searched; None if there is to be no Ray.

    Raises:
        InputError: if Ray is not installed.
    """
    if engine != RAY:
        for option in ("--address", "--shard-size"):
            if is_given(option.removeprefix("--").replace("-", "_")):
                raise click.UsageError(f"{option} is for --engine ray; add that or leave it out")
        return None
    from facetl.search.ray_engine import Fleet, require_ray

    require_ray(address)
    return Fleet(address, workers if is_given("workers") else None)


@dataclass(frozen=True)
class FleetSearch:
    """A search of images or videos by blocks, on one or many machines.

    Attributes:
        pictures: what is searched.
        runs: by name, with the places of their shards.
        fleet: where blocks are searched.
        batch_size: images that go through the networks together.
        shard_size: images in a block.
        viewing: how videos are looked at; None for images.
    """

    pictures: Sequence[NamedImage]
    runs: Mapping[str, RunPlan]
    fleet: Fleet
    batch_size: int
    shard_size: int
    viewing: Viewing | None

    def run(self, out: Path, *, resume: bool) -> bool:
        """Search everything, or what an earlier search did not come to; return if all was read.

        Raises:
            OutputError: if there is nothing to resume, or another search's work.
            ImageError, VideoError: if nothing could be read; nothing is left then.
        """
        from facetl.results.parquet import find_shards

        about_to_write()
        blocks = self._cut()
        search = self._plan(len(blocks))
        search.clear_marks()
        done: list[Block] = []
        left: list[Block] = []
        for block in blocks:
            (done if search.is_done(block) else left).append(block)
        if resume:
            _require_same(search, blocks)
            if not left:
                raise OutputError(
                    f"{out} is finished, there is nothing to resume; search anew with --force"
                )
            note(f"going on after {len(done)} of {len(blocks)} shards")
        try:
            with resumable(out, lambda: any(find_shards(run.folder) for run in self.runs.values())):
                found = self._search(search, left)
        finally:
            search.clear_marks()
        note_written(*(run.folder for run in self.runs.values()))
        return self._report([*map(search.tell, done), *found], out)

    def _cut(self) -> list[Block]:
        from facetl.search.blocks import cut_into_blocks

        pictures = name_videos(self.pictures) if self.viewing else self.pictures
        absolute = [replace(each, path=each.path.absolute()) for each in pictures]
        return cut_into_blocks(absolute, 1 if self.viewing else self.shard_size)

    def _plan(self, blocks: int) -> BlockSearch:
        from facetl.search.block_search import BlockSearch, VideoPlan

        viewing = self.viewing
        video = VideoPlan(viewing.every, viewing.skip_still) if viewing else None
        return BlockSearch(self.runs, blocks, self.batch_size, video)

    def _search(self, search: BlockSearch, blocks: Sequence[Block]) -> list[Outcome]:
        from facetl.search.ray_engine import search_blocks

        outcomes = []
        found = search_blocks(search, blocks, self.fleet)
        for outcome in track(found, "searching shards", len(blocks)):
            outcomes.append(outcome)
            for reason in outcome.skipped:
                note(f"skipped {reason}")
        return outcomes

    def _report(self, outcomes: Iterable[Outcome], out: Path) -> bool:
        """Say what was found; return whether all could be read."""
        frames = skipped = 0
        faces: Counter[str] = Counter()
        boxes: Counter[str] = Counter()
        for outcome in outcomes:
            frames += outcome.frames
            skipped += len(outcome.skipped)
            faces.update(outcome.faces)
            boxes.update(outcome.boxes)
        if not frames:
            for run in self.runs.values():
                remove_folder(run.folder)
            raise self._tell_unreadable()
        what = "frames" if self.viewing else "images"
        for name, run in self.runs.items():
            click.echo(f"{name}: {faces[name]} faces in {frames} {what} ({skipped} skipped)")
            click.echo(describe_score(run.settings.score, boxes[name]))
        click.echo(f"wrote {out}")
        return not skipped

    def _tell_unreadable(self) -> ImageError | VideoError:
        kind, what = (VideoError, "videos") if self.viewing else (ImageError, "images")
        return kind(f"none of the {len(self.pictures)} {what} could be read; give others")


def plan_runs(
    detectors: Mapping[str, Detector],
    settings: Mapping[str, Settings],
    facts: Mapping[str, Mapping[str, Any]],
    viewing: Viewing | None,
    out: Path,
) -> dict[str, RunPlan]:
    """Return the runs of a search, each with the folder of its shards, by name."""
    from facetl.results.store import SHARDS_SUFFIX
    from facetl.search.block_search import RunPlan

    seen = {"every": str(viewing.every), "skip_still": viewing.skip_still} if viewing else {}
    plans = {}
    for name, detector in detectors.items():
        told = {**settings[name].to_json(), **facts[name], **seen}
        lasting = json.dumps(describe_lasting(told))
        described = json.loads(lasting)  # as it will be read: tuples become lists
        folder = (out / f"{name}{SHARDS_SUFFIX}").absolute()
        plans[name] = RunPlan(detector, settings[name], described, folder)
    return plans


def _require_same(search: BlockSearch, blocks: Sequence[Block]) -> None:
    """Raise if shards that are there are not those of this search.

    Raises:
        OutputError: naming one.
        DetectionsError: if one is damaged.
    """
    from facetl.results.json_lines import require_same_score
    from facetl.results.parquet import read_head

    for block in blocks:
        for name, path in search.shards(block).items():
            if path.exists() and (found := read_head(path)) != search.head(name, block):
                require_same_score(path, found.to_json(), search.head(name, block).to_json())
                raise OutputError(
                    f"{path}: belongs to a search with other images, weights, settings or "
                    "--shard-size; resume with the same command, or start anew with --force"
                )
