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
from facetl.results.detections import Detections, FrameResult
from facetl.search import gallery as galleries
from facetl.search.gallery import Gallery, KeptRun
from facetl.search.pipeline import NamedImage, Searched


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
    from facetl.commands.search_page import _link

    assert _link(tmp_path / "none.mp4", tmp_path) is None
    assert _link(video / "epi<b>sode.mp4", video / "found") == "../epi%3Cb%3Esode.mp4"


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


def test_of_many_faces_some_of_every_score_are_kept_and_the_rest_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(galleries, "_cut_faces", lambda places: [p.score for p in places])
    found = KeptRun()
    image = NamedImage("a.png", tmp_path / "a.png")
    for _ in range(50):
        found.add_image(image, result_of([0.99] * 30 + [0.5] * 2 + [0.1]))
    places = [len(band.faces) for band in found._bands if band.seen]
    assert places == [galleries._IN_BAND, galleries._IN_BAND, galleries._IN_LAST_BAND]
    assert sum(band.seen for band in found._bands) == 50 * 33


def test_an_image_that_is_gone_costs_its_faces_alone(tmp_path: Path) -> None:
    gallery = Gallery(["run"])
    folder = save_frames(tmp_path, 1)
    for name in ("0.png", "gone.png"):
        image = NamedImage(name, folder / name)
        gallery.take(Searched(image, {"run": result_of([0.9], name)}))
    gallery.finish()
    assert [face.image for face in gallery.found["run"].faces] == ["0.png"]
    assert gallery.found["run"].faces_left_out == 1


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
