"""Where half precision pays."""

from __future__ import annotations

import torch

from facetl.mtcnn.stages import Stage


def mixed_precision(stage: Stage, device: torch.device) -> torch.autocast:
    """Compute ONet in bfloat16 where that is faster; weights and losses stay in 32 bits.

    The smaller networks gain nothing by it.
    """
    able = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=able and stage == "onet")
