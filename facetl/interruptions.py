"""Being told to stop: Ctrl-C (SIGINT) by a person, SIGTERM by a system that shuts down.

Both arrive as a ``KeyboardInterrupt``, so that whatever keeps its work on Ctrl-C keeps it on
SIGTERM; they differ in the exit code, 128 and the signal's number.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """The process was sent SIGTERM."""


def exit_code(interruption: KeyboardInterrupt) -> int:
    """Return 143 for SIGTERM, 130 for Ctrl-C."""
    number = signal.SIGTERM if isinstance(interruption, Terminated) else signal.SIGINT
    return 128 + number


@contextmanager
def heeding_sigterm() -> Iterator[None]:
    """Raise :class:`Terminated` in the main thread if SIGTERM arrives in the block.

    Outside the main thread, where signals cannot be caught, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise_terminated(*_: object) -> None:
    raise Terminated
