"""What this installation works with, and whether it works."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import facetl.data
from facetl.commands.requests import DoctorRequest as DoctorRequest
from facetl.data.images import Pixels, load_image
from facetl.errors import TRAINING, InputError, describe_missing_library, how_to_install
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.devices import describe_device, describe_threads
from facetl.mtcnn.engines import describe_engine, load_engine, why_not
from facetl.mtcnn.weights import CARTOON
from facetl.results.detections import Detections
from facetl.search.settings import Settings
from facetl.version import VERSION, installed_versions

LIBRARIES = (
    *("numpy", "pillow", "onnxruntime", "torch", "torchvision"),
    *("opencv-python", "opencv-python-headless", "facenet-pytorch"),
)
LOADED = ("av", "lap", "matplotlib", "onnxruntime", "PIL", "safetensors")
"""What may lack a library of the system."""
SAME_BOXES = 0.01
"""Pixels by which boxes of the exact engines may differ."""
_REPEATS = 5


class Finding(NamedTuple):
    """Something that is in use, or is missing.

    Attributes:
        subject: ``facetl``, ``device``, ``engine``, ``threads``, ``libraries``, ``training``,
            ``missing`` or ``check``.
        text: what was found.
    """

    subject: str
    text: str


def doctor(request: DoctorRequest) -> Iterator[Finding]:
    """Yield what is in use here, each finding as soon as it is known: the next may never come.

    At the end a drawn frame is searched by the engine in use and by another exact one.

    Raises:
        InputError: if device or engine cannot be had, or the engines find different boxes.
    """
    system = f"Python {platform.python_version()}, {platform.platform()}"
    yield Finding("facetl", f"{VERSION}, {system}")
    detector = Detector.load(CARTOON, request.device, request.engine)
    yield Finding("device", describe_device(detector.device))
    chosen = f"{request.engine}, as asked for by --engine"
    is_chosen = request.engine != "auto"
    yield Finding("engine", chosen if is_chosen else describe_engine(detector.device))
    yield Finding("threads", describe_threads())
    installed = installed_versions(LIBRARIES).items()
    yield Finding("libraries", ", ".join(f"{name} {version}" for name, version in installed))
    absent = [name for name in TRAINING if find_spec(name) is None]
    if absent:
        wanted = f"{', '.join(absent)} not installed; {how_to_install(absent[0])}"
        yield Finding("training", f"not possible: {wanted}")
    loaded = [*LOADED, *(name for name in TRAINING if name not in absent)]
    yield from (Finding("missing", each) for each in _find_missing(loaded))
    detectors = [detector]
    other = "onnx" if why_not("torch", detector.device) else "torch"
    if other != detector.engine:
        detectors.append(Detector(detector.weights, detector.device, other))
    yield from (Finding("check", each) for each in _check(detectors))


def _find_missing(libraries: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with libraries that cannot be loaded, and the way out."""
    for name in libraries:
        try:
            import_module(name)
        except ImportError as error:
            yield describe_missing_library(error) or f"{error}; install facetl again"


def _check(detectors: Sequence[Detector]) -> Iterator[str]:
    """Search a drawn frame with each detector; yield how fast, and whether they agree."""
    image = _draw_image()
    height, width = image.shape[:2]
    found = []
    for detector in detectors:
        seconds = min(_time_searches(detector, image))
        found += detector.detect([image], (0.1, 0.2, 0.2))
        yield f"{detector.engine}: {seconds * 1e3:.1f} ms a frame of {width}×{height}"
    for other in found[1:]:
        if not load_engine(detectors[0].engine).exact:
            yield f"they find {len(found[0])} and {len(other)} boxes"
        else:
            _require_same(found[0], other)
            yield f"both find the same {len(other)} boxes"


def _draw_image() -> Pixels:
    """Return a drawn frame; where nothing can be drawn, the portrait that comes with facetl."""
    try:
        from facetl.cartoons import draw_frame

        return draw_frame(seed=1, part="doctor", index=0).image
    except ImportError:
        return load_image(Path(facetl.data.__path__[0]) / "portrait.jpg")


def _time_searches(detector: Detector, image: Pixels) -> Iterator[float]:
    for _ in range(_REPEATS):
        began = time.perf_counter()
        list(detector.search([image], Settings()))
        yield time.perf_counter() - began


def _require_same(found: Detections, other: Detections) -> None:
    same = len(found) == len(other)
    if not same or abs(found.boxes - other.boxes).max(initial=0) > SAME_BOXES:
        raise InputError(
            "the engines do not find the same boxes; use --engine torch and report this, with "
            "all of the above"
        )
