"""Data sets that are annotated already: mended where they are, and nothing else of them changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from drawn_frames import draw_frame
from outcomes import assert_refused, contents, success
from served_page import serving
from test_annotate_server import wait_for_end
from test_annotating import told

from facetl.annotating.session import Session
from facetl.cli import main
from facetl.commands.annotate import prepare
from facetl.commands.requests import AnnotateRequest
from facetl.data.dataset import load_dataset
from facetl.data.formats.course import save_annotations
from facetl.data.images import save_image
from facetl.data.project import Project
from facetl.reporting import Reporter

COUNT = 3
WRONG = [400.0, 300.0, 460.0, 350.0]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Drawn frames; in the first, the first face is missing and there is one that is none."""
    folder, faces = tmp_path / "show", {}
    for index in range(COUNT):
        drawn = draw_frame(seed=1, part="train", index=index)
        save_image(folder / f"{index}.png", drawn.image)
        boxes, labels = drawn.boxes, list[str | None](drawn.labels)
        if not index:
            boxes, labels = np.array([*boxes[1:], WRONG]), [*labels[1:], None]
        faces[f"{index}.png"] = boxes, labels
    save_annotations(folder / "faces.txt", faces)
    return folder


@pytest.fixture
def coco(course: Path, tmp_path: Path) -> Path:
    """The same as COCO, with what only COCO has."""
    out = tmp_path / "coco"
    success(CliRunner().invoke(main, ["convert", str(course), str(out), "--to", "coco"]))
    path = out / "annotations.json"
    document = json.loads(path.read_text())
    document["licenses"] = [{"id": 7}]
    document["annotations"][0]["attributes"] = {"occluded": True}
    crowd = {"id": 900, "image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 20], "iscrowd": 1}
    document["annotations"].append(crowd)
    path.write_text(json.dumps(document))
    return out


def opened(folder: Path, reporter: Reporter | None = None) -> Session:
    out = folder.with_name(f"{folder.name}.faces")
    request = AnnotateRequest((folder,), out, workers=1)
    return prepare(request, *[reporter] if reporter else []).session


def of_first(session: Session) -> int:
    (number,) = (n for n, record in enumerate(session.frames) if record.name.endswith("/0.png"))
    return number


def faces_in(folder: Path) -> list[Any]:
    """Return name and faces of each frame; the order of the faces plays no part."""
    return [
        [frame.name, sorted(zip(frame.boxes.tolist(), map(str, frame.labels), strict=True))]
        for frame in load_dataset(folder)
    ]


@pytest.mark.parametrize("form", ["course", "coco"])
def test_what_the_detector_sees_otherwise_is_doubtful_and_comes_first(
    form: str, request: pytest.FixtureRequest
) -> None:
    session = opened(request.getfixturevalue(form))
    number = of_first(session)
    assert session.order[0] == number
    doubtful = [box for box in session.frames[number].boxes if not box.is_sure]
    assert any(box.score is None and list(box.corners) == WRONG for box in doubtful)
    assert session.count("waiting") == COUNT


@pytest.mark.parametrize("form", ["course", "coco"])
def test_one_frame_is_mended_and_all_else_stays(form: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(form)
    before = faces_in(folder)
    session = opened(folder)
    number = of_first(session)
    record = session.frames[number]
    right = [box for box in told(record) if box["corners"] != WRONG]
    right.append({"id": None, "corners": [10, 10, 60.5, 70], "label": "new"})
    session.change(number, record.revision, right, "done")
    after = faces_in(folder)
    assert after[1:] == before[1:]
    assert ([10, 10, 60.5, 70], "new") in after[0][1]
    assert WRONG not in [corners for corners, _ in after[0][1]]
    (kept,) = folder.rglob("*.bak")
    assert kept.read_bytes() != kept.with_suffix("").read_bytes()
    found = opened(folder)
    assert found.frames[of_first(found)].state == "done"
    found.undo(found.edition)
    assert faces_in(folder) == before


def test_a_data_set_that_is_mended_is_trained_on_beside_it(course: Path) -> None:
    for index in range(COUNT, 8):
        drawn = draw_frame(seed=1, part="train", index=index)
        save_image(course / f"{index}.png", drawn.image)
        add_faces(course / "faces.txt", f"{index}.png", drawn.boxes)
    before = contents(course)
    with serving(course, "--budget", "15s") as served:
        state = served.told("GET", "/state")
        number = next(n for n, each in state["frames"].items() if each["name"].endswith("/1.png"))
        served.finish(int(number), state["frames"][number]["boxes"])
        assert state["project"]["obstacle"] == ""
        assert served.ask("POST", "/more", {})[0] == 400
        served.told("POST", "/retrain", {})
        ended = wait_for_end(served)
        assert ended["state"] == "finished", ended
        assert "held out" in ended["message"]
        outcome = ended["outcome"]
        served.told("POST", "/use", {"round": outcome["before" if outcome["is_used"] else "round"]})
        assert "sees otherwise is doubtful now" in wait_for_end(served)["message"]
        boxes = {
            each["name"]: each["boxes"] for each in served.told("GET", "/state")["frames"].values()
        }
    project = Project.open(course.with_name("show.faces"))
    (finished,) = project.rounds
    assert (finished.frames, finished.comparison["frames"] > 0) == (8, True)
    weights = project.weights_of(1)
    assert (weights.is_file(), outcome["weights"]) == (True, str(weights))
    assert project.used == (0 if outcome["is_used"] else 1)
    after = contents(course)
    assert {name for name in after if after[name] != before.get(name)} <= {
        "faces.txt",
        "faces.txt.bak",
    }
    for frame in load_dataset(course):  # all annotated boxes are still shown, whoever doubts them
        shown = [box["corners"] for box in boxes[f"show/{frame.name}"] if box["score"] is None]
        assert sorted(shown) == sorted(frame.boxes.tolist())


def test_training_on_a_mended_data_set_from_the_terminal_records_a_round(course: Path) -> None:
    opened(course)
    place = course.with_name("show.faces")
    out = Project.open(place).weights_of(1)
    words = ["train", str(course), "--out", str(out), "--epochs", "1", "1", "1"]
    success(CliRunner().invoke(main, words))
    (finished,) = Project.open(place).rounds
    assert (finished.number, finished.frames) == (1, COUNT)
    other = course.with_name("other")
    shutil.copytree(course, other)
    words = ["train", str(other), "--out", str(Project.open(place).weights_of(2)), *words[4:]]
    success(CliRunner().invoke(main, words))
    assert len(Project.open(place).rounds) == 1  # frames of others are none of its rounds


def add_faces(text: Path, name: str, boxes: Any) -> None:
    lines = [" ".join([name, *(f"{each:g}" for each in box)]) for box in boxes.tolist()]
    text.write_text(text.read_text() + "".join(f"{line} somebody\n" for line in lines))


def test_what_only_coco_has_stays(coco: Path) -> None:
    before = json.loads((coco / "annotations.json").read_text())
    session = opened(coco)
    for number, record in enumerate(session.frames):
        session.change(number, record.revision, told(record)[:1], "done")
    after = json.loads((coco / "annotations.json").read_text())
    assert after["licenses"] == before["licenses"]
    assert after["annotations"][0] == before["annotations"][0]
    assert [each for each in after["annotations"] if each.get("iscrowd")] == [
        before["annotations"][-1]
    ]


def test_a_change_made_by_other_means_meanwhile_counts(course: Path) -> None:
    opened(course)
    text = course / "faces.txt"
    text.write_text(text.read_text() + "2.png 1 2 30 40 late\n")
    (course / "faces.txt.bak").write_text(text.read_text().replace("2.png 1 2 30 40 late\n", ""))
    session = opened(course)
    states = {record.name: record.state for record in session.frames}
    assert states == {"show/0.png": "waiting", "show/1.png": "waiting", "show/2.png": "done"}


@pytest.mark.parametrize("form", ["yolo", "voc"])
def test_other_formats_are_refused_with_the_way_out(
    course: Path, tmp_path: Path, form: str
) -> None:
    other = tmp_path / form
    success(CliRunner().invoke(main, ["convert", str(course), str(other), "--to", form]))
    result = CliRunner().invoke(main, ["annotate", str(other), "--no-browser"])
    assert_refused(result, "only COCO and the course's text", "facetl convert", "--to coco")
    assert not (tmp_path / f"{form}.faces").exists()


def test_names_that_are_only_alike_are_refused(course: Path) -> None:
    text = course / "faces.txt"
    text.write_text(text.read_text().replace("1.png", "elsewhere/1.png"))
    result = CliRunner().invoke(main, ["annotate", str(course), "--no-browser"])
    assert_refused(result, "elsewhere/1.png", "facetl convert")


def test_images_with_a_text_about_something_else_are_no_data_set(course: Path) -> None:
    (course / "faces.txt").write_text("Drawn by facetl.\n")
    session = opened(course)
    assert {record.name for record in session.frames} <= {f"show/{n}.png" for n in range(COUNT)}
    waiting = course.with_name("show.faces") / "waiting" / "show"
    assert {path.name for path in waiting.iterdir()} == {f"{n}.png" for n in range(COUNT)}
    for path in waiting.iterdir():
        assert path.read_bytes() == (course / path.name).read_bytes()
