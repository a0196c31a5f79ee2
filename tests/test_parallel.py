"""Work side by side: order, how far ahead it goes, and torch's threads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Event
from typing import TypeVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from outcomes import PATIENCE

from facetl.search.parallel import in_batches, in_parallel

T = TypeVar("T")


@pytest.fixture(autouse=True)
def five_threads() -> Iterator[None]:
    """Torch has five threads before each test, and what it had after."""
    before = torch.get_num_threads()
    torch.set_num_threads(5)
    yield
    torch.set_num_threads(before)


def threads_of_a_new_thread() -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


# ---- results


@given(st.lists(st.integers(), max_size=30), st.integers(1, 5))
def test_results_come_in_the_order_of_the_items(items: list[int], workers: int) -> None:
    assert list(in_parallel(lambda item: item * 2, items, workers)) == [n * 2 for n in items]


def test_what_is_done_does_not_wait_for_items_to_come() -> None:
    taken: list[int] = []
    done = Event()

    def work(item: int) -> int:
        done.set()
        return item

    def items() -> Iterator[int]:
        for number in range(100):
            if taken:
                assert done.wait(PATIENCE)
                time.sleep(0.01 * 2**number)  # until the worker has handed over what it did
            taken.append(number)
            yield number

    found = in_parallel(work, items(), workers=8)
    assert next(found) == 0
    assert len(taken) < 16  # a full queue has 17
    found.close()  # type: ignore[attr-defined]


def test_no_more_is_taken_than_the_workers_need_soon() -> None:
    taken: list[int] = []
    go = Event()

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            if len(taken) == 5:
                go.set()
            yield number

    found = in_parallel(lambda _: go.wait(PATIENCE), items(), workers=2)
    assert next(found)
    assert len(taken) == 5
    found.close()  # type: ignore[attr-defined]


def test_what_is_raised_comes_at_its_turn() -> None:
    found = in_parallel(lambda item: 6 // item, [1, 2, 0, 3], workers=2)
    assert [next(found), next(found)] == [6, 3]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert threads_of_a_new_thread() == 5


@given(
    st.lists(st.integers(0, 9), max_size=40), st.integers(1, 6), st.sampled_from([0, 5, 20, 1e9])
)
def test_batches_hold_all_items_in_order_and_no_more_than_they_may(
    weights: list[int], size: int, room: float
) -> None:
    batches = list(in_batches(sorted(weights, reverse=True), size, room, float))
    assert [weight for batch in batches for weight in batch] == sorted(weights, reverse=True)
    for batch in batches:
        assert 1 <= len(batch) <= size
        assert len(batch) == 1 or sum(batch) <= room
    for batch, after in pairwise(batches):
        assert len(batch) == size or sum(batch) + batch[-1] > room, f"{after} had room"


def test_batches_are_given_as_soon_as_they_are_full() -> None:
    pending = iter(range(10))
    batches = in_batches(pending, 3)
    assert next(batches) == [0, 1, 2]
    assert next(pending) == 3


# ---- torch's threads


def test_workers_have_one_thread_each_and_others_keep_theirs() -> None:
    assert list(in_parallel(lambda _: torch.get_num_threads(), range(4), 2)) == [1] * 4
    assert torch.get_num_threads() == 5
    assert threads_of_a_new_thread() == 5


@pytest.mark.parametrize("first_out", [0, 1])
def test_calls_that_overlap_leave_the_threads_as_they_were(first_out: int) -> None:
    def begin() -> Iterator[int]:
        found = in_parallel(lambda item: item, range(100), 2)
        next(found)
        return found

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        pools = [one, other]
        calls = [pool.submit(begin).result() for pool in pools]
        for place in (first_out, 1 - first_out):
            assert pools[place].submit(list, calls[place]).result() == list(range(1, 100))
    assert threads_of_a_new_thread() == 5
