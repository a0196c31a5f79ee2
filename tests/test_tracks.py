"""Tracks: a face keeps its number while it moves, and a cut ends it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from drawn_videos import RATE, Picture, darken, pan, pictures, scene
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from wandering_faces import WALKS, wander

from facetl.boxes import Boxes, as_boxes, iou
from facetl.cartoons.pen import WIDTH
from facetl.data.held_frames import (
    HeldFrame,
    Timestamp,
    _largest_change,
    _shrink_grey,
    group_held_frames,
)
from facetl.data.shots import frame_signature, is_cut
from facetl.data.tracks import _NEAR, FaceTracker, Track, _match, _nearness, _Path
from facetl.data.video import VideoFrame
from facetl.mtcnn.detector import Detector


def follow(
    tracker: FaceTracker, boxes: ArrayLike, time: float, score: float = 0.9, **cut: bool
) -> tuple[Track, ...]:
    return tracker.follow(as_boxes(boxes), np.full(len(np.asarray(boxes)), score), time, **cut)


# ---- tracks


def test_two_faces_that_pass_each_other_keep_their_numbers() -> None:
    tracker, seen = FaceTracker(1 / RATE), []
    for frame in range(40):
        left, right = 10 + 6 * frame, 250 - 6 * frame
        boxes = [[left, 20, left + 40, 60], [right, 50, right + 40, 90]]
        if frame % 2:  # boxes come in any order
            seen.append(follow(tracker, boxes, frame / RATE))
        else:
            seen.append(follow(tracker, boxes[::-1], frame / RATE)[::-1])
    assert seen[0] == (None, None)
    assert sorted(filter(None, seen[1])) == [1, 2]
    assert seen[1:] == seen[1:2] * 39


def test_faces_of_a_moving_cartoon_keep_their_numbers() -> None:
    detector = Detector.load("cartoon", "cpu")
    shots = list(pan(2, 20))
    tracker = FaceTracker(1 / RATE)
    numbers: dict[int, int] = {}
    found = detector.detect([picture for picture, _ in shots], workers=1)
    for frame, ((_, truth), seen) in enumerate(zip(shots, found, strict=True)):
        tracks = tracker.follow(seen.boxes, seen.scores, frame / RATE)
        overlaps = iou(truth, as_boxes(seen.boxes))
        for face, row in enumerate(overlaps):
            if row.max(initial=0) > 0.5 and (number := tracks[int(row.argmax())]) is not None:
                assert numbers.setdefault(face, number) == number
    assert len(numbers) >= 2
    assert len(set(numbers.values())) == len(numbers)


def test_a_box_of_low_score_carries_on_a_track_but_begins_none() -> None:
    tracker = FaceTracker(0.04)
    box = [[10.0, 10, 50, 50]]
    assert [follow(tracker, box, n / 25, score=0.3) for n in range(3)] == [(None,)] * 3
    assert [follow(tracker, box, n / 25, score=0.9) for n in (3, 4)] == [(None,), (1,)]
    assert follow(tracker, box, 5 / 25, score=0.3) == (1,)


def test_who_is_hidden_for_a_moment_keeps_the_number_but_not_for_long() -> None:
    tracker = FaceTracker(0.04)
    box = [[10.0, 10, 50, 50]]
    assert [follow(tracker, box, n / 25) for n in (0, 1)] == [(None,), (1,)]
    for frame in range(2, 20):
        assert follow(tracker, [], frame / 25) == ()
    assert follow(tracker, box, 20 / 25) == (1,)
    for frame in range(21, 60):
        follow(tracker, [], frame / 25)
    assert follow(tracker, box, 60 / 25) == (None,)
    assert follow(tracker, box, 61 / 25) == (2,)


def test_a_cut_ends_all_tracks_and_numbers_are_used_once() -> None:
    tracker = FaceTracker(0.04)
    boxes: list[list[float]] = [[10, 10, 50, 50], [100, 10, 150, 60]]
    assert [follow(tracker, boxes, n / 25) for n in (0, 1)][1] == (1, 2)
    assert follow(tracker, boxes, 2 / 25, cut=True) == (None, None)
    assert follow(tracker, boxes, 3 / 25) == (3, 4)


def test_the_first_frame_gets_its_numbers_in_hindsight() -> None:
    tracker = FaceTracker(0.04)
    low, left, right = [60.0, 0, 70, 10], [10.0, 10, 50, 50], [100.0, 10, 150, 60]
    scores = np.array([0.3, 0.9, 0.9])
    assert tracker.follow(as_boxes([low, left, right]), scores, 0) == (None, None, None)
    assert tracker.hindsight == {}
    assert follow(tracker, [right, [400.0, 300, 440, 340]], 0.04) == (1, None)
    assert tracker.hindsight == {2: 1}
    assert follow(tracker, [right], 0.08) == (1,)
    assert tracker.hindsight == {}  # the other one was there for a single frame
    assert follow(tracker, [right, left], 0.12, cut=True) == (None, None)
    assert tracker.hindsight == {}
    assert follow(tracker, [left, right], 0.16) in {(2, 3), (3, 2)}
    assert sorted(tracker.hindsight) == [0, 1]


def test_two_frames_may_have_one_time() -> None:
    tracker = FaceTracker(0.04)
    assert follow(tracker, BOX, 0) == (None,)
    assert follow(tracker, BOX, 0) == (1,)
    assert tracker.hindsight == {0: 1}
    assert follow(tracker, BOX, 0.04) == (1,)


RECORDED = Path(__file__).with_name("recorded_tracks.json")
"""What the library ``trackers`` gave, a film a line (see ``reference_tracks.py``)."""


@pytest.mark.parametrize("seed", range(WALKS))
def test_faces_that_wander_get_the_tracks_that_the_library_gives_them(seed: int) -> None:
    walk, recorded = wander(seed), json.loads(RECORDED.read_text(encoding="utf-8"))[seed]
    tracker = FaceTracker(walk.step)
    for frame, expected in zip(walk.frames, recorded, strict=True):
        tracks = tracker.follow(frame.boxes, frame.scores, frame.time, cut=frame.cut)
        assert tracks == tuple(expected)
    assert any(any(frame) for frame in recorded)


@given(st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_boxes_are_matched_so_that_their_nearness_is_the_highest_in_sum(
    rows: int, columns: int, random: Random
) -> None:
    def boxes(count: int) -> Boxes:
        corners = [(random.uniform(0, 40), random.uniform(0, 40)) for _ in range(count)]
        return as_boxes([[x, y, x + random.uniform(20, 40), y + 30] for x, y in corners])

    expected, found = boxes(rows), boxes(columns)
    near = _nearness(expected, found)
    best = near[linear_sum_assignment(near, maximize=True)]
    pairs = _match([_Path(box, 0) for box in expected], found)
    matched = [_nearness(path.box[None], found[[at]])[0, 0] for path, at in pairs]
    assert sum(matched) == pytest.approx(best[best >= _NEAR].sum())


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 90), st.integers(0, 90), st.integers(5, 60), st.floats(0.1, 1)
            ),
            max_size=5,
        ),
        min_size=1,
        max_size=12,
    ),
    st.sets(st.integers(0, 11)),
    st.sampled_from([0.04, 0.5, 7.0]),
)
def test_each_box_has_a_track_or_none_and_no_two_the_same(
    frames: list[list[tuple[int, int, int, float]]], cuts: set[int], step: float
) -> None:
    tracker = FaceTracker(step)
    before: set[int] = set()
    shot: set[int] = set()
    last: tuple[Track, ...] = ()
    for number, faces in enumerate(frames):
        boxes = as_boxes([[x, y, x + side, y + side] for x, y, side, _ in faces])
        scores = np.array([score for *_, score in faces])
        tracks = tracker.follow(boxes, scores, number * step, cut=number in cuts)
        assert len(tracks) == len(faces)
        numbers = [track for track in tracks if track is not None]
        assert len(set(numbers)) == len(numbers)
        assert all(track >= 1 for track in numbers)
        for place, late in tracker.hindsight.items():  # new numbers, each of a box that had none
            assert last[place] is None
            assert late in numbers
            assert late not in shot
        assert set(tracker.hindsight.values()) >= set(numbers) - shot
        last = tracks
        if number in cuts:
            before, shot = before | shot, set()
        assert not before & set(numbers)
        shot |= set(numbers)


@pytest.mark.parametrize(
    "other", [[[0.0, 0, 80, 120]], [[22.0, 22, 36, 38]], [[10.0, 10, 50, 115]], [[0.0, 22, 60, 37]]]
)
def test_a_track_does_not_change_to_a_box_of_another_size_or_shape(
    other: list[list[float]],
) -> None:
    tracker, face = FaceTracker(0.04), [[10.0, 10, 50, 50]]
    assert [follow(tracker, face, n / 25) for n in range(4)][-1] == (1,)
    assert [follow(tracker, other, n / 25) for n in (4, 5, 6)] == [(None,), (2,), (2,)]
    assert follow(tracker, [*face, *other], 7 / 25) == (1, 2)


def test_a_face_that_comes_nearer_keeps_its_number() -> None:
    tracker, side = FaceTracker(0.04), 20.0
    tracks = []
    for number in range(25):
        tracks.append(
            follow(tracker, [[100 - side, 100 - side, 100 + side, 100 + side]], number / 25)
        )
        side *= 1.1
    assert tracks == [(None,), *[(1,)] * 24]


BOX = [[10.0, 10, 50, 50]]


def test_the_gaps_of_a_variable_frame_rate_do_not_break_a_track() -> None:
    tracker = FaceTracker(0.04)
    times = [0, 0.04, 0.08, 2, 2.04, 4, 4.1, 4.2]
    assert [follow(tracker, BOX, time) for time in times] == [(None,), *[(1,)] * 7]


@given(
    st.lists(st.floats(0.001, 60), min_size=1, max_size=25),
    st.sampled_from([0.02, 0.04, 0.5, 7.0]),
)
def test_a_face_that_stands_still_keeps_its_number_whatever_the_gaps(
    gaps: list[float], step: float
) -> None:
    tracker = FaceTracker(step)
    times = np.cumsum([0.0, *gaps]).tolist()
    tracks = [follow(tracker, BOX, time) for time in times]
    assert tracks == [(None,), *[(1,)] * len(gaps)]


@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=20),
    st.integers(-5, 5),
    st.sampled_from([0.04, 0.5, 7.0]),
)
def test_a_face_that_moves_keeps_its_number_where_frames_are_left_out(
    gaps: list[int], speed: int, step: float
) -> None:
    tracker = FaceTracker(step)
    numbers = np.cumsum([0, 1, 1, *gaps]).tolist()
    tracks = [
        follow(tracker, [[200.0 + speed * n, 10, 240 + speed * n, 50]], n * step) for n in numbers
    ]
    assert tracks == [(None,), *[(1,)] * (len(numbers) - 1)]


@given(
    st.floats(0.001, 30),
    st.lists(st.floats(0.001, 0.7), max_size=8),
    st.floats(0.001, 0.7),
    st.sampled_from([0.04, 0.2, 1.0]),
)
def test_a_face_is_missing_from_the_first_frame_on_that_does_not_show_it(
    gap: float, hidden: list[float], last: float, step: float
) -> None:
    tracker = FaceTracker(step)
    for time in (0.0, step):
        follow(tracker, BOX, time)
    times = np.cumsum([step + gap, *hidden]).tolist()
    for time in times:
        follow(tracker, [], time)
    away = times[-1] + last - times[0] + step
    assume(abs(away - max(1.0, 3 * step)) > 1e-3)
    kept = away < max(1.0, 3 * step)
    assert follow(tracker, BOX, times[-1] + last) == ((1,) if kept else (None,))


# ---- cuts


def test_scenes_are_cut_but_a_moving_camera_is_not() -> None:
    scenes = [frame_signature(scene(index).image) for index in range(8)]
    assert sum(is_cut(one, other) for one, other in pairwise(scenes)) >= 6
    for index in range(4):
        signatures = [frame_signature(picture) for picture in pictures(index, 8, step=10)]
        assert not any(is_cut(one, other) for one, other in pairwise(signatures))


def test_a_change_of_light_alone_and_the_same_picture_are_no_cuts() -> None:
    signature, image = frame_signature(scene(0).image), scene(0).image
    assert not is_cut(signature, signature)
    assert not is_cut(signature, frame_signature((image * 0.95).astype(np.uint8)))
    assert signature.colours.sum() == pytest.approx(1)


LIGHT = [(1.0, False), (0.3, False), (0.1, False), (0.1, True)]


@pytest.mark.parametrize(("brightness", "lights"), LIGHT)
def test_cuts_are_found_in_dark_film_too(brightness: float, lights: bool) -> None:
    views = [pictures(index, 1)[0] for index in range(10)]
    signatures = [frame_signature(darken(view, brightness, lights)) for view in views]
    pairs = [(one, other) for one in signatures for other in signatures if one is not other]
    assert sum(is_cut(*pair) for pair in pairs) >= 0.95 * len(pairs)


@pytest.mark.parametrize(("brightness", "lights"), LIGHT)
@pytest.mark.parametrize("step", [0, 2, 10, 15])
def test_a_camera_that_moves_in_the_dark_does_not_cut(
    brightness: float, lights: bool, step: int
) -> None:
    for index in range(6):
        signatures = [
            frame_signature(darken(view, brightness, lights)) for view in pictures(index, 5, step)
        ]
        assert not any(is_cut(one, other) for one, other in pairwise(signatures))


@pytest.mark.parametrize("light", [1.0, 0.9, 0.7, 0.5, 0.01, 0.005])
def test_light_that_goes_on_or_off_and_fades_do_not_cut(light: float) -> None:
    for index in range(6):
        (view,) = pictures(index, 1)
        steps = (light, light * 0.93, light * 0.6)
        signatures = [frame_signature(darken(view, brightness)) for brightness in steps]
        white = frame_signature(np.uint8(255) - darken(np.uint8(255) - view, light))
        assert not any(is_cut(one, other) for one, other in pairwise(signatures))
        assert light < 0.5 or not is_cut(frame_signature(view), white)


# ---- stills


def as_frames(images: list[Picture]) -> list[VideoFrame]:
    return [VideoFrame(number, number / RATE, image) for number, image in enumerate(images)]


def test_what_stands_still_is_one_moment() -> None:
    still, other = scene(0).image, scene(1).image
    held_frames = list(group_held_frames(as_frames([still, still, other, still, still, still])))
    assert [held_frame.frame.index for held_frame in held_frames] == [0, 2, 3]
    assert held_frames[2].stamps == (Timestamp(3, 0.12), Timestamp(4, 0.16), Timestamp(5, 0.2))


def test_a_face_that_moves_is_not_still_and_noise_is() -> None:
    drawn = scene(0)
    moved = drawn.image.copy()
    x1, y1, x2, y2 = drawn.boxes[0].astype(int)
    x3 = min(x1 + 3, WIDTH - (x2 - x1))
    moved[y1:y2, x3 : x3 + x2 - x1] = drawn.image[y1:y2, x1:x2]
    noise = np.random.default_rng(1).integers(-8, 9, drawn.image.shape)
    noisy = np.clip(drawn.image + noise, 0, 255).astype(np.uint8)
    assert len(list(group_held_frames(as_frames([drawn.image, moved])))) == 2
    assert len(list(group_held_frames(as_frames([drawn.image, noisy])))) == 1


def test_slow_movement_does_not_creep_by() -> None:
    base = np.full((60, 80, 3), 100, np.uint8)
    slow = [base + np.uint8(step) for step in range(40)]
    searched = [held_frame.frame.index for held_frame in group_held_frames(as_frames(slow))]
    assert searched == [0, 12, 24, 36]


def test_a_moment_has_its_limit() -> None:
    frames = as_frames([np.zeros((36, 48, 3), np.uint8)] * 10)
    assert [len(each.still) for each in group_held_frames(frames, longest=3)] == [
        3,
        3,
        1,
    ]


@given(st.lists(st.integers(0, 3), max_size=25), st.integers(1, 6), st.sampled_from([0.0, 12.0]))
def test_each_frame_is_in_one_moment_in_order(
    shades: list[int], longest: int, limit: float
) -> None:
    frames = as_frames([np.full((36, 48, 3), shade * 5, np.uint8) for shade in shades])
    held_frames: list[HeldFrame] = list(group_held_frames(frames, limit, longest))
    stamps = [stamp for held_frame in held_frames for stamp in held_frame.stamps]
    assert stamps == [Timestamp(frame.index, frame.time) for frame in frames]
    for held_frame in held_frames:
        assert len(held_frame.still) <= longest
        seen = _shrink_grey(held_frame.frame.pixels)
        for stamp in held_frame.still:
            assert _largest_change(seen, _shrink_grey(frames[stamp.index].pixels)) < limit
