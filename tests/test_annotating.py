"""Sessions of annotating: every change on disk at once, undone without end, none lost."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from outcomes import contents
from served_page import draw_episode

from facetl.annotating.carrying import carry
from facetl.annotating.jobs import StoppedError
from facetl.annotating.records import MOST_BOXES, Box, FrameRecord, State
from facetl.annotating.session import Session, StaleError
from facetl.annotating.store import ProjectStore
from facetl.boxes import as_boxes
from facetl.commands.annotate import prepare
from facetl.commands.requests import AnnotateRequest
from facetl.data.dataset import load_dataset
from facetl.data.images import save_image
from facetl.data.media_types import image_paths
from facetl.data.project import Project
from facetl.data.video import Sampling
from facetl.errors import AnnotationError, InputError
from facetl.reporting import SILENT, Reporter

T = TypeVar("T")

SIZE = (120, 160)
NAMES = [f"a.mp4/{index:06d}.png" for index in range(6)]
SUGGESTED = as_boxes([[10, 20, 50, 70], [80, 20, 120, 70]])


def record_of(name: str, **more: Any) -> FrameRecord:
    record = FrameRecord(name, SIZE, **more)
    return record.suggesting(SUGGESTED, [0.95, 0.5], 0.9)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.create(tmp_path / "a.faces")
    for shade, name in enumerate(NAMES):
        save_image(project.waiting / name, np.full((*SIZE, 3), 40 * shade, np.uint8))
    return project


@pytest.fixture
def session(project: Project) -> Session:
    session = Session(project.path / "annotate.json", ProjectStore(project))
    session.add(
        record_of(name, time=float(place), shot=place // 3, doubt=float(place))
        for place, name in enumerate(NAMES)
    )
    return session


def reopened(project: Project) -> Session:
    return Session.open(project.path / "annotate.json", ProjectStore(project))


def told(record: FrameRecord) -> list[dict[str, Any]]:
    return [
        {"id": box.id, "corners": list(box.corners), "label": box.label} for box in record.boxes
    ]


def finish(session: Session, number: int, state: State = "done") -> list[int]:
    record = session.frames[number]
    return session.change(number, record.revision, told(record), state)


def kept(session: Session) -> list[tuple[str, str, list[Any]]]:
    return [
        (each.name, each.state, [(box.corners, box.label) for box in each.boxes])
        for each in session.frames
    ]


def test_a_done_frame_can_be_learnt_from_at_once(project: Project, session: Session) -> None:
    boxes = [
        *told(session.frames[0])[:1],
        {"id": None, "corners": [1, 2, 30, 40], "label": " a b "},
    ]
    session.change(0, 0, boxes, "done")
    (frame,) = load_dataset(project.path)
    assert frame.boxes.tolist() == [[10, 20, 50, 70], [1, 2, 30, 40]]
    assert frame.labels == (None, "a b")
    assert session.labels == ["a b"]
    assert not (project.waiting / NAMES[0]).exists()


def test_a_frame_without_faces_counts_and_a_skipped_one_does_not(
    project: Project, session: Session
) -> None:
    session.change(0, 0, [], "done")
    finish(session, 1, "skipped")
    finish(session, 3)
    assert [len(frame.boxes) for frame in load_dataset(project.path)] == [0, 2]
    assert session.count("waiting") == 3
    assert (project.waiting / NAMES[1]).exists()


def test_every_change_is_on_disk_and_is_undone_back_to_the_start(
    project: Project, session: Session
) -> None:
    random.seed(1)
    states = [kept(session)]
    for _ in range(60):
        number, state = random.randrange(6), random.choice(["waiting", "done", "skipped"])
        boxes = told(session.frames[number])[: random.randrange(3)]
        left, top = random.randrange(100), random.randrange(60)
        boxes += [{"id": None, "corners": [left, top, left + 20, top + 30], "label": None}]
        session.change(number, session.frames[number].revision, boxes, state)  # type: ignore[arg-type]
        states.append(kept(session))
        assert kept(reopened(project)) == states[-1]
    session = reopened(project)
    for state_before in reversed(states[:-1]):
        session.undo(session.edition)
        assert kept(session) == state_before == kept(reopened(project))
    with pytest.raises(InputError, match="nothing to undo"):
        session.undo(session.edition)
    assert sorted(path.name for path in (project.waiting / "a.mp4").iterdir()) == [
        Path(name).name for name in NAMES
    ]


def test_what_was_changed_elsewhere_is_not_overwritten(session: Session) -> None:
    seen = session.frames[0].revision
    session.change(0, seen, [], "done")
    with pytest.raises(StaleError, match="changed elsewhere"):
        session.change(0, seen, told(session.frames[1]), "waiting")
    assert session.frames[0].boxes == ()
    edition = session.edition
    finish(session, 1)
    with pytest.raises(StaleError, match="look before"):
        session.undo(edition)
    assert session.frames[1].state == "done"


@pytest.mark.parametrize(
    "box",
    [
        {},
        {"corners": [1, 2, 3]},
        {"corners": [1, 2, "3", 4]},
        {"corners": [1, 2, float("nan"), 4]},
        {"corners": [True, 2, 30, 40]},
        {"corners": [10, 10, 10, 40]},
        {"corners": [500, 10, 540, 40]},
        {"corners": [1, 2, 30, 40], "label": 3},
        {"corners": [1, 2, 30, 40], "label": "x" * 1000},
        {"corners": [1, 2, 30, 40], "label": "\ud800"},
    ],
)
def test_boxes_that_are_none_change_nothing(
    project: Project, session: Session, box: dict[str, Any]
) -> None:
    before = kept(session)
    with pytest.raises(AnnotationError):
        session.change(0, 0, [box], "done")
    with pytest.raises(AnnotationError, match="state"):
        session.change(0, 0, [], "gone")  # type: ignore[arg-type]
    with pytest.raises(AnnotationError, match="at most"):
        session.change(0, 0, [{"corners": [1, 2, 30, 40]}] * (MOST_BOXES + 1), "done")
    assert kept(session) == before == kept(reopened(project))
    assert not session.can_undo


def test_boxes_are_clipped_to_the_frame(session: Session) -> None:
    session.change(0, 0, [{"corners": [-5, -5, 900, 50]}], "waiting")
    assert session.frames[0].boxes[0].corners == (0, 0, 160, 50)


def test_the_files_are_right_where_they_differ(project: Project, session: Session) -> None:
    finish(session, 0)
    finish(session, 1)
    text = project.frames / "a.mp4_annotations.txt"
    text.write_text("000000.png 1 2 30 40 ann\n")
    (project.waiting / NAMES[5]).unlink()
    found = reopened(project)
    assert [each.state for each in found.frames] == [
        "done",
        "done",
        "waiting",
        "waiting",
        "waiting",
    ]
    assert [(box.corners, box.label) for box in found.frames[0].boxes] == [((1, 2, 30, 40), "ann")]
    assert found.frames[1].boxes == ()
    assert sorted(found.order) == list(range(5))


def test_a_move_that_was_begun_is_finished(project: Project, session: Session) -> None:
    """As if killed between the lines and the picture, and between the picture and the session."""
    lines = "000000.png 1 2 30 40\n"
    (project.frames / "a.mp4_annotations.txt").write_text(lines)
    found = reopened(project)
    assert found.frames[0].state == "done"
    assert (project.frames / NAMES[0]).exists()
    assert [each.corners for each in found.frames[0].boxes] == [(1, 2, 30, 40)]
    (project.frames / NAMES[0]).rename(project.waiting / NAMES[0])
    (project.frames / "a.mp4_annotations.txt").write_text("")
    assert reopened(project).frames[0].state == "waiting"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "facetl-annotating", "version": 2}', "[" * 100_000]
    + [
        json.dumps(
            {"format": "facetl-annotating", "version": 1, "edition": 0, "labels": [], **each}
        )
        for each in (
            {"order": [0], "frames": [], "history": []},
            {"order": [], "frames": [], "history": [[[0, "done", True, []]]]},
            {"order": [0], "frames": [{"name": "a"}], "history": []},
        )
    ],
)
def test_a_damaged_session_is_refused(project: Project, text: str) -> None:
    (project.path / "annotate.json").write_text(text)
    with pytest.raises(InputError, match=r"annotate\.json"):
        reopened(project)


def test_the_doubtful_come_first_and_what_was_touched_keeps_its_boxes(session: Session) -> None:
    assert session.order == [5, 4, 3, 2, 1, 0]
    session.change(2, 0, [], "waiting")
    finish(session, 4)
    better = {
        number: replace(record, doubt=float(number == 0)).suggesting(SUGGESTED[:1], [0.99], 0.9)
        for number, record in enumerate(session.frames)
    }
    session.suggest_anew(better)
    assert session.order[:2] == [4, 0]
    assert [len(each.boxes) for each in session.frames] == [1, 1, 0, 1, 2, 1]
    assert all(box.is_sure for box in session.frames[0].boxes)


# ---- a correction in other frames of the shot


def shot_of(boxes: list[list[float]], time: float, shot: int = 0) -> FrameRecord:
    record = FrameRecord(f"a.mp4/{int(10 * time):06d}.png", SIZE, time=time, shot=shot)
    return record.suggesting(as_boxes(boxes), [0.8] * len(boxes), 0.9)


def corrected(before: FrameRecord, *boxes: Box) -> FrameRecord:
    return replace(before, boxes=boxes, state="done")


def test_a_label_and_a_correction_follow_the_face() -> None:
    before = shot_of([[10, 20, 50, 60]], 1.0)
    (box,) = before.boxes
    after = corrected(before, replace(box, corners=(10, 10, 50, 60), label="ann"))
    near, other = shot_of([[20, 20, 60, 60]], 1.5), shot_of([[20, 20, 60, 60]], 1.5, shot=1)
    (changed,) = carry(before, after, {1: near, 2: other}).items()
    assert changed[0] == 1
    assert [(each.corners, each.label) for each in changed[1].boxes] == [((20, 10, 60, 60), "ann")]
    assert [each.is_sure for each in changed[1].boxes] == [False]


def test_a_face_that_was_drawn_is_suggested_nearby_and_a_deleted_one_no_longer() -> None:
    before = shot_of([[100, 20, 140, 60]], 1.0)
    after = corrected(before, Box(9, (10, 20, 50, 60)))
    others = {1: shot_of([[100, 21, 140, 61]], 2.0), 2: shot_of([[100, 20, 140, 60]], 60.0)}
    changed = carry(before, after, others)
    assert [box.corners for box in changed[1].boxes] == [(10, 20, 50, 60)]
    assert not changed[1].boxes[0].is_sure
    assert changed[2].boxes == ()


def test_one_correction_changes_several_frames_and_is_undone_with_them(session: Session) -> None:
    before = kept(session)
    boxes = [{**each, "label": "ann"} for each in told(session.frames[0])]
    assert session.change(0, 0, boxes, "done") == [0, 1, 2]
    assert session.frames[2].labels == ["ann", "ann"]
    assert session.frames[3].labels == [None, None]
    session.undo(session.edition)
    assert kept(session) == before


class Stopping(Reporter):
    """Stops once one more picture lies in a place."""

    def __init__(self, place: Path) -> None:
        self.place, self.most = place, len(image_paths(place))

    def track(self, items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
        for item in items:
            if len(image_paths(self.place)) > self.most:
                raise StoppedError("stopped")
            yield item


def test_picking_that_is_stopped_leaves_no_picture_behind(tmp_path: Path) -> None:
    episode = draw_episode(tmp_path / "episode.mp4", 4)
    request = AnnotateRequest((episode,), tmp_path / "episode.faces", 2, Sampling(3), workers=1)
    service = prepare(request)
    before = contents(request.out)
    with pytest.raises(StoppedError):
        service.pick_more(Stopping(service.project.waiting))
    assert contents(request.out) == before
    assert service.pick_more(SILENT) == 2


@pytest.fixture(autouse=True)
def _nothing_unfinished(tmp_path: Path) -> Iterator[None]:
    yield
    assert not list(tmp_path.rglob(".facetl-*"))
