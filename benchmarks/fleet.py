"""What many machines would take: core-seconds a frame, part by part, and Ray beside one process.

    python benchmarks/fleet.py parts --frames 200
    python benchmarks/fleet.py whole --frames 2000

``parts`` measures processor time in one thread, for drawn frames of three sizes: decoding them from
JPEG and from H.264, searching them with the shipped weights, writing them down as a Parquet shard;
facenet-pytorch searches the same frames as the peer.  From that follow the core-hours of an hour
of video, and the bytes that go in and out.  ``whole`` times the same folder by ``facetl detect``,
by ``--engine ray`` with one and two workers, and by facenet-pytorch in one process a core.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch

from facetl import Detector
from facetl.cartoons.frame import draw_frame
from facetl.data.images import Pixels, load_image, save_image
from facetl.data.video import VideoReader, writing_video
from facetl.results.detections import FrameResult
from facetl.results.parquet import ShardHead, read_shard, writing_shard
from facetl.search.settings import Settings

RATE = 25
SCENES = 20
PEER_FRAMES = 20
SIZES = {"480x360": (360, 480, 20), "1280x720": (720, 1280, 40), "1920x1080": (1080, 1920, 60)}
"""Height, width, and the smallest face looked for: the same share of the picture."""
EVERY = {"every frame": 1.0, "two a second": 2 / RATE}
"""Share of a video's frames that are searched; all have to be decoded."""
PEER = """
import sys
from pathlib import Path
import torch
from facenet_pytorch import MTCNN
from PIL import Image
torch.set_num_threads(1)
mtcnn = MTCNN(keep_all=True, thresholds=[0.1, 0.2, 0.2])
for path in sorted(Path(sys.argv[1]).iterdir())[int(sys.argv[2])::int(sys.argv[3])]:
    mtcnn.detect(Image.open(path))
"""


@dataclass(frozen=True)
class Parts:
    """What a frame takes: milliseconds of one core, bytes in and out."""

    jpeg: float
    h264: float
    search: float
    peer: float
    write: float
    jpeg_bytes: float
    h264_bytes: float
    shard_bytes: float


def draw(count: int, height: int, width: int) -> list[Pixels]:
    """Return frames of a camera that moves over scenes, two seconds each."""
    scenes = [draw_frame(seed=1, part="test", index=index).image for index in range(SCENES)]
    frames = []
    for number in range(count):
        scene = scenes[number // (2 * RATE) % SCENES]
        left = abs(number % 40 - 20)
        view = scene[10:350, 20 + left : 20 + left + 440]
        resized = cv2.resize(view, (width, height), interpolation=cv2.INTER_CUBIC)
        frames.append(resized.astype(np.uint8, copy=False))
    return frames


def milliseconds(work: Callable[[], object], count: int) -> float:
    """Return the processor time a frame of what is done once to warm up and once to measure."""
    work()
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began) / count


def exhaust(items: Iterable[object]) -> None:
    for _ in items:
        pass


def measure(place: Path, frames: list[Pixels], min_face: float) -> Parts:
    """Return what each part takes."""
    count = len(frames)
    paths = [place / f"{number:05}.jpg" for number in range(count)]
    for path, frame in zip(paths, frames, strict=True):
        save_image(path, frame)
    film, shard = place / "film.mp4", place / "part-000000.parquet"
    with writing_video(film, Fraction(RATE)) as video:
        for number, frame in enumerate(frames):
            video.add(frame, number / RATE)
    detector = Detector.load(device="cpu")
    settings = (detector.settings or Settings()).override(min_face=min_face)
    found = list(detector.search(frames, settings))
    results = [
        FrameResult(path.name, frame.shape[:2], each.detections, each.candidates, 0.0)
        for path, frame, each in zip(paths, frames, found, strict=True)
    ]

    def write() -> None:
        with writing_shard(shard, ShardHead("cartoon", {}, 0, 1, "")) as writer:
            for result in results:
                writer.add(result)

    parts = Parts(
        jpeg=milliseconds(lambda: exhaust(map(load_image, paths)), count),
        h264=milliseconds(lambda: exhaust(VideoReader(film).frames()), count),
        search=milliseconds(lambda: exhaust(detector.search(frames, settings)), count),
        peer=peer_milliseconds(frames[:: max(count // PEER_FRAMES, 1)], min_face),
        write=milliseconds(write, count),
        jpeg_bytes=sum(path.stat().st_size for path in paths) / count,
        h264_bytes=film.stat().st_size / count,
        shard_bytes=shard.stat().st_size / count,
    )
    assert len(list(read_shard(shard))) == count
    return parts


def peer_milliseconds(frames: list[Pixels], min_face: float) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from facenet_pytorch import MTCNN

        peer = MTCNN(keep_all=True, thresholds=[0.1, 0.2, 0.2], min_face_size=int(min_face))
        return milliseconds(lambda: [peer.detect(frame) for frame in frames], len(frames))


def show_parts(count: int) -> None:
    torch.set_num_threads(1)
    found = {}
    for name, (height, width, min_face) in SIZES.items():
        with tempfile.TemporaryDirectory() as place:
            found[name] = measure(Path(place), draw(count, height, width), min_face)
    print(f"milliseconds of one core a frame, {count} frames of each size")
    print(f"{'':10} {'JPEG':>7} {'H.264':>7} {'search':>7} {'shard':>7} {'facenet':>8}")
    for name, p in found.items():
        print(f"{name:10} {p.jpeg:7.2f} {p.h264:7.2f} {p.search:7.2f} {p.write:7.2f} {p.peer:8.1f}")
    print("\nframes that a core does in a second")
    for name, p in found.items():
        images, video = 1000 / (p.jpeg + p.search + p.write), 1000 / (p.h264 + p.search + p.write)
        print(f"{name:10} JPEG {images:6.1f}   H.264 {video:6.1f}   facenet {1000 / p.peer:6.1f}")
    print(
        f"\ncore-hours of a million hours of video, {RATE} frames a second, and share of decoding"
    )
    for name, p in found.items():
        for what, share in EVERY.items():
            cost = p.h264 + share * (p.search + p.write)
            hours = cost * RATE * 3600 / 3.6e6 * 1e6
            print(f"{name:10} {what:12} {hours:12,.0f} {p.h264 / cost:6.0%}")
    print("\nkilobytes a frame: in as JPEG, in as H.264, out; megabits a second that a core reads")
    for name, p in found.items():
        pace = 1000 / (p.h264 + p.search + p.write)
        print(
            f"{name:10} {p.jpeg_bytes / 1e3:7.1f} {p.h264_bytes / 1e3:7.1f} "
            f"{p.shard_bytes / 1e3:7.2f} {p.h264_bytes * 8 * pace / 1e6:7.2f}"
        )


def seconds(*commands: list[object]) -> float:
    """Return how long commands take that run side by side."""
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    if any(process.wait() for process in running):
        raise SystemExit(f"{commands} failed")
    return time.perf_counter() - began


def show_whole(count: int, peer_count: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        frames, peers = place / "frames", place / "peers"
        for folder, many in ((frames, count), (peers, peer_count)):
            folder.mkdir()
            for number, frame in enumerate(draw(min(many, 1000), 360, 480)):
                save_image(folder / f"{number:06}.jpg", frame)
            for number in range(1000, many):
                os.link(folder / f"{number % 1000:06}.jpg", folder / f"{number:06}.jpg")
        detect = ["-m", "facetl", "detect", frames, "--weights", "pretrained", "--device", "cpu"]
        ways: dict[str, list[object]] = {
            "facetl": ["--stream"],
            "facetl, 1 core": ["--stream", "--workers", 1],
            "ray, 2 workers": ["--engine", "ray", "--workers", 2],
            "ray, 1 worker": ["--engine", "ray", "--workers", 1],
        }
        print(f"{'':16} {'frames':>7} {'seconds':>8} {'a second':>8}")
        for name, options in ways.items():
            took = seconds([*detect, "--out", place / name, *options])
            print(f"{name:16} {count:7,} {took:8.1f} {count / took:8.1f}", flush=True)
        took = seconds(*(["-c", PEER, peers, turn, 2] for turn in range(2)))
        print(f"{'facenet, 2 cores':16} {peer_count:7,} {took:8.1f} {peer_count / took:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["parts", "whole"])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--peer", type=int, default=200)
    arguments = parser.parse_args()
    if arguments.what == "parts":
        show_parts(arguments.frames)
    else:
        show_whole(arguments.frames, arguments.peer)


if __name__ == "__main__":
    main()
