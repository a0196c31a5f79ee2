"""From annotated frames to a patch file: frames are cut side by side, patches written in order.

Each frame has its own source of chance, made of the seed and the frame's name, so the result
depends neither on the number of workers nor on which other frames there are.
"""

from __future__ import annotations

import multiprocessing
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any, get_args
