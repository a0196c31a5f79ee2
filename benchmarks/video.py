"""Videos: memory whatever the length, and frames a second, beside OpenCV with facenet-pytorch.

    python benchmarks/video.py memory --frames 500 2000 8000
    python benchmarks/video.py speed --frames 600
    python benchmarks/video.py still --frames 600
    python benchmarks/video.py tracks
    python benchmarks/video.py cuts

The videos are drawn: a camera moves over scenes of the built-in cartoon, with a cut every two
seconds.  ``memory`` starts ``facetl detect`` and ``facetl frames`` anew for each length and asks
the system for their peak; ``speed`` lets decoding alone, facetl and the peer take turns over the
same file; ``still`` holds every picture for three frames, as cartoons do; ``tracks`` counts how
often a face's number changes without a cut; ``cuts`` counts cuts in film that is bright or dark.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN

from facetl import Detector, load_run
from facetl.boxes import as_boxes, iou
from facetl.cartoons.frame import draw_frame
from facetl.data.images import Pixels
from facetl.data.shots import FrameSignature, frame_signature, is_cut
from facetl.data.tracks import FaceTracker
from facetl.data.video import VideoReader, writing_video

RATE = 25
SHOT = 50
SCENES = 20
SIZES = {"small": (240, 320), "whole": (340, 440)}
LOOSE = (0.1, 0.2, 0.2)


def moving(count: int, size_hw: tuple[int, int], hold: int = 1) -> Iterator[Pixels]:
    """Yield the frames of a drawn video; each picture stays for ``hold`` frames."""
    height, width = size_hw
    drawn = [draw_frame(seed=1, part="test", index=index).image for index in range(SCENES)]
    for number in range(count):
        shot, frame = divmod(number, SHOT)
        image = drawn[shot % SCENES]
        room = image.shape[1] - width
        x = abs(frame // hold * hold * 2 % (2 * room) - room)
        yield image[:height, x : x + width]


def write(path: Path, frames: Iterator[Pixels]) -> Path:
    with writing_video(path, Fraction(RATE)) as writer:
        for number, pixels in enumerate(frames):
            writer.add(pixels, number / RATE)
    return path


def peak_memory(*arguments: object) -> tuple[float, float]:
    """Return the peak MB and the seconds of a facetl command of its own."""
    command = [sys.executable, "-m", "facetl", *map(str, arguments)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command} ended with {child.returncode}")
    return usage.ru_maxrss / 1024, time.perf_counter() - began


def show_memory(place: Path, counts: list[int]) -> None:
    for count in counts:
        path = write(place / f"{count}.mp4", moving(count, SIZES["small"]))
        detect = peak_memory("detect", path, "--device", "cpu", "--out", place / f"d{count}")
        drawn = peak_memory(
            "detect", path, "--video", "--device", "cpu", "--out", place / f"v{count}"
        )
        pick = peak_memory(
            "frames", path, "--device", "cpu", "--every", "2", "--out", place / f"f{count}"
        )
        named = {"detect": detect, "detect --video": drawn, "frames --every 2": pick}
        told = ", ".join(f"{name} {mb:.0f} MB {s:.0f} s" for name, (mb, s) in named.items())
        print(f"{count} frames: {told}")


def decode(path: Path) -> int:
    return sum(1 for _ in VideoReader(path).frames())


def detect(place: Path, path: Path, *options: str) -> int:
    """Search a video as the command does; return how many boxes there are."""
    from click.testing import CliRunner

    from facetl.cli import main

    arguments = [str(path), "--out", str(place / "out"), "--device", "cpu", "--force", *options]
    result = CliRunner().invoke(main, ["detect", *arguments])
    assert result.exit_code == 0, result.output
    return sum(
        len(frame.detections) for run in place.glob("out/*.json") for frame in load_run(run).frames
    )


def peer(path: Path, mtcnn: MTCNN) -> int:
    """Search a video frame by frame with OpenCV and facenet-pytorch; return how many boxes."""
    capture, found = cv2.VideoCapture(str(path)), 0
    while True:
        there, frame = capture.read()
        if not there:
            return found
        boxes, _ = mtcnn.detect(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        found += 0 if boxes is None else len(boxes)


def take_turns(count: int, turns: int, ways: dict[str, Callable[[], int]]) -> None:
    """Print the median, lowest and highest frames a second of each way."""
    paces: dict[str, list[float]] = {name: [] for name in ways}
    results = {}
    for _ in range(turns):
        for name, way in ways.items():
            began = time.perf_counter()
            results[name] = way()
            paces[name].append(count / (time.perf_counter() - began))
    for name, each in paces.items():
        print(
            f"{name}: {median(each):.0f} frames a second ({min(each):.0f} to {max(each):.0f}), "
            f"{results[name]} counted"
        )


def show_speed(place: Path, count: int, turns: int) -> None:
    path = write(place / "speed.mp4", moving(count, SIZES["whole"]))
    warnings.simplefilter("ignore")  # facenet-pytorch's, of torch.load and numpy
    mtcnn = MTCNN(keep_all=True, thresholds=list(LOOSE), device="cpu")
    loose = ["--thresholds", *map(str, LOOSE)]
    ways: dict[str, Callable[[], int]] = {
        "decoding alone": lambda: decode(path),
        "facetl detect": lambda: detect(place, path, "--weights", "pretrained", *loose),
        "facetl detect --video": lambda: detect(
            place, path, "--weights", "pretrained", *loose, "--video"
        ),
        "cv2.VideoCapture and facenet-pytorch": lambda: peer(path, mtcnn),
    }
    take_turns(count, turns, ways)


def show_still(place: Path, count: int, turns: int) -> None:
    path = write(place / "still.mp4", moving(count, SIZES["whole"], hold=3))
    ways: dict[str, Callable[[], int]] = {
        "all frames": lambda: detect(place, path),
        "--skip-still": lambda: detect(place, path, "--skip-still"),
    }
    take_turns(count, turns, ways)


def show_tracks() -> None:
    """Print how the tracker does on moving cartoons of which the faces are known."""
    detector = Detector.load("cartoon", "cpu")
    shots = [follow_shot(detector, index, speed) for index in range(12) for speed in (2, 4)]
    for stride in (1, 3, 6):
        counts = np.sum([count_changes(shot, stride) for shot in shots], axis=0)
        print(
            f"one frame in {stride}: {counts[0]} true faces found, {counts[1]} with a number, "
            f"{counts[2]} changes of number"
        )


def show_cuts() -> None:
    """Print which cuts are found, and which are none, at several brightnesses, with noise."""
    views = [draw_frame(seed=3, part="test", index=index).image for index in range(60)]
    random = np.random.default_rng(0)

    def see(index: int, x: int, brightness: float) -> FrameSignature:
        noise = random.normal(0, 2, (240, 320, 3))
        dark = views[index][60:300, x : x + 320] * brightness + noise
        return frame_signature(np.clip(dark, 0, 255).astype(np.uint8))

    for brightness in (1.0, 0.3, 0.1, 0.03):
        scenes = [see(index, 80, brightness) for index in range(60)]
        found = sum(is_cut(one, other) for one, other in pairwise(scenes))
        false = sum(
            is_cut(see(index, 40, brightness), see(index, 40 + step, brightness))
            for index in range(60)
            for step in (2, 10, 30, 64)
        )
        lit = sum(
            is_cut(scene, see(index, 80, brightness * light))
            for index, scene in enumerate(scenes)
            for light in (0.9, 0.5)
        )
        print(
            f"brightness {brightness}: {found} of 59 cuts found; told to be cuts: {false} of 240 "
            f"moves of the camera, {lit} of 120 changes of light"
        )


Shot = list[tuple[float, np.ndarray, np.ndarray, np.ndarray]]


def follow_shot(detector: Detector, index: int, speed: int) -> Shot:
    """Return time, true boxes, found boxes and scores of each frame of a moving shot."""
    drawn = draw_frame(seed=1, part="test", index=index)
    corners = [(abs(n * speed % 240 - 120), abs(n * speed // 2 % 180 - 90)) for n in range(50)]
    images = [drawn.image[y : y + 270, x : x + 360] for x, y in corners]
    found = detector.detect(images)
    return [
        (n / RATE, drawn.boxes - [x, y, x, y], as_boxes(each.boxes), each.scores)
        for n, ((x, y), each) in enumerate(zip(corners, found, strict=True))
    ]


def count_changes(shot: Shot, stride: int) -> tuple[int, int, int]:
    last: dict[int, int] = {}
    found = numbered = changes = 0
    frames = shot[::stride]
    for (_, truth, boxes, _), tracks in zip(frames, follow_all(frames, stride / RATE), strict=True):
        for face, row in enumerate(iou(truth, boxes)):
            if row.max(initial=0) < 0.5:
                continue
            found += 1
            if (number := tracks[int(row.argmax())]) is not None:
                numbered += 1
                changes += last.get(face, number) != number
                last[face] = number
    return found, numbered, changes


def follow_all(frames: Shot, step: float) -> list[tuple[int | None, ...]]:
    """Return the tracks of each frame as detections files have them."""
    tracker = FaceTracker(step)
    tracks: list[tuple[int | None, ...]] = []
    for seconds, _, boxes, scores in frames:
        found = tracker.follow(boxes, scores, seconds)
        tracks[-1:] = [tracker.amend(each) for each in tracks[-1:]]
        tracks.append(found)
    return tracks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["memory", "speed", "still", "tracks", "cuts"])
    parser.add_argument("--frames", type=int, nargs="+", default=[600])
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if given.what == "memory":
            show_memory(place, given.frames)
        elif given.what == "speed":
            show_speed(place, given.frames[0], given.turns)
        elif given.what == "still":
            show_still(place, given.frames[0], given.turns)
        elif given.what == "tracks":
            show_tracks()
        else:
            show_cuts()


if __name__ == "__main__":
    main()
