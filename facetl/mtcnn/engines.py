"""What does the networks' arithmetic: torch anywhere, or kernels of our own on one processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from facetl.cores import usable_cores
from facetl.errors import InputError
from facetl.mtcnn.native import NativeNetworks, find_kernels
from facetl.mtcnn.networks import Network, Stage
from facetl.mtcnn.sight import Look, Sight, TorchSight

Engine = Literal["torch", "native"]
EngineChoice = Literal["auto", "torch", "native"]


def choose_engine(name: EngineChoice, device: torch.device) -> Engine:
    """Return the engine to use; ``auto`` takes the kernels where they can be had.

    Raises:
        InputError: if the kernels are asked for and cannot be had.
    """
    lacking = why_not_native(device)
    if name == "native" and lacking:
        raise InputError(f"the native engine cannot be had: {lacking}; use --engine torch")
    return "torch" if name == "torch" or lacking else "native"


def why_not_native(device: torch.device) -> str:
    """Return what keeps the kernels from being used on a device; nothing if they can be."""
    if device.type != "cpu":
        return f"it runs on the processor, not on {device.type}"
    return find_kernels().lacking


def build_look(engine: Engine, networks: Mapping[Stage, Network], device: torch.device) -> Look:
    """Return how an engine looks at images with networks that lie on ``device``."""
    if engine == "native":
        return NativeNetworks(networks).look

    def look(pixels: Tensor) -> Sight:
        return TorchSight(pixels.to(device), networks)

    return look


def describe_device(device: torch.device) -> str:
    """Return what a device is and what else is there, for people."""
    if device.type == "cuda":
        return f"cuda, {torch.cuda.get_device_name(device)}"
    gpu = "a CUDA device is there" if torch.cuda.is_available() else "no CUDA device"
    return f"cpu with {torch.backends.cpu.get_cpu_capability()} instructions; {gpu}"


def describe_engine(device: torch.device) -> str:
    """Return which engine ``auto`` takes on a device and why, for people."""
    lacking = why_not_native(device)
    return f"torch: {lacking}" if lacking else f"native, compiled for {find_kernels().build}"


def describe_threads() -> str:
    """Return what is done side by side, for people."""
    return (
        f"{usable_cores()} cores: as many frames side by side, one thread each; "
        f"training uses {torch.get_num_threads()} threads"
    )
