"""Sound and subtitles in the copies of videos: the same samples, at the same times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result
from drawn_videos import RATE, pictures
from numpy.typing import NDArray
from outcomes import success

from facetl.cli import main
from facetl.data.side_streams import plan_copy
from facetl.data.video import VideoReader, VideoWriter, _naming_damaged_sound
from facetl.results.store import load_run

pytestmark = pytest.mark.usefixtures("sketched")

COUNT = 10
HERTZ = 48_000


class Track(NamedTuple):
    """A stream of sound: its codec, and when it begins, in seconds."""

    codec: str
    start: float = 0.0


def packets_of(stream: Any, start: float, seconds: float) -> Iterator[Any]:
    """Encode a tone that rises, so that no two moments sound the same."""
    size = stream.frame_size or 1024
    samples = np.sin(np.cumsum(np.linspace(0.01, 0.2, int(seconds * HERTZ)))) * 12_000
    source = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], "s16", "mono")
    source.sample_rate, source.pts, source.time_base = HERTZ, 0, Fraction(1, HERTZ)
    resampler = av.AudioResampler(stream.format.name, "mono", HERTZ, frame_size=size)
    for frame in [*resampler.resample(source), *resampler.resample(None)]:
        frame.pts = (frame.pts or 0) + round(start * HERTZ)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def film(
    path: Path,
    *tracks: Track,
    start: float = 0.0,
    count: int = COUNT,
    subtitles: Path | None = None,
) -> Path:
    """Write a video that begins at a time, with sound of a second and a half beside it.

    Subtitles come from a file of them.
    """
    with ExitStack() as stack:
        container = stack.enter_context(av.open(str(path), "w"))
        picture: Any = container.add_stream("libx264", rate=RATE)
        picture.height, picture.width, picture.pix_fmt = 240, 320, "yuv420p"
        picture.codec_context.time_base = Fraction(1, 1000)
        streams: list[Any] = [container.add_stream(each.codec, rate=HERTZ) for each in tracks]
        for stream in streams:
            stream.layout = "mono"
            stream.metadata["language"] = "deu"
        spoken = stack.enter_context(av.open(str(subtitles))) if subtitles else None
        if spoken:
            texts = container.add_stream_from_template(spoken.streams[0])
        container.start_encoding()
        for number, pixels in enumerate(pictures(2, count)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = round((start + number / RATE) * 1000)
            frame.time_base = Fraction(1, 1000)
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        for stream, each in zip(streams, tracks, strict=True):
            container.mux(list(packets_of(stream, each.start, 1.5)))
        for packet in spoken.demux() if spoken else ():
            if packet.size:
                packet.stream = texts
                container.mux(packet)
    return path


class Sound(NamedTuple):
    """What is heard of a stream, and where.

    Attributes:
        codec: name of the codec.
        last: seconds from the first picture to the last block of samples.
        samples: all of them.
        packets: as they are stored.
    """

    codec: str
    last: float
    samples: NDArray[Any]
    packets: list[bytes]


def sounds(path: Path) -> list[Sound]:
    """Decode all streams of sound of a video."""
    with av.open(str(path)) as container:
        first = next(container.decode(video=0)).time or 0.0
    heard: list[Sound] = []
    for number in range(streams_of(path, "audio")):
        with av.open(str(path)) as container:
            frames, packets = [], []
            for packet in container.demux(audio=number):
                packets += [bytes(packet)] if packet.size else []
                with suppress(av.error.InvalidDataError):
                    frames += packet.decode()
            codec = container.streams.audio[number].codec_context.name
        samples = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
        heard.append(Sound(codec, (frames[-1].time or 0.0) - first, samples, packets))
    return heard


def streams_of(path: Path, kind: str) -> int:
    with av.open(str(path)) as container:
        return sum(each.type == kind for each in container.streams)


def draw(video: Path, out: Path, *more: object) -> Result:
    arguments = ("detect", video, "--device", "cpu", "--video", "--out", out, *more)
    return success(CliRunner().invoke(main, list(map(str, arguments))))


def assert_same_sound(copy: Path, original: Path) -> None:
    """The packets are the same, and so is when the last of them is heard, and what is heard.

    Containers differ in whether they know which of the encoder's first or last samples are none.
    """
    pairs = list(zip(sounds(copy), sounds(original), strict=True))
    assert pairs
    for one, other in pairs:
        assert one.last == pytest.approx(other.last, abs=0.0015), "Matroska counts milliseconds"
        assert len(one.packets) == len(other.packets)
        # a transport stream's packets have a header more
        assert all(map(bytes.endswith, other.packets, one.packets))
        if one.codec == other.codec != "opus":  # whose first sample Matroska rounds
            assert_same_samples(one.samples, other.samples)


def assert_same_samples(one: NDArray[Any], other: NDArray[Any]) -> None:
    shared = min(len(one), len(other))
    assert abs(len(one) - len(other)) <= 1152
    from_the_start = np.array_equal(one[:shared], other[:shared])
    assert from_the_start or np.array_equal(one[-shared:], other[-shared:])


@pytest.mark.parametrize(
    ("name", "codec", "copied"),
    [
        ("a.mp4", "aac", "a.mp4"),
        ("a.ts", "aac", "a.ts.mp4"),
        ("a.mkv", "flac", "a.mkv.mp4"),
        ("a.mkv", "libopus", "a.mkv.mp4"),
        ("a.mov", "pcm_s16le", "a.mov.mp4"),
        ("a.mpg", "mp2", "a.mpg.mp4"),
        ("a.avi", "pcm_s16le", "a.avi.mp4"),
    ],
)
def test_the_copy_sounds_the_same_at_the_same_time(
    tmp_path: Path, name: str, codec: str, copied: str
) -> None:
    video = film(tmp_path / name, Track(codec))
    draw(video, tmp_path / "out")
    assert_same_sound(tmp_path / "out/videos" / copied, video)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
@pytest.mark.parametrize(("picture", "sound"), [(0.4, 0.0), (0.0, 0.36), (2.0, 2.2)])
def test_what_begins_later_begins_later_in_the_copy(
    tmp_path: Path, name: str, picture: float, sound: float
) -> None:
    video = film(tmp_path / name, Track("flac", sound), start=picture)
    with av.open(str(video)) as container:
        first = next(container.decode(video=0)).time or 0.0
    with av.open(str(video)) as container:
        assert (next(container.decode(audio=0)).time or 0.0) - first == pytest.approx(
            sound - picture, abs=0.0015
        )
    draw(video, tmp_path / "out", "--every", "4")
    (copy,) = (tmp_path / "out/videos").iterdir()
    assert_same_sound(copy, video)
    one, other = ([frame.time for frame in VideoReader(each).frames()] for each in (copy, video))
    assert one == pytest.approx(other, abs=0.001)


def test_all_streams_are_copied(tmp_path: Path) -> None:
    video = film(tmp_path / "a.mkv", Track("flac"), Track("aac", 0.2), count=4)
    draw(video, tmp_path / "out")
    assert_same_sound(tmp_path / "out/videos/a.mkv.mp4", video)


def test_subtitles_that_mp4_cannot_hold_make_it_matroska(tmp_path: Path) -> None:
    texts = tmp_path / "a.srt"
    texts.write_text("1\n00:00:00,100 --> 00:00:00,300\nHello\n\n")
    video = film(tmp_path / "a.mkv", Track("aac"), subtitles=texts)
    draw(video, tmp_path / "one")
    draw(video, tmp_path / "two")
    copy = tmp_path / "one/videos/a.mkv"
    assert_same_sound(copy, video)
    assert copy.read_bytes() == (tmp_path / "two/videos/a.mkv").read_bytes()
    with av.open(str(copy)) as container:
        shown = [packet for packet in container.demux(subtitles=0) if packet.size]
        assert [(bytes(each), each.pts, each.duration) for each in shown] == [(b"Hello", 100, 200)]
        assert container.streams.audio[0].metadata["language"] == "deu"


def test_sound_that_no_container_takes_is_named(tmp_path: Path) -> None:
    video = film(tmp_path / "a.avi", Track("adpcm_ms"), Track("pcm_s16le"))
    result = draw(video, tmp_path / "out")
    told = "a.avi: left out of its copy, as no container takes it: sound (adpcm_ms)"
    assert told in " ".join(result.stderr.split())
    assert streams_of(tmp_path / "out/videos/a.avi.mp4", "audio") == 1


def test_a_video_without_sound_has_a_copy_without(tmp_path: Path) -> None:
    video = film(tmp_path / "a.mp4")
    assert plan_copy(video).streams == ()
    assert plan_copy(video).suffix == ".mp4"
    draw(video, tmp_path / "out")
    assert streams_of(tmp_path / "out/videos/a.mp4", "audio") == 0


def test_sound_that_ends_early_or_late_is_copied_to_its_end(tmp_path: Path) -> None:
    for count in (4, 60):
        video = film(tmp_path / f"{count}.mp4", Track("aac"), count=count)
        draw(video, tmp_path / f"out{count}", "--every", "30")
        assert_same_sound(tmp_path / f"out{count}/videos/{count}.mp4", video)


def test_a_damaged_end_of_the_sound_does_not_cost_the_copy(tmp_path: Path) -> None:
    video = film(tmp_path / "a.ts", Track("mp2"), count=30)
    data = bytearray(video.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    video.write_bytes(data)
    draw(video, tmp_path / "out", "--every", "10")
    copy, original = sounds(tmp_path / "out/videos/a.ts.mp4"), sounds(video)
    assert len(copy[0].samples) == pytest.approx(len(original[0].samples), abs=0.1 * HERTZ)


@pytest.mark.parametrize("when", [4, COUNT + 1])
def test_sound_that_the_container_refuses_costs_the_copy_and_not_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    """As FFmpeg does with AAC whose headers are damaged: it says so some packets later."""
    videos = [film(tmp_path / name, Track("aac")) for name in ("a.ts", "b.ts")]
    calls: list[object] = []
    mux = VideoWriter._mux

    def refuse(writer: VideoWriter, packets: object) -> None:
        calls.append(packets)
        if len(calls) == when:
            with _naming_damaged_sound(writer._path, writer._sides):
                raise av.error.InvalidDataError(1, "damaged")
        mux(writer, packets)

    monkeypatch.setattr(VideoWriter, "_mux", refuse)
    out = tmp_path / "out"
    arguments = ["detect", *map(str, videos), "--device", "cpu", "--video", "--out", str(out)]
    result = success(CliRunner().invoke(main, arguments))
    assert "a.ts is searched and not drawn: " in result.stderr
    assert "as the sound is damaged" in result.stderr
    assert [path.name for path in (out / "videos").iterdir()] == ["b.ts.mp4"]
    assert len(load_run(out / "cartoon.detections.json").frames) == 2 * COUNT
