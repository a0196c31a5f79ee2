"""The only reader and writer of videos: frame by frame, so that memory stays flat.

Decisions, made once:

- a frame's time is its own timestamp, counted from the first frame, so that videos of variable
  frame rate are right; where a timestamp is missing or runs backwards, the average rate steps in;
- frames are turned upright, as the file says and players do; pixels that are not square stay as
  they are stored;
- a damaged frame is left out, never passed on with a grey half; a video that is cut short counts
  as far as it goes, and :attr:`Footage.faults` says what was wrong;
- sound is neither read nor written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from facetl.data.images import Pixels
from facetl.errors import OutputError, VideoError
from facetl.files import atomic_path

_USUAL_RATE = Fraction(25)
_TICKS = 60_000
"""Ticks a second of the videos that are written: whole numbers for all usual frame rates."""
_LATE = 0.5
"""Seconds that a video may end before its header says without a word."""
LONGEST_SIDE = 8190
"""Width and height in pixels that every encoder takes."""
_ENCODERS = {
    # Without its trees of macroblocks: with them the same frames gave other bytes now and then.
    "libx264": {"crf": "20", "preset": "veryfast", "mbtree": "0"},
    "mpeg4": {"qscale": "3"},
}


@dataclass(frozen=True)
class Every:
    """Which frames of a video count: one in ``frames``, or one every ``seconds``.

    Attributes:
        frames: at least 1; 1 means all.
        seconds: if given, above 0, and ``frames`` plays no part.
    """

    frames: int = 1
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"expected at least 1 frame, got {self.frames}")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise ValueError(f"expected seconds above 0, got {self.seconds}")

    @classmethod
    def parse(cls, text: str) -> Every:
        """Return what ``10`` (frames) or ``0.5s`` (seconds) means.

        Raises:
            ValueError: if it is neither, or 0.
        """
        found = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?|\.\d+)s", text.strip())
        if not found or not float(found[1] or found[2]):
            raise ValueError(f"found {text!r}, expected frames like 10 or a time like 0.5s")
        return cls(frames=int(found[1])) if found[1] else cls(seconds=float(found[2]))

    def __str__(self) -> str:
        return str(self.frames) if self.seconds is None else f"{self.seconds:g}s"

    def slot(self, index: int, time: float) -> int:
        """Return the number of the slot that a frame falls in; a slot's first frame counts.

        A microsecond early is in time: timestamps are rounded.
        """
        if self.seconds is None:
            return index // self.frames
        return int((time + 1e-6) / self.seconds)

    def step(self, rate: float) -> float:
        """Return the seconds from one frame that counts to the next, at ``rate`` a second."""
        return self.frames / rate if self.seconds is None else max(self.seconds, 1 / rate)


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
        seconds: how long it is, None where the header does not tell.
    """

    size_hw: tuple[int, int]
    rate: Fraction
    seconds: float | None

    def count(self, every: Every) -> int | None:
        """Return about how many frames count, None where the header does not tell."""
        if self.seconds is None:
            return None
        return max(round(self.seconds / every.step(float(self.rate))), 1)


@dataclass
class Footage:
    """A video to be read from its first frame to its last, as often as wanted.

    Attributes:
        path: the file.
        faults: what the last reading found wrong, a line each; empty if all was well.
    """

    path: Path
    faults: list[str] = field(default_factory=list)

    def facts(self) -> VideoFacts:
        """Return what the header says, and the size of the first frame.

        Raises:
            VideoError: if the file is missing, damaged, no video, or holds no frame.
        """
        with _opened(self.path) as (container, stream):
            first = next((frame for frame in _decode(container, stream, [])), None)
            if first is None:
                raise VideoError(f"{self.path} holds no frame that can be read; restore it")
            size_hw = _upright(first).shape[:2]
            return VideoFacts((size_hw[0], size_hw[1]), _rate(stream), _promised(container, stream))

    def frames(self, every: Every | None = None) -> Generator[VideoFrame, None, None]:
        """Yield the frames that count, in order; only one is held at a time.

        Raises:
            VideoError: if the file is missing, damaged, no video, or holds no frame.
        """
        every = every or Every()
        self.faults = []
        taken, time, index = -1, 0.0, -1
        with _opened(self.path) as (container, stream):
            clock = _Clock(float(1 / _rate(stream)))
            for index, frame in enumerate(_decode(container, stream, self.faults)):
                time = clock.tell(frame.time)
                slot = every.slot(index, time)
                if slot > taken:
                    taken = slot
                    yield VideoFrame(index, time, _upright(frame))
            if index < 0:
                raise VideoError(f"{self.path} holds no frame that can be read; restore it")
            self._compare(_promised(container, stream), time + clock.step)

    def _compare(self, promised: float | None, seconds: float) -> None:
        """Note if the video ended long before its header says."""
        if promised is not None and seconds < promised - max(_LATE, 0.01 * promised):
            self.faults.append(f"stops at {seconds:.2f} s of {promised:.2f} s")


class VideoWriter:
    """Writes frames as an H.264 video; :func:`writing_video` gives one.

    The first frame decides on the size; an odd side gets one more row or column, for H.264 has
    none.

    Args:
        path: where the video will lie, for messages.
        container: an open container of PyAV's.
        rate: frames a second, for players that ask; each frame's own time counts.
    """

    def __init__(self, path: Path, container: Any, rate: Fraction) -> None:
        self._path = path
        self._container = container
        self._rate = rate
        self._size_hw = (0, 0)
        self._tick = -1
        self._stream: Any = None

    def add(self, pixels: Pixels, time: float) -> None:
        """Append a frame that is shown from ``time`` (seconds) on.

        Raises:
            OutputError: if it cannot be encoded.
        """
        if self._stream is None:
            self._size_hw = (pixels.shape[0], pixels.shape[1])
            self._stream = self._add_stream()
        frame = av.VideoFrame.from_ndarray(_fit(pixels, self._size_hw), format="rgb24")
        self._tick = max(round(time * _TICKS), self._tick + 1)
        frame.pts, frame.time_base = self._tick, Fraction(1, _TICKS)
        self._container.mux(self._encode(frame))

    def _encode(self, frame: Any) -> Any:
        """Return the packets that come out for a frame, or at the end for None."""
        try:
            return self._stream.encode(frame)
        except av.FFmpegError as error:
            height, width = self._size_hw
            raise OutputError(
                f"{self._path}: no video of {width}x{height} pixels can be made "
                f"({error.strerror}); give frames of at most {LONGEST_SIDE} pixels a side"
            ) from error

    def finish(self) -> None:
        """Write the frames that the encoder still holds."""
        if self._stream is not None:
            self._container.mux(self._encode(None))

    def _add_stream(self) -> Any:
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
def writing_video(path: Path, rate: Fraction) -> Iterator[VideoWriter]:
    """Give a writer of an MP4 file; if the block succeeds, ``path`` holds it.

    If the block raises, no file is left.

    Args:
        path: ends in ``.mp4``.
        rate: frames a second, for players that ask; each frame's own time counts.

    Raises:
        OutputError: if the place cannot be written.
    """
    with (
        atomic_path(path) as temporary,
        av.open(_as_place(temporary), "w", format="mp4") as container,
    ):
        writer = VideoWriter(path, container, rate)
        yield writer
        writer.finish()


class _Clock:
    """Tells the time of each frame from timestamps that may be missing or out of order."""

    def __init__(self, step: float) -> None:
        self.step = step
        self._start: float | None = None
        self._last = -step

    def tell(self, stamp: float | None) -> float:
        """Return the seconds since the first frame, always more than those of the frame before."""
        if self._start is None:
            self._start = stamp or 0.0
        time = self._last + self.step if stamp is None else stamp - self._start
        self._last = time if time > self._last else self._last + self.step
        return self._last


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Give the container and its first video stream."""
    if not path.is_file():
        raise VideoError(f"{path} is no file that can be read; check the path")
    try:
        # titles may be in any code
        container = av.open(_as_place(path), metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        why = error.strerror or type(error).__name__
        raise VideoError(
            f"{path} is no video or is damaged ({why}); restore it or leave it out"
        ) from error
    with container:
        if not container.streams.video:
            raise VideoError(f"{path} holds no video stream; give a video with pictures")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def _as_place(path: Path) -> str:
    """Return a path that FFmpeg takes for a place on disk: ``http:/a.mp4`` may be a file's name."""
    return str(path.absolute())


def _decode(container: Any, stream: Any, faults: list[str]) -> Iterator[Any]:
    """Yield the whole frames; say at the end in ``faults`` what was left out."""
    damaged = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
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


def _upright(frame: Any) -> Pixels:
    pixels = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


def _rate(stream: Any) -> Fraction:
    return Fraction(stream.average_rate or stream.guessed_rate or _USUAL_RATE)


def _promised(container: Any, stream: Any) -> float | None:
    """Return how many seconds the header says that the video lasts."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _fit(pixels: Pixels, size_hw: tuple[int, int]) -> Pixels:
    """Return pixels of the size with even sides: odd ones get their edge twice, others shrink."""
    if pixels.shape[:2] != size_hw:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        height, width = size_hw
        scaled = frame.reformat(width=width, height=height).to_ndarray(format="rgb24")
        pixels = np.asarray(scaled, np.uint8)
    odd = [(0, side % 2) for side in size_hw]
    return np.ascontiguousarray(np.pad(pixels, (*odd, (0, 0)), mode="edge"))
