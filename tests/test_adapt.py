"""``facetl adapt``: learns from what a detector is sure of, and says when that is too little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from click.testing import CliRunner, Result
from drawn_frames import draw_frame
from drawn_videos import pictures, write_video
from outcomes import complaint, left_in, success

from facetl.boxes import iou
from facetl.cli import main
from facetl.commands import adapt as module
from facetl.data.dataset import FaceDataset, load_dataset
from facetl.data.images import save_image
from facetl.mtcnn.weights import load_weights
from facetl.training.cascade import Training
from facetl.training.stages import STAGE_FACTS

FRAMES = 16


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Train for an epoch of few patches."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_EPOCHS", (1, 1, 1))
        for stage, facts in STAGE_FACTS.items():
            patched.setitem(STAGE_FACTS, stage, replace(facts, least_patches=0))
        yield


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of the built-in cartoon without annotations."""
    folder = tmp_path_factory.mktemp("show")
    for index in range(FRAMES):
        save_image(folder / f"{index:02}.png", draw_frame(seed=1, part="test", index=index).image)
    return folder


@pytest.fixture
def labelled(monkeypatch: pytest.MonkeyPatch) -> list[FaceDataset]:
    """The frames that trainings were given, as they were labelled."""
    given: list[FaceDataset] = []
    run = Training.run

    def note(self: Training) -> object:
        given.append(self.dataset)
        return run(self)

    monkeypatch.setattr(Training, "run", note)
    return given


def call(*arguments: object) -> Result:
    given = ["adapt", *map(str, arguments), "--workers=1", "--device=cpu"]
    return CliRunner().invoke(main, given)


def test_sure_faces_are_real_ones_and_are_learnt(
    show: Path, tmp_path: Path, labelled: list[FaceDataset]
) -> None:
    out = tmp_path / "mine.safetensors"
    result = success(call(show, "--out", out))
    (dataset,) = labelled
    truth = {f"{i:02}.png": draw_frame(seed=1, part="test", index=i).boxes for i in range(FRAMES)}
    real, drawn = dataset.frames[:FRAMES], dataset.frames[FRAMES:]
    assert {frame.name for frame in real} == truth.keys()
    assert len(drawn) == FRAMES
    overlaps = [iou(frame.boxes, truth[frame.name]).max(axis=1, initial=0) for frame in real]
    assert np.mean(np.concatenate(overlaps) > 0.5) > 0.9
    assert f"learnt from {FRAMES} frames: " in result.stdout
    before, after = load_weights("cartoon"), load_weights(out)
    assert any(
        not np.array_equal(after.stages["onet"][name], values)
        for name, values in before.stages["onet"].items()
    )
    assert not [name for name in left_in(tmp_path) if "labelled" in name or ".work" in name]
    assert "next: facetl detect" in result.stderr


def test_what_is_doubtful_is_neither_face_nor_background(
    show: Path, tmp_path: Path, labelled: list[FaceDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SURE", 0.9995)
    monkeypatch.setattr(module, "FEWEST_SURE", 1)
    success(call(show, "--out", tmp_path / "mine.safetensors"))
    (dataset,) = labelled
    assert dataset.ignored_count > 0
    for frame in dataset:
        assert not (iou(frame.boxes, frame.ignored) > 0.9).any()


def test_at_most_so_many_frames_are_taken_from_all_of_the_show(
    show: Path, tmp_path: Path, labelled: list[FaceDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FEWEST_SURE", 1)
    result = success(call(show, "--count", 4, "--out", tmp_path / "mine.safetensors"))
    assert "learnt from 4 frames" in result.stdout


def test_frames_of_videos_are_picked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEWEST_SURE", 1)
    shots = [picture for index in (0, 2, 4) for picture in pictures(index, 5, step=1)]
    video = write_video(tmp_path / "episode.mp4", shots)
    out = tmp_path / "out" / "mine.safetensors"
    out.parent.mkdir()
    result = success(call(video, "--every", "1", "--count", 3, "--out", out))
    assert "learnt from 3 frames" in result.stdout
    assert not [name for name in left_in(out.parent) if "labelled" in name]


def test_too_few_sure_faces_are_no_lesson(tmp_path: Path) -> None:
    folder, out = tmp_path / "empty", tmp_path / "mine.safetensors"
    for index in range(3):
        save_image(folder / f"{index}.png", np.full((90, 120, 3), 40 * index, np.uint8))
    assert "sure of 0 faces in 3 frames" in complaint(call(folder, "--out", out))
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_what_is_there_is_not_overwritten(show: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    out.write_bytes(b"precious")
    assert "--force" in complaint(call(show, "--out", out))
    assert out.read_bytes() == b"precious"


def test_an_interrupted_training_is_resumed(
    show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mine.safetensors"

    def stop(self: Training) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Training, "run", stop)
        assert call(show, "--out", out).exit_code != 0
    place = tmp_path / "mine.safetensors.labelled"
    assert load_dataset(place).face_count
    assert "--resume" in complaint(call(show, "--out", out))
    with monkeypatch.context() as patched:
        patched.setattr(module, "_label_all", stop)
        success(call(show, "--out", out, "--resume"))
    assert out.exists()
    assert not place.exists()
