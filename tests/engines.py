"""The engines that detectors are tested with."""

from __future__ import annotations

import pytest

from facetl.mtcnn.engines import why_not

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
