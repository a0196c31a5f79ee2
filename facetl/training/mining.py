"""Mining: what the earlier stages of the cascade really propose to the next one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.data.images import Pixels
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.stages import Stage
from facetl.search.settings import Settings

MINING = Settings(thresholds=(0.3, 0.1, 0.1), padding=True)
"""How proposals are mined: at low thresholds, so that the next stage sees hard ones."""


class Proposals(NamedTuple):
    """Windows of one image that a stage is shown, best score first.

    Attributes:
        windows: (N, 4) squares, ``x1, y1, x2, y2`` in pixels, half open, corners not rounded.
        scores: (N,) in [0, 1], of the stage before.
    """

    windows: Boxes
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Miner:
    """Finds what the stages before ``stage`` propose to it.

    Attributes:
        detector: the cascade as far as it is trained.
        stage: which one asks; PNet asks what it passes itself.
        judged: whether proposals are ranked by the stage's own scores, once it is trained,
            and not by those of the stage before.
        padding: whether windows that leave the image are black there, as in the patches.
    """

    detector: Detector
    stage: Stage
    judged: bool = False
    padding: bool = True

    @property
    def settings(self) -> Settings:
        """How the detector searches."""
        return replace(MINING, padding=self.padding)

    def __call__(self, image: Pixels) -> Proposals:
        """Return the proposals in one image, (H, W, 3) uint8."""
        search = self.detector.windows_shown_to
        return Proposals(*search(self.stage, image, self.settings, judged=self.judged))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values, for a file's metadata."""
        return {**self.settings.to_json(), "judged": self.judged}
