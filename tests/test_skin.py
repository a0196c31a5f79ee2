from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from reference_training import paint_one

from facetl.data.dataset import FaceDataset, load_dataset
from facetl.data.formats.course import save_annotations
from facetl.data.images import save_image
from facetl.training.patches import load_patches
from facetl.training.preparation import prepare_patches
from facetl.training.recipe import Recipe
from facetl.training.skin import _TONES, _draw_tone, recolour_skin
from facetl.training.stages import STAGE_FACTS

PALE, BROWN = (250, 210, 180), (130, 80, 50)
SKY, WHITE, BLACK = (60, 120, 220), (255, 255, 255), (10, 10, 10)
FACE, OTHER = np.array([20.0, 20.0, 60.0, 60.0]), np.array([90.0, 20.0, 130.0, 60.0])


def draw(*skins: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Draw one or two faces with eyes and a mouth before a sky, and the first one's dark hand."""
    image = np.full((100, 150, 3), SKY, np.uint8)
    for skin, box in zip(skins, (FACE, OTHER), strict=False):
        x, y = box[:2].astype(int)
        image[y : y + 40, x : x + 40] = skin
        image[y + 10 : y + 18, x + 10 : x + 16] = WHITE
        image[y + 10 : y + 18, x + 24 : x + 30] = WHITE
        image[y + 13 : y + 16, x + 12 : x + 14] = BLACK
        image[y + 30 : y + 32, x + 12 : x + 28] = BLACK
    image[80:95, 20:40] = np.array(skins[0]) * 4 // 5  # in the shade
    return image


def colour(image: NDArray[np.uint8], x: int, y: int) -> list[int]:
    return [int(value) for value in image[y, x]]


def test_faces_and_hands_get_one_other_colour_and_all_else_stays() -> None:
    image = draw(PALE)
    painted = recolour_skin(image, FACE[None], np.random.default_rng(1))
    tone = _tone_of(1)
    np.testing.assert_allclose(colour(painted, 25, 25), tone, atol=1)
    np.testing.assert_allclose(colour(painted, 30, 90), 0.8 * tone, atol=2)
    is_skin = (image == PALE).all(axis=2) | (image == np.array(PALE) * 4 // 5).all(axis=2)
    np.testing.assert_array_equal(painted[~is_skin], image[~is_skin])
    assert colour(image, 25, 25) == list(PALE)  # the frame itself is left as it was


def _tone_of(seed: int) -> NDArray[np.float32]:
    """Return the first tone that a generator of this seed draws."""
    return _draw_tone(np.random.default_rng(seed))


def test_people_of_two_colours_get_two_others() -> None:
    boxes = np.stack([FACE, OTHER])
    painted = recolour_skin(draw(PALE, BROWN), boxes, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    np.testing.assert_allclose(colour(painted, 25, 25), _draw_tone(rng), atol=1)
    np.testing.assert_allclose(colour(painted, 95, 25), _draw_tone(rng), atol=1)


def test_people_of_one_colour_get_one() -> None:
    almost = (PALE[0] - 9, PALE[1] - 9, PALE[2] - 9)
    painted = recolour_skin(draw(PALE, almost), np.stack([FACE, OTHER]), np.random.default_rng(1))
    np.testing.assert_allclose(colour(painted, 25, 25), colour(painted, 95, 25), atol=12)


@pytest.mark.parametrize("seed", range(5))
def test_every_pixel_is_painted_as_the_reference_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noisy = np.clip(draw(PALE) + rng.normal(0, 9, (100, 150, 3)), 0, 255).astype(np.uint8)
    middle = noisy[24:56, 24:56].reshape(-1, 3).astype(int)
    painted = recolour_skin(noisy, FACE[None], np.random.default_rng(seed))
    # the colour that counts as skin is the median of what is near the commonest one: try them all
    candidates = {tuple(np.median(middle[_near(middle, one)], axis=0)) for one in _bins()}
    expected = [_paint(noisy, np.array(skin), _tone_of(seed)) for skin in candidates]
    assert min(np.abs(painted.astype(int) - each).max() for each in expected) <= 1


def _bins() -> list[NDArray[np.float64]]:
    """The middles of the bins near pale skin."""
    steps = (-16, 0, 16)
    home = np.array([248, 216, 184])
    return [home + (i, j, k) for i in steps for j in steps for k in steps if home[0] + i < 256]


def _near(pixels: NDArray[np.int_], middle: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(pixels - middle).max(axis=1) < 24)


def _paint(
    image: NDArray[np.uint8], skin: NDArray[np.float64], tone: NDArray[np.float32]
) -> NDArray[np.int_]:
    rows = [[paint_one(pixel, skin, tone) for pixel in row] for row in image]
    return np.array(rows)


@pytest.mark.parametrize(
    ("image", "boxes"),
    [
        (draw(PALE), np.zeros((0, 4))),
        (np.full((100, 150, 3), BLACK, np.uint8), FACE[None]),
        (np.full((100, 150, 3), WHITE, np.uint8), FACE[None]),
        (draw(PALE), np.array([[200.0, 200.0, 240.0, 240.0]])),
    ],
    ids=["no face", "black", "white", "outside"],
)
def test_a_frame_without_skin_stays(image: NDArray[np.uint8], boxes: NDArray[np.float64]) -> None:
    assert recolour_skin(image, boxes, np.random.default_rng(1)) is image


def test_a_face_of_all_colours_has_no_skin() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (100, 150, 3), dtype=np.uint8)
    assert recolour_skin(noise, FACE[None], np.random.default_rng(1)) is noise


def test_yellow_is_the_commonest_of_all_tones() -> None:
    rng = np.random.default_rng(1)
    assert sum(tone.share for tone in _TONES) == pytest.approx(1)
    hues = [colorsys.rgb_to_hsv(*(_draw_tone(rng) / 255))[0] for _ in range(2000)]
    counts, _ = np.histogram(hues, bins=12, range=(0, 1))
    assert counts.argmax() == 1  # from 30 to 60 degrees
    assert counts.min() > 20  # and there is no hue that nobody has


@pytest.fixture
def dataset(tmp_path: Path) -> FaceDataset:
    folder = tmp_path / "frames"
    faces = {}
    for place in range(12):
        save_image(folder / f"{place}.png", draw(PALE))
        faces[f"{place}.png"] = (FACE[None], ["someone"])
    save_annotations(folder / "faces.txt", faces)
    return load_dataset(folder)


def test_the_windows_stay_and_a_fraction_of_the_frames_has_other_colours(
    tmp_path: Path, dataset: FaceDataset
) -> None:
    own = STAGE_FACTS["pnet"].recipe
    prepare_patches(dataset, tmp_path / "a", own)
    cut = {}
    for skin in (0.5, 1.0):
        recipe = Recipe(**{**vars(own), "skin": skin})
        prepare_patches(dataset, tmp_path / str(skin), recipe)
        cut[skin] = load_patches(tmp_path / str(skin))
    plain = load_patches(tmp_path / "a")
    for share, patches in cut.items():
        np.testing.assert_array_equal(patches.windows, plain.windows)
        np.testing.assert_array_equal(patches.offsets, plain.offsets)
        changed = (patches.pixels != plain.pixels).any(axis=(1, 2, 3))
        frames = np.unique(patches.frame_index[changed])
        assert len(frames) == 12 if share == 1 else 0 < len(frames) < 12


def test_what_earlier_versions_did_not_know_is_left_out_where_it_is_0() -> None:
    assert "skin" not in Recipe().to_json()
    assert Recipe(skin=0.3).to_json()["skin"] == 0.3
