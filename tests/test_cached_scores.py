"""Settings replayed from cached scores beside the detector itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_frames import draw_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facetl.data.images import Pixels, load_image
from facetl.mtcnn import cached_scores as cached_scores_module
from facetl.mtcnn.cached_scores import CachedScores, Costs, ReplayedSearch, cache_scores
from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.detector import Detector, rnet_squares
from facetl.mtcnn.nms import suppress, suppress_nested
from facetl.mtcnn.rescoring import predict as rescoring_predict
from facetl.search.settings import Settings

pytestmark = pytest.mark.slow

FLOOR = Settings((0.1, 0.1, 0.05), min_face=24)


@pytest.fixture(scope="module")
def frames(portrait: Path) -> list[Pixels]:
    """Drawn frames, the portrait cut off through the face, and a frame without any."""
    drawn = [draw_frame(seed=1, part="test", index=index).image for index in range(3)]
    cut = np.ascontiguousarray(load_image(portrait)[60:170, 85:170])
    return [*drawn, cut, np.zeros((60, 80, 3), np.uint8)]


@pytest.fixture(
    scope="module",
    params=[
        {},
        {"padding": True, "rnet_weight": 0.5},
        {"padding": True, "mirrored": True},
        {"padding": True, "mirrored": True, "rescored": True},
    ],
    ids=["stretched", "padded and fused", "mirrored", "rescored"],
)
def cached(
    pretrained: Detector, frames: list[Pixels], request: pytest.FixtureRequest
) -> CachedScores:
    floor = replace(FLOOR, **request.param)
    return cache_scores(pretrained, iter(frames), floor, 2, lambda: iter(frames))


def replay(cached: CachedScores, first: float, second: float) -> ReplayedSearch:
    (replayed,) = cached.replay([first], [second])
    return replayed


def random_thresholds() -> list[tuple[float, float, float]]:
    random = np.random.default_rng(7)
    lows = np.array(FLOOR.thresholds)
    return [tuple((lows + (0.95 - lows) * random.random(3) ** 2).tolist()) for _ in range(12)]


@pytest.mark.parametrize("voting", [False, True], ids=["best", "voting"])
@pytest.mark.parametrize("thresholds", [FLOOR.thresholds, *random_thresholds()])
def test_a_replayed_setting_gives_what_the_detector_finds(
    pretrained: Detector,
    frames: list[Pixels],
    cached: CachedScores,
    thresholds: tuple[float, float, float],
    voting: bool,
) -> None:
    cached = replace(cached, floor=replace(cached.floor, voting=voting))
    settings = replace(cached.floor, thresholds=thresholds)
    searches = list(pretrained.search(frames, settings))
    (replayed,) = cached.replay([thresholds[0]], [thresholds[1]], thresholds[2])
    found = replayed.detections
    if not settings.rescored:  # a lower threshold, and the list cut short, is the same
        lower = replay(cached, *thresholds[:2]).detections
        lower = lower[lower.scores > thresholds[2]]
        np.testing.assert_array_equal(lower.boxes, found.boxes)
    for frame, search in enumerate(searches):
        own = found[found.image_index == frame]
        assert len(own) == len(search.detections)
        np.testing.assert_allclose(own.boxes, search.detections.boxes, rtol=0, atol=0.01)
        np.testing.assert_allclose(own.scores, search.detections.scores, rtol=0, atol=1e-4)
    assert_windows_counted(cached, thresholds, "pnet", sum(s.candidates["pnet"] for s in searches))
    assert_windows_counted(cached, thresholds, "rnet", sum(s.candidates["rnet"] for s in searches))


def assert_windows_counted(
    cached: CachedScores, thresholds: tuple[float, float, float], after: str, count: int
) -> None:
    """With a second a window, the time of all frames is the number of windows."""
    price = Costs(0, rnet=after == "pnet", onet=after == "rnet")
    priced = replay(replace(cached, costs=price, rescore_all=None), *thresholds[:2])
    assert priced.seconds * cached.frames == pytest.approx(count)


def test_the_frames_have_faces_and_squares_that_leave_them(cached: CachedScores) -> None:
    # otherwise the comparison above would compare nothing
    assert len(replay(cached, 0.1, 0.1).detections) > 3
    unseen = np.abs(cached.after_onet.boxes).sum(axis=1) == 0
    assert not cached.after_onet.scores[unseen].any()
    assert len(cached.after_onet) == len(cached.after_rnet) == len(cached.pnet_scores)


def test_squares_out_of_sight_stay_in_line_and_are_never_found(
    pretrained: Detector, frames: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stray(judged: Candidates) -> Candidates:
        squares = rnet_squares(judged)
        aside = np.arange(len(squares)) % 2 == 0
        return squares.moved_to(squares.boxes - np.float32(1e4) * aside[:, None])

    monkeypatch.setattr(cached_scores_module, "rnet_squares", stray)
    strayed = cache_scores(pretrained, frames[:1], FLOOR)
    assert len(strayed.after_onet) == len(strayed.after_rnet) > 2
    assert strayed.after_onet.scores[::2].max() == 0
    assert strayed.after_onet.scores[1::2].min() > 0
    assert all(replay(strayed, 0.1, 0.1).detections.scores > 0.05)


def test_a_grid_is_replayed_pair_by_pair(cached: CachedScores) -> None:
    grid = list(cached.replay([0.2, 0.6], [0.3, 0.5]))
    pairs = [replayed.settings.thresholds for replayed in grid]
    assert pairs == [(0.2, 0.3, 0.05), (0.2, 0.5, 0.05), (0.6, 0.3, 0.05), (0.6, 0.5, 0.05)]
    assert all(replayed.settings.min_face == 24 for replayed in grid)
    assert np.array_equal(grid[3].detections.boxes, replay(cached, 0.6, 0.5).detections.boxes)
    assert grid[0].seconds > grid[3].seconds > 0


def test_a_box_is_looked_at_once(
    pretrained: Detector, frames: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    shown: list[Any] = []

    def again() -> Iterator[Pixels]:
        for place, image in enumerate(frames):
            read.append(place)
            yield image

    def predict(image: Pixels, boxes: NDArray[Any]) -> Any:
        shown.extend((image.shape, *box) for box in boxes.tolist())
        return rescoring_predict(image, boxes)

    monkeypatch.setattr(cached_scores_module, "predict", predict)
    floor = replace(FLOOR, padding=True, rescored=True)
    rescored = cache_scores(pretrained, frames, floor, 1, again)
    assert not read
    found = list(rescored.replay([0.1, 0.3], [0.1, 0.5]))
    assert read == list(range(len(frames)))
    of_frame = [each for each in shown if each[0] != (1, 1, 3)]  # a picture that loads the network
    assert len(set(of_frame)) == len(of_frame) > 0
    plain = list(replace(rescored, rescore_all=None).replay([0.1, 0.3], [0.1, 0.5]))
    for own, other in zip(found, plain, strict=True):
        assert len(own.detections) == len(other.detections)
        assert own.seconds > other.seconds


def test_what_is_rescored_needs_the_images_once_more(
    pretrained: Detector, frames: list[Pixels]
) -> None:
    with pytest.raises(ValueError, match="once more"):
        cache_scores(pretrained, frames, replace(FLOOR, rescored=True))


def test_no_frames_no_detections(pretrained: Detector) -> None:
    nothing = cache_scores(pretrained, [], FLOOR)
    replayed = replay(nothing, 0.1, 0.1)
    assert (len(replayed.detections), replayed.seconds) == (0, 0)


@pytest.mark.parametrize("below", [([0.05], [0.2]), ([0.2], [0.2, 0.05])])
def test_thresholds_below_the_floor_cannot_be_replayed(
    cached: CachedScores, below: tuple[list[float], list[float]]
) -> None:
    with pytest.raises(ValueError, match="expected thresholds of at least"):
        list(cached.replay(*below))


@pytest.mark.parametrize(
    ("other", "covered"),
    [
        ({}, True),
        ({"thresholds": (0.9, 0.1, 0.5)}, True),
        ({"thresholds": (0.9, 0.1, 0.01)}, False),
        ({"min_face": 20}, False),
        ({"factor": 0.6}, False),
        ({"voting": True}, False),
    ],
)
def test_what_is_covered(cached: CachedScores, other: dict[str, Any], covered: bool) -> None:
    assert cached.covers(replace(cached.floor, **other)) is covered


def test_the_other_way_to_see_beyond_the_edge_is_not_covered(cached: CachedScores) -> None:
    other = replace(cached.floor, padding=not cached.floor.padding)
    assert not cached.covers(other)


# ---- why a threshold may be raised after NMS

coordinate = st.integers(0, 30).map(float)
score = st.integers(0, 8).map(lambda eighths: eighths / 8)
box = st.tuples(coordinate, coordinate, st.integers(1, 20), st.integers(1, 20))
rows = st.lists(st.tuples(box, score, st.integers(0, 2)), max_size=25)


def as_candidates(drawn: list[tuple[tuple[float, ...], float, int]]) -> Candidates:
    corners = [[x, y, x + w, y + h] for (x, y, w, h), _, _ in drawn]
    boxes = np.array(corners, np.float32).reshape(-1, 4)
    scores = np.array([score for _, score, _ in drawn], np.float32)
    index = np.array([image for _, _, image in drawn], np.int64)
    return Candidates(boxes, scores, index, boxes * 0, boxes[:, :0])


@settings(max_examples=50)
@given(drawn=rows, threshold=score, rule=st.sampled_from([suppress, suppress_nested]))
def test_raising_a_threshold_commutes_with_nms_by_that_score(
    drawn: list[tuple[tuple[float, ...], float, int]],
    threshold: float,
    rule: Callable[[Candidates, float], NDArray[np.intp]],
) -> None:
    candidates = as_candidates(drawn)
    first = candidates[candidates.scores >= threshold]
    threshold_then_nms = first[rule(first, 0.5)]
    kept = candidates[rule(candidates, 0.5)]
    nms_then_threshold = kept[kept.scores >= threshold]
    assert np.array_equal(threshold_then_nms.boxes, nms_then_threshold.boxes)
    assert np.array_equal(threshold_then_nms.scores, nms_then_threshold.scores)
    assert np.array_equal(threshold_then_nms.image_index, nms_then_threshold.image_index)
