"""The doctor says what is in use, and why."""

from importlib.metadata import PackageNotFoundError

import pytest
import torch
from click.testing import CliRunner
from engines import needs_half, needs_kernels
from outcomes import success

from facetl.cli import main
from facetl.commands import doctor as doctor_module
from facetl.mtcnn.detector import Detector
from facetl.results.detections import Detections


def run(*arguments: str) -> dict[str, list[str]]:
    """Return what the doctor says, by the first word of each line."""
    said: dict[str, list[str]] = {}
    for line in success(CliRunner().invoke(main, ["doctor", *arguments])).stdout.splitlines():
        what, how = line.split(maxsplit=1)
        said.setdefault(what, []).append(how)
    return said


def no_compiler(name: str, device: str) -> str:
    return "" if name in ("torch", "onnx") else "no compiler"


@needs_kernels
def test_the_kernels_are_named_and_compared_with_torch() -> None:
    said = run("--device", "cpu")
    assert said["engine"][0].startswith("native, compiled for avx")
    assert [line.split(":")[0] for line in said["check"][:2]] == ["native", "torch"]
    assert said["check"][2].startswith("both find the same ")
    assert f"torch {torch.__version__.split('+')[0]}" in said["libraries"][0]
    assert "cores" in said["threads"][0]


def test_torch_can_be_asked_for() -> None:
    said = run("--engine", "torch")
    assert said["engine"] == ["torch, as asked for by --engine"]
    assert len(said["check"]) == 1


def test_why_there_are_no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facetl.mtcnn.engines.why_not", no_compiler)
    said = run()
    assert said["engine"] == ["onnx: no compiler"]


def test_a_library_of_the_system_that_is_missing_is_a_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The networks are tried all the same, on a picture that needs no drawing."""
    fault = "libGL.so.1: cannot open shared object file: No such file or directory"

    def load(name: str) -> None:
        if name == "cv2":
            raise ImportError(fault)

    def draw(**_: object) -> None:
        raise ImportError(fault)

    monkeypatch.setattr(doctor_module, "import_module", load)
    monkeypatch.setattr("facetl.cartoons.draw_frame", draw)
    result = CliRunner().invoke(main, ["doctor", "--engine", "torch"])
    assert result.exit_code == 1
    (finding,) = [line for line in result.stdout.splitlines() if line.startswith("missing")]
    assert "libGL.so.1 is missing, which OpenCV needs; install it" in finding
    assert "ms a frame of 256×300" in result.stdout


def test_opencv_without_windows_is_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "opencv-python":
            raise PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr("facetl.version.version", version)
    assert "opencv-python-headless 1.2.3" in run("--engine", "torch")["libraries"][0]


@needs_kernels
def test_boxes_that_differ_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Detections.from_lists([[1, 2, 3, 4]], [0.5], [[[0, 0]] * 5])
    answers = iter([[Detections.empty()], [one]])
    monkeypatch.setattr(Detector, "detect", lambda *rest: next(answers))
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "do not find the same boxes; use --engine torch" in result.stderr


@needs_kernels
def test_an_engine_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facetl.mtcnn.engines.why_not", no_compiler)
    result = CliRunner().invoke(main, ["doctor", "--engine", "native"])
    assert result.stderr == (
        "facetl: the native engine cannot be had: no compiler; use --engine auto\n"
    )
    assert result.exit_code == 1


@needs_half
def test_half_precision_is_compared_with_torch() -> None:
    said = run("--engine", "half")
    assert said["engine"] == ["half, as asked for by --engine"]
    assert said["check"][2].startswith("they find ")
