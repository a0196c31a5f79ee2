from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_training import mirrored_offsets
from torch import Tensor

from facetl.boxes import offsets as offsets_between
from facetl.errors import InputError
from facetl.training.augmentation import _mix, augment, flip
from facetl.training.settings import Augmentation

STILL = Augmentation(flip=0, brightness=0, contrast=0, colour=0, repaint=0)

coordinates = st.integers(-50, 50)


def chance(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_patches(count: int = 40) -> tuple[Tensor, Tensor]:
    pixels = torch.rand(count, 3, 12, 12, generator=chance()) * 255
    return pixels, torch.rand(count, 4, generator=chance()) - 0.5


@given(
    corner=st.tuples(coordinates, coordinates),
    side=st.integers(12, 90),
    box=st.tuples(coordinates, coordinates, st.integers(1, 80), st.integers(1, 80)),
)
@settings(max_examples=50)
def test_a_flip_is_the_mirrored_frame_seen_from_the_window(
    corner: tuple[int, int], side: int, box: tuple[int, int, int, int]
) -> None:
    window = [*corner, corner[0] + side, corner[1] + side]
    corners = [box[0], box[1], box[0] + box[2], box[1] + box[3]]
    straight = offsets_between(np.array([window], float), np.array([corners], float))
    _, turned = flip(torch.zeros(1, 3, 2, 2), torch.from_numpy(straight), torch.tensor([True]))
    assert turned[0].tolist() == pytest.approx(mirrored_offsets(window, corners, 480), abs=1e-12)


def test_a_flip_moves_pixels_and_targets_together() -> None:
    # a face in the columns 1 to 4 of 12: the bright columns are 7 to 10 in the mirror
    pixels = torch.zeros(2, 3, 12, 12)
    pixels[..., 1:5] = 255
    offsets = torch.tensor([[1 / 12, 0.0, -7 / 12, 0.0]] * 2)
    mirrored, turned = flip(pixels, offsets, torch.tensor([True, False]))
    assert bright_columns(mirrored[0].numpy()) == [7, 8, 9, 10]
    assert bright_columns(mirrored[1].numpy()) == [1, 2, 3, 4]
    torch.testing.assert_close(
        turned, torch.tensor([[7 / 12, 0, -1 / 12, 0], [1 / 12, 0, -7 / 12, 0]])
    )


def bright_columns(patch: NDArray[np.float32]) -> list[int]:
    return np.flatnonzero(patch.min(axis=(0, 1)) == 255).tolist()


def test_flipped_twice_is_as_before() -> None:
    pixels, offsets = some_patches()
    mirrored = torch.arange(len(pixels)) % 3 == 0
    again = flip(*flip(pixels, offsets, mirrored), mirrored)
    assert torch.equal(again[0], pixels)
    assert torch.equal(again[1], offsets)


def test_strength_0_changes_nothing() -> None:
    pixels, offsets = some_patches()
    changed, kept = augment(pixels, offsets, STILL, chance())
    assert torch.equal(changed, pixels)
    assert torch.equal(kept, offsets)


def test_half_of_the_patches_are_flipped() -> None:
    pixels, offsets = some_patches(2000)
    _, turned = augment(pixels, offsets, replace(STILL, flip=0.5), chance())
    share = (turned[:, 0] != offsets[:, 0]).float().mean().item()
    assert share == pytest.approx(0.5, abs=0.05)  # four and a half standard deviations


def test_brightness_is_one_factor_a_patch_within_its_range() -> None:
    pixels, offsets = torch.full((2000, 3, 2, 2), 100.0), torch.zeros(2000, 4)
    changed, _ = augment(pixels, offsets, replace(STILL, brightness=0.15), chance())
    factors = changed.flatten(1) / 100
    assert (factors == factors[:, :1]).all()
    assert factors.min().item() == pytest.approx(0.85, abs=0.01)
    assert factors.max().item() == pytest.approx(1.15, abs=0.01)
    assert factors.min() >= 0.85 - 1e-6
    assert factors.max() <= 1.15 + 1e-6


def test_contrast_moves_pixels_from_middle_grey_within_its_range() -> None:
    pixels, offsets = torch.tensor([27.5, 127.5, 227.5]).expand(2000, 3, 3, 3), torch.zeros(2000, 4)
    changed, _ = augment(pixels, offsets, replace(STILL, contrast=0.2), chance())
    torch.testing.assert_close(changed[..., 1], pixels[..., 1])
    factors = (changed[..., 2] - 127.5) / 100
    torch.testing.assert_close(factors, (127.5 - changed[..., 0]) / 100)
    assert (factors.flatten(1) == factors.flatten(1)[:, :1]).all()
    assert factors.min().item() == pytest.approx(0.8, abs=0.01)
    assert factors.max().item() == pytest.approx(1.2, abs=0.01)


def test_some_patches_are_painted_in_other_colours() -> None:
    pixels = torch.tensor([10.0, 20.0, 30.0])[:, None, None].expand(6000, 3, 2, 2)
    changed, _ = augment(pixels, torch.zeros(6000, 4), replace(STILL, repaint=0.6), chance())
    assert (changed == changed[:, :, :1, :1]).all()
    orders = Counter(tuple(order) for order in changed[:, :, 0, 0].tolist())
    # each of the six orders gets a tenth; their own also what is not repainted, two fifths
    expected: dict[tuple[float, ...], float] = dict.fromkeys(permutations((10.0, 20, 30)), 0.1)
    expected[10, 20, 30] = 0.5
    assert {order: count / 6000 for order, count in orders.items()} == pytest.approx(
        expected, abs=0.025
    )


def test_some_patches_are_grey_and_some_mixed_at_random() -> None:
    colours = torch.tensor([[200.0, 120.0, 60.0], [90.0, 90.0, 90.0]])  # skin; grey stays grey
    pixels = colours.T[None, :, :, None].expand(6000, 3, 2, 1)
    changes = replace(STILL, grey=0.3, mix=0.2)
    changed, offsets = augment(pixels, torch.ones(6000, 4), changes, chance())
    assert (offsets == 1).all()
    torch.testing.assert_close(changed[:, :, 1, 0], torch.full((6000, 3), 90.0))
    skin = changed[:, :, 0, 0]
    same = (skin == colours[0]).all(dim=1)
    grey = (skin == skin[:, :1]).all(dim=1)
    shares = [mask.double().mean().item() for mask in (same, grey, ~same & ~grey)]
    # a mixture may leave the range in all three channels, and is then black or white
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.03)
    assert skin[grey].std() > 5  # the weights of the channels differ
    assert len(torch.unique(skin[~same & ~grey], dim=0)) > 500


def test_a_mixture_is_a_weighted_sum_of_the_channels() -> None:
    pixels, _ = some_patches(5)
    mixtures = torch.stack([torch.eye(3), *torch.rand(4, 3, 3, generator=chance(3))])
    mixed = _mix(pixels, mixtures)
    for patch, weights, old in zip(mixed, mixtures, pixels, strict=True):
        for channel in range(3):
            slow = sum(weights[channel, source] * old[source] for source in range(3))
            torch.testing.assert_close(patch[channel], slow)


def test_without_grey_and_mixtures_chance_is_as_before() -> None:
    generator = chance()
    augment(*some_patches(), Augmentation(), generator)
    expected = chance()
    for shape in ((40,), (40, 1), (40, 1), (40, 3), (40, 3), (40, 1)):
        torch.rand(shape, generator=expected)
    assert torch.equal(torch.rand(9, generator=generator), torch.rand(9, generator=expected))


def test_more_grey_and_mixtures_than_patches_are_refused() -> None:
    with pytest.raises(InputError, match=r"found grey 0\.6 and mix 0\.5, expected 1 or less"):
        Augmentation(grey=0.6, mix=0.5)


def test_colour_is_one_shift_a_channel_within_its_range() -> None:
    pixels, offsets = torch.full((2000, 3, 2, 2), 100.0), torch.zeros(2000, 4)
    changed, _ = augment(pixels, offsets, replace(STILL, colour=0.2), chance())
    shifts = (changed - 100).flatten(2)
    assert (shifts == shifts[..., :1]).all()
    assert not (shifts[:, 0] == shifts[:, 1]).all()
    # a fifth of half the range, 127.5, either way
    assert shifts.min().item() == pytest.approx(-25.5, abs=0.2)
    assert shifts.max().item() == pytest.approx(25.5, abs=0.2)
    assert shifts.abs().max() <= 25.5 + 1e-4


def test_pixels_stay_pixels() -> None:
    pixels, offsets = some_patches()
    changed, _ = augment(pixels, offsets, Augmentation(0.5, 1, 1, 1, 1), chance())
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_the_generator_decides() -> None:
    patches = some_patches()
    one, same, other = (augment(*patches, Augmentation(), chance(seed)) for seed in (7, 7, 8))
    assert torch.equal(one[0], same[0])
    assert torch.equal(one[1], same[1])
    assert not torch.equal(one[0], other[0])


@pytest.mark.parametrize("strength", [-0.1, 1.5, math.nan])
@pytest.mark.parametrize("name", ["flip", "brightness", "contrast", "colour", "repaint"])
def test_a_strength_out_of_range_is_refused(name: str, strength: float) -> None:
    with pytest.raises(InputError, match=f"found {name} {strength}, expected 0 to 1"):
        Augmentation(**{name: strength})
