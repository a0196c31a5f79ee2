from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_training import blob_patches, save_patches

from facetl.errors import InputError
from facetl.mtcnn.networks import PNet
from facetl.training.batches import Indices, balanced_batches, load_batch, split_by_frame
from facetl.training.loop import train
from facetl.training.patches import load_patches
from facetl.training.sampling import Label
from facetl.training.settings import TrainingSettings

SHARES: dict[Label, float] = {Label.NEGATIVE: 3, Label.POSITIVE: 1, Label.PART: 1}


def labels_of(negatives: int, positives: int, parts: int) -> NDArray[np.uint8]:
    """Return labels in a mixed order."""
    labels = np.repeat(np.arange(3, dtype=np.uint8), (negatives, positives, parts))
    return np.random.default_rng(0).permutation(labels)


def epoch(labels: NDArray[np.uint8], batch_size: int, seed: object = 1) -> Indices:
    return balanced_batches(labels, batch_size, SHARES, np.random.default_rng(seed))  # type: ignore[arg-type]


def class_counts(labels: NDArray[np.uint8], batches: Indices) -> list[list[int]]:
    return [np.bincount(labels[batch], minlength=3).tolist() for batch in batches]


@given(
    frame_index=st.lists(st.integers(0, 9), min_size=2, max_size=60),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=50)
def test_no_frame_is_on_both_sides(frame_index: list[int], share: float, seed: int) -> None:
    frames = np.array([*frame_index, 10])  # one more, so that there are two
    training, validation = split_by_frame(frames, share, seed)
    assert set(frames[training]).isdisjoint(frames[validation])
    assert sorted([*training, *validation]) == list(range(len(frames)))
    assert len(training) > 0
    assert len(validation) > 0


def test_the_share_is_one_of_frames_not_of_patches() -> None:
    # 20 frames, of which the first has half of all patches: a quarter are 5 frames in any case
    frames = np.repeat(np.arange(20), [19] + [1] * 19)
    _, validation = split_by_frame(frames, 0.25, 3)
    assert len(np.unique(frames[validation])) == 5


def test_the_split_depends_on_the_seed_alone() -> None:
    frames = np.repeat(np.arange(30), 4)
    first, again, other = (split_by_frame(frames, 0.2, seed)[1] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize("frame_index", [[], [7, 7, 7]])
def test_fewer_than_two_frames_cannot_be_split(frame_index: list[int]) -> None:
    with pytest.raises(InputError, match=r"patches of [01] frame\(s\), expected at least 2"):
        split_by_frame(np.array(frame_index, dtype=np.int32), 0.1, 1)


@given(
    groups=st.lists(st.integers(0, 9), min_size=2, max_size=40),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=50)
def test_no_group_is_on_both_sides(groups: list[int], share: float, seed: int) -> None:
    groups = [*groups, 10]  # one more, so that there are two
    frames = np.repeat(np.arange(len(groups)), 3)
    training, validation = split_by_frame(frames, share, seed, groups)
    of_patch = np.array(groups)[frames]
    assert set(of_patch[training]).isdisjoint(of_patch[validation])
    assert sorted([*training, *validation]) == list(range(len(frames)))
    assert len(training) > 0
    assert len(validation) > 0


@pytest.mark.parametrize("seed", range(10))
def test_a_share_of_frames_is_held_out_in_groups(seed: int) -> None:
    # of 100 frames in groups of 5, or of 1, a fifth is 20: four of the one, or some of both
    fives = np.arange(100) // 5
    mixed = np.concatenate([fives[:50], np.arange(10, 60)])
    for groups in (fives, mixed):
        _, validation = split_by_frame(np.arange(100), 0.2, seed, groups)
        assert len(validation) == 20


@pytest.mark.parametrize("seed", range(10))
def test_a_long_shot_is_not_held_out(seed: int) -> None:
    # 3 of 30 frames are asked for: the shot of 25 is too long
    groups = [0] * 25 + [1, 2, 3, 4, 5]
    _, validation = split_by_frame(np.arange(30), 0.1, seed, groups)
    assert len(validation) == 3
    assert validation.min() >= 25


def test_if_all_groups_are_too_large_the_smallest_is_held_out() -> None:
    _, validation = split_by_frame(np.arange(10), 0.1, 1, [0] * 6 + [1] * 4)
    assert validation.tolist() == [6, 7, 8, 9]


def test_frames_that_are_all_alike_are_divided_after_all() -> None:
    together = split_by_frame(np.arange(30), 0.1, 1, [7] * 30)
    apart = split_by_frame(np.arange(30), 0.1, 1)
    assert [side.tolist() for side in together] == [side.tolist() for side in apart]
    assert len(together[1]) == 3


def test_without_likeness_groups_change_nothing() -> None:
    frames = np.repeat([2, 5, 6, 9], 3)
    grouped, plain = split_by_frame(frames, 0.5, 1, range(10)), split_by_frame(frames, 0.5, 1)
    assert [side.tolist() for side in grouped] == [side.tolist() for side in plain]


def test_every_frame_needs_a_group() -> None:
    with pytest.raises(InputError, match=r"groups of 3 frames and patches of frame 3, .* again"):
        split_by_frame(np.arange(4), 0.5, 1, [0, 1, 2])


def test_training_splits_by_the_groups_of_the_patch_file() -> None:
    patches = replace(blob_patches(frames=3, each=4), metadata={"groups": [0]})
    with pytest.raises(InputError, match="groups of 1 frames"):
        next(train(PNet(), "pnet", patches, TrainingSettings()))


def test_every_batch_has_the_same_share_of_every_class() -> None:
    labels = labels_of(500, 300, 200)
    batches = epoch(labels, 50)
    assert class_counts(labels, batches) == [[30, 10, 10]] * 20
    assert batches.shape == (20, 50)


def test_shares_that_do_not_divide_a_batch_still_add_up() -> None:
    # a fifth of 64 is 12.8: edges at 38.4 and 51.2 are rounded to 38 and 51
    labels = labels_of(100, 100, 100)
    assert class_counts(labels, epoch(labels, 64)) == [[38, 13, 13]] * 5


def test_the_last_batch_of_an_epoch_is_filled_up() -> None:
    assert epoch(labels_of(60, 30, 11), 20).shape == (6, 20)  # 101 patches: 5 batches and 1 patch


def test_classes_without_patches_leave_their_room_to_the_others() -> None:
    labels = labels_of(90, 10, 0)
    assert class_counts(labels, epoch(labels, 20)) == [[15, 5, 0]] * 5


def test_a_class_without_a_share_is_left_out() -> None:
    labels = labels_of(90, 10, 50)
    shares = {**SHARES, Label.PART: 0.0}
    batches = balanced_batches(labels, 50, shares, np.random.default_rng(1))
    assert class_counts(labels, batches) == [[38, 12, 0]] * 3  # 37.5 is rounded to the even 38


def test_a_rare_class_goes_round_and_round() -> None:
    labels = labels_of(96, 4, 0)
    batches = epoch(labels, 20)
    drawn = batches[labels[batches] == Label.POSITIVE]
    times = np.bincount(drawn)[labels[: drawn.max() + 1] == Label.POSITIVE]
    # 5 batches with 5 places for 4 patches: six rounds, and one of them once more
    assert sorted(times) == [6, 6, 6, 7]


def test_a_plentiful_class_is_seen_without_repetition() -> None:
    labels = labels_of(900, 50, 50)
    drawn = epoch(labels, 100)
    negatives = drawn[labels[drawn] == Label.NEGATIVE]
    assert len(negatives) == len(np.unique(negatives)) == 600


def test_batches_are_in_the_order_of_the_file() -> None:
    batches = epoch(labels_of(50, 30, 20), 10)
    assert (np.diff(batches, axis=1) >= 0).all()


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    labels = labels_of(500, 300, 200)
    first, again, later, other = (epoch(labels, 50, of) for of in ([1, 1], [1, 1], [1, 2], [2, 1]))
    assert (first == again).all()
    assert (first != later).any()
    assert (first != other).any()


def test_a_batch_too_small_for_a_class_is_refused() -> None:
    with pytest.raises(
        InputError,
        match=r"a batch of 2 has no room for part patches with a share of 1 in 5; .*size",
    ):
        epoch(labels_of(5, 5, 5), 2)


def test_a_fingerprint_tells_patches_apart(tmp_path: Path) -> None:
    patches = blob_patches(frames=3, each=4)
    saved = load_patches(save_patches(tmp_path / "pnet.patches", patches))
    again = load_patches(save_patches(tmp_path / "again.patches", patches))
    assert saved.fingerprint == again.fingerprint
    darker = replace(saved, pixels=saved.pixels // 2)
    moved = replace(saved, windows=saved.windows + 1)
    fewer = load_patches(save_patches(tmp_path / "two.patches", blob_patches(frames=2, each=4)))
    renamed = replace(saved, metadata={**saved.metadata, "frames": ["other.jpg"] * 3})
    prints = {each.fingerprint for each in (saved, darker, moved, fewer, renamed)}
    assert len(prints) == 5


def test_a_batch_is_what_the_file_holds() -> None:
    patches = blob_patches(frames=2, each=2)
    chosen = np.array([1, 4, 10])
    batch = load_batch(patches, chosen, torch.device("cpu"))
    assert batch.pixels.dtype == torch.float32
    assert (batch.pixels.permute(0, 2, 3, 1).numpy() == patches.pixels[chosen]).all()
    assert batch.pixels.is_contiguous(memory_format=torch.channels_last)
    assert batch.labels.tolist() == [0, 2, 2]
    assert (batch.offsets.numpy() == patches.offsets[chosen]).all()
    sides = patches.windows[chosen, 3] - patches.windows[chosen, 1]
    assert batch.sides.tolist() == sides.tolist()
