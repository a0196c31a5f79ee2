"""One image and the faces in it: what all readers of annotations give."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from facetl.boxes import Boxes, as_boxes
from facetl.data.choices import PARTS as PARTS
from facetl.data.choices import Part as Part


@dataclass(frozen=True, eq=False)
class Frame:
    """One image and the faces in it; none is as good as many.

    What annotators excluded, crowds and faces that they could not tell, is neither face nor
    background: nothing is learnt from it, and detections on it count neither way.

    Attributes:
        path: where the image lies.
        name: how annotations and results call it, ``001.jpg`` or ``dad/0001.jpg``.
        boxes: (N, 4) float64, half-open pixels of the upright image, inside it.
        labels: N names of who it is, None where not known.
        size_hw: height and width of the upright image.
        ignored: (M, 4) regions to be ignored, as ``boxes``.
    """

    path: Path
    name: str
    boxes: Boxes
    labels: tuple[str | None, ...]
    size_hw: tuple[int, int]
    ignored: Boxes = field(default_factory=lambda: as_boxes([]))

    def __post_init__(self) -> None:
        object.__setattr__(self, "boxes", as_boxes(self.boxes))
        object.__setattr__(self, "ignored", as_boxes(self.ignored))
        if len(self.labels) != len(self.boxes):
            raise ValueError(f"expected {len(self.boxes)} labels, got {len(self.labels)}")
