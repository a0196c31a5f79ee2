"""``facetl detect`` with videos: names, times, tracks, still frames, annotated copies."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from drawn_frames import draw_frame
from drawn_videos import RATE, pan, pictures, scene, write_anyhow, write_video
from outcomes import assert_refused, complaint, left_in, success

from facetl.boxes import as_boxes, iou
from facetl.cli import main
from facetl.data.formats.course import save_annotations
from facetl.data.held_frames import HeldFrame
from facetl.data.images import Pixels, save_image
from facetl.data.video import LONGEST_SIDE, VideoFrame, VideoReader, VideoWriter
from facetl.errors import ImageError, VideoError
from facetl.mtcnn.detector import Detector
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.store import load_run
from facetl.search.drawn_video import _draw_results, _DrawnVideo, _glide
from facetl.search.parallel import most_waiting
from facetl.search.pipeline import Search, Searched, SearchRun, search_all
from facetl.search.settings import Settings
from facetl.search.tally import Tally
from facetl.search.video import FilmPicture, frame_name

pytestmark = pytest.mark.usefixtures("sketched")

STILL = 6
CUT = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``episode.mp4``: a camera that moves over a scene, then a still one."""
    place = tmp_path_factory.mktemp("videos")
    still = [scene(4).image[60:300, 80:400]] * STILL
    write_video(place / "episode.mp4", [*pictures(2, 8), *still])
    return place


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["detect", "--device", "cpu", *map(str, arguments)])


def run_in(out: Path, name: str = "cartoon") -> Run:
    return load_run(out / f"{name}.detections.json")


# ---- the road


def test_every_frame_has_its_name_time_boxes_and_tracks(folder: Path, tmp_path: Path) -> None:
    result = success(call(folder / "episode.mp4", "--out", tmp_path / "results"))
    run = run_in(tmp_path / "results")
    assert [frame.image for frame in run.frames] == [
        f"episode.mp4/{number:06d}.png" for number in range(8 + STILL)
    ]
    times = [frame.time or 0.0 for frame in run.frames]
    assert times == pytest.approx([number / RATE for number in range(8 + STILL)])
    for frame, (_, truth) in zip(run.frames, pan(2, 8), strict=False):
        assert frame.size_hw == (240, 320)
        overlaps = iou(truth, as_boxes(frame.detections.boxes))
        assert (overlaps.max(axis=1) > 0.5).sum() >= 2
    first, *others = [set(filter(None, frame.tracks or ())) for frame in run.frames[:8]]
    assert first == others[0]  # known in hindsight
    assert set.intersection(*others) >= {1, 2}
    assert not set.union(*others) & set(run.frames[-1].tracks or ()), "a cut lies between"
    assert run.settings["every"] == "1"
    assert run.settings["frame_rates"] == {"episode.mp4": 25.0}
    assert f"tracks in {8 + STILL} frames, " in result.stdout
    assert result.stderr.splitlines()[-1].startswith("next: facetl frames ")


def test_the_boxes_are_those_of_the_frames_as_pictures(folder: Path, tmp_path: Path) -> None:
    success(call(folder / "episode.mp4", "--every", "5", "--out", tmp_path / "a"))
    for frame in VideoReader(folder / "episode.mp4").frames():
        if frame.index % 5 == 0:
            save_image(tmp_path / frame_name("episode.mp4", frame.index), frame.pixels)
    success(call(tmp_path / "episode.mp4", "--out", tmp_path / "b"))
    film, still = run_in(tmp_path / "a"), run_in(tmp_path / "b")
    assert len(film.frames) == 3
    assert sum(len(frame.detections) for frame in film.frames) >= 3
    for one, other in zip(film.frames, still.frames, strict=True):
        assert Path(one.image).name == other.image
        # torch's last bits depend on how many images go through the networks together
        assert np.allclose(one.detections.boxes, other.detections.boxes, atol=0.01)
        assert np.allclose(one.detections.scores, other.detections.scores, atol=1e-4)


@pytest.mark.parametrize(("every", "indices"), [("5", [0, 5, 10]), ("0.2s", [0, 5, 10])])
def test_some_of_the_frames(folder: Path, tmp_path: Path, every: str, indices: list[int]) -> None:
    success(call(folder / "episode.mp4", "--every", every, "--out", tmp_path / "results"))
    frames = run_in(tmp_path / "results").frames
    assert [frame.image for frame in frames] == [frame_name("episode.mp4", n) for n in indices]
    assert [frame.time for frame in frames] == pytest.approx([n / RATE for n in indices])


def test_results_do_not_depend_on_batches_and_workers(folder: Path, tmp_path: Path) -> None:
    video = folder / "episode.mp4"
    success(call(video, "--out", tmp_path / "a", "--batch-size", "1", "--workers", "1"))
    success(call(video, "--out", tmp_path / "b", "--batch-size", "3", "--workers", "2"))
    alone, together = (run_in(tmp_path / out).frames for out in "ab")
    assert len(alone) == 8 + STILL
    assert sum(len(frame.detections) for frame in alone) >= 8 + STILL
    for one, other in zip(alone, together, strict=True):
        assert (one.image, one.tracks) == (other.image, other.tracks)
        assert one.detections.boxes == pytest.approx(other.detections.boxes, abs=1e-3)


def test_the_run_is_evaluated_against_annotated_frames(folder: Path, tmp_path: Path) -> None:
    success(call(folder / "episode.mp4", "--out", tmp_path / "results"))
    shown = [(boxes, ["x"] * len(boxes)) for _, boxes in pan(2, 8)]
    inside = {
        frame_name("episode.mp4", number): (boxes.clip(0, [320, 240, 320, 240]), labels)
        for number, (boxes, labels) in enumerate(shown)
    }
    save_annotations(tmp_path / "truth.txt", inside)
    arguments = ["evaluate", str(tmp_path / "results"), "--truth", str(tmp_path / "truth.txt")]
    assert "cartoon" in success(CliRunner().invoke(main, arguments)).stdout


# ---- in Python


@pytest.mark.parametrize("every", [1, "0.2s"])
def test_python_finds_the_same_frame_by_frame(
    folder: Path, tmp_path: Path, every: int | str
) -> None:
    video, told = folder / "episode.mp4", []
    success(call(video, "--every", every, "--out", tmp_path / "results"))
    expected = run_in(tmp_path / "results").frames
    detector = Detector.load("cartoon", "cpu")
    search = detector.video(str(video), every, progress=lambda *each: told.append(each))
    results = []
    for result, wanted in zip(search, expected, strict=True):
        assert result.detections.plot().size == (320, 240)
        assert len(result.detections.crop()) == len(result.faces)
        assert (result.image, result.tracks) == (wanted.image, wanted.tracks)
        assert result.time == wanted.time
        assert result.detections.boxes == pytest.approx(wanted.detections.boxes, abs=1e-3)
        assert result.detections.size_hw == (240, 320)
        results.append(result)
    assert told == [(number, len(expected)) for number in range(1, len(expected) + 1)]
    del result, search
    gc.collect()
    with pytest.raises(ImageError, match="no longer in memory"):
        results[0].detections.plot()


def test_in_python_low_scores_are_left_out_with_their_tracks(folder: Path) -> None:
    detector = Detector.load("cartoon", "cpu")
    everything = detector.video(folder / "episode.mp4", 4)
    surest = detector.video(folder / "episode.mp4", 4, min_score=0.9)
    for result, all_faces in zip(surest, everything, strict=True):
        assert result.faces == tuple(face for face in all_faces.faces if face.score >= 0.9)


def test_in_python_what_is_wrong_with_a_video_is_said(tmp_path: Path) -> None:
    detector = Detector.load("cartoon", "cpu")
    with pytest.raises(VideoError, match=r"none\.mp4"):
        detector.video(tmp_path / "none.mp4")
    scenes = [picture for index in (2, 4, 0) for picture in pictures(index, 14)]
    whole = write_anyhow(tmp_path / "whole.mp4", scenes, movflags="faststart")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match="expected frames like 10 or a time like"):
        detector.video(whole, "half")
    with pytest.warns(UserWarning, match=r"cut\.mp4: stops at .*; what was read counts"):
        assert len(list(detector.video(cut, 10))) > 0


# ---- still frames


def test_still_frames_are_not_searched_but_carry_boxes_and_tracks(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    result = success(call(folder / "episode.mp4", "--skip-still", "--out", out))
    *moving, first, second, _, _, _, last = run_in(out).frames
    assert not any(frame.carried for frame in [*moving, first])
    assert all(frame.carried and frame.seconds == 0 for frame in (second, last))
    assert np.array_equal(first.detections.boxes, last.detections.boxes)
    assert len(first.detections) > 0
    assert (second.candidates, second.image) == ({}, frame_name("episode.mp4", 9))
    numbers = set(filter(None, second.tracks or ()))
    assert numbers
    assert numbers == set(filter(None, last.tracks or ()))
    assert f"{8 + STILL} frames ({STILL - 1} carried over)" in result.stdout


# ---- annotated copies


def test_an_annotated_copy_has_all_frames_at_their_times(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    result = success(call(folder / "episode.mp4", "--every", "6", "--video", "--out", out))
    assert f"wrote {out} and {out / 'videos'}" in result.stdout
    copy, original = (
        VideoReader(out / "videos" / "episode.mp4"),
        VideoReader(folder / "episode.mp4"),
    )
    assert copy.facts() == original.facts()
    pairs = list(zip(copy.frames(), original.frames(), strict=True))
    assert [one.time for one, _ in pairs] == pytest.approx([other.time for _, other in pairs])
    for one, other in pairs:
        changed = np.abs(one.pixels.astype(int) - other.pixels).max(axis=2) > 60
        assert changed.sum() < 0.3 * changed.size
        # after a cut there are no boxes until a frame is searched again
        is_known = one.index < CUT or one.index >= -(-CUT // 6) * 6
        assert bool(changed.sum() > 50) == is_known


def test_two_sets_of_weights_stand_side_by_side(folder: Path, tmp_path: Path) -> None:
    both = ["--weights", "cartoon", "--weights", "old=pretrained", "--every", "4", "--video"]
    success(call(folder / "episode.mp4", *both, "--out", tmp_path / "results"))
    names = [frame.image for frame in run_in(tmp_path / "results").frames]
    assert names == [frame.image for frame in run_in(tmp_path / "results", "old").frames]
    height, width = VideoReader(tmp_path / "results/videos/episode.mp4").facts().size_hw
    assert width > 2 * 320
    assert height > 240


def test_panels_shrink_before_they_are_too_large_for_a_video() -> None:
    drawn = pictures(2, 1)[0]
    boxes = Detections.from_lists([[100, 60, 180, 140]], [0.9], np.zeros(10))
    result = FrameResult("a.mp4/000000.png", (240, 320), boxes, {}, 0.0, tracks=(7,))
    for count in (2, 24):
        assert _draw_results(drawn, {str(n): result for n in range(count)}).shape == (
            240 + 24 + 2 * 8,
            count * (320 + 8) + 8,
            3,
        )
    for count in (30, 100):
        height, width = _draw_results(drawn, {str(n): result for n in range(count)}).shape[:2]
        assert 0.9 * LONGEST_SIDE < width <= LONGEST_SIDE
        assert height < 280
    large = np.zeros((100, 20_000, 3), np.uint8)
    assert _draw_results(large, {"a": result}).shape[1] <= LONGEST_SIDE
    assert _draw_results(large.transpose(1, 0, 2), {"a": result}).shape[0] <= LONGEST_SIDE


def test_boxes_shrink_with_their_panels() -> None:
    white = np.full((1000, 2000, 3), 255, np.uint8)
    boxes = Detections.from_lists([[800, 400, 1200, 800]], [0.9], np.zeros(10))
    result = FrameResult("a.mp4/000000.png", (1000, 2000), boxes, {}, 0.0)
    panels = _draw_results(white, {str(n): result for n in range(8)})
    scale = ((LONGEST_SIDE - 8) // 8 - 8) / 2000
    edge = panels[24 + 8 + round(600 * scale), : 8 + round(2000 * scale)]
    tinted = np.flatnonzero(edge.min(axis=1) < 200) - 8
    assert tinted.min() == pytest.approx(800 * scale, abs=2)
    assert tinted.max() == pytest.approx(1200 * scale, abs=2)


def test_a_copy_of_anamorphic_video_is_as_wide_as_on_screen(tmp_path: Path) -> None:
    squeezed = [picture[:, ::2] for picture in pictures(2, 2)]
    video = write_anyhow(tmp_path / "wide.mp4", squeezed, shape=Fraction(2))
    success(call(video, "--video", "--out", tmp_path / "results"))
    assert VideoReader(tmp_path / "results/videos/wide.mp4").facts().size_hw == (240, 320)
    for frame, (_, truth) in zip(run_in(tmp_path / "results").frames, pan(2, 2), strict=True):
        assert frame.size_hw == (240, 320)
        assert (iou(truth, as_boxes(frame.detections.boxes)).max(axis=1) > 0.5).sum() >= 2


# ---- several videos, bad videos


@pytest.mark.parametrize(
    ("one", "other", "options", "name"),
    [
        ("b/x-e.mp4", "b-x/e.mp4", [], "b-x-e.mp4"),
        ("a/c.avi", "b/c.avi.mp4", ["--video"], "c.avi.mp4"),
    ],
)
def test_no_two_videos_have_one_name_or_drawing(
    folder: Path, tmp_path: Path, one: str, other: str, options: list[str], name: str
) -> None:
    twins = [tmp_path / one, tmp_path / other]
    for twin in twins:
        twin.parent.mkdir()
        shutil.copy(folder / "episode.mp4", twin)
    # a third one of the same name as another makes all of them bear their folders' names
    third = tmp_path / "e" / twins[1].name
    third.parent.mkdir()
    shutil.copy(folder / "episode.mp4", third)
    paths = [*twins, third] if not options else twins
    result = call(*paths, *options, "--every", "9", "--out", tmp_path / "results")
    assert_refused(result, f"{twins[0]} and {twins[1]}: both would be called ", name, "rename one")
    assert not (tmp_path / "results").exists()


def test_names_that_drawings_would_share_do_no_harm_without_drawings(
    folder: Path, tmp_path: Path
) -> None:
    for name in ("a.avi", "a.avi.mp4"):
        shutil.copy(folder / "episode.mp4", tmp_path / name)
    videos = [tmp_path / "a.avi", tmp_path / "a.avi.mp4"]
    success(call(*videos, "--every", "9", "--out", tmp_path / "results"))
    names = {Path(frame.image).parent.name for frame in run_in(tmp_path / "results").frames}
    assert names == {"a.avi", "a.avi.mp4"}


def test_videos_of_one_name_are_told_apart_by_their_folders(folder: Path, tmp_path: Path) -> None:
    other = write_video(tmp_path / "other" / "episode.mp4", pictures(0, 2))
    success(call(folder / "episode.mp4", other, "--every", "7", "--out", tmp_path / "results"))
    names = [frame.image for frame in run_in(tmp_path / "results").frames]
    prefix = f"{folder.name}-episode.mp4"
    assert names == [frame_name(prefix, 0), frame_name(prefix, 7), "other-episode.mp4/000000.png"]


def test_a_video_cut_short_counts_and_strict_tells(tmp_path: Path) -> None:
    scenes = [picture for index in (2, 4, 0) for picture in pictures(index, 14)]
    whole = write_anyhow(tmp_path / "whole.mp4", scenes, movflags="faststart")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    result = call(cut, "--every", "10", "--strict", "--out", tmp_path / "results")
    assert result.exit_code == 1
    assert "stops at " in result.stderr
    run = run_in(tmp_path / "results")
    assert 1 <= len(run.frames) < 5
    assert run.skipped[-1].image == "cut.mp4"
    assert "stops at " in run.skipped[-1].reason


def test_an_unreadable_video_among_others_is_told_and_skipped(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    videos = [tmp_path / "bad.mp4", folder / "episode.mp4"]
    result = success(call(*videos, "--every", "9", "--out", tmp_path / "results"))
    assert "skipped " in result.stderr
    run = run_in(tmp_path / "results")
    assert [skipped.image for skipped in run.skipped] == ["bad.mp4"]
    assert len(run.frames) == 2


def test_no_video_at_all_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    (tmp_path / "worse.mp4").write_bytes(b"")
    alone = call(tmp_path / "bad.mp4", "--out", tmp_path / "results")
    assert_refused(alone, "bad.mp4 is no video or is damaged")
    both = call(tmp_path / "bad.mp4", tmp_path / "worse.mp4", "--out", tmp_path / "results")
    assert "none of the 2 videos could be read" in both.stderr
    assert_refused(call(tmp_path / "none.mp4", "--out", tmp_path / "results"), "no such file")
    assert not (tmp_path / "results").exists()


def test_other_runs_files_make_way(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    success(call(folder / "episode.mp4", "--weights", "a=cartoon", "--every", "9", "--out", out))
    assert_refused(call(folder / "episode.mp4", "--out", out), "exists already")
    again = call(folder / "episode.mp4", "--every", "9", "--out", out, "--force")
    assert "removed " in success(again).stderr
    assert left_in(out) == ["cartoon.detections.json", "report.html"]


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        (["--overlays"], "--overlays and --truth are for images"),
        (["--truth", "faces.txt"], "--overlays and --truth are for images"),
        (["--every", "0"], "expected frames like 10 or a time like 0.5s"),
    ],
)
def test_what_does_not_go_with_videos(
    folder: Path, tmp_path: Path, extra: list[str], complaint: str
) -> None:
    result = call(folder / "episode.mp4", *extra, "--out", tmp_path / "results")
    assert result.exit_code == 2
    assert complaint in result.stderr


@pytest.mark.parametrize("option", [["--every", "2"], ["--video"], ["--skip-still"]])
def test_what_goes_with_videos_alone(portrait: Path, tmp_path: Path, option: list[str]) -> None:
    result = call(portrait, *option, "--out", tmp_path / "results")
    assert result.exit_code == 2
    assert "are for videos; found none" in result.stderr


# ---- what is in a folder


def test_a_folder_of_videos_is_searched_to_the_bottom(folder: Path, tmp_path: Path) -> None:
    for name in ("season/1.mp4", "season/2", ".hidden.mp4"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "episode.mp4", tmp_path / "in" / name)
    (tmp_path / "in/notes.ts").write_text("export const text = true\n")
    (tmp_path / "in/list.mp4").write_text("ffconcat version 1.0\nfile season/1.mp4\n")
    (tmp_path / "in/again").symlink_to(".")
    result = success(call(tmp_path / "in", "--every", "9", "--out", tmp_path / "results"))
    names = [frame.image for frame in run_in(tmp_path / "results").frames]
    videos = ("season-1.mp4", "season-2")
    assert names == [frame_name(video, n) for video in videos for n in (0, 9)]
    said = "passed over 1 linked folder, 2 other files; name linked folders to have them searched"
    assert said in result.stderr


def mixed(folder: Path, portrait: Path, place: Path) -> Path:
    """Return a folder of two images, one without a suffix, a video and what is passed over."""
    place.mkdir()
    shutil.copy(portrait, place / "face.jpg")
    shutil.copy(portrait, place / "face")
    shutil.copy(folder / "episode.mp4", place)
    (place / "more").symlink_to(folder)
    (place / "nowhere.jpg").symlink_to("nothing")
    (place / "faces.txt").write_text("face.jpg 1 2 30 40\n")
    return place


@pytest.mark.parametrize("named", ["folder", "files"])
def test_images_and_videos_are_searched_in_one_call(
    folder: Path, portrait: Path, tmp_path: Path, named: str
) -> None:
    """The images first, then the videos, both as they are found alone."""
    place = mixed(folder, portrait, tmp_path / "in")
    names = ("episode.mp4", "face", "face.jpg")
    paths = [place] if named == "folder" else [place / name for name in names]
    how = ("--every", "3", "--skip-still", "--video", "--overlays", "--crops", "--batch-size", "1")
    result = success(call(*paths, *how, "--out", tmp_path / "both"))
    success(call(place / "face", place / "face.jpg", "--out", tmp_path / "images"))
    video = success(call(place / "episode.mp4", *how[:4], "--out", tmp_path / "video"))
    both, images, frames = (run_in(tmp_path / out) for out in ("both", "images", "video"))
    assert [timeless(each) for each in both.frames] == [
        timeless(each) for each in (*images.frames, *frames.frames)
    ]
    assert both.settings["every"] == "3"
    assert "cartoon: 2 faces in 2 images (0 skipped), " in result.stdout
    (told,) = [line for line in video.stdout.splitlines() if " tracks in " in line]
    assert told.partition(" tracks in ")[0] in result.stdout
    assert (tmp_path / "both/overlays/face.jpg").exists()
    assert not (tmp_path / "both/overlays/episode.mp4").exists()
    assert (tmp_path / "both/videos/episode.mp4").read_bytes() == (
        tmp_path / "video/videos/episode.mp4"
    ).read_bytes()
    assert ("passed over 1 linked folder, 2 other files; name linked folders" in result.stderr) == (
        named == "folder"
    )


def timeless(frame: FrameResult) -> tuple[object, ...]:
    """Return what was found in a frame, without the seconds it took."""
    found = frame.detections
    return (
        *(frame.image, frame.size_hw, frame.candidates, frame.time, frame.tracks, frame.carried),
        *(each.tolist() for each in (found.boxes, found.scores, found.landmarks)),
    )


def test_what_cannot_be_read_among_images_and_videos_is_skipped(
    folder: Path, portrait: Path, tmp_path: Path
) -> None:
    place = mixed(folder, portrait, tmp_path / "in")
    for name in ("bad.jpg", "worse.mp4"):
        (place / name).write_bytes(b"")
    result = call(place, "--every", "9", "--strict", "--out", tmp_path / "results")
    assert result.exit_code == 1
    run = run_in(tmp_path / "results")
    assert [each.image for each in run.skipped] == ["bad.jpg", "worse.mp4"]
    assert len(run.frames) == 4
    for name in ("face", "face.jpg"):
        (place / name).unlink()
    success(call(place, "--every", "9", "--out", tmp_path / "video"))
    (place / "episode.mp4").unlink()
    nothing = call(place, "--out", tmp_path / "nothing")
    assert "none of the 1 images and 1 videos could be read" in complaint(nothing)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", ["clip", "clip.divx", "clip.jpg", "clip.txt"])
def test_a_video_is_told_by_its_content(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(folder / "episode.mp4", tmp_path / name)
    success(call(tmp_path / name, "--every", "9", "--out", tmp_path / "results"))
    assert len(run_in(tmp_path / "results").frames) == 2


def test_an_image_is_told_by_its_content(portrait: Path, tmp_path: Path) -> None:
    shutil.copy(portrait, tmp_path / "face.mp4")
    success(call(tmp_path / "face.mp4", "--out", tmp_path / "results"))
    assert [frame.image for frame in run_in(tmp_path / "results").frames] == ["face.mp4"]


# ---- memory


def test_frames_are_taken_a_few_at_a_time_however_many_there_are() -> None:
    taken = 0

    def endless() -> Iterator[FilmPicture]:
        nonlocal taken
        for number in range(10_000):
            taken += 1
            frame = VideoFrame(number, number / RATE, np.zeros((48, 64, 3), np.uint8))
            yield FilmPicture("a.mp4", HeldFrame(frame))

    detector = Detector.load("cartoon", "cpu")
    settings = replace(Settings(), min_face=30.0)
    found = search_all([SearchRun("", detector, settings)], endless(), batch_size=4, workers=2)
    first = next(found)
    assert first.results[""].image == "a.mp4/000000.png"
    assert taken <= 4 * (2 * 2 + 2)
    del found


class Living:
    """Counts the pixels of the frames that somebody still holds."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def film(self, count: int, height: int, width: int) -> Iterator[FilmPicture]:
        for number in range(count):
            pixels = np.zeros((height, width, 3), np.uint8)
            self._change(height * width)
            weakref.finalize(pixels, self._change, -height * width)
            yield FilmPicture("a.mp4", HeldFrame(VideoFrame(number, number / RATE, pixels)))

    def _change(self, pixels: int) -> None:
        self.now += pixels
        self.most = max(self.most, self.now)


class Blind:
    """Finds nothing, at once."""

    device = torch.device("cpu")

    def search(self, images: Sequence[Pixels], *_: object, **__: object) -> list[Search]:
        return [Search(Detections.empty(), {}) for _ in images]


@pytest.mark.parametrize("workers", [1, 3, 8])
@pytest.mark.parametrize("size_hw", [(10, 10), (40, 50), (100, 200), (300, 300)])
def test_large_frames_wait_in_smaller_numbers(workers: int, size_hw: tuple[int, int]) -> None:
    living, room = Living(), 200_000
    run = SearchRun("", cast("Any", Blind()), Settings())
    film = living.film(300, *size_hw)
    found = search_all([run], film, batch_size=8, workers=workers, room=room)
    assert sum(len(each.results) for each in found) == 300
    pixels = size_hw[0] * size_hw[1]
    assert living.most <= max(room, pixels * most_waiting(workers))
    assert living.most >= pixels * min(8, room // pixels // most_waiting(workers) or 1)


# ---- between the frames that were searched


class Kept(list[tuple[Pixels, float]]):
    """A writer that keeps what it is given."""

    def add(self, pixels: Pixels, time: float) -> None:
        self.append((pixels, time))


def found_at(*boxes: list[float], tracks: tuple[int | None, ...]) -> FrameResult:
    scores, landmarks = [0.9] * len(boxes), np.zeros((len(boxes), 5, 2))
    detections = Detections.from_lists(boxes, scores, landmarks)
    return FrameResult("x", (360, 480), detections, {}, 0.0, time=0.0, tracks=tracks)


def test_faces_in_both_frames_glide_and_others_stay() -> None:
    before = found_at([0, 0, 10, 10], [50, 50, 60, 60], tracks=(1, 2))
    after = found_at([40, 0, 50, 10], [90, 90, 99, 99], tracks=(1, None))
    quarter = _glide(before, after, 0.25).detections.boxes.tolist()
    assert quarter == [[10, 0, 20, 10], [50, 50, 60, 60]]
    assert _glide(before, after, 0).detections.boxes.tolist() == before.detections.boxes.tolist()


def test_boxes_do_not_outlive_their_scene() -> None:
    scenes = [draw_frame(1, "test", index).image for index in (0, 1)]
    frames = [VideoFrame(n, n / 25, scenes[n // 4]) for n in range(8)]
    kept = Kept()
    drawn = _DrawnVideo(iter(frames), cast(VideoWriter, kept))
    found = {"tuned": found_at([100, 100, 200, 200], tracks=(1,))}
    drawn.show(Searched(FilmPicture("e.mp4", HeldFrame(frames[0])), found))
    drawn.finish()
    marked = [not np.array_equal(pixels, frames[n].pixels) for n, (pixels, _) in enumerate(kept)]
    assert marked == [True] * 4 + [False] * 4


def test_a_face_found_in_the_first_frame_of_a_scene_is_drawn() -> None:
    scenes = [draw_frame(1, "test", index).image for index in (0, 1)]
    frames = [VideoFrame(n, n / 25, scenes[n // 4]) for n in range(8)]
    kept = Kept()
    drawn = _DrawnVideo(iter(frames), cast(VideoWriter, kept))
    for index in (0, 4):
        found = {"tuned": found_at([100, 100, 200, 200], tracks=(index,))}
        drawn.show(Searched(FilmPicture("e.mp4", HeldFrame(frames[index])), found))
    drawn.finish()
    assert all(not np.array_equal(pixels, frames[n].pixels) for n, (pixels, _) in enumerate(kept))


def test_faces_and_tracks_count_from_a_score_on() -> None:
    tally = Tally(0.5)
    found = found_at([0, 0, 10, 10], [50, 50, 60, 60], tracks=(1, 2))
    scores = np.array([0.9, 0.4], np.float32)
    found = replace(found, detections=replace(found.detections, scores=scores))
    for video in ("a", "a", "b"):
        tally.add(found, video)
    assert (tally.frames.pictures, tally.boxes, tally.frames.faces) == (3, 6, 3)
    said = tally.describe("tuned")
    assert said.startswith("tuned: 3 boxes and 2 tracks in 3 frames, ")
    assert said.endswith("\n  at score 0.5 and more; the file has 6 boxes in all")


def test_a_copy_shows_what_reaches_the_score(folder: Path, tmp_path: Path) -> None:
    changed = {}
    for score in (0, 1):
        given = [folder / "episode.mp4", "--every", "6", "--video", "--score", score]
        out = tmp_path / str(score)
        result = success(call(*given, "--out", out))
        run = run_in(out)
        assert f"cartoon: {run.above(score).count} boxes and " in result.stdout
        copy, original = (
            VideoReader(place / "episode.mp4").frames() for place in (out / "videos", folder)
        )
        changed[score] = sum(
            int((np.abs(one.pixels.astype(int) - other.pixels).max(axis=2) > 60).sum())
            for one, other in zip(copy, original, strict=True)
        )
    assert run.above(1).count < run.count  # the file keeps all
    assert any(number for frame in run.frames for number in frame.tracks or ())
    assert changed[1] < 0.9 * changed[0]
