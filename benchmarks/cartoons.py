"""How long a frame of the built-in cartoon takes on one core.

python benchmarks/cartoons.py [--count 60]
"""

from __future__ import annotations

import argparse
import statistics
import time

from facetl import draw_frame
from facetl.cartoons import use_one_core


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    arguments = parser.parse_args()
    use_one_core()
    seconds, faces = [], 0
    for index in range(arguments.count):
        began = time.perf_counter()
        faces += len(draw_frame(1, "benchmark", index).boxes)
        seconds.append(time.perf_counter() - began)
    print(
        f"{arguments.count} frames with {faces} faces: {statistics.mean(seconds):.3f} s a frame, "
        f"{max(seconds):.3f} s the slowest"
    )


if __name__ == "__main__":
    main()
