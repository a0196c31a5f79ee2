"""A search of both views of an image, beside two searches merged by slow loops."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawn_frames import draw_frame
from drawn_videos import pictures, write_video
from engines import EVERY_ENGINE
from numpy.typing import NDArray
from outcomes import success

from facetl.boxes import iou
from facetl.cli import main
from facetl.data.images import load_image
from facetl.data.video import VideoReader
from facetl.mtcnn import detector as detector_module
from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.detector import Detector, onet_boxes, onet_nms, run_until
from facetl.mtcnn.fusion import SAME_FACE, UNSEEN, fuse_views, turn_back, with_mirrored
from facetl.results.detections import Detections
from facetl.results.store import load_run
from facetl.search.settings import PRESETS, Settings

pytestmark = pytest.mark.slow

Pixels = NDArray[np.uint8]
Seen = tuple[list[float], float, list[float]]
"""A box, its score, and its landmarks: five x, then five y."""


@pytest.fixture(scope="module")
def images(portrait: Path) -> list[Pixels]:
    """Drawn frames, the portrait cut off through the face, one without any, one too small."""
    drawn = [draw_frame(seed=1, part="test", index=index).image for index in range(3)]
    cut = np.ascontiguousarray(load_image(portrait)[60:170, 85:170])
    return [*drawn, cut, np.zeros((60, 80, 3), np.uint8), np.zeros((9, 9, 3), np.uint8)]


# ---- the slow reference


def see(detector: Detector, image: Pixels, settings: Settings) -> list[Seen]:
    """Return what ONet sees in one image, searched by itself."""
    backend = detector.backend(image[None])
    found = onet_boxes(backend, run_until("onet_input", backend, settings), settings).valid()
    return [
        (found.boxes[row].tolist(), float(found.scores[row]), found.landmarks[row].tolist())
        for row in range(len(found))
    ]


def turned(seen: Seen, width: int) -> Seen:
    (x1, y1, x2, y2), score, points = seen
    right, left, nose, right_mouth, left_mouth = (width - x for x in points[:5])
    rows = [points[5 + place] for place in (1, 0, 2, 4, 3)]
    return (
        [width - x2, y1, width - x1, y2],
        score,
        [left, right, nose, left_mouth, right_mouth, *rows],
    )


def log_odds(score: float) -> float:
    score = min(max(score, 1e-7), 1 - 1e-7)
    return math.log(score / (1 - score))


def fused(seen: Seen, others: list[Seen]) -> Seen:
    best = UNSEEN
    for box, score, _ in others:
        if iou(np.array([seen[0]]), np.array([box])).item() >= SAME_FACE:
            best = max(best, score)
    mean = (log_odds(seen[1]) + log_odds(best)) / 2
    return seen[0], 1 / (1 + math.exp(-mean)), seen[2]


def search_slowly(detector: Detector, image: Pixels, settings: Settings) -> Candidates:
    mirrored = np.ascontiguousarray(image[:, ::-1])
    plain = see(detector, image, settings)
    other = [turned(each, image.shape[1]) for each in see(detector, mirrored, settings)]
    both = [fused(each, other) for each in plain] + [fused(each, plain) for each in other]
    boxes, scores, landmarks = (
        np.array([each[column] for each in both], np.float32) for column in range(3)
    )
    boxes = boxes.reshape(-1, 4)
    index = np.zeros(len(both), np.int64)
    found = Candidates(boxes, scores, index, boxes, landmarks.reshape(len(both), 10))
    return onet_nms(found, settings)


def assert_same(found: Detections, expected: Candidates) -> None:
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.boxes, expected.boxes, rtol=0, atol=0.01)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=1e-4)
    points = expected.landmarks.reshape(-1, 2, 5).transpose(0, 2, 1)
    np.testing.assert_allclose(found.landmarks, points, rtol=0, atol=0.01)


# ---- the detector


@pytest.mark.parametrize("voting", [False, True], ids=["best", "voting"])
@pytest.mark.parametrize("engine", EVERY_ENGINE)
def test_both_views_give_what_two_searches_merged_by_loops_give(
    engine: str, voting: bool, images: list[Pixels]
) -> None:
    detector = Detector.load("cartoon", "cpu", engine)
    settings = detector.settings.override(mirrored=True, voting=voting, rnet_weight=0.5)
    found = [each.detections for each in detector.search(images, settings)]
    for image, own in zip(images, found, strict=True):
        assert_same(own, search_slowly(detector, image, settings))
    assert sum(map(len, found)) > 4


def test_candidates_of_both_views_are_counted(images: list[Pixels]) -> None:
    detector = Detector.load("cartoon", "cpu")
    (both,) = detector.search(images[:1], replace(detector.settings, mirrored=True))
    views = [images[0], images[0][:, ::-1]]
    alone = list(detector.search(views, detector.settings))
    for stage in ("pnet", "rnet"):
        assert both.candidates[stage] == sum(each.candidates[stage] for each in alone)
    assert both.candidates["onet"] == len(both.detections)


@pytest.mark.parametrize("workers", [1, 2])
def test_neither_batches_nor_workers_change_what_is_found(
    images: list[Pixels], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Detector.load("cartoon", "cpu")
    alone = [detector.detect(image, preset="thorough") for image in images]
    together = detector.detect(images, preset="thorough", batch_size=6, workers=workers)
    monkeypatch.setattr(detector_module, "PIXELS_AT_ONCE", 1)
    one_by_one = detector.detect(images, preset="thorough", batch_size=6, workers=workers)
    for each in (together, one_by_one):
        for own, expected in zip(each, alone, strict=True):
            np.testing.assert_allclose(own.boxes, expected.boxes, rtol=0, atol=0.01)
            np.testing.assert_allclose(own.scores, expected.scores, rtol=0, atol=1e-4)


def test_the_mirror_image_has_the_same_scores(images: list[Pixels]) -> None:
    detector = Detector.load("cartoon", "cpu")
    found = detector.detect(images[0], preset="thorough")
    mirrored = detector.detect(np.ascontiguousarray(images[0][:, ::-1]), preset="thorough")
    assert len(found) == len(mirrored) > 0
    np.testing.assert_allclose(found.scores, mirrored.scores, rtol=0, atol=1e-4)


# ---- its parts


def as_candidates(rows: list[tuple[list[float], float, int]]) -> Candidates:
    boxes, scores, index = map(np.array, zip(*rows, strict=True))
    boxes, scores = boxes.astype(np.float32), scores.astype(np.float32)
    return Candidates(boxes, scores, index, boxes, np.zeros((len(rows), 10), np.float32))


def test_each_image_is_followed_by_its_mirror_image() -> None:
    pixels = np.arange(2 * 1 * 3 * 3, dtype=np.uint8).reshape(2, 1, 3, 3)
    both = with_mirrored(pixels)
    assert both[:, 0, :, 0].tolist() == [[0, 3, 6], [6, 3, 0], [9, 12, 15], [15, 12, 9]]


def test_scores_are_the_mean_of_both_views_in_log_odds() -> None:
    left, right = [0.0, 0.0, 10.0, 10.0], [50.0, 0.0, 60.0, 10.0]
    found = as_candidates(
        [
            (left, 0.5, 0),  # odds 1, in the mirror image 9 at best: together 3
            (left, 0.9, 1),
            ([0.0, 0.0, 10.0, 9.0], 0.8, 1),  # odds 4, in the image 1: together 2
            (right, 0.9, 2),  # odds 9, and nothing there in the other view: 1/9
            (left, 0.9, 3),
        ]
    )
    fused = fuse_views(found)
    expected = [3 / 4, 3 / 4, 2 / 3, 1 / 2, 1 / 2]
    np.testing.assert_allclose(fused.scores, expected, rtol=0, atol=1e-6)
    assert fused.image_index.tolist() == [0, 0, 0, 1, 1]


def test_of_two_equal_boxes_that_of_the_image_itself_comes_first() -> None:
    found = as_candidates([([0.0, 0.0, 10.0, 9.0], 0.9, 1), ([0.0, 0.0, 10.0, 10.0], 0.5, 0)])
    fused = fuse_views(found)
    assert fused.scores[0] == fused.scores[1]
    assert fused.boxes[0, 3] == 10


def test_what_is_no_box_says_nothing() -> None:
    none, box = [10.0, 0.0, 0.0, 10.0], [0.0, 0.0, 10.0, 10.0]
    fused = fuse_views(as_candidates([(none, 0.9, 1), (box, 0.5, 0)]))
    assert fused.scores.tolist() == pytest.approx([1 / 4])  # odds 1 and 1/9


@pytest.mark.parametrize("count", [0, 1500])
def test_any_number_of_boxes_is_compared(count: int) -> None:
    places = np.arange(count, dtype=np.float32) * 20
    boxes = np.stack([places, places * 0, places + 10, places * 0 + 10], axis=1)
    views = [
        Candidates(boxes, np.full(count, score, np.float32), np.full(count, view), boxes, boxes)
        for view, score in enumerate([0.5, 0.9])
    ]
    fused = fuse_views(Candidates.concatenate(views))
    assert fused.scores.tolist() == pytest.approx([0.75] * 2 * count)


def test_boxes_and_landmarks_are_turned_back_once_and_twice() -> None:
    found = as_candidates([([10.0, 5.0, 30.0, 45.0], 0.9, view) for view in (0, 1)])
    found = replace(found, landmarks=np.arange(20, dtype=np.float32).reshape(2, 10))
    once = turn_back(found, 100)
    assert once.boxes.tolist() == [[10, 5, 30, 45], [70, 5, 90, 45]]
    assert once.landmarks[0].tolist() == found.landmarks[0].tolist()
    assert once.landmarks[1].tolist() == [89, 90, 88, 86, 87, 16, 15, 17, 19, 18]
    assert np.array_equal(turn_back(once, 100).landmarks, found.landmarks)


# ---- presets


def test_a_preset_gives_way_to_what_is_asked_for_and_not_to_the_weights() -> None:
    own = Settings(min_face=30, voting=True)
    assert own.preset(None) == own
    assert own.preset("thorough") == replace(own, mirrored=True, rescored=True)
    assert own.preset("thorough").override(mirrored=False, rescored=False) == own


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_made_of_settings_that_there_are(name: str) -> None:
    assert Settings().preset(name) != Settings()


def test_faster_presets_ask_the_networks_less(images: list[Pixels]) -> None:
    detector = Detector.load("cartoon", "cpu")
    asked = []
    for name in (None, "fast", "fastest"):
        searched = list(detector.search(images, detector.settings.preset(name)))
        asked.append(sum(each.candidates["pnet"] for each in searched))
        assert sum(len(each.detections.above(0.9)) for each in searched) > 3
    assert asked[0] > asked[1] > asked[2]


def test_no_such_preset() -> None:
    with pytest.raises(
        ValueError, match="found preset 'slow', expected one of thorough, fast, fastest"
    ):
        Settings().preset("slow")
    with pytest.raises(ValueError, match="found preset 'slow'"):
        Detector.load("cartoon", "cpu").detect([], preset="slow")


@pytest.mark.parametrize("more", [(), ("--stream",)])
def test_the_command_finds_what_python_finds(
    more: tuple[str, ...], portrait: Path, tmp_path: Path
) -> None:
    how = ["--preset", "thorough", "--min-face", "40", "--device", "cpu"]
    out = tmp_path / "out"
    success(CliRunner().invoke(main, ["detect", str(portrait), "--out", str(out), *how, *more]))
    (path,) = out.glob("cartoon.detections.json*")
    run = load_run(path)
    expected = Detector.load("cartoon", "cpu").detect(portrait, min_face=40, preset="thorough")
    assert (run.settings["mirrored"], run.settings["min_face"]) == (True, 40)
    assert np.array_equal(run.frames[0].detections.boxes, expected.boxes)
    assert np.array_equal(run.frames[0].detections.scores, expected.scores)


def test_the_command_refuses_other_presets(portrait: Path) -> None:
    result = CliRunner().invoke(main, ["detect", str(portrait), "--preset", "slow"])
    assert result.exit_code == 2
    assert "'slow' is not" in result.stderr


def test_frames_of_a_video_are_searched_by_preset(tmp_path: Path) -> None:
    detector = Detector.load("cartoon", "cpu")
    video = write_video(tmp_path / "a.mp4", pictures(2, 3))
    frames = [frame.pixels for frame in VideoReader(video).frames()]
    expected = detector.detect(frames, preset="thorough")
    for result, wanted in zip(detector.video(video, preset="thorough"), expected, strict=True):
        assert len(wanted) > 0
        np.testing.assert_allclose(result.detections.boxes, wanted.boxes, rtol=0, atol=0.01)
        np.testing.assert_allclose(result.detections.scores, wanted.scores, rtol=0, atol=1e-4)
