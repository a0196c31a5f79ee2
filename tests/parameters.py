"""Parameters of networks, as arrays or as torch's tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from facetl.mtcnn.stages import Stage
from facetl.mtcnn.weights import load_weights


def pretrained_tensors(stage: Stage) -> dict[str, Tensor]:
    """Return the state dict of a pretrained network as torch has it."""
    state = load_weights("pretrained").network(stage).state_dict()
    return {name: tensor.contiguous() for name, tensor in state.items()}


def same_values(one: Any, other: Any) -> bool:
    """Return whether two arrays or tensors hold the same numbers."""
    return np.array_equal(np.asarray(one), np.asarray(other))
