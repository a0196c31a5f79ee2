from __future__ import annotations

import json
import sys
from base64 import b64encode
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from outcomes import cannot_draw, success

from facetl.cli import main
from facetl.data.dataset import FaceDataset
from facetl.data.formats.course import load_annotations, save_annotations
from facetl.data.frame import Frame
from facetl.data.images import save_image
from facetl.errors import DetectionsError, InputError
from facetl.evaluation.frame_names import find_rows
from facetl.evaluation.metrics_file import save_metrics
from facetl.evaluation.near_duplicates import score_subsets
from facetl.evaluation.report import plots
from facetl.evaluation.report.frames import collect_frames
from facetl.evaluation.report.table import compare_runs
from facetl.evaluation.scoring import Predictions, Truth, evaluate, evaluate_all, measure_frames
from facetl.files import read_json
from facetl.results.detections import Detections, FrameResult, Run, Skipped
from facetl.results.json_file import save_run
from facetl.results.peers import PeerDetections, load_peer, save_peer

pytestmark = pytest.mark.usefixtures("sketched")

DEXTER = Path(__file__).resolve().parents[2] / "shared/data/dexter"
FACE = [10.0, 10.0, 50.0, 60.0]
ELSEWHERE = [100.0, 100.0, 140.0, 150.0]


def run_of(frames: dict[str, list[list[float]]], name: str = "pretrained", **extra: Any) -> Run:
    """A run that found the given boxes, scores falling by tenths within a frame."""
    results = tuple(
        FrameResult(
            image=image,
            size_hw=(200, 200),
            detections=Detections.from_lists(
                boxes, [0.9 - 0.1 * i for i in range(len(boxes))], np.zeros((len(boxes), 5, 2))
            ),
            candidates={"pnet": 10 * (place + 1), "rnet": 3, "onet": len(boxes)},
            seconds=0.5,
        )
        for place, (image, boxes) in enumerate(frames.items())
    )
    return Run(name, {"thresholds": [0.3, 0.4, 0.1]}, results, **extra)


def boxes(*rows: list[float]) -> NDArray[np.float64]:
    return np.array(rows).reshape(-1, 4)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results of two runs over three frames, and the truth beside them: 3 faces in 2 frames."""
    pretrained = run_of({"001.jpg": [FACE], "002.jpg": [ELSEWHERE, FACE], "003.jpg": [FACE]})
    tuned = run_of({"001.jpg": [FACE], "002.jpg": [FACE, ELSEWHERE], "003.jpg": []}, "tuned")
    for run in (pretrained, tuned):
        save_run(tmp_path / "results" / f"{run.name}.detections.json", run)
    faces = {"001.jpg": (boxes(FACE), [None]), "002.jpg": (boxes(FACE, ELSEWHERE), [None, None])}
    save_annotations(tmp_path / "truth.txt", faces)
    return tmp_path / "results"


def facetl(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


PLOTS = ("precision_recall", "scores", "errors", "recall_by", "calibration")


def test_frames_of_other_videos_are_not_taken_for_the_same() -> None:
    assert find_rows(["a.mp4/000.png"], ["000.png"], "run").tolist() == [0]
    assert find_rows(["x/a.mp4/000.png"], ["a.mp4/000.png"], "run").tolist() == [0]
    with pytest.raises(InputError, match="no frame in common"):
        find_rows(["a.mp4/000.png"], ["b.mp4/000.png"], "run")


@pytest.mark.rendered
def test_writes_metrics_as_promised_and_all_plots(results: Path) -> None:
    outcome = facetl(results, "--truth", results.parent / "truth.txt")
    assert outcome.exit_code == 0, outcome.output
    metrics = json.loads((results / "metrics.json").read_text())
    assert (metrics["format"], metrics["version"]) == ("facetl-metrics", 1)
    tuned = metrics["runs"]["tuned"]
    assert tuned["ap"] == {"0.3": 1, "0.5": 1, "0.7": 1, "0.5:0.95": 1}
    assert (tuned["ap_course"], tuned["precision"], tuned["recall"], tuned["f1"]) == (1, 1, 1, 1)
    assert (tuned["faces"], tuned["detections"], tuned["frames"]) == (3, 3, 3)
    assert (tuned["seconds_per_frame"], tuned["proposals_per_frame"]) == (0.5, 20)
    # of the pretrained run's four, the one in the frame without faces is a false alarm
    assert metrics["runs"]["pretrained"]["precision_all"] == 0.75
    for plot, suffix in product(PLOTS, (".png", ".svg")):
        assert (results / f"{plot}{suffix}").stat().st_size > 1000
        assert f"wrote {results / plot}.png and .svg" in outcome.stdout


def test_a_plot_that_cannot_be_drawn_costs_no_number(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "_plot_errors", cannot_draw)
    (results / "errors.png").write_text("of before")
    outcome = success(facetl(results, "--truth", results.parent / "truth.txt", "--force"))
    left_out = f"pictures that cannot be drawn, left out: 1 ({results / 'errors.png'}: "
    assert f"{left_out}RuntimeError: no font)\n" in outcome.stderr
    assert "errors.png and" not in outcome.stdout
    assert "tuned" in json.loads((results / "metrics.json").read_text())["runs"]
    assert {path.stem for path in results.glob("*.png")} == {*PLOTS} - {"errors"}
    assert (results / "report.html").exists()


def test_without_matplotlib_there_are_numbers(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("figures", "plots"):
        monkeypatch.delitem(sys.modules, f"facetl.evaluation.report.{name}", raising=False)
        monkeypatch.delattr(f"facetl.evaluation.report.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # importing it fails
    outcome = success(facetl(results, "--truth", results.parent / "truth.txt"))
    assert "pictures that cannot be drawn, left out: 5 (" in outcome.stderr
    assert (results / "metrics.json").exists()
    assert (results / "report.html").exists()


@pytest.mark.rendered
def test_plots_are_drawn_once_for_the_files_and_the_report(results: Path) -> None:
    assert facetl(results, "--truth", results.parent / "truth.txt").exit_code == 0
    page = (results / "report.html").read_text()
    for plot in ("errors", "recall_by", "calibration"):
        drawing = (results / f"{plot}.svg").read_text().rstrip("\n")
        assert b64encode(drawing.encode()).decode() in page


def test_the_diagnosis_is_in_the_metrics_and_in_the_table(results: Path) -> None:
    truth = results.parent / "truth.txt"
    faces: Any = {
        "001.jpg": (boxes(FACE), ["mom"]),
        "002.jpg": (boxes(FACE, ELSEWHERE), ["dad", None]),
    }
    save_annotations(truth, faces)
    outcome = facetl(results, "--truth", truth)
    runs = json.loads((results / "metrics.json").read_text())["runs"]
    # of four detections the one at 0.9 in the frame without faces is the only false alarm, third
    # in order: precision 1, 1, 3/4 at the three faces, so that mending it brings 1/12
    mistakes = runs["pretrained"]["diagnosis"]["mistakes"]
    assert list(mistakes) == ["0.3", "0.5"]
    assert mistakes["0.3"]["ap"] == runs["pretrained"]["ap"]["0.3"]
    assert mistakes["0.3"]["background"] == {
        "count": 1,
        "ap_mended": 1,
        "ap_lost": pytest.approx(1 / 12),
    }
    assert mistakes["0.3"]["missed"] == {
        "count": 0,
        "ap_mended": mistakes["0.3"]["ap"],
        "ap_lost": 0,
    }
    recall_by = runs["pretrained"]["diagnosis"]["recall_by"]
    assert [(each["name"], each["recall"]) for each in recall_by["label"]] == [
        ("dad", 1),
        ("mom", 1),
        ("no label", 1),
    ]
    (size,) = recall_by["size"]  # all are 40 by 50 pixels
    assert (size["name"], size["low"], size["high"], size["faces"]) == ("32–48", 32, 48, 3)
    assert recall_by["label"][0]["low"] is None
    # 0.9, 0.9 and 0.8 are hits; 0.9 in the 32 bits of a run is a little less
    calibration = runs["tuned"]["diagnosis"]["calibration"]
    assert [(each["low"], each["hits"]) for each in calibration["bins"]] == [(0.8, 3)]
    assert calibration["error"] == pytest.approx((2 * 0.1 + 0.2) / 3)
    rows = [line.split() for line in outcome.stdout.splitlines()]
    assert ["to", "background", "0.083", "0.000"] in rows
    assert ["expected", "calibration", "error", "0.125", "0.133"] in rows


def test_the_groups_without_bound_and_the_undefined_are_null(results: Path) -> None:
    truth = results.parent / "truth.txt"
    save_annotations(truth, {"001.jpg": (boxes([0.0, 0.0, 300.0, 300.0]), [None])})
    assert facetl(results, "--truth", truth, "--only-listed").exit_code == 0
    run = read_json(results / "metrics.json")["runs"]["tuned"]
    (size,) = run["diagnosis"]["recall_by"]["size"]
    assert (size["name"], size["low"], size["high"]) == ("≥ 240", 240, None)
    assert run["diagnosis"]["mistakes"]["0.3"]["missed"]["ap_lost"] is None


def test_the_table_has_a_column_a_run_and_fits_a_terminal(results: Path) -> None:
    outcome = facetl(results, "--truth", results.parent / "truth.txt")
    lines = outcome.stdout.splitlines()
    assert lines[0].split() == ["pretrained", "tuned"]
    assert max(len(line.rstrip()) for line in lines if "AP" in line) <= 80
    counts = [line.split() for line in lines[1:4]]  # where F1 is best
    assert counts == [["found", "3", "3"], ["missed", "0", "0"], ["false", "alarms", "1", "0"]]
    # tuned is the better one; it needs all of its detections, down to 0.8
    assert "tuned: frames that the truth does not list, counted as frames without faces: 1" in (
        outcome.stderr
    )
    assert "--weights tuned=FILE --score 0.80 --out" in outcome.stderr.splitlines()[-1]


def test_only_listed_leaves_the_other_frames_out(results: Path) -> None:
    truth = results.parent / "truth.txt"
    outcome = facetl(results, "--truth", truth, "--only-listed", "--out", results.parent / "out")
    metrics = read_json(results.parent / "out" / "metrics.json")
    assert metrics["settings"]["only_listed"] is True
    assert metrics["runs"]["pretrained"]["precision_all"] == 1
    assert metrics["runs"]["pretrained"]["frames"] == 2
    assert "frames that the truth does not list, left out: 1" in outcome.stderr


def test_one_file_is_enough_and_peers_stand_beside_it(results: Path, tmp_path: Path) -> None:
    peer = PeerDetections(boxes(FACE, FACE), np.array([4.5, -2]), ("001.jpg", "003.jpg"))
    save_peer(tmp_path / "theirs", peer)
    outcome = facetl(
        results / "tuned.detections.json",
        *("--truth", tmp_path / "truth.txt", "--peer", f"theirs={tmp_path / 'theirs'}"),
    )
    assert outcome.exit_code == 0, outcome.output
    runs = read_json(results / "metrics.json")["runs"]
    assert list(runs) == ["tuned", "theirs"]
    assert runs["theirs"]["recall_all"] == pytest.approx(1 / 3)
    assert runs["theirs"]["proposals_per_frame"] is None
    assert runs["theirs"]["frames"] == 3  # as many as the run knows
    assert "–" in outcome.stdout


def test_a_peer_alone_is_scored_too(tmp_path: Path, results: Path) -> None:
    save_peer(tmp_path / "theirs", PeerDetections(boxes(FACE), np.ones(1), ("001.jpg",)))
    outcome = facetl(
        tmp_path / "theirs",
        *("--truth", tmp_path / "truth.txt", "--peer", f"theirs={tmp_path / 'theirs'}"),
    )
    assert outcome.exit_code == 0
    assert outcome.stderr.splitlines()[-1].startswith("next: facetl detect")


def test_results_are_not_overwritten_unasked(results: Path) -> None:
    truth = ("--truth", results.parent / "truth.txt")
    assert facetl(results, *truth).exit_code == 0
    before = (results / "metrics.json").read_text()
    again = facetl(results, *truth)
    assert (again.exit_code, (results / "metrics.json").read_text()) == (1, before)
    assert "metrics.json exists already" in again.stderr
    assert facetl(results, *truth, "--force").exit_code == 0


@pytest.mark.parametrize(
    "name", [f"{plot}{suffix}" for plot in PLOTS for suffix in (".png", ".svg")]
)
def test_no_plot_is_overwritten_unasked(results: Path, name: str) -> None:
    (results / name).write_text("mine")
    refused = facetl(results, "--truth", results.parent / "truth.txt")
    assert refused.exit_code == 1
    assert f"{name} exists already" in refused.stderr
    assert (results / name).read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.detections.json", "{", "not a detections file"),
        ("tuned2.detections.json", None, "'tuned' as the name of two runs"),
    ],
)
def test_bad_results_are_one_line(
    results: Path, name: str, content: str | None, message: str
) -> None:
    tuned = (results / "tuned.detections.json").read_text()
    (results / name).write_text(tuned if content is None else content)
    outcome = facetl(results, "--truth", results.parent / "truth.txt")
    assert outcome.exit_code == 1
    assert message in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert not (results / "metrics.json").exists()


def test_an_empty_results_folder_is_one_line(tmp_path: Path, results: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = facetl(tmp_path / "empty", "--truth", tmp_path / "truth.txt")
    assert outcome.exit_code == 1
    assert "found no *.detections.json; make them with facetl detect" in outcome.stderr


def test_a_bad_truth_file_is_one_line_or_skipped(results: Path) -> None:
    truth = results.parent / "truth.txt"
    truth.write_text(truth.read_text() + "003.jpg 1 2 three 4\n")
    strict = facetl(results, "--truth", truth)
    assert strict.exit_code == 1
    assert "truth.txt:4" in strict.stderr
    lenient = facetl(results, "--truth", truth, "--on-error", "skip")
    assert lenient.exit_code == 0
    assert "1 not a number" in lenient.stderr


@pytest.mark.parametrize("peer", ["theirs", "theirs=", "=folder"])
def test_a_peer_without_name_or_folder_is_a_usage_error(results: Path, peer: str) -> None:
    outcome = facetl(results, "--truth", results.parent / "truth.txt", "--peer", peer)
    assert outcome.exit_code == 2
    assert f"found {peer!r}, expected NAME=FOLDER" in outcome.stderr


def test_the_truth_is_required() -> None:
    assert facetl("results").exit_code == 2


def test_a_folder_of_frames_knows_all_frames(tmp_path: Path) -> None:
    frames = [
        Frame(tmp_path / name, name, boxes(*faces), (None,) * len(faces), (200, 200))
        for name, faces in {"001.jpg": [FACE], "002.jpg": [FACE], "003.jpg": []}.items()
    ]
    # 002 could not be read, 003 was not searched, 004 is unknown to the truth
    run = run_of({"001.jpg": [FACE], "004.jpg": [FACE]}, skipped=(Skipped("002.jpg", "cut"),))
    evaluation = evaluate(run, FaceDataset(tuple(frames)))
    assert (evaluation.metrics.frames, evaluation.metrics.detections) == (3, 1)
    assert (evaluation.metrics.recall_all, evaluation.metrics.precision_all) == (0.5, 1)
    assert evaluation.notes == (
        "pretrained: frames that the truth does not list, left out: 1",
        "pretrained: frames of the truth never searched, their faces missed: 2",
        "pretrained: images that could not be read: 1",
    )


def test_the_command_takes_a_folder_as_truth(results: Path, tmp_path: Path) -> None:
    for name in ("001.jpg", "002.jpg", "003.jpg"):
        save_image(tmp_path / "data" / name, np.zeros((200, 200, 3), dtype=np.uint8))
    (tmp_path / "truth.txt").rename(tmp_path / "data" / "annotations.txt")
    outcome = facetl(results, "--truth", tmp_path / "data")
    assert outcome.exit_code == 0, outcome.output
    document = read_json(results / "metrics.json")
    assert document["truth"]["frames"] == 3
    assert document["runs"]["tuned"]["ap"]["0.5"] == 1


@pytest.fixture
def alike(results: Path) -> Path:
    """A folder with the truth of ``results`` as frames, and one of training frames.

    001 is a near-twin of a training frame, 002 neither like nor unlike, 003 unlike all of them.
    """
    root = results.parent
    for name, grey in {"001.jpg": 104, "002.jpg": 110, "003.jpg": 112}.items():
        save_image(root / "data" / name, np.full((200, 200, 3), grey, dtype=np.uint8))
    (root / "truth.txt").rename(root / "data" / "annotations.txt")
    save_image(root / "frames" / "001.jpg", np.full((200, 200, 3), 100, dtype=np.uint8))
    save_annotations(root / "frames" / "annotations.txt", {"001.jpg": (boxes(FACE), [None])})
    return root


def test_near_duplicates_of_training_frames_are_scored_apart(alike: Path) -> None:
    results, out = alike / "results", alike / "out"
    given = (results, "--truth", alike / "data", "--train", alike / "frames")
    outcome = facetl(*given, "--out", out)
    assert outcome.exit_code == 0, outcome.output
    document = read_json(out / "metrics.json")
    found = document["near_duplicates"]
    assert found["train"] == {"path": str(alike / "frames"), "frames": 1}
    twins, unlike = found["parts"]["near_twins"], found["parts"]["unlike"]
    assert [twins[key] for key in ("at_least", "below", "frames", "faces")] == [0, 5, 1, 1]
    assert [unlike[key] for key in ("at_least", "below", "frames", "faces")] == [12, None, 1, 0]
    pretrained = twins["runs"]["pretrained"]
    assert pretrained["ap"] == {"0.3": 1, "0.5": 1, "0.7": 1, "0.5:0.95": 1}
    assert (pretrained["detections"], pretrained["frames"]) == (1, 1)
    # one false alarm in the frame without faces: AP is not defined there
    assert unlike["runs"]["pretrained"]["ap"]["0.5"] is None
    assert unlike["runs"]["pretrained"]["precision_all"] == 0
    lines = [line.split() for line in outcome.stdout.splitlines()]
    heading = ["all", "near-twins", "(<", "5)", "unlike", "(>=", "12)"]
    assert [line[0] for line in lines if line[1:] == heading] == ["pretrained", "tuned"]
    assert ["AP", "at", "IoU", "0.7", "1.000", "1.000", "–"] in lines
    assert lines.count(["frames", "3", "1", "1"]) == 2


def test_metrics_without_training_frames_have_no_such_section(alike: Path) -> None:
    assert facetl(alike / "results", "--truth", alike / "data").exit_code == 0
    assert "near_duplicates" not in read_json(alike / "results" / "metrics.json")


def test_training_frames_need_pictures_to_compare_with(results: Path, tmp_path: Path) -> None:
    outcome = facetl(results, "--truth", tmp_path / "truth.txt", "--train", tmp_path)
    assert outcome.exit_code == 1
    assert outcome.stderr.splitlines()[-1].endswith(
        "found an annotation file as the truth, but --train compares pictures; give --truth the "
        "folder of annotated frames"
    )
    assert not (results / "metrics.json").exists()


def test_frames_that_cannot_be_compared_are_counted(alike: Path) -> None:
    damaged = alike / "data" / "003.jpg"
    damaged.write_bytes(damaged.read_bytes()[:-200])  # its head is good, its pixels not
    given = (alike / "results", "--truth", alike / "data", "--train", alike / "frames")
    outcome = facetl(*given, "--out", alike / "out")
    assert outcome.exit_code == 0, outcome.output
    assert "test frames that cannot be read, not compared: 1" in outcome.stderr
    parts = read_json(alike / "out" / "metrics.json")["near_duplicates"]["parts"]
    assert (parts["near_twins"]["frames"], parts["unlike"]["frames"]) == (1, 0)


def test_training_frames_of_which_none_can_be_read_are_one_line(alike: Path) -> None:
    damaged = alike / "frames" / "001.jpg"
    damaged.write_bytes(damaged.read_bytes()[:-200])
    outcome = facetl(alike / "results", "--truth", alike / "data", "--train", alike / "frames")
    assert outcome.exit_code == 1
    assert outcome.stderr.splitlines()[-1].endswith(
        "none of the 1 training frames can be read; restore the images"
    )


FRAMES = ("shots/a.jpg", "shots/b.jpg", "shots/c.jpg", "shots/d.jpg")


@st.composite
def scenes(draw: st.DrawFn) -> tuple[dict[str, NDArray[np.float64]], Run, set[str]]:
    """The truth of four frames, a run that names them otherwise, and some of the frames."""
    places = st.lists(st.sampled_from([FACE, ELSEWHERE]), max_size=2, unique_by=tuple)
    truth = {name: boxes(*draw(places)) for name in FRAMES}
    found = {name.removeprefix("shots/"): draw(places) for name in FRAMES[draw(st.booleans()) :]}
    return truth, run_of(found), draw(st.sets(st.sampled_from(FRAMES)))


@given(scenes())
@settings(max_examples=50)
def test_figures_of_a_part_are_those_of_a_truth_and_a_run_cut_down(
    scene: tuple[dict[str, NDArray[np.float64]], Run, set[str]],
) -> None:
    truth, run, names = scene
    searched = tuple(frame for frame in run.frames if f"shots/{frame.image}" in names)
    part = measure_frames(Predictions.of_run(run), Truth.of(truth), names)
    assert part.frames == len(names)
    if searched:  # else there would be no name in common
        cut = {name: found for name, found in truth.items() if name in names}
        whole = evaluate(Run(run.name, {}, searched), cut).metrics
        assert (part.faces, part.detections) == (whole.faces, whole.detections)
        np.testing.assert_equal(part.ap, whole.ap)
        assert part.curve.hits.tolist() == whole.curve.hits.tolist()
    else:
        assert part.detections == 0


def test_frames_in_between_or_unknown_are_in_no_part() -> None:
    truth = Truth.of({name: boxes(FACE) for name in FRAMES})
    distances = dict(zip(FRAMES, (4.99, 5.0, 12.0), strict=False))
    run = run_of({"a.jpg": [FACE], "c.jpg": [ELSEWHERE]})
    parts = score_subsets([Predictions.of_run(run)], truth, distances)
    assert {name: part.frames for name, part in parts.items()} == {"near_twins": 1, "unlike": 1}
    ap = {name: part.metrics["pretrained"].ap["0.5"] for name, part in parts.items()}
    assert ap == {"near_twins": 1, "unlike": 0}


def test_plain_boxes_are_a_truth_and_an_empty_run_a_run() -> None:
    evaluation = evaluate(Run("nothing", {}, ()), Truth.of({"001.jpg": boxes(FACE)}))
    assert evaluation.metrics.ap["0.5"] == 0
    assert np.isnan(evaluation.seconds_per_frame)
    assert np.isnan(evaluation.proposals_per_frame)
    assert evaluate_all([], Truth.of({})) == []


def test_frames_are_found_by_base_name_if_no_name_is_equal() -> None:
    names = ["shots/002.jpg", "shots\\001.jpg", "shots/009.jpg"]
    assert find_rows(names, ["001.jpg", "002.jpg"], "tuned").tolist() == [1, 0, -1]


def test_base_names_do_not_matter_if_any_name_is_equal() -> None:
    # mom/002.jpg is another picture than dad/002.jpg
    places = find_rows(["dad/001.jpg", "mom/002.jpg"], ["dad/001.jpg", "dad/002.jpg"], "tuned")
    assert places.tolist() == [0, -1]


@pytest.mark.parametrize(
    ("names", "roll", "message"),
    [
        (["a/1.jpg", "b/1.jpg"], ["1.jpg"], "'a/1.jpg' and 'b/1.jpg' in tuned and '1.jpg' in the"),
        (["1.jpg"], ["a/1.jpg", "b/1.jpg", "c/1.jpg"], "'b/1.jpg' and 1 more in the truth"),
        (["a.jpg"], ["b.jpg"], "no frame in common: found 'a.jpg' in the run and 'b.jpg' in the"),
    ],
)
def test_names_that_cannot_be_matched_are_both_named(
    names: list[str], roll: list[str], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        find_rows(names, roll, "tuned")
    assert message in str(caught.value)


def test_a_frame_twice_in_a_run_is_refused() -> None:
    run = run_of({"001.jpg": [FACE]})
    twice = Run("twice", {}, run.frames * 2)
    with pytest.raises(DetectionsError, match=r"found the frame '001.jpg' twice"):
        Predictions.of_run(twice)


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match=r"001\.jpg: found boxes that are not finite"):
        run_of({"001.jpg": [[0, 0, np.nan, 5]]})


def test_the_truths_fingerprint_changes_with_a_box_and_not_with_the_order() -> None:
    one, other = {"a": boxes(FACE), "b": boxes()}, {"b": boxes(), "a": boxes(FACE)}
    assert Truth.of(one).fingerprint == Truth.of(other).fingerprint
    moved = {**one, "a": boxes(FACE) + 1}
    assert Truth.of(one).fingerprint != Truth.of(moved).fingerprint


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), -float("inf")])
def test_undefined_figures_are_null_in_the_file(tmp_path: Path, figure: float) -> None:
    document = {"format": "facetl-metrics", "version": 1, "runs": {"a": {"f1": figure}}}
    save_metrics(tmp_path / "metrics.json", document)
    assert read_json(tmp_path / "metrics.json")["runs"] == {"a": {"f1": None}}


def test_the_table_marks_the_best_and_dashes_the_undefined() -> None:
    truth = {"001.jpg": boxes(FACE), "002.jpg": boxes(FACE)}
    half = Predictions.of_run(run_of({"001.jpg": [FACE], "002.jpg": []}, "half"))
    full = Predictions.of_run(run_of({"001.jpg": [FACE], "002.jpg": [FACE]}, "full"))
    none = Predictions.of_run(Run("none", {}, ()))
    groups = compare_runs(evaluate_all([half, full, none], Truth.of(truth)))
    rows = {row.title: row for group in groups for row in group}
    assert rows["AP at IoU 0.3"].texts == ("0.500", "1.000", "0.000")
    assert rows["AP at IoU 0.3"].winners == (False, True, False)
    assert [rows[title].texts for title in ("found", "missed", "false alarms")] == [
        ("1", "2", "0"),
        ("1", "0", "2"),
        ("0", "0", "0"),
    ]
    assert rows["missed"].winners == (False, True, False)
    assert not any(rows["false alarms"].winners)
    assert rows["  precision there"].texts == ("1.000", "1.000", "–")
    assert rows["proposals per frame"].winners == (True, True, False)
    assert rows["detections"].winners == (False, False, False)


@pytest.mark.skipif(not DEXTER.is_dir(), reason="the real frames are not here")
def test_the_course_staffs_arrays_give_the_courses_figure() -> None:
    truth = Truth.of(load_annotations(DEXTER / "validare/task1_gt_validare20.txt"))
    staff = Predictions.of_peer("staff", load_peer(DEXTER / "evaluare/staff_solution/task1"))
    metrics = evaluate_all([staff], truth)[0].metrics
    assert metrics.ap_course == pytest.approx(0.7591, abs=5e-5)
    assert (metrics.faces, metrics.detections, metrics.frames) == (33, 871, 20)


def with_score(path: Path, score: object) -> None:
    document = json.loads(path.read_text())
    document["settings"]["score"] = score
    path.write_text(json.dumps(document))


def test_what_is_shown_begins_at_the_score_of_the_run(results: Path) -> None:
    with_score(results / "pretrained.detections.json", 0.85)
    outcome = facetl(results, "--truth", results.parent / "truth.txt")
    assert outcome.exit_code == 0, outcome.output
    runs = read_json(results / "metrics.json")["runs"]
    # of four boxes three reach 0.85: two of the three faces, and the false alarm
    expected = {"score_threshold": 0.85, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3}
    assert runs["pretrained"]["shown"] == expected
    assert runs["tuned"]["shown"]["score_threshold"] == runs["tuned"]["score_threshold"]  # best F1
    assert runs["pretrained"]["detections"] == 4  # average precision takes all
    row = next(line for line in outcome.stdout.splitlines() if line.startswith("shown from score"))
    assert row.split()[-2:] == ["0.850", "0.800"]
    page = (results / "report.html").read_text()
    assert "found 2 of 3 faces, missed 1, 1 false alarm at score 0.85 and above." in page
    assert '"threshold": 0.85' in page


def test_the_score_shown_can_be_chosen(results: Path) -> None:
    with_score(results / "pretrained.detections.json", 0.85)
    truth = results.parent / "truth.txt"
    plain = facetl(results, "--truth", truth)
    before = read_json(results / "metrics.json")["runs"]
    chosen = facetl(results, "--truth", truth, "--score", "0", "--force")
    assert plain.exit_code == chosen.exit_code == 0, chosen.output
    after = read_json(results / "metrics.json")["runs"]
    for name in ("pretrained", "tuned"):
        assert after[name]["shown"]["score_threshold"] == 0
        assert after[name]["shown"]["precision"] == after[name]["precision_all"]
        assert after[name]["ap"] == before[name]["ap"]


@pytest.mark.parametrize("score", [None, "high", 7, True])
def test_a_run_that_tells_no_score_is_shown_at_its_best(results: Path, score: object) -> None:
    with_score(results / "pretrained.detections.json", score)
    assert facetl(results, "--truth", results.parent / "truth.txt").exit_code == 0
    run = read_json(results / "metrics.json")["runs"]["pretrained"]
    assert run["shown"]["score_threshold"] == run["score_threshold"]


def test_detections_in_a_crowd_are_counted_and_shown(results: Path) -> None:
    """Of the pretrained run's four, ELSEWHERE in 002 and FACE in 003 lie in regions."""

    def entry(number: int, image: int, box: list[float], **marks: int) -> dict[str, Any]:
        x1, y1, x2, y2 = box
        return {"id": number, "image_id": image, "bbox": [x1, y1, x2 - x1, y2 - y1], **marks}

    truth = results.parent / "truth.json"
    images = [{"id": place, "file_name": f"00{place}.jpg"} for place in (1, 2, 3)]
    annotations = [
        entry(1, 1, FACE),
        entry(2, 2, FACE),
        entry(3, 2, [90, 90, 200, 200], iscrowd=1),
        entry(4, 3, [0, 0, 60, 70], ignore=1),
    ]
    truth.write_text(json.dumps({"images": images, "annotations": annotations}))
    outcome = facetl(results, "--truth", truth)
    assert outcome.exit_code == 0, outcome.output
    document = read_json(results / "metrics.json")
    assert (document["truth"]["faces"], document["truth"]["ignored_regions"]) == (2, 2)
    run = document["runs"]["pretrained"]
    assert (run["detections"], run["ignored_detections"], run["precision_all"]) == (4, 2, 1)
    assert (run["ap"]["0.3"], run["ap_coco"]["0.5:0.95"]) == (1, 1)
    # the course's evaluator: hit, false alarm and false alarm at 0.9, hit at 0.8
    assert run["precision_course"] == 0.5
    assert run["diagnosis"]["mistakes"]["0.3"]["background"]["count"] == 0
    note = (
        "pretrained: detections in regions to be ignored, which count neither way, but as false "
        "alarms in the course's figures: 2"
    )
    assert note in run["notes"]
    assert note in outcome.stderr
    page = (results / "report.html").read_text()
    assert "to be ignored: what is found there counts neither way" in page
    assert note.replace("'", "&#39;") in page


def test_the_gallery_shows_regions_and_not_what_was_found_there() -> None:
    crowd = [90.0, 90.0, 200.0, 200.0]
    truth = Truth({"a.jpg": boxes(FACE)}, True, ignored={"a.jpg": boxes(crowd)})
    (frame,) = collect_frames([Predictions.of_run(run_of({"a.jpg": [FACE, ELSEWHERE]}))], truth)
    assert frame.ignored.tolist() == [crowd]
    assert frame.detections["pretrained"].boxes.tolist() == [FACE]
    assert frame.mistakes({"pretrained": 0.0}) == 0


def test_regions_to_be_ignored_count_in_parts_and_in_the_fingerprint() -> None:
    faces = {"a.jpg": boxes(FACE), "b.jpg": boxes()}
    truth = Truth(faces, True, ignored={"a.jpg": boxes([90, 90, 200, 200])})
    entry = Predictions.of_run(run_of({"a.jpg": [ELSEWHERE, FACE], "b.jpg": []}))
    assert measure_frames(entry, truth, {"a.jpg"}).ap["0.3"] == 1
    assert measure_frames(entry, Truth(faces, True), {"a.jpg"}).ap["0.3"] == 0.5
    assert truth.fingerprint != Truth(faces, True).fingerprint
