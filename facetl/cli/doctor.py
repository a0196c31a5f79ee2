"""``facetl doctor``: what this installation works with, and whether it works."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.ending import describe_missing_library
from facetl.errors import InputError
from facetl.version import VERSION

if TYPE_CHECKING:
    from facetl.data.images import Pixels
    from facetl.mtcnn.detector import Detector
    from facetl.mtcnn.engines import Engine, EngineChoice
    from facetl.results.detections import Detections

LIBRARIES = (
    *("torch", "torchvision", "numpy", "opencv-python", "opencv-python-headless"),
    *("pillow", "facenet-pytorch"),
)
LOADED = ("av", "cv2", "matplotlib", "PIL", "safetensors", "scipy")
"""What may lack a library of the system."""
SAME_BOXES = 0.01
"""Pixels by which boxes of the exact engines may differ."""
_LOOKS = 5


@click.command(short_help="Say what searches frames here, and check that it does.")
@options.device
@options.engine
def doctor(device: str, engine: EngineChoice) -> None:
    """Say which engine, device, threads and libraries are in use here, and why.

    Then it searches one drawn frame, with torch as well: the boxes must be the same, unless
    --engine half was asked for.

    \b
    Example:
      facetl doctor
    """
    from facetl.mtcnn.detector import Detector
    from facetl.mtcnn.engines import describe_device, describe_engine, describe_threads

    _say("facetl", f"{VERSION}, Python {platform.python_version()}, {platform.platform()}")
    detector = Detector.load("pretrained", device, engine)
    _say("device", describe_device(detector.device))
    asked = f"{engine}, as asked for by --engine"
    _say("engine", describe_engine(detector.device) if engine == "auto" else asked)
    _say("threads", describe_threads())
    _say("libraries", ", ".join(_tell_versions()))
    missing = list(_find_missing())
    for finding in missing:
        _say("missing", finding)
    others: Sequence[Engine] = () if detector.engine == "torch" else ("torch",)
    _check([detector, *(Detector.load("pretrained", device, other) for other in others)])
    if missing:
        raise SystemExit(1)


def _say(what: str, how: str) -> None:
    click.echo(f"{what:10} {how}")


def _tell_versions() -> Iterator[str]:
    """Yield the libraries that are installed; OpenCV comes under several names."""
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"


def _find_missing() -> Iterator[str]:
    """Yield what is wrong with libraries that cannot be loaded, and the way out."""
    for name in LOADED:
        try:
            import_module(name)
        except ImportError as error:
            yield describe_missing_library(error) or f"{error}; install facetl anew"


def _check(detectors: Sequence[Detector]) -> None:
    """Search a drawn frame with each detector.

    Raises:
        InputError: if their boxes differ.
    """
    image = _draw_image()
    height, width = image.shape[:2]
    found = []
    for detector in detectors:
        seconds = min(_time_looks(detector, image))
        found += detector.detect([image], (0.1, 0.2, 0.2))
        _say("check", f"{detector.engine}: {seconds * 1e3:.1f} ms a frame of {width}×{height}")
    for other in found[1:]:
        if detectors[0].engine == "half":
            _say("check", f"they find {len(found[0])} and {len(other)} boxes")
        else:
            _require_same(found[0], other)
            _say("check", f"both find the same {len(other)} boxes")


def _draw_image() -> Pixels:
    """Return a drawn frame; where nothing can be drawn, the portrait that comes with facetl."""
    try:
        from facetl.cartoons import draw_frame

        return draw_frame(seed=1, part="doctor", index=0).image
    except ImportError:
        import facetl.data
        from facetl.data.images import load_image

        return load_image(Path(facetl.data.__path__[0]) / "portrait.jpg")


def _time_looks(detector: Detector, image: Pixels) -> Iterator[float]:
    from facetl.search.settings import Settings

    for _ in range(_LOOKS):
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
