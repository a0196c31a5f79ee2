"""``facetl frames``: what is written can be mended, learnt from and asked for again."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from drawn_videos import pictures, scene, write_video
from outcomes import assert_refused, success

from facetl.cli import main
from facetl.data.dataset import load_dataset
from facetl.data.images import load_image, save_image
from facetl.data.media_types import image_paths
from facetl.data.near_duplicates import NEAR_TWIN, thumbnail
from facetl.data.video import VideoReader
from facetl.mtcnn.weights import load_weights

pytestmark = pytest.mark.usefixtures("sketched")

LENGTH = 10
SCENES = (0, 2, 4)


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of ten frames each, then a blurred one and black ones."""
    shots = [picture for index in SCENES for picture in pictures(index, LENGTH, step=1)]
    sharp = scene(5).image[60:300, 80:400]
    blurred = [np.asarray(cv2.GaussianBlur(sharp, (0, 0), 3.0), np.uint8)] * LENGTH
    black = [np.zeros((240, 320, 3), np.uint8)] * LENGTH
    path = tmp_path_factory.mktemp("videos") / "episode.mp4"
    return write_video(path, [*shots, *blurred, *black])


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["frames", "--device", "cpu", *map(str, arguments)])


def rows_in(out: Path) -> list[dict[str, str]]:
    with (out / "frames.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_one_frame_of_each_scene_none_blurred_none_black(episode: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    result = success(call(episode, "--every", "2", "--count", "3", "--out", out))
    rows = rows_in(out)
    indices = sorted(int(Path(row["image"]).stem) for row in rows)
    assert [index // LENGTH for index in indices] == [0, 1, 2]
    assert all(index % 2 == 0 for index in indices)
    written = [path.relative_to(out).as_posix() for path in image_paths(out)]
    assert written == sorted(row["image"] for row in rows)
    assert "picked 3 of 25 frames" in result.stdout
    assert "the other frames are blank, blurred" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("next: facetl train ")


def test_fewer_than_asked_for_are_explained(episode: Path, tmp_path: Path) -> None:
    result = success(call(episode, "--every", "2", "--count", "20", "--out", tmp_path / "frames"))
    assert "the other frames are blank, blurred, or resemble one that was picked" in result.stderr


def test_the_pictures_are_the_frames_and_the_listing_is_true(episode: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    success(call(episode, "--every", "0.2s", "--count", "3", "--out", out))
    frames = {frame.index: frame for frame in VideoReader(episode).frames()}
    for row in rows_in(out):
        frame = frames[int(Path(row["image"]).stem)]
        assert np.array_equal(load_image(out / row["image"]), frame.pixels)
        assert float(row["seconds"]) == pytest.approx(frame.time, abs=1e-3)
        assert row["reason"] in ("the detector is unsure", "unlike those before")
        assert 0 <= float(row["doubt_share"]) <= 1
        assert 0 < float(row["novelty"]) <= 1


def test_the_folder_can_be_learnt_from_as_it_is(episode: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    success(call(episode, "--every", "2", "--count", "3", "--out", out))
    dataset = load_dataset(out)
    assert dataset.problems == ()
    assert len(dataset) == 3
    assert dataset.face_count == sum(int(row["faces"]) for row in rows_in(out)) >= 3
    for frame in dataset:
        assert np.array_equal(frame.boxes, frame.boxes.round())


def test_the_folder_is_a_truth_for_what_is_found_in_the_video(
    episode: Path, tmp_path: Path
) -> None:
    out, results = tmp_path / "frames", tmp_path / "results"
    success(call(episode, "--every", "2", "--count", "3", "--out", out))
    runner = CliRunner()
    success(runner.invoke(main, ["detect", str(episode), "--out", str(results), "--every", "2"]))
    success(runner.invoke(main, ["evaluate", str(results), "--truth", str(out)]))
    metrics = json.loads((results / "metrics.json").read_text(encoding="utf-8"))
    run = metrics["runs"]["cartoon"]
    assert run["frames"] == 3
    assert run["ap"]["0.5"] > 0.95


def test_two_videos_have_a_folder_each(episode: Path, tmp_path: Path) -> None:
    other = write_video(tmp_path / "other.mkv.mp4", pictures(1, 3))
    out = tmp_path / "frames"
    success(call(episode, other, "--every", "3", "--count", "4", "--out", out))
    names = {frame.name.partition("/")[0] for frame in load_dataset(out)}
    assert names == {"episode.mp4", "other.mkv.mp4"}


def test_boxes_below_the_score_are_not_written(episode: Path, tmp_path: Path) -> None:
    for name, score in (("all", "0"), ("none", "1")):
        out = tmp_path / name
        success(call(episode, "--every", "5", "--count", "3", "--score", score, "--out", out))
    assert sum(int(row["faces"]) for row in rows_in(tmp_path / "all")) > 0
    assert load_dataset(tmp_path / "all").face_count > load_dataset(tmp_path / "none").face_count


def test_a_second_round_picks_nothing_like_the_first(episode: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    success(call(episode, "--every", "2", "--count", "2", "--out", first))
    success(call(episode, "--every", "2", "--unlike", first, "--count", "2", "--out", second))
    known = [thumbnail(load_image(path)) for path in image_paths(first)]
    for path in image_paths(second):
        new = thumbnail(load_image(path))
        assert min(float(np.abs(new - old).mean()) for old in known) >= NEAR_TWIN


def test_known_pictures_that_cannot_be_read_are_told(episode: Path, tmp_path: Path) -> None:
    known = tmp_path / "known"
    save_image(known / "a.png", scene(0).image)
    (known / "void.jpg").write_bytes(b"")
    out = tmp_path / "frames"
    result = success(call(episode, "--every", "9", "--unlike", known, "--out", out))
    assert "skipped " in result.stderr
    assert "void.jpg is empty" in result.stderr


def test_a_video_with_nothing_to_see(tmp_path: Path) -> None:
    path = write_video(tmp_path / "black.mp4", [np.zeros((48, 64, 3), np.uint8)] * 3)
    assert_refused(call(path, "--out", tmp_path / "frames"), "found no frame to pick among 1")
    assert not (tmp_path / "frames").exists()


def test_annotated_frames_are_never_overwritten(episode: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    out.mkdir()
    (out / "mine.txt").write_text("work")
    assert_refused(call(episode, "--out", out), "exists already", f"--unlike {out}")
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(episode: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    success(call(episode, "--every", "9", "--count", "1", "--out", tmp_path / "frames"))
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_a_folder_of_videos(episode: Path, portrait: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(episode, tmp_path / "in/one.mp4")
    shutil.copy(portrait, tmp_path / "in")
    result = success(call(tmp_path / "in", "--count", "1", "--out", tmp_path / "frames"))
    assert (tmp_path / "frames/one.mp4").is_dir()
    assert "passed over 1 image\n" in result.stderr


def test_what_is_no_video(portrait: Path, tmp_path: Path) -> None:
    assert_refused(call(portrait, "--out", tmp_path / "frames"), "an image; search it with: ")
    assert_refused(call(tmp_path, "--out", tmp_path / "frames"), "no video; give videos")
    assert_refused(call(tmp_path / "none.mp4", "--out", tmp_path / "frames"), "no such file")


def test_boxes_to_start_from_begin_at_the_score_of_the_weights(
    episode: Path, tmp_path: Path
) -> None:
    for name, more in (
        ("usual", []),
        ("same", ["--score", str(load_weights("cartoon").settings.score)]),
    ):
        success(call(episode, "--every", "5", "--count", "3", *more, "--out", tmp_path / name))
    texts = [(tmp_path / name / "frames.csv").read_text() for name in ("usual", "same")]
    assert texts[0] == texts[1]


def invoke(*arguments: object) -> Result:
    return success(CliRunner().invoke(main, list(map(str, arguments))))


def is_warned(result: Result) -> bool:
    return "holds what a detector suggested, and nobody has corrected it" in result.stderr


def test_suggestions_that_nobody_has_corrected_are_told_first(
    episode: Path, tmp_path: Path
) -> None:
    out, results = tmp_path / "frames", tmp_path / "results"
    success(call(episode, "--every", "2", "--count", "3", "--out", out))
    invoke("detect", out / "episode.mp4", "--out", results)
    evaluate = ("evaluate", results, "--truth", out, "--force")
    annotations = out / "episode.mp4_annotations.txt"
    first = invoke(*evaluate).stderr.splitlines()[0]
    assert first.startswith(f"warning: {annotations} holds what a detector suggested, and nobody")
    metrics = json.loads((results / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["truth"]["uncorrected_suggestions"] == [str(annotations)]
    assert f"warning: {annotations} holds" in (results / "report.html").read_text(encoding="utf-8")

    copied = tmp_path / "elsewhere"
    shutil.copytree(out, copied)
    assert is_warned(invoke("prepare", copied, "--out", tmp_path / "patches"))
    assert is_warned(invoke("evaluate", results, "--truth", annotations, "--force"))

    lines = annotations.read_text(encoding="utf-8").splitlines(keepends=True)
    annotations.write_text("".join(lines[:-1]), encoding="utf-8")  # a box was wrong
    assert not is_warned(invoke(*evaluate))
    metrics = json.loads((results / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["truth"]["uncorrected_suggestions"] == []
    assert "nobody has corrected" not in (results / "report.html").read_text(encoding="utf-8")


def test_exports_for_correction_are_suggestions_too(episode: Path, tmp_path: Path) -> None:
    out, results = tmp_path / "frames", tmp_path / "results"
    success(call(episode, "--every", "2", "--count", "2", "--out", out))
    invoke("detect", out / "episode.mp4", "--out", results, "--export", "cvat")
    run = results / "cartoon.detections.json"
    invoke("convert", run, tmp_path / "corrections", "--to", "cvat")
    for folder in (results, tmp_path / "corrections"):
        truth = folder / "cartoon.cvat.json"
        evaluate = ("evaluate", run, "--truth", truth, "--out", tmp_path, "--no-report", "--force")
        assert is_warned(invoke(*evaluate))
        truth.write_text(truth.read_text().replace('"face"', '"dad"'))
        assert not is_warned(invoke(*evaluate))
    # what people annotated is no suggestion, whatever it is called
    own = tmp_path / "own.cvat.json"
    people = tmp_path / "people"
    shutil.copytree(out / "episode.mp4", people / "episode")
    shutil.copy(out / "episode.mp4_annotations.txt", people / "episode_annotations.txt")
    invoke("convert", people, own, "--to", "coco")
    assert not is_warned(invoke("evaluate", run, "--truth", own, "--out", tmp_path, "--force"))
