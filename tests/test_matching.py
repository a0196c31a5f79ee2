from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reference_metrics import find_counted, find_hits, random_boxes

from facetl.boxes import as_boxes
from facetl.evaluation.matching import (
    Overlaps,
    Ranking,
    Rule,
    TrueBoxes,
    find_overlaps,
    leave_out_ignored,
    match_best,
    match_free,
)

FACE = [0.0, 0.0, 10.0, 10.0]


def pairs(
    boxes: list[list[float]], scores: list[float], faces: list[list[float]], frame: int = 0
) -> Overlaps:
    """Overlaps in one frame."""
    ranking = Ranking(np.array(boxes), np.array(scores), np.zeros(len(boxes), dtype=np.intp))
    true_boxes = TrueBoxes(np.array(faces), np.full(len(faces), frame))
    return find_overlaps(ranking, true_boxes)


@pytest.mark.parametrize("rule", [match_best, match_free])
def test_a_face_is_given_to_the_best_score_and_only_once(rule: Rule) -> None:
    # the ranking is 0.9, 0.8, 0.7; the second finds the face taken, the third lies elsewhere
    boxes = [[0.0, 0, 10, 9], [50.0, 50, 60, 60], FACE]
    hits = rule(pairs(boxes, [0.8, 0.7, 0.9], [FACE]), 0.5)
    assert hits.tolist() == [True, False, False]


def test_the_two_rules_differ_where_one_detection_meets_two_faces() -> None:
    # both detections lie nearest to the first face: IoU 1 and 0.8, and 0.54 with the second one
    faces = [FACE, [0.0, 5.0, 10.0, 15.0]]
    overlaps = pairs([FACE, [0.0, 2, 10, 12]], [0.9, 0.8], faces)
    assert match_best(overlaps, 0.5).tolist() == [True, False]
    assert match_free(overlaps, 0.5).tolist() == [True, True]


@pytest.mark.parametrize("rule", [match_best, match_free])
def test_an_overlap_of_exactly_the_threshold_is_a_hit(rule: Rule) -> None:
    overlaps = pairs([[0.0, 0, 10, 5]], [0.9], [FACE])  # 50 of 100 square pixels
    assert rule(overlaps, 0.5).tolist() == [True]
    assert rule(overlaps, np.nextafter(0.5, 1)).tolist() == [False]


@pytest.mark.parametrize("rule", [match_best, match_free])
def test_faces_of_other_frames_do_not_count(rule: Rule) -> None:
    assert rule(pairs([FACE], [0.9], [FACE], frame=1), 0.5).tolist() == [False]


@pytest.mark.parametrize("rule", [match_best, match_free])
@pytest.mark.parametrize(("boxes", "faces"), [([], []), ([FACE], []), ([], [FACE])])
def test_nothing_is_a_normal_value(
    rule: Rule, boxes: list[list[float]], faces: list[list[float]]
) -> None:
    hits = rule(pairs(boxes, [0.5] * len(boxes), faces), 0.5)
    assert hits.tolist() == [False] * len(boxes)


def test_equal_scores_keep_their_order() -> None:
    ranking = Ranking(np.array([FACE] * 3), np.array([0.1, 0.7, 0.7]), np.array([5, 3, 4]))
    assert ranking.frame_index.tolist() == [3, 4, 5]


def test_a_ranking_of_frames_knows_which_frame_each_detection_is_of() -> None:
    other = [0.0, 0.0, 5.0, 5.0]
    ranking = Ranking.of(
        [as_boxes([FACE, other]), as_boxes([]), as_boxes([FACE])], [[0.1, 0.7], [], [0.4]]
    )
    assert ranking.frame_index.tolist() == [0, 2, 0]
    assert ranking.scores.tolist() == [0.7, 0.4, 0.1]
    assert ranking.boxes.tolist() == [other, list(FACE), list(FACE)]
    assert not len(Ranking.of([], []))


def test_inclusive_pixels_make_boxes_one_wider_and_one_higher() -> None:
    ranking = Ranking(np.array([FACE]), np.array([0.5]), np.array([0])).on_inclusive_pixels()
    faces = TrueBoxes(np.array([FACE]), np.array([0])).on_inclusive_pixels()
    assert ranking.boxes.tolist() == faces.boxes.tolist() == [[0, 0, 11, 11]]
    assert len(faces) == 1


@pytest.mark.parametrize("rule", [match_best, match_free])
@pytest.mark.parametrize("seed", range(10))
def test_fast_and_slow_find_the_same_hits(seed: int, rule: Rule) -> None:
    rng = np.random.default_rng(seed)
    boxes, frames = random_boxes(rng, 80), rng.integers(0, 5, 80)
    faces, face_frames = random_boxes(rng, 30), rng.integers(0, 5, 30)
    scores = rng.integers(0, 20, 80) / 20
    overlaps = find_overlaps(Ranking(boxes, scores, frames), TrueBoxes(faces, face_frames))
    detections = list(zip(frames.tolist(), boxes.tolist(), scores.tolist(), strict=True))
    truth = list(zip(face_frames.tolist(), faces.tolist(), strict=True))
    for threshold in (0.3, 0.5, 0.75):
        slow = find_hits(detections, truth, threshold, free_only=rule is match_free)
        assert rule(overlaps, threshold).tolist() == slow


@settings(max_examples=50)
@example(seed=261, threshold=0.125)
@given(seed=st.integers(0, 2**32 - 1), threshold=st.floats(0.05, 1))
def test_no_more_hits_than_faces_and_cocos_rule_finds_no_fewer(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    count, face_count = rng.integers(0, 30, 2)
    # not on whole pixels: of faces overlapped equally the rules prefer different ones
    faces = random_boxes(rng, face_count) + rng.uniform(0, 0.5, (face_count, 4))
    overlaps = find_overlaps(
        Ranking(random_boxes(rng, count), rng.random(count), rng.integers(0, 3, count)),
        TrueBoxes(faces, rng.integers(0, 3, face_count)),
    )
    best, free = match_best(overlaps, threshold).sum(), match_free(overlaps, threshold).sum()
    assert best <= free <= min(count, face_count)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one value for each of 1 boxes"):
        TrueBoxes(np.array([FACE]), np.array([0, 1]))


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite scores"):
        Ranking(np.array([FACE]), np.array([np.nan]), np.array([0]))


def ignoring(faces: list[list[float]], *regions: list[float]) -> TrueBoxes:
    """True boxes and regions to be ignored in one frame."""
    return TrueBoxes.of([np.array(faces).reshape(-1, 4)], [np.array(regions).reshape(-1, 4)])


CROWD = [100.0, 0.0, 200.0, 100.0]


@pytest.mark.parametrize("rule", [match_best, match_free])
def test_what_lies_in_a_region_to_be_ignored_counts_neither_way(rule: Rule) -> None:
    boxes = [
        FACE,  # a hit
        [110.0, 10, 120, 20],  # in the crowd, as is the next: one region may hold many
        [150.0, 50, 170, 80],
        [95.0, 0, 105, 10],  # half of it
        [94.0, 0, 104, 10],  # four tenths
        [0.0, 50, 10, 60],  # elsewhere
        FACE,  # a duplicate
    ]
    scores = np.linspace(0.9, 0.3, 7)
    ranking = Ranking(np.array(boxes), scores, np.zeros(7, dtype=np.intp))
    overlaps = find_overlaps(ranking, ignoring([FACE], CROWD))
    np.testing.assert_allclose(overlaps.covered, [0, 1, 1, 0.5, 0.4, 0, 0])
    hits = rule(overlaps, 0.5)
    assert hits.tolist() == [True, *[False] * 6]
    assert overlaps.counted(hits, 0.5).tolist() == [True, False, False, False, True, True, True]
    assert overlaps.counted(hits, 0.4).tolist() == [True, False, False, False, False, True, True]


def test_a_hit_in_a_region_to_be_ignored_is_a_hit_and_a_duplicate_there_is_not_counted() -> None:
    face = [120.0, 20.0, 140.0, 40.0]
    ranking = Ranking(np.array([face, face]), np.array([0.9, 0.8]), np.zeros(2, dtype=np.intp))
    counted = leave_out_ignored(ranking, ignoring([face], CROWD), 0.5)
    assert counted.scores.tolist() == [0.9]


def test_regions_of_other_frames_do_not_count() -> None:
    ranking = Ranking(np.array([CROWD, CROWD]), np.array([0.9, 0.8]), np.array([0, 1]))
    nothing = np.zeros((0, 4))
    true_boxes = TrueBoxes.of([nothing, nothing], [nothing, np.array([CROWD])])
    assert leave_out_ignored(ranking, true_boxes, 0.5).frame_index.tolist() == [0]
    assert leave_out_ignored(ranking, true_boxes.on_inclusive_pixels(), 0.5) is not None
    assert len(true_boxes.on_inclusive_pixels().ignored) == 0  # the course knows none


@pytest.mark.parametrize("rule", [match_best, match_free])
@pytest.mark.parametrize("seed", range(10))
def test_fast_and_slow_ignore_the_same(seed: int, rule: Rule) -> None:
    rng = np.random.default_rng(seed)
    boxes, frames = random_boxes(rng, 80), rng.integers(0, 5, 80)
    faces, face_frames = random_boxes(rng, 20), rng.integers(0, 5, 20)
    regions, region_frames = random_boxes(rng, 8), rng.integers(0, 5, 8)
    scores = rng.integers(0, 20, 80) / 20
    true_boxes = TrueBoxes(faces, face_frames, regions, region_frames)
    overlaps = find_overlaps(Ranking(boxes, scores, frames), true_boxes)
    detections = list(zip(frames.tolist(), boxes.tolist(), scores.tolist(), strict=True))
    ignored = list(zip(region_frames.tolist(), regions.tolist(), strict=True))
    for threshold in (0.3, 0.5, 0.75):
        hits = rule(overlaps, threshold)
        slow = find_counted(detections, ignored, hits.tolist(), threshold)
        assert overlaps.counted(hits, threshold).tolist() == slow
