"""Choosing how a detector searches, for a stated aim: which pyramids to try, which trial to take.

Figures that differ by no more than a tolerance count as equal.  Among equal settings the cheapest
pyramid wins, and then the lowest thresholds of PNet and RNet, because a face that they lose is
lost for good, and frames that were not seen are harder.

AP, which no final threshold is fitted to, counts as equal within half a standard error of the
best, ``√(AP (1 − AP) / faces) / 2``, after the one-standard-error rule of Breiman et al. (1984,
"Classification and Regression Trees", section 3.4.3): a greater AP on the frames given is then
more likely to be their luck.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from facetl.boxes import Boxes
from facetl.data.images import Pixels
from facetl.errors import InputError
from facetl.evaluation.matching import Ranking, TrueBoxes, find_overlaps
from facetl.evaluation.metrics import draw_curve
from facetl.evaluation.tuning.aims import Aim
from facetl.evaluation.tuning.threshold_grid import (
    FLOOR,
    TUNING_IOU,
    Trial,
    find_cut,
    lowest_score,
)
from facetl.mtcnn.detector import Detector
from facetl.search.settings import Settings

_MIN_FACES = (12.0, 16.0, 20.0, 24.0, 30.0, 40.0, 60.0, 80.0)
"""Sides in pixels of the smallest face looked for that are worth trying."""

_SMALL_FACES = 0.05
"""Share of the faces that a fast search may be too coarse for; their AP decides."""

FEWEST_FACES = 20
"""With fewer faces a single false alarm decides where F1 is best."""

_TOLERANCE = 0.001
_SPEED_TOLERANCE = 0.002
"""How much AP a faster setting may lose."""


@dataclass(frozen=True)
class Criterion:
    """A figure to be maximised.

    Attributes:
        title: what it is called in tables and plots.
        figure: how to read it off a trial.
        tolerance: how far below the best counts as equal, at least.
        standard_errors: how many standard errors of the best count as equal.
    """

    title: str
    figure: Callable[[Trial], float]
    tolerance: float = _TOLERANCE
    standard_errors: float = 0.0

    def level(self, trials: Sequence[Trial]) -> float:
        """Return the figure from which trials count as equal to the best of them."""
        best = max(map(self.figure, trials))
        standard_error = sqrt(best * (1 - best) / trials[0].curve.faces)
        return best - max(self.tolerance, self.standard_errors * standard_error)


def _default_min_faces(faces: Sequence[Boxes], aim: Aim, at_most: int = 2) -> tuple[float, ...]:
    """Return which smallest faces to look for are worth a search pass.

    The greatest that the smallest annotated face allows, by its longer edge; for speed also all
    above that a twentieth of the faces is smaller than at most: their AP tells what they lose.
    """
    edges = [(boxes[:, 2:] - boxes[:, :2]).max(axis=1) for boxes in faces if len(boxes)]
    longer = np.concatenate(edges) if edges else np.zeros(1)
    allowed = sum(side <= longer.min() for side in _MIN_FACES) or 1
    small = float(np.quantile(longer, _SMALL_FACES)) if aim.figure == "speed" else 0.0
    upto = max(allowed, sum(side <= small for side in _MIN_FACES))
    return _MIN_FACES[max(allowed - at_most, 0) : upto]


def plan_pyramids(
    own: Settings,
    faces: Sequence[Boxes],
    aim: Aim,
    min_faces: Sequence[float] = (),
    factors: Sequence[float] = (),
) -> list[Settings]:
    """Return the pyramids that are worth a search pass, each at the lowest thresholds.

    Args:
        own: how the weights have searched so far.
        faces: the true boxes by frame.
        aim: what the tuning is for.
        min_faces: smallest faces to look for; by default those that the faces allow, and that
            of the weights.
        factors: ratios of neighbouring levels; by default that of the weights.
    """
    sides = min_faces or (*_default_min_faces(faces, aim), own.min_face)
    return [
        replace(own, thresholds=FLOOR, min_face=side, factor=factor)
        for factor in sorted(set(factors or [own.factor]))
        for side in sorted(set(sides))
    ]


def choose(trials: Sequence[Trial], aim: Aim) -> Trial:
    """Return the trial that serves the aim best (see the module's head for what is equal).

    Raises:
        InputError: if there is none, or none reaches the bound; says the best that can be had.
    """
    equals = _reaching(trials, aim)
    for criterion in criteria_of(aim):
        level = criterion.level(equals)
        equals = [trial for trial in equals if criterion.figure(trial) >= level]
    if aim.figure == "speed":
        return min(equals, key=lambda trial: trial.milliseconds)
    return max(equals, key=_preference)


def shown_score(trial: Trial, aim: Aim) -> float:
    """Return the score from which what a setting finds is shown: where F1 is best.

    Where the aim is bounded, that is where the trial itself cuts.
    """
    if aim.at_least is not None:
        return trial.cut
    return find_cut(trial.curve, Aim("f1"), trial.cut).threshold


def find_score(
    detector: Detector, images: Iterable[Pixels], faces: TrueBoxes, workers: int = 1
) -> float | None:
    """Return the score at which a detector has its best F1, as it searches by itself.

    Args:
        detector: the cascade.
        images: (H, W, 3) uint8 each; read one by one and not kept.
        faces: the true boxes of these frames, in their order.
        workers: frames searched side by side.

    Returns:
        The score; None if there are too few faces to tell, or nothing is found.
    """
    if len(faces) < FEWEST_FACES:
        return None
    searches = detector.search(images, detector.settings, workers=workers)
    found = [search.detections for search in searches]
    ranking = Ranking.of([each.boxes for each in found], [each.scores for each in found])
    curve = draw_curve(ranking, find_overlaps(ranking, faces), len(faces), TUNING_IOU)
    if not len(curve.hits):
        return None
    return find_cut(curve, Aim("f1"), lowest_score(detector.settings)).threshold


def rank(trials: Sequence[Trial], aim: Aim, count: int) -> list[Trial]:
    """Return the best few trials, each the choice among what those before it leave.

    Raises:
        InputError: as :func:`choose` does.
    """
    left = _reaching(trials, aim)
    ranked: list[Trial] = []
    while left and len(ranked) < count:
        ranked.append(choose(left, aim))
        left.remove(ranked[-1])
    return ranked


def criteria_of(aim: Aim) -> tuple[Criterion, ...]:
    """Return what an aim wants maximised, the most important first."""
    return {
        "ap": (
            Criterion("AP at IoU 0.3", lambda trial: trial.ap["0.3"], standard_errors=0.5),
            Criterion(
                "AP, mean of IoU 0.5:0.95", lambda trial: trial.ap["0.5:0.95"], standard_errors=0.5
            ),
        ),
        "f1": (Criterion("F1", lambda trial: trial.f1),),
        "speed": (Criterion("AP at IoU 0.5", lambda trial: trial.ap["0.5"], _SPEED_TOLERANCE),),
        "recall": (Criterion("precision", lambda trial: trial.precision),),
        "precision": (Criterion("recall", lambda trial: trial.recall),),
    }[aim.figure]


def reaches(trial: Trial, aim: Aim) -> bool:
    """Return whether a trial keeps to the bound of an aim."""
    return aim.at_least is None or bool(getattr(trial, aim.figure) >= aim.at_least)


def _preference(trial: Trial) -> tuple[float, ...]:
    """Return what decides between equals: the cheaper pyramid, then the lower thresholds."""
    first, second, _ = trial.settings.thresholds
    return (trial.settings.min_face, -trial.settings.factor, -first, -second)


def _reaching(trials: Sequence[Trial], aim: Aim) -> list[Trial]:
    """Return the trials that keep to the bound of an aim."""
    if not trials:
        raise InputError("found no face at any setting; train the weights, or give other frames")
    reaching = [trial for trial in trials if reaches(trial, aim)]
    if not reaching:
        raise InputError(_describe_nearest(trials, aim))
    return reaching


def _describe_nearest(trials: Sequence[Trial], aim: Aim) -> str:
    def figure(trial: Trial) -> float:
        return float(getattr(trial, aim.figure))

    nearest = max(trials, key=figure)
    return (
        f"no setting reaches {aim} on these frames; the best that can be had is a {aim.figure} of "
        f"{figure(nearest):.4f}, with {_describe_settings(nearest.settings)}; aim lower or train on"
    )


def _describe_settings(settings: Settings) -> str:
    """Return settings as people read them."""
    thresholds = " ".join(f"{threshold:g}" for threshold in settings.thresholds)
    pyramid = f"min face {settings.min_face:g}, factor {settings.factor:g}"
    return f"thresholds {thresholds}, {pyramid}"
