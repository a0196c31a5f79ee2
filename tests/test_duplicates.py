from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_frames import draw_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from reference_duplicates import distance, groups_of, mean_of_areas

from facetl.boxes import as_boxes
from facetl.data.dataset import load_dataset
from facetl.data.frame import Frame
from facetl.data.images import save_image
from facetl.data.near_duplicates import (
    NEAR_TWIN,
    UNLIKE,
    group_near_duplicates,
    load_thumbnails,
    nearest_distances,
    stack_thumbnails,
    thumbnail,
)

DEXTER = Path(__file__).resolve().parents[2] / "shared/data/dexter"
Rows = NDArray[np.float32]


def plain(*greys: float) -> Rows:
    """Thumbnails of one grey each: their distances are the differences of the greys."""
    return np.repeat(np.array(greys, dtype=np.float32)[:, None], 432, axis=1)


def rows(least: int, most: int) -> st.SearchStrategy[Rows]:
    """From ``least`` to ``most`` thumbnails of six plain stripes, some of them alike."""
    shape = st.tuples(st.integers(least, most), st.just(6))
    stripes = arrays(np.float32, shape, elements=st.sampled_from([0, 3, 6, 12, 30]))
    return stripes.map(lambda greys: np.repeat(greys, 72, axis=1))


def test_a_thumbnail_is_18_rows_of_24_mean_greys() -> None:
    pixels = np.zeros((36, 48, 3), dtype=np.uint8)
    pixels[:2, :2] = 100  # the first cell whole
    pixels[34:, 47:] = (0, 255, 0)  # the last one half green, which is 150 in grey
    small = thumbnail(pixels)
    assert small.shape == (432,)
    assert small.dtype == np.float32
    assert (small[0], small[1], small[-1]) == (100, 0, 75)


@given(seed=st.integers(0, 2**32 - 1), scale=st.integers(1, 4))
@settings(max_examples=50)
def test_a_thumbnail_is_the_mean_of_areas(seed: int, scale: int) -> None:
    shape = (18 * scale, 24 * scale, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    # grey is rounded to whole values before it is averaged
    np.testing.assert_allclose(thumbnail(pixels), mean_of_areas(pixels), atol=0.6)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 300, 3), (500, 17, 3)])
def test_pictures_of_any_shape_have_a_thumbnail(shape: tuple[int, int, int]) -> None:
    assert thumbnail(np.full(shape, 40, dtype=np.uint8)).tolist() == [40] * 432


@pytest.mark.parametrize("pixels", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3))])
def test_other_arrays_are_refused(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8, got \(5, 5"):
        thumbnail(pixels)


def test_a_frame_is_near_its_brighter_self_and_far_from_another_scene() -> None:
    one, other = (draw_frame(1, "train", index).image for index in (0, 1))
    brighter = np.minimum(one.astype(int) + 3, 255).astype(np.uint8)
    near, far = nearest_distances(
        stack_thumbnails([thumbnail(brighter), thumbnail(other)]), thumbnail(one)[None]
    )
    assert 2 < near <= 3 < NEAR_TWIN
    assert far > UNLIKE


def test_the_nearest_of_several_counts() -> None:
    assert nearest_distances(plain(10, 90), plain(0, 13, 255)).tolist() == [3, 77]


@given(thumbnails=rows(0, 8), others=rows(0, 8))
@settings(max_examples=50)
def test_distances_are_those_of_every_pair(thumbnails: Rows, others: Rows) -> None:
    expected = [min((distance(a, b) for b in others), default=np.inf) for a in thumbnails]
    found = nearest_distances(thumbnails, others)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_chains_are_one_group_and_groups_are_numbered_by_their_first_frames() -> None:
    # 100, 104, 108 by steps of 4, though 100 and 108 are 8 apart; 103 to 108 is 5: not below it
    assert group_near_duplicates(plain(50, 108, 100, 49, 104, 200)).tolist() == [0, 1, 1, 0, 1, 2]
    assert group_near_duplicates(plain(103, 108)).tolist() == [0, 1]


@given(thumbnails=rows(0, 10), limit=st.sampled_from([0.0, 1.0, 3.0, 5.0, 12.0]))
@settings(max_examples=50)
def test_groups_are_those_of_a_walk_along_all_pairs(thumbnails: Rows, limit: float) -> None:
    groups = group_near_duplicates(thumbnails, limit)
    if limit:
        assert groups.tolist() == groups_of(thumbnails, limit)
    else:  # nothing is closer than 0
        assert groups.tolist() == list(range(len(thumbnails)))


@given(thumbnails=rows(2, 10), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_groups_are_not_nearer_than_the_limit(thumbnails: Rows, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(thumbnails)
    groups = group_near_duplicates(shuffled)
    for group in np.unique(groups)[1:]:
        inside = groups == group
        assert nearest_distances(shuffled[inside], shuffled[~inside]).min() >= NEAR_TWIN


@pytest.mark.parametrize("shape", [(432,), (3, 431), (2, 18, 24)])
def test_thumbnails_are_rows_of_432(shape: tuple[int, ...]) -> None:
    wrong = np.zeros(shape, dtype=np.float32)
    with pytest.raises(ValueError, match=r"expected thumbnails of shape \(N, 432\), got"):
        nearest_distances(wrong, plain(1))
    with pytest.raises(ValueError, match="expected thumbnails"):
        group_near_duplicates(wrong)


def test_frames_that_cannot_be_read_have_no_thumbnail(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", np.full((18, 24, 3), 7, dtype=np.uint8))
    (tmp_path / "b.png").write_bytes(b"no image")
    frames = [
        Frame(tmp_path / name, name, as_boxes([]), (), (18, 24)) for name in ("a.png", "b.png")
    ]
    found = load_thumbnails(frames)
    assert list(found) == ["a.png"]
    assert stack_thumbnails(found.values()).tolist() == plain(7).tolist()
    assert stack_thumbnails([]).shape == (0, 432)


@pytest.mark.skipif(not DEXTER.is_dir(), reason="the real frames are not here")
def test_chains_of_real_frames_do_not_grow_to_giants() -> None:
    frames = load_dataset(DEXTER, on_error="skip").frames[:900]
    groups = group_near_duplicates(stack_thumbnails(load_thumbnails(frames).values()))
    sizes = np.bincount(groups)
    assert sizes.max() == 9  # and so it is among all 3,600 frames
    assert len(sizes) == 652
