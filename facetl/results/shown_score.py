"""The score from which detections are shown: drawn, counted, cut out and exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCORE = 0.7
"""Where weights that say nothing start to show: facenet-pytorch's own last threshold."""


def recorded_score(settings: Mapping[str, Any]) -> float | None:
    """Return the score from which a run is shown, as its settings tell; None if they don't."""
    match settings.get("score"):
        case bool():
            return None
        case int() | float() as told if 0 <= told <= 1:
            return float(told)
        case _:
            return None
