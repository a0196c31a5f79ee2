"""The page that a search leaves: what is kept for it, and what one can do on it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from browser import launched, opened
from click.testing import CliRunner, Result
from drawn_videos import pictures, write_video
from outcomes import success
from tiny_world import save_frames

from facetl.cli import main
from facetl.data.images import Pixels, load_image, shrink_quickly
from facetl.files import address_from
from facetl.results.detections import Detections, FrameResult
from facetl.search import gallery as galleries
from facetl.search.gallery import KeptRun


def detect(*words: object) -> Result:
    return success(CliRunner().invoke(main, ["detect", *map(str, words)]))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with frames and what was found in them."""
    folder = tmp_path_factory.mktemp("page")
    save_frames(folder / "frames", 4)
    detect(
        folder / "frames",
        "--out",
        folder / "found",
        "--weights",
        "a=cartoon",
        "--weights",
        "b=cartoon",
    )
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video")
    shots = [picture for index in (0, 2, 4) for picture in pictures(index, 6, step=1)]
    write_video(folder / "epi<b>sode.mp4", shots)
    detect(folder / "epi<b>sode.mp4", "--out", folder / "found")
    return folder


def scores_on(page: str) -> list[float]:
    return [float(each) for each in re.findall(r'class="face" data-score="([\d.e-]+)"', page)]


def test_faces_are_shown_from_the_surest_on_for_each_run(searched: Path) -> None:
    page = (searched / "found" / "report.html").read_text("utf-8")
    first, second = page.split('<section class="run"')[1:]
    assert scores_on(first) == sorted(scores_on(first), reverse=True)
    assert len(scores_on(first)) >= 4
    assert scores_on(second) == scores_on(first)
    assert 'href="../frames/0.png"' in page
    assert "<option" in page


def test_nothing_is_asked_for_outside_the_page(searched: Path) -> None:
    page = (searched / "found" / "report.html").read_text("utf-8")
    assert "default-src 'none'; img-src data:" in page
    assert not re.findall(r'(?:src|srcset)="(?!data:)', page)


def test_tracks_are_shown_by_shot_and_lead_to_their_moment(video: Path) -> None:
    page = (video / "found" / "report.html").read_text("utf-8")
    assert "<b>sode" not in page  # names are escaped
    assert page.count('class="shot"') == 3
    tracks = page.count('class="track"')
    assert tracks == page.count("<dialog ") == len(scores_on(page)) >= 3
    assert re.search(r'href="\.\./epi%3Cb%3Esode\.mp4#t=\d', page)


def test_the_slider_fades_what_is_below_it_and_names_the_option(searched: Path) -> None:
    with launched() as browser, opened(browser, searched / "found" / "report.html") as watched:
        page = watched.page
        run = page.locator(".run").first
        assert run.locator(".keep").is_hidden()
        run.locator(".threshold").fill("1")
        assert run.locator(".face.under").count() == run.locator(".face").count()
        assert run.locator(".count").inner_text().startswith("0 of ")
        assert run.locator(".keep").inner_text().endswith("--score 1")
        run.locator(".threshold").fill("0")
        assert run.locator(".face.under").count() == 0
        page.locator("#run").select_option("1")
        assert run.is_hidden()


def test_a_click_on_the_timeline_shows_the_frame(video: Path) -> None:
    with launched() as browser, opened(browser, video / "found" / "report.html") as watched:
        page = watched.page
        page.locator(".track").first.click()
        shown = page.locator("dialog[open]")
        assert shown.count() == 1
        assert shown.locator("img").evaluate("image => image.naturalWidth") >= 100
        page.keyboard.press("Escape")
        assert page.locator("dialog[open]").count() == 0


def test_a_video_that_lies_elsewhere_is_said(video: Path, tmp_path: Path) -> None:
    assert address_from(tmp_path, tmp_path / "none.mp4") is None
    assert address_from(video / "found", video / "epi<b>sode.mp4") == "../epi%3Cb%3Esode.mp4"


def test_there_is_no_page_where_none_is_wanted(tmp_path: Path) -> None:
    frames = save_frames(tmp_path / "frames", 1)
    detect(frames, "--out", tmp_path / "a", "--no-report")
    detect(frames, "--out", tmp_path / "b", "--stream")
    assert not [*tmp_path.glob("?/report.html")]


def test_an_evaluation_replaces_the_page_and_nothing_else(searched: Path, tmp_path: Path) -> None:
    frames = save_frames(tmp_path / "frames", 2)
    out = tmp_path / "found"
    detect(frames, "--out", out)
    evaluate = ["evaluate", str(out), "--truth", str(frames)]
    success(CliRunner().invoke(main, evaluate))
    assert "Precision" in (out / "report.html").read_text("utf-8")
    again = CliRunner().invoke(main, evaluate)
    assert again.exit_code == 1  # now it is the evaluation's own
    detect(frames, "--out", tmp_path / "other")
    page = tmp_path / "other" / "report.html"
    page.write_text(page.read_text("utf-8") + "<!-- mine -->", "utf-8")
    refused = CliRunner().invoke(main, ["evaluate", str(page.parent), "--truth", str(frames)])
    assert refused.exit_code == 1
    assert "report.html" in refused.stderr


def result_of(scores: list[float], image: str = "a.png") -> FrameResult:
    count = len(scores)
    boxes = np.tile([2.0, 2.0, 12.0, 12.0], (count, 1))
    found = Detections(boxes, np.array(scores, np.float32), np.zeros((count, 5, 2), np.float32))
    return FrameResult(image, (20, 20), found, {}, 0.0)


PIXELS = np.zeros((20, 20, 3), np.uint8)


def keep_many(images: list[str]) -> KeptRun:
    found = KeptRun()
    for image in images:
        result = result_of([0.99] * 30 + [0.5] * 2 + [0.1], image)
        found.see_image(image, result, PIXELS)
    return found


def test_of_many_faces_some_of_every_score_are_kept_and_the_rest_counted() -> None:
    found = keep_many([f"{number}.png" for number in range(50)])
    scores = [round(face.score, 2) for face in found.faces]
    rooms = {0.99: galleries._IN_LAST_BAND, 0.5: galleries._IN_BAND, 0.1: galleries._IN_BAND}
    assert {score: scores.count(score) for score in scores} == rooms
    assert scores == sorted(scores, reverse=True)
    assert found.faces_left_out == 50 * 33 - sum(rooms.values())


def test_the_same_faces_are_kept_in_whatever_order_they_come() -> None:
    names = [f"{number}.png" for number in range(30)]
    assert keep_many(names).faces == keep_many(names[::-1]).faces


def test_those_kept_are_a_random_choice_of_all() -> None:
    images = [face.image for face in keep_many([f"{n:02}" for n in range(50)]).faces]
    assert len({*images}) > 40
    assert 40 < sum(image < "25" for image in images) < len(images) - 40


def test_few_faces_are_cut_out_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[Pixels] = []

    def encode(face: Pixels, _: int) -> bytes:
        cut.append(face)
        return b""

    monkeypatch.setattr(galleries, "encode_jpeg", encode)
    found = keep_many([f"{number}.png" for number in range(200)])
    assert len(found.faces) < len(cut) < 6 * len(found.faces)


def test_a_search_reads_each_image_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = save_frames(tmp_path / "frames", 3)
    read: list[Path] = []

    def load(path: Path) -> Pixels:
        read.append(path)
        return load_image(path)

    monkeypatch.setattr("facetl.search.pipeline.load_image", load)
    detect(frames, "--out", tmp_path / "found")
    assert sorted(read) == sorted(frames.glob("*.png"))
    assert scores_on((tmp_path / "found" / "report.html").read_text("utf-8"))


@pytest.mark.parametrize(("side", "expected"), [(400, 100), (140, 140), (150, 75), (30, 30)])
def test_pictures_are_shrunk_by_whole_numbers(side: int, expected: int) -> None:
    picture = np.zeros((side // 2, side, 3), np.uint8)
    picture[:, side // 2 :] = 200
    small = shrink_quickly(picture, 96)
    assert small.shape[1] == expected
    assert (small[:, 0].max(), small[:, -1].min()) == (0, 200)


def test_of_many_tracks_the_longest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(galleries, "MOST_TRACKS", 2)
    found, pixels = KeptRun(), np.zeros((20, 20, 3), np.uint8)
    for number, frames in ((1, 1), (2, 5), (3, 3)):
        for frame in range(frames):
            result = result_of([0.9])
            tracked = FrameResult(**{**vars(result), "time": frame / 10, "tracks": (number,)})
            found.add_frame("v.mp4", 0, tracked, pixels)
    found.close_tracks()
    assert [track.number for track in found.tracks] == [2, 3]
    assert found.tracks_left_out == 1
    assert [track.frames for track in found.tracks] == [5, 3]
