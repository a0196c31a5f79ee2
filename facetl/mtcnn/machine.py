"""The machine that networks run on: devices, threads, and where torch keeps its caches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import torch

from facetl.cores import usable_cores
from facetl.mtcnn.engines import choose_engine, engine_names

_CACHES = "TORCHINDUCTOR_CACHE_DIR"


def describe_device(device: torch.device) -> str:
    """Return what a device is and what else is there, for people."""
    if device.type == "cuda":
        return f"cuda, {torch.cuda.get_device_name(device)}"
    gpu = "a CUDA device is there" if torch.cuda.is_available() else "no CUDA device"
    return f"cpu with {torch.backends.cpu.get_cpu_capability()} instructions; {gpu}"


def describe_threads() -> str:
    """Return what is done side by side, for people."""
    return (
        f"{usable_cores()} cores: as many frames side by side, one thread each; "
        f"training uses {torch.get_num_threads()} threads"
    )


def describe_machine(device: torch.device, engine: str | None) -> dict[str, str | int]:
    """Return what results depend on, bit for bit, besides settings, inputs and versions.

    Args:
        device: where the networks run.
        engine: what was asked for to search frames; None where there is no choice.
    """
    gpu = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    facts: dict[str, str | int] = {
        "device": f"{device.type}{gpu}",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }
    if engine is None:
        return facts
    chosen = choose_engine(engine, device) if engine in engine_names() else engine
    return {**facts, "engine": chosen}


@contextmanager
def own_caches() -> Iterator[None]:
    """Give torch's compiler a folder of its own over the block, which goes again.

    Torch's optimisers and its ONNX export load the compiler, and that makes a folder for its
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
