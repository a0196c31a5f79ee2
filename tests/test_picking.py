"""Picking frames: the doubtful first, none twice, none blurred, and a pool that never grows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_videos import Picture, pictures, scene
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facetl.boxes import as_boxes
from facetl.data.active_learning import (
    BLURRED,
    Candidate,
    Pool,
    Reason,
    _measure_doubt,
    _measure_novelty,
    measure_sharpness,
    pick_frames,
)
from facetl.data.held_frames import Timestamp
from facetl.data.near_duplicates import NEAR_TWIN
from facetl.data.shots import FrameSignature, frame_signature


def candidate(
    index: int, signature: FrameSignature, scores: tuple[float, ...] = (), sharpness: float = 4.0
) -> Candidate:
    boxes = as_boxes([[0, 0, 9, 9]] * len(scores))
    return Candidate(
        "a.mp4",
        Timestamp(index, index / 25),
        signature,
        sharpness,
        boxes,
        np.array(scores, np.float32),
    )


def look_of(seed: int, brightness: float = 1.0) -> FrameSignature:
    """A picture of chance, unlike all others."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3))
    return frame_signature(
        (small * brightness).astype(np.uint8).repeat(10, axis=0).repeat(10, axis=1)
    )


def blur(image: Picture) -> Picture:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), np.uint8)


def picked(candidates: list[Candidate], count: int, variety: float = 0.5) -> list[int]:
    picks = pick_frames(candidates, count, variety=variety)
    return [pick.candidate.stamp.index for pick in picks]


# ---- measures


def test_a_drawing_is_sharp_whatever_it_shows_and_blurred_if_it_is() -> None:
    images = [scene(index).image for index in range(8)]
    sharp = [measure_sharpness(image) for image in images]
    soft = [measure_sharpness(blur(image)) for image in images]
    dark = [measure_sharpness((image * 0.4).astype(np.uint8)) for image in images]
    assert max(soft) < BLURRED * min(sharp)
    assert dark == pytest.approx(sharp, rel=0.1)
    assert measure_sharpness(np.full((20, 30, 3), 77, np.uint8)) == 0


def test_doubt_is_largest_in_the_middle() -> None:
    assert _measure_doubt(np.array([0.5])) == 1
    assert _measure_doubt(np.array([0.0, 1.0])) == 0
    assert _measure_doubt(np.array([])) == 0
    assert _measure_doubt(np.array([0.25, 0.75])) == pytest.approx(2 * 0.25)


@given(st.lists(st.floats(0, 1), max_size=9))
def test_doubt_is_that_of_the_complements(scores: list[float]) -> None:
    values = np.array(scores)
    assert _measure_doubt(values) == pytest.approx(_measure_doubt(1 - values))
    assert 0 <= _measure_doubt(values) <= len(scores)


def test_novelty_of_scenes_pans_fades_and_twins() -> None:
    image = scene(0).image
    same, fade = frame_signature(image), frame_signature((image * 0.5).astype(np.uint8))
    first, *_, moved = (frame_signature(picture) for picture in pictures(0, 8, step=10))
    others = [frame_signature(scene(index).image) for index in range(1, 6)]
    assert _measure_novelty([same, fade], same).tolist() == [0, 0]
    pan, *scenes = _measure_novelty([moved, *others], first)
    assert 0 < pan < min(scenes)
    assert _measure_novelty([], same).shape == (0,)


def test_a_flat_picture_is_unlike_a_drawn_one() -> None:
    flat = frame_signature(np.full((36, 48, 3), 90, np.uint8))
    assert _measure_novelty([flat], look_of(1))[0] > 0
    assert _measure_novelty([look_of(1)], flat)[0] > 0


# ---- the choice


def test_the_most_doubtful_comes_first_and_near_duplicates_never() -> None:
    twins = [candidate(0, look_of(1), (0.6,)), candidate(1, look_of(1), (0.5,))]
    sure = candidate(2, look_of(2), (0.99,))
    assert picked([*twins, sure], 9) == [1, 2]
    first, second = pick_frames([*twins, sure], 9)
    assert (first.reason, second.reason) == (Reason.DOUBT, Reason.VARIETY)
    assert (first.doubt_share, second.doubt_share) == (1.0, 0.0)


def test_variety_alone_and_doubt_alone() -> None:
    image = scene(0).image
    shots = [frame_signature(image[y : y + 240, :320]) for y in (0, 40, 80)]
    candidates = [candidate(n, signature, (0.5 - n / 100,)) for n, signature in enumerate(shots)]
    candidates.append(candidate(9, frame_signature(scene(1).image), (1.0,)))
    assert picked(candidates, 4, variety=0.0) == [0, 1, 2, 9]
    assert picked(candidates, 2, variety=1.0) == [0, 9]


def test_blurred_frames_are_left_out_video_by_video() -> None:
    candidates = [candidate(n, look_of(n), (0.5,), 4.0 if n else 1.0) for n in range(5)]
    assert sorted(picked(candidates, 9)) == [1, 2, 3, 4]
    alone = [candidate(n, look_of(n), (), 1.0) for n in range(5)]
    assert len(picked(alone, 9)) == 5


def test_frames_like_those_known_are_not_picked() -> None:
    candidates = [candidate(n, look_of(n)) for n in range(4)]
    picks = pick_frames(candidates, 9, known=[look_of(0), look_of(2)])
    assert sorted(pick.candidate.stamp.index for pick in picks) == [1, 3]


def test_nothing_to_pick_from() -> None:
    assert pick_frames([], 5) == []
    assert pick_frames([candidate(0, look_of(0))], 0) == []
    with pytest.raises(ValueError, match="variety in"):
        pick_frames([], 5, variety=1.5)


@given(
    st.lists(st.tuples(st.integers(0, 6), st.floats(0, 1)), max_size=15),
    st.integers(0, 12),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_picks_are_few_enough_unlike_and_as_a_slow_search_has_them(
    drawn: list[tuple[int, float]], count: int, variety: float
) -> None:
    candidates = [
        candidate(index, look_of(seed), (score,)) for index, (seed, score) in enumerate(drawn)
    ]
    picks = pick_frames(candidates, count, variety=variety)
    assert len(picks) == min(count, len({seed for seed, _ in drawn}))
    assert [pick.candidate for pick in picks] == slow_pick(candidates, len(picks), variety)


def slow_pick(candidates: list[Candidate], count: int, variety: float) -> list[Candidate]:
    """The rule word for word: every round asks every candidate about every pick."""
    chosen: list[Candidate] = []
    for _ in range(count):
        worth = {}
        for place, each in enumerate(candidates):
            novelty = min((novelty_of(each, other) for other in chosen), default=1.0)
            surer = sum(other.doubt < each.doubt for other in candidates)
            share = surer / max(len(candidates) - 1, 1)
            if novelty > 0:
                worth[place] = (1 - variety) * share + variety * novelty
        chosen.append(candidates[max(worth, key=lambda place: worth[place])])
    return chosen


def novelty_of(one: Candidate, other: Candidate) -> float:
    return float(_measure_novelty([one.signature], other.signature)[0])


# ---- the pool


def distances(candidates: list[Candidate]) -> NDArray[np.float32]:
    thumbnails = np.array([each.signature.thumbnail for each in candidates])
    apart = np.abs(thumbnails[:, None] - thumbnails).mean(axis=2)
    return np.asarray(apart[~np.eye(len(candidates), dtype=bool)])


def test_the_pool_never_grows_beyond_its_limit_and_keeps_what_is_unlike() -> None:
    pool = Pool(limit=20)
    for index in range(200):
        pool.offer(candidate(index, look_of(index % 60)))
        assert len(pool.candidates) <= 20
    assert pool.seen == 200
    assert distances(pool.candidates).min() >= pool.distance > NEAR_TWIN


def test_of_twins_the_more_doubtful_stays_unless_it_is_less_sharp() -> None:
    signature = look_of(1)
    sure, unsure = candidate(0, signature, (1.0,)), candidate(1, signature, (0.6,))
    soft = candidate(2, signature, (0.5,), sharpness=3.0)
    for order in ([sure, unsure, soft], [soft, unsure, sure], [unsure, soft, sure]):
        pool = Pool()
        for each in order:
            pool.offer(each)
        assert pool.candidates == [unsure]


def test_blank_frames_are_seen_but_not_kept() -> None:
    pool = Pool()
    pool.offer(candidate(0, frame_signature(np.zeros((36, 48, 3), np.uint8))))
    assert (pool.seen, pool.candidates) == (1, [])
    with pytest.raises(ValueError, match="room for at least 1"):
        Pool(limit=0)
