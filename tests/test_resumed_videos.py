"""Streams of videos, alone and among images: cut anywhere and resumed, with crops and drawings."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result
from drawn_frames import draw_frame
from drawn_videos import pictures, scene, write_video
from outcomes import assert_refused, contents, success

from facetl.cli import main
from facetl.data.images import save_image
from facetl.manifests.fingerprints import MANIFEST
from facetl.results.store import load_run
from facetl.search.crops import PER_TRACK

NAME = "cartoon.detections.jsonl"
EVERYTHING = ("--skip-still", "--video", "--overlays", "--crops", "--export", "csv")


def detect(*arguments: object) -> Result:
    usual = ("--device", "cpu", "--batch-size", "2", "--workers", "2")
    return CliRunner().invoke(main, ["detect", *usual, *map(str, arguments)])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three images, one of them damaged, and two videos, one of them cut short."""
    place = tmp_path_factory.mktemp("world") / "in"
    for index in range(2):
        save_image(place / f"{index}.png", draw_frame(1, "test", index).image[:240, :320])
    (place / "2.png").write_bytes(b"no picture")
    still = [scene(4).image[60:300, 80:400]] * 4
    write_video(place / "a.mp4", [*pictures(2, 20), *still])
    write_video(place / "b.mp4", pictures(0, 6))
    (place / "c.mp4").write_bytes(b"")
    return place


@pytest.fixture(scope="module")
def whole(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a search that was not interrupted."""
    out = tmp_path_factory.mktemp("whole") / "out"
    success(detect(place, "--stream", *EVERYTHING, "--out", out))
    return out


def without_manifest(out: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(out).items() if name != MANIFEST}


def test_lines_of_videos_say_what_the_document_says(
    place: Path, whole: Path, tmp_path: Path
) -> None:
    success(detect(place, "--skip-still", "--out", tmp_path))
    lines, document = load_run(whole / NAME), load_run(tmp_path / "cartoon.detections.json")
    assert [(each.image, each.time, each.tracks, each.carried) for each in lines.frames] == [
        (each.image, each.time, each.tracks, each.carried) for each in document.frames
    ]
    assert lines.skipped == document.skipped
    assert [each.image for each in lines.skipped] == ["2.png", "c.mp4"]
    assert any(frame.carried for frame in lines.frames)
    assert lines.settings["frame_rates"] == {"a.mp4": 25.0, "b.mp4": 25.0}


@pytest.mark.parametrize("lines", [1, 2, 3, 4, 5, 12, 24, 27, 28, 29, 33, 34, 35])
def test_a_stream_cut_at_any_line_is_resumed_to_the_same_bytes(
    place: Path, whole: Path, tmp_path: Path, lines: int
) -> None:
    """With all that is drawn: what was drawn before the cut is there, the rest is not."""
    data = (whole / NAME).read_bytes().splitlines(keepends=True)
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    cut = b"".join(data[:lines]) + data[lines][:-3] * (lines < len(data))
    (out / NAME).write_bytes(cut)
    forget_later(out, [line for line in data[1:lines] if b'"end"' not in line])
    result = success(detect(place, "--stream", *EVERYTHING, "--resume", "--out", out))
    assert without_manifest(out) == without_manifest(whole)
    assert ("resuming after" in result.stderr) == (lines > 2)  # of a batch, all or none


def forget_later(out: Path, known: list[bytes]) -> None:
    """Remove what is drawn of pictures after those that are known, and what comes at the end."""
    text = b"".join(known)
    for name in ("0.png", "1.png"):
        if name.encode() not in text:
            (out / "overlays" / name).unlink()
            for crop in (out / "crops").rglob(f"{name[0]}_*.png"):
                crop.unlink()
    for video, following in (("a.mp4", b"b.mp4/"), ("b.mp4", b"c.mp4")):
        if following not in text:
            (out / "videos" / video).unlink()
            shutil.rmtree(out / "crops" / "cartoon" / video)
    for sheet in (out / "crops").rglob("contact_sheet*"):
        sheet.unlink()
    (out / "cartoon.csv").unlink()


@pytest.mark.parametrize("engine", ["torch", "native"])
@pytest.mark.parametrize("seed", range(3))
def test_a_video_cut_anywhere_is_resumed_to_the_same_bytes(
    place: Path, tmp_path: Path, engine: str, seed: int
) -> None:
    """By torch too, whose last digits depend on which frames share a batch."""
    how = (place / "a.mp4", "--every", "2", "--engine", engine, "--stream", "--batch-size", "3")
    success(detect(*how, "--out", tmp_path / "whole"))
    data = (tmp_path / "whole" / NAME).read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / NAME).write_bytes(data[: Random(seed).randrange(len(data) - 12)])
    success(detect(*how, "--resume", "--out", tmp_path / "cut"))
    assert (tmp_path / "cut" / NAME).read_bytes() == data


def test_what_was_found_before_is_counted_too(place: Path, whole: Path, tmp_path: Path) -> None:
    told = success(detect(place, "--stream", "--skip-still", "--out", tmp_path / "new")).stdout
    (tmp_path / "old").mkdir()
    data = (whole / NAME).read_bytes()
    (tmp_path / "old" / NAME).write_bytes(data[: len(data) * 2 // 3])
    resumed = detect(place, "--stream", "--skip-still", "--resume", "--out", tmp_path / "old")
    for one, other in zip(
        told.splitlines()[:3], success(resumed).stdout.splitlines()[:3], strict=True
    ):
        assert one.partition(", ")[0] == other.partition(", ")[0]


def test_other_videos_are_not_resumed(place: Path, whole: Path, tmp_path: Path) -> None:
    data = (whole / NAME).read_bytes()
    cut = data[: data.index(b"b.mp4/000003")]
    (tmp_path / NAME).write_bytes(cut)
    how = ("--stream", "--skip-still", "--resume", "--out", tmp_path)
    result = detect(place / "a.mp4", place / "b.mp4", *how)
    assert_refused(result, NAME, "holds other images", "--force")
    assert_refused(detect(place / "a.mp4", *how), NAME, "other weights or settings", "--force")
    assert (tmp_path / NAME).read_bytes() == cut


def test_a_video_with_other_frames_is_not_resumed(place: Path, tmp_path: Path) -> None:
    shutil.copy(place / "a.mp4", tmp_path / "a.mp4")
    how = ("--stream", "--out", tmp_path / "out")
    success(detect(tmp_path / "a.mp4", *how))
    path = tmp_path / "out" / NAME
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:12]))
    write_video(tmp_path / "a.mp4", pictures(2, 5))
    result = detect(tmp_path / "a.mp4", *how, "--resume")
    assert result.exit_code == 1
    assert "holds other frames of a.mp4" in result.stderr


def test_of_each_track_the_best_few_faces_are_cut_out(place: Path, tmp_path: Path) -> None:
    success(detect(place / "a.mp4", "--crops", "--out", tmp_path))
    run = load_run(tmp_path / "cartoon.detections.json")
    shown = run.above(run.score)
    names = [path.name for path in (tmp_path / "crops/cartoon/a.mp4").iterdir()]
    tracks: dict[int, list[tuple[int, float]]] = {}
    for name in names:
        track, frame, score = name.removesuffix(".png").split("_")
        tracks.setdefault(int(track.removeprefix("track")), []).append((int(frame), float(score)))
    followed = {number for frame in shown.frames for number in frame.tracks or ()} - {None}
    assert set(tracks) == followed
    for number, cut in tracks.items():
        frames = sorted(frame for frame, _ in cut)
        assert 1 <= len(cut) <= PER_TRACK
        assert all(later - sooner >= 12 for sooner, later in pairwise(frames))
        faces = [face for frame in shown.frames for face in frame.faces if face.track == number]
        best = max(face.score for face in faces)
        assert max(score for _, score in cut) == pytest.approx(best, abs=6e-4)
    assert (tmp_path / "crops/cartoon/contact_sheet.jpg").exists()
