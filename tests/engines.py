"""The engines that detectors are tested with."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facetl.mtcnn.engines import why_not
from facetl.mtcnn.layers import parameter_shapes
from facetl.mtcnn.stages import STAGES, Stage
from facetl.mtcnn.weights import State, Weights

_LACKING = why_not("native", "cpu")
_NO_HALF = why_not("half", "cpu")

needs_kernels = pytest.mark.skipif(bool(_LACKING), reason=_LACKING)
"""For tests of the compiled kernels."""

needs_half = pytest.mark.skipif(bool(_NO_HALF), reason=_NO_HALF)
"""For tests of the kernels in half precision."""

ENGINES = ["torch", "onnx", pytest.param("native", marks=needs_kernels)]
"""Parameters of whatever must hold for every engine that is exact."""

EVERY_ENGINE = [*ENGINES, pytest.param("half", marks=needs_half)]
"""Parameters of whatever must hold for every engine."""


def random_weights(seed: int) -> Weights:
    """Return weights as torch draws them: within one over the root of the inputs of a layer."""
    chance = np.random.default_rng(seed)
    stages: dict[Stage, State] = {}
    for stage in STAGES:
        stages[stage] = {}
        for name, shape in parameter_shapes(stage).items():
            span = max(math.prod(shape[1:]), 9) ** -0.5
            stages[stage][name] = chance.uniform(-span, span, shape).astype(np.float32)
    return Weights(stages)
