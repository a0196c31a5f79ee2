"""Images side by side: one thread of torch on each, which beats all threads on one image."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch

_AHEAD = 2
"""Items begun or waiting for each worker, so that none waits for the slowest."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """Yield what ``work`` makes of each item, in the order of the items.

    The workers are threads: decoding, cutting and the networks leave the interpreter free, and
    nothing has to be started or copied.  Torch itself gets one thread in each, for two of its own
    on one frame cost more than they give, many times more on a busy machine.

    Args:
        work: called in one of the threads; what it raises is raised here, at the item's turn.
        items: taken a few at a time, in the calling thread.
        workers: how many threads, at least 1.
    """
    waiting: deque[Future[Result]] = deque()
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            while waiting and (waiting[0].done() or len(waiting) > workers * _AHEAD):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # for threads to come, which inherit the workers' 1


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of ``size``; the last may be shorter."""
    pending = iter(items)
    while batch := list(islice(pending, size)):
        yield batch
