"""The report: its numbers, its words, and the page itself in a real browser."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Watched, launched, opened
from click.testing import CliRunner, Result
from drawn_frames import draw_frame
from outcomes import success
from playwright.sync_api import Browser

from facetl.cli import main
from facetl.data.dataset import load_dataset
from facetl.data.formats.conversion import save_single
from facetl.data.formats.course import save_annotations
from facetl.data.images import load_image, make_thumbnails, save_image
from facetl.evaluation.report import page
from facetl.evaluation.report.advice import advise
from facetl.evaluation.report.compose import MOST_TRAININGS, _recall_training
from facetl.evaluation.report.frames import collect_frames
from facetl.evaluation.report.opening import count_changes
from facetl.evaluation.report.sheet import MOST, draw_sheets, find_spots
from facetl.evaluation.scoring import Evaluation, Predictions, Truth, evaluate_all
from facetl.mtcnn.weights import Weights, load_weights, save_weights
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.json_file import save_run

SIZE = (360, 480)
LEFT, RIGHT, TINY = [10.0, 20, 50, 70], [90.0, 20, 130, 70], [70.0, 90, 85, 106]
UNMATCHED = [60.0, 70, 100, 110]
NASTY = "<script>alert(1)<script> & 'quotes'.jpg"
"""A name that would break out of a careless page."""

Found = dict[str, list[tuple[list[float], float]]]
FACES = {
    "001.jpg": ([LEFT, RIGHT], ["ann", "bob"]),
    "002.jpg": ([LEFT, TINY], ["ann", "bob"]),
    NASTY: ([RIGHT], ["<b>bob</b>"]),
    "004.jpg": ([], []),
}
BEFORE: Found = {
    "001.jpg": [(LEFT, 0.9), (UNMATCHED, 0.8)],
    "002.jpg": [(TINY, 0.7)],
    NASTY: [(UNMATCHED, 0.6)],
    "004.jpg": [(UNMATCHED, 0.2)],
}
RECORDS = [{"stage": "pnet", "epoch": 1, "train": {"total": 0.5}, "validation": {"total": 0.4}}]
AFTER: Found = {
    "001.jpg": [(LEFT, 0.95), (RIGHT, 0.85)],
    "002.jpg": [(LEFT, 0.99)],
    NASTY: [(RIGHT, 0.75)],
    "004.jpg": [(UNMATCHED, 0.5)],
}


def run_of(name: str, found: Found) -> Run:
    def frame(image: str, each: list[tuple[list[float], float]]) -> FrameResult:
        boxes, scores = [box for box, _ in each], [score for _, score in each]
        detections = Detections.from_lists(boxes, scores, np.zeros((len(each), 5, 2)))
        return FrameResult(image, SIZE, detections, {"pnet": 9, "rnet": 3, "onet": 1}, 0.5)

    settings = {"weights": name, "parameters": 495_850, "thresholds": [0.1, 0.2, 0.2]}
    return Run(name, settings, tuple(frame(*item) for item in found.items()))


def truth_of(faces: dict[str, tuple[list[list[float]], list[str]]]) -> Truth:
    boxes = {name: np.array(each[0]).reshape(-1, 4) for name, each in faces.items()}
    return Truth(boxes, True, {name: tuple(each[1]) for name, each in faces.items()})


RUNS = [
    Predictions.of_run(run_of("pretrained", BEFORE)),
    Predictions.of_run(run_of("cartoon", AFTER)),
]
TRUTH = truth_of(FACES)
EVALUATIONS = evaluate_all(RUNS, TRUTH)
FRAMES = collect_frames(RUNS, TRUTH)


def facetl(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two runs over four drawn frames, scored, with their report."""
    folder = tmp_path_factory.mktemp("report")
    for seed, name in enumerate(FACES):
        save_image(folder / "frames" / name, draw_frame(seed, "test", 0).image)
    boxes = {
        name: (np.array(each[0]), each[1])
        for name, each in FACES.items()
        if each[0] and name != NASTY
    }
    save_annotations(folder / "frames" / "faces.txt", boxes)
    nasty = " ".join(f"{corner:g}" for corner in RIGHT)
    with (folder / "frames" / "faces.txt").open("a") as file:
        file.write(f"{NASTY} {nasty} <b>bob</b>\n")
    for name, found in {"pretrained": BEFORE, "cartoon": AFTER}.items():
        save_run(folder / "results" / f"{name}.detections.json", run_of(name, found))
    success(facetl(folder / "results", "--truth", folder / "frames"))
    return folder / "results"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def shown(browser: Browser, results: Path) -> Iterator[Watched]:
    with opened(
        browser, results / "report.html", viewport={"width": 1200, "height": 800}
    ) as watched:
        yield watched


# ---- the page in a browser


def figure(watched: Watched, side: str, name: str) -> float:
    return float(watched.page.locator(f"#{side} [data-figure={name}]").text_content() or "nan")


def cards(watched: Watched) -> list[str]:
    names: list[str] = watched.page.locator("#cards .card").evaluate_all(
        "cards => cards.map((card) => card.dataset.name)"
    )
    return names


def move(watched: Watched, side: str, threshold: float) -> None:
    """Type a threshold."""
    watched.page.locator(f"#{side} .exact").fill(str(threshold))
    watched.page.locator(f"#{side} .exact").dispatch_event("change")


def tally(watched: Watched, name: str) -> int:
    return int(watched.page.locator(f".tally[data-filter={name}]").inner_text())


def test_pictures_and_plain_words_come_before_figures(shown: Watched) -> None:
    words = shown.page.locator("body").inner_text()
    plain = words[: words.index("precision")]
    assert "pretrained found 2 of 5 faces, missed 3, 1 false alarm at score 0.7" in plain
    assert "Missed faces" in plain
    assert not any(term in plain for term in ("recall", "F1", "AP", "IoU"))
    tops = [
        shown.page.locator(part).first.evaluate("each => each.getBoundingClientRect().top")
        for part in ("body > header", "#pictures img", "#cards", "table", "#errors img")
    ]
    assert tops == sorted(tops)


def test_each_term_is_explained_once(shown: Watched) -> None:
    shown.page.locator("#curve summary").click()
    shown.page.locator('[href="#words"]').click()
    terms = shown.page.locator("#words dt").all_inner_texts()
    assert {"precision", "recall", "F1", "AP", "IoU"} <= {*terms}
    assert len({*terms}) == len(terms)
    assert shown.page.locator("#words dd").first.is_visible()


def test_the_bars_of_all_runs_have_one_scale(shown: Watched) -> None:
    bars = shown.page.locator(".verdicts .bar")
    widths = [
        bars.nth(run)
        .locator("span")
        .evaluate_all("parts => Object.fromEntries(parts.map((e) => [e.className, e.clientWidth]))")
        for run in range(2)
    ]
    assert widths[0]["found"] * 2 == pytest.approx(widths[1]["found"], rel=0.03)
    assert "false_alarms" not in widths[1]  # there are none


def test_a_picture_leads_to_its_frame(shown: Watched) -> None:
    missed = shown.page.locator("#pictures .cutout:has(.miss) >> nth=0")
    name = missed.get_attribute("data-frame")
    missed.focus()
    shown.page.keyboard.press("Enter")
    assert str(name) in shown.page.locator("#large").inner_text()
    shown.page.keyboard.press("Escape")
    assert missed.evaluate("each => each === document.activeElement")


def test_a_kind_of_mistake_leads_to_its_frames(shown: Watched) -> None:
    shown.page.locator("#pictures details summary").click()
    shown.page.locator("#pictures [data-choose=false_alarms] >> nth=0").click()
    assert shown.page.locator("#right .run").input_value() == "0"
    assert cards(shown) == ["001.jpg"]


def test_what_is_found_or_not_differs_in_more_than_its_colour(shown: Watched) -> None:
    for place in ("#gallery .legend .swatch", "#right .swatch"):
        looks = shown.page.locator(place).evaluate_all(
            """swatches => swatches.map((each) => {
              const style = getComputedStyle(each.querySelectorAll("rect")[1]);
              return style.strokeDasharray + style.strokeWidth;
            })"""
        )
        assert len({*looks}) == len(looks) >= 3
    texts = shown.page.locator("#right .swatch").all_text_contents()
    assert len({text.strip() for text in texts}) == 3
    dashes = shown.page.locator("#curves path").evaluate_all(
        "lines => lines.map((each) => getComputedStyle(each).strokeDasharray)"
    )
    assert len({*dashes}) == 2


def test_mistakes_have_signs_on_the_frames(shown: Watched) -> None:
    stage = shown.page.locator("#cards .card[data-name='001.jpg'] .stage >> nth=0")
    assert sorted(stage.locator(".sign").all_text_contents()) == ["?", "✕"]


def test_the_page_opens_with_the_figures_of_the_metrics_file(shown: Watched, results: Path) -> None:
    metrics = json.loads((results / "metrics.json").read_text())["runs"]
    for side, run in (("left", "pretrained"), ("right", "cartoon")):
        for name in ("precision", "recall", "f1"):
            assert figure(shown, side, name) == round(metrics[run][name], 3)
    assert len(cards(shown)) == 4


def test_the_slider_moves_figures_and_boxes(shown: Watched) -> None:
    hits = shown.page.locator("#cards .card[data-name='001.jpg'] .stage >> nth=1")
    assert hits.locator(".hit").count() == 2
    slider = shown.page.locator("#right .threshold")
    slider.focus()
    for _ in range(2):  # one step, one detection less
        slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "0.950"
    assert [figure(shown, "right", name) for name in ("hits", "missed", "false_alarms")] == [
        2,
        3,
        0,
    ]
    assert (figure(shown, "right", "precision"), figure(shown, "right", "recall")) == (1, 0.4)
    assert (hits.locator(".hit").count(), hits.locator(".miss").count()) == (1, 1)
    assert "recall 0.400" in str(shown.page.locator("#curves").get_attribute("aria-label"))
    shown.page.locator("#right .reset").click()
    assert figure(shown, "right", "hits") == 4


def test_a_threshold_beyond_the_scores_is_brought_back(shown: Watched) -> None:
    move(shown, "right", 5)
    assert shown.page.locator("#right .exact").input_value() == "1.000"
    shown.page.locator("#right .exact").fill("")
    shown.page.locator("#right .exact").dispatch_event("change")
    assert shown.page.locator("#right .exact").input_value() == "1.000"


def test_every_threshold_gives_the_figures_of_the_oracle(shown: Watched) -> None:
    for threshold in (0.0, 0.15, 0.5, 0.65, 0.75, 0.85, 1.0):
        move(shown, "left", threshold)
        kept = [item for items in BEFORE.values() for item in items if item[1] >= threshold]
        hits = sum(box is not UNMATCHED for box, _ in kept)
        assert figure(shown, "left", "hits") == hits
        assert figure(shown, "left", "false_alarms") == len(kept) - hits
        assert figure(shown, "left", "missed") == 5 - hits


@pytest.mark.parametrize(
    ("name", "frames", "count"),
    [
        ("misses", ["002.jpg"], 1),
        ("false_alarms", [], 0),
        ("gained", ["001.jpg", "002.jpg", NASTY], 3),
        ("lost", ["002.jpg"], 1),
    ],
)
def test_frames_are_filtered(shown: Watched, name: str, frames: list[str], count: int) -> None:
    assert tally(shown, name) == count
    shown.page.locator(f".chip:has([value={name}])").click()
    assert sorted(cards(shown)) == sorted(frames)


def test_frames_are_filtered_by_character_and_size_and_sorted(shown: Watched) -> None:
    shown.page.select_option("#label", "ann")
    assert sorted(cards(shown)) == ["001.jpg", "002.jpg"]
    assert tally(shown, "misses") == 0
    shown.page.select_option("#label", "")
    shown.page.select_option("#size", label="under 24 px")
    assert cards(shown) == ["002.jpg"]
    shown.page.select_option("#size", label="all")
    shown.page.select_option("#sort", "lowest")
    assert cards(shown) == [NASTY, "001.jpg", "002.jpg", "004.jpg"]
    shown.page.select_option("#sort", "name")
    assert cards(shown) == sorted(FACES)


def test_the_keyboard_suffices(shown: Watched) -> None:
    shown.page.select_option("#sort", "name")
    shown.page.locator("#cards .card >> nth=0").focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.page.evaluate("document.activeElement.dataset.name") == "002.jpg"
    shown.page.keyboard.press("Enter")
    dialog = shown.page.locator("#large")
    assert dialog.is_visible()
    shown.page.keyboard.press("ArrowLeft")
    assert "001.jpg" in dialog.inner_text()
    shown.page.keyboard.press("v")
    assert dialog.locator(".stages").get_attribute("data-view") == "swipe"
    shown.page.keyboard.press("Escape")
    assert not dialog.is_visible()
    shown.page.locator("#cards .card[data-name='001.jpg']:focus").wait_for()


def test_the_swipe_divides_what_both_runs_find(shown: Watched) -> None:
    shown.page.select_option("#view", "swipe")
    stage = shown.page.locator("#cards .card[data-name='001.jpg'] .stage")
    assert stage.locator("svg").count() == 2
    stage.locator(".swipe").fill("20")
    assert stage.evaluate("stage => stage.style.getPropertyValue('--split')") == "20%"
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    shown.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 20)
    shown.page.mouse.down()
    shown.page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 20)
    shown.page.mouse.up()
    assert stage.locator(".swipe").input_value() == "80"
    assert not shown.page.locator("#large").is_visible()


@pytest.mark.usefixtures("sketched")
def test_regions_to_be_ignored_are_drawn_and_what_lies_in_them_is_not(
    browser: Browser, results: Path, tmp_path: Path
) -> None:
    x1, y1, x2, y2 = UNMATCHED
    frames, truth = results.parent / "frames", tmp_path / "truth.json"
    save_single(truth, "coco", load_dataset(frames).frames)
    document = json.loads(truth.read_text(encoding="utf-8"))
    image = next(each for each in document["images"] if each["file_name"] == "001.jpg")
    crowd = {"id": 99, "image_id": image["id"], "iscrowd": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
    document["annotations"].append(crowd)
    truth.write_text(json.dumps(document), encoding="utf-8")
    success(facetl(results, "--truth", truth, "--images", frames, "--out", tmp_path))
    with opened(browser, tmp_path / "report.html") as watched:
        move(watched, "left", 0.1)
        for name, counts in {"001.jpg": (1, 0), "004.jpg": (0, 1)}.items():
            stage = watched.page.locator(f"#cards .card[data-name='{name}'] .stage >> nth=0")
            drawn = [stage.locator(f".{kind}").count() for kind in ("ignored", "alarm")]
            assert tuple(drawn) == counts
        assert "to be ignored" in watched.page.locator(".legend").inner_text()
        assert figure(watched, "left", "false_alarms") == 2


def test_pictures_have_words_and_are_decoded_late(shown: Watched) -> None:
    for picture in shown.page.locator("img").all():
        assert picture.get_attribute("alt")
    picture = shown.page.locator("#cards .card[data-name='001.jpg'] img >> nth=1")
    assert picture.get_attribute("alt") == "001.jpg, cartoon: 2 faces, 2 found, 0 false alarms"
    assert picture.get_attribute("loading") == "lazy"
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("each => each.decode().then(() => each.naturalWidth)") == 480


def test_names_stay_names(shown: Watched) -> None:
    names = shown.page.locator("#cards .name").all_inner_texts()
    assert NASTY in names
    assert "<b>bob</b>" in shown.page.locator("#label option").all_inner_texts()
    assert shown.page.locator("#cards script, #cards b, main > script").count() == 0


@pytest.mark.parametrize("width", [320, 390])
def test_it_fits_a_phone_and_the_dark(browser: Browser, results: Path, width: int) -> None:
    phone: dict[str, Any] = {"viewport": {"width": width, "height": 740}, "color_scheme": "dark"}
    with opened(browser, results / "report.html", **phone) as watched:
        root = watched.page.locator("html")
        assert root.get_attribute("data-theme") == "dark"
        for part in (root, watched.page.locator("nav")):
            assert part.evaluate("each => each.scrollWidth") <= width
        for link in watched.page.locator("nav a").all():
            box = link.bounding_box()
            assert box
            assert box["x"] + box["width"] <= width
        watched.page.locator("#theme").click()
        assert root.get_attribute("data-theme") == "light"


def test_without_javascript_the_figures_are_there(browser: Browser, results: Path) -> None:
    with opened(browser, results / "report.html", java_script_enabled=False) as watched:
        words = watched.page.locator("header").inner_text()
        assert "cartoon found 4 of 5 faces, missed 1, 0 false alarms at score 0.75" in words
        assert watched.page.locator("#pictures img").count() > 0
        assert watched.page.locator("noscript").is_visible()


# ---- its parts


@pytest.mark.usefixtures("sketched")
def test_a_single_run_has_no_other_side(browser: Browser, results: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    success(
        facetl(
            *(results / "cartoon.detections.json", "--truth", results.parent / "frames"),
            *("--out", tmp_path),
        )
    )
    with opened(browser, path) as watched:
        assert not watched.page.locator("#left").is_visible()
        assert not watched.page.locator(".chip:has([value=gained])").is_visible()
        assert figure(watched, "right", "hits") == 4


@pytest.mark.usefixtures("sketched")
def test_the_report_is_written_unless_it_is_not_wanted(results: Path, tmp_path: Path) -> None:
    truth = results.parent / "frames"
    success(facetl(results, "--truth", truth, "--out", tmp_path, "--no-report"))
    assert not (tmp_path / "report.html").exists()
    refused = facetl(results, "--truth", truth)
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr


@pytest.mark.usefixtures("sketched")
def test_frames_named_by_a_file_alone_are_looked_for_in_a_folder(
    results: Path, tmp_path: Path
) -> None:
    truth = results.parent / "frames" / "faces.txt"
    folder = ("--images", results.parent / "frames")
    success(facetl(results, "--truth", truth, "--out", tmp_path / "bare"))
    success(facetl(results, "--truth", truth, "--out", tmp_path / "seen", *folder))
    pages = [(tmp_path / name / "report.html").read_text() for name in ("bare", "seen")]
    assert [text.count("data:image/webp") for text in pages] == [0, 4]
    assert [text.count("data:image/jpeg") > 0 for text in pages] == [False, True]
    assert ["as the images were not found" in text for text in pages] == [True, False]


def test_the_gallery_knows_what_each_run_found() -> None:
    by_name = {each.name: each for each in FRAMES}
    thresholds = {each.name: each.metrics.best.score_threshold for each in EVALUATIONS}
    assert by_name["001.jpg"].size_hw == SIZE
    assert by_name["001.jpg"].detections["pretrained"].matches.verdicts[0] is None
    assert by_name["001.jpg"].detections["pretrained"].mistakes(0.85) == 1
    assert by_name["002.jpg"].mistakes(thresholds) == 2
    assert count_changes(FRAMES, *EVALUATIONS) == (3, 1)


def test_a_peer_without_sizes_gets_frames_large_enough_for_its_boxes() -> None:
    peer = Predictions("peer", ("a",), np.array([[1.0, 2, 30.5, 40]]), np.ones(1), np.zeros(1, int),
                  False, 0, {}, 0.0)  # fmt: skip
    (frame,) = collect_frames([peer], Truth({"a": np.zeros((0, 4))}, True))
    assert frame.size_hw == (40, 31)


def test_strangers_are_shown_where_they_count() -> None:
    faces = Truth({"001.jpg": TRUTH.boxes["001.jpg"]}, complete=False)
    assert len(collect_frames(RUNS, faces)) == 4
    assert [each.name for each in collect_frames(RUNS, faces, only_listed=True)] == ["001.jpg"]


def test_of_many_frames_the_worst_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_FRAMES", 2)
    chosen = page.choose_frames(FRAMES, EVALUATIONS)
    assert [each.name for each in chosen] == ["001.jpg", "002.jpg"]


def test_nothing_found_and_nothing_to_find_make_pages_too() -> None:
    nobody: Found = {name: [] for name in FACES}
    for runs, truth in (
        ([Predictions.of_run(run_of("blind", nobody))], TRUTH),
        ([Predictions.of_run(run_of("blind", nobody))], Truth({"001.jpg": np.zeros((0, 4))}, True)),
        (RUNS, Truth({name: np.zeros((0, 4)) for name in FACES}, True)),
    ):
        evaluations = evaluate_all(runs, truth)
        text = page.render_page(page.Report("x", evaluations, collect_frames(runs, truth)))
        assert "found none of" in text
        assert "NaN" not in text.partition('id="data">')[2].partition("</script>")[0]


def test_the_page_is_the_same_for_the_same_runs() -> None:
    report = page.Report("x", EVALUATIONS, FRAMES, pictures={"001.jpg": b"webp"})
    assert page.render_page(report) == page.render_page(report)


# ---- pictures


def spots_of(run: int) -> dict[str, list[tuple[str, str]]]:
    found = find_spots(FRAMES, EVALUATIONS[run])
    return {kind: [(each.frame, each.text) for each in spots] for kind, spots in found.items()}


def test_missed_faces_false_alarms_and_right_ones_are_told_apart() -> None:
    before = spots_of(0)
    assert before["missed"] == [
        *(("001.jpg", "not found at all"), ("002.jpg", "not found at all")),
        (NASTY, "not found at all"),
    ]
    assert before["false_alarms"] == [("001.jpg", "0.80, no face annotated")]
    assert before["right"] == [("001.jpg", "0.90"), ("002.jpg", "0.70")]
    counts = EVALUATIONS[0].counts
    assert len(before["missed"]) == counts.missed
    assert len(before["false_alarms"]) == counts.false_alarms
    assert len(before["right"]) + len(before["loose"]) == counts.found


def test_what_lies_below_the_score_is_missed_and_said() -> None:
    strict = replace(EVALUATIONS[1], score=0.9)
    spots = find_spots(FRAMES, strict)
    assert {(each.frame, each.text) for each in spots["missed"]} == {
        ("001.jpg", "only at 0.85"),
        ("002.jpg", "not found at all"),
        (NASTY, "only at 0.75"),
    }
    assert not spots["false_alarms"]


def test_a_box_that_shares_less_than_half_with_its_face_is_loose() -> None:
    loose, off = [10.0, 20, 50, 40], [10.0, 20, 50, 32]  # IoU 0.4 and 0.24
    run = Predictions.of_run(run_of("x", {"a": [(loose, 0.9)], "b": [(off, 0.8)]}))
    truth = truth_of({"a": ([LEFT], ["ann"]), "b": ([LEFT], ["ann"])})
    (evaluation,) = evaluate_all([run], truth)
    spots = find_spots(collect_frames([run], truth), replace(evaluation, score=0.1))
    assert [each.text for each in spots["loose"]] == ["0.90, 40% shared"]
    assert [each.text for each in spots["false_alarms"]] == ["0.80, too far off a face"]
    assert [each.frame for each in spots["missed"]] == ["b"]


def test_the_largest_missed_faces_and_the_surest_false_alarms_come_first() -> None:
    faces = {"a": ([TINY, LEFT], ["ann", "ann"])}
    run = Predictions.of_run(run_of("x", {"a": [([200.0, 200, 240, 240], 0.3), (UNMATCHED, 0.9)]}))
    (evaluation,) = evaluate_all([run], truth_of(faces))
    spots = find_spots(collect_frames([run], truth_of(faces)), replace(evaluation, score=0.0))
    assert [each.face.tolist() for each in spots["missed"] if each.face is not None] == [LEFT, TINY]
    assert [each.text[:4] for each in spots["false_alarms"]] == ["0.90", "0.30"]


def test_pictures_show_their_boxes_and_those_that_cannot_be_read_are_left_out(
    tmp_path: Path,
) -> None:
    save_image(tmp_path / "001.png", draw_frame(0, "test", 0).image)
    (tmp_path / "002.png").write_bytes(b"no picture")
    places = {"001.jpg": tmp_path / "001.png", "002.jpg": tmp_path / "002.png"}
    first, _ = draw_sheets(FRAMES, EVALUATIONS, places)
    rows = {row.kind: row for row in first}
    assert (rows["missed"].total, len(rows["missed"].cutouts)) == (3, 1)
    (cutout,) = rows["missed"].cutouts
    x1, y1, x2, y2 = cutout.window
    assert [(each.style, list(each.box)) for each in cutout.drawn] == [("miss", RIGHT)]
    assert (x1 < RIGHT[0], y1 < RIGHT[1], x2 > RIGHT[2], y2 > RIGHT[3]) == (True,) * 4
    assert x2 - x1 == y2 - y1
    assert cutout.picture.startswith(b"\xff\xd8")
    assert [each.style for each in rows["right"].cutouts[0].drawn] == ["truth", "hit"]
    assert [each.style for each in rows["false_alarms"].cutouts[0].drawn] == ["alarm"]


def test_of_very_many_some_are_shown(tmp_path: Path) -> None:
    names = [f"{number:03}.png" for number in range(40)]
    picture = draw_frame(0, "test", 0).image
    for name in names:
        save_image(tmp_path / name, picture)
    run = Predictions.of_run(run_of("x", {name: [(LEFT, 0.9)] for name in names}))
    truth = truth_of({name: ([LEFT, RIGHT], ["ann", "bob"]) for name in names})
    evaluations = evaluate_all([run], truth)
    (sheet,) = draw_sheets(
        collect_frames([run], truth), evaluations, {name: tmp_path / name for name in names}
    )
    told = {row.kind: (row.total, len(row.cutouts)) for row in sheet}
    assert told["missed"] == told["right"] == (40, MOST)
    right = next(row for row in sheet if row.kind == "right")
    assert (right.cutouts[0].spot.frame, right.cutouts[-1].spot.frame) == (names[0], names[-1])


# ---- advice


def test_advice_follows_from_the_mistakes() -> None:
    texts = [each.text for each in advise(EVALUATIONS[:1])]
    assert "The pretrained detector is the best here" in texts[0]
    assert any("false alarms on the background cost" in text for text in texts)
    assert any("faces missed cost" in text for text in texts)


def test_a_perfect_detector_is_sent_to_work() -> None:
    perfect = {name: [(box, 0.9) for box in boxes] for name, (boxes, _) in FACES.items()}
    (advice,) = advise(evaluate_all([Predictions.of_run(run_of("cartoon", perfect))], TRUTH))
    assert "Nothing stands out" in advice.text
    assert advice.command == "facetl tune DATA --weights cartoon --out tuned.safetensors"


def test_without_faces_there_is_nothing_to_say() -> None:
    empty = Truth({name: np.zeros((0, 4)) for name in FACES}, True)
    (advice,) = advise(evaluate_all(RUNS, empty))
    assert "no faces to find" in advice.text


def test_a_character_that_is_missed_is_named() -> None:
    boxes = [[30.0 * i, 10, 30 * i + 20, 40] for i in range(20)]
    labels = ["ann"] * 15 + ["zoe"] * 5
    truth = truth_of({"a": (boxes, labels)})
    found = {"a": [(box, 0.9) for box in boxes[:15]]}
    texts = [
        each.text for each in advise(evaluate_all([Predictions.of_run(run_of("x", found))], truth))
    ]
    assert any(text.startswith("zoe is found less often") for text in texts)


# ---- small pictures


def test_miniatures_fit_into_their_room(tmp_path: Path) -> None:
    paths = {str(seed): tmp_path / f"{seed}.png" for seed in range(6)}
    for seed, path in enumerate(paths.values()):
        save_image(path, draw_frame(seed, "test", 0).image)
    (tmp_path / "2.png").write_bytes(b"no picture")
    roomy = dict(make_thumbnails(paths, 10_000_000))
    tight = dict(make_thumbnails(paths, sum(len(each or b"") for each in roomy.values()) // 3))
    assert roomy["2"] is tight["2"] is None
    assert sum(len(each or b"") for each in tight.values()) * 3 <= sum(
        len(each or b"") for each in roomy.values()
    )
    (tmp_path / "small.webp").write_bytes(tight["0"] or b"")
    small = load_image(tmp_path / "small.webp").shape
    assert small[1] < 480
    assert small[0] / small[1] == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("name", ["$^$", r"\frac{$", "_hidden"])
def test_names_are_no_formulas(tmp_path: Path, name: str) -> None:
    save_run(tmp_path / f"{name.replace(chr(92), '')}.detections.json", run_of(name, AFTER))
    (tmp_path / "truth.txt").write_text(f"001.jpg 10 20 50 70 {name}\n")
    success(facetl(tmp_path, "--truth", tmp_path / "truth.txt"))
    assert name in (tmp_path / "precision_recall.svg").read_text()


@pytest.mark.usefixtures("sketched")
def test_pictures_come_from_the_named_folder_alone(results: Path, tmp_path: Path) -> None:
    save_image(tmp_path / "private.png", draw_frame(0, "test", 0).image)
    (tmp_path / "frames").mkdir()
    names = ["001.jpg", "../private.png", str(tmp_path / "private.png")]
    save_run(tmp_path / "x.detections.json", run_of("x", {name: [] for name in names}))
    (tmp_path / "truth.txt").write_text("001.jpg 10 20 50 70\n")
    options = ("--truth", tmp_path / "truth.txt", "--images", tmp_path / "frames")
    success(facetl(tmp_path / "x.detections.json", *options))
    assert "data:image/webp" not in (tmp_path / "report.html").read_text()


@pytest.mark.usefixtures("sketched")
def test_the_training_shown_is_that_of_the_weights_used(tmp_path: Path) -> None:
    weights = Weights(load_weights("pretrained").stages, {"records": RECORDS})
    save_weights(tmp_path / "w.safetensors", weights)
    for fingerprint, expected in ((weights.fingerprint, True), ("another", False)):
        run = run_of("w", AFTER)
        run.settings.update(
            weights=str(tmp_path / "w.safetensors"), weights_fingerprint=fingerprint
        )
        save_run(tmp_path / "w.detections.json", run)
        (tmp_path / "truth.txt").write_text("001.jpg 10 20 50 70\n")
        success(facetl(tmp_path, "--truth", tmp_path / "truth.txt", "--force"))
        assert ("Losses of w by epoch" in (tmp_path / "report.html").read_text()) is expected


def made_with(told: dict[str, Any], folder: Path) -> Evaluation:
    """Return the figures of a run with weights that tell something of their training."""
    weights = Weights(load_weights("pretrained").stages, told)
    save_weights(folder / "w.safetensors", weights)
    run = run_of("w", AFTER)
    run.settings.update(
        weights=str(folder / "w.safetensors"), weights_fingerprint=weights.fingerprint
    )
    return evaluate_all([Predictions.of_run(run)], TRUTH)[0]


@pytest.mark.parametrize(
    "told",
    [
        {"records": [1]},
        {"records": [{**RECORDS[0], "epoch": "1"}]},
        {"records": [{**RECORDS[0], "train": {"total": 1e308}}]},
        {"records": [{**RECORDS[0], "stage": ["pnet"]}]},
        {"records": [{**RECORDS[0], "round": 10**30}]},
        {"records": RECORDS, "patch_counts": [{}]},
        {"records": RECORDS, "patch_counts": [{"stage": "pnet", "positive": "many"}]},
        {"records": RECORDS, "suspects": [{"frame": "a", "box": [1, 2, 3], "score": 1}]},
    ],
)
def test_weights_that_tell_nonsense_of_their_training_are_not_drawn(
    told: dict[str, Any], tmp_path: Path
) -> None:
    assert _recall_training(made_with(told, tmp_path)) is None


def test_of_very_many_trainings_the_last_are_drawn(tmp_path: Path) -> None:
    records = [{**RECORDS[0], "round": number} for number in range(1, 200)]
    training = _recall_training(made_with({"records": records}, tmp_path))
    assert training
    assert training.picture
    assert training.picture.text.count("round") == MOST_TRAININGS
    assert "round 199: 1" in training.picture.text


@pytest.mark.parametrize(
    "source", ["a" * 5_000, "a/" * 3_000, "pipe.pt", "proc.pt", "zero.pt", "."]
)
def test_whatever_a_run_names_as_its_weights_costs_no_more_than_the_curves(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is waited for, and nothing without an end is read."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.pt")
    Path("proc.pt").symlink_to("/proc/kmsg")
    Path("zero.pt").symlink_to("/dev/zero")
    run = run_of("w", AFTER)
    run.settings.update(weights=source, weights_fingerprint="x")
    assert _recall_training(evaluate_all([Predictions.of_run(run)], TRUTH)[0]) is None


@pytest.mark.usefixtures("sketched")
def test_weights_are_read_up_to_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = made_with({"records": RECORDS}, tmp_path)
    assert _recall_training(made)
    monkeypatch.setattr("facetl.mtcnn.weights.MOST_BYTES", 1_000)
    assert _recall_training(made) is None


def test_curves_that_cannot_be_drawn_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no font")

    monkeypatch.setattr("facetl.evaluation.report.plots.plot_losses", fail)
    assert _recall_training(made_with({"records": RECORDS}, tmp_path)) is None
