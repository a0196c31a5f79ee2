"""What several test files share."""

import os

# Set before torch is loaded: on a busy machine its waiting threads cost more than they give.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from engines import ENGINES
from hypothesis import HealthCheck, settings

from facetl.data.forgetting import PORTRAIT
from facetl.mtcnn.detector import Detector
from facetl.training.cascade import Training

# No test depends on the clock: the machine may be busy with anything.
settings.register_profile("facetl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("facetl")

SLOW = re.compile(
    r"^(from|import) .*\b(CliRunner|ProcessPoolExecutor|Warm|launched|make_world|subprocess)\b"
    r"|^pytestmark = pytest\.mark\.slow$",
    re.MULTILINE,
)
"""What makes a test file slow: it runs whole commands, processes, Ray or a browser, or says so."""


@cache
def is_slow(path: Path) -> bool:
    """Return whether `make quick` leaves a test file out."""
    return bool(SLOW.search(path.read_text(encoding="utf-8")))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Let slow files not even be loaded where nobody wants them."""
    unwanted = config.getoption("markexpr") == "not slow" and collection_path.suffix == ".py"
    return True if unwanted and is_slow(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow files."""
    for item in items:
        if is_slow(item.path):
            item.add_marker("slow")


@pytest.fixture(autouse=True)
def _no_process_unless_slow(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """See that a test that is not marked as slow starts no process."""

    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("a quick test starts a process; mark it as slow")

    if "slow" not in request.keywords:
        monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
        monkeypatch.setattr("multiprocessing.process.BaseProcess.start", refuse)


SKETCHES = {
    "png": b"\x89PNG\r\n\x1a\na sketch",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>\n',
}


def sketch(_figure: object, form: str, *_: object, **__: object) -> bytes:
    """Stand in for what renders a figure, which takes a quarter of a second for each file."""
    return SKETCHES[form]


@pytest.fixture
def sketched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """See that plots are composed, but not rendered, unless the test is marked as ``rendered``.

    For tests of what stands beside the plots; others look at the plots themselves.
    """
    if "rendered" not in request.keywords:
        for module in ("plots", "trace_figures"):
            monkeypatch.setattr(f"facetl.evaluation.report.{module}.render_figure", sketch)


@pytest.fixture(scope="session")
def portrait() -> Path:
    """A photograph with one face, 256 pixels wide and 300 high."""
    return PORTRAIT


@pytest.fixture(scope="session", params=ENGINES)
def pretrained(request: pytest.FixtureRequest) -> Detector:
    """The pretrained cascade, by each engine that there is."""
    return Detector.load("pretrained", "cpu", request.param)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> list[Training]:
    """The trainings of whole cascades, which are interrupted before they begin."""
    trainings: list[Training] = []

    def train_nothing(training: Training) -> NoReturn:
        trainings.append(training)
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "run", train_nothing)
    return trainings
