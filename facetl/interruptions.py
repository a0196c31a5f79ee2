"""Interruptions: Ctrl-C (SIGINT) by a person, SIGTERM by a system that shuts down.

Both arrive as a ``KeyboardInterrupt``, so that whatever keeps its work on Ctrl-C keeps it on
SIGTERM; they differ in the exit code, 128 and the signal's number.  Worker processes are stopped
by their parent, and end when it ends, for whatever reason.
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
_REPEAT = 1.0
"""Seconds in which a second signal repeats the first: it shall not disturb the cleaning up."""


class _Terminated(KeyboardInterrupt):
    """The process was sent SIGTERM."""


def exit_code(interruption: KeyboardInterrupt) -> int:
    """Return 143 for SIGTERM, 130 for Ctrl-C."""
    number = signal.SIGTERM if isinstance(interruption, _Terminated) else signal.SIGINT
    return 128 + number


@contextmanager
def catching_signals() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` or ``_Terminated`` if the process is sent a signal.

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
    global _handler
    _handler = handler = _Handler()
    for number in taken:
        signal.signal(number, handler)
    try:
        yield
    finally:
        _handler = None
        for number in taken:
            signal.signal(number, signal.SIG_IGN if handler.received else handlers[number])


@contextmanager
def restoring_interruptions() -> Iterator[None]:
    """Raise the interruption again where compiled code has turned it into another error."""
    try:
        yield
    except Exception:
        if not (_handler and _handler.received):
            raise
        raise _INTERRUPTIONS[_handler.received]() from None


_USUAL = (signal.SIG_DFL, signal.default_int_handler)


_INTERRUPTIONS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: _Terminated}


class _Handler:
    """Raises the interruption of a signal, once for all that come in a moment.

    Attributes:
        received: the signal that came last, if any.  What it raised is not kept: with it would stay
            all that was at work then, until the interpreter is gone.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._time = -float("inf")

    def __call__(self, number: int, frame: object) -> None:
        before, self._time = self._time, time.monotonic()
        if self._time - before > _REPEAT:
            self.received = signal.Signals(number)
            raise _INTERRUPTIONS[self.received]()


_handler: _Handler | None = None
"""The one of the block in which signals are caught."""


@contextmanager
def holding_signals() -> Iterator[None]:
    """Let signals wait until the end of the block.

    They are caught and not blocked, as another thread would take them then.  Outside the main
    thread, which no signal disturbs, nothing changes.
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
    """Restore the handlers of signals at the end of the block; yield those signals.

    Outside the main thread, where handlers cannot be set, there are none.
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
    """Let processes start in the block with signals blocked, until they :func:`end_with_parent`.

    Else Ctrl-C would reach them while they load what they need, and each would print an error.
    """
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its own start would unblock the signals
    with holding_signals(), _blocking_signals():
        yield


@contextmanager
def _blocking_signals() -> Iterator[None]:
    """Block signals in this thread: processes and threads that it starts inherit that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent(on_interrupt: Callable[..., Any] | signal.Handlers = signal.SIG_IGN) -> None:
    """Make a worker process end with its parent, and receive signals.

    Args:
        on_interrupt: what it does on SIGINT; nothing, if its parent stops it by SIGTERM.
    """
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, on_interrupt)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    if parent := parent_process():
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    """Wait until a process has ended, then end this one at once."""
    from multiprocessing.connection import wait

    wait([sentinel])
    os._exit(1)
