"""The stages of the cascade, in their order."""

from __future__ import annotations

from typing import Literal, get_args

Stage = Literal["pnet", "rnet", "onet"]
STAGES: tuple[Stage, ...] = get_args(Stage)
INPUT_SIZES: dict[Stage, int] = {"pnet": 12, "rnet": 24, "onet": 48}
"""Side in pixels of the window that each network judges."""
