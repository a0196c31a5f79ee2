"""Detections as tables and as supervision's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facetl.errors import InputError
from facetl.results.detections import Detections, FrameResult, Run

POINTS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0]]
TWO = Detections.from_lists(
    [[10, 20, 30.5, 40], [0, 0, 5, 5]], [0.75, 0.5], [POINTS, np.zeros((5, 2))]
)
COLUMNS = [
    "x1",
    "y1",
    "x2",
    "y2",
    "score",
    "left_eye_x",
    "left_eye_y",
    "right_eye_x",
    "right_eye_y",
]
COLUMNS += ["nose_x", "nose_y", "left_mouth_x", "left_mouth_y", "right_mouth_x", "right_mouth_y"]


def frame(image: str, detections: Detections, **video: Any) -> FrameResult:
    return FrameResult(image, (40, 60), detections, {}, 0.1, **video)


def test_a_table_has_a_row_for_each_face() -> None:
    table = TWO.to_pandas()
    assert list(table.columns) == COLUMNS
    assert table.iloc[0].tolist() == [10, 20, 30.5, 40, 0.75, *range(1, 11)]
    assert table["score"].tolist() == [0.75, 0.5]
    assert set(table.dtypes) == {np.dtype(np.float32)}


def test_no_faces_give_a_table_without_rows() -> None:
    table = Detections.empty().to_pandas()
    assert (list(table.columns), len(table)) == (COLUMNS, 0)


def test_a_runs_table_names_the_images() -> None:
    run = Run("a", {}, (frame("1.jpg", TWO), frame("2.jpg", Detections.empty()), frame("3", TWO)))
    table = run.to_pandas()
    assert list(table.columns) == ["image", *COLUMNS]
    assert table["image"].tolist() == ["1.jpg", "1.jpg", "3", "3"]
    assert table["x2"].tolist() == [30.5, 5, 30.5, 5]
    assert list(Run("b", {}, ()).to_pandas().columns) == ["image", *COLUMNS]


def test_a_videos_table_has_times_and_tracks() -> None:
    frames = (frame("1", TWO, time=0.0, tracks=(7, None)), frame("2", TWO[:1], time=0.5))
    table = Run("a", {}, frames).to_pandas()
    assert list(table.columns) == ["image", "time", "track", *COLUMNS]
    assert table["time"].tolist() == [0.0, 0.0, 0.5]
    assert table["track"].astype(object).where(table["track"].notna(), None).tolist() == [
        7,
        None,
        None,
    ]


@pytest.mark.parametrize("found", [TWO, Detections.empty()])
def test_supervision_has_the_same_faces(found: Detections) -> None:
    import supervision as sv

    theirs = found.to_supervision()
    assert isinstance(theirs, sv.Detections)
    assert len(theirs) == len(found)
    np.testing.assert_array_equal(theirs.xyxy, found.boxes)
    np.testing.assert_array_equal(theirs.confidence, found.scores)
    np.testing.assert_array_equal(theirs.data["landmarks"], found.landmarks)
    assert theirs.data["class_name"].tolist() == ["face"] * len(found)
    scene = np.zeros((60, 60, 3), np.uint8)
    drawn = sv.BoxAnnotator(thickness=1).annotate(scene.copy(), theirs)
    assert (drawn.any()) == (len(found) > 0)


def test_supervision_has_the_names() -> None:
    named = replace(TWO, names=("mom", "dad"), name_scores=np.array([0.9, 0.8], np.float32))
    theirs = named.to_supervision()
    assert theirs.data["class_name"].tolist() == ["mom", "dad"]
    assert theirs.class_id is not None
    assert theirs.class_id.tolist() == [1, 0]
    np.testing.assert_array_equal(theirs.data["name_score"], named.name_scores)
    others = named.to_supervision(["unknown", "mom", "dad"]).class_id
    assert others is not None
    assert others.tolist() == [1, 2]
    with pytest.raises(ValueError, match="dad"):
        named.to_supervision(["mom"])


@pytest.mark.parametrize(
    ("library", "convert"),
    [
        ("pandas", TWO.to_pandas),
        ("pandas", Run("a", {}, ()).to_pandas),
        ("supervision", TWO.to_supervision),
    ],
)
def test_a_missing_library_is_named(
    library: str, convert: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=f"needs {library}.*pip install {library}$"):
        convert()
