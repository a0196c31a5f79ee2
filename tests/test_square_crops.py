"""``facetl detect --crops --square``: faces as a data set."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from drawn_videos import pictures, scene, write_video
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from outcomes import success

from facetl.cli import main
from facetl.data.crops import square_windows, windows_around
from facetl.data.images import load_image, save_image
from facetl.data.near_duplicates import NEAR_TWIN, SeenThumbnails, nearest_distances
from facetl.results.store import load_run

SIDES = st.integers(1, 60)
PLACES = st.integers(-80, 80)


def detect(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["detect", "--device", "cpu", *map(str, arguments)])


@given(st.tuples(PLACES, PLACES, SIDES, SIDES), st.tuples(SIDES, SIDES))
@settings(max_examples=200)
def test_squares_lie_in_the_image_and_are_as_large_as_they_can_be(
    place: tuple[int, int, int, int], size_hw: tuple[int, int]
) -> None:
    x, y, width, height = place
    window = np.array([[x, y, x + width, y + height]])
    ((x1, y1, x2, y2),) = square_windows(window, size_hw).tolist()
    side = min(max(width, height), *size_hw)
    assert (x2 - x1, y2 - y1) == (side, side)
    assert 0 <= x1 < x2 <= size_hw[1]
    assert 0 <= y1 < y2 <= size_hw[0]
    for first, length, begin, most in ((x, width, x1, size_hw[1]), (y, height, y1, size_hw[0])):
        middle = (2 * first + length - side) // 2
        assert begin == min(max(middle, 0), most - side), "no further away than it must be"


def test_squares_by_hand() -> None:
    boxes = np.array([[10, 10, 30, 50], [0, 40, 20, 60], [-50, -50, 300, 300]])
    squares = square_windows(windows_around(boxes, 0.0), (60, 100))
    assert squares.tolist() == [[0, 10, 40, 50], [0, 40, 20, 60], [40, 0, 100, 60]]


def test_twins_are_those_that_are_nearer_than_the_limit() -> None:
    chance = np.random.default_rng(2)
    base = chance.uniform(20, 230, (5, 432)).astype(np.float32)
    seen = SeenThumbnails()
    for row in base:
        seen.add(row)
    for change in (0.5, 3, 4.2, 6, 20):
        others = base + np.float32(change) * np.sign(chance.normal(size=base.shape))
        rounded = np.clip(np.rint(base), 0, 255)
        near = nearest_distances(others.astype(np.float32), rounded) < NEAR_TWIN
        assert [seen.has_twin(row.astype(np.float32)) for row in others] == near.tolist()


def test_more_are_remembered_than_there_was_room_for() -> None:
    seen = SeenThumbnails()
    rows = np.random.default_rng(0).uniform(0, 255, (200, 432)).astype(np.float32)
    for row in rows:
        assert not seen.has_twin(row)
        seen.add(row)
    assert all(seen.has_twin(row) for row in rows)


def rows_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "metadata.csv").read_text().splitlines()))


def crops_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


@pytest.mark.usefixtures("sketched")
def test_crops_of_images_are_squares_without_near_duplicates(tmp_path: Path) -> None:
    frames, out = tmp_path / "frames", tmp_path / "out"
    for name in ("a.png", "b/again.png"):
        save_image(frames / name, scene(2).image)
    save_image(frames / "c.png", scene(4).image)
    result = success(detect(frames, "--crops", "--square", "--margin", "0.1", "--out", out))
    folder = out / "crops/cartoon"
    run = load_run(out / "cartoon.detections.json").above(0.0)
    shown = run.above(run.score)
    count = {frame.image: len(frame.detections) for frame in shown.frames}
    assert count["a.png"] == count["b/again.png"] >= 2
    assert f"crops left out, as near-duplicates: {count['b/again.png']}" in result.stderr
    names = crops_in(folder)
    assert len(names) == count["a.png"] + count["c.png"]
    for name in names:
        height, width = load_image(folder / name).shape[:2]
        assert height == width
    rows = rows_of(folder)
    assert [row["file_name"] for row in rows] == names
    assert {row["image"] for row in rows} == {"a.png", "c.png"}
    assert {row["track"] for row in rows} == {""}


@pytest.mark.usefixtures("sketched")
def test_crops_of_a_video_bear_its_name_times_and_tracks(tmp_path: Path) -> None:
    still: list[NDArray[np.uint8]] = [scene(4).image[60:300, 80:400]] * 30
    video = write_video(tmp_path / "e.mp4", [*pictures(2, 8), *still])
    out = tmp_path / "out"
    result = success(detect(video, "--crops", "--square", "--out", out))
    rows = rows_of(out / "crops/cartoon")
    assert [row["file_name"] for row in rows] == crops_in(out / "crops/cartoon")
    frames = {frame.image: frame for frame in load_run(out / "cartoon.detections.json").frames}
    for row in rows:
        frame = frames[row["image"]]
        assert row["video"] == "e.mp4"
        assert float(row["time"]) == frame.time
        place = (frame.tracks or ()).index(int(row["track"]))
        corners = [float(row[key]) for key in ("x1", "y1", "x2", "y2")]
        assert corners == pytest.approx(frame.detections.boxes[place].tolist(), rel=1e-6)
    # a picture that stands still for more than a second has one face a track
    late = [row for row in rows if float(row["time"]) > 0.4]
    assert len(late) == len({row["track"] for row in late}) >= 1
    assert "as near-duplicates: " in result.stderr


@pytest.mark.usefixtures("sketched")
def test_a_search_that_is_resumed_leaves_the_same_data_set(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    for number in range(4):
        save_image(frames / f"{number}.png", scene(2 if number % 2 else 4).image)
    whole, part = tmp_path / "whole", tmp_path / "part"
    how = ("--crops", "--square", "--stream", "--batch-size", "1")
    told = success(detect(frames, *how, "--out", whole)).stderr
    success(detect(frames, *how, "--out", part))
    lines = (part / "cartoon.detections.jsonl").read_text().splitlines(keepends=True)
    (part / "cartoon.detections.jsonl").write_text("".join(lines[:3]))
    resumed = success(detect(frames, *how, "--out", part, "--resume")).stderr
    assert rows_of(part / "crops/cartoon") == rows_of(whole / "crops/cartoon")
    assert crops_in(part / "crops") == crops_in(whole / "crops")
    (line,) = [each for each in told.splitlines() if "near-duplicates" in each]
    assert line in resumed


def test_square_is_for_crops(tmp_path: Path, portrait: Path) -> None:
    result = detect(portrait, "--square", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "--margin, --align and --square say how to cut faces out; add --crops" in result.stderr
