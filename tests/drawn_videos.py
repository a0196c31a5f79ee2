"""Small videos of drawn frames: a camera that pans over one, cuts from one to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from drawn_frames import draw_frame
from numpy.typing import NDArray

from facetl.cartoons.frame import CartoonFrame
from facetl.data.video import writing_video

RATE = 25
Picture = NDArray[np.uint8]


@cache
def scene(index: int) -> CartoonFrame:
    """A drawn frame; the same one is drawn once."""
    return draw_frame(seed=1, part="test", index=index)


def pan(index: int, count: int, step: int = 2) -> Iterator[tuple[Picture, NDArray[np.float64]]]:
    """Yield pictures of 320 × 240 and the faces in them, as a camera moves over a scene."""
    drawn = scene(index)
    for number in range(count):
        x, y = 80 + number * step, 60
        yield drawn.image[y : y + 240, x : x + 320].copy(), drawn.boxes - [x, y, x, y]


def pictures(index: int, count: int, step: int = 2) -> list[Picture]:
    """Return the pictures of :func:`pan` alone."""
    return [picture for picture, _ in pan(index, count, step)]


def darken(picture: Picture, brightness: float, lights: bool = False) -> Picture:
    """Return a picture as dark film shows it, with noise and perhaps a few lights."""
    noise = np.random.default_rng(picture[::7, ::7].sum()).normal(0, 2, picture.shape)
    dark = np.clip(picture * brightness + noise, 0, 255).astype(np.uint8)
    if lights:
        dark[20:40, 30:60], dark[100:110, 200:240] = 250, 230
    return dark


def write_video(path: Path, frames: Iterable[Picture], rate: int = RATE) -> Path:
    """Write pictures as facetl does; return the path."""
    with writing_video(path, Fraction(rate)) as writer:
        for number, picture in enumerate(frames):
            writer.add(picture, number / rate)
    return path


def write_anyhow(
    path: Path,
    frames: Sequence[Picture],
    *,
    times: Iterable[float] | None = None,
    turn: int = 0,
    shape: Fraction | None = None,
    sound: float = 0.0,
    **options: str,
) -> Path:
    """Write pictures with PyAV alone: any container, any times, as they are to be shown.

    Args:
        path: its suffix says which container.
        frames: of one size.
        times: of each of them, in seconds.
        turn: degrees by which they are turned on display.
        shape: width of a pixel by its height.
        sound: seconds of silence beside them; they come one after the other.
        options: of the container.
    """
    container = av.open(str(path), "w", options=options)
    stream = container.add_stream("libx264", rate=RATE)
    assert isinstance(stream, av.VideoStream)
    stream.height, stream.width = frames[0].shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, 1000)
    if turn:
        stream.set_display_rotation(turn)
    if shape:
        stream.codec_context.sample_aspect_ratio = shape
    silence = silent_packets(container, sound) if sound else iter(())
    stamps = iter(times) if times is not None else (n / RATE for n in range(10**6))
    for picture, time in zip(frames, stamps, strict=False):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
        container.mux(stream.encode(frame))
        container.mux(next(silence, []))
    container.mux(stream.encode())
    for packets in silence:
        container.mux(packets)
    container.close()
    return path


def silent_packets(
    container: av.container.OutputContainer, seconds: float
) -> Iterator[list[av.Packet[Any]]]:
    """Add a stream of sound to a container that is being written; return its packets in order."""
    codec = "libopus" if "webm" in container.format.name else "mp2"
    stream = container.add_stream(codec, rate=48_000)
    assert isinstance(stream, av.AudioStream)
    stream.layout = "mono"
    size = 960 if codec == "libopus" else 1152

    def encode() -> Iterator[list[av.Packet[Any]]]:
        for start in range(0, int(seconds * 48_000), size):
            samples = np.zeros((1, size), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
            yield stream.encode(frame)
        yield stream.encode(None)

    return encode()
