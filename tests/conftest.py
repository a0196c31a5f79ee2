"""What several test files share."""

import os

# Set before torch is loaded: on a busy machine its waiting threads cost more than they give.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest
from engines import ENGINES

from facetl.data.portrait import PORTRAIT
from facetl.mtcnn.detector import Detector


@pytest.fixture(scope="session")
def portrait() -> Path:
    """A photograph with one face, 256 pixels wide and 300 high."""
    return PORTRAIT


@pytest.fixture(scope="session", params=ENGINES)
def pretrained(request: pytest.FixtureRequest) -> Detector:
    """The pretrained cascade, by each engine that there is."""
    return Detector.load("pretrained", "cpu", request.param)
