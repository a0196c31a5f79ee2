"""The page on which frames are annotated, in a browser: keys, pointers, widths, a whole road."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Watched, launched, visiting
from drawn_videos import pan
from keyed_annotator import KeyedAnnotator
from outcomes import PATIENCE
from playwright.sync_api import Browser, Page
from served_page import Served, draw_episode, project_of, serving

from facetl.boxes import Boxes, clip, iou
from facetl.data.dataset import load_dataset
from facetl.data.project import Project

SCENES, LENGTH = 8, 6
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True
}  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def picked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn episode whose frames are picked already."""
    path = draw_episode(tmp_path_factory.mktemp("show") / "episode.mp4", SCENES, LENGTH)
    with serving(path, "--every", str(LENGTH)):
        return path


@pytest.fixture
def episode(picked: Path, tmp_path: Path) -> Path:
    shutil.copytree(picked.parent, tmp_path / "show")
    return tmp_path / "show" / picked.name


@pytest.fixture
def served(episode: Path) -> Iterator[Served]:
    with serving(episode) as served:
        yield served


@pytest.fixture
def shown(browser: Browser, served: Served) -> Iterator[Watched]:
    with visiting(browser, served.address, **DESKTOP) as watched:
        watched.page.wait_for_selector("#boxes rect")
        yield watched


def person_at(page: Page) -> KeyedAnnotator:
    return KeyedAnnotator(page, true_boxes, drags=False)


def true_boxes(name: str) -> Boxes:
    """Return the faces of a frame of which at least a third is in the picture."""
    index = int(Path(name).stem)
    _, boxes = list(pan(index // LENGTH, LENGTH))[index % LENGTH]
    inside = clip(boxes, (240, 320))
    sides = inside[:, 2:] - inside[:, :2]
    whole = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(inside[sides.prod(axis=1) > whole.prod(axis=1) / 3].round())


def record(person: KeyedAnnotator, number: int | None = None) -> dict[str, Any]:
    number = person.current() if number is None else number
    found: dict[str, Any] = person.state()["frames"][str(number)]
    return found


def corners_of(person: KeyedAnnotator, number: int | None = None) -> list[list[float]]:
    return [box["corners"] for box in record(person, number)["boxes"]]


def point_of(page: Page, x: float, y: float) -> tuple[float, float]:
    """Return where a pixel of the picture, of 320 × 240, is in the window."""
    edges = page.locator("#boxes").bounding_box()
    assert edges is not None
    return edges["x"] + x / 320 * edges["width"], edges["y"] + y / 240 * edges["height"]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*point_of(page, *start))
    page.mouse.down()
    page.mouse.move(*point_of(page, *end), steps=4)
    page.mouse.up()


# ---- keys


def test_the_secret_does_not_stay_in_the_address(shown: Watched, served: Served) -> None:
    assert shown.page.url == f"http://127.0.0.1:{served.port}/"
    assert served.key not in shown.page.evaluate("document.cookie")
    shown.page.reload()
    shown.page.wait_for_selector("#boxes rect")


def test_space_says_all_is_right_and_goes_on(shown: Watched, episode: Path) -> None:
    person = person_at(shown.page)
    first, boxes = person.current(), corners_of(person)
    person.press("Space")
    assert person.current() != first
    assert (record(person, first)["state"], corners_of(person, first)) == ("done", boxes)
    (frame,) = load_dataset(project_of(episode))
    assert frame.boxes.tolist() == boxes
    assert shown.page.inner_text("#count") == f"1 of {SCENES} done"


def test_boxes_are_drawn_moved_sized_deleted_and_everything_undone(shown: Watched) -> None:
    person, page = person_at(shown.page), shown.page
    number, before = person.current(), corners_of(person)
    person.press("d")
    drag(page, (100, 50), (150, 110))
    drawn: list[float] = [100, 50, 150, 110]
    assert np.abs(np.subtract(corners_of(person)[-1], drawn)).max() <= 1
    drawn = corners_of(person)[-1]
    for key, change in {
        "Alt+ArrowRight": (1, 0, 1, 0),
        "Alt+ArrowUp": (0, -1, 0, -1),
        "ArrowDown": (0, 2, 0, 2),
        "Shift+ArrowLeft": (0, 0, -2, 0),
        "Alt+Shift+ArrowDown": (0, 0, 0, 1),
    }.items():
        person.press(key)
        drawn = [corner + by for corner, by in zip(drawn, change, strict=True)]
        assert corners_of(person)[-1] == drawn
    person.press("x")
    assert corners_of(person) == before
    for _ in range(7):
        person.press("u")
    assert corners_of(person) == before
    assert person.current() == number
    assert page.locator("[data-do=undo]").is_disabled()


def test_two_clicks_draw_as_a_drag_does_and_enter_puts_a_box_in_the_middle(shown: Watched) -> None:
    person, page = person_at(shown.page), shown.page
    person.press("d")
    for x, y in ((200, 60), (160, 20)):
        page.mouse.click(*point_of(page, x, y))
    assert np.abs(np.subtract(corners_of(person)[-1], [160, 20, 200, 60])).max() <= 1
    person.press("d")
    person.press("Enter")
    x1, y1, x2, y2 = corners_of(person)[-1]
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == (160, 120)


def test_boxes_follow_the_pointer_and_their_handles(shown: Watched) -> None:
    person, page = person_at(shown.page), shown.page
    person.press("n")
    person.press("d")
    drag(page, (200, 20), (260, 80))
    x1, y1, x2, y2 = corners_of(person)[-1]
    drag(page, (230, 50), (220, 60))
    assert corners_of(person)[-1] == pytest.approx([x1 - 10, y1 + 10, x2 - 10, y2 + 10], abs=1)
    x1, y1, x2, y2 = corners_of(person)[-1]
    drag(page, (x1, y1), (x1 - 20, y1 - 15))
    assert corners_of(person)[-1] == pytest.approx([x1 - 20, y1 - 15, x2, y2], abs=1)
    drag(page, (x2, (y1 + y2 - 15) / 2), (x2 + 300, y1))
    assert corners_of(person)[-1] == pytest.approx([x1 - 20, y1 - 15, 320, y2], abs=1)


def test_no_face_and_skip(shown: Watched) -> None:
    person = person_at(shown.page)
    first = person.current()
    person.press("n")
    second = person.current()
    person.press("s")
    assert (record(person, first)["state"], corners_of(person, first)) == ("done", [])
    assert record(person, second)["state"] == "skipped"
    person.press(",")
    assert person.current() == second
    person.press(".")
    assert record(person)["state"] == "waiting"


def test_labels_are_completed_and_have_keys(shown: Watched) -> None:
    person, page = person_at(shown.page), shown.page
    nasty = "<img src=x onerror=alert(1)>"
    for label in ("Anna", nasty):
        person.press("l")
        page.locator("#label-text").fill(label)
        page.keyboard.press("Enter")
    box = person._chosen()
    assert [each["label"] for each in record(person)["boxes"] if each["id"] == box] == [nasty]
    assert page.locator("#boxes text").first.inner_html().startswith("&lt;img")
    page.locator("#labels button").nth(1).wait_for()
    person.press("2")
    assert [each["label"] for each in record(person)["boxes"] if each["id"] == box] == ["Anna"]
    person.press("l")
    known = page.evaluate("[...document.querySelectorAll('#known option')].map((o) => o.value)")
    assert known == ["Anna", nasty]
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "stage"


def test_the_wheel_zooms_where_the_pointer_is(shown: Watched) -> None:
    page = shown.page
    x, y = point_of(page, 80, 60)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -600)
    page.wait_for_function("document.querySelector('#sheet').style.transform.includes('scale(3')")
    assert point_of(page, 80, 60) == pytest.approx((x, y), abs=4)  # whole pixels, enlarged
    person = person_at(page)
    person.press("d")
    drag(page, (70, 50), (90, 70))
    assert np.abs(np.subtract(corners_of(person)[-1], [70, 50, 90, 70])).max() <= 1
    person.press("0")
    page.wait_for_function("document.querySelector('#sheet').style.transform.includes('scale(1)')")


def test_tab_goes_through_the_boxes_and_escape_leaves_the_frame(shown: Watched) -> None:
    person = person_at(shown.page)
    while len(record(person)["boxes"]) < 2:
        person.press(".")
    ids = [box["id"] for box in record(person)["boxes"]]
    seen = []
    for _ in ids:
        person.press("Tab")
        seen.append(person._chosen())
    assert sorted(each for each in seen if each is not None) == sorted(ids)
    person.press("Escape")
    assert shown.page.evaluate("document.activeElement.dataset.do") == "accept"
    person.press("Tab")
    assert shown.page.evaluate("document.activeElement.dataset.do") == "delete"


def test_a_screen_reader_is_told_in_words(shown: Watched) -> None:
    said = shown.page.locator("#say")
    assert said.get_attribute("aria-live") == "polite"
    assert said.inner_text().startswith(f"Frame 1 of {SCENES}, waiting: ")
    person_at(shown.page).press("d")
    assert said.inner_text().startswith("Draw: ")
    unnamed = shown.page.evaluate(
        "[...document.querySelectorAll('button, img, input')].filter((each) => !(each.innerText "
        "|| each.getAttribute('aria-label') || each.labels?.length || each.alt === '')).length"
    )
    assert unnamed == 0


# ---- others, and no others


def test_a_change_from_another_tab_is_told_and_kept(
    browser: Browser, served: Served, shown: Watched
) -> None:
    person = person_at(shown.page)
    number = person.current()
    with visiting(browser, served.address, **DESKTOP) as other:
        other.page.wait_for_selector("#boxes rect")
        other.page.evaluate(f"import('/page/state.js').then((own) => {{ own.S.at = {number}; }})")
        other.page.keyboard.press("n")
        other.page.wait_for_function("document.querySelector('#count').innerText.startsWith('1')")
        person_at(other.page).state()
    shown.expected = ["409"]
    person.press("x")
    shown.page.wait_for_selector("#notice:has-text('changed elsewhere')")
    assert (record(person, number)["state"], corners_of(person, number)) == ("done", [])


def test_the_page_says_when_nothing_can_be_saved(shown: Watched, served: Served) -> None:
    shown.expected = ["ERR_"]
    served.process.kill()
    served.process.wait()
    shown.page.keyboard.press("n")
    shown.page.wait_for_selector("#notice:has-text('Not saved: facetl annotate has ended')")


# ---- widths


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("options", [DESKTOP, PHONE, {"viewport": {"width": 820, "height": 1180}}])
def test_everything_fits_and_can_be_touched(
    browser: Browser, served: Served, options: dict[str, Any], scheme: Any
) -> None:
    with visiting(browser, served.address, color_scheme=scheme, **options) as watched:
        page = watched.page
        page.wait_for_selector("#strip img")
        width, height = options["viewport"].values()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for button in page.locator("#tools button, header button").all():
            edges = button.bounding_box()
            assert edges is not None
            assert edges["x"] >= 0
            assert edges["x"] + edges["width"] <= width
            assert edges["y"] + edges["height"] <= height
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        stage = page.locator("#stage").bounding_box()
        assert stage is not None
        assert stage["height"] > 0.5 * height


def test_fingers_annotate_as_well(browser: Browser, served: Served) -> None:
    with visiting(browser, served.address, **PHONE) as watched:
        page = watched.page
        page.wait_for_selector("#boxes rect")
        person = person_at(page)
        number, count = person.current(), len(corners_of(person))
        page.tap("[data-do=draw]")
        for x, y in ((100, 100), (150, 160)):
            page.touchscreen.tap(*point_of(page, x, y))
        assert len(corners_of(person)) == count + 1
        page.tap("[data-do=accept]")
        assert record(person, number)["state"] == "done"


# ---- the whole road


def test_from_an_episode_to_a_detector_by_keys_alone(browser: Browser, episode: Path) -> None:
    with (
        serving(episode, "--budget", "20s") as served,
        visiting(browser, served.address, **DESKTOP) as watched,
    ):
        page = watched.page
        page.wait_for_selector("#boxes rect")
        person = person_at(page)
        while any(each["state"] == "waiting" for each in person.state()["frames"].values()):
            person.correct()
        assert "drag" not in person.taken
        assert person.actions < 60 * SCENES  # arrows too, where boxes are drawn by keys alone
        frames = load_dataset(project_of(episode)).frames
        assert len(frames) == SCENES
        for frame in frames:
            truth = true_boxes(frame.path.name)
            assert len(frame.boxes) == len(truth)
            assert (iou(truth, frame.boxes).max(axis=1, initial=0) >= person.tolerance).all()
        page.click("#retrain")
        page.wait_for_selector("#notice:has-text('Retraining')")
        page.wait_for_selector("#notice:has-text('faces found')")
        told = page.inner_text("#notice-text")
        project = Project.open(project_of(episode))
        assert len(project.rounds) == 1
        before, after = (project.rounds[0].comparison[each] for each in ("before", "after"))
        faces = project.rounds[0].comparison["faces"]
        assert f"before: {before['found']} of {faces} faces found, " in told
        assert f"now {after['found']} and {after['false_alarms']} " in told
        assert told.startswith("Better: " if project.used else "Not better")
        page.click("#notice-buttons button:last-child")
        page.wait_for_selector("#notice:has-text('its boxes are suggested now')")
        assert Project.open(project_of(episode)).used == 1 - project.used
        page.click("#search")
        page.wait_for_selector("#notice:has-text('tracks in')")
        assert list(Project.open(project_of(episode)).results.glob("*.detections.json"))


def test_once_none_waits_a_key_picks_more_frames(shown: Watched) -> None:
    page, person = shown.page, person_at(shown.page)
    known = set(person.state()["frames"])
    person.press("m")  # does nothing while frames wait
    assert person.state()["project"]["job"] is None
    assert not page.is_visible("#more")
    while any(each["state"] == "waiting" for each in person.state()["frames"].values()):
        person.press("s")
    page.wait_for_selector("#more:visible")
    assert set(person.state()["frames"]) == known
    person.press("m")
    page.wait_for_selector("#notice:has-text('picked ')")
    page.wait_for_selector("#more", state="hidden")
    assert set(person.state()["frames"]) > known
    number = person.current()
    assert (str(number) in known, record(person, number)["state"]) == (False, "waiting")


# ---- what was found


def test_the_report_opens_the_video_at_the_moment(shown: Watched) -> None:
    page = shown.page
    page.click("#search")
    page.wait_for_selector("#notice:has-text('tracks in')")
    with page.expect_popup() as opened:
        page.click("#report")
    report = opened.value
    report.locator("[data-open]:visible").last.click()
    with report.expect_popup() as opened:
        report.click("dialog[open] a")
    film = opened.value
    start = float(film.url.partition("#t=")[2])
    assert start > 0
    wait_for_time(film, start, 1e9)
    film.evaluate("document.querySelector('video').currentTime = 0.2")
    wait_for_time(film, 0.2, start)


def wait_for_time(film: Page, least: float, most: float) -> None:
    """Wait until a video shows a frame at some time, in seconds."""
    for _ in range(10 * PATIENCE):
        ready, time = film.evaluate(
            "(({ readyState, currentTime }) => [readyState, currentTime])"
            "(document.querySelector('video'))"
        )
        if ready >= 2 and least - 0.01 <= time <= most:
            return
        film.wait_for_timeout(100)
    pytest.fail(f"it is at {time} s, in state {ready}")
