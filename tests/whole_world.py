"""Frames, patches, detections and a video that are whole, for commands to work on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner
from drawn_videos import write_video
from outcomes import success
from tiny_world import save_frames

from facetl.cli import main
from facetl.data.images import load_image


class World(NamedTuple):
    """What commands work on.

    Attributes:
        frames: annotated frames, ``0.png``, ``1.png``, …
        patches: a folder with PNet's patches of them.
        results: a folder with one run over them.
        video: of the same frames.
    """

    frames: Path
    patches: Path
    results: Path
    video: Path

    @property
    def faces(self) -> Path:
        """The frames' annotation file."""
        return self.frames / "faces.txt"


NO_WORLD = World(*[Path()] * len(World._fields))
"""Stands for one where commands are only named."""


def make_world(folder: Path, count: int) -> World:
    """Make everything, of so many frames, in a folder."""
    world = World(*(folder / name for name in ("frames", "patches", "results", "film.mp4")))
    save_frames(world.frames, count)
    for command, out in (("prepare", world.patches), ("detect", world.results)):
        success(CliRunner().invoke(main, [command, str(world.frames), "--out", str(out)]))
    write_video(world.video, [load_image(world.frames / f"{n}.png") for n in range(count)])
    return world
