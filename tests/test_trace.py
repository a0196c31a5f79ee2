"""The trace of a search is the search: same candidates, same scores, step by step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_frames import draw_frame
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_world import shrink
from torch import Tensor
from torch.nn import functional

from facetl.mtcnn.detector import Detector
from facetl.mtcnn.geometry import level_size, map_size, pyramid_scales
from facetl.mtcnn.networks import build_network, normalise
from facetl.mtcnn.resampling import IntegralImages
from facetl.mtcnn.trace import STEP_NAMES, Level, Trace, _score_maps, trace_search
from facetl.search.settings import Settings

PADDED = Settings(thresholds=(0.2, 0.1, 0.1), min_face=12, padding=True, voting=True)
PLAIN = Settings(min_face=12)
TOO_SMALL = np.full((10, 30, 3), 200, np.uint8)


@pytest.fixture(scope="module")
def frame() -> NDArray[np.uint8]:
    return shrink(draw_frame(seed=1, part="test", index=16).image)


def pnet_by_torch(detector: Detector, image: NDArray[np.uint8], settings: Settings) -> list[Tensor]:
    """The slow obvious way: each level by itself, through PNet as a plain torch module."""
    maps = []
    for scale in pyramid_scales(image.shape[:2], settings.min_face, settings.factor):
        level = IntegralImages(torch.from_numpy(image)[None]).resize(
            level_size(image.shape[:2], scale)
        )
        level = functional.pad(level, [6 if settings.padding else 0] * 4)
        maps.append(detector.weights.network("pnet")(normalise(level)).scores[0])
    return maps


@pytest.mark.parametrize("settings", [PLAIN, PADDED], ids=["plain", "padded"])
@torch.inference_mode()
def test_score_maps_are_what_pnet_says_of_each_level(
    pretrained: Detector, frame: NDArray[np.uint8], settings: Settings
) -> None:
    trace = trace_search(pretrained, frame, settings)
    expected = pnet_by_torch(pretrained, frame, settings)
    assert len(trace.levels) == len(expected) > 3
    for level, scores in zip(trace.levels, expected, strict=True):
        assert level.scores.shape == scores.shape
        np.testing.assert_allclose(level.scores, scores.numpy(), atol=1e-4)
    assert trace.windows == sum(scores.numel() for scores in expected)


@pytest.mark.parametrize("settings", [PLAIN, PADDED], ids=["plain", "padded"])
def test_score_maps_hold_the_scores_that_a_scan_passes(
    pretrained: Detector, frame: NDArray[np.uint8], settings: Settings
) -> None:
    backend = pretrained.backend(frame[None])
    maps = _score_maps(backend, settings)
    scales = pyramid_scales(backend.size_hw, settings.min_face, settings.factor)
    cells = backend.scan_pyramid(scales, 6 if settings.padding else 0, settings.thresholds[0])
    passed = [np.argwhere(scores >= settings.thresholds[0]) for scores in maps]
    assert sum(map(len, passed)) == len(cells.scores) > 0
    for (column, row), score, level in zip(
        cells.places.astype(int).tolist(), cells.scores.tolist(), cells.level.tolist(), strict=True
    ):
        assert maps[level][row, column] == score


@pytest.mark.parametrize("settings", [PLAIN, PADDED], ids=["plain", "padded"])
def test_the_story_ends_as_the_search_does(
    pretrained: Detector, frame: NDArray[np.uint8], settings: Settings
) -> None:
    trace = trace_search(pretrained, frame, settings)
    (search,) = pretrained.search([frame], settings)
    left = {step: len(trace.steps[step]) for step in STEP_NAMES}
    assert left["rnet_input"] == left["pnet_nms"] == search.candidates["pnet"]
    assert left["onet_input"] == search.candidates["rnet"]
    assert left["onet_nms"] == search.candidates["onet"] > 0
    assert left["pnet_scan"] > left["pnet_nms"] > left["onet_input"] > left["onet_nms"]
    found = trace.steps["onet_nms"]
    for column in ("boxes", "scores", "landmarks"):
        assert np.array_equal(getattr(found, column), getattr(search.detections, column))


def test_what_is_rescored_is_shown_so(pretrained: Detector, frame: NDArray[np.uint8]) -> None:
    settings = replace(PADDED, rescored=True, score=0.5)
    trace = trace_search(pretrained, frame, settings)
    (search,) = pretrained.search([frame], settings)
    found = search.detections[search.detections.scores >= 0.5]
    assert len(found) > 0
    assert not np.array_equal(trace.steps["onet_nms"].scores, search.detections.scores)
    for column in ("boxes", "scores", "landmarks"):
        assert np.array_equal(getattr(trace.shown, column), getattr(found, column))


def test_each_stage_is_shown_what_the_detector_shows_it(
    pretrained: Detector, frame: NDArray[np.uint8]
) -> None:
    trace = trace_search(pretrained, frame, PADDED)
    for step, stage in (("pnet_nms", "pnet"), ("rnet_input", "rnet"), ("onet_input", "onet")):
        boxes, scores = pretrained.windows_shown_to(stage, frame, PADDED)  # type: ignore[arg-type]
        left = trace.steps[step]  # type: ignore[index]
        np.testing.assert_array_equal(left.scores, scores)
        np.testing.assert_allclose(left.boxes, boxes, atol=1e-4)


@pytest.mark.parametrize("settings", [PLAIN, PADDED], ids=["plain", "padded"])
def test_an_image_without_a_level_has_a_short_story(
    pretrained: Detector, settings: Settings
) -> None:
    trace = trace_search(pretrained, TOO_SMALL, replace(settings, min_face=20))
    assert (trace.levels, trace.windows) == ((), 0)
    assert [len(trace.steps[step]) for step in STEP_NAMES] == [0] * len(STEP_NAMES)
    assert trace.steps["onet_nms"].landmarks.shape == (0, 5, 2)
    assert np.array_equal(trace.best_scores(), np.zeros((10, 30)))


def test_no_window_passes(pretrained: Detector, frame: NDArray[np.uint8]) -> None:
    trace = trace_search(pretrained, frame, replace(PLAIN, thresholds=(1.0, 1.0, 1.0)))
    assert trace.windows > 0
    assert [len(trace.steps[step]) for step in STEP_NAMES] == [0] * len(STEP_NAMES)


@tries(max_examples=25)
@given(height=st.integers(12, 41), width=st.integers(12, 41))
def test_a_map_has_the_size_that_pnet_gives_it(height: int, width: int) -> None:
    with torch.inference_mode():
        scores = build_network("pnet")(torch.zeros(1, 3, height, width)).scores[0]
    assert map_size((height, width)) == tuple(scores.shape)


def slow_best_scores(trace: Trace) -> NDArray[np.float32]:
    """The slow obvious way: each window's score onto the pixels around its middle, one by one."""
    best = np.zeros(trace.image.shape[:2], np.float32)
    for level in trace.levels:
        for place, score in np.ndenumerate(level.scores):
            # Of 12 pixels that start at twice its place, the middle two are 5 and 6.
            edges = [(2 * each + 5 - level.border) / level.scale for each in place]
            for y, x in np.ndindex(best.shape):
                inside = [
                    edge <= middle + 0.5 < edge + 2 / level.scale
                    for edge, middle in zip(edges, (y, x), strict=True)
                ]
                if all(inside):
                    best[y, x] = max(float(best[y, x]), float(score))
    return best


@pytest.mark.parametrize("border", [0, 6])
def test_best_scores_lie_at_the_middle_of_their_windows(border: int) -> None:
    chance = np.random.default_rng(3)
    image = np.zeros((29, 37, 3), np.uint8)
    levels = []
    for scale in (0.71, 0.5):
        height, width = level_size((29, 37), scale)
        scores = chance.random(map_size((height + 2 * border, width + 2 * border)))
        pixels = np.zeros((height, width, 3), np.uint8)
        levels.append(Level(scale, pixels, border, scores.astype(np.float32)))
    trace = Trace(image, Settings(), tuple(levels), {})
    assert np.array_equal(trace.best_scores(), slow_best_scores(trace))
    assert trace.best_scores().max() > 0.5


def test_a_level_wants_a_score_for_each_window() -> None:
    with pytest.raises(ValueError, match=r"shape \(5, 10\), got \(4, 10\)"):
        Level(0.6, np.zeros((20, 30, 3), np.uint8), 0, np.zeros((4, 10), np.float32))
    assert (
        Level(0.6, np.zeros((20, 30, 3), np.uint8), 0, np.zeros((5, 10), np.float32)).window == 20
    )
