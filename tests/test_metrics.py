from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from reference_metrics import average_precision as slow_average_precision
from reference_metrics import (
    average_precision_at_101_recalls,
    find_hits,
    random_boxes,
)

from facetl.evaluation.matching import Ranking, TrueBoxes
from facetl.evaluation.metrics import (
    Curve,
    Metrics,
    _recall_within,
    average_precision,
    average_precision_coco,
    average_precision_raw,
    best_point,
    measure,
)

hit_lists = st.lists(st.booleans(), max_size=40)


def curve(hits: list[bool], faces: int, scores: list[float] | None = None) -> Curve:
    falling = np.linspace(1, 0, len(hits)) if scores is None else np.array(scores)
    return Curve(falling, np.array(hits, dtype=np.bool_), faces)


def measured(boxes: list[list[float]], scores: list[float], faces: list[list[float]]) -> Metrics:
    """Figures of ten frames of which only the first holds anything."""
    first = np.zeros(len(boxes), dtype=np.intp)
    ranking = Ranking(np.array(boxes), np.array(scores), first)
    return measure(ranking, TrueBoxes(np.array(faces), np.zeros(len(faces), dtype=np.intp)), 10)


def test_average_precision_by_hand() -> None:
    # hit, miss, hit of 4 faces: precision 1, 1/2, 2/3 at recall 1/4, 1/4, 1/2
    by_hand = curve([True, False, True], 4)
    assert average_precision(by_hand) == pytest.approx(1 / 4 + 1 / 4 * 2 / 3)
    assert average_precision_raw(by_hand) == pytest.approx(1 / 4 + 1 / 4 * 2 / 3)
    # recalls 0 to 0.25 (26 of them) read 1, 0.26 to 0.5 (25) read 2/3, the rest 0
    assert average_precision_coco(by_hand) == pytest.approx((26 + 25 * 2 / 3) / 101)


def test_the_courses_figure_has_no_envelope() -> None:
    # miss, hit, hit of 2 faces: precision 0, 1/2, 2/3; the envelope lifts 1/2 to 2/3
    late = curve([False, True, True], 2)
    assert average_precision(late) == pytest.approx(2 / 3)
    assert average_precision_raw(late) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_best_point_by_hand() -> None:
    # F1 after each of hit, hit, miss, hit of 4 faces: 2/5, 4/6, 4/7, 6/8
    best = best_point(curve([True, True, False, True], 4, [0.9, 0.8, 0.7, 0.6]))
    assert (best.score_threshold, best.precision, best.recall) == (0.6, 0.75, 0.75)
    assert best.f1 == pytest.approx(0.75)


def test_a_threshold_cannot_cut_between_equal_scores() -> None:
    # of two detections at 0.9 one is a hit: no threshold keeps the hit alone
    tied = curve([True, False], 1, [0.9, 0.9])
    assert best_point(tied).precision == 0.5
    assert _recall_within(tied, 0) == 0
    assert _recall_within(tied, 1) == 1


def test_recall_within_a_budget_of_false_alarms() -> None:
    by_hand = curve([True, False, True, False, True], 5)
    assert [_recall_within(by_hand, budget) for budget in (0, 0.9, 1, 2)] == [0.2, 0.2, 0.4, 0.6]


def test_no_detection_is_recall_zero_and_no_precision() -> None:
    metrics = measured([], [], [[0, 0, 10, 10]])
    assert metrics.ap == {"0.3": 0, "0.5": 0, "0.7": 0, "0.5:0.95": 0}
    assert (metrics.ap_course, metrics.recall_all, metrics.best.recall, metrics.best.f1) == (0,) * 4
    assert metrics.recall_at_budget == 0
    assert math.isnan(metrics.precision_all)
    assert math.isnan(metrics.best.precision)


def test_no_face_leaves_recall_and_average_precision_undefined() -> None:
    metrics = measured([[0, 0, 10, 10]], [0.5], [])
    undefined = (*metrics.ap.values(), *metrics.ap_coco.values(), metrics.ap_course)
    assert all(math.isnan(figure) for figure in undefined)
    assert math.isnan(metrics.recall_all)
    assert math.isnan(metrics.recall_at_budget)
    assert math.isnan(metrics.best.f1)
    assert metrics.precision_all == 0


def test_inclusive_pixels_can_turn_a_false_alarm_into_a_hit() -> None:
    # half open: 2 of 9 square pixels overlap, inclusive: 6 of 16, on either side of 0.3
    metrics = measured([[0, 0, 1, 2]], [0.5], [[0, 0, 3, 3]])
    assert (metrics.precision_all, metrics.recall_all) == (0, 0)
    assert (metrics.precision_course, metrics.recall_course) == (1, 1)
    assert (metrics.ap["0.3"], metrics.ap_course) == (0, 1)


def test_each_figure_has_its_own_iou_threshold() -> None:
    # 6 of 10 pixels high: IoU 0.6 passes 0.3, 0.5, and of the strict ten 0.5, 0.55, 0.6
    metrics = measured([[0, 0, 10, 6]], [0.5], [[0, 0, 10, 10]])
    assert metrics.ap["0.3"] == metrics.ap["0.5"] == metrics.ap_coco["0.5"] == 1
    assert metrics.ap["0.7"] == metrics.ap_coco["0.75"] == 0
    assert metrics.ap["0.5:0.95"] == pytest.approx(0.3)


@pytest.mark.parametrize("seed", range(10))
def test_fast_and_slow_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes, frames = random_boxes(rng, 60), rng.integers(0, 5, 60)
    faces, face_frames = random_boxes(rng, 25), rng.integers(0, 5, 25)
    scores = rng.integers(0, 20, 60) / 20
    metrics = measure(Ranking(boxes, scores, frames), TrueBoxes(faces, face_frames), 5)
    detections = list(zip(frames.tolist(), boxes.tolist(), scores.tolist(), strict=True))
    truth = list(zip(face_frames.tolist(), faces.tolist(), strict=True))
    for threshold in (0.3, 0.5, 0.7):
        hits = find_hits(detections, truth, threshold, free_only=False)
        slow = slow_average_precision(hits, 25, envelope=True)
        assert metrics.ap[f"{threshold}"] == pytest.approx(slow)
    hits = find_hits(detections, truth, 0.5, free_only=True)
    assert metrics.ap_coco["0.5"] == pytest.approx(average_precision_at_101_recalls(hits, 25))
    wider = [(frame, [x1, y1, x2 + 1, y2 + 1], s) for frame, (x1, y1, x2, y2), s in detections]
    wider_truth = [(frame, [x1, y1, x2 + 1, y2 + 1]) for frame, (x1, y1, x2, y2) in truth]
    hits = find_hits(wider, wider_truth, 0.3, free_only=False)
    assert metrics.ap_course == pytest.approx(slow_average_precision(hits, 25, envelope=False))


def coco_average_precision(
    ranking: Ranking, faces: TrueBoxes, frames: int, capsys: Any
) -> dict[str, float]:
    """The same figures by pycocotools, with room for all detections."""

    def rows(
        boxes: Any, frame_index: Any, first_id: int = 1, iscrowd: int = 0
    ) -> list[dict[str, Any]]:
        sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
        return [
            {"id": first_id + i, "image_id": int(frame), "category_id": 1, "bbox": box,
             "iscrowd": iscrowd, "area": box[2] * box[3]}
            for i, (frame, box) in enumerate(zip(frame_index, sizes.tolist(), strict=True))
        ]  # fmt: skip

    truth = COCO()
    truth.dataset = {
        "images": [{"id": frame} for frame in range(frames)],
        "categories": [{"id": 1}],
        "annotations": [
            *rows(faces.boxes, faces.frame_index),
            *rows(faces.ignored, faces.ignored_frame_index, len(faces) + 1, iscrowd=1),
        ],
    }
    truth.createIndex()
    found = rows(ranking.boxes, ranking.frame_index)
    for row, score in zip(found, ranking.scores.tolist(), strict=True):
        row["score"] = score
    results = COCO()
    results.dataset = {**truth.dataset, "annotations": found}
    results.createIndex()
    evaluator = COCOeval(truth, results, "bbox")
    evaluator.params.maxDets = [10_000]
    evaluator.evaluate()
    evaluator.accumulate()
    capsys.readouterr()
    precision = evaluator.eval["precision"][:, :, 0, 0, 0].mean(axis=1)
    return {"0.5": precision[0], "0.75": precision[5], "0.5:0.95": precision.mean()}


@pytest.mark.parametrize("coarse", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("seed", range(5))
def test_coco_figures_agree_with_pycocotools(seed: int, coarse: bool, capsys: Any) -> None:
    rng = np.random.default_rng(seed)
    faces = random_boxes(rng, 60) * (1 if coarse else 16)
    shaken = np.repeat(faces, 5, axis=0)
    if not coarse:
        shaken += rng.integers(-3, 4, shaken.shape)
    face_frames = rng.integers(0, 20, 60)
    # in the order of the frames, because that is how pycocotools breaks ties between frames
    order = np.argsort(np.repeat(face_frames, 5), kind="stable")
    scores = rng.integers(0, 10, 300) / 10 if coarse else rng.random(300)
    ranking = Ranking(shaken[order], scores, np.repeat(face_frames, 5)[order])
    true_boxes = TrueBoxes(faces, face_frames)
    theirs = coco_average_precision(ranking, true_boxes, 20, capsys)
    assert measure(ranking, true_boxes, 20).ap_coco == pytest.approx(theirs, abs=1e-6)
    assert 0.05 < theirs["0.5:0.95"] < 0.95  # else the test would compare nothing


@settings(max_examples=50)
@given(hits=hit_lists, spare=st.integers(0, 5))
def test_figures_lie_between_0_and_1(hits: list[bool], spare: int) -> None:
    drawn = curve(hits, sum(hits) + spare + 1)
    best = best_point(drawn)
    for average in (average_precision, average_precision_coco, average_precision_raw):
        assert 0 <= average(drawn) <= 1
    assert average_precision_raw(drawn) <= average_precision(drawn) + 1e-12
    assert 0 <= best.recall <= 1
    assert 0 <= best.f1 <= 1


@settings(max_examples=50)
@given(hits=hit_lists, spare=st.integers(1, 5))
def test_a_false_alarm_below_all_others_never_helps(hits: list[bool], spare: int) -> None:
    before, after = curve(hits, sum(hits) + spare), curve([*hits, False], sum(hits) + spare)
    for average in (average_precision, average_precision_coco, average_precision_raw):
        assert average(after) <= average(before)
    assert best_point(after).f1 <= best_point(before).f1


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 30))
def test_perfect_detections_score_1_in_everything(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.permutation(count)  # a face a frame, so that none is in another's way
    boxes = random_boxes(rng, count)
    perfect = Ranking(boxes, rng.random(count), frames)
    metrics = measure(perfect, TrueBoxes(boxes, frames), count)
    assert set(metrics.ap.values()) | set(metrics.ap_coco.values()) == {1.0}
    assert (metrics.ap_course, metrics.best.f1, metrics.recall_at_budget) == (1, 1, 1)


@settings(max_examples=50)
@given(hits=st.lists(st.booleans(), min_size=1, max_size=40), scale=st.floats(0.1, 100))
def test_only_the_order_of_scores_matters(hits: list[bool], scale: float) -> None:
    drawn = curve(hits, sum(hits) + 1)
    scaled = Curve(drawn.scores * scale - 3, drawn.hits, drawn.faces)
    assert best_point(scaled).f1 == best_point(drawn).f1
    assert average_precision(scaled) == average_precision(drawn)


@pytest.mark.parametrize("coarse", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("seed", range(5))
def test_regions_to_be_ignored_are_the_crowds_of_pycocotools(
    seed: int, coarse: bool, capsys: Any
) -> None:
    rng = np.random.default_rng(seed)
    everything, every_frame = random_boxes(rng, 60) * 16, rng.integers(0, 20, 60)
    shaken = np.repeat(everything, 5, axis=0)
    if not coarse:
        shaken += rng.integers(-3, 4, shaken.shape)
    order = np.argsort(np.repeat(every_frame, 5), kind="stable")
    scores = rng.integers(0, 10, 300) / 10 if coarse else rng.random(300)
    ranking = Ranking(shaken[order], scores, np.repeat(every_frame, 5)[order])
    # a third is to be ignored, and faces and regions overlap
    true_boxes = TrueBoxes(everything[20:], every_frame[20:], everything[:20], every_frame[:20])
    theirs = coco_average_precision(ranking, true_boxes, 20, capsys)
    ours = measure(ranking, true_boxes, 20)
    assert ours.ap_coco == pytest.approx(theirs, abs=1e-6)
    plain = measure(ranking, TrueBoxes(true_boxes.boxes, true_boxes.frame_index), 20)
    assert 0.05 < plain.ap_coco["0.5:0.95"] < theirs["0.5:0.95"] < 0.95
    assert 0 < ours.ignored < 300
    assert len(ours.curve.hits) == 300 - ours.ignored
    assert ours.ap["0.3"] > plain.ap["0.3"]
    assert (ours.ap_course, ours.precision_course) == (plain.ap_course, plain.precision_course)


def test_what_is_ignored_by_hand() -> None:
    face, crowd = [0.0, 0, 10, 10], [100.0, 0, 200, 100]
    found = np.array([[110.0, 10, 120, 20], [150.0, 50, 170, 80], face, [50.0, 50, 60, 60]])
    ranking = Ranking(found, np.array([0.9, 0.8, 0.7, 0.6]), np.zeros(4, dtype=np.intp))
    metrics = measure(ranking, TrueBoxes.of([np.array([face])], [np.array([crowd])]), 1)
    # the two best lie in the crowd: what is left is the hit, then a false alarm
    assert (metrics.detections, metrics.ignored) == (4, 2)
    assert (metrics.ap["0.3"], metrics.precision_all, metrics.best.precision) == (1, 0.5, 1)
    assert (metrics.ap_coco["0.5"], metrics.best.score_threshold) == (1, 0.7)
    # the course's evaluator knows no crowds: the hit is the third of four
    assert metrics.ap_course == pytest.approx(1 / 3)
    assert metrics.precision_course == 0.25
