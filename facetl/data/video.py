"""The only reader and writer of videos: frame by frame, so that memory stays flat.

Decisions, made once:

- a frame's time is its own timestamp, counted from the first frame, so that videos of variable
  frame rate are right; where a timestamp is missing or runs backwards, the average rate is used;
- frames are turned upright, as the file says and players do, and where pixels are not square the
  shorter side is stretched: what is searched is what people see;
- a video is a container by its content; lists of other files (playlists, ``ffconcat``, numbered
  images) are not read, whatever their names, and no other file is opened;
- of several video streams the one that is marked as default counts, cover pictures never;
- a damaged frame is left out, never passed on with a grey half; a truncated video counts
  as far as it goes, and :attr:`VideoReader.faults` says what was wrong;
- sound is not read here; :mod:`facetl.data.side_streams` copies it into what is written.

PyAV is imported where it is used: a search of images does not wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from facetl.data.choices import Sampling as Sampling
from facetl.data.containers import open_container
from facetl.data.images import Pixels
from facetl.data.side_streams import SideStreams, format_of
from facetl.errors import DamagedSoundError, OutputError, VideoError
from facetl.files import atomic_path

_USUAL_RATE = Fraction(25)
_TICKS = 60_000
"""Ticks a second of the videos that are written: whole numbers for all usual frame rates."""
_LATE = 0.5
"""Seconds by which a video may be shorter than its header says without a message."""
LONGEST_SIDE = 8190
"""Width and height in pixels that every encoder takes."""
_OWN_LENGTHS = ("mov", "avi", "mxf")
"""Containers whose headers give the length of each stream."""
_STILL_CODECS = ("mjpeg", "png", "bmp", "gif", "webp", "tiff", "jpegxl")
"""Codecs of covers, which are taken for the video only if there is no other one."""
_SQUARE = 0.01
"""How far pixels may be from square without being stretched."""
_MOST_STRETCHED = 4.0
"""Largest ratio of the sides of a pixel; beyond, the file is wrong."""
_ENCODERS = {
    # Without macroblock trees: with them the same frames sometimes gave other bytes.
    "libx264": {"crf": "20", "preset": "veryfast", "mbtree": "0"},
    "mpeg4": {"qscale": "3"},
}


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """A frame of a video.

    Attributes:
        index: its number, from 0.
        time: seconds from the first frame, never less than that of the frame before.
        pixels: (H, W, 3) RGB, upright.
    """

    index: int
    time: float
    pixels: Pixels


@dataclass(frozen=True)
class VideoFacts:
    """What a video's header says.

    Attributes:
        size_hw: height and width of the upright frames.
        rate: frames a second, on average.
        seconds: how long it is, None where the header does not say.
    """

    size_hw: tuple[int, int]
    rate: Fraction
    seconds: float | None

    def count(self, every: Sampling) -> int | None:
        """Return about how many frames count, None where the header does not say."""
        if self.seconds is None:
            return None
        return max(round(self.seconds / every.step(float(self.rate))), 1)


@dataclass
class VideoReader:
    """Reads a video from its first frame to its last, any number of times.

    Attributes:
        path: the file.
        faults: what the last reading found wrong, a line each; empty if all was well.
        start: seconds of the first frame on the file's own clock; known once it was read.
    """

    path: Path
    faults: list[str] = field(default_factory=list)
    start: float = 0.0

    def facts(self) -> VideoFacts:
        """Return what the header says, and the size of the first frame.

        Raises:
            VideoError: if the file is missing, damaged, no video, or holds no frame.
        """
        with _opened(self.path) as (container, stream):
            first = next(_decode(_Packets(container, stream), []), None)
            if first is None:
                raise VideoError(f"{self.path} holds no frame that can be read; restore it")
            height, width = _as_shown(first, _pixel_shape(stream)).shape[:2]
            return VideoFacts((height, width), _rate(stream), _length(container, stream))

    def frames(self, every: Sampling | None = None) -> Generator[VideoFrame, None, None]:
        """Yield the frames that count, in order; only one is held at a time.

        Raises:
            VideoError: if the file is missing, damaged, no video, or holds no frame.
        """
        every = every or Sampling()
        self.faults = []
        taken, time, index = -1, 0.0, -1
        with _opened(self.path) as (container, stream):
            clock, packets = _Clock(float(1 / _rate(stream))), _Packets(container, stream)
            shape = _pixel_shape(stream)
            for index, frame in enumerate(_decode(packets, self.faults)):
                time = clock.read(frame.time)
                self.start = clock.start
                slot = every.slot(index, time)
                if slot > taken:
                    taken = slot
                    yield VideoFrame(index, time, _as_shown(frame, shape))
            if index < 0:
                raise VideoError(f"{self.path} holds no frame that can be read; restore it")
            self.faults += packets.missing(time + clock.step)


class VideoWriter:
    """Writes frames as an H.264 video; :func:`writing_video` gives one.

    The first frame decides on the size; an odd side gets one more row or column, for H.264 has
    none.

    Args:
        path: where the video will lie, for messages.
        container: an open container of PyAV's.
        rate: frames a second, for players that ask; each frame's own time counts.
        sides: sound and subtitles of the video that is copied, and its reader.
    """

    def __init__(
        self,
        path: Path,
        container: Any,
        rate: Fraction,
        sides: tuple[SideStreams, VideoReader] | None = None,
    ) -> None:
        self._path = path
        self._container = container
        self._rate = rate
        self._sides = sides
        self._delay = 0.0
        self._size_hw = (0, 0)
        self._tick = -1
        self._stream: Any = None

    def add(self, pixels: Pixels, time: float) -> None:
        """Append a frame that is shown from ``time`` (seconds) on.

        Raises:
            OutputError: if it cannot be encoded.
        """
        import av

        if self._stream is None:
            self._size_hw = (pixels.shape[0], pixels.shape[1])
            self._stream = self._add_stream()
            if self._sides:
                streams, reader = self._sides
                self._delay = streams.begin(self._container, reader.start)
        frame = av.VideoFrame.from_ndarray(_fit(pixels, self._size_hw), format="rgb24")
        time += self._delay
        self._tick = max(round(time * _TICKS), self._tick + 1)
        frame.pts, frame.time_base = self._tick, Fraction(1, _TICKS)
        self._mux(self._encode(frame))
        if self._sides:
            self._sides[0].write_until(self._container, time)

    def _encode(self, frame: Any) -> Any:
        """Return the packets that come out for a frame, or at the end for None."""
        import av

        try:
            return self._stream.encode(frame)
        except av.FFmpegError as error:
            height, width = self._size_hw
            raise OutputError(
                f"{self._path}: no video of {width}x{height} pixels can be made "
                f"({error.strerror}); give frames of at most {LONGEST_SIDE} pixels a side"
            ) from error

    def finish(self) -> None:
        """Write the frames that the encoder still holds, and what follows them of the sound."""
        if self._stream is None:
            return
        self._mux(self._encode(None))
        if self._sides:
            self._sides[0].write_until(self._container, None)

    def _mux(self, packets: Any) -> None:
        """Write packets of the picture, and what waited for them."""
        with _naming_damaged_sound(self._path, self._sides):
            self._container.mux(packets)

    def _add_stream(self) -> Any:
        import av

        codec = next(name for name in _ENCODERS if name in av.codecs_available)
        stream: Any = self._container.add_stream(
            codec, rate=self._rate, options=dict(_ENCODERS[codec])
        )
        height, width = self._size_hw
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        return stream


@contextmanager
def writing_video(
    path: Path, rate: Fraction, sides: tuple[SideStreams, VideoReader] | None = None
) -> Iterator[VideoWriter]:
    """Give a writer of an MP4 or Matroska file; if the block succeeds, ``path`` holds it.

    If the block raises, no file is left.

    Args:
        path: ends in ``.mp4`` or ``.mkv``.
        rate: frames a second, for players that ask; each frame's own time counts.
        sides: sound and subtitles that are copied from another video, and the reader of its
            frames.

    Raises:
        OutputError: if the place cannot be written.
        DamagedSoundError: if the container takes something of the sound or subtitles for damaged.
    """
    import av

    form = format_of(path)
    # the same frames give the same bytes: Matroska would draw a random number
    options = {"fflags": "+bitexact"} if form != "mp4" else {}
    with (
        _naming_damaged_sound(path, sides),
        atomic_path(path) as temporary,
        # absolute, as FFmpeg takes http:/a.mp4 for an address
        av.open(str(temporary.absolute()), "w", format=form, options=options) as container,
    ):
        writer = VideoWriter(path, container, rate, sides)
        yield writer
        writer.finish()


@contextmanager
def _naming_damaged_sound(path: Path, sides: object) -> Iterator[None]:
    """Say that it is the sound, where a container refuses what it was given some time before."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        if sides is None or isinstance(error, OSError):
            raise
        why = error.strerror or type(error).__name__
        raise DamagedSoundError(
            f"{path} cannot be written, as the sound is damaged ({why}); restore the video"
        ) from error


class _Clock:
    """The time of each frame, from timestamps that may be missing or out of order."""

    def __init__(self, step: float) -> None:
        self.step = step
        self.start = 0.0
        self._last: float | None = None

    def read(self, stamp: float | None) -> float:
        """Return the seconds since the first frame, always more than those of the frame before."""
        if self._last is None:
            self.start, self._last = stamp or 0.0, 0.0
            return 0.0
        following = self._last + self.step
        time = following if stamp is None else stamp - self.start
        self._last = time if time > self._last else following
        return self._last


class _Packets:
    """The packets of one stream of a container, in order; how far all streams go is noted."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container = container
        self._stream = stream
        self._ends: dict[int, float] = {}

    def __iter__(self) -> Iterator[Any]:
        for packet in self._container.demux():
            self._note(packet)
            if packet.stream.index == self._stream.index:  # its own index is 0 at the end
                yield packet

    def _note(self, packet: Any) -> None:
        if packet.pts is not None and packet.time_base:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._ends[packet.stream_index] = max(self._ends.get(packet.stream_index, end), end)

    def missing(self, seconds: float) -> list[str]:
        """Return what is wrong if the file ends long before the end that its header gives.

        Where a container gives only its whole length, sound or subtitles may be longer
        than the picture: it is whole if any of its streams continues to the end.

        Args:
            seconds: how long the picture was.
        """
        promised = _own_length(self._container, self._stream)
        ends = {self._stream.index: self._ends.get(self._stream.index, 0.0)}
        if promised is None:
            promised, ends = _whole_length(self._container), self._ends
        reached = max([seconds, *ends.values()])  # some headers count from 0, not the first frame
        if promised is None or reached >= promised - max(_LATE, 0.01 * promised):
            return []
        return [f"stops at {seconds:.2f} s of {promised:.2f} s"]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Give the container and the stream that is the video."""
    with open_container(path) as container:
        stream = _pick_stream(path, container)
        stream.thread_type = "AUTO"
        yield container, stream


def _pick_stream(path: Path, container: Any) -> Any:
    """Return the video stream that is marked as default, else the first; no cover if possible."""
    from av.stream import Disposition

    covers = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    streams = [
        stream
        for stream in container.streams.video
        if stream.codec_context and not stream.disposition & covers
    ]
    if not streams:
        raise VideoError(f"{path} holds no video stream; give a video with pictures")
    return min(streams, key=_rank)


def _rank(stream: Any) -> tuple[bool, bool, int]:
    """Return what is least for the stream that players show."""
    from av.stream import Disposition

    is_still = stream.codec_context.name in _STILL_CODECS
    return is_still, not stream.disposition & Disposition.default, stream.index


def _decode(packets: Iterable[Any], faults: list[str]) -> Iterator[Any]:
    """Yield the whole frames; say at the end in ``faults`` what was left out."""
    import av

    damaged = 0
    left = iter(packets)
    while True:
        try:
            packet = next(left, None)
        except av.FFmpegError as error:
            faults.append(f"cannot be read to its end ({error.strerror})")
            packet = None
        if packet is None:
            break
        try:
            frames = packet.decode()
        except av.FFmpegError:
            damaged += 1
            continue
        damaged += sum(bool(frame.is_corrupt) for frame in frames)
        yield from (frame for frame in frames if not frame.is_corrupt)
    if damaged:
        faults.append(f"{damaged} damaged frames left out")


def _as_shown(frame: Any, shape: float) -> Pixels:
    """Return a frame of PyAV's as players show it: with square pixels, upright."""
    width, height = _square_size(frame.width, frame.height, shape)
    shown = frame
    if (width, height) != (frame.width, frame.height):
        shown = frame.reformat(width, height, interpolation="BICUBIC")
    pixels = shown.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


def _square_size(width: int, height: int, shape: float) -> tuple[int, int]:
    """Return width and height in square pixels; nothing is lost unless it would be too large."""
    if abs(shape - 1) <= _SQUARE:
        return width, height
    wide, high = (round(width * shape), height) if shape > 1 else (width, round(height / shape))
    if max(wide, high) <= LONGEST_SIDE:
        return wide, high
    return (width, round(height / shape)) if shape > 1 else (round(width * shape), height)


def _pixel_shape(stream: Any) -> float:
    """Return the width of a pixel by its height; 1 where the file does not say, or is wrong."""
    shape = float(stream.sample_aspect_ratio or 1)
    return shape if 1 / _MOST_STRETCHED <= shape <= _MOST_STRETCHED else 1.0


def _rate(stream: Any) -> Fraction:
    return Fraction(stream.average_rate or stream.guessed_rate or _USUAL_RATE)


def _length(container: Any, stream: Any) -> float | None:
    """Return how many seconds the video lasts, by the header or by FFmpeg's estimate."""
    if (own := _own_length(container, stream)) is not None:
        return own
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return _whole_length(container)


def _own_length(container: Any, stream: Any) -> float | None:
    """Return how many seconds a stream lasts by the header; None if it does not say."""
    tags = (text for name, text in stream.metadata.items() if name.startswith("DURATION"))
    if found := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", next(tags, "")):
        hours, minutes, seconds = map(float, found.groups())
        return 3600 * hours + 60 * minutes + seconds
    is_known = container.format.name.split(",")[0] in _OWN_LENGTHS
    return float(stream.duration * stream.time_base) if is_known and stream.duration else None


def _whole_length(container: Any) -> float | None:
    import av

    return container.duration / av.time_base if container.duration else None


def _fit(pixels: Pixels, size_hw: tuple[int, int]) -> Pixels:
    """Return pixels of the size with even sides: odd ones get their edge twice, others shrink."""
    import av

    if pixels.shape[:2] != size_hw:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        height, width = size_hw
        scaled = frame.reformat(width=width, height=height).to_ndarray(format="rgb24")
        pixels = np.asarray(scaled, np.uint8)
    odd = [(0, side % 2) for side in size_hw]
    return np.ascontiguousarray(np.pad(pixels, (*odd, (0, 0)), mode="edge"))
