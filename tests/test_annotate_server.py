"""The page's server: whom it answers, and that nothing is lost, whenever it is killed."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import numpy as np
import pytest
from click.testing import CliRunner
from outcomes import assert_refused, contents
from served_page import Served, change, draw_episode, project_of, serving

from facetl.annotating.server import POLICY
from facetl.cli import main
from facetl.data.dataset import load_dataset
from facetl.data.images import save_image

SCENES = 5


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn video whose frames are picked already."""
    path = tmp_path_factory.mktemp("show") / "episode.mp4"
    draw_episode(path, SCENES)
    with serving(path, "--every", "3") as served:
        assert len(served.told("GET", "/state")["frames"]) >= SCENES
    return path


@pytest.fixture
def own_episode(episode: Path, tmp_path: Path) -> Path:
    shutil.copytree(episode.parent, tmp_path / "show")
    return tmp_path / "show" / episode.name


@pytest.fixture(scope="module")
def served(episode: Path) -> Iterator[Served]:
    with serving(episode) as served:
        yield served


# ---- who is answered


def test_the_page_and_its_parts_are_served_to_whoever_knows_the_secret(served: Served) -> None:
    status, headers, page = served.ask("GET", f"/?key={served.key}", Cookie=None)
    assert status == 200
    assert headers["content-security-policy"] == POLICY
    assert "HttpOnly; SameSite=Strict" in headers["set-cookie"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert b"facetl annotate" in page
    for name in ("annotate.js", "stage.js", "state.js", "work.js", "annotate.css", "common.css"):
        status, headers, _ = served.ask("GET", f"/page/{name}")
        assert (status, headers["content-security-policy"]) == (200, POLICY)
        assert "set-cookie" not in headers
    assert served.ask("GET", "/frames/0")[1]["content-type"] == "image/png"
    assert served.ask("GET", "/small/0")[1]["content-type"] == "image/webp"


PATHS = (
    "/",
    "/state",
    "/job",
    "/frames/0",
    "/small/0",
    "/page/annotate.js",
    "/report",
    "/gone",
    "/episode.mp4",
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("cookie", [None, "facetl-{port}=", "facetl-{port}=guess", "other={key}"])
def test_nobody_is_answered_without_the_secret(
    served: Served, path: str, cookie: str | None
) -> None:
    told = cookie.format(port=served.port, key=served.key) if cookie else None
    for query in ("", "?key=", "?key=guess"):
        status, headers, data = served.ask("GET", path + query, Cookie=told)
        assert (status, "set-cookie" in headers) == (403, False)
        assert served.key.encode() not in data
    assert served.ask("POST", "/undo", {"edition": 0}, Cookie=told)[0] == 403


def test_the_secret_in_the_address_opens_nothing_but_the_page(served: Served) -> None:
    assert served.ask("GET", f"/state?key={served.key}", Cookie=None)[0] == 403
    assert served.ask("POST", f"/undo?key={served.key}", {"edition": 0}, Cookie=None)[0] == 403
    assert served.ask("POST", f"/?key={served.key}", {}, Cookie=None)[0] == 403


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:{port}.evil",
        "localhost.evil.example:{port}", "127.0.0.1:{port}@evil", "[::1]:{port}", "", None,
        "127.0.0.1:{port}/?x=", "127.0.0.1:{port}#",
    ],
)  # fmt: skip
def test_no_other_host_is_answered(served: Served, host: str | None) -> None:
    """As after DNS rebinding, where the browser would even send the cookie."""
    told = None if host is None else host.format(port=served.port)
    for path in ("/state", f"/?key={served.key}"):
        assert served.ask("GET", path, Host=told)[0] in (400, 403)
    assert served.ask("POST", "/undo", {"edition": 0}, Host=told)[0] in (400, 403)


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "http://127.0.0.1", "https://127.0.0.1:{port}",
     "http://127.0.0.1:{port}.evil", "http://127.0.0.1:{port}/", "file://"],
)  # fmt: skip
def test_no_other_origin_changes_anything(served: Served, origin: str | None) -> None:
    told = origin and origin.format(port=served.port)
    before = served.told("GET", "/state")
    for path in ("/undo", "/frames/0", "/retrain", "/search", "/more", "/stop", "/use"):
        body = {**change(0, [], "done"), "edition": 0, "round": 0}
        assert served.ask("POST", path, body, Origin=told)[0] == 403
    assert served.told("GET", "/state") == before


@pytest.mark.parametrize(
    "path",
    [
        "/page/../server.py", "/page/..%2fserver.py", "/page/%2e%2e/server.py", "/page/server.py",
        "/page/....//server.py", "/page//etc/passwd", "/page/annotate.html%00.css", "//etc/passwd",
        "/frames/../../etc/passwd", "/frames/-1", "/frames/99999", "/frames/0/../../state.txt",
        "/small/99999999999999999999", "/frames/%2e%2e%2f%2e%2e%2fproject.json", "/project.json",
        "/page/..\\server.py", "/report/../project.json",
    ],
)  # fmt: skip
def test_no_path_leads_out(served: Served, path: str) -> None:
    status, _, data = served.ask("GET", path)
    assert status == 404, data[:200]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "FOO"])
def test_other_methods_do_nothing(served: Served, method: str) -> None:
    assert served.ask(method, "/frames/0")[0] in (400, 403, 404, 405)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000, b'{"revision": 0}',
        b'{"revision": "0", "boxes": [], "state": "done"}',
        b'{"revision": true, "boxes": [], "state": "done"}',
        b'{"revision": 0, "boxes": {}, "state": "done"}',
        b'{"revision": 0, "boxes": [1], "state": "done"}',
        b'{"revision": 0, "boxes": [{"id": [], "corners": null}], "state": "done"}',
        b'{"revision": 0, "boxes": [{"corners": [0, 0, 1e999, 9]}], "state": "done"}',
        b'{"revision": 0, "boxes": [], "state": []}',
    ],
)  # fmt: skip
def test_bodies_that_make_no_sense_are_refused_in_a_line(served: Served, body: bytes) -> None:
    before = served.told("GET", "/state")
    for path in ("/frames/0", "/frames/99999"):
        status, _, data = served.ask("POST", path, body)
        assert status in (400, 409)
        assert "\n" not in json.loads(data)["error"]
    assert served.told("GET", "/state") == before


def test_a_body_without_an_end_is_refused(served: Served) -> None:
    assert served.ask("POST", "/frames/0", b" " * 2_000_000)[0] == 413


def test_only_this_machine_is_served(served: Served) -> None:
    others = {str(each[4][0]) for each in socket.getaddrinfo(socket.gethostname(), None)}
    for address in others - {"127.0.0.1", "::1"}:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((address, served.port), timeout=2)


def test_retraining_and_searching_say_what_they_lack(served: Served) -> None:
    status, _, data = served.ask("POST", "/retrain", {})
    assert (status, b"5 more frames to do" in data) == (400, True)
    assert served.ask("GET", "/report")[0] == 404
    assert served.ask("POST", "/use", {"round": 7})[0] == 400


# ---- what was searched


@pytest.fixture(scope="module")
def searched(episode: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A project of a video and a folder, searched, so that its page links to what is in them."""
    folder = tmp_path_factory.mktemp("searched")
    shutil.copy(episode, folder / "a film.mp4")
    save_image(folder / "stills" / "one.png", np.full((240, 320, 3), 128, np.uint8))
    (folder / "stills" / "notes.txt").write_text("private")
    place = folder / "kept.faces"
    sources = [folder / "a film.mp4", folder / "stills"]
    with serving(sources[0], str(sources[1]), "--out", str(place), "--every", "3") as served:
        assert served.ask("GET", "/a%20film.mp4")[0] == 404  # nothing links to it yet
        served.told("POST", "/search", {})
        assert wait_for_end(served)["state"] == "finished"
        yield served


def links_of(served: Served) -> set[str]:
    page = served.ask("GET", "/report")[2].decode()
    root = f"http://127.0.0.1:{served.port}/report"
    return {urlsplit(urljoin(root, each)).path for each in re.findall(r'<a href="([^"]+)"', page)}


def test_what_the_report_links_to_is_served_whole_and_in_parts(searched: Served) -> None:
    links = links_of(searched)
    assert "/a%20film.mp4" in links
    for link in links:
        status, headers, whole = searched.ask("GET", link)
        assert (status, headers["accept-ranges"]) == (200, "bytes")
        assert "media-src 'self'" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]
        assert headers["content-type"] in ("video/mp4", "image/png")
        status, headers, part = searched.ask("GET", link, Range="bytes=10-19")
        assert (status, part) == (206, whole[10:20])
        assert headers["content-range"] == f"bytes 10-19/{len(whole)}"
        assert searched.ask("GET", link, Range=f"bytes={len(whole)}-")[0] == 416
    assert searched.ask("GET", "/stills/one.png")[0] == 200


def test_what_was_searched_is_for_those_who_know_the_secret(searched: Served) -> None:
    for cookie in (None, f"facetl-{searched.port}=guess"):
        status, _, data = searched.ask("GET", "/a%20film.mp4", Cookie=cookie)
        assert (status, len(data) < 200) == (403, True)
    address = f"/a%20film.mp4?key={searched.key}"
    assert searched.ask("GET", address, Cookie=None)[0] == 403
    assert searched.ask("GET", "/a%20film.mp4", Host="evil.example")[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/stills/notes.txt", "/stills", "/stills/", "/kept.faces/project.json", "/film.mp4",
        "/stills/../stills/one.png", "/stills/..%2fkept.faces/project.json", "/a%20film.mp4/",
        "//a%20film.mp4", "/../a%20film.mp4", "/%2e%2e/a%20film.mp4", "/a%20film.mp4%00", "/.",
        "/kept.faces/annotate.json", "/stills/%2e%2e/a%20film.mp4",
    ],
)  # fmt: skip
def test_nothing_else_is_served_beside_it(searched: Served, path: str) -> None:
    assert searched.ask("GET", path)[0] == 404


# ---- nothing is lost


def test_two_tabs_tell_each_other(own_episode: Path) -> None:
    with serving(own_episode) as served:
        seen = served.told("GET", "/state")
        served.finish(0, [{"corners": [1, 2, 40, 50], "label": "ann"}])
        status, _, data = served.ask("POST", "/frames/0", change(0, [], "done"))
        assert (status, b"changed elsewhere" in data) == (409, True)
        assert served.ask("POST", "/undo", {"edition": seen["edition"]})[0] == 409
        assert [len(frame.boxes) for frame in load_dataset(project_of(own_episode))] == [1]


def test_one_project_is_annotated_by_one_command_at_a_time(own_episode: Path) -> None:
    with serving(own_episode):
        words = ["annotate", str(own_episode), "--no-browser"]
        assert_refused(CliRunner().invoke(main, words), "another facetl command is writing there")


def wait_for_end(served: Served) -> dict[str, Any]:
    """Wait until no job is running; return how the last one ended."""
    while (job := served.told("GET", "/job")["project"]["job"])["state"] == "running":
        time.sleep(0.1)
    ended: dict[str, Any] = job
    return ended


def test_more_frames_are_picked_that_are_unlike_those_before(tmp_path: Path) -> None:
    path = draw_episode(tmp_path / "episode.mp4", SCENES)
    with serving(path, "--every", "3", "--count", "2") as served:
        for expected in (4, SCENES):
            served.told("POST", "/more", {})
            ended = wait_for_end(served)
            assert ended["message"].startswith("picked "), ended
            frames = served.told("GET", "/state")["frames"]
            assert len(frames) >= min(expected, SCENES)
            assert len({each["name"] for each in frames.values()}) == len(frames)
            for number in frames:
                assert served.ask("GET", f"/frames/{number}")[0] == 200
        path.unlink()
        served.told("POST", "/more", {})
        ended = wait_for_end(served)
        assert (ended["state"], "no source to pick" in ended["message"]) == ("failed", True)


def test_it_ends_in_one_line_and_resumes(own_episode: Path) -> None:
    with serving(own_episode) as served:
        served.finish(1, [])
        served.process.send_signal(signal.SIGINT)
        assert served.process.stdout is not None
        assert served.process.stdout.read().startswith("1 frame done, ")
        assert served.process.wait(60) == 0
    before = contents(project_of(own_episode))
    with serving(project_of(own_episode)) as served:
        assert served.told("GET", "/state")["frames"]["1"]["state"] == "done"
    after = contents(project_of(own_episode))
    assert {name for name in before if before[name] != after.get(name)} <= {"annotate.json"}


def test_kills_at_random_moments_lose_no_answered_change(own_episode: Path) -> None:
    """Whatever was answered is there after kill -9, and what was not is there whole or not."""
    random.seed(int(os.environ.get("FACETL_SEED", "1")))
    sure: dict[int, tuple[str, list[list[float]]]] = {}
    for _ in range(int(os.environ.get("FACETL_KILLS", "6"))):
        with serving(own_episode) as served:
            state = served.told("GET", "/state")
            frames = {int(number): each for number, each in state["frames"].items()}
            for number, (kind, boxes) in sure.items():
                found = [box["corners"] for box in frames[number]["boxes"]]
                assert (frames[number]["state"], found) == (kind, boxes)
            tried = change_until_killed(served, frames, sure, random.uniform(0.02, 0.7))
        check_files(project_of(own_episode), sure, tried)


def change_until_killed(
    served: Served, frames: dict[int, Any], sure: dict[int, Any], seconds: float
) -> int | None:
    """Change frames at random until the process is killed; return which was being changed."""
    revisions = {number: each["revision"] for number, each in frames.items()}
    threading.Timer(seconds, served.process.kill).start()
    while True:
        number = random.choice(list(frames))
        left, kind = random.randrange(200), random.choice(["done", "waiting", "skipped"])
        boxes = [[left, 5, left + 30, 50 + k] for k in range(random.randrange(3))]
        sent = change(revisions[number], [{"corners": each} for each in boxes], kind)
        before = sure.pop(number, None)
        try:
            answer = served.told("POST", f"/frames/{number}", sent)
        except (OSError, http.client.HTTPException):
            return number
        del before
        for changed in answer["changed"]:
            record = answer["frames"][str(changed)]
            revisions[changed] = record["revision"]
            corners = [box["corners"] for box in record["boxes"]]
            sure[changed] = (record["state"], corners)


def check_files(project: Path, sure: dict[int, Any], tried: int | None) -> None:
    """See that the files alone say what was answered: text, pictures, one place for each."""
    records = json.loads((project / "annotate.json").read_text())["frames"]
    text = project / "frames" / "episode.mp4_annotations.txt"
    lines = text.read_text().splitlines() if text.exists() else []
    for number, (kind, boxes) in sure.items():
        if number == tried:
            continue
        name = records[number]["name"]
        places = [folder for folder in ("frames", "waiting") if (project / folder / name).exists()]
        assert places == ["frames" if kind == "done" else "waiting"]
        found = [line.split()[1:] for line in lines if line.startswith(Path(name).name)]
        expected = boxes if kind == "done" else []
        assert [[float(word) for word in words] for words in found] == expected
