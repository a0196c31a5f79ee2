"""Faces scored again by the larger network, beside one crop at a time in slow loops."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_frames import draw_frame

from facetl.boxes import Boxes, iou
from facetl.cartoons import STYLES
from facetl.cartoons import draw_frame as draw_styled_frame
from facetl.data.images import Pixels, load_image
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.rescoring import MODEL, load_model, predict, rescore
from facetl.results.detections import Detections
from facetl.run_onnx import BOX_SHARE, CROP_MARGIN, CROP_SIDE, cut_resized, squares_around

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load("cartoon", "cpu")


@pytest.fixture(scope="module")
def image() -> Pixels:
    return draw_frame(seed=1, part="test", index=0).image


def boxes_in(image: Pixels, count: int) -> Boxes:
    """Boxes of all sizes, some of them partly outside."""
    rng = np.random.default_rng(3)
    corners = rng.uniform(-30, [image.shape[1] - 20, image.shape[0] - 20], (count, 2))
    return np.concatenate([corners, corners + rng.uniform(9, 120, (count, 2))], axis=1)


def slow_crop(image: Pixels, box: list[float], size: int, side: float) -> np.ndarray:
    """The mean of the pixels under each cell of a grid over a square, black outside."""
    left, top, right, bottom = _slow_square(box, side)
    far = max(-left, -top, right - image.shape[1], bottom - image.shape[0], 0)
    padded = np.pad(image, ((far, far), (far, far), (0, 0)))
    cells = np.zeros((3, size, size))
    for row in range(size):
        for column in range(size):
            first_row, last_row = _span(top + far, bottom + far, row, size)
            first_column, last_column = _span(left + far, right + far, column, size)
            seen = padded[first_row:last_row, first_column:last_column]
            cells[:, row, column] = seen.mean(axis=(0, 1))
    return cells


def _slow_square(box: list[float], side: float) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = box
    half = max(x2 - x1, y2 - y1) * (1 + 2 * CROP_MARGIN) * side / 2
    left, right = (math.floor((x1 + x2) / 2 + way * half + 0.5) for way in (-1, 1))
    top, bottom = (math.floor((y1 + y2) / 2 + way * half + 0.5) for way in (-1, 1))
    return left, top, right, bottom


def _span(first: int, last: int, place: int, count: int) -> tuple[int, int]:
    step = (last - first) / count
    return first + math.floor(place * step + 1e-9), first + math.ceil((place + 1) * step - 1e-9)


def slow_prediction(image: Pixels, box: list[float]) -> tuple[float, list[float]]:
    """What the network says of one crop and of its mirror image, shown one by one."""
    crop = slow_crop(image, box, CROP_SIDE, 1.0).astype(np.float32)
    left, top, right, bottom = _slow_square(box, 1.0)
    odds, boxes = [], []
    for view in (crop, crop[:, :, ::-1]):
        said, told = load_model(MODEL).run(None, {"pixels": view[None].copy()})
        odds.append(said.item())
        # from -1 to 1 across the crop, to pixels of the image
        x_1, x_2 = (left + (right - left) * (x + 1) / 2 for x in told[0, ::2].tolist())
        y_1, y_2 = (top + (bottom - top) * (y + 1) / 2 for y in told[0, 1::2].tolist())
        if len(odds) == 2:  # the mirror image, turned back
            x_1, x_2 = left + right - x_2, left + right - x_1
        boxes.append([x_1, y_1, x_2, y_2])
    mean = [sum(pair) / 2 for pair in zip(*boxes, strict=True)]
    return 1 / (1 + math.exp(-sum(odds) / 2)), mean


# ---- what the network is shown, and what it says


@pytest.mark.parametrize("room", [0, 16])
def test_crops_are_means_of_pixels(image: Pixels, room: int) -> None:
    outside = [[-300.0, 10, -200, 90], [10, 5000, 60, 5060]]
    boxes = np.concatenate([boxes_in(image, 4), outside])
    size = CROP_SIDE + 2 * room
    squares = squares_around(boxes, CROP_MARGIN, size / CROP_SIDE)
    crops = cut_resized(image, squares, size)
    assert crops.shape == (6, 3, size, size)
    assert not crops[4:].any()
    assert cut_resized(image, squares[:0], size).shape == (0, 3, size, size)
    for crop, box in zip(crops[:4], boxes[:4].tolist(), strict=True):
        np.testing.assert_allclose(crop, slow_crop(image, box, size, size / CROP_SIDE), atol=1e-3)


def test_each_face_is_seen_as_if_it_were_alone(image: Pixels) -> None:
    boxes = boxes_in(image, 19)
    probabilities, places = predict(image, boxes)
    expected = [slow_prediction(image, box) for box in boxes.tolist()]
    np.testing.assert_allclose(probabilities, [each[0] for each in expected], atol=1e-4)
    np.testing.assert_allclose(places, [each[1] for each in expected], atol=0.05)


@pytest.mark.parametrize("threads", [2, 3, 9])
def test_threads_share_the_faces_and_change_no_bit(image: Pixels, threads: int) -> None:
    boxes = boxes_in(image, 7)
    for count in (0, 1, 2, 7):
        alone, shared = predict(image, boxes[:count]), predict(image, boxes[:count], threads)
        for one, other in zip(alone, shared, strict=True):
            assert one.shape[0] == count
            np.testing.assert_array_equal(one, other)


def test_where_a_face_is_does_not_depend_on_the_way_round(image: Pixels) -> None:
    boxes = boxes_in(image, 8)
    width = image.shape[1]
    turned = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)
    (_, found), (_, mirrored) = predict(image, boxes), predict(image[:, ::-1], turned)
    x1, y1, x2, y2 = mirrored.T
    # a window whose corners lie between two pixels is rounded the other way in the mirror image
    np.testing.assert_allclose(np.stack([width - x2, y1, width - x1, y2], 1), found, atol=2)


def test_faces_keep_all_that_belongs_to_them(image: Pixels) -> None:
    boxes = boxes_in(image, 7)
    scores = np.linspace(0.9, 0.2, 7, dtype=np.float32)
    found = Detections(
        boxes.astype(np.float32),
        scores,
        np.arange(70, dtype=np.float32).reshape(7, 5, 2),
        names=tuple("abcdefg"),
        name_scores=scores,
        likeliest=tuple("ABCDEFG"),
    )
    again = rescore(image, found)
    assert (np.diff(again.scores) <= 0).all()
    assert again.names is not None
    assert again.likeliest is not None
    for place, name in enumerate(again.names):
        old = "abcdefg".index(name)
        assert again.likeliest[place] == "ABCDEFG"[old]
        assert np.array_equal(again.landmarks[place], found.landmarks[old])
        said, told = slow_prediction(image, boxes[old].astype(np.float32).tolist())
        means = [
            BOX_SHARE * own + (1 - BOX_SHARE) * other
            for own, other in zip(told, boxes[old].tolist(), strict=True)
        ]
        np.testing.assert_allclose(again.boxes[place], means, atol=0.05)
        mean = (math.log(said / (1 - said)) + math.log(scores[old] / (1 - scores[old]))) / 2
        assert again.scores[place] == pytest.approx(1 / (1 + math.exp(-mean)), abs=1e-3)


def test_an_image_without_faces_is_left_alone(detector: Detector) -> None:
    black = np.zeros((60, 80, 3), np.uint8)
    found = detector.detect(black)
    assert len(found) == 0
    assert rescore(black, found) is found


def test_it_tells_drawn_faces_from_the_rest() -> None:
    """A face scores higher than a box of the same size elsewhere, in almost every style."""
    won = []
    for number, style in enumerate(STYLES):
        frame = draw_styled_frame(5, "test", number, style)
        for x1, y1, x2, y2 in frame.boxes.tolist():
            if x2 - x1 < 24 or y2 - y1 < 24:
                continue
            shift = x2 - x1 if x2 + (x2 - x1) < frame.image.shape[1] else x1 - x2
            pair = np.array([[x1, y1, x2, y2], [x1 + shift, y1, x2 + shift, y2]])
            overlaps = [min(x2 + shift, b[2]) - max(x1 + shift, b[0]) for b in frame.boxes.tolist()]
            if max(overlaps) > 0.3 * (x2 - x1):
                continue
            face, other = predict(frame.image, pair)[0]
            won.append(face > other)
    assert len(won) >= 10
    assert np.mean(won) >= 0.9


def test_it_places_drawn_faces_better_than_the_box_that_it_is_shown() -> None:
    """Boxes a tenth or a fifth of their sides off come nearer, over all styles, in the mean."""
    before, after = [], []
    rng = np.random.default_rng(8)
    for number, style in enumerate(STYLES):
        frame = draw_styled_frame(6, "test", number, style)
        large = (frame.boxes[:, 2:] - frame.boxes[:, :2]).min(axis=1) >= 24
        faces = frame.boxes[large]
        sides = np.tile(faces[:, 2:] - faces[:, :2], 2)
        shown = faces + sides * rng.choice([-0.2, -0.1, 0.1, 0.2], faces.shape)
        told = predict(frame.image, shown)[1]
        before += np.diag(iou(shown, faces)).tolist()
        after += np.diag(iou(told.astype(np.float64), faces)).tolist()
    assert len(before) >= 20
    assert np.mean(after) > np.mean(before) + 0.05


# ---- in a search


def test_a_search_scores_what_it_found_again(detector: Detector, portrait: Path) -> None:
    images = [draw_frame(seed=1, part="test", index=index).image for index in range(3)]
    images += [load_image(portrait), images[0]]
    settings = replace(detector.settings, rescored=True)
    plain = detector.search(images, detector.settings)
    searched = detector.search(images, settings, 2, 2)
    for image, before, after in zip(images, plain, searched, strict=True):
        expected = rescore(image, before.detections)
        assert after.candidates == before.candidates
        assert len(expected) > 0
        assert np.array_equal(after.detections.boxes, expected.boxes)
        assert np.array_equal(after.detections.scores, expected.scores)


def test_the_large_weights_are_the_small_ones_and_rescore(detector: Detector) -> None:
    large = Detector.load("cartoon-large", "cpu")
    assert large.settings == replace(detector.settings, rescored=True)
    assert large.fingerprint == detector.fingerprint
    image = draw_frame(seed=1, part="test", index=0).image
    expected = rescore(image, detector.detect(image))
    assert np.array_equal(large.detect(image).scores, expected.scores)
