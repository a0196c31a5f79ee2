"""Two detectors compared on the same annotated frames, in a line that anybody can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from facetl.data.images import Pixels
from facetl.evaluation.matching import Ranking, TrueBoxes
from facetl.evaluation.metrics import measure
from facetl.mtcnn.detector import Detector
from facetl.reporting import plural

_DRAW = 1
"""Two detectors that differ by no more faces and false alarms than this are told apart by AP."""


@dataclass(frozen=True)
class Showing:
    """What a detector shows on annotated frames, and how good it is at any score.

    Attributes:
        name: the detector's.
        found: faces found, at IoU 0.3, by boxes from the detector's own score on.
        false_alarms: boxes from that score on that are no face.
        ap: average precision at IoU 0.3.
        mean_ap: its mean at IoU 0.5 to 0.95: high only where boxes fit tightly.
    """

    name: str
    found: int
    false_alarms: int
    ap: float
    mean_ap: float


@dataclass(frozen=True)
class Comparison:
    """A detector and the one before it, on the same frames.

    Attributes:
        frames: how many frames.
        faces: how many faces in them.
        before: the detector in use so far.
        after: the new one.
    """

    frames: int
    faces: int
    before: Showing
    after: Showing

    @property
    def is_better(self) -> bool:
        """Whether the new detector is the better one.

        It is if more faces are found than false alarms are added.  Where the difference is of
        one face or false alarm at most, which may be luck, the tighter boxes decide: mean AP.
        """
        before, after = self.before, self.after
        gain = (after.found - after.false_alarms) - (before.found - before.false_alarms)
        return gain > 0 if abs(gain) > _DRAW else after.mean_ap >= before.mean_ap

    def describe(self) -> list[str]:
        """Return both in words, a line each."""
        names = (f"before ({self.before.name})", "now")
        width = max(map(len, names)) + 1
        return [
            f"{f'{name}:':{width}} {each.found} of {self.faces} faces found, "
            f"{plural(each.false_alarms, 'false alarm')}, AP {each.ap:.3f}, "
            f"mean {each.mean_ap:.3f}"
            for name, each in zip(names, (self.before, self.after), strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return all figures as plain values."""
        return {**asdict(self), "is_better": self.is_better}


def compare_detectors(
    before: tuple[str, Detector],
    after: tuple[str, Detector],
    images: Callable[[], Iterable[Pixels]],
    faces: TrueBoxes,
    workers: int = 1,
) -> Comparison:
    """Search annotated frames with two detectors, each as its weights recommend.

    Args:
        before: name and detector.
        after: name and detector.
        images: gives the frames, (H, W, 3) uint8 each; called twice, read one by one.
        faces: their true boxes, in the same order.
        workers: frames searched side by side.
    """
    (frames, first), (_, second) = (
        _measure(name, detector, images(), faces, workers) for name, detector in (before, after)
    )
    return Comparison(frames, len(faces), first, second)


def _measure(
    name: str, detector: Detector, images: Iterable[Pixels], faces: TrueBoxes, workers: int
) -> tuple[int, Showing]:
    """Return how many frames were searched, and what the detector shows on them."""
    settings = detector.settings
    found = [each.detections for each in detector.search(images, settings, workers=workers)]
    ranking = Ranking.of([each.boxes for each in found], [each.scores for each in found])
    metrics = measure(ranking, faces, len(found))
    shown = metrics.curve.hits[metrics.curve.scores >= settings.score]
    hits = int(shown.sum())
    figures = (hits, len(shown) - hits, metrics.ap["0.3"], metrics.ap["0.5:0.95"])
    return len(found), Showing(name, *figures)
