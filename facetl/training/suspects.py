"""Suspects: regions that the detector takes for faces and that are not annotated.

On real data many of them are faces that the annotators missed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facetl.boxes import as_boxes, coverage, iou, square
from facetl.data.dataset import FaceDataset
from facetl.data.frame import Frame
from facetl.data.images import Pixels, load_image
from facetl.data.overlays import contact_sheet, cut_out
from facetl.training.mining import Proposals

CONVINCING = 0.95
"""Score from which a proposal without a face is a suspect."""

APART = 0.1
"""IoU with every face below which a suspect must stay: a window beside a face is none."""

_MOST_DRAWN = 60
_COLUMNS = 10
_CELL = 120


@dataclass(frozen=True)
class Suspect:
    """A region without annotation that the detector takes for a face.

    Attributes:
        frame: name of the frame.
        box: ``x1, y1, x2, y2`` in pixels.
        score: in [0, 1], of the last stage that was trained when it was found.
    """

    frame: str
    box: tuple[float, float, float, float]
    score: float


def find_suspects(proposals: Proposals, frame: Frame) -> tuple[Suspect, ...]:
    """Return the proposals with convincing scores that overlap no face, one for each place.

    Nor do they lie in a region to be ignored, where annotators have seen what there is.

    Args:
        proposals: of one frame, best first.
        frame: with all its annotated faces.
    """
    taken = np.concatenate([frame.boxes, square(frame.boxes)])
    suspects = []
    convincing = proposals.scores >= CONVINCING
    convincing &= coverage(proposals.windows, frame.ignored) < APART
    for window, score in zip(
        proposals.windows[convincing], proposals.scores[convincing].tolist(), strict=True
    ):
        if iou(window[None], taken).max(initial=0.0) < APART:
            x1, y1, x2, y2 = window.tolist()
            suspects.append(Suspect(frame.name, (x1, y1, x2, y2), score))
            taken = np.concatenate([taken, window[None]])
    return tuple(suspects)


def draw_suspects(suspects: Sequence[Mapping[str, Any]], dataset: FaceDataset) -> Pixels:
    """Return a sheet of the best suspects with what is around them.

    Args:
        suspects: at least one, as plain values: ``frame``, ``box`` and ``score``.
        dataset: the frames.
    """
    paths = {frame.name: frame.path for frame in dataset}
    shown = sorted(suspects, key=lambda each: -float(each["score"]))[:_MOST_DRAWN]
    cells = [
        cut_out(load_image(paths[each["frame"]]), as_boxes([each["box"]]), _CELL) for each in shown
    ]
    return contact_sheet(cells, _COLUMNS, titles=[each["frame"] for each in shown])
