"""Images side by side: one thread on each, which beats all threads on one image."""

from __future__ import annotations

import math
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

ROOM = 128_000_000
"""Pixels, of three bytes each, that may wait in memory for their turn."""
_AHEAD = 2
"""Items begun or waiting for each worker, so that none waits for the slowest."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_parallel(
    work: Callable[[_Item], _Result], items: Iterable[_Item], workers: int
) -> Iterator[_Result]:
    """Yield what ``work`` makes of each item, in the order of the items.

    The workers are threads: decoding, cutting and the networks leave the interpreter free, and
    nothing has to be started or copied.  Torch itself gets one thread in each, for two of its own
    on one frame cost more than they give, many times more on a busy machine.

    Args:
        work: called in one of the threads; what it raises is raised here, at the item's turn.
        items: taken a few at a time, in the calling thread.
        workers: how many threads, at least 1.
    """
    waiting: deque[Future[_Result]] = deque()
    with _threads.kept():
        pool = ThreadPoolExecutor(workers, initializer=_set_threads, initargs=(1,))
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                while waiting and (waiting[0].done() or len(waiting) > workers * _AHEAD):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _get_threads() -> int:
    """Return torch's number of threads; 1 where torch is not loaded."""
    torch = sys.modules.get("torch")
    return 1 if torch is None else int(torch.get_num_threads())


def _set_threads(count: int) -> None:
    """Set torch's number of threads, where torch is loaded: what searches needs none of it."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(count)


class _Threads:
    """Torch's number of threads, to be set back for threads to come: they inherit the workers' 1.

    Of calls that overlap, the first one knows the number; those after it may find a worker's.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know of no call: in a forked child, where those of its parent never end."""
        self._guard = Lock()
        self._calls = 0
        self._number = 1

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the number over the block, in which workers set theirs."""
        with self._guard:
            if not self._calls:
                self._number = _get_threads()
            self._calls += 1
        try:
            yield
        finally:
            with self._guard:
                self._calls -= 1
                _set_threads(self._number)


_threads = _Threads()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.forget)


def most_waiting(workers: int) -> int:
    """Return how many items of :func:`in_parallel` there are at once, at most.

    Those begun or waiting, one that was just taken, and one whose result is being used.
    """
    return workers * _AHEAD + 2


def in_batches(
    items: Iterable[_Item],
    size: int,
    room: float = math.inf,
    weigh: Callable[[_Item], float] = lambda _: 0.0,
) -> Iterator[list[_Item]]:
    """Yield the items in lists of ``size``; the last may be shorter, and so may heavy ones.

    Args:
        items: taken as they are needed.
        size: items of a list, at least 1.
        room: what a list may weigh, if each item weighs as much as the one before it; a single
            item may weigh more.
        weigh: tells what an item weighs.
    """
    batch: list[_Item] = []
    held = 0.0
    for item in items:
        batch.append(item)
        weight = weigh(item)
        held += weight
        if len(batch) == size or held + weight > room:
            yield batch
            batch, held = [], 0.0
    if batch:
        yield batch
