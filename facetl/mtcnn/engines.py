"""What does the networks' arithmetic: torch anywhere, or kernels of our own on the processor.

The kernels come twice: exact, at the same boxes as torch, and in half precision.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Literal, get_args

import torch
from torch import Tensor

from facetl.cores import usable_cores
from facetl.errors import InputError
from facetl.mtcnn.backend import Backend, BackendFactory, TorchBackend
from facetl.mtcnn.native import NativeNetworks, find_kernels
from facetl.mtcnn.networks import Network, Stage

Engine = Literal["torch", "native", "half"]
EngineChoice = Literal["auto", "torch", "native", "half"]

_CACHES = "TORCHINDUCTOR_CACHE_DIR"


def choose_engine(name: EngineChoice, device: torch.device) -> Engine:
    """Return the engine to use; ``auto`` takes the exact kernels where they can be had.

    Raises:
        InputError: if kernels are asked for and cannot be had.
    """
    if name not in get_args(EngineChoice):
        raise InputError(f"found engine {name!r}, expected one of {get_args(EngineChoice)}")
    if name == "auto":
        return "torch" if why_not_native(device) else "native"
    lacking = "" if name == "torch" else why_not_native(device, half=name == "half")
    if lacking:
        raise InputError(f"the {name} engine cannot be had: {lacking}; use --engine auto")
    return name


def why_not_native(device: torch.device, *, half: bool = False) -> str:
    """Return what keeps the kernels from being used on a device; nothing if they can be."""
    if device.type != "cpu":
        return f"the kernels run on the processor, not on {device.type}"
    return find_kernels(half=half).lacking


def build_backend(
    engine: Engine, networks: Mapping[Stage, Network], device: torch.device
) -> BackendFactory:
    """Return what an engine makes of images, with networks that lie on ``device``."""
    if engine != "torch":
        return NativeNetworks(networks, half=engine == "half").backend

    def backend(pixels: Tensor) -> Backend:
        return TorchBackend(pixels.to(device), networks)

    return backend


def describe_device(device: torch.device) -> str:
    """Return what a device is and what else is there, for people."""
    if device.type == "cuda":
        return f"cuda, {torch.cuda.get_device_name(device)}"
    gpu = "a CUDA device is there" if torch.cuda.is_available() else "no CUDA device"
    return f"cpu with {torch.backends.cpu.get_cpu_capability()} instructions; {gpu}"


def describe_engine(device: torch.device) -> str:
    """Return which engine ``auto`` takes on a device and why, for people."""
    lacking = why_not_native(device)
    if lacking:
        return f"torch: {lacking}"
    no_half = why_not_native(device, half=True)
    half = f"half cannot be had: {no_half}" if no_half else "half can be had"
    return f"native, compiled for {find_kernels().build}; {half}"


def describe_threads() -> str:
    """Return what is done side by side, for people."""
    return (
        f"{usable_cores()} cores: as many frames side by side, one thread each; "
        f"training uses {torch.get_num_threads()} threads"
    )


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


def tell_machine(device: torch.device, engine: str | None) -> dict[str, str | int]:
    """Return what results depend on, bit for bit, besides settings, inputs and versions.

    Args:
        device: where the networks run.
        engine: what was asked for to search frames; None where there is no choice.
    """
    gpu = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    told: dict[str, str | int] = {
        "device": f"{device.type}{gpu}",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }
    if engine is None:
        return told
    known = next((each for each in get_args(EngineChoice) if each == engine), None)
    return {**told, "engine": choose_engine(known, device) if known else engine}
