from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_mtcnn import area_resize, cut_one_by_one
from torch import Tensor

from facetl.mtcnn.geometry import place_windows
from facetl.mtcnn.resampling import IntegralImages, cut_windows
from facetl.run_onnx import add_up, crop, resize

SIDES = st.integers(1, 40)
SEEDS = st.integers(0, 2**32 - 1)


def noise(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, height, width, 3), generator=chance, dtype=torch.uint8)


@given(SIDES, SIDES, SIDES, SIDES, SEEDS)
@settings(max_examples=50)
def test_resize_is_torchs_area_interpolation(
    height: int, width: int, new_height: int, new_width: int, seed: int
) -> None:
    images = noise(2, height, width, seed)
    resized = IntegralImages(images).resize((new_height, new_width))
    # Means up to 255 in float32, divided twice: off by 1.5e-5 each time at most.
    expected = area_resize(images, (new_height, new_width)).float()
    torch.testing.assert_close(resized, expected, rtol=0, atol=5e-5)
    for image, own in zip(images.numpy(), resized.numpy(), strict=True):
        assert np.array_equal(resize(add_up(image), (new_height, new_width))[0], own)


@given(SIDES, SIDES, st.sampled_from([1, 12, 24, 48]), SEEDS)
@settings(max_examples=50)
def test_crops_are_torchs_adaptive_pooling(height: int, width: int, size: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    images = noise(3, height, width, seed)
    first = chance.integers(0, [width, height], (8, 2))
    last = chance.integers(first + 1, [width + 1, height + 1])
    windows = torch.from_numpy(np.concatenate([first, last], axis=1))
    image_index = torch.from_numpy(chance.integers(0, 3, 8))
    crops = IntegralImages(images).crop(windows, image_index, size)
    expected = cut_one_by_one(images, windows, image_index, size).float()
    torch.testing.assert_close(crops, expected, rtol=0, atol=5e-5)
    sums = [add_up(image) for image in images.numpy()]
    for window, index, own in zip(windows.numpy(), image_index, crops.numpy(), strict=True):
        assert np.array_equal(crop(sums[index], window[None], size)[0], own)


def test_resize_by_hand() -> None:
    row = torch.tensor([0, 30, 60], dtype=torch.uint8)
    images = row[None, None, :, None].repeat(1, 1, 1, 3)
    # Three pixels in two bins share the middle one: (0 + 30) / 2 and (30 + 60) / 2.
    assert IntegralImages(images).resize((1, 2))[0, 0].tolist() == [[15, 45]]


def test_a_single_pixel_is_stretched_to_the_whole_crop() -> None:
    images = noise(1, 5, 5)
    crop = IntegralImages(images).crop(torch.tensor([[3, 2, 4, 3]]), torch.tensor([0]), 24)
    assert (crop[0] == images[0, 2, 3].float()[:, None, None]).all()


def test_sums_that_wrap_around_32_bits_still_give_the_mean() -> None:
    # The sum of one channel is 3000 * 3000 * 255 = 2.3e9, more than 2^31 = 2.1e9.
    white = IntegralImages(torch.full((1, 3000, 3000, 3), 255, dtype=torch.uint8))
    assert int(white._sums[0, -1, -1, 0]) < 0
    assert (white.resize((7, 5)) == 255).all()
    whole_and_corner = torch.tensor([[0, 0, 3000, 3000], [2990, 2990, 3000, 3000]])
    assert (white.crop(whole_and_corner, torch.tensor([0, 0]), 24) == 255).all()


def test_windows_are_truncated_and_clipped() -> None:
    windows = np.array([[-3.7, 1.9, 5.9, 100.0], [2.0, 2.0, 7.0, 4.0]])
    clipped, _ = place_windows(windows, (10, 6), padding=False)
    assert clipped.tolist() == [[0, 1, 5, 10], [2, 2, 6, 4]]


def test_only_windows_with_a_pixel_are_visible() -> None:
    windows = np.array(
        [[0.0, 0, 1, 1], [0.9, 0, 1.9, 1], [0, 0, 0.9, 5], [-9, 0, -2, 5], [20, 0, 30, 5]]
    )
    _, visible = place_windows(windows, (10, 10), padding=True)
    assert visible.tolist() == [True, True, False, False, False]


def test_a_window_that_leaves_the_image_is_clipped_and_stretched() -> None:
    image = noise(1, 20, 30)[0].numpy()
    leaving = np.array([[-10.0, -10.0, 14.0, 14.0]])
    inside = np.array([[0.0, 0.0, 14.0, 14.0]])
    assert torch.equal(cut_windows(image, leaving, 24), cut_windows(image, inside, 24))


@given(
    corner=st.tuples(st.integers(-40, 29), st.integers(-40, 19)),
    side=st.integers(1, 60),
    size=st.sampled_from([12, 24, 48]),
)
@settings(max_examples=60)
def test_padding_is_the_crop_of_a_frame_with_a_black_border(
    corner: tuple[int, int], side: int, size: int
) -> None:
    x, y = (max(place, 1 - side) for place in corner)
    image = noise(1, 20, 30)[0].numpy()
    framed = np.pad(image, ((60, 60), (60, 60), (0, 0)))
    window = np.array([[x, y, x + side, y + side]], dtype=np.float64)
    padded = cut_windows(image, window, size, padding=True)
    assert torch.equal(padded, cut_windows(framed, window + 60, size))


def test_cut_windows_takes_any_layout_of_memory_and_no_windows() -> None:
    image = noise(1, 20, 30)[0].numpy()
    window = np.array([[3.0, 4.0, 15.0, 16.0]])
    mirrored = cut_windows(image[:, ::-1], np.array([[15.0, 4.0, 27.0, 16.0]]), 12)
    assert torch.equal(mirrored.flip(3), cut_windows(image, window, 12))
    assert cut_windows(image, np.zeros((0, 4)), 12).shape == (0, 3, 12, 12)


def test_a_window_outside_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"outside the image of \(20, 30\) pixels"):
        cut_windows(noise(1, 20, 30)[0].numpy(), np.array([[30.0, 0.0, 40.0, 10.0]]), 12)
