"""What does the networks' arithmetic: one table of engines, each in a module of its own.

An engine is an object with the attributes of :class:`Engine`.  Nothing heavy is loaded before an
engine is asked for, so that the command line can name them all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from facetl.errors import InputError, say_not_installed

if TYPE_CHECKING:
    from facetl.mtcnn.backend import BackendFactory
    from facetl.mtcnn.weights import Weights

ENGINES = {
    "native": "facetl.mtcnn.native:NATIVE",
    "half": "facetl.mtcnn.native:HALF",
    "onnx": "facetl.mtcnn.onnx_backend:ONNX",
    "torch": "facetl.mtcnn.torch_backend:TORCH",
}
"""Where the engines lie, ``module:object``, by name."""
DEVICES = ("auto", "cpu", "cuda", "mps")
"""Devices that can be asked for: ``cuda`` is an NVIDIA GPU, ``mps`` an Apple one."""
AUTO_ENGINE = "auto"
"""The name that stands for the first of ``PREFERRED`` that can be had."""
_PREFERRED = ("native", "onnx", "torch")


class Engine(Protocol):
    """A way to do the networks' arithmetic."""

    @property
    def exact(self) -> bool:
        """Whether its boxes are those of torch."""

    def why_not(self, device: str) -> str:
        """Return what keeps it from being used on a device; nothing if it can be."""

    def describe(self) -> str:
        """Return what it is, in words that follow its name; nothing if the name says it."""

    def prepare(self, weights: Weights, device: str) -> BackendFactory:
        """Return what it makes of images, with the weights of all stages and on ``device``."""


def engine_names() -> tuple[str, ...]:
    """Return all that can be asked for."""
    return (AUTO_ENGINE, *ENGINES)


def load_engine(name: str) -> Engine:
    """Return the engine of a name; ``auto`` is none."""
    module, _, attribute = ENGINES[name].partition(":")
    return cast("Engine", getattr(import_module(module), attribute))


def choose_engine(name: str, device: str) -> str:
    """Return the name of the engine to use; ``auto`` is the first exact one that can be had.

    Raises:
        InputError: if the engine does not exist, or cannot be had.
    """
    if name not in engine_names():
        raise InputError(f"found engine {name!r}, expected one of {engine_names()}")
    if name == AUTO_ENGINE:
        reasons = {}
        for each in _PREFERRED:  # one after the other, for torch takes seconds to load
            if not (reason := why_not(each, device)):
                return each
            reasons[each] = reason
        told = "; ".join(f"{each}: {reason}" for each, reason in reasons.items())
        raise InputError(f"found no engine that works here ({told}); install one of them")
    if lacking := why_not(name, device):
        raise InputError(f"the {name} engine cannot be had: {lacking}; use --engine auto")
    return name


def why_not(name: str, device: str) -> str:
    """Return what keeps an engine from being used on a device; nothing if it can be."""
    try:
        return load_engine(name).why_not(device)
    except ImportError as error:
        return say_not_installed(error.name or name, "it")


def describe_engine(device: str) -> str:
    """Return which engine ``auto`` takes on a device and why, for people."""
    if lacking := why_not("native", device):
        return f"{choose_engine(AUTO_ENGINE, device)}: {lacking}"
    no_half = why_not("half", device)
    half = f"half cannot be had: {no_half}" if no_half else "half can be had"
    return f"native, {load_engine('native').describe()}; {half}"
