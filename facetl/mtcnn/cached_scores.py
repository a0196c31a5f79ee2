"""The networks' scores of every window, computed once: higher thresholds then cost no network.

Three facts make the replay exact.

* RNet's and ONet's output for a window, and the square or box that follows from it, depend on
  that window alone.
* Raising a threshold on a score commutes with greedy NMS by that score: whether a window is
  kept depends only on windows with higher scores, and those that the higher threshold removes
  all come after those that it leaves.  So the NMS of PNet, RNet and ONet may be done at the
  lowest threshold of each, and its survivors filtered.
* What does not commute, a threshold of one stage with the NMS of the next, is done again; so is
  what depends on all that ONet is shown, the scores of two views.  What is found at any setting
  is rescored in a second pass over the images.

The networks see the windows of a frame in other batches than the detector's, so that scores
may differ in their last bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from facetl.data.images import Pixels
from facetl.mtcnn.backend import Backend
from facetl.mtcnn.candidates import Candidates, Floats
from facetl.mtcnn.detector import (
    Detector,
    onet_boxes,
    onet_nms,
    rnet_nms,
    rnet_squares,
    run_until,
    score_windows,
)
from facetl.mtcnn.fusion import fuse_views, turn_back, with_mirrored
from facetl.mtcnn.geometry import as_windows, place_windows
from facetl.mtcnn.nms import Indices
from facetl.mtcnn.rescoring import fuse_predictions, predict
from facetl.search.parallel import in_parallel
from facetl.search.settings import Settings

_IMAGES_TOGETHER = 16
"""Images whose faces are replayed together; both views of a frame always are."""


@dataclass(frozen=True)
class Costs:
    """Seconds that the networks take on one core, measured one frame at a time.

    Attributes:
        frame: for the image pyramid of a frame, PNet's share.
        rnet: for each window that RNet is shown.
        onet: for each window that ONet is shown.
    """

    frame: float
    rnet: float
    onet: float


@dataclass(frozen=True, eq=False)
class ReplayedSearch:
    """What the detector finds in all frames at one setting.

    Attributes:
        settings: the setting.
        detections: the faces of all frames, best score first, rescored if the settings say so;
            without landmarks.
        seconds: estimated for each frame, from the windows shown and their measured costs.
    """

    settings: Settings
    detections: Candidates
    seconds: float


@dataclass(frozen=True, eq=False)
class CachedScores:
    """The networks' scores and boxes of the windows of many frames, numbers only.

    Attributes:
        floor: the lowest thresholds that can be replayed, and the pyramid.
        frames: how many frames were searched.
        proposals: (P,) PNet's scores of all that it proposes.
        pnet_scores: (N,) PNet's scores of the proposals that RNet passes.
        after_rnet: (N,) the same proposals as RNet scored them.
        after_onet: (N,) the same once more, as ONet scored them; score 0 where the square that
            RNet wants lies outside the frame, which ONet is never shown.  If the mirror image is
            searched too, frames have two images each (see :mod:`facetl.mtcnn.fusion`).
        costs: what it took.
        rescore_all: rescores the faces of all frames at some settings, and tells the seconds that
            a face takes; None if the floor does not ask for it.
    """

    floor: Settings
    frames: int
    proposals: Floats
    pnet_scores: Floats
    after_rnet: Candidates
    after_onet: Candidates
    costs: Costs
    rescore_all: Callable[[Sequence[Candidates]], tuple[list[Candidates], float]] | None = None

    def covers(self, settings: Settings) -> bool:
        """Return whether settings can be replayed: this pyramid, no threshold below the floor."""
        pairs = zip(settings.thresholds, self.floor.thresholds, strict=True)
        floor = self.floor
        same_pyramid = replace(settings, thresholds=floor.thresholds, score=floor.score) == floor
        return same_pyramid and all(own >= lowest for own, lowest in pairs)

    def replay(
        self, pnet: Sequence[float], rnet: Sequence[float], last: float | None = None
    ) -> Iterator[ReplayedSearch]:
        """Yield what is found at each pair of a PNet and an RNet threshold.

        ONet's threshold is ``last``, by default that of the floor.  Unless faces are rescored, a
        higher one cuts the ranked detections short, no more.

        Raises:
            ValueError: if a threshold of PNet or RNet lies below the floor.
        """
        lowest = self.floor.thresholds
        last = lowest[2] if last is None else last
        if min(pnet, default=1.0) < lowest[0] or min(rnet, default=1.0) < lowest[1]:
            raise ValueError(f"expected thresholds of at least {lowest[:2]}, got {pnet}, {rnet}")
        found = []
        for first in pnet:
            rows = self._left_by_rnet(first)
            for second in rnet:
                passed = rows[self.after_rnet.scores[rows] > second]
                settings = replace(self.floor, thresholds=(first, second, last))
                faces = self._find_faces(self.after_onet[passed], settings)
                found.append((settings, faces, self._seconds(first, len(passed))))
        rescored, cost = [faces for _, faces, _ in found], 0.0
        if self.rescore_all:
            rescored, cost = self.rescore_all(rescored)
        for (settings, _, seconds), faces in zip(found, rescored, strict=True):
            best_first = faces[np.argsort(-faces.scores, kind="stable")]
            seconds += cost * len(faces) / max(self.frames, 1)
            yield ReplayedSearch(settings, best_first, seconds)

    def _find_faces(self, after_onet: Candidates, settings: Settings) -> Candidates:
        """Return the faces; a few frames at a time, as NMS and voting are quadratic."""
        blocks = after_onet.image_index // _IMAGES_TOGETHER
        found = [self._decide(after_onet[blocks == block], settings) for block in np.unique(blocks)]
        return Candidates.concatenate(found)

    def _decide(self, after_onet: Candidates, settings: Settings) -> Candidates:
        """Return the faces among what ONet has scored."""
        fused = fuse_views(after_onet) if settings.mirrored else after_onet
        return onet_nms(fused, settings)

    def _left_by_rnet(self, threshold: float) -> Indices:
        """Return the rows that PNet's threshold and RNet's NMS leave."""
        rows = np.flatnonzero(self.pnet_scores >= threshold)
        return rows[rnet_nms(self.after_rnet[rows], self.floor)]

    def _seconds(self, pnet_threshold: float, shown_to_onet: int) -> float:
        shown_to_rnet = int((self.proposals >= pnet_threshold).sum())
        windows = shown_to_rnet * self.costs.rnet + shown_to_onet * self.costs.onet
        return self.costs.frame + windows / max(self.frames, 1)


@dataclass(frozen=True, eq=False)
class _FrameScores:
    """The scores of one frame, and the times at which each network was done."""

    proposals: Floats
    pnet_scores: Floats
    after_rnet: Candidates
    after_onet: Candidates
    moments: tuple[float, ...]


def cache_scores(
    detector: Detector,
    images: Iterable[Pixels],
    floor: Settings,
    workers: int = 1,
    again: Callable[[], Iterable[Pixels]] | None = None,
) -> CachedScores:
    """Score the windows of many frames with the networks, one frame at a time.

    Args:
        detector: the cascade.
        images: (H, W, 3) uint8 each; any sizes; read one by one and not kept.
        floor: the pyramid, and the lowest thresholds that can be replayed.
        workers: frames scored side by side.
        again: gives the same images once more; only for settings that rescore.

    Raises:
        ValueError: if faces are rescored and the images cannot be had once more.
    """
    if floor.rescored and not again:
        raise ValueError("expected the images once more, to rescore what is found in them")
    score = partial(_score_frame, detector, floor)
    scored = list(in_parallel(score, enumerate(images), workers))
    none = Candidates.empty().scores
    return CachedScores(
        floor=floor,
        frames=len(scored),
        proposals=np.concatenate([none, *(each.proposals for each in scored)]),
        pnet_scores=np.concatenate([none, *(each.pnet_scores for each in scored)]),
        after_rnet=Candidates.concatenate([each.after_rnet for each in scored]),
        after_onet=Candidates.concatenate([each.after_onet for each in scored]),
        costs=_measure_costs(scored),
        rescore_all=partial(_rescore_all, again, workers) if floor.rescored and again else None,
    )


def _rescore_all(
    again: Callable[[], Iterable[Pixels]], workers: int, found: Sequence[Candidates]
) -> tuple[list[Candidates], float]:
    """Rescore the faces of all frames at some settings; each box of a frame is looked at once.

    Args:
        again: gives the images once more.
        workers: frames looked at side by side.
        found: for each setting the faces, of which ``image_index`` tells the frame.

    Returns:
        The faces in the same order, and the seconds of one core that a box takes.
    """
    faces = Candidates.concatenate(found)
    probabilities, places = np.zeros_like(faces.scores), np.zeros_like(faces.boxes)
    order = np.argsort(faces.image_index, kind="stable")
    numbers = faces.image_index[order]
    predict(np.zeros((1, 1, 3), np.uint8), np.ones((1, 4), np.float32))  # loads the network

    def look(frame: tuple[int, Pixels]) -> tuple[int, float]:
        number, image = frame
        rows = order[np.searchsorted(numbers, number) : np.searchsorted(numbers, number, "right")]
        boxes, which = np.unique(faces.boxes[rows], axis=0, return_inverse=True)
        began = time.perf_counter()
        own, where = predict(image, boxes)
        seconds = time.perf_counter() - began
        which = which.reshape(-1)  # numpy 2.0.0 gives a column
        probabilities[rows], places[rows] = own[which], where[which]
        return len(boxes), seconds

    looks = list(in_parallel(look, enumerate(again()), workers))
    boxes, seconds = np.array(looks, np.float64).reshape(-1, 2).sum(axis=0).tolist()
    rescored = fuse_predictions(faces, probabilities, places)
    ends = np.cumsum([len(each) for each in found])[:-1]
    parts = [rescored[rows] for rows in np.split(np.arange(len(faces)), ends)]
    return parts, seconds / max(boxes, 1)


def _score_frame(detector: Detector, floor: Settings, image: tuple[int, Pixels]) -> _FrameScores:
    """Return the scores of one frame, given with its number."""
    frame, pixels = image
    moments = [time.perf_counter()]
    images = pixels[None]
    backend = detector.backend(with_mirrored(images) if floor.mirrored else images)
    proposals = run_until("rnet_input", backend, floor)
    moments.append(time.perf_counter())
    seen = proposals[_visible(proposals, backend)]
    after_rnet = score_windows(backend, seen, "rnet", floor)
    passed = after_rnet.scores > floor.thresholds[1]
    after_rnet = after_rnet[passed]
    moments.append(time.perf_counter())
    squares = rnet_squares(after_rnet)
    after_onet = onet_boxes(backend, squares, floor)
    after_onet = turn_back(after_onet, pixels.shape[1]) if floor.mirrored else after_onet
    aligned = _spread(after_onet, _visible(squares, backend))
    moments.append(time.perf_counter())
    return _FrameScores(
        proposals=proposals.scores,
        pnet_scores=seen.scores[passed],
        after_rnet=_keep(after_rnet, frame * backend.count),
        after_onet=_keep(aligned, frame * backend.count),
        moments=tuple(moments),
    )


def _visible(candidates: Candidates, backend: Backend) -> NDArray[np.bool_]:
    """Return (N,) booleans: which candidates a network can be shown."""
    return place_windows(as_windows(candidates.boxes), backend.size_hw, padding=True)[1]


def _spread(candidates: Candidates, places: NDArray[np.bool_]) -> Candidates:
    """Return the candidates at the True places of a mask, zeros at the others."""
    columns = []
    for column in fields(candidates):
        values = getattr(candidates, column.name)
        spread = np.zeros((len(places), *values.shape[1:]), values.dtype)
        spread[places] = values
        columns.append(spread)
    return Candidates(*columns)


def _keep(candidates: Candidates, first: int) -> Candidates:
    """Return the candidates of one frame for the archive, without landmarks.

    ``first`` is the number of the frame's first image.
    """
    return replace(
        candidates,
        image_index=candidates.image_index + first,
        landmarks=candidates.landmarks[:, :0].copy(),  # which lets go of the others
    )


def _measure_costs(scored: Sequence[_FrameScores]) -> Costs:
    """Return the costs; the median frame stands for all, because the first has to warm up."""
    laps = np.diff(np.array([each.moments for each in scored], np.float64).reshape(-1, 4))
    shown = np.array([[len(each.proposals), len(each.after_rnet)] for each in scored])
    _, rnet, onet = laps.sum(axis=0).tolist()
    rnet_windows, onet_windows = shown.reshape(-1, 2).sum(axis=0).clip(min=1).tolist()
    frame = float(np.median(laps[:, 0])) if scored else 0.0
    return Costs(frame, rnet / rnet_windows, onet / onet_windows)
