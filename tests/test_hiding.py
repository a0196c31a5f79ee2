"""``facetl detect --blur`` and ``--mask``: faces that are hidden, and stay hidden in a video."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from click.testing import CliRunner, Result
from drawn_videos import RATE, pictures, scene, write_video
from numpy.typing import NDArray
from outcomes import success
from PIL import Image

from facetl.boxes import as_boxes, iou
from facetl.cli import main
from facetl.data.held_frames import HeldFrame
from facetl.data.hiding import Hiding, hide_faces
from facetl.data.images import load_image, save_image
from facetl.data.video import VideoFrame, VideoReader, VideoWriter
from facetl.mtcnn.detector import Detector
from facetl.results.detections import Detections, FrameResult
from facetl.search.hiding import FaceCover, HiddenVideo
from facetl.search.pipeline import Searched
from facetl.search.video import FilmPicture

WAYS: tuple[Hiding, ...] = ("blur", "mask")
BOX = (100.0, 60.0, 140.0, 120.0)


def detect(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["detect", "--device", "cpu", *map(str, arguments)])


def noise(height: int = 200, width: int = 300) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


def found(*boxes: Iterable[float], track: int | None = 1, time: float = 0.0) -> FrameResult:
    scores, points = [0.9] * len(boxes), [[[0, 0]] * 5] * len(boxes)
    detections = Detections.from_lists([list(box) for box in boxes], scores, points)
    tracks = (track,) * len(boxes)
    return FrameResult("a.mp4/000000.png", (200, 300), detections, {}, 0.0, time, tracks)


# pictures


@pytest.mark.parametrize("how", WAYS)
def test_the_whole_box_is_hidden_and_nothing_far_from_it(how: Hiding) -> None:
    picture = noise()
    hidden = hide_faces(picture, np.array([BOX]), how)
    changed = (hidden != picture).any(axis=2)
    assert changed[60:120, 100:140].mean() > 0.999
    x1, x2 = np.flatnonzero(changed.any(axis=0))[[0, -1]]
    y1, y2 = np.flatnonzero(changed.any(axis=1))[[0, -1]]
    assert (x1, x2 + 1) == pytest.approx((120 - 31, 120 + 31), abs=2)
    assert (y1, y2 + 1) == pytest.approx((90 - 47, 90 + 47), abs=2)


def test_a_mask_is_black_and_a_blur_keeps_next_to_nothing() -> None:
    picture = noise()
    inside = np.s_[65:115, 105:135]
    assert (hide_faces(picture, np.array([BOX]), "mask")[inside] == 0).all()
    blurred = hide_faces(picture, np.array([BOX]), "blur")[inside].astype(int)
    assert np.abs(np.diff(blurred, axis=0)).max() <= 6, "no edge is left"
    assert blurred.std() < 0.15 * picture[inside].std()


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(
    "box", [(-50, -50, 20, 20), (290, 190, 400, 400), (400, 400, 500, 500), (7, 7, 7, 7)]
)
def test_boxes_at_and_beyond_the_border(how: Hiding, box: tuple[float, ...]) -> None:
    hidden = hide_faces(noise(), np.array([box]), how)
    assert hidden.shape == (200, 300, 3)
    assert (hidden != noise()).any() == (box[0] < 300)


@pytest.mark.parametrize("how", WAYS)
def test_no_detector_finds_a_hidden_face_again(how: Hiding, portrait: Path) -> None:
    searched = {
        "pretrained": [load_image(portrait)],
        "cartoon": [scene(index).image for index in range(6)],
    }
    for name, images in searched.items():
        detector, count = Detector.load(name, "cpu"), 0
        for image in images:
            faces = detector.detect(image, min_score=0.7)
            again = detector.detect(hide_faces(image, faces.boxes, how), min_score=0.7)
            count += len(faces)
            overlaps = iou(as_boxes(faces.boxes), as_boxes(again.boxes))
            assert overlaps.max(initial=0) < 0.3
        assert count >= len(images)


# videos: which boxes are hidden when


def cover_of(
    seen: dict[int, FrameResult], count: int = 40, every: int = 1, cut: int = 0
) -> list[Any]:
    """Return what is hidden in each frame; in ``seen`` is what was found in searched ones."""
    frames = [VideoFrame(n, n / RATE, noise()) for n in range(count)]
    asked: list[Any] = []
    cover, pending = FaceCover(), list(frames)
    for number in range(0, count, every):
        results = {"a": seen.get(number, found())}
        until = cover.add(number / RATE, results, cut=bool(cut) and number == cut)
        while pending and pending[0].time < until:
            asked.append(cover.at(pending.pop(0).time).tolist())
    return asked + [cover.at(frame.time).tolist() for frame in pending]


def moved(number: int) -> tuple[float, ...]:
    return tuple(side + number for side in BOX)


@pytest.mark.parametrize("missed", [1, 3, 20])
def test_a_face_that_a_track_misses_for_some_frames_stays_hidden(missed: int) -> None:
    seen = {n: found(moved(n)) for n in range(40) if not 5 <= n < 5 + missed}
    hidden = cover_of(seen)
    for number, boxes in enumerate(hidden):
        assert boxes == [pytest.approx(moved(number))]


def test_a_face_is_hidden_two_frames_before_and_after() -> None:
    hidden = cover_of({n: found(BOX) for n in range(10, 20)})
    assert [n for n, boxes in enumerate(hidden) if boxes] == list(range(8, 22))


def test_a_box_without_a_track_is_hidden_as_well() -> None:
    hidden = cover_of({10: found(BOX, track=None)})
    assert [n for n, boxes in enumerate(hidden) if boxes] == list(range(8, 13))


@pytest.mark.parametrize("every", [5, 40])
def test_frames_between_those_that_were_searched_are_hidden(every: int) -> None:
    seen = {n: found(moved(n)) for n in range(80, 161, every)}
    hidden = cover_of(seen, count=400, every=every)
    for number in range(80, 161):
        assert hidden[number] == [pytest.approx(moved(number))]
    shown = [n for n, boxes in enumerate(hidden) if boxes]
    assert shown == list(range(max(80 - 3 * every + 1, 0), 160 + 3 * every))


@pytest.mark.parametrize("cut", [8, 9, 10, 20, 21])
def test_a_cut_ends_what_is_hidden_around_a_face(cut: int) -> None:
    seen = {n: found(BOX) for n in range(10, 20)}
    hidden = cover_of(seen, cut=cut)
    shown = [n for n, boxes in enumerate(hidden) if boxes]
    assert shown == [n for n in range(8, 22) if (n >= cut) == (cut <= 10)]


def test_a_cut_somewhere_between_searched_frames_uncovers_none_of_them() -> None:
    seen = {n: found(moved(n)) for n in (10, 20)}
    hidden = cover_of(seen, count=40, every=10, cut=30)
    assert [n for n, boxes in enumerate(hidden) if boxes] == list(range(30))


def searched(
    frame: VideoFrame, results: dict[str, FrameResult], *, is_cut: bool = False
) -> Searched[FilmPicture]:
    return Searched(FilmPicture("e.mp4", HeldFrame(frame)), results, is_cut=is_cut)


def test_nothing_of_a_scene_is_hidden_in_the_next_one() -> None:
    scenes = [scene(index).image for index in (0, 4)]
    frames = [VideoFrame(n, n / RATE, scenes[n // 10]) for n in range(20)]
    kept = Kept()
    hidden = HiddenVideo(iter(frames), cast(VideoWriter, kept), "mask")
    for number, frame in enumerate(frames):
        boxes = [BOX] if number < 10 else [moved(200)]
        results = {"a": found(*boxes, track=1 + number // 10, time=frame.time)}
        hidden.show(searched(frame, results, is_cut=number == 10))
    hidden.finish()
    masked = {0: BOX, 1: moved(200)}
    for number, (pixels, _) in enumerate(kept.frames):
        expected = hide_faces(frames[number].pixels, np.array([masked[number // 10]]), "mask")
        assert np.array_equal(pixels, expected)


def test_tracks_of_several_runs_are_hidden_together() -> None:
    cover = FaceCover()
    cover.add(0.0, {"a": found(BOX), "b": found(moved(50))})
    assert len(cover.at(0.0)) == 2


def test_what_is_past_is_forgotten() -> None:
    cover = FaceCover()
    for number in range(5000):
        cover.add(number / RATE, {"a": found(BOX, track=number // 10)}, cut=number % 5 == 0)
        cover.at((number - 30) / RATE)
    assert len(cover._faces) < 10
    assert len(cover._times) < 50
    assert len(cover._cuts) < 20
    assert sum(map(len, cover._faces.values())) < 50


class Kept:
    """Takes frames as a writer does."""

    def __init__(self) -> None:
        self.frames: list[tuple[NDArray[np.uint8], float]] = []

    def add(self, pixels: NDArray[np.uint8], time: float) -> None:
        self.frames.append((pixels, time))


def test_all_frames_are_written_once_with_the_faces_hidden() -> None:
    frames = [VideoFrame(n, n / RATE, noise()) for n in range(60)]
    kept = Kept()
    hidden = HiddenVideo(iter(frames), cast(VideoWriter, kept), "mask")
    for number in range(0, 60, 3):
        results = {"a": found(BOX, time=number / RATE)}
        hidden.show(searched(frames[number], results))
    assert len(kept.frames) < 40, "what may still change waits"
    hidden.finish()
    assert [time for _, time in kept.frames] == [frame.time for frame in frames]
    assert all((pixels[90, 120] == 0).all() for pixels, _ in kept.frames)


# the command


@pytest.mark.usefixtures("sketched")
@pytest.mark.parametrize("how", WAYS)
def test_a_copy_of_a_video_has_no_faces(tmp_path: Path, how: str) -> None:
    video = write_video(tmp_path / "e.mp4", pictures(2, 8))
    out, again = tmp_path / "out", tmp_path / "again"
    result = success(detect(video, f"--{how}", "--video", "--out", out))
    place = out / {"blur": "blurred", "mask": "masked"}[how]
    assert str(place) in result.stdout
    copy = place / "e.mp4"
    assert VideoReader(copy).facts() == VideoReader(video).facts()
    assert (out / "videos/e.mp4").exists()
    assert "0 boxes and 0 tracks in 8 frames" not in result.stdout
    assert "0 boxes and 0 tracks in 8 frames" in success(detect(copy, "--out", again)).stdout


@pytest.mark.usefixtures("sketched")
def test_copies_of_images_have_their_names_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    save_image(folder / "a/b.png", scene(2).image)
    Image.fromarray(scene(4).image).save(folder / "c.webp")
    told = Image.Exif()
    told[0x010E] = "who this is"
    Image.fromarray(scene(4).image).save(folder / "d.jpg", exif=told)
    out = tmp_path / "out"
    success(detect(folder, "--blur", "--mask", "--out", out))
    for place in ("blurred", "masked"):
        names = [path.relative_to(out / place) for path in (out / place).rglob("*.*")]
        assert sorted(map(str, names)) == ["a/b.png", "c.webp.jpg", "d.jpg"]
        with Image.open(out / place / "d.jpg") as copy:
            assert not copy.getexif()
    difference = load_image(out / "masked/a/b.png") != scene(2).image
    assert 0.01 < difference.any(axis=2).mean() < 0.5
