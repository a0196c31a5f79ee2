"""Keep the memory of freed tensors instead of giving it back to the system between two steps."""

from __future__ import annotations

import ctypes
from functools import cache

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # glibc's malloc.h
_LARGEST_INT = 2**31 - 1
_PADDING = 128 * 2**20


@cache
def keep_freed_memory() -> bool:
    """Have glibc keep freed memory for this process; return whether it does.

    A training step frees and allocates the same large tensors as the step before.  By default
    glibc returns them to the system, which hands them out again page by page, each filled with
    zeros: a third of the time of ONet's steps.  Elsewhere than with glibc nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    settings = {_MMAP_MAX: 0, _TRIM_THRESHOLD: _LARGEST_INT, _TOP_PAD: _PADDING}
    return all(mallopt(parameter, value) for parameter, value in settings.items())
