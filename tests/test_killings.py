"""``kill -9`` at random moments of ``prepare``, ``train``, ``detect --stream`` and ``compare``.

Each time the same command with ``--resume`` follows, and leaves the files of an unbroken run, all
of them, byte for byte.  Three moments a command by default; ``FACETL_KILLS=20`` sets how many.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from drawn_videos import pictures, write_video
from outcomes import contents
from tiny_world import save_frames
from warm import Ending, Warm

from facetl.manifests.fingerprints import MANIFEST
from facetl.mtcnn.weights import Weights, load_pretrained_stage, save_weights

KILLS = int(os.environ.get("FACETL_KILLS", "3"))
STUDY = """
description = "A small one"
stages = ["rnet"]
frames = [6]
seeds = [1]

[epochs]
pnet = 1
rnet = 1
onet = 1

[[methods]]
regulariser = "l2-sp"
"""


class World(NamedTuple):
    """What the commands work on."""

    frames: Path
    study: Path
    weights: Path
    mixed: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    study = folder / "small.toml"
    study.write_text(STUDY)
    weights = folder / "pnet.safetensors"
    save_weights(weights, Weights({"pnet": load_pretrained_stage("pnet")}))
    frames = save_frames(folder / "frames", 12)
    mixed = save_frames(folder / "mixed", 3)
    write_video(mixed / "a.mp4", pictures(2, 20))
    write_video(mixed / "b.mp4", pictures(0, 10))
    return World(frames, study, weights, mixed)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with Warm(tmp_path_factory.mktemp("said")) as process:
        yield process


def prepare(world: World, out: Path) -> list[object]:
    mined = ("--stage", "rnet", "--weights", world.weights)
    return ["prepare", world.frames, *mined, "--workers", "1", "--out", out]


def train(world: World, out: Path) -> list[object]:
    epochs = ("--epochs", "2", "1", "1")
    return ["train", world.frames, "--workers", "1", *epochs, "--out", out / "all.safetensors"]


def detect(world: World, out: Path) -> list[object]:
    how = ("--workers", "1", "--batch-size", "1", "--stream", "--overlays", "--export", "csv")
    both = ("--weights", "pretrained", "--weights", "cartoon")
    return ["detect", world.frames, *both, *how, "--out", out]


def compare(world: World, out: Path) -> list[object]:
    return ["compare", world.frames, "--workers", "1", "--study", world.study, "--out", out]


def detect_videos(world: World, out: Path) -> list[object]:
    how = ("--workers", "1", "--batch-size", "2", "--stream", "--skip-still")
    drawn = ("--overlays", "--crops", "--video", "--export", "csv")
    return ["detect", world.mixed, *how, *drawn, "--out", out]


COMMANDS = [prepare, train, detect, detect_videos, compare]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_a_command_that_is_killed_is_gone_on_with_to_the_same_end(
    command: Callable[[World, Path], list[object]], world: World, warm: Warm, tmp_path: Path
) -> None:
    """Moments are drawn over the time of an unbroken run; one that comes too late is drawn anew."""
    unbroken = warm.run(command(world, tmp_path / "whole"))
    assert unbroken.code == 0, unbroken.stderr
    expected = contents(tmp_path / "whole")
    chance, length, out = Random(KILLS), unbroken.seconds, tmp_path / "broken"
    killed = 0
    while killed < KILLS:
        moment = chance.uniform(0, length)
        ending = warm.run(command(world, out), (moment, signal.SIGKILL))
        if ending.was_killed:
            killed += 1
            print(f"killed after {moment:.2f} of {length:.2f} s, files: {len(contents(out))}")
            resumed = warm.run([*command(world, out), "--resume"])
            has_ended = _was_finished(resumed)
            assert resumed.code == 0 or has_ended, resumed.stderr
        else:
            has_ended = False
            assert ending.code == 0, ending.stderr
            length = ending.seconds
        held = contents(out)
        if (out / "manifest.json").exists() or not has_ended:
            assert held == expected
        else:  # killed after the last output, before the manifest told of it
            assert held == {name: each for name, each in expected.items() if name != MANIFEST}
        shutil.rmtree(out, ignore_errors=True)


def _was_finished(ending: Ending) -> bool:
    """Return whether the signal came after the last byte: then there is nothing to go on with."""
    return ending.code == 1 and "finished, there is nothing to resume" in ending.stderr
