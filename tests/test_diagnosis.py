from __future__ import annotations

import math
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from reference_diagnosis import mended_ap, missed, name_mistakes, nearest, rank
from reference_metrics import random_boxes

from facetl.evaluation.diagnosis import (
    DIAGNOSED_IOUS,
    UNNAMED,
    Diagnosis,
    FaceGroup,
    Matches,
    Mistake,
    _calibrate,
    _group_by_label,
    _group_by_value,
    _measure_costs,
    _wilson,
    diagnose,
    match_detections,
)
from facetl.evaluation.matching import Ranking, TrueBoxes
from facetl.evaluation.metrics import measure
from facetl.evaluation.report.plots import (
    MOST_LABELS,
    _plot_calibration,
    _plot_errors,
    _plot_recall_by,
    svg_of,
)
from facetl.evaluation.scoring import Truth

LOCALISATION, DUPLICATE, BACKGROUND, MISSED = Mistake
KINDS = [mistake.value for mistake in Mistake]
FACE, FAR = [0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]
HALF, FIFTH, SLIVER = [0.0, 0.0, 10.0, 5.0], [0.0, 0.0, 10.0, 2.0], [0.0, 0.0, 10.0, 0.5]
UNMATCHED = [80.0, 80.0, 90.0, 90.0]


def ranking(boxes: list[list[float]], scores: list[float] | None = None) -> Ranking:
    """Detections of one frame, scores falling by tenths unless given."""
    falling = [0.9 - 0.1 * row for row in range(len(boxes))]
    count = np.zeros(len(boxes), dtype=np.intp)
    return Ranking(np.array(boxes), np.array(scores or falling), count)


def faces(*boxes: list[float]) -> TrueBoxes:
    return TrueBoxes(np.array(boxes), np.zeros(len(boxes), dtype=np.intp))


def verdicts(matches: Matches) -> list[str]:
    return [str(verdict or "hit") for verdict in matches.verdicts]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Ranking, TrueBoxes]:
    """Boxes on a coarse grid in three frames, with equal scores."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    count, true = draw(st.integers(0, 25)), draw(st.integers(1, 12))
    found = Ranking(
        random_boxes(rng, count), rng.integers(0, 6, count) / 5, rng.integers(0, 3, count)
    )
    return found, TrueBoxes(random_boxes(rng, true), rng.integers(0, 3, true))


def as_lists(found: Ranking, true: TrueBoxes) -> tuple[list[Any], list[Any]]:
    detections = zip(
        found.frame_index.tolist(), found.boxes.tolist(), found.scores.tolist(), strict=True
    )
    return list(detections), list(zip(true.frame_index.tolist(), true.boxes.tolist(), strict=True))


# ---- what is a mistake


def test_each_kind_of_mistake_by_hand() -> None:
    # overlaps with the face: 0.2, 1, 0.5 (it is taken), 0.05, 0; nobody comes near the far one
    matches = match_detections(ranking([FIFTH, FACE, HALF, SLIVER, UNMATCHED]), faces(FAR, FACE))
    assert verdicts(matches) == ["localisation", "hit", "duplicate", "background", "background"]
    assert matches.face.tolist() == [1, 1, 1, 1, -1]
    assert matches.iou.tolist() == pytest.approx([0.2, 1, 0.5, 0.05, 0])
    assert matches.face[matches.hits].tolist() == [1]
    assert np.flatnonzero(matches.hits).tolist() == [1]
    assert matches.counts == {LOCALISATION: 1, DUPLICATE: 1, BACKGROUND: 2, MISSED: 1}


def test_a_face_that_a_badly_placed_box_was_meant_for_is_not_missed() -> None:
    matches = match_detections(ranking([FIFTH]), faces(FACE))
    assert not matches.hits.any()
    assert matches.counts[MISSED] == 0


def test_the_bounds_of_localisation_are_its_own() -> None:
    # 0.1 is localisation, not background; 0.3 is a hit
    tenth, threshold = [0.0, 0.0, 10.0, 1.0], [0.0, 0.0, 10.0, 3.0]
    assert verdicts(match_detections(ranking([tenth]), faces(FACE))) == ["localisation"]
    assert verdicts(match_detections(ranking([threshold]), faces(FACE))) == ["hit"]
    assert verdicts(match_detections(ranking([HALF]), faces(FACE), 0.6)) == ["localisation"]
    assert verdicts(match_detections(ranking([HALF]), faces(FACE), 0.6, 0.55)) == ["background"]


@pytest.mark.parametrize("bounds", [(0.3, 0), (0.3, 0.4)])
def test_bounds_that_make_no_sense_are_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="expected 0 < background_iou <= iou_threshold, got"):
        match_detections(ranking([]), faces(), *bounds)


@given(scenes(), st.sampled_from([0.3, 0.5, 0.75]))
@settings(max_examples=60)
def test_fast_and_slow_name_the_same_mistakes(scene: tuple[Ranking, TrueBoxes], iou: float) -> None:
    matches, (detections, truth) = match_detections(*scene, iou), as_lists(*scene)
    assert verdicts(matches) == name_mistakes(detections, truth, iou, 0.1)
    assert np.flatnonzero(matches.flags[MISSED]).tolist() == missed(detections, truth, iou, 0.1)
    found = [nearest(detection, truth) for detection in rank(detections)]
    assert matches.face.tolist() == [face for face, _ in found]
    assert matches.iou.tolist() == pytest.approx([most for _, most in found])


@given(scenes())
@settings(max_examples=60)
def test_every_detection_and_every_face_is_counted_once(scene: tuple[Ranking, TrueBoxes]) -> None:
    matches = match_detections(*scene)
    of_detections = [matches.counts[each] for each in (LOCALISATION, DUPLICATE, BACKGROUND)]
    assert sum(of_detections) + matches.hits.sum() == len(scene[0])
    found = np.zeros(matches.faces, dtype=bool)
    found[matches.face[matches.hits]] = True
    assert found.sum() == matches.hits.sum()
    assert not (found & matches.flags[MISSED]).any()


# ---- what a mistake costs


def test_what_each_mistake_costs_by_hand() -> None:
    # false alarm of each kind, then a hit, 4 faces of which one was only grazed, two not at all
    third, fourth = [20.0, 0.0, 30.0, 10.0], [0.0, 20.0, 10.0, 30.0]
    grazed = [20.0, 0.0, 30.0, 2.0]
    found = ranking([grazed, UNMATCHED, FACE, HALF])
    costs = _measure_costs(found, match_detections(found, faces(FACE, third, FAR, fourth)))
    assert costs.counts == {LOCALISATION: 1, DUPLICATE: 1, BACKGROUND: 1, MISSED: 2}
    assert costs.ap == pytest.approx(1 / 4 * 1 / 3)  # precision 1/3 at recall 1/4
    assert costs.mended == {
        LOCALISATION: pytest.approx(1 / 4 * 1 + 1 / 4 * 2 / 3),  # hit, miss, hit
        DUPLICATE: pytest.approx(1 / 4 * 1 / 3),  # it came last and did no harm
        BACKGROUND: pytest.approx(1 / 4 * 1 / 2),
        MISSED: pytest.approx(1 / 2 * 1 / 3),  # as if there were two faces
    }
    assert costs.lost[DUPLICATE] == 0
    assert costs.lost[BACKGROUND] == pytest.approx(1 / 24)


def test_of_two_boxes_moved_onto_one_face_the_better_scored_stays() -> None:
    # the bad box comes first: moved, it is the hit, and the hit of before is left out
    found = ranking([FIFTH, FACE, UNMATCHED])
    costs = _measure_costs(found, match_detections(found, faces(FACE)))
    assert (costs.ap, costs.mended[LOCALISATION]) == (0.5, 1)


@given(scenes(), st.sampled_from([0.3, 0.5, 0.75]))
@settings(max_examples=60)
def test_fast_and_slow_mend_alike(scene: tuple[Ranking, TrueBoxes], iou: float) -> None:
    costs, lists = _measure_costs(scene[0], match_detections(*scene, iou)), as_lists(*scene)
    assert costs.ap == pytest.approx(mended_ap(*lists, [], iou, 0.1))
    for mistake, mended in costs.mended.items():
        if mistake is MISSED and costs.counts[MISSED] == len(scene[1]):
            assert math.isnan(mended)
        else:
            assert mended == pytest.approx(mended_ap(*lists, [mistake], iou, 0.1))


@given(scenes(), st.sampled_from([0.3, 0.5, 0.75]))
@settings(max_examples=60)
def test_mending_never_costs_anything_and_mending_all_gives_everything(
    scene: tuple[Ranking, TrueBoxes], iou: float
) -> None:
    costs = _measure_costs(scene[0], match_detections(*scene, iou))
    for lost in costs.lost.values():
        assert math.isnan(lost) or -1e-12 <= lost <= 1 - costs.ap + 1e-12
    if costs.counts[MISSED] < len(scene[1]):
        assert mended_ap(*as_lists(*scene), KINDS, iou, 0.1) == pytest.approx(1)


@given(scenes(), st.permutations(range(3)))
@settings(max_examples=40)
def test_the_order_of_the_frames_does_not_matter(
    scene: tuple[Ranking, TrueBoxes], order: list[int]
) -> None:
    found, true = scene
    numbers = np.array(order)
    labels = ["ab"[row % 2] for row in range(len(true))]
    moved = diagnose(
        Ranking(found.boxes, found.scores, numbers[found.frame_index]),
        TrueBoxes(true.boxes, numbers[true.frame_index]),
        labels,
    )
    assert repr(moved) == repr(diagnose(found, true, labels))  # repr, because NaN is not NaN


# ---- recall by kind of face


def test_groups_by_value_count_by_hand() -> None:
    found = np.array([True, False, True, True])
    groups = _group_by_value(np.array([24.0, 5.0, 31.9, 500.0]), found, (24.0, 32.0, 48.0))
    assert [(each.name, each.low, each.high, each.faces, each.found) for each in groups] == [
        ("< 24", 0, 24, 1, 0),
        ("24–32", 24, 32, 2, 2),
        ("≥ 48", 48, math.inf, 1, 1),
    ]
    assert [each.recall for each in groups] == [0, 1, 1]


def test_groups_by_label_come_largest_first() -> None:
    found = np.array([True, False, True, True, False])
    groups = _group_by_label(["mom", "dad", "dad", None, "ann"], found)
    told = [(each.name, each.faces, each.found) for each in groups]
    assert told == [("dad", 2, 1), ("ann", 1, 0), ("mom", 1, 1), (UNNAMED, 1, 1)]
    assert math.isnan(groups[0].low)
    assert _group_by_label([None] * 5, found) == _group_by_label([], found) == ()


def test_size_and_aspect_are_those_of_the_face() -> None:
    # a quarter as high as wide, and as large as a square of 40 pixels
    diagnosis = diagnose(ranking([]), faces([0.0, 0.0, 80.0, 20.0]))
    (size,), (aspect,) = diagnosis.recall_by_size, diagnosis.recall_by_aspect
    assert (size.name, aspect.name, size.found, aspect.recall) == ("32–48", "≥ 2", 0, 0)
    assert diagnosis.recall_by_label == ()


def test_a_face_without_height_has_a_group_too() -> None:
    diagnosis = diagnose(ranking([]), faces([0.0, 0.0, 8.0, 0.0]))
    assert [each.name for each in diagnosis.recall_by_size] == ["< 24"]
    assert [each.name for each in diagnosis.recall_by_aspect] == ["≥ 2"]


@given(scenes())
@settings(max_examples=60)
def test_all_groupings_add_up_to_the_recall_at_the_best_f1(
    scene: tuple[Ranking, TrueBoxes],
) -> None:
    labels = ["ab"[row % 2] for row in range(len(scene[1]))]
    diagnosis, best = diagnose(*scene, labels), measure(*scene, 3).best
    assert repr(diagnosis.score_threshold) == repr(best.score_threshold)
    for groups in diagnosis.recall_by.values():
        assert sum(group.faces for group in groups) == len(scene[1])
        assert sum(group.found for group in groups) / len(scene[1]) == pytest.approx(best.recall)


def test_labels_must_be_as_many_as_faces() -> None:
    with pytest.raises(ValueError, match="expected 2 labels or none, got 1"):
        diagnose(ranking([]), faces(FACE, FAR), ["mom"])
    with pytest.raises(ValueError, match=r"expected 2 labels in a\.jpg, got 1"):
        Truth({"a.jpg": np.zeros((2, 4))}, True, {"a.jpg": ("mom",)})


def test_wilson_by_hand_and_at_the_ends() -> None:
    # 8 of 10: centre (0.8 + 0.19207) / 1.38415, reach 1.95996 sqrt(0.016 + 0.0096) / 1.38415
    assert _wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert _wilson(0, 4)[0] == 0
    assert _wilson(4, 4)[1] == 1
    assert all(map(math.isnan, _wilson(0, 0)))


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_narrows(counts: tuple[int, int]) -> None:
    part, whole = counts
    interval, mirrored = _wilson(part, whole), _wilson(whole - part, whole)
    assert 0 <= interval.low <= part / whole <= interval.high <= 1
    assert mirrored == pytest.approx((1 - interval.high, 1 - interval.low))
    wider = _wilson(2 * part, 2 * whole)
    assert wider.high - wider.low < interval.high - interval.low


# ---- calibration


def test_calibration_by_hand() -> None:
    scores, hits = np.array([1.0, 0.92, 0.3, 0.25]), np.array([True, False, True, False])
    low, middle, high = _calibrate(scores, hits)
    assert (high.low, high.high, high.detections, high.hits) == (0.9, 1, 2, 1)
    assert [high.score, high.precision] == pytest.approx([0.96, 0.5])
    assert (middle.low, middle.detections, low.low, low.high) == (0.3, 1, 0.2, 0.3)
    diagnosis = Diagnosis({}, 0.5, (), (), (), (low, middle, high))
    # 2 of 4 detections are 0.46 off, one 0.7, one 0.25
    assert diagnosis.calibration_error == pytest.approx((2 * 0.46 + 0.7 + 0.25) / 4)


@pytest.mark.parametrize("scores", [[], [0.5, -2.0], [4.5, 0.5]])
def test_scores_that_are_no_probabilities_are_not_judged_as_such(scores: list[float]) -> None:
    diagnosis = diagnose(ranking([FACE] * len(scores), scores), faces(FACE))
    assert diagnosis.calibration == ()
    assert math.isnan(diagnosis.calibration_error)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_calibration_counts_every_detection_once(detections: list[tuple[float, bool]]) -> None:
    scores, hits = np.array([each for each, _ in detections]), np.array([h for _, h in detections])
    bins = _calibrate(scores, hits)
    assert sum(each.detections for each in bins) == len(detections)
    assert sum(each.hits for each in bins) == hits.sum()
    assert all(each.low <= each.score <= each.high for each in bins)
    assert 0 <= Diagnosis({}, 0.5, (), (), (), bins).calibration_error <= 1


# ---- where nothing is


def test_no_detections_miss_every_face() -> None:
    diagnosis = diagnose(ranking([]), faces(FACE, FAR), ["mom", None])
    assert list(diagnosis.costs) == [f"{iou:g}" for iou in DIAGNOSED_IOUS]
    assert diagnosis.usual.counts == {LOCALISATION: 0, DUPLICATE: 0, BACKGROUND: 0, MISSED: 2}
    assert (diagnosis.usual.ap, diagnosis.usual.lost[BACKGROUND]) == (0, 0)
    assert math.isnan(diagnosis.usual.lost[MISSED])
    assert [each.recall for each in diagnosis.recall_by_label] == [0, 0]


def test_no_faces_leave_it_all_undefined() -> None:
    diagnosis = diagnose(ranking([UNMATCHED]), faces())
    assert diagnosis.usual.counts[BACKGROUND] == 1
    assert all(map(math.isnan, diagnosis.usual.lost.values()))
    assert not any(diagnosis.recall_by.values())
    assert math.isnan(FaceGroup("none", 0, 1, 0, 0).recall)


# ---- plots


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(mpl.text.Text)]


def some(labels: int = 2) -> Diagnosis:
    true = faces(*([float(60 * row), 0.0, 60 * row + 50.0, 40.0] for row in range(20)))
    found = ranking([*true.boxes[:9].tolist(), *true.boxes[:2].tolist(), UNMATCHED], [0.7] * 12)
    return diagnose(found, true, [f"toon {row % labels}" for row in range(20)])


KINDS_OF_RUNS = {
    "several": {"pretrained": some(), "tuned": some(), "a <b> & c": some(), "d": some()},
    "nothing found": {"pretrained": diagnose(ranking([]), faces(FACE))},
    "no faces": {"pretrained": diagnose(ranking([FACE]), faces())},
    "logits": {"peer": diagnose(ranking([FACE], [7.0]), faces(FACE)), "ours": some()},
    "no runs": {},
}


@pytest.mark.parametrize("plot", [_plot_errors, _plot_recall_by, _plot_calibration])
@pytest.mark.parametrize("runs", KINDS_OF_RUNS.values(), ids=list(KINDS_OF_RUNS))
def test_every_kind_of_run_is_drawn_without_a_warning(plot: Any, runs: Any) -> None:
    figure = plot(runs)
    assert svg_of(figure).startswith("<svg")
    for name in runs:
        assert any(text.startswith(name) for text in texts(figure))


def test_the_errors_are_told_with_their_number() -> None:
    diagnosis = some()
    figure = _plot_errors({"pretrained": diagnosis})
    lost = diagnosis.usual.lost
    assert diagnosis.usual.counts[MISSED] == 11
    assert f"{lost[MISSED]:.3f} (11)" in texts(figure)
    assert f"{lost[DUPLICATE]:.3f} (2)" in texts(figure)
    bars = [bar.get_width() for bar in figure.axes[0].patches if isinstance(bar, Rectangle)]
    assert bars == pytest.approx([lost[MISSED], 0, lost[DUPLICATE], lost[BACKGROUND]])


def test_recall_has_a_row_a_group_and_a_panel_a_kind() -> None:
    figure = _plot_recall_by({"pretrained": some(), "tuned": some()})
    rows = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert rows == [["32–48 (20)"], ["1.25–1.5 (20)"], ["toon 0 (10)", "toon 1 (10)"]]


def test_many_labels_are_cut_short() -> None:
    figure = _plot_recall_by({"pretrained": some(labels=20)})
    assert len(figure.axes[-1].get_yticklabels()) == MOST_LABELS
    assert "by label, the largest (number of faces)" in texts(figure)


def test_calibration_puts_a_dot_where_the_hits_are() -> None:
    figure = _plot_calibration({"pretrained": some()})
    (dots,) = [each for each in figure.axes[0].collections if isinstance(each, PathCollection)]
    assert np.asarray(dots.get_offsets()).ravel().tolist() == pytest.approx([0.7, 9 / 12])
    assert "pretrained: expected error 0.050" in texts(figure)


def test_what_is_to_be_ignored_is_no_mistake() -> None:
    # the nearest to the crowd is half in it: ignored at IoU 0.3 and 0.5
    crowd = [200.0, 0.0, 300.0, 100.0]
    found = ranking([[210.0, 0, 220, 10], FACE, [195.0, 50, 205, 60]])
    true = TrueBoxes.of([np.array([FACE])], [np.array([crowd])])
    with_crowd, without = diagnose(found, true), diagnose(found, faces(FACE))
    for iou in ("0.3", "0.5"):
        assert with_crowd.costs[iou].counts[Mistake.BACKGROUND] == 0
        assert without.costs[iou].counts[Mistake.BACKGROUND] == 2
        assert with_crowd.costs[iou].ap == 1
    assert sum(each.detections for each in with_crowd.calibration) == 1
    assert (with_crowd.recall_by_size[0].found, with_crowd.recall_by_size[0].faces) == (1, 1)
