"""Who is on screen when: names of tracks, and what shows them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from browser import launched, opened
from click.testing import CliRunner, Result
from drawn_videos import pictures, write_video
from outcomes import success
from tiny_world import save_frames

from facetl.cli import main
from facetl.data.characters import UNKNOWN, colours_of
from facetl.data.video import VideoFrame
from facetl.palette import GREY, SKY
from facetl.results.captions import captions_of, colours_of_faces
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.exports import save_exports
from facetl.results.screen_time import appearances_in, save_timeline_table, screen_times
from facetl.results.store import load_run
from facetl.results.timelines import describe_tracks, timelines_of
from facetl.results.votes import NameVotes
from facetl.search import drawn_video
from facetl.search.pipeline import Searched

Seen = tuple[int, str, float]
"""A track, what its box is called, and the score of that."""


def facetl(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def frame_of(number: int, seen: Sequence[Seen], video: str = "a.mp4") -> FrameResult:
    """Return the frame of a number, at 10 frames a second, with these faces."""
    boxes = [[10 + 40 * track, 20, 40 + 40 * track, 60] for track, _, _ in seen]
    found = Detections.from_lists(boxes, [0.9] * len(seen), [[[0, 0]] * 5] * len(seen))
    found = replace(
        found,
        names=tuple(name for _, name, _ in seen),
        name_scores=np.array([score for *_, score in seen], np.float32),
    )
    return FrameResult(
        f"{video}/{number:06}.png",
        (120, 480),
        found,
        {},
        0.0,
        time=number / 10,
        tracks=tuple(track for track, _, _ in seen),
    )


def run_of(frames: Sequence[Sequence[Seen]]) -> Run:
    settings = {"score": 0.5, "frame_rates": {"a.mp4": 10.0}}
    return Run("r", settings, tuple(frame_of(number, seen) for number, seen in enumerate(frames)))


DUET = run_of([
    *[[(1, "dexter", 0.9), (2, "deedee", 0.8)]] * 4,
    *[[(1, UNKNOWN, 0.9), (3, "dexter", 0.7)]] * 4,
    *[[]] * 20,
    *[[(4, UNKNOWN, 0.95)]] * 2,
])  # fmt: skip


@pytest.mark.parametrize(
    ("boxes", "name"),
    [
        ([], None),
        ([("dexter", 0.9)], "dexter"),
        ([(UNKNOWN, 0.9)], UNKNOWN),
        ([("dexter", 0.9), *[(UNKNOWN, 1.0)] * 3], "dexter"),
        ([("dexter", 0.9), *[(UNKNOWN, 1.0)] * 4], UNKNOWN),
        ([("dexter", 0.9), ("deedee", 0.8)], "dexter"),
        ([("dexter", 0.8), ("deedee", 0.8)], UNKNOWN),
        ([("dexter", 0.99), *[("deedee", 0.71)] * 2], "deedee"),
        ([("a", 0.8), ("b", 0.8), ("c", 0.8), ("c", 0.7)], UNKNOWN),
    ],
)
def test_boxes_vote_for_the_name_of_their_track(
    boxes: list[tuple[str, float]], name: str | None
) -> None:
    votes = NameVotes()
    for box in boxes:
        votes.add(*box)
    assert votes.name == name


def test_the_score_of_a_name_is_its_share_of_all_boxes() -> None:
    votes = NameVotes()
    assert votes.score is None
    for box in [("dexter", 0.8), ("dexter", 1.0), (UNKNOWN, 0.9)]:
        votes.add(*box)
    assert votes.score == pytest.approx(0.6)


def test_tracks_are_told_by_names_and_numbers() -> None:
    [timeline] = timelines_of(DUET)
    assert [span.name for span in timeline.tracks] == ["dexter", "deedee", "dexter", UNKNOWN]
    assert timeline.describe([1, 2]) == "dexter, deedee"
    assert timeline.describe([1, 3, 4]) == "dexter, face 4"
    assert timeline.describe([]) == "no faces"
    names = {number: f"n{number}" for number in range(1, 9)}
    told = "n1, n2, n3, n4, n5, n6, n7, n8, faces 9, 10 and 3 more"
    assert describe_tracks(range(1, 14), names) == told
    assert describe_tracks([1], {1: "a\nb"}) == r"a\nb"


def exported(folder: Path, kind: str, run: Run = DUET) -> str:
    [[path, *_]] = save_exports(folder, [run], [kind])
    return path.read_text("utf-8")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("vtt", "\ndeedee (0.90)\n"),
        ("srt", "\ndexter, deedee\n"),
        ("ffmetadata", "title=dexter, deedee\n"),
        ("edl", "|M:dexter, deedee |D:"),
        ("fcpxml", 'value="deedee"'),
        ("after-effects", '"name": "deedee"'),
        ("tracks-csv", ",deedee,0.8\n"),
        ("tracks-json", '"name": "deedee"'),
    ],
)
def test_exports_say_the_names(tmp_path: Path, kind: str, text: str) -> None:
    assert text in exported(tmp_path, kind)


def test_hostile_names_end_nothing(tmp_path: Path) -> None:
    name = "a=1;|C:x\n\n--> <b>"
    run = run_of([[(1, name, 0.9)]] * 3)
    assert exported(tmp_path, "vtt", run).count("-->") == 1
    assert r"title=a\=1\;|C:x\\n" in exported(tmp_path, "ffmetadata", run)
    assert exported(tmp_path, "edl", run).count("|C:") == 1


def test_screen_time_counts_two_tracks_at_one_time_once(tmp_path: Path) -> None:
    [timeline] = timelines_of(DUET)
    assert [each.name for each in appearances_in(timeline)] == ["dexter", "deedee", UNKNOWN]
    expected = {"dexter": 0.8, "deedee": 0.4, UNKNOWN: 0.2}
    assert screen_times([timeline]) == pytest.approx(expected)
    assert screen_times([timeline] * 2)["dexter"] == pytest.approx(1.6)
    save_timeline_table(tmp_path / "t.csv", {"r": [timeline]})
    rows = [*csv.DictReader((tmp_path / "t.csv").read_text("utf-8").splitlines())]
    told = [(row["name"], row["in"], row["out"], row["seconds"], row["track"]) for row in rows]
    assert told == [
        ("dexter", "0.0", "0.8", "0.8", "1"),
        ("dexter", "0.4", "0.8", "0.4", "3"),
        ("deedee", "0.0", "0.4", "0.4", "2"),
        (UNKNOWN, "2.8", "3.0", "0.2", "4"),
    ]


def test_tracks_without_names_stand_under_unknown() -> None:
    frame = DUET.frames[0]
    plain = replace(frame.detections, names=None, name_scores=None)
    run = replace(DUET, frames=(replace(frame, detections=plain),))
    [timeline] = timelines_of(run)
    assert not timeline.is_named
    assert [each.name for each in appearances_in(timeline)] == [UNKNOWN]
    assert timeline.describe([1, 2]) == "faces 1, 2"


def test_each_character_has_a_colour_in_all_pictures() -> None:
    found = DUET.frames[4].detections
    assert captions_of(found) == ["unknown 0.90", "dexter 0.90"]
    characters = ("deedee", "dexter", UNKNOWN)
    colours = colours_of(characters)
    assert colours_of_faces(found, characters) == [GREY, colours["dexter"]]
    assert len({*colours.values()}) == 3
    plain = replace(found, names=None, name_scores=None)
    assert captions_of(plain) == ["0.90", "0.90"]
    assert colours_of_faces(plain) == [SKY, SKY]
    assert captions_of(replace(found, names=("x" * 99, "y")))[0] == "x" * 23 + "… 0.90"


def test_eighteen_characters_have_different_colours() -> None:
    colours = colours_of([*map(str, range(18)), UNKNOWN])
    assert len({*colours.values()}) == 19
    assert [each for each in colours.values() if not re.fullmatch("#[0-9A-F]{6}", each)] == []
    assert colours_of([*map(str, range(19))])["18"] == colours["0"]


def test_a_plot_shows_names() -> None:
    found, picture = DUET.frames[0].detections, np.zeros((120, 480, 3), np.uint8)
    plain = replace(found, names=None, name_scores=None)
    drawn = (each.plot(picture, min_score=0) for each in (found, plain))
    named, unnamed = (np.asarray(each) for each in drawn)
    assert (named != unnamed).any()


def test_a_table_has_names() -> None:
    pytest.importorskip("pandas")
    table = DUET.to_pandas()
    assert table["name"].tolist()[:2] == ["dexter", "deedee"]
    assert table["name_score"].tolist()[:2] == pytest.approx([0.9, 0.8])
    assert DUET.frames[0].detections.to_pandas()["name"].tolist() == ["dexter", "deedee"]
    plain = replace(DUET.frames[0].detections, names=None, name_scores=None)
    assert "name" not in plain.to_pandas()


def test_a_drawn_video_calls_a_track_what_it_was_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    labels: list[list[str]] = []

    def draw(pixels: Any, boxes: Any, **looks: Any) -> Any:
        labels.append(looks["labels"])
        return pixels

    class Writer:
        def add(self, pixels: Any, time: float) -> None:
            pass

    monkeypatch.setattr(drawn_video, "draw_boxes", draw)
    pixels = np.zeros((120, 480, 3), np.uint8)
    frames: Iterator[VideoFrame] = iter([VideoFrame(n, n / 10, pixels) for n in range(4)])
    drawn = drawn_video.drawing_boxes(["dexter"])(frames, Writer())  # type: ignore[arg-type]
    for number, name in enumerate([UNKNOWN, "dexter", UNKNOWN, UNKNOWN]):
        picture = SimpleNamespace(stamp=SimpleNamespace(index=number))
        drawn.show(Searched(picture, {"r": frame_of(number, [(7, name, 0.9)])}))
    drawn.finish()
    told = ["#7 unknown 0.90", *["#7 dexter 0.90"] * 3]
    assert [text for [text] in labels] == told


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video, two names files, and what a search finds."""
    folder = tmp_path_factory.mktemp("show")
    frames = save_frames(folder / "frames", 12)
    for name, seed in (("a", 1), ("b", 2)):
        out = folder / f"{name}.safetensors"
        success(facetl("train-names", frames, "--out", out, "--epochs", 2, "--seed", seed))
    shots = [picture for index in (0, 3, 4) for picture in pictures(index, 8, step=1)]
    write_video(folder / "epi<b>sode.mp4", shots)
    names = ("--names", folder / "a.safetensors")
    success(facetl("detect", folder / "epi<b>sode.mp4", "--out", folder / "found", *names))
    success(facetl("detect", frames, "--out", folder / "images", *names))
    return folder


def test_a_search_writes_who_is_on_screen_when(world: Path) -> None:
    run = load_run(world / "found" / "cartoon.detections.json")
    [timeline] = timelines_of(run.above(run.score))
    rows = [*csv.DictReader((world / "found" / "timeline.csv").read_text("utf-8").splitlines())]
    told = {(int(row["track"]), row["name"]) for row in rows}
    assert told == {(span.number, span.name) for span in timeline.tracks}
    document = json.loads((world / "found" / "timeline.json").read_text("utf-8"))
    [found] = document["runs"]
    assert found["screen_time"] == pytest.approx(screen_times([timeline]), abs=1e-6)
    page = (world / "found" / "timeline.html").read_text("utf-8")
    assert "<b>sode" not in page  # names are escaped
    assert page.count('class="track"') == page.count("<dialog ") == len(rows) >= 4
    assert 'href="../epi%3Cb%3Esode.mp4#t=' in page
    assert "default-src 'none'; img-src data:" in page


def test_a_search_of_images_has_no_timeline(world: Path) -> None:
    assert not [*(world / "images").glob("timeline*")]
    assert "timeline.html" not in (world / "images" / "report.html").read_text("utf-8")


def test_a_search_without_names_leaves_no_older_timeline(world: Path, tmp_path: Path) -> None:
    search = ("detect", world / "epi<b>sode.mp4", "--out", tmp_path, "--every", "4")
    success(facetl(*search, "--names", world / "a.safetensors", "--stream"))
    assert {path.suffix for path in tmp_path.glob("timeline.*")} == {".csv", ".json"}
    (tmp_path / "timeline.html").write_text("somebody's own")
    result = success(facetl(*search, "--force"))
    assert "which another run had left" in result.output
    assert [path.name for path in tmp_path.glob("timeline.*")] == ["timeline.html"]
    assert "timeline.html" not in (tmp_path / "report.html").read_text("utf-8")


def test_a_click_on_a_lane_shows_the_frame(world: Path) -> None:
    with launched() as browser, opened(browser, world / "found" / "timeline.html") as watched:
        watched.page.locator(".strip .track").first.click()
        shown = watched.page.locator("dialog[open]")
        assert shown.locator("img").count() == 1
        assert shown.inner_text().count("seen from") == 1
        watched.page.keyboard.press("Escape")
        watched.page.set_viewport_size({"width": 390, "height": 800})
        width = watched.page.evaluate("document.documentElement.scrollWidth")
        assert width <= watched.page.evaluate("innerWidth")


def test_faces_of_one_character_are_shown_alone(world: Path) -> None:
    with launched() as browser, opened(browser, world / "images" / "report.html") as watched:
        page = watched.page
        names = page.locator(".face b").all_inner_texts()
        page.locator("select.who").select_option(names[0])
        assert page.locator(".face:visible b").all_inner_texts() == [
            name for name in names if name == names[0]
        ]
        page.locator("select.who").select_option("")
        assert page.locator(".face:visible").count() == len(names)


def test_lines_carry_names_and_other_names_are_not_resumed(world: Path, tmp_path: Path) -> None:
    search = ("detect", world / "frames", "--out", tmp_path / "out", "--stream")
    success(facetl(*search, "--names", world / "a.safetensors"))
    path = tmp_path / "out" / "cartoon.detections.jsonl"
    whole = path.read_bytes()
    assert load_run(path).classes
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]))
    refused = facetl(*search, "--resume", "--names", world / "b.safetensors")
    assert refused.exit_code == 1
    assert "with other weights or settings" in refused.output
    assert facetl(*search, "--resume").exit_code == 1
    assert path.read_bytes() == b"".join(lines[:4])
    success(facetl(*search, "--resume", "--names", world / "a.safetensors"))
    assert path.read_bytes() == whole


def test_the_index_of_crops_has_names(world: Path, tmp_path: Path) -> None:
    search = ("detect", world / "frames", "--out", tmp_path, "--crops", "--square")
    success(facetl(*search, "--names", world / "a.safetensors"))
    [index] = tmp_path.glob("crops/*/metadata.csv")
    run = load_run(tmp_path / "cartoon.detections.json").above(0)
    names = {(frame.image, name) for frame in run.frames for name in frame.detections.names or ()}
    rows = [*csv.DictReader(index.read_text("utf-8").splitlines())]
    assert rows
    assert {(row["image"], row["name"]) for row in rows} <= names
    assert all(0 <= float(row["name_score"]) <= 1 for row in rows)
