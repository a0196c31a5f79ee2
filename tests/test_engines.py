"""The compiled kernels agree with torch, whatever they are shown; and where there are none."""

import ctypes
import getpass
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engines import EVERY_ENGINE, needs_half, needs_kernels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facetl.boxes import iou
from facetl.data.pictures import as_pixels
from facetl.errors import InputError
from facetl.mtcnn import native
from facetl.mtcnn.backend import Backend, BackendFactory, Cells, WindowOutputs
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.engines import ENGINES, choose_engine, engine_names, why_not
from facetl.mtcnn.geometry import level_size
from facetl.mtcnn.native import NATIVE, _find_kernels, _NativeNetworks
from facetl.mtcnn.networks import build_network
from facetl.mtcnn.onnx_backend import ONNX
from facetl.mtcnn.stages import STAGES, Stage
from facetl.mtcnn.torch_backend import TORCH
from facetl.mtcnn.weights import Weights, load_pretrained_stage, load_weights
from facetl.results.detections import FrameResult, Run
from facetl.results.json_file import save_run
from facetl.results.store import load_run

pytestmark = pytest.mark.slow

CPU = "cpu"
NOISE = Path(__file__).with_name("cases") / "nan_boxes.png"
"""Black and white dots, in which ONet moves the corners of a box past each other."""
every_engine = pytest.mark.parametrize("engine", EVERY_ENGINE)


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Networks of random weights, and a slope of its own for every channel."""
    torch.manual_seed(1)
    networks = {stage: build_network(stage) for stage in STAGES}
    for network in networks.values():
        for name, parameter in network.named_parameters():
            if name.startswith("prelu"):
                torch.nn.init.normal_(parameter, std=0.3)
    return Weights({stage: network.state_dict() for stage, network in networks.items()})


def images_of(count: int, height: int, width: int, seed: int) -> NDArray[np.uint8]:
    chance = np.random.default_rng(seed)
    return chance.integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def seen_by_torch(weights: Weights, pixels: NDArray[np.uint8]) -> Backend:
    return TORCH.prepare(weights, CPU)(pixels, 1)


def by_image(cells: Cells) -> Cells:
    order = cells.image_index.argsort(kind="stable")
    columns: Any = (column[order] for column in cells)
    return Cells(*columns)


def assert_same(found: Cells | WindowOutputs, expected: Cells | WindowOutputs) -> None:
    if isinstance(found, Cells) and isinstance(expected, Cells):
        found, expected = by_image(found), by_image(expected)
    for own, other in zip(found, expected, strict=True):
        assert own.shape == other.shape
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-5)


@needs_kernels
@given(
    size=st.tuples(st.integers(12, 90), st.integers(12, 90)),
    scale=st.floats(0.15, 1.2),
    border=st.sampled_from([0, 6]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60)
def test_pnet_sees_the_same(
    weights: Weights, size: tuple[int, int], scale: float, border: int, seed: int
) -> None:
    pixels = images_of(2, *size, seed)
    if min(level_size(size, scale * 0.8)) + 2 * border < 12:
        return
    scales = [scale, scale * 0.8]
    expected = seen_by_torch(weights, pixels).scan_pyramid(scales, border, 0.0)
    assert len(expected.scores)
    for engine in (NATIVE, ONNX):
        backend = engine.prepare(weights, CPU)(pixels, 1)
        assert_same(backend.scan_pyramid(scales, border, 0.0), expected)


@needs_kernels
@pytest.mark.parametrize("stage", ["rnet", "onet"])
@given(
    corners=st.lists(
        st.tuples(
            st.integers(-30, 59), st.integers(-30, 39), st.integers(1, 90), st.integers(1, 90)
        ),
        min_size=0,
        max_size=30,
    ),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40)
def test_windows_are_judged_the_same(
    weights: Weights,
    stage: Stage,
    corners: list[tuple[int, int, int, int]],
    seed: int,
) -> None:
    """Windows of any shape, inside the image, over its edge and beyond it."""
    pixels = images_of(2, 40, 60, seed)
    windows = np.array([(x, y, x + w, y + h) for x, y, w, h in corners], np.int64).reshape(-1, 4)
    index = np.arange(len(windows)) % 2
    expected = seen_by_torch(weights, pixels).classify(stage, windows, index)
    for engine in (NATIVE, ONNX):
        backend = engine.prepare(weights, CPU)(pixels, 1)
        assert_same(backend.classify(stage, windows, index), expected)


@needs_kernels
def test_sums_of_a_large_white_image_do_not_overflow(weights: Weights) -> None:
    pixels = np.full((1, 2900, 2900, 3), 255, np.uint8)
    whole, index = np.array([[0, 0, 2900, 2900]]), np.array([0])
    expected = seen_by_torch(weights, pixels).classify("rnet", whole, index)
    for engine in (NATIVE, ONNX):
        backend = engine.prepare(weights, CPU)(pixels, 1)
        assert_same(backend.classify("rnet", whole, index), expected)


@needs_kernels
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9, 0.999, 1.0])
def test_exactly_the_cells_above_the_threshold_pass(weights: Weights, threshold: float) -> None:
    backend = _NativeNetworks(weights).backend(images_of(1, 80, 90, 3))
    every = backend.scan_pyramid([1.0], 0, 0.0)
    passing = every.scores >= threshold
    found = backend.scan_pyramid([1.0], 0, threshold)
    for own, other in zip(found, every, strict=True):
        assert np.array_equal(own, other[passing])


@needs_kernels
def test_networks_may_go_before_what_they_said(weights: Weights) -> None:
    backend = _NativeNetworks(weights).backend(images_of(1, 40, 40, 1))
    assert (
        len(backend.scan_pyramid([1.0], 0, 0.0).scores)
        == len(backend.scan_pyramid([1.0], 0, 0.0).scores)
        > 0
    )


@needs_half
def test_half_precision_finds_the_same_faces() -> None:
    """Each surely found face has one that overlaps it by 0.95."""
    exact, half = (Detector.load("cartoon", "cpu", engine) for engine in ("native", "half"))
    images = frames(8)
    found = 0
    for own, other in zip(half.detect(images), exact.detect(images), strict=True):
        own, other = own[own.scores > 0.5], other[other.scores > 0.5]
        overlap = iou(own.boxes.astype(float), other.boxes.astype(float))
        assert overlap.shape[0] == overlap.shape[1]
        assert (overlap.max(axis=1, initial=1) > 0.95).all()
        found += len(own)
    assert found > 8


@needs_half
@pytest.mark.parametrize("stage", ["rnet", "onet"])
def test_half_precision_answers_nearly_the_same(weights: Weights, stage: Stage) -> None:
    windows = np.array([[x, 0, x + 30, 30] for x in range(0, 60, 3)])
    index = np.zeros(len(windows), np.int64)
    pixels = images_of(1, 40, 90, 1)
    exact, half = (
        _NativeNetworks(weights, half=half).backend(pixels).classify(stage, windows, index)
        for half in (False, True)
    )
    for own, other in zip(half, exact, strict=True):
        assert np.abs(own - other).max(initial=0) < 0.02
    assert not np.array_equal(half.scores, exact.scores), "it is half precision"


def test_half_precision_needs_avx512(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert "no AVX-512" in _find_kernels.__wrapped__(half=True).lacking


# ---- where there are none


def hide_kernels(patch: pytest.MonkeyPatch, folder: Path, able: str = "") -> None:
    patch.setattr(native, "__file__", str(folder / "__init__.py"))
    patch.setenv("ATEN_CPU_CAPABILITY", able)
    patch.setattr(native, "_find_kernels", _find_kernels.__wrapped__)


@pytest.mark.parametrize(
    ("able", "part"),
    [("", "no kernels were built"), ("avx2", "no kernels"), ("default", "neither AVX2")],
)
def test_a_reason_is_given_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, able: str, part: str
) -> None:
    hide_kernels(monkeypatch, tmp_path, able)
    assert part in _find_kernels.__wrapped__().lacking


def test_what_the_build_left_is_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide_kernels(monkeypatch, tmp_path)
    (tmp_path / "build.log").write_text("avx2: c++ cannot be run\navx512: the same\n")
    assert _find_kernels.__wrapped__().lacking == (
        "no kernels were built when facetl was installed (avx2: c++ cannot be run)"
    )


@needs_kernels
def test_kernels_of_another_version_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "INTERFACE", -1)
    found = _find_kernels.__wrapped__()
    assert found.library is None
    assert "install facetl again" in found.lacking


@needs_kernels
def test_kernels_that_cannot_be_loaded_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hide_kernels(monkeypatch, tmp_path, "avx2")
    (tmp_path / "_avx2.so").write_bytes(b"cut short")
    assert "cannot be loaded" in _find_kernels.__wrapped__().lacking


@needs_kernels
def test_a_processor_without_avx512_gets_the_other_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    found = _find_kernels.__wrapped__()
    assert isinstance(found.library, ctypes.CDLL)
    assert found.build == "avx2"


def test_the_choice_of_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_engine("torch", CPU) == "torch"
    assert choose_engine("auto", CPU) == ("onnx" if why_not("native", CPU) else "native")
    cuda = "cuda"
    assert choose_engine("auto", cuda) == "torch"
    with pytest.raises(InputError, match="found engine 'fast', expected one of"):
        choose_engine("fast", CPU)
    with pytest.raises(InputError, match="on the processor, not on cuda; use --engine auto"):
        choose_engine("native", cuda)


class ToyEngine:
    """Torch's arithmetic under another name, which counts the images that it was given."""

    exact = True

    def __init__(self) -> None:
        self.seen = 0
        self.threads: list[int] = []

    def why_not(self, device: str) -> str:
        return "" if device == "cpu" else "it is a toy"

    def describe(self) -> str:
        return "made for this test"

    def prepare(self, weights: Weights, device: str) -> BackendFactory:
        seen_by_torch = TORCH.prepare(weights, device)

        def backend(pixels: NDArray[np.uint8], threads: int) -> Backend:
            self.seen += len(pixels)
            self.threads.append(threads)
            return seen_by_torch(pixels, threads)

        return backend


TOY = ToyEngine()


def test_an_engine_is_an_object_and_a_line_in_a_table(
    monkeypatch: pytest.MonkeyPatch, portrait: Path
) -> None:
    monkeypatch.setitem(ENGINES, "toy", f"{__name__}:TOY")
    assert engine_names() == ("auto", "native", "half", "onnx", "torch", "toy")
    detector = Detector.load("pretrained", "cpu", "toy")
    found = detector.detect(portrait)
    assert (detector.engine, TOY.seen) == ("toy", 1)
    expected = Detector.load("pretrained", "cpu", "torch").detect(portrait)
    assert len(found)
    assert np.array_equal(found.boxes, expected.boxes)
    with pytest.raises(InputError, match="the toy engine cannot be had: it is a toy"):
        choose_engine("toy", "cuda")


@pytest.mark.parametrize(
    ("count", "batch_size", "threads"), [(1, 4, [3]), (3, 4, [3]), (3, 1, [1, 1, 1])]
)
def test_the_images_of_a_single_batch_are_shared_by_all_workers(
    monkeypatch: pytest.MonkeyPatch,
    portrait: Path,
    count: int,
    batch_size: int,
    threads: list[int],
) -> None:
    toy = ToyEngine()
    monkeypatch.setattr(sys.modules[__name__], "TOY", toy)
    monkeypatch.setitem(ENGINES, "toy", f"{__name__}:TOY")
    detector = Detector.load("cartoon", "cpu", "toy")
    found = detector.detect([portrait] * count, batch_size=batch_size, workers=3)
    assert toy.threads == threads
    assert [len(each) for each in found] == [len(detector.detect(portrait))] * count


def test_where_nothing_can_search_each_engine_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facetl.mtcnn.engines.why_not", lambda name, _: f"no {name} here")
    with pytest.raises(InputError) as caught:
        choose_engine("auto", CPU)
    assert str(caught.value) == (
        "found no engine that works here (native: no native here; onnx: no onnx here; "
        "torch: no torch here); install one of them"
    )


@pytest.mark.parametrize("name", ["torch", "onnx"])
def test_an_engine_whose_library_is_missing_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def load(_: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("facetl.mtcnn.engines.load_engine", load)
    monkeypatch.setattr("facetl.mtcnn.onnx_backend.find_spec", lambda _: None)
    reason = ONNX.why_not(CPU) if name == "onnx" else why_not("torch", CPU)
    assert "not installed" in reason
    assert "pip install" in reason


def test_without_kernels_onnxruntime_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: Any = lambda half=False: native._Kernels(lacking="none here")  # noqa: E731
    monkeypatch.setattr(native, "_find_kernels", missing)
    assert Detector.load("pretrained", "cpu").engine == "onnx"
    with pytest.raises(InputError, match="none here"):
        Detector.load("pretrained", "cpu", "native")
    with pytest.raises(RuntimeError, match="none here"):
        _NativeNetworks(load_weights("pretrained"))


# ---- side by side


def frames(count: int) -> list[NDArray[np.uint8]]:
    from facetl import draw_frame

    return [draw_frame(2, "side", index).image for index in range(count)]


def test_threads_to_come_have_as_many_of_torchs_own_as_before(pretrained: Detector) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        pretrained.detect(frames(2), batch_size=1, workers=2)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 2
    finally:
        torch.set_num_threads(before)


def test_no_workers_are_wrong(pretrained: Detector) -> None:
    with pytest.raises(ValueError, match="expected at least 1, got batch_size 4, workers 0"):
        pretrained.detect([], workers=0)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_workers_change_nothing(pretrained: Detector, workers: int) -> None:
    images = frames(5)
    expected = [pretrained.detect([image], workers=1)[0] for image in images]
    found = pretrained.detect(images, batch_size=1, workers=workers)
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own.boxes, other.boxes, atol=1e-3)
        np.testing.assert_allclose(own.scores, other.scores, atol=1e-5)


@given(
    size=st.tuples(st.integers(12, 90), st.integers(12, 90)),
    border=st.sampled_from([0, 6]),
    at_once=st.integers(1, 4000),
)
@settings(max_examples=60)
def test_bands_of_a_level_change_nothing(
    weights: Weights, size: tuple[int, int], border: int, at_once: int
) -> None:
    backend = seen_by_torch(weights, images_of(2, *size, 7))
    with pytest.MonkeyPatch.context() as patch:
        whole = backend.scan_pyramid([0.97, 0.93], border, 0.4)
        patch.setattr("facetl.mtcnn.torch_backend.LEVEL_PIXELS_AT_ONCE", at_once)
        assert_same(backend.scan_pyramid([0.97, 0.93], border, 0.4), whole)


# ---- boxes that are none


@every_engine
@pytest.mark.parametrize("voting", [False, True])
@pytest.mark.parametrize("last", STAGES)
def test_boxes_that_are_none_leave_no_stage(engine: str, voting: bool, last: Stage) -> None:
    detector = Detector.load("cartoon", "cpu", engine)
    settings = detector.settings.override(thresholds=(0.1, 0.05, 0.0), voting=voting)
    image = as_pixels(NOISE)
    for boxes, scores in (
        detector.find_with_last(last, image, settings),
        detector.windows_shown_to(last, image, settings),
    ):
        assert len(boxes)
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert np.isfinite(boxes).all()
        assert np.isfinite(scores).all()


@every_engine
def test_noise_gives_faces_that_can_be_written_and_read(engine: str, tmp_path: Path) -> None:
    found = Detector.load("cartoon", "cpu", engine).detect(NOISE)
    assert len(found) == 3
    frame = FrameResult("a.png", (60, 60), found, {}, 0.0)
    save_run(tmp_path / "a.detections.json", Run("a", {}, (frame,)))
    again = load_run(tmp_path / "a.detections.json").frames[0].detections
    np.testing.assert_array_equal(again.boxes, found.boxes)


@every_engine
@pytest.mark.parametrize("size", [1e20, 1e30])
def test_weights_beyond_all_numbers_find_nothing(engine: str, size: float) -> None:
    stages = {stage: dict(load_pretrained_stage(stage)) for stage in STAGES}
    for state in stages.values():
        state["conv2.weight"] = state["conv2.weight"] * size
    for voting in (False, True):
        found = Detector(Weights(stages), "cpu", engine).detect(NOISE, (0, 0, 0), voting=voting)
        assert np.isfinite(found.boxes).all()
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()


# ---- the program around it


@every_engine
def test_what_the_program_usually_computes_in_does_not_matter(engine: str, portrait: Path) -> None:
    expected = Detector.load("cartoon", "cpu", engine).detect(portrait, workers=1)

    def check() -> None:
        found = Detector.load("cartoon", "cpu", engine).detect(portrait, workers=1)
        for name in ("boxes", "scores", "landmarks"):
            values = getattr(found, name)
            np.testing.assert_array_equal(values, getattr(expected, name))
            assert values.dtype == np.float32

    for dtype in (torch.float64, torch.float16):
        torch.set_default_dtype(dtype)
        try:
            check()
        finally:
            torch.set_default_dtype(torch.float32)
    for context in (torch.device("meta"), torch.autocast("cpu"), torch.inference_mode()):
        with context:
            check()


def engines_here() -> list[str]:
    """Return the engines that this machine has: processes that load torch are slow to start."""
    return [name for name in ("torch", "native", "half", "onnx") if not why_not(name, CPU)]


FORK = """
import os, signal, sys
import torch
from facetl import Detector

portrait, *engines = sys.argv[1:]
torch.set_num_threads(4)
torch.zeros(1000, 1000).sin()  # all threads of the parent are there
counts = {engine: len(Detector.load("cartoon", "cpu", engine).detect(portrait))
          for engine in engines}
for engine, count in counts.items():
    child = os.fork()
    if not child:
        signal.alarm(100)  # for ever
        detector = Detector.load("cartoon", "cpu", engine)
        for workers in (1, 2):
            found = detector.detect([portrait] * 9, workers=workers)
            assert [len(each) for each in found] == [count] * 9
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"{engine}: {status}")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_can_load_and_search(portrait: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(portrait), *engines_here()]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "4"}
    )
    assert (done.returncode, done.stderr) == (0, "")


LIGHT = """
import sys
from facetl import Detector

portrait, *engines = sys.argv[1:]
for engine in engines:
    assert len(Detector.load("cartoon", "cpu", engine).detect(portrait))
sys.exit(" ".join(name for name in ("torchvision", "torch._dynamo") if name in sys.modules) or 0)
"""


def test_searching_loads_no_compiler_and_leaves_nothing(portrait: Path, tmp_path: Path) -> None:
    """Torch's compiler takes seconds to load, and makes a folder where anybody can make it."""
    command = [sys.executable, "-c", LIGHT, str(portrait), *engines_here()]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


WITHOUT_TORCH = """
import sys
from facetl import Detector

portrait, *engines = sys.argv[1:]
for engine in engines:
    assert len(Detector.load("cartoon", "cpu", engine).detect(portrait))
sys.exit(" ".join(name for name in ("torch", "cv2", "scipy") if name in sys.modules) or 0)
"""


def test_searching_loads_torch_only_if_it_is_asked_for(portrait: Path) -> None:
    engines = [engine for engine in engines_here() if engine != "torch"]
    command = [sys.executable, "-c", WITHOUT_TORCH, str(portrait), *engines]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


BLOCKED = """
import sys
from torch import zeros
from facetl.mtcnn.networks import build_network
from facetl.mtcnn.onnx_export import build_model
from facetl.mtcnn.weights import load_weights
from facetl.training.epochs import _build_optimiser
from facetl.training.settings import TrainingSettings

network = build_network("pnet")
optimiser = _build_optimiser(network, TrainingSettings())
network(zeros(2, 3, 12, 12)).logits.sum().backward()
optimiser.step()
build_model("pnet", load_weights("cartoon"))
"""


def test_nobody_stops_a_training_by_the_name_of_a_file(tmp_path: Path) -> None:
    """The folder that torch's compiler makes is looked for by this name, if facetl lets it."""
    (tmp_path / f"torchinductor_{getpass.getuser()}").touch()
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)
    command = [sys.executable, "-W", "ignore", "-c", BLOCKED]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [f"torchinductor_{getpass.getuser()}"]
