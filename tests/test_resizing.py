"""What numpy and Pillow do instead of OpenCV, held to OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_videos import scene
from numpy.typing import NDArray

from facetl.data.active_learning import measure_sharpness
from facetl.data.crops import cut_upright
from facetl.data.images import Pixels
from facetl.data.near_duplicates import nearest_distances
from facetl.data.resizing import as_grey, resize_area, resize_to_bytes
from facetl.data.shots import frame_signature

SHAPES = [(360, 480), (271, 483), (160, 201), (36, 48)]
SMALL = [(7, 5), (1, 9), (1, 1)]


@pytest.fixture(scope="module")
def picture() -> Pixels:
    return scene(0).image


def reduced(picture: Pixels, shape: tuple[int, int]) -> Pixels:
    return np.ascontiguousarray(picture[: shape[0], -shape[1] :])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(48, 36), (24, 18), (1, 1)])
def test_areas_are_averaged_as_opencv_does(
    picture: Pixels, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    pixels = reduced(picture, shape)
    expected = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(resize_to_bytes(pixels, size) - expected).max() <= 1
    assert np.abs(resize_area(pixels, size) - expected).max() <= 1.01
    grey = as_grey(pixels)
    expected = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(int)
    assert resize_area(grey, size).shape == expected.shape
    assert np.abs(resize_to_bytes(grey, size) - expected).max() <= 1


@pytest.mark.parametrize("shape", [(36, 48), (37, 31, 3), (50, 49), *SMALL])
@pytest.mark.parametrize("size", [(48, 36), (24, 18), (1, 1)])
def test_areas_are_exact(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    tall = np.repeat(pixels.astype(np.int64), size[1], axis=0)
    wide = np.repeat(tall, size[0], axis=1)
    height, width = shape[:2]
    sums = wide.reshape(size[1], height, size[0], width, -1).sum(axis=(1, 3))
    expected = (sums / (height * width)).astype(np.float32)
    assert np.array_equal(resize_area(pixels, size), expected.reshape(size[::-1] + shape[2:]))


def test_grey_is_opencvs_grey_to_one_level(picture: Pixels) -> None:
    expected = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(int)
    assert np.abs(as_grey(picture) - expected).max() <= 1
    assert (as_grey(picture) == expected).mean() > 0.95


@pytest.mark.parametrize("shape", [(719, 1279), (7, 300), *SMALL])
def test_the_mean_of_one_colour_is_that_colour(shape: tuple[int, int]) -> None:
    assert (resize_area(np.full(shape, 40, np.uint8), (24, 18)) == 40).all()


def test_a_picture_that_grows_keeps_its_mean(picture: Pixels) -> None:
    pixels = reduced(picture, (17, 11))
    grown = resize_area(pixels, (40, 33)).mean(axis=(0, 1))
    np.testing.assert_allclose(grown, pixels.mean(axis=(0, 1)), rtol=1e-5)


def test_colours_of_a_signature_are_opencvs_histogram(picture: Pixels) -> None:
    signature = frame_signature(picture)
    counts = cv2.calcHist([signature.small], [0, 1, 2], None, [4] * 3, [0, 256] * 3)
    np.testing.assert_allclose(signature.colours, counts.ravel() / counts.sum(), atol=1e-7)


@pytest.mark.parametrize("shape", [*SHAPES, *SMALL])
def test_sharpness_is_that_of_opencvs_filters(picture: Pixels, shape: tuple[int, int]) -> None:
    pixels = reduced(picture, shape)
    grey = as_grey(pixels).astype(np.float32)
    curves = cv2.Laplacian(grey, cv2.CV_32F)
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *way) / 8 for way in ((1, 0), (0, 1)))
    slopes = float((across**2).sum() + (down**2).sum())
    expected = float((curves**2).sum()) / slopes if slopes else 0.0
    assert measure_sharpness(pixels) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("tilt", [(40.0, 0.0), (40.0, 9.0), (40.0, -31.0)])
@pytest.mark.parametrize("window", [(100, 60, 180, 141), (-20, 300, 60, 400)])
def test_a_face_is_turned_as_opencv_does(
    picture: Pixels, window: tuple[int, int, int, int], tilt: tuple[float, float]
) -> None:
    x1, y1, x2, y2 = window
    middle = ((x1 + x2 - 1) / 2, (y1 + y2 - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, float(np.degrees(np.arctan2(*tilt[::-1]))), 1.0)
    turn[:, 2] -= (x1, y1)
    expected = np.asarray(cv2.warpAffine(picture, turn, (x2 - x1, y2 - y1)), np.uint8)
    landmarks = np.array([[0.0, 0.0], tilt, *[(0.0, 0.0)] * 3])
    found = cut_upright(picture, np.array(window), landmarks)
    differing = np.abs(found.astype(int) - expected).max(axis=2)
    # OpenCV blends the border with black, and places pixels on a grid of 1/32.
    assert (differing > 12).mean() < 0.02


def test_the_nearest_frames_are_opencvs() -> None:
    rng = np.random.default_rng(0)
    scenes = rng.uniform(0, 255, (30, 432))

    def frames(count: int) -> NDArray[np.float32]:
        light = rng.uniform(0.3, 1, (count, 1))
        rows = scenes[rng.integers(0, 30, count)] * light + rng.normal(0, 3, (count, 432))
        return rows.clip(0, 255).astype(np.float32)

    some, others = frames(150), frames(400)
    sums, _ = cv2.batchDistance(some, others, cv2.CV_32F, normType=cv2.NORM_L1, K=1)
    np.testing.assert_allclose(nearest_distances(some, others), sums[:, 0] / 432, rtol=1e-5)
