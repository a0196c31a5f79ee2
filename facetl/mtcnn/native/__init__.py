"""The networks in C++: the same outputs as torch's, several times faster on one core.

The kernels are compiled when facetl is installed (``setup.py``), once for AVX2 and once for
AVX-512, or for NEON; where there was no compiler, or the processor has none of these,
onnxruntime does the work.  A third build, for processors with AVX-512 products of bfloat16, is
faster still and rounds maps and weights to three digits: boxes move by a fraction of a pixel.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facetl.mtcnn.backend import BackendFactory, Cells, WindowOutputs
from facetl.mtcnn.geometry import PNET_WINDOW, level_size
from facetl.mtcnn.layers import ONET_FEATURES, output_count
from facetl.mtcnn.stages import Stage
from facetl.mtcnn.weights import Weights

_MACHINES = {"x86_64": "x86", "AMD64": "x86", "aarch64": "arm", "arm64": "arm"}
_EXACT = {"x86": ("avx512", "avx2"), "arm": ("neon",)}
"""Builds by processor, the best first."""
_HALF = {"x86": ("bfloat16",)}
_HELD_BACK: dict[str, tuple[str, ...]] = {"avx2": ("avx2", "neon"), "default": ()}
"""The builds that torch's environment variable ``ATEN_CPU_CAPABILITY`` leaves, by its value."""
_NEEDS = {
    "avx512": "the processor has no AVX-512",
    "avx2": "the processor has neither AVX2 nor AVX-512",
    "neon": "the processor has no NEON",
    "bfloat16": "the processor has no AVX-512 products of bfloat16",
}
"""What is missing where a build does not run."""

INTERFACE = 5
"""Counts changes of what the kernels take and give; ``kernels.cpp`` has the same number."""

_CELL = 7  # numbers: column, row, score, four offsets


@dataclass(frozen=True)
class _Kernels:
    """The compiled kernels that this processor can run, or what they are lacking for."""

    library: ctypes.CDLL | None = None
    build: str = ""
    lacking: str = ""


@cache
def _find_kernels(*, half: bool = False) -> _Kernels:
    """Return the fastest kernels that this processor runs, exact ones or those of half precision.

    Torch's environment variable ``ATEN_CPU_CAPABILITY`` (``avx2``, ``default``) holds back these
    kernels as well.
    """
    wanted = (_HALF if half else _EXACT).get(_MACHINES.get(platform.machine(), ""), ())
    if not wanted:
        reason = _NEEDS["bfloat16"] if half else f"none are known for {platform.machine()}"
        return _Kernels(lacking=reason)
    held_back = os.environ.get("ATEN_CPU_CAPABILITY", "")
    builds = [build for build in wanted if build in _HELD_BACK.get(held_back, wanted)]
    if not builds:
        return _Kernels(lacking=f"{_NEEDS[wanted[-1]]} (ATEN_CPU_CAPABILITY is {held_back})")
    lacking = f"no kernels were built when facetl was installed ({_why_not_built()})"
    for build in builds:
        for path in sorted(Path(__file__).parent.glob(f"_{build}.*")):
            kernels = _load_kernels(build, path)
            if kernels.library is not None:
                return kernels
            lacking = kernels.lacking
    return _Kernels(lacking=lacking)


def _why_not_built() -> str:
    """Return the first line that the build left of what went wrong."""
    log = Path(__file__).with_name("build.log")
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return lines[0] if lines else "is there a C++ compiler?"


def _load_kernels(build: str, path: Path) -> _Kernels:
    """Return the kernels in a file, if they are of this version and the processor runs them."""
    try:
        library = ctypes.CDLL(str(path))
        interface = library.facetl_interface()
    except (OSError, AttributeError) as error:
        return _Kernels(lacking=f"{path} cannot be loaded ({error}); install facetl again")
    if interface != INTERFACE:
        return _Kernels(lacking=f"{path} belongs to another version; install facetl again")
    if not library.facetl_runs():
        return _Kernels(lacking=_NEEDS[build])
    library.facetl_load.restype = ctypes.c_void_p
    library.facetl_scan.restype = ctypes.c_long
    return _Kernels(library, build)


def suppress_ranked(
    boxes: NDArray[np.float64], order: NDArray[np.intp], threshold: float, *, nested: bool
) -> NDArray[np.intp] | None:
    """Return the rows of (N, 4) boxes that greedy NMS keeps; nothing where there are no kernels.

    To the bit what :mod:`facetl.mtcnn.nms` computes with numpy.

    Args:
        boxes: finite or not.
        order: (N,) rows, best score first.
        threshold: overlap, 0 or more, above which a box goes.
        nested: whether the overlap is the share of the smaller box, instead of IoU.
    """
    library = _find_kernels().library
    if library is None:
        return None
    boxes, keep = np.ascontiguousarray(boxes), np.empty_like(order)
    count = library.facetl_suppress(
        _address(boxes), _address(order), len(order), int(nested), ctypes.c_double(threshold),
        _address(keep),
    )  # fmt: skip
    if count < 0:
        raise MemoryError(f"no room for {len(order)} boxes")
    return keep[:count]


class Pooling(ctypes.Structure):
    """Maps of (count, height, width, channels) and the windows that are pooled, in training.

    Attributes:
        channels: 16 or more, so that they fill a vector.
        kernel: pixels of a window, each way, 2 or 3; windows are 2 pixels apart.
        rows, columns: of windows; the last may end beyond the maps.
    """

    _fields_ = tuple(
        (name, ctypes.c_int)
        for name in ("count", "height", "width", "channels", "kernel", "rows", "columns")
    )

    def pool(self, *addresses: int, half: bool, threads: int) -> None:
        """Find the maxima after the activation.

        Args:
            addresses: of the maps, the slopes, the maxima and their places.
            half: whether maps and maxima are bfloat16, instead of 32-bit floats.
            threads: that share the work.
        """
        self._call("facetl_pool", addresses, half, threads)

    def pool_backward(self, *addresses: int, half: bool, threads: int) -> None:
        """Give the gradients of the maxima back to the maps.

        Args:
            addresses: of the maps, the slopes, the maxima's gradients, their places, the gradients
                of the maps, and those of the slopes by map.
            half: as it was.
            threads: that share the work.
        """
        self._call("facetl_pool_backward", addresses, half, threads)

    def _call(self, name: str, addresses: Sequence[int], half: bool, threads: int) -> None:
        function = getattr(_find_kernels().library, name)
        given = (int(half), threads, _find_team(), *map(ctypes.c_void_p, addresses))
        if function(ctypes.byref(self), *given):
            raise MemoryError("no room for a step of training")


@cache
def _find_team() -> ctypes.c_void_p:
    """Return the function that starts torch's own threads, or nothing if they are not OpenMP's."""
    folder = Path(sys.modules["torch"].__file__ or "").parent
    found = [*folder.glob("lib/libgomp*"), *folder.parent.glob("torch.libs/libgomp*")]
    if not found:
        return ctypes.c_void_p()
    return ctypes.cast(ctypes.CDLL(str(found[0])).GOMP_parallel, ctypes.c_void_p)


def instructions() -> str:
    """Return the widest instructions that the kernels use here, by the name torch has for them."""
    return _find_kernels().build.upper() or "DEFAULT"


class _NativeNetworks:
    """The three networks of one set of weights, packed for the kernels.

    The weights are copied.
    """

    def __init__(self, weights: Weights, *, half: bool = False) -> None:
        """Pack the weights of all three stages; ``half``: in half precision.

        Raises:
            RuntimeError: if there are no kernels for it.
        """
        kernels = _find_kernels(half=half)
        if kernels.library is None:
            raise RuntimeError(kernels.lacking)
        self.library = kernels.library
        arrays = [array for state in weights.stages.values() for array in state.values()]
        addresses = (ctypes.c_void_p * len(arrays))(*(each.ctypes.data for each in arrays))
        handle = self.library.facetl_load(addresses)
        if not handle:
            raise MemoryError("no room for the weights")
        self.handle = ctypes.c_void_p(handle)

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            self.library.facetl_free(self.handle)

    def backend(self, pixels: NDArray[np.uint8], threads: int = 1) -> _NativeBackend:
        """Take (B, H, W, 3) images and return how they are seen.

        Args:
            pixels: of the images.
            threads: that share each image; they change no bit of what is found.
        """
        return _NativeBackend(self, pixels, threads)


class _NativeBackend:
    """The kernels on images, one after the other (see :class:`facetl.mtcnn.backend.Backend`)."""

    def __init__(
        self, networks: _NativeNetworks, pixels: NDArray[np.uint8], threads: int = 1
    ) -> None:
        self._networks = networks
        self._threads = threads
        self._images = np.ascontiguousarray(pixels)
        self.count, height, width, _ = self._images.shape
        self.size_hw = (height, width)

    def scan_pyramid(self, scales: Sequence[float], border: int, threshold: float) -> Cells:
        """Return PNet's cells that pass on the levels of a pyramid."""
        sizes = np.array([level_size(self.size_hw, scale) for scale in scales], np.int32)
        found, counts = zip(
            *(self._scan_image(image, sizes, border, threshold) for image in self._images),
            strict=True,
        )
        cells, per_map = np.concatenate(found), np.concatenate(counts)
        map_index = np.repeat(np.arange(len(per_map)), per_map)
        image_index, level = map_index // len(sizes), map_index % len(sizes)
        return Cells(cells[:, :2], cells[:, 2], cells[:, 3:], image_index, level)

    def classify(
        self, stage: Stage, windows: NDArray[np.int64], image_index: NDArray[np.int64]
    ) -> WindowOutputs:
        """Return what RNet or ONet gives for windows of whole pixels."""
        outputs = np.empty((len(windows), output_count(stage)), np.float32)
        for number, image in enumerate(self._images):
            rows = np.flatnonzero(image_index == number)
            outputs[rows] = self._classify_windows(
                stage, image, np.ascontiguousarray(windows[rows], dtype=np.int64)
            )
        return WindowOutputs(outputs[:, 0], outputs[:, 1:5], outputs[:, 5:])

    def describe(
        self, windows: NDArray[np.int64], image_index: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the features of windows of whole pixels."""
        features = np.empty((len(windows), ONET_FEATURES), np.float32)
        for number, image in enumerate(self._images):
            rows = np.flatnonzero(image_index == number)
            shown = np.ascontiguousarray(windows[rows], dtype=np.int64)
            found = np.empty((len(rows), ONET_FEATURES), np.float32)
            failed = self._networks.library.facetl_describe(
                self._networks.handle, _address(image), *self.size_hw, _address(shown), len(rows),
                _address(found),
            )  # fmt: skip
            if failed:
                raise MemoryError(f"no room for {len(rows)} windows")
            features[rows] = found
        return features

    def _scan_image(
        self, image: NDArray[np.uint8], sizes: NDArray[np.int32], border: int, threshold: float
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return (N, 7): column, row, score and offsets of cells that pass; how many per level."""
        maps = np.maximum(sizes.astype(np.int64) + 2 * border - PNET_WINDOW, 0) // 2 + 2
        cells = np.empty((int(maps.prod(axis=1).sum()), _CELL), np.float32)
        counts = np.empty(len(sizes), np.int32)
        count = self._networks.library.facetl_scan(
            self._networks.handle, _address(image), *self.size_hw, _address(sizes), len(sizes),
            border, ctypes.c_float(threshold), self._threads, ctypes.c_long(len(cells)),
            _address(cells), _address(counts),
        )  # fmt: skip
        if count < 0:
            raise MemoryError(f"no room for {len(sizes)} levels of an image of {self.size_hw}")
        return cells[:count], counts

    def _classify_windows(
        self, stage: Stage, image: NDArray[np.uint8], windows: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return (N, 5 or 15): score, offsets and landmarks of (N, 4) windows of one image."""
        outputs = np.empty((len(windows), output_count(stage)), np.float32)
        failed = self._networks.library.facetl_judge(
            self._networks.handle, int(stage == "onet"), _address(image), *self.size_hw,
            _address(windows), len(windows), self._threads, _address(outputs),
        )  # fmt: skip
        if failed:
            raise MemoryError(f"no room for {len(windows)} windows")
        return outputs


class _NativeEngine:
    """The kernels, or those of half precision (see :class:`facetl.mtcnn.engines.Engine`)."""

    def __init__(self, *, half: bool) -> None:
        self.exact = not half

    def why_not(self, device: str) -> str:
        """Return what keeps the kernels from being used on a device; nothing if they can be."""
        if device != "cpu":
            return f"the kernels run on the processor, not on {device}"
        return _find_kernels(half=not self.exact).lacking

    def describe(self) -> str:
        """Return what the kernels were compiled for."""
        return f"compiled for {_find_kernels(half=not self.exact).build}"

    def prepare(self, weights: Weights, device: str) -> BackendFactory:
        """Return what the kernels make of images."""
        return _NativeNetworks(weights, half=not self.exact).backend


NATIVE, HALF = _NativeEngine(half=False), _NativeEngine(half=True)


def _address(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
