"""Threads that share one image change no bit of what the kernels find."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from engines import needs_half, needs_kernels, random_weights
from numpy.typing import NDArray

from facetl.mtcnn.backend import Cells, WindowOutputs
from facetl.mtcnn.geometry import pyramid_scales
from facetl.mtcnn.native import _NativeNetworks
from facetl.mtcnn.stages import Stage
from facetl.mtcnn.weights import Weights

pytestmark = [pytest.mark.slow, needs_kernels]

THREADS = (2, 3, 7)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return random_weights(2)


def image_of(height: int, width: int) -> NDArray[np.uint8]:
    chance = np.random.default_rng(height * width)
    return chance.integers(0, 256, (1, height, width, 3), dtype=np.uint8)


def bits(outputs: Cells | WindowOutputs) -> list[NDArray[np.generic]]:
    return [np.asarray(column) for column in outputs]


def assert_same_bits(found: Cells | WindowOutputs, expected: Cells | WindowOutputs) -> None:
    for own, other in zip(bits(found), bits(expected), strict=True):
        np.testing.assert_array_equal(own, other)


def compare_scans(
    kernels: _NativeNetworks, pixels: NDArray[np.uint8], scales: Sequence[float], border: int
) -> int:
    """Compare the cells that pass, about half, with those of one thread; return their number."""
    every = kernels.backend(pixels).scan_pyramid(scales, border, 0.0)
    threshold = float(np.median(every.scores))
    expected = kernels.backend(pixels).scan_pyramid(scales, border, threshold)
    for threads in THREADS:
        found = kernels.backend(pixels, threads).scan_pyramid(scales, border, threshold)
        assert_same_bits(found, expected)
    return len(expected.scores)


@pytest.mark.parametrize("border", [0, 6])
@pytest.mark.parametrize("size", [(12, 12), (13, 47), (97, 31), (241, 323), (480, 641)])
def test_bands_of_rows_change_no_bit(weights: Weights, size: tuple[int, int], border: int) -> None:
    scales = pyramid_scales(size, 12, 0.709)
    assert compare_scans(_NativeNetworks(weights), image_of(*size), scales, border)


def test_bands_of_a_large_image_change_no_bit(weights: Weights) -> None:
    size = (3000, 4000)
    scales = pyramid_scales(size, 20, 0.709)
    assert compare_scans(_NativeNetworks(weights), image_of(*size), scales, 6) > 10_000


@needs_half
def test_bands_change_no_bit_in_half_precision(weights: Weights) -> None:
    scales = pyramid_scales((240, 320), 12, 0.709)
    assert compare_scans(_NativeNetworks(weights, half=True), image_of(240, 320), scales, 6)


@pytest.mark.parametrize("stage", ["rnet", "onet"])
@pytest.mark.parametrize("count", [0, 1, 12, 13, 100])
def test_windows_shared_out_change_no_bit(weights: Weights, stage: Stage, count: int) -> None:
    chance = np.random.default_rng(count)
    corners = chance.integers(-20, 100, (count, 2))
    windows = np.hstack([corners, corners + chance.integers(1, 90, (count, 2))])
    index, kernels = np.zeros(count, np.int64), _NativeNetworks(weights)
    pixels = image_of(120, 130)
    expected = kernels.backend(pixels).classify(stage, windows, index)
    for threads in THREADS:
        assert_same_bits(kernels.backend(pixels, threads).classify(stage, windows, index), expected)


def test_images_shared_out_at_the_same_time(weights: Weights) -> None:
    """As a program does that searches each image on several threads from threads of its own."""
    kernels, pixels = _NativeNetworks(weights), image_of(200, 300)
    expected = kernels.backend(pixels).scan_pyramid([0.6, 0.4], 6, 0.4)
    with ThreadPoolExecutor(4) as pool:
        scans = [
            pool.submit(kernels.backend(pixels, 3).scan_pyramid, [0.6, 0.4], 6, 0.4)
            for _ in range(20)
        ]
    assert len(expected.scores)
    for each in scans:
        assert_same_bits(each.result(), expected)


SHORT_OF_MEMORY = """
import resource, sys
import numpy as np
from facetl.mtcnn.native import _NativeNetworks
from facetl.mtcnn.weights import load_weights

kernels = _NativeNetworks(load_weights("cartoon"))
pixels = np.zeros((1, 30, 4_000_000, 3), np.uint8)
backend = kernels.backend(pixels, 2)
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 1_000_000_000, -1))
try:
    backend.scan_pyramid([1.0], 0, 0.9)
except MemoryError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_too_little_memory_in_a_thread_is_an_error_of_python() -> None:
    command = [sys.executable, "-c", SHORT_OF_MEMORY]
    done = subprocess.run(command, capture_output=True, text=True)
    expected = "no room for 1 levels of an image of (30, 4000000)\n"
    assert (done.returncode, done.stderr) == (1, expected)
