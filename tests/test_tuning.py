"""Choosing settings for an aim, on numbers that one can follow by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from drawn_frames import draw_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from facetl.errors import InputError
from facetl.evaluation.matching import Ranking, TrueBoxes, find_overlaps, match_best
from facetl.evaluation.metrics import Curve, best_point, point_at
from facetl.evaluation.tuning.aims import Aim
from facetl.evaluation.tuning.choice import (
    FEWEST_FACES,
    _default_min_faces,
    choose,
    find_score,
    plan_pyramids,
    rank,
    shown_score,
)
from facetl.evaluation.tuning.threshold_grid import (
    FLOOR,
    Trial,
    _threshold_between,
    find_cut,
    try_grid,
    try_setting,
)
from facetl.evaluation.tuning.tradeoff_plot import plot_tradeoff
from facetl.mtcnn.cached_scores import CachedScores, Costs
from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.detector import Detector
from facetl.search.settings import Settings

NOTHING = Curve(np.zeros(0), np.zeros(0, np.bool_), 1)
AIMS = ("ap", "f1", "speed", "recall>=0.75", "precision>=0.6")

# ---- aims


@pytest.mark.parametrize(
    ("text", "aim"),
    [
        ("ap", Aim("ap")),
        (" F1 ", Aim("f1")),
        ("speed", Aim("speed")),
        ("recall>=0.99", Aim("recall", 0.99)),
        ("Precision >= 1", Aim("precision", 1.0)),
    ],
)
def test_aims_are_read_and_written(text: str, aim: Aim) -> None:
    assert Aim.parse(text) == aim
    assert Aim.parse(str(aim)) == aim


@pytest.mark.parametrize(
    "text",
    ["", "map", "recall", "recall>0.9", "recall>=", "recall>=x", "f1>=0.9", "recall>=0",
     "precision>=1.1", "precision>=nan", ">=0.9"],
)  # fmt: skip
def test_what_is_no_aim(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Aim.parse(text)


# ---- where to cut

# precision 1, 1, 2/3, 3/4, 3/5, 1/2; recall of 4 faces 1/4, 1/2, 1/2, 3/4, 3/4, 3/4
CURVE = Curve(np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.2]), np.array([1, 1, 0, 1, 0, 0], np.bool_), 4)


@pytest.mark.parametrize(
    ("aim", "kept", "threshold"),
    [
        ("ap", 6, 0.05),
        ("speed", 6, 0.05),
        ("f1", 4, 0.5),  # 6/8 there, 4/6 after two
        ("recall>=0.5", 2, 0.75),  # two and three reach it, two with the better precision
        ("recall>=0.75", 4, 0.5),
        ("recall>=0.9", 4, 0.5),  # out of reach: 0.75 is the nearest, first reached here
        ("precision>=0.6", 4, 0.5),  # up to five; the fifth adds no recall
        ("precision>=0.9", 2, 0.75),
    ],
)
def test_the_ranked_detections_are_cut_for_the_aim(aim: str, kept: int, threshold: float) -> None:
    cut = find_cut(CURVE, Aim.parse(aim), 0.05)
    assert (cut.kept, cut.threshold) == (kept, threshold)


def test_precision_out_of_reach_is_cut_where_it_is_best() -> None:
    late = Curve(np.array([0.9, 0.8, 0.7]), np.array([0, 1, 0], np.bool_), 2)
    assert find_cut(late, Aim("precision", 0.9), 0.05).kept == 2


ranked = st.lists(st.tuples(st.integers(1, 99), st.booleans()), min_size=1, max_size=20)


@settings(max_examples=50)
@given(drawn=ranked, more=st.integers(1, 3), aim=st.sampled_from(AIMS))
def test_no_other_threshold_serves_better(
    drawn: list[tuple[int, bool]], more: int, aim: str
) -> None:
    drawn = sorted(drawn, reverse=True)
    scores, hits = (np.array(column) for column in zip(*drawn, strict=True))
    scores, faces, criterion = scores / 100, int(hits.sum()) + more, Aim.parse(aim)
    cut = find_cut(Curve(scores, hits, faces), criterion, 0.0)
    assert (scores > cut.threshold).sum() == cut.kept

    def worth(kept: int) -> tuple[Any, ...]:
        found = int(hits[:kept].sum())
        precision, recall = found / kept, found / faces
        if criterion.figure == "f1":
            return (2 * found / (kept + faces),)
        if criterion.at_least is None:
            return (kept,)
        bounded, other = (
            (recall, precision) if criterion.figure == "recall" else (precision, recall)
        )
        return (True, other) if bounded >= criterion.at_least else (False, bounded)

    possible = [int((scores > threshold).sum()) for threshold in {0.0, *scores}]
    assert worth(cut.kept) == max(worth(kept) for kept in possible if kept)


def test_thresholds_are_short_and_part_the_scores() -> None:
    assert _threshold_between(0.2, 0.9) == 0.55
    assert _threshold_between(0.9970, 0.9975) == 0.9972  # 0.99725, rounded to even
    below = float(np.float32(0.7))
    above = float(np.nextafter(np.float32(0.7), np.float32(1)))
    assert below <= np.float32(_threshold_between(below, above)) < above


# ---- trials

FACES = [np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 10, 10]]), np.zeros((0, 4))]


def cached() -> CachedScores:
    """Two faces found at PNet's scores 0.9 and 0.3, and a false alarm at 0.5."""
    pnet = np.array([0.9, 0.3, 0.5])
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 10], [40, 40, 60, 60]])
    frame = np.array([0, 1, 2])
    offsets, nothing = boxes * 0, boxes[:, :0]
    return CachedScores(
        floor=Settings(FLOOR, min_face=10),
        frames=3,
        proposals=np.array([0.9, 0.3, 0.5, 0.15]),
        pnet_scores=pnet,
        after_rnet=Candidates(boxes, np.array([0.8, 0.8, 0.4]), frame, offsets, nothing),
        after_onet=Candidates(boxes, np.array([0.9, 0.6, 0.7]), frame, offsets, nothing),
        costs=Costs(0.010, 0.003, 0.006),
    )


def try_pair(first: float, second: float, aim: str = "ap") -> Trial:
    (trial,) = try_grid(cached(), TrueBoxes.of(FACES), Aim.parse(aim), [first], [second])
    return trial


def test_a_trial_has_the_figures_of_what_passes() -> None:
    trial = try_pair(0.1, 0.1)
    assert trial.settings == Settings((0.1, 0.1, 0.05), 10)
    assert (trial.precision, trial.recall, trial.f1) == (2 / 3, 1, 0.8)
    # ranked hit, false alarm, hit: precision 1 up to half the faces, then 2/3
    assert trial.ap["0.3"] == pytest.approx((1 + 2 / 3) / 2)
    assert list(trial.ap) == ["0.3", "0.5", "0.5:0.95"]
    # 10 ms for the pyramid; 4 windows of 3 ms and 3 of 6 ms shared by 3 frames
    assert trial.milliseconds == pytest.approx(10 + (4 * 3 + 3 * 6) / 3)
    assert trial.to_json() == {
        "precision": 0.6667,
        "recall": 1.0,
        "f1": 0.8,
        "milliseconds": 20.0,
        "ap": {"0.3": 0.8333, "0.5": 0.8333, "0.5:0.95": 0.8333},
    }


def test_a_trial_is_cut_for_its_aim() -> None:
    trial = try_pair(0.1, 0.1, "precision>=0.9")
    assert trial.settings.thresholds == (0.1, 0.1, 0.8)
    assert (trial.precision, trial.recall, trial.ap["0.3"]) == (1, 0.5, 0.5)


def rescore_all(found: Sequence[Candidates]) -> tuple[list[Candidates], float]:
    """The faces get 0.95 and 0.04, what is no face 0.5; each takes 0.3 seconds."""
    scores = np.array([0.95, 0.04, 0.5])
    return [replace(each, scores=scores[each.image_index]) for each in found], 0.3


@pytest.mark.parametrize(
    ("aim", "score", "recall"),
    [
        ("ap", 0.0, 1.0),  # F1 is 0.8 with all three, 0.67 with the first one
        ("precision>=0.9", 0.72, 0.5),
        ("recall>=0.9", 0.0, 1.0),
    ],
)
def test_where_faces_are_rescored_the_score_shown_is_the_cut(
    aim: str, score: float, recall: float
) -> None:
    floor = replace(cached().floor, rescored=True)
    rescored = replace(cached(), floor=floor, rescore_all=rescore_all)
    faces, parsed = TrueBoxes.of(FACES), Aim.parse(aim)
    (trial,) = try_grid(rescored, faces, parsed, [0.1], [0.1])
    assert trial.settings.thresholds == (0.1, 0.1, 0.05)
    assert (trial.settings.score, trial.cut, shown_score(trial, parsed)) == (score,) * 3
    assert trial.recall == recall
    assert trial.milliseconds == pytest.approx(20 + 3 * 300 / 3)
    own = try_setting(rescored, faces, replace(floor, thresholds=(0.1, 0.1, 0.65)))
    assert own
    assert (own.precision, own.recall, own.ap["0.3"]) == (1, 0.5, 0.5)  # shown from 0.7 on
    assert (own.settings.thresholds, own.cut) == ((0.1, 0.1, 0.65), 0.7)


def test_thresholds_decide_what_is_seen() -> None:
    assert (try_pair(0.1, 0.4).precision, try_pair(0.1, 0.4).recall) == (1, 1)
    assert (try_pair(0.4, 0.1).precision, try_pair(0.4, 0.1).recall) == (0.5, 0.5)


def test_settings_that_find_nothing_are_passed_over() -> None:
    assert list(try_grid(cached(), TrueBoxes.of(FACES), Aim("f1"), [0.95, 0.9], [0.1])) != []
    assert list(try_grid(cached(), TrueBoxes.of(FACES), Aim("f1"), [0.95], [0.1])) == []
    assert try_setting(cached(), TrueBoxes.of(FACES), Settings((0.1, 0.1, 0.95), 10)) is None


def test_a_single_setting_is_measured_as_it_is() -> None:
    trial = try_setting(cached(), TrueBoxes.of(FACES), Settings((0.1, 0.1, 0.65), 10))
    assert trial is not None
    assert trial.settings.thresholds == (0.1, 0.1, 0.65)
    assert (trial.precision, trial.recall) == (0.5, 0.5)


# ---- the choice


def trial(
    pnet: float = 0.1, min_face: float = 20, figure: float = 0.5, ms: float = 10, **figures: Any
) -> Trial:
    """A trial with all figures alike but those given."""
    known = {"precision": figure, "recall": figure, "f1": figure, **figures}
    aps = dict.fromkeys(("0.3", "0.5", "0.5:0.95"), figure) | known.pop("ap", {})
    where = Settings((pnet, 0.2, 0.2), min_face)
    return Trial(where, **known, ap=aps, milliseconds=ms, curve=CURVE)


def test_the_best_is_chosen_for_each_aim() -> None:
    keen = trial(recall=1.0, precision=0.4, f1=0.57, ap={"0.3": 0.9}, ms=40)
    shy = trial(recall=0.4, precision=1.0, f1=0.58, ap={"0.5": 0.61}, ms=20)
    plain = trial(recall=0.7, precision=0.7, f1=0.7, ap={"0.5": 0.609}, ms=5)
    trials = [keen, shy, plain]
    assert choose(trials, Aim("f1")) is plain
    assert choose(trials, Aim("ap")) is keen
    assert choose(trials, Aim("speed")) is plain  # 0.001 below the best, four times as fast
    assert choose(trials, Aim("recall", 0.6)) is plain
    assert choose(trials, Aim("recall", 0.9)) is keen
    assert choose(trials, Aim("precision", 0.6)) is plain
    assert choose(trials, Aim("precision", 0.9)) is shy


def test_where_ap_is_equal_the_stricter_ap_decides() -> None:
    loose, tight = trial(ap={"0.3": 0.9}), trial(ap={"0.3": 0.8995, "0.5:0.95": 0.8})
    assert choose([loose, tight], Aim("ap")) is tight


def test_ap_is_equal_within_half_a_standard_error() -> None:
    # 4 faces to find: sqrt(0.9 * 0.1 / 4) / 2 = 0.075 below 0.9
    best, near, far = (trial(pnet, figure=0.9, ap={"0.3": ap}) for pnet, ap in
                       ((0.5, 0.9), (0.3, 0.83), (0.1, 0.82)))  # fmt: skip
    assert choose([best, near, far], Aim("ap")) is near


def test_among_equals_the_cheaper_pyramid_and_then_the_lower_thresholds() -> None:
    low, high = trial(0.1, 40, 0.8), trial(0.5, 40, 0.8005)
    fine = trial(0.05, 20, 0.8)
    assert choose([fine, high, low], Aim("f1")) is low


def test_the_best_few_begin_with_the_choice() -> None:
    trials = [trial(figure=figure) for figure in (0.5, 0.9, 0.7)]
    assert [each.f1 for each in rank(trials, Aim("f1"), 2)] == [0.9, 0.7]
    assert [each.f1 for each in rank(trials, Aim("recall", 0.6), 5)] == [0.9, 0.7]


def test_a_bound_out_of_reach_says_what_can_be_had() -> None:
    trials = [trial(recall=0.7), trial(0.3, 24, recall=0.8)]
    with pytest.raises(InputError) as caught:
        choose(trials, Aim("recall", 0.99))
    assert str(caught.value) == (
        "no setting reaches recall>=0.99 on these frames; the best that can be had is a recall "
        "of 0.8000, with thresholds 0.3 0.2 0.2, min face 24, factor 0.709; aim lower or train on"
    )


def test_nothing_found_anywhere() -> None:
    with pytest.raises(InputError, match="found no face at any setting"):
        choose([], Aim("f1"))


# ---- pyramids


def faces_of(*edges: float) -> list[Any]:
    return [np.zeros((0, 4)), *(np.array([[0, 0, edge / 2, edge]]) for edge in edges)]


@pytest.mark.parametrize(
    ("edges", "aim", "expected"),
    [
        ([51.0, 90.0], "f1", (30, 40)),
        ([51.0, 90.0], "speed", (30, 40)),
        ([31.0] + 30 * [90.0], "speed", (24, 30, 40, 60, 80)),
        (10 * [31.0] + 30 * [90.0], "speed", (24, 30)),
        ([20.0], "f1", (16, 20)),
        ([5.0], "f1", (12,)),
        ([500.0], "speed", (60, 80)),
        ([], "ap", (12,)),
    ],
)
def test_the_smallest_face_decides_what_is_looked_for(
    edges: list[float], aim: str, expected: tuple[float, ...]
) -> None:
    assert _default_min_faces(faces_of(*edges), Aim.parse(aim)) == expected


def test_pyramids_are_those_asked_for_or_those_of_faces_and_weights() -> None:
    own = Settings((0.3, 0.3, 0.3), 20, 0.8)
    planned = plan_pyramids(own, faces_of(45.0), Aim("f1"))
    assert [(each.min_face, each.factor) for each in planned] == [(20, 0.8), (30, 0.8), (40, 0.8)]
    assert all(each.thresholds == FLOOR for each in planned)
    scored = plan_pyramids(own, faces_of(45.0), Aim("f1"), (24, 24), (0.7, 0.5))
    assert [(each.min_face, each.factor) for each in scored] == [(24, 0.5), (24, 0.7)]


# ---- the plot


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(mpl.text.Text)]


@pytest.mark.parametrize("aim", AIMS)
def test_the_plot_marks_the_choice_on_both_sides(aim: str) -> None:
    trials = [trial(min_face=side, figure=0.5 + side / 100) for side in (20, 24, 30)]
    figure = plot_tradeoff(trials, trials[2], Aim.parse(aim), before=trials[0])
    written = texts(figure)
    assert written.count("chosen") == 3  # two points and a line in the legend
    assert written.count("before") == 3
    assert {"20 pixels", "24 pixels", "30 pixels", "3 settings"} <= set(written)
    assert (aim in written) is (">=" in aim)
    figure.canvas.draw()


def test_the_plot_without_a_setting_before() -> None:
    only = trial(figure=0.02)
    figure = plot_tradeoff([only], only, Aim("f1"))
    assert "before" not in texts(figure)
    assert figure.axes[0].get_xlim()[0] == 0


# ---- the score from which what is found is shown


@pytest.mark.parametrize(
    ("aim", "score"),
    # ranked: hit at 0.9, false alarm at 0.7, hit at 0.6; F1 is best if all are kept
    [("ap", 0.05), ("f1", 0.05), ("precision>=0.9", 0.8), ("recall>=0.5", 0.8)],
)
def test_what_is_shown_begins_where_the_aim_or_f1_would_have_it(aim: str, score: float) -> None:
    assert shown_score(try_pair(0.1, 0.1, aim), Aim.parse(aim)) == score


@pytest.mark.parametrize("weights", ["cartoon", "cartoon-large"])
def test_a_detectors_score_is_that_of_its_best_f1(weights: str) -> None:
    drawn = [draw_frame(3, "test", index) for index in range(16)]
    images, faces = [each.image for each in drawn], TrueBoxes.of(each.boxes for each in drawn)
    detector = Detector.load(weights, "cpu")
    score = find_score(detector, images, faces)
    found = [each.detections for each in detector.search(images, detector.settings)]
    ranking = Ranking.of([each.boxes for each in found], [each.scores for each in found])
    hits = match_best(find_overlaps(ranking, faces), 0.5)
    curve = Curve(ranking.scores, hits, len(faces))
    assert score is not None
    assert point_at(curve, score).f1 == pytest.approx(best_point(curve).f1)


def test_too_few_faces_tell_no_score() -> None:
    detector = Detector.load("cartoon", "cpu")
    few = [np.array([[0.0, 0, 10, 10]])] * (FEWEST_FACES - 1)
    assert find_score(detector, iter([]), TrueBoxes.of(few)) is None
    blank = [np.zeros((40, 40, 3), np.uint8)] * FEWEST_FACES
    nothing = TrueBoxes.of([np.array([[0.0, 0, 10, 10]])] * FEWEST_FACES)
    assert find_score(detector, blank, nothing) is None


def test_what_is_to_be_ignored_is_no_false_alarm_of_a_trial() -> None:
    nothing = np.zeros((0, 4))
    crowd = np.array([[30.0, 30.0, 70.0, 70.0]])  # around the false alarm in the third frame
    faces = TrueBoxes.of(FACES, [nothing, nothing, crowd])
    (trial,) = try_grid(cached(), faces, Aim("f1"), [0.1], [0.1])
    assert (trial.precision, trial.recall, trial.ap["0.3"], trial.ap["0.5:0.95"]) == (1, 1, 1, 1)
    assert trial.settings.thresholds == (0.1, 0.1, 0.05)
    single = try_setting(cached(), faces, Settings((0.1, 0.1, 0.65), 10))
    assert single is not None
    assert (single.precision, single.recall) == (1, 0.5)
    # nothing is left if all that passes is to be ignored
    everything = TrueBoxes.of([nothing, FACES[0], nothing], [FACES[0], nothing, crowd])
    assert try_setting(cached(), everything, Settings((0.1, 0.1, 0.65), 10)) is None
    assert list(try_grid(cached(), everything, Aim("f1"), [0.4], [0.1])) == []
