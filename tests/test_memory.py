from __future__ import annotations

import ctypes
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from facetl.training.machine import keep_freed_memory


@pytest.fixture(autouse=True)
def ask_anew() -> Iterator[None]:
    """Let the answer of this process be forgotten, before a test and after it."""
    keep_freed_memory.cache_clear()
    yield
    keep_freed_memory.cache_clear()


def test_it_tells_whether_the_system_listens() -> None:
    assert keep_freed_memory() in (True, False)


@pytest.mark.parametrize("trouble", [AttributeError, OSError, TypeError])
def test_where_there_is_no_mallopt_nothing_changes(
    monkeypatch: pytest.MonkeyPatch, trouble: type[Exception]
) -> None:
    def fail(_: object) -> NoReturn:
        raise trouble

    monkeypatch.setattr(ctypes, "CDLL", fail)
    assert keep_freed_memory() is False


@pytest.mark.parametrize(("answers", "told"), [([1, 1, 1], True), ([1, 0, 1], False)])
def test_mallopt_is_asked_once_for_each_setting(
    monkeypatch: pytest.MonkeyPatch, answers: list[int], told: bool
) -> None:
    asked: list[tuple[int, int]] = []

    def mallopt(parameter: int, value: int) -> int:
        asked.append((parameter, value))
        return answers[len(asked) - 1]

    library: Any = SimpleNamespace(mallopt=mallopt)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    assert keep_freed_memory() is told
    assert keep_freed_memory() is told
    assert asked[0] == (-4, 0)  # no memory maps of its own for large blocks
    assert len(asked) <= 3
