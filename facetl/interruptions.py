"""Being told to stop: Ctrl-C (SIGINT) by a person, SIGTERM by a system that shuts down.

Both arrive as a ``KeyboardInterrupt``, so that whatever keeps its work on Ctrl-C keeps it on
SIGTERM; they differ in the exit code, 128 and the signal's number.  Processes that work for
another one are told by it, and end when it ends, however that comes.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ECHO = 1.0
"""Seconds in which a second signal is the first said twice: it shall not disturb the tidying."""


class Terminated(KeyboardInterrupt):
    """The process was sent SIGTERM."""


def exit_code(interruption: KeyboardInterrupt) -> int:
    """Return 143 for SIGTERM, 130 for Ctrl-C."""
    number = signal.SIGTERM if isinstance(interruption, Terminated) else signal.SIGINT
    return 128 + number


@contextmanager
def heeding_signals() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` or :class:`Terminated` if the process is told to stop.

    If it was, signals that come after the block are ignored: the process is about to end.
    Signals that are ignored already stay so, and outside the main thread, where none can be
    caught, nothing changes.
    """
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    is_main = threading.current_thread() is threading.main_thread()
    taken = [number for number, handler in handlers.items() if handler in _USUAL]
    if not is_main or not taken:
        yield
        return
    global _ear
    _ear = ear = _Ear()
    for number in taken:
        signal.signal(number, ear)
    try:
        yield
    finally:
        _ear = None
        for number in taken:
            signal.signal(number, signal.SIG_IGN if ear.heard else handlers[number])


@contextmanager
def undisguised() -> Iterator[None]:
    """Raise an interruption that compiled code has turned into another error as what it is."""
    try:
        yield
    except Exception:
        if not (_ear and _ear.heard):
            raise
        raise _meaning(_ear.heard) from None


_USUAL = (signal.SIG_DFL, signal.default_int_handler)


class _Ear:
    """Raises what a signal means, once for all that come in a moment.

    Attributes:
        heard: the signal that came last, if any.  What it raised is not kept: with it would stay
            all that was at work then, until the interpreter is gone.
    """

    def __init__(self) -> None:
        self.heard: int | None = None
        self._time = -float("inf")

    def __call__(self, number: int, frame: object) -> None:
        before, self._time = self._time, time.monotonic()
        if self._time - before > _ECHO:
            self.heard = number
            raise _meaning(number)


_ear: _Ear | None = None
"""Hears while signals are heeded."""


def _meaning(number: int) -> KeyboardInterrupt:
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


@contextmanager
def holding_signals() -> Iterator[None]:
    """Let signals wait until the end of the block.

    They are caught, for to block them would not do: another thread would take them.  Outside the
    main thread, which no signal disturbs, nothing changes.
    """
    came: list[int] = []
    try:
        with keeping_handlers() as held:
            for number in held:
                signal.signal(number, lambda number, _: came.append(number))
            yield
    finally:
        if came:
            signal.raise_signal(came[0])


@contextmanager
def keeping_handlers() -> Iterator[list[signal.Signals]]:
    """Give signals back, at the end of the block, to who heard them before; yield those signals.

    Outside the main thread, where nobody can take them, there are none.
    """
    is_main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in SIGNALS if is_main}
    kept = {number: handler for number, handler in handlers.items() if handler is not None}
    try:
        yield list(kept)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def starting_workers() -> Iterator[None]:
    """Let processes that start in the block be born deaf, until they :func:`obey_parent`.

    Else Ctrl-C would meet them while they load what they need, and each would say so.
    """
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its own start would end the silence
    with holding_signals(), _deaf_children():
        yield


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Block signals in this thread: processes and threads that it starts are born so."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def obey_parent(on_interrupt: Callable[..., Any] | signal.Handlers = signal.SIG_IGN) -> None:
    """Make a process that works for another one end with it, and hear Ctrl-C as it should.

    Args:
        on_interrupt: what it does on SIGINT; nothing, if its parent ends it by SIGTERM.
    """
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, on_interrupt)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    if parent := parent_process():
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """Wait until a process has ended, then end this one at once."""
    from multiprocessing.connection import wait

    wait([sentinel])
    os._exit(1)
