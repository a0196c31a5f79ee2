"""Builds of the kernels on processors that this machine does not have, as qemu emulates them."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
from engines import needs_kernels, random_weights
from numpy.typing import NDArray

from facetl.mtcnn import native
from facetl.mtcnn.geometry import level_size
from facetl.mtcnn.native import _NativeNetworks, suppress_ranked
from facetl.mtcnn.stages import STAGES
from facetl.mtcnn.weights import Weights

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [name for name in programs if not which(name)]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} missing")


@needs_kernels
@needs("g++", "qemu-x86_64")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the builds are for another processor")
@pytest.mark.parametrize(("processor", "able"), [("Nehalem", set()), ("Haswell", {"avx2"})])
def test_a_build_says_whether_it_runs_before_it_uses_what_it_needs(
    processor: str, able: set[str], tmp_path: Path
) -> None:
    """A build that used AVX while it is loaded would end the process."""
    paths = sorted(Path(native.__file__).parent.glob("_*.so"))
    run("g++", HERE / "kernel_probe.cpp", "-o", tmp_path / "probe", "-ldl")
    said = run("qemu-x86_64", "-cpu", processor, tmp_path / "probe", *paths).split()
    names = [path.name.split(".")[0].lstrip("_") for path in paths]
    assert {name for name, runs in zip(names, said, strict=True) if runs == "1"} == able


SCALES, BORDER = (0.9, 0.6), 6
WINDOWS = np.array([[x, x // 2, x + 31 + x // 3, x + 25] for x in range(-20, 80, 5)])


@needs_kernels
@needs("aarch64-linux-gnu-g++", "qemu-aarch64")
def test_kernels_for_arm_answer_as_those_for_this_processor(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    weights = random_weights(3)
    image = chance.integers(0, 256, (61, 83, 3), dtype=np.uint8)
    (tmp_path / "input").write_bytes(pack_input(weights, image))
    compiler = ["aarch64-linux-gnu-g++", "-O2", "-std=c++17", "-static", "-pthread"]
    run(*compiler, HERE / "kernel_runner.cpp", "-o", tmp_path / "runner")
    run("qemu-aarch64", tmp_path / "runner", tmp_path / "input", tmp_path / "output")
    found = np.fromfile(tmp_path / "output", np.float32)
    expected = expect_output(_NativeNetworks(weights), image[None])
    assert found[0] > 200
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-4)


def pooled(image: NDArray[np.uint8], *, half: bool) -> list[NDArray[Any]]:
    """Return maxima, places and gradients of what ``kernel_runner.cpp`` takes for maps."""
    how = native.Pooling(1, 61, 14, 17, 3, 30, 7)
    shape, few = (61, 14, 17), (30, 7, 17)
    maps = image.ravel()[: np.prod(shape)].astype(np.float32) - 128
    slopes = np.arange(17, dtype=np.float32) / 8 - 1
    kind: type[np.uint16 | np.float32] = np.uint16 if half else np.float32
    given = (maps.view(np.uint32) >> 16).astype(np.uint16) if half else maps
    maxima, places = np.empty(few, kind), np.empty(few, np.uint8)
    gradients, of_slopes = np.empty(shape, kind), np.empty(17, np.float32)
    first, last = (given, slopes, maxima, places), (gradients, of_slopes)
    how.pool(*(each.ctypes.data for each in first), half=half, threads=1)
    how.pool_backward(*(each.ctypes.data for each in (*first, *last)), half=half, threads=1)
    if half:
        maxima, gradients = (
            (each.astype(np.uint32) << 16).view(np.float32) for each in (maxima, gradients)
        )
    return [maxima, places.astype(np.float32), gradients, of_slopes]


def pack_input(weights: Weights, image: NDArray[np.uint8]) -> bytes:
    """Return what ``kernel_runner.cpp`` reads."""
    tensors = [array for state in weights.stages.values() for array in state.values()]
    sizes = [level_size((image.shape[0], image.shape[1]), scale) for scale in SCALES]
    head = [len(tensors), *image.shape[:2], len(sizes), BORDER, len(WINDOWS)]
    parts = [
        np.array([*head, *(each.size for each in tensors)], np.int32),
        *tensors,
        np.array(sizes, np.int32),
        WINDOWS,
        image,
    ]
    return b"".join(part.tobytes() for part in parts)


def expect_output(kernels: _NativeNetworks, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what ``kernel_runner.cpp`` writes, as the kernels of this processor have it."""
    backend = kernels.backend(pixels)
    cells = backend.scan_pyramid(SCALES, BORDER, 0.5)
    index = np.zeros(len(WINDOWS), np.int64)
    tables = [np.concatenate([cells.places, cells.scores[:, None], cells.offsets], axis=1)]
    for stage in STAGES[1:]:
        answers = backend.classify(stage, WINDOWS, index)
        tables.append(
            np.concatenate([answers.scores[:, None], answers.offsets, answers.landmarks], axis=1)
        )
    boxes, order = WINDOWS / 7, np.arange(len(WINDOWS))
    keep = suppress_ranked(boxes, order, 0.5, nested=False)
    assert keep is not None
    assert 0 < len(keep) < len(boxes)
    tables += [np.isin(order, keep), *pooled(pixels[0], half=False), *pooled(pixels[0], half=True)]
    flat = [table.ravel() for table in tables]
    return np.concatenate([np.array([len(cells.scores)], np.float32), *flat])
