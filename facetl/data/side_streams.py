"""Sound and subtitles of a video, copied into a copy of it: packet by packet, never decoded.

A copy is an MP4 file.  Where MP4 cannot hold all sound and subtitles and Matroska holds more of
them, it is a Matroska file.  What neither holds is named in :attr:`CopyPlan.left_out`.  Data
streams and attached fonts are not copied.

Sound stays in time: the copy begins where the first of its streams does, so that a picture that
comes later than the sound comes later by as much in the copy too.

PyAV is imported where it is used, as in :mod:`facetl.data.video`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facetl.data.containers import open_container

_FORMATS = {".mp4": "mp4", ".mkv": "matroska"}
_WORDS = {"audio": "sound", "subtitle": "subtitles"}
_TAGS = ("language", "title", "handler_name")
"""What is copied of what a stream says of itself."""


@dataclass(frozen=True)
class CopyPlan:
    """What a copy of a video holds beside the picture.

    Attributes:
        suffix: of the copy, ``.mp4`` or ``.mkv``.
        streams: indices of the streams of sound and subtitles that are copied.
        left_out: what is not, in words, such as ``sound (adpcm_ms)``.
    """

    suffix: str
    streams: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()


def plan_copy(path: Path) -> CopyPlan:
    """Return which container a copy of a video needs, and what it can hold.

    Raises:
        VideoError: if the file is missing, damaged or no video.
    """
    with open_container(path) as container:
        sides = [each for each in container.streams if each.type in _WORDS]
        held = {
            suffix: [each for each in sides if _fits(each, form)]
            for suffix, form in _FORMATS.items()
        }
        suffix = max(held, key=lambda each: len(held[each]))  # the first of equals
        kept = held[suffix]
        left_out = [_describe(each) for each in sides if each not in kept]
        return CopyPlan(suffix, tuple(each.index for each in kept), tuple(left_out))


def format_of(path: Path) -> str:
    """Return FFmpeg's name of the format of a copy, by its suffix."""
    return _FORMATS.get(path.suffix.lower(), "mp4")


def _fits(stream: Any, form: str) -> bool:
    """Return whether a format takes a stream: its own writer is asked."""
    import av

    try:
        with av.open(io.BytesIO(), "w", format=form) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError, NotImplementedError, AttributeError):
        return False  # AttributeError: a stream without a codec that FFmpeg knows
    return True


def _describe(stream: Any) -> str:
    codec = stream.codec_context.name if stream.codec_context else "unknown codec"
    return f"{_WORDS[stream.type]} ({codec})"


@contextmanager
def copying_sides(path: Path, plan: CopyPlan) -> Iterator[SideStreams]:
    """Give what copies the sound and subtitles of a video.

    Raises:
        VideoError: if the file is missing, damaged or no video.
    """
    with open_container(path) as container:
        yield SideStreams(container, [container.streams[index] for index in plan.streams])


@dataclass(eq=False)
class SideStreams:
    """Streams that are read beside a video and written into its copy.

    Only one packet is held at a time.

    Attributes:
        container: the open source.
        streams: those of it that are copied.
        faults: what could not be copied, a line each.
    """

    container: Any
    streams: Sequence[Any]
    faults: list[str] = field(default_factory=list)
    _origin: float = 0.0
    _damaged: int = 0

    def __post_init__(self) -> None:
        self._outputs: dict[int, Any] = {}
        self._last: dict[int, int] = {}
        self._packets = self._read()
        self._next: Any = None

    def begin(self, output: Any, start: float) -> float:
        """Add the streams to a container that is written.

        Args:
            output: the container, of PyAV's, to which the picture's stream was added.
            start: seconds of the first picture, on the source's own clock.

        Returns:
            Seconds by which the picture begins later than the copy, at least 0.
        """
        for stream in self.streams:
            copied = output.add_stream_from_template(stream)
            copied.metadata.update({k: v for k, v in stream.metadata.items() if k in _TAGS})
            self._outputs[stream.index] = copied
        starts = [
            float(each.start_time * each.time_base)
            for each in self.streams
            if each.type == "audio" and each.start_time is not None
        ]
        self._origin = min([start, *starts])
        self._next = next(self._packets, None)
        return start - self._origin

    def write_until(self, output: Any, time: float | None) -> None:
        """Write all packets that begin before a time (seconds, of the copy); None: all."""
        while self._next is not None and (time is None or self._time_of(self._next) <= time):
            self._write(output, self._next)
            self._next = next(self._packets, None)
        if time is None and self._damaged:
            self.faults.append(f"{self._damaged} damaged packets of sound or subtitles left out")

    def _read(self) -> Iterator[Any]:
        """Yield the packets in the order of the file, each with both of its times."""
        import av

        try:
            for packet in self.container.demux(list(self.streams)) if self.streams else ():
                if packet.dts is None:
                    packet.dts = packet.pts
                if packet.dts is None:
                    self._damaged += packet.size > 0  # else it is the one that ends a stream
                    continue
                if packet.pts is None:
                    packet.pts = packet.dts
                yield packet
        except av.FFmpegError as error:
            self.faults.append(f"sound cannot be read to its end ({error.strerror})")

    def _time_of(self, packet: Any) -> float:
        return float(packet.dts * packet.time_base) - self._origin

    def _write(self, output: Any, packet: Any) -> None:
        """Write a packet on the copy's clock; no format takes times that run backwards."""
        import av

        index = packet.stream_index
        if packet.dts <= self._last.get(index, packet.dts - 1):
            self._damaged += 1
            return
        self._last[index] = packet.dts
        shift = round(self._origin / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        packet.stream = self._outputs[index]
        try:
            output.mux(packet)
        except av.FFmpegError as error:
            if isinstance(error, OSError):  # the disk is full
                raise
            self._damaged += 1
