"""Frames that few frames' training does not learn from: fixed once, and for all rounds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_world import save_frames

from facetl.data.dataset import FaceDataset, load_dataset
from facetl.training.batches import split_by_frame
from facetl.training.holding_out import KnownFrames, choose_held_out, hash_image


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> FaceDataset:
    return load_dataset(save_frames(tmp_path_factory.mktemp("frames"), 20))


def first(dataset: FaceDataset, count: int) -> FaceDataset:
    return replace(dataset, frames=dataset.frames[:count])


def test_a_share_is_held_out(dataset: FaceDataset) -> None:
    held_out = choose_held_out(dataset, 0.2, seed=1)
    assert 2 <= len(held_out) <= 4
    assert held_out == choose_held_out(dataset, 0.2, seed=1)
    assert any(held_out != choose_held_out(dataset, 0.2, seed) for seed in range(2, 6))


def test_the_next_round_holds_the_same_frames_out_and_a_fifth_of_the_new(
    dataset: FaceDataset,
) -> None:
    early = first(dataset, 10)
    before = choose_held_out(early, 0.2, seed=1)
    learnt = KnownFrames().plus(early, before)
    later = choose_held_out(dataset, 0.2, seed=2, before=learnt)
    assert before <= later
    new = {frame.name for frame in dataset} - {frame.name for frame in early}
    assert later - before <= new
    assert later - before
    again = choose_held_out(early, 0.2, seed=3, before=learnt)
    assert again == before  # no frame is new


def test_what_was_learnt_from_is_never_held_out_whatever_it_is_called(
    dataset: FaceDataset, tmp_path: Path
) -> None:
    renamed = replace(
        dataset, frames=tuple(replace(each, name=f"other/{each.name}") for each in dataset)
    )
    learnt = KnownFrames().plus(dataset, [])
    assert choose_held_out(renamed, 0.2, seed=1, before=learnt) == frozenset()


def test_near_duplicates_stay_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for shot in range(6):
        picture = rng.integers(0, 256, (48, 64, 3), np.uint8)
        for frame in range(5):
            Image.fromarray(picture + np.uint8(frame % 2)).save(tmp_path / f"{shot}_{frame}.png")
    (tmp_path / "faces.txt").write_text(
        "".join(f"{s}_{f}.png 1 1 20 20 x\n" for s in range(6) for f in range(5))
    )
    held_out = choose_held_out(load_dataset(tmp_path), 0.2, seed=1)
    shots = [name.split("_")[0] for name in held_out]
    assert {shots.count(shot) for shot in shots} == {5}


def test_frames_that_cannot_be_told_apart_are_not_held_out(tmp_path: Path) -> None:
    for name in "abc":
        Image.new("RGB", (40, 40)).save(tmp_path / f"{name}.png")
    (tmp_path / "faces.txt").write_text("a.png 1 1 20 20 x\n")
    assert choose_held_out(load_dataset(tmp_path), 0.2, seed=1) == frozenset()


def test_what_weights_record_comes_back(dataset: FaceDataset) -> None:
    known = KnownFrames().plus(dataset, [dataset.frames[0].name])
    assert KnownFrames.of(known.to_metadata()) == known
    assert known.held_out == {hash_image(dataset.frames[0])}
    assert not known.learnt & known.held_out
    known = known.plus(dataset, [])  # the frame is learnt from after all
    assert not known.held_out


@pytest.mark.parametrize("record", [None, 3, [], {"learnt": [3]}, {"held_out": [None]}])
def test_a_record_of_another_kind_is_none(record: object) -> None:
    assert KnownFrames.of({"held_out": record}) == KnownFrames()


def test_a_training_validates_on_frames_held_out(dataset: FaceDataset, tmp_path: Path) -> None:
    from facetl.training.loop import name_validation_frames
    from facetl.training.patches import load_patches
    from facetl.training.preparation import prepare_patches
    from facetl.training.settings import TrainingSettings

    names = {dataset.frames[3].name, dataset.frames[7].name}
    prepare_patches(dataset, tmp_path / "pnet.patches", held_out=names)
    patches = load_patches(tmp_path / "pnet.patches", "pnet")
    assert set(name_validation_frames(patches, TrainingSettings())) == names
    usual, _ = split_by_frame(patches.frame_index, 0.1, 1, patches.metadata["groups"])
    assert len(usual)
