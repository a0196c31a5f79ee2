"""The machine that networks are trained on: threads, precision, memory, torch's caches."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from tempfile import TemporaryDirectory

import torch

from facetl.mtcnn.stages import Stage

_CACHES = "TORCHINDUCTOR_CACHE_DIR"
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # glibc's malloc.h
_LARGEST_INT = 2**31 - 1
_PADDING = 128 * 2**20


@contextmanager
def own_caches() -> Iterator[None]:
    """Give torch's compiler a folder of its own over the block, which goes again.

    Torch's optimisers load the compiler, and that makes a folder for its
    caches: by default one in the common temporary folder, by a name that anybody can take before.
    Nothing of facetl is compiled.
    """
    if _CACHES in os.environ:
        yield
        return
    with TemporaryDirectory() as folder:
        os.environ[_CACHES] = folder
        try:
            yield
        finally:
            os.environ.pop(_CACHES, None)


@contextmanager
def keeping_threads(count: int | None = None) -> Iterator[None]:
    """Give torch as many threads after the block as it had before; in it ``count``, if given."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def mixed_precision(stage: Stage, device: torch.device) -> torch.autocast:
    """Compute RNet and ONet in bfloat16 where that is faster; weights and losses stay in 32 bits.

    PNet, the smallest, gains nothing by it.
    """
    able = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=able and stage != "pnet")


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
