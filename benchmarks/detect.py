"""facetl's detector, by both engines, beside facenet-pytorch's, over the same images in one run.

    python benchmarks/detect.py [FRAMES] [--count 40] [--repeats 3] [--only files one-core …]

Without FRAMES, the built-in cartoon is drawn.  All take turns, and what is compared is the median
of the ratios of their times.  The run fails if boxes differ by more than 0.01 px, scores by more
than 1e-4, or their counts at all.  Parts:

files      whole cores, end to end: files in, boxes out
one-core   one thread, images already decoded
latency    whole cores, one decoded image at a time, as in a loop over a video
stages     where the time goes, and how near the processor's limit that is
sizes      images from 240p to 4K
batches    images searched together
memory     what searching one image of 4000×3000 with many faces adds
start      a new process that finds the faces of one image, and the memory of a whole folder
shipped    frames a second with the ``cartoon`` weights and their presets, from files, whole cores
peers      the ``cartoon`` weights and their presets beside detectors of other kinds: OpenCV's YuNet
           (--yunet FILE) and a forward pass of ultralytics' YOLO11n, if it is installed
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from PIL import Image

from facetl import Detections, Detector, draw_frame, load_image
from facetl.cores import usable_cores
from facetl.data.images import image_paths, save_image
from facetl.mtcnn.detector import run_cascade
from facetl.mtcnn.engines import why_not
from facetl.mtcnn.geometry import level_size, pyramid_scales
from facetl.mtcnn.networks import build_network
from facetl.mtcnn.stages import STAGES, Stage
from facetl.search.settings import Settings

Thresholds = tuple[float, float, float]
Search = Callable[[], list[Detections]]

THRESHOLDS: dict[str, Thresholds] = {"default": (0.6, 0.7, 0.7), "loose": (0.1, 0.2, 0.2)}
SIZES = (240, 360, 480, 720, 1080, 1440, 2160)
BATCHES = (1, 2, 4, 8, 16)
LARGE = (4000, 3000)
PEER = "facenet-pytorch"
YUNET = ""
"""YuNet's file, if there is one."""
ENGINES: list[str] = ["torch"]
ENGINES += [name for name in ("onnx", "native") if not why_not(name, "cpu")]


# ---- taking turns


def take_turns(
    searches: dict[str, Search], repeats: int, clock: Callable[[], float], images: int
) -> dict[str, list[float]]:
    """Return milliseconds an image of each, by turn; stop if their boxes differ."""
    times: dict[str, list[float]] = {name: [] for name in searches}
    for _ in range(repeats):
        found = {}
        for name, search in searches.items():
            time.sleep(0.3)  # threads of the one before have to stop spinning
            began = clock()
            found[name] = search()
            times[name].append((clock() - began) / images * 1e3)
        for name in set(found) - {PEER}:
            require_same(name, found[name], found[PEER])
    return times


def require_same(name: str, ours: list[Detections], theirs: list[Detections]) -> None:
    counts = [len(each) for each in ours], [len(each) for each in theirs]
    if counts[0] != counts[1]:
        sys.exit(f"{name} and {PEER} find different numbers of faces: {counts}")
    for own, other in zip(ours, theirs, strict=True):
        boxes = abs(own.boxes - other.boxes).max(initial=0)
        scores = abs(own.scores - other.scores).max(initial=0)
        if boxes > 0.01 or scores > 1e-4:
            sys.exit(f"{name} and {PEER} differ by {boxes:g} px, {scores:g} in score")


def print_times(label: str, times: dict[str, list[float]]) -> None:
    """Print a line: each one's median, and how many times faster than the peer, with spread."""
    cells = [f"{label:22}", f"{PEER} {statistics.median(times[PEER]):8.1f} ms"]
    for name, own in times.items():
        if name != PEER:
            ratios = [peer / mine for peer, mine in zip(times[PEER], own, strict=True)]
            cells.append(
                f"{name} {statistics.median(own):7.1f} ms ×{statistics.median(ratios):5.2f} "
                f"({min(ratios):.2f} to {max(ratios):.2f})"
            )
    print("   ".join(cells), flush=True)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


def search_with_peer(peer: MTCNN, images: Sequence[Path | NDArray[np.uint8]]) -> list[Detections]:
    found = []
    for image in images:
        own = Image.open(image) if isinstance(image, Path) else Image.fromarray(image)
        boxes, scores, landmarks = peer.detect(own.convert("RGB"), landmarks=True)
        if boxes is None:
            found.append(Detections.empty())
            continue
        best_first = np.argsort(-scores, kind="stable")
        found.append(Detections.from_lists(boxes, scores, landmarks)[best_first])
    return found


def searches_of(images: Sequence[Any], thresholds: Thresholds, **how: Any) -> dict[str, Search]:
    peer = MTCNN(keep_all=True, thresholds=list(thresholds), device="cpu")
    searches: dict[str, Search] = {PEER: lambda: search_with_peer(peer, images)}
    for engine in ENGINES:
        detector = Detector.load("pretrained", "cpu", engine)
        detector.detect(images[:1], thresholds, workers=1)
        searches[engine] = lambda own=detector: own.detect(images, thresholds, **how)  # type: ignore[misc]
    return searches


# ---- parts


def compare_files(paths: Sequence[Path], repeats: int) -> None:
    print(f"\nend to end from {len(paths)} files, {usable_cores()} cores, wall clock, an image")
    for name, thresholds in THRESHOLDS.items():
        searches = searches_of(paths, thresholds, workers=usable_cores())
        print_times(name, take_turns(searches, repeats, time.perf_counter, len(paths)))


def compare_one_core(paths: Sequence[Path], repeats: int) -> None:
    print(f"\n{len(paths)} decoded images, one thread, processor time, an image")
    images = [load_image(path) for path in paths]
    with threads(1):
        for name, thresholds in THRESHOLDS.items():
            searches = searches_of(images, thresholds, workers=1)
            print_times(name, take_turns(searches, repeats, time.process_time, len(images)))


def compare_latency(paths: Sequence[Path], repeats: int) -> None:
    print(f"\n{len(paths)} decoded images, one at a time, {usable_cores()} cores, wall clock")
    images = [load_image(path) for path in paths]
    for name, thresholds in THRESHOLDS.items():
        peer = MTCNN(keep_all=True, thresholds=list(thresholds), device="cpu")
        searches: dict[str, Search] = {PEER: lambda own=peer: search_with_peer(own, images)}  # type: ignore[misc]
        for engine in ENGINES:
            detector = Detector.load("pretrained", "cpu", engine)
            searches[engine] = partial(search_singly, detector, images, thresholds)
            searches[engine]()
        print_times(name, take_turns(searches, repeats, time.perf_counter, len(images)))


def search_singly(
    detector: Detector, images: Sequence[NDArray[np.uint8]], thresholds: Thresholds
) -> list[Detections]:
    return [detector.detect(image, thresholds) for image in images]


def compare_shipped(paths: Sequence[Path], repeats: int) -> None:
    """Print frames a second; other engines and presets find other boxes, only the clock counts."""
    print(f"\n{len(paths)} files, cartoon weights, {usable_cores()} cores, frames a second")
    for engine in ("native", "half"):
        if why_not(engine, "cpu"):
            continue
        detector = Detector.load("cartoon", "cpu", engine)
        for name, settings in settings_of(detector).items():
            speeds = []
            for _ in range(repeats + 1):
                time.sleep(0.3)
                began = time.perf_counter()
                list(detector.search(paths, settings, workers=usable_cores()))
                speeds.append(len(paths) / (time.perf_counter() - began))
            own = speeds[1:]  # the first lap warms up
            spread = f"({min(own):.0f} to {max(own):.0f})"
            print(f"{engine:8} {name:18} {statistics.median(own):5.0f} {spread}", flush=True)


def settings_of(detector: Detector) -> dict[str, Settings]:
    """Return how the ``cartoon`` weights may search, by the name of preset or weights."""
    own = detector.settings
    presets = {f"cartoon, {name}": own.preset(name) for name in ("fastest", "fast", "thorough")}
    return {"cartoon": own, **presets, "cartoon-large": own.override(rescored=True)}


def compare_peers(paths: Sequence[Path], repeats: int) -> None:
    """Print the times of detectors that find other boxes: only the clock compares them."""
    images = [load_image(path) for path in paths]
    peer = MTCNN(keep_all=True, device="cpu")
    detector = Detector.load()
    searches: dict[str, Callable[[], object]] = {PEER: partial(search_with_peer, peer, images)}
    for name, settings in settings_of(detector).items():
        searches[name] = partial(search_as_set, detector, images, settings)
    searches |= searches_of_others(images)
    times: dict[str, list[float]] = {name: [] for name in searches}
    print("\ndetectors of other kinds, whole cores, decoded images one at a time, an image")
    for _ in range(repeats + 1):
        for name, search in searches.items():
            time.sleep(0.3)
            began = time.perf_counter()
            search()
            times[name].append((time.perf_counter() - began) / len(images) * 1e3)
    print_times("", {name: own[1:] for name, own in times.items()})  # the first lap warms up


def search_as_set(
    detector: Detector, images: Sequence[NDArray[np.uint8]], settings: Settings
) -> None:
    for image in images:
        list(detector.search([image], settings, workers=usable_cores()))


def searches_of_others(images: Sequence[NDArray[np.uint8]]) -> dict[str, Callable[[], object]]:
    """Return what searches with YuNet, and what runs YOLO11n, as far as they are there."""
    searches: dict[str, Callable[[], object]] = {}
    if YUNET:
        import cv2

        height, width = images[0].shape[:2]
        yunet = cv2.FaceDetectorYN.create(YUNET, "", (width, height), 0.5)
        blue_first = [np.ascontiguousarray(image[..., ::-1]) for image in images]
        searches["YuNet"] = lambda: [yunet.detect(image) for image in blue_first]
    with suppress(ImportError):
        from ultralytics import YOLO

        network = YOLO("yolo11n.yaml").model.eval()
        picture = torch.zeros(1, 3, 384, 480)
        searches["YOLO11n, forward"] = lambda: run_networks(network, picture, len(images))
    return searches


@torch.inference_mode()
def run_networks(network: torch.nn.Module, picture: torch.Tensor, count: int) -> None:
    for _ in range(count):
        network(picture)


def compare_stages(paths: Sequence[Path], repeats: int) -> None:
    images = [load_image(path) for path in paths]
    with threads(1):
        peak = measure_peak()
        print(f"\nby stage, one thread, loose; torch multiplies matrices at {peak:.0f} GFLOP/s")
        for engine in ENGINES:
            detector = Detector.load("pretrained", "cpu", engine)
            laps = [time_stages(detector, images) for _ in range(repeats)]
            seconds = np.median([each[0] for each in laps], axis=0) / len(images)
            work = count_operations(images, laps[0][1]) / len(images)
            for stage, own, flop in zip(STAGES, seconds, work, strict=True):
                print(
                    f"{engine:8} {stage}  {own * 1e3:6.2f} ms   {flop / 1e9:5.2f} GFLOP   "
                    f"{flop / own / 1e9:5.0f} GFLOP/s, {flop / own / 1e9 / peak:.0%} of that"
                )


def time_stages(
    detector: Detector, images: Sequence[NDArray[np.uint8]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return seconds of each stage, and how many windows RNet and ONet judged."""
    settings, seconds, judged = Settings(), np.zeros(3), np.zeros(2, np.int64)
    for image in images:
        moments = [time.perf_counter()]
        backend = detector.backend(image[None])
        shown = []
        for step, candidates in run_cascade(backend, settings):
            if step in ("rnet_input", "onet_input"):
                shown.append(len(candidates))
                moments.append(time.perf_counter())
        seconds += np.diff([*moments, time.perf_counter()])
        judged += shown
    return seconds, judged


def count_operations(
    images: Sequence[NDArray[np.uint8]], judged: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the multiplications and additions of each stage, over all images."""
    settings, pnet = Settings(), 0
    for image in images:
        size = (image.shape[0], image.shape[1])
        for scale in pyramid_scales(size, settings.min_face, settings.factor):
            pnet += operations("pnet", level_size(size, scale))
    later = [operations("rnet", (24, 24)), operations("onet", (48, 48))]
    return np.array([pnet, *(later * judged)], dtype=np.float64)


def operations(stage: Stage, size: tuple[int, int]) -> int:
    """Return the multiplications and additions in the convolutions and dense layers."""
    network, count = build_network(stage), 0

    def add(layer: Any, _: Any, output: torch.Tensor) -> None:
        nonlocal count
        taps = layer.weight[0].numel()
        count += 2 * taps * output.numel()

    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(add)
    with torch.inference_mode():
        network(torch.zeros(1, 3, *size))
    return count


def measure_peak() -> float:
    """Return the most GFLOP/s that a product of two matrices reached."""
    side = 1536
    a, b = torch.rand(side, side), torch.rand(side, side)
    seconds = []
    for _ in range(8):
        began = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - began)
    return float(2 * side**3 / min(seconds) / 1e9)


def compare_sizes(paths: Sequence[Path], repeats: int) -> None:
    print("\nby size, one thread, an image (loose thresholds)")
    frame = Image.fromarray(load_image(paths[0]))
    with threads(1):
        for height in SIZES:
            image = np.asarray(frame.resize((height * 4 // 3, height), Image.Resampling.BICUBIC))
            searches = searches_of([image], THRESHOLDS["loose"], workers=1)
            times = take_turns(searches, repeats, time.perf_counter, 1)
            best = statistics.median(times[ENGINES[-1]])
            print_times(f"{height * 4 // 3}×{height}", times)
            print(f"{'':22}{ENGINES[-1]}: {best / (image.size / 3e6):.1f} ms a megapixel")


def compare_batches(paths: Sequence[Path], repeats: int) -> None:
    print("\nby batch size, one thread, decoded images, an image (loose thresholds)")
    images = [load_image(path) for path in paths]
    with threads(1):
        for size in BATCHES:
            searches = searches_of(images, THRESHOLDS["loose"], batch_size=size, workers=1)
            print_times(str(size), take_turns(searches, repeats, time.process_time, len(images)))


def compare_memory(paths: Sequence[Path], repeats: int) -> None:
    print(f"\nwhat searching one image of {LARGE[0]}×{LARGE[1]} adds to the memory, at its peak")
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.png"
        save_image(large, tile(paths))
        for name in (PEER, *ENGINES):
            command = [sys.executable, __file__, str(large), "--grow", name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"{name:16} {done.stdout.strip()}")


def tile(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """Return one large image full of small ones."""
    canvas = Image.new("RGB", LARGE)
    places = [(x, y) for y in range(0, LARGE[1], 360) for x in range(0, LARGE[0], 480)]
    for place, at in enumerate(places):
        canvas.paste(Image.fromarray(load_image(paths[place % len(paths)])).resize((480, 360)), at)
    return np.asarray(canvas)


def grow(name: str, path: Path) -> str:
    """Search one image in a process of its own; say what that added."""
    image = load_image(path)
    search = searches_of_one(name)
    search(image[:360, :480].copy())
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    before = memory("VmRSS")
    (found,) = search(image)
    return f"{memory('VmHWM') - before:6.0f} MB, {len(found)} faces"


FIRST_WITH_PEER = """
import sys
from facenet_pytorch import MTCNN
from PIL import Image
MTCNN(keep_all=True).detect(Image.open(sys.argv[1]))
"""
FIRST = """
import sys
from facetl import Detector
Detector.load().detect(sys.argv[1])
"""
LOAD = "from facetl import Detector; Detector.load()"


def compare_start(paths: Sequence[Path], repeats: int) -> None:
    """Print how long processes take that are started for one image or one folder, in turn."""
    print("\nnew processes, seconds of wall clock and of the processor, and the memory at its peak")
    one, folder = str(paths[0]), str(paths[0].parent)
    python, command = [sys.executable, "-W", "ignore", "-c"], [sys.executable, "-m", "facetl"]
    programs = {
        f"{PEER}, one image": [*python, FIRST_WITH_PEER, one],
        "Detector.load()": [*python, LOAD],
        "Detector, one image": [*python, FIRST, one],
        "facetl detect, one image": [*command, "detect", one, "--out"],
        f"facetl detect, {len(paths)} images": [*command, "detect", folder, "--out"],
    }
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in programs}
    for _ in range(repeats):
        for name, program in programs.items():
            with tempfile.TemporaryDirectory() as out:
                taken[name].append(run_program([*program, *[f"{out}/found"] * ("facetl" in name)]))
    for name, laps in taken.items():
        wall, own, peak = map(statistics.median, zip(*laps, strict=True))
        least, most = min(lap[0] for lap in laps), max(lap[0] for lap in laps)
        print(
            f"{name:26} {wall:5.2f} s ({least:.2f} to {most:.2f})   {own:5.2f} s   {peak:5.0f} MB"
        )


LAUNCHER = """
import os, subprocess, sys, time
began = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
print(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
sys.exit(status != 0)
"""
"""Small itself: a process inherits the peak of the one that starts it."""


def run_program(program: Sequence[str]) -> tuple[float, float, float]:
    """Return the seconds that passed, those of the processor, and the most memory in MB."""
    compiled = {key: own for key, own in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-S", "-c", LAUNCHER, *program]
    done = subprocess.run(command, env=compiled, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(program)}: {done.stderr}")
    wall, own, peak = map(float, done.stdout.split())
    return wall, own, peak


def searches_of_one(name: str) -> Callable[[NDArray[np.uint8]], list[Detections]]:
    thresholds = THRESHOLDS["loose"]
    if name == PEER:
        peer = MTCNN(keep_all=True, thresholds=list(thresholds), device="cpu")
        return lambda image: search_with_peer(peer, [image])
    detector = Detector.load("pretrained", "cpu", name)
    return lambda image: detector.detect([image], thresholds)


def memory(kind: str) -> float:
    """Return what this process holds now (VmRSS) or held at most (VmHWM), in MB (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith(kind))
    return int(size) / 1024


PARTS: dict[str, Callable[[Sequence[Path], int], None]] = {
    "files": compare_files,
    "one-core": compare_one_core,
    "latency": compare_latency,
    "stages": compare_stages,
    "sizes": compare_sizes,
    "batches": compare_batches,
    "memory": compare_memory,
    "start": compare_start,
    "shipped": compare_shipped,
    "peers": compare_peers,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", nargs="?", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--yunet", default="", help="face_detection_yunet, an ONNX file")
    parser.add_argument("--grow", help=argparse.SUPPRESS)
    options = parser.parse_args()
    global YUNET
    YUNET = options.yunet
    warnings.simplefilter("ignore")  # facenet-pytorch's, of torch.load and numpy
    if options.grow:
        print(grow(options.grow, options.frames))
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = find_frames(options.frames, options.count, Path(folder))
        print(f"{len(paths)} frames, {os.cpu_count()} cores, torch {torch.__version__}")
        for part in options.only:
            PARTS[part](paths, options.repeats)


def find_frames(frames: Path | None, count: int, folder: Path) -> list[Path]:
    if frames is not None:
        return image_paths(frames)[:count]
    for index in range(count):
        save_image(folder / f"{index:03}.jpg", draw_frame(1, "benchmark", index).image)
    return image_paths(folder)


if __name__ == "__main__":
    main()
