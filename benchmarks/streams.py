"""Large folders: seconds and memory by the number of frames, beside facenet-pytorch in a loop.

    python benchmarks/streams.py --frames 1000 4000 16000 --peer 200
    python benchmarks/streams.py --frames 100000 --streamed-alone --kills 5

Drawn frames, some of them many times under names of their own (hard links).  For each count
``facetl detect --stream`` and the same without ``--stream`` are started anew and the system is
asked for their peak; the peer reads and searches ``--peer`` of the frames one after the other.
With ``--kills`` the streamed search is done again and ended by kill -9 so many times, wherever it
is, and gone on with: its bytes are compared with the unbroken one's.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from facetl.cartoons.frame import draw_frame
from facetl.data.images import save_image

DRAWN = 50
PEER = """
import sys
from pathlib import Path
from facenet_pytorch import MTCNN
from PIL import Image
mtcnn = MTCNN(keep_all=True, thresholds=[0.1, 0.2, 0.2])
for path in sorted(Path(sys.argv[1]).iterdir()):
    mtcnn.detect(Image.open(path))
"""


class Cost(NamedTuple):
    """What a process took."""

    seconds: float
    megabytes: float


def lay_out(folder: Path, drawn: list[Path], count: int) -> Path:
    """Return a folder with so many frames."""
    folder.mkdir()
    for number in range(count):
        os.link(drawn[number % len(drawn)], folder / f"{number:06}.jpg")
    return folder


def draw(folder: Path) -> list[Path]:
    paths = [folder / f"{index}.jpg" for index in range(DRAWN)]
    for index, path in enumerate(paths):
        save_image(path, draw_frame(seed=1, part="test", index=index).image)
    return paths


def measure(*command: object) -> Cost:
    """Run a program of its own; return its time and its peak memory."""
    began = time.perf_counter()
    with started(*command) as child:
        megabytes = wait_for(child)
    if child.returncode:
        raise SystemExit(f"{command} ended with {child.returncode}")
    return Cost(time.perf_counter() - began, megabytes)


def measure_broken(search: list[object], out: Path, whole: Path, kills: int) -> Cost:
    """Run a search that is killed so often before it ends; return all its time and highest peak.

    Args:
        search: its command, without ``--resume``.
        out: where it writes.
        whole: the lines that the same search has written unbroken; it is killed when it has as
            many bytes as a random share of them, and ends with the same ones.
        kills: how many times.
    """
    began = time.perf_counter()
    lines = out / whole.name
    peaks = []
    rng = random.Random(kills)
    for share in sorted(rng.random() for _ in range(kills)):
        with started(*search, *(["--resume"] if lines.exists() else [])) as child:
            while size(lines) < share * size(whole):
                if child.poll() is not None:
                    raise SystemExit(f"{search} ended with {child.returncode}, not yet killed")
                time.sleep(0.001)
            child.kill()
            peaks.append(wait_for(child))
    peaks.append(measure(*search, "--resume").megabytes)
    seconds = time.perf_counter() - began
    if lines.read_bytes() != whole.read_bytes():
        raise SystemExit(f"killed {kills} times and gone on with: other bytes than unbroken")
    return Cost(seconds, max(peaks))


@contextmanager
def started(*command: object) -> Iterator[subprocess.Popen[bytes]]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [sys.executable, *map(str, command)], stdout=quiet, stderr=quiet
    ) as child:
        yield child


def wait_for(child: subprocess.Popen[bytes]) -> float:
    """Wait for the end of a process; return its peak memory in megabytes."""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / 1024


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def show(what: str, count: int, cost: Cost) -> None:
    pace = count / cost.seconds
    print(f"{what:18} {count:7,} {cost.seconds:8.1f} {pace:8.1f} {cost.megabytes:8.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 4000, 16000])
    parser.add_argument("--peer", type=int, default=200)
    parser.add_argument("--weights", default="pretrained")
    parser.add_argument("--kills", type=int, default=0, help="kill -9 in the middle, go on")
    parser.add_argument("--streamed-alone", action="store_true", help="leave out the other way")
    arguments = parser.parse_args()
    ways: dict[str, list[str]] = {"facetl --stream": ["--stream"], "facetl": []}
    if arguments.streamed_alone:
        del ways["facetl"]
    print(f"{'':18} {'frames':>7} {'seconds':>8} {'a second':>8} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "drawn").mkdir()
        drawn = draw(place / "drawn")
        for count in arguments.frames:
            frames = lay_out(place / f"frames{count}", drawn, count)
            for what, options in ways.items():
                out = place / f"{what}{count}"
                detect = ["-m", "facetl", "detect", frames, "--weights", arguments.weights]
                show(what, count, measure(*detect, "--out", out, *options))
            if arguments.kills:
                search = [*detect, "--stream", "--out", place / f"broken{count}"]
                (whole,) = (place / f"facetl --stream{count}").glob("*.jsonl")
                cost = measure_broken(search, place / f"broken{count}", whole, arguments.kills)
                show(f"killed {arguments.kills} times", count, cost)
        frames = lay_out(place / "peer", drawn, arguments.peer)
        show("facenet-pytorch", arguments.peer, measure("-c", PEER, frames))


if __name__ == "__main__":
    main()
