"""Videos: every frame once, upright, at its time; damaged ones to where they are whole."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from drawn_videos import RATE, Picture, pictures, write_anyhow, write_video
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facetl.data import video
from facetl.data.media_types import is_video
from facetl.data.video import (
    LONGEST_SIDE,
    Sampling,
    VideoFrame,
    VideoReader,
    _Clock,
    _square_size,
    writing_video,
)
from facetl.errors import OutputError, VideoError

CASES = Path(__file__).parent / "cases"


@pytest.fixture
def panned(tmp_path: Path) -> Path:
    return write_video(tmp_path / "pan.mp4", pictures(0, 30))


def read(path: Path, every: str = "1") -> tuple[list[VideoFrame], list[str]]:
    reader = VideoReader(path)
    return list(reader.frames(Sampling.parse(every))), reader.faults


def far(one: Picture, other: Picture) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


# ---- reading


def test_every_frame_comes_once_in_order_at_its_time(panned: Path) -> None:
    frames, faults = read(panned)
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.time for frame in frames] == pytest.approx([n / RATE for n in range(30)])
    assert faults == []
    for frame, drawn in zip(frames, pictures(0, 30), strict=True):
        assert frame.pixels.dtype == np.uint8
        assert far(frame.pixels, drawn) < 5


def test_the_header_tells_size_rate_and_length(panned: Path) -> None:
    facts = VideoReader(panned).facts()
    assert (facts.size_hw, facts.rate) == ((240, 320), Fraction(RATE))
    assert facts.seconds == pytest.approx(1.2)
    assert [facts.count(Sampling.parse(text)) for text in ("1", "10", "0.4s", "9s")] == [
        30,
        3,
        3,
        1,
    ]


def test_a_video_can_be_read_twice(panned: Path) -> None:
    reader = VideoReader(panned)
    assert len(list(reader.frames())) == len(list(reader.frames())) == 30


@pytest.mark.parametrize("folder", ["http:", "concat:", "pipe:", "file:x"])
def test_a_name_that_looks_like_an_address_is_a_place_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with writing_video(Path(folder) / "a.mp4", Fraction(25)) as writer:
        writer.add(np.zeros((16, 16, 3), np.uint8), 0.0)
    assert (tmp_path / folder / "a.mp4").is_file()
    assert VideoReader(Path(folder) / "a.mp4").facts().size_hw == (16, 16)


@pytest.mark.parametrize(("turn", "quarters"), [(90, 1), (180, 2), (-90, 3)])
def test_frames_are_turned_upright(tmp_path: Path, turn: int, quarters: int) -> None:
    drawn = pictures(0, 3)
    path = write_anyhow(tmp_path / "turned.mp4", drawn, turn=turn)
    (frame, *_), _ = read(path)
    assert far(frame.pixels, np.rot90(drawn[0], quarters)) < 5
    assert VideoReader(path).facts().size_hw == frame.pixels.shape[:2]


def test_the_times_of_a_variable_frame_rate_are_its_own(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.3, 1.0, 1.04, 2.5]
    path = write_anyhow(tmp_path / "slow.mkv", pictures(0, 6), times=times)
    assert [frame.time for frame in read(path)[0]] == pytest.approx(times)
    assert [frame.index for frame in read(path, "0.5s")[0]] == [0, 3, 5]


def test_times_are_counted_from_the_first_frame(tmp_path: Path) -> None:
    path = write_anyhow(tmp_path / "late.ts", pictures(0, 3), times=[7.0, 7.5, 8.0])
    assert [frame.time for frame in read(path)[0]] == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.mov", "mjpeg")]
)
def test_other_containers_and_codecs(tmp_path: Path, name: str, codec: str) -> None:
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.width, stream.height = 320, 240
        for picture in pictures(0, 5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    frames, faults = read(path)
    assert ([frame.index for frame in frames], faults) == ([0, 1, 2, 3, 4], [])


def test_a_title_that_is_not_in_utf_8_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "old.avi"
    with av.open(str(path), "w", metadata_encoding="latin-1") as container:
        container.metadata["title"] = "Käpt'n Blaubär"
        stream = container.add_stream("mpeg4", rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = 320, 240
        frame = av.VideoFrame.from_ndarray(pictures(0, 1)[0], format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "Blaubär".encode("latin-1") in path.read_bytes()
    assert len(read(path)[0]) == 1


def test_a_cover_is_not_the_film() -> None:
    frames, _ = read(CASES / "v2_cover_first.mkv")
    assert [frame.pixels.shape for frame in frames] == [(180, 240, 3)] * 6


@pytest.mark.parametrize("default", [0, 1])
def test_the_default_of_several_streams_is_read(tmp_path: Path, default: int) -> None:
    path = tmp_path / "two.mkv"
    scenes = [pictures(index, 3) for index in range(2)]
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=RATE) for _ in scenes]
        for number, stream in enumerate(streams):
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
            stream.disposition = Disposition.default if number == default else Disposition(0)
        for stream, shown in zip(streams, scenes, strict=True):
            assert isinstance(stream, av.VideoStream)
            for picture in shown:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
    frames, _ = read(path)
    assert len(frames) == 3
    assert far(frames[0].pixels, scenes[default][0]) < 8


@pytest.mark.parametrize("shape", [Fraction(4, 3), Fraction(1, 2)])
@pytest.mark.parametrize("turn", [0, 90])
def test_pixels_that_are_not_square_are_stretched_as_on_screen(
    tmp_path: Path, shape: Fraction, turn: int
) -> None:
    drawn = pictures(0, 2)
    path = write_anyhow(tmp_path / "a.mp4", drawn, shape=shape, turn=turn)
    size_wh = (round(320 * shape), 240) if shape > 1 else (320, round(240 / shape))
    wanted = np.rot90(np.asarray(Image.fromarray(drawn[0]).resize(size_wh)), turn // 90)
    assert VideoReader(path).facts().size_hw == wanted.shape[:2]
    assert far(read(path)[0][0].pixels, wanted) < 6


@pytest.mark.parametrize("shape", [Fraction(255, 1), Fraction(201, 200)])
def test_shapes_of_pixels_that_cannot_be_or_do_not_matter(tmp_path: Path, shape: Fraction) -> None:
    path = write_anyhow(tmp_path / "a.mp4", pictures(0, 2), shape=shape)
    assert VideoReader(path).facts().size_hw == (240, 320)


def test_stretched_frames_are_not_too_large() -> None:
    assert _square_size(5000, 100, 2.0) == (5000, 50)
    assert _square_size(100, 5000, 0.5) == (50, 5000)


@pytest.mark.parametrize("suffix", ["", ".qt", ".f4v", ".mts", ".divx", ".txt"])
@pytest.mark.parametrize(
    "container", ["mp4", "mkv", "ts", "avi", "flv", "mpg", "ogg", "asf", "m2v", "h264", "mxf"]
)
def test_what_is_a_video_is_told_by_its_content(
    tmp_path: Path, suffix: str, container: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(clip(container))
    assert is_video(path)
    assert len(read(path)[0]) == 3


@cache
def clip(container: str) -> bytes:
    """Return a short video."""
    mpeg2 = dict.fromkeys(("mpg", "m2v", "mxf"), "mpeg2video")
    others = {"flv": "flv1", "ogg": "libvpx", "asf": "wmv2", "h264": "libx264"}
    codec = {**mpeg2, **others}.get(container)
    buffer = io.BytesIO()
    names = {"mkv": "matroska", "ts": "mpegts", "mpg": "mpeg", "m2v": "mpeg2video"}
    with av.open(buffer, "w", format=names.get(container, container)) as file:
        stream = file.add_stream(codec or "mpeg4", rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for picture in pictures(0, 3):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    return buffer.getvalue()


# ---- what cannot be read


def test_no_file_no_video_and_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "void.mp4").write_bytes(b"")
    for name, found in [
        ("none.mp4", "no file that can be read"),
        ("text.mp4", "no video or is damaged"),
        ("void.mp4", "no video or is damaged"),
    ]:
        with pytest.raises(VideoError, match=found) as caught:
            VideoReader(tmp_path / name).facts()
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


LISTS = {
    "ffconcat": "ffconcat version 1.0\nfile other.mp4\n",
    "playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n",
    "session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    "manifest": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "txt"])
def test_lists_of_other_files_are_no_videos(
    panned: Path, tmp_path: Path, kind: str, suffix: str
) -> None:
    panned.rename(tmp_path / "other.mp4")
    (tmp_path / f"list.{suffix}").write_text(LISTS[kind])
    with pytest.raises(VideoError, match=r"is no video(, but a list| or is damaged)"):
        VideoReader(tmp_path / f"list.{suffix}").facts()


def test_numbered_images_are_no_video(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(pictures(0, 1)[0]).save(tmp_path / f"{number}.png")
    (tmp_path / "%d.png").write_bytes((tmp_path / "0.png").read_bytes())
    with pytest.raises(VideoError, match="no video, but a list of files or of a kind"):
        VideoReader(tmp_path / "%d.png").facts()


@pytest.mark.parametrize("place", ["/dev/zero", "/proc/kmsg", "/proc/self/pagemap", "pipe"])
def test_what_never_ends_is_no_video_and_nothing_waits(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.mp4").symlink_to(place)
    with pytest.raises(VideoError, match=r"a\.mp4 is no "):
        VideoReader(tmp_path / "a.mp4").facts()


def test_a_cover_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mka"
    with av.open(str(path), "w", format="matroska") as container:
        sound = container.add_stream("mp2", rate=48_000)
        container.add_attachment("cover.png", "image/png", cover())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16", "mono")
        frame.sample_rate = 48_000
        container.mux([*sound.encode(frame), *sound.encode()])
    with pytest.raises(VideoError, match="holds no video stream"):
        VideoReader(path).facts()


def cover() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pictures(0, 1)[0]).save(buffer, "PNG")
    return buffer.getvalue()


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match="holds no video stream"):
        list(VideoReader(path).frames())


def test_a_video_cut_short_counts_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_anyhow(tmp_path / "whole.mp4", pictures(0, 60), movflags="faststart")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    frames, faults = read(cut)
    assert 10 < len(frames) < 60
    assert "stops at " in faults[-1]
    assert "of 2.40 s" in faults[-1]
    for frame, drawn in zip(frames, pictures(0, 60), strict=False):
        assert far(frame.pixels, drawn) < 5, "a frame with a damaged half was passed on"


@pytest.mark.parametrize("suffix", ["mkv", "ts", "mts", "mpg", "nut", "mov", "avi"])
def test_sound_may_be_longer_than_the_picture(tmp_path: Path, suffix: str) -> None:
    path = write_anyhow(tmp_path / f"a.{suffix}", pictures(0, 30), sound=4)
    frames, faults = read(path)
    assert (len(frames), faults) == (30, [])
    assert VideoReader(path).faults == []


def test_subtitles_may_be_longer_than_the_picture() -> None:
    frames, faults = read(CASES / "v1_subtitles_longer.mkv")
    assert (len(frames), faults) == (6, [])
    assert VideoReader(CASES / "v1_subtitles_longer.mkv").facts().seconds == pytest.approx(1.2)


@pytest.mark.parametrize("has_tags", [True, False])
def test_longer_sound_does_not_hide_that_a_video_is_cut_short(
    tmp_path: Path, has_tags: bool
) -> None:
    whole = write_anyhow(tmp_path / "whole.mkv", pictures(0, 60), sound=9).read_bytes()
    if not has_tags:  # of how long each track is
        whole = whole.replace(b"DURATION", b"duration")
    (tmp_path / "whole.mkv").write_bytes(whole)
    assert read(tmp_path / "whole.mkv")[1] == []
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 5])
    frames, faults = read(tmp_path / "cut.mkv")
    assert 5 < len(frames) < 60
    assert faults[-1].startswith("stops at ")


def test_a_video_that_begins_late_is_whole(tmp_path: Path) -> None:
    times = [9 + n / RATE for n in range(30)]
    path = write_anyhow(tmp_path / "late.mkv", pictures(0, 30), times=times)
    assert read(path)[1] == []


def test_damaged_frames_in_the_middle_are_left_out_and_counted(tmp_path: Path) -> None:
    scenes = [picture for index in range(3) for picture in pictures(index, 20)]
    path = write_anyhow(tmp_path / "bad.mkv", scenes)
    data = bytearray(path.read_bytes())
    for place in range(len(data) * 45 // 100, len(data) * 55 // 100, 97):
        data[place] ^= 0xFF
    path.write_bytes(data)
    frames, faults = read(path)
    assert 10 < len(frames) < 60
    assert any("damaged frames left out" in fault for fault in faults)


# ---- which frames count


@pytest.mark.parametrize("text", ["0", "0s", "-1", "a", "1m", "", "0.5", "1e9s", "."])
def test_what_is_no_frequency(text: str) -> None:
    with pytest.raises(ValueError, match="expected frames like 10 or a time"):
        Sampling.parse(text)


@given(st.integers(1, 10_000))
def test_frames_are_read_back(frames: int) -> None:
    assert Sampling.parse(str(Sampling(frames=frames))) == Sampling(frames=frames)


@given(
    st.lists(st.floats(0.001, 3), min_size=1, max_size=60),
    st.floats(0.05, 5),
)
def test_a_slot_has_one_frame_its_first(gaps: list[float], seconds: float) -> None:
    times = np.cumsum([0.0, *gaps]).tolist()
    every = Sampling(seconds=seconds)
    slots = [every.slot(index, time) for index, time in enumerate(times)]
    assert slots == sorted(slots)
    assert slots[0] == 0
    for time, slot in zip(times, slots, strict=True):
        assert slot * seconds <= time + 1e-5 < (slot + 1) * seconds + 2e-5


@given(st.integers(1, 9), st.integers(1, 50))
def test_one_in_so_many_frames(frames: int, count: int) -> None:
    every = Sampling(frames=frames)
    slots = [every.slot(index, 0.0) for index in range(count)]
    firsts = [index for index in range(count) if slots[index] not in slots[:index]]
    assert firsts == list(range(0, count, frames))


@given(st.lists(st.none() | st.floats(-100, 100), min_size=1, max_size=50))
def test_time_never_stands_or_runs_back(stamps: list[float | None]) -> None:
    clock = _Clock(0.04)
    times = [clock.read(stamp) for stamp in stamps]
    assert times[0] == 0
    assert all(later > earlier for earlier, later in pairwise(times))


def test_values_out_of_range() -> None:
    with pytest.raises(ValueError, match="at least 1 frame"):
        Sampling(frames=0)
    with pytest.raises(ValueError, match="above 0"):
        Sampling(seconds=0)


# ---- writing


def test_a_video_keeps_size_rate_and_times(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.15, 1.0]
    with writing_video(tmp_path / "a.mp4", Fraction(30000, 1001)) as writer:
        for picture, time in zip(pictures(1, 4), times, strict=True):
            writer.add(picture, time)
    frames, faults = read(tmp_path / "a.mp4")
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-4)
    assert frames[0].pixels.shape == (240, 320, 3)
    assert faults == []


def test_odd_sides_get_one_more_and_other_sizes_are_fitted(tmp_path: Path) -> None:
    odd, other = pictures(0, 1)[0][:75, :101], pictures(1, 1)[0]
    write_video(tmp_path / "odd.mp4", [odd, other])
    frames, _ = read(tmp_path / "odd.mp4")
    assert [frame.pixels.shape for frame in frames] == [(76, 102, 3)] * 2
    assert far(frames[0].pixels[:75, :101], odd) < 6


def test_nothing_is_left_if_writing_breaks_off(tmp_path: Path) -> None:
    def break_off() -> None:
        with writing_video(tmp_path / "a.mp4", Fraction(25)) as writer:
            writer.add(pictures(0, 1)[0], 0.0)
            raise KeyError("broken off")

    with pytest.raises(KeyError):
        break_off()
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_no_encoder_takes(tmp_path: Path) -> None:
    large = np.zeros((16, 20_000, 3), np.uint8)
    with pytest.raises(OutputError, match=r"a\.mp4: no video of 20000x16 pixels .* at most 8190"):
        write_video(tmp_path / "a.mp4", [large])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("codec", list(video._ENCODERS))
@pytest.mark.parametrize("size_hw", [(16, LONGEST_SIDE), (LONGEST_SIDE, 16)])
def test_every_encoder_takes_the_longest_side(
    codec: str, size_hw: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "_ENCODERS", {codec: video._ENCODERS[codec]})
    path = write_video(tmp_path / "a.mp4", [np.full((*size_hw, 3), 90, np.uint8)])
    assert VideoReader(path).facts().size_hw == size_hw


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_video(tmp_path / "file" / "a.mp4", pictures(0, 1))
