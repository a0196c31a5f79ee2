"""What does the networks' arithmetic: one table of engines, each in a module of its own.

An engine is an object with the attributes of :class:`Engine`.  Nothing heavy is loaded before an
engine is asked for, so that the command line can name them all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from facetl.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from facetl.mtcnn.backend import BackendFactory
    from facetl.mtcnn.networks import Network
    from facetl.mtcnn.stages import Stage

ENGINES = {
    "torch": "facetl.mtcnn.backend:TORCH",
    "native": "facetl.mtcnn.native:NATIVE",
    "half": "facetl.mtcnn.native:HALF",
}
"""Where the engines lie, ``module:object``, by name."""
AUTO_ENGINE = "auto"
"""The name that stands for the first of ``PREFERRED`` that can be had."""
_PREFERRED = ("native", "torch")


class Engine(Protocol):
    """A way to do the networks' arithmetic."""

    @property
    def exact(self) -> bool:
        """Whether its boxes are those of torch."""

    def why_not(self, device: torch.device) -> str:
        """Return what keeps it from being used on a device; nothing if it can be."""

    def describe(self) -> str:
        """Return what it is, in words that follow its name; nothing if the name says it."""

    def prepare(self, networks: Mapping[Stage, Network], device: torch.device) -> BackendFactory:
        """Return what it makes of images, with networks that lie on ``device``."""


def engine_names() -> tuple[str, ...]:
    """Return all that can be asked for."""
    return (AUTO_ENGINE, *ENGINES)


def load_engine(name: str) -> Engine:
    """Return the engine of a name; ``auto`` is none."""
    module, _, attribute = ENGINES[name].partition(":")
    return cast("Engine", getattr(import_module(module), attribute))


def choose_engine(name: str, device: torch.device) -> str:
    """Return the name of the engine to use; ``auto`` takes the exact kernels where there are any.

    Raises:
        InputError: if the engine does not exist, or cannot be had.
    """
    if name not in engine_names():
        raise InputError(f"found engine {name!r}, expected one of {engine_names()}")
    if name == AUTO_ENGINE:
        return next(each for each in _PREFERRED if not why_not(each, device))
    if lacking := why_not(name, device):
        raise InputError(f"the {name} engine cannot be had: {lacking}; use --engine auto")
    return name


def why_not(name: str, device: torch.device) -> str:
    """Return what keeps an engine from being used on a device; nothing if it can be."""
    return load_engine(name).why_not(device)


def describe_engine(device: torch.device) -> str:
    """Return which engine ``auto`` takes on a device and why, for people."""
    if lacking := why_not("native", device):
        return f"torch: {lacking}"
    no_half = why_not("half", device)
    half = f"half cannot be had: {no_half}" if no_half else "half can be had"
    return f"native, {load_engine('native').describe()}; {half}"
