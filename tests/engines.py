"""The engines that detectors are tested with."""

from __future__ import annotations

import pytest
import torch

from facetl.mtcnn.engines import why_not_native

_LACKING = why_not_native(torch.device("cpu"))

needs_kernels = pytest.mark.skipif(bool(_LACKING), reason=_LACKING)
"""For tests of the compiled kernels."""

ENGINES = ["torch", pytest.param("native", marks=needs_kernels)]
"""Parameters of whatever must hold for every engine."""
