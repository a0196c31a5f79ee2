"""Where networks can run, and what results depend on there."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from importlib.util import find_spec

from facetl.cores import usable_cores
from facetl.data.interop import import_library
from facetl.errors import InputError
from facetl.mtcnn.engines import DEVICES, choose_engine, engine_names
from facetl.mtcnn.native import instructions

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def choose_device(name: str) -> str:
    """Return the device to use; ``auto`` is ``cuda`` where there is one, ``cpu`` elsewhere.

    Raises:
        InputError: if there is no such device here, or torch, which it takes, is not installed.
    """
    if name not in DEVICES:
        raise InputError(f"found device {name!r}; choose one of {', '.join(DEVICES)}")
    if name == "auto":
        return "cuda" if _has_driver() and find_spec("torch") and _is_there("cuda") else "cpu"
    if name != "cpu" and not _is_there(name):
        raise InputError(f"found no {name.upper()} device; use --device cpu")
    return name


def _has_driver() -> bool:
    """Return whether NVIDIA's driver is installed; torch, which knows all, takes long to load."""
    if "torch" in sys.modules:
        return True
    with suppress(OSError):
        ctypes.CDLL(_DRIVER)
        return True
    return False


def _is_there(name: str) -> bool:
    """Return whether torch finds a device.

    Raises:
        InputError: if torch is not installed.
    """
    torch = import_library("torch", f"the device {name}")
    backend = torch.cuda if name == "cuda" else torch.backends.mps
    return bool(backend.is_available())


def describe_device(device: str) -> str:
    """Return what a device is and what else is there, for people."""
    if device != "cpu":
        return f"{device}{_model_of(device)}"
    gpu = "a CUDA device is there" if choose_device("auto") == "cuda" else "no CUDA device"
    return f"cpu with {instructions()} instructions; {gpu}"


def describe_threads() -> str:
    """Return what is done side by side, for people."""
    return (
        f"{usable_cores()} cores: as many images side by side, one thread each, or all on one "
        f"image; training uses {_torch_threads()} threads"
    )


def describe_machine(device: str, engine: str | None) -> dict[str, str | int]:
    """Return what results depend on, bit for bit, besides settings, inputs and versions.

    Args:
        device: where the networks run.
        engine: what was asked for to search frames; None where there is no choice.
    """
    facts: dict[str, str | int] = {
        "device": f"{device}{_model_of(device)}",
        "instructions": instructions(),
        "threads": _torch_threads(),
    }
    if engine is None:
        return facts
    chosen = choose_engine(engine, device) if engine in engine_names() else engine
    return {**facts, "engine": chosen}


def _torch_threads() -> int:
    """Return how many threads torch uses; where it is not loaded, as many as there are cores."""
    torch = sys.modules.get("torch")
    return usable_cores() if torch is None else int(torch.get_num_threads())


def _model_of(device: str) -> str:
    """Return which GPU a device is, after a comma; nothing where torch does not tell."""
    if device != "cuda":
        return ""
    import torch

    return f", {torch.cuda.get_device_name(device)}"
