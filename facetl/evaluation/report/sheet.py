"""Pictures before figures: faces that a run misses, finds wrongly, loosely, and rightly, cut out.

All that counts is what reaches the score that a run is shown from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import area
from facetl.data.crops import cut_window, in_view, square_windows, windows_around
from facetl.data.images import Pixels, encode_jpeg, load_image, shrink
from facetl.errors import ImageError
from facetl.evaluation.diagnosis import Mistake
from facetl.evaluation.report.frames import ReportFrame
from facetl.evaluation.scoring import Evaluation

KINDS = ("missed", "false_alarms", "loose", "right")
"""What there are pictures of."""
MOST = 12
"""Pictures of a kind, of each run."""
LOOSE_IOU = 0.5
"""Below this IoU with its face a box that counts as found is loose."""
_MARGIN, _LEAST_MARGIN = 0.4, 16.0
"""What is shown around the boxes: a share of their sides, and pixels at least."""
_SIDE, _QUALITY = 160, 80
"""Of the pictures, JPEG: longest side in pixels, and quality."""
_VERDICTS = {
    Mistake.BACKGROUND: "no face annotated",
    Mistake.DUPLICATE: "second box of a face",
    Mistake.LOCALISATION: "too far off a face",
}


class Spot(NamedTuple):
    """A place in a frame that is worth a picture.

    Attributes:
        kind: of :data:`KINDS`.
        frame: the name of the frame.
        face: (4,) the true box, if there is one.
        found: (4,) the box that was found, if there is one.
        text: what is to be said of it, in a few words.
        rank: the least come first.
    """

    kind: str
    frame: str
    face: NDArray[np.float64] | None
    found: NDArray[np.float64] | None
    text: str
    rank: float


class Drawn(NamedTuple):
    """A rectangle over a picture: how it is drawn, and where in the frame."""

    style: str
    box: tuple[float, float, float, float]


class Cutout(NamedTuple):
    """A spot as a picture.

    Attributes:
        spot: what is shown.
        picture: a JPEG file.
        window: x1, y1, x2, y2 of the picture in the frame.
        drawn: the boxes over it.
    """

    spot: Spot
    picture: bytes
    window: tuple[int, int, int, int]
    drawn: tuple[Drawn, ...]


@dataclass(frozen=True)
class Row:
    """Pictures of one kind.

    Attributes:
        kind: of :data:`KINDS`.
        total: how many there are.
        cutouts: some of them.
    """

    kind: str
    total: int
    cutouts: Sequence[Cutout]


Sheet = Sequence[Row]
"""The pictures of a run."""


def draw_sheets(
    frames: Sequence[ReportFrame], evaluations: Sequence[Evaluation], places: Mapping[str, Path]
) -> list[Sheet]:
    """Return a sheet for each run; without pictures where the frames cannot be read.

    Args:
        frames: all that were searched.
        evaluations: the runs.
        places: where the frames lie, by name; any may be missing.
    """
    found = [find_spots(frames, run) for run in evaluations]
    shown = [{kind: _choose(kind, spots) for kind, spots in each.items()} for each in found]
    every = (spot for each in shown for spots in each.values() for spot in spots)
    cut = _cut_all(every, places)
    return [
        [
            Row(kind, len(spots), [cut[id(spot)] for spot in some[kind] if id(spot) in cut])
            for kind, spots in each.items()
        ]
        for each, some in zip(found, shown, strict=True)
    ]


def find_spots(frames: Iterable[ReportFrame], run: Evaluation) -> dict[str, list[Spot]]:
    """Return all places of each kind, the most telling ones first.

    Missed faces come from the largest on, false alarms from the surest, loose boxes from the
    loosest, right ones in the order of the frames.
    """
    spots: dict[str, list[Spot]] = {kind: [] for kind in KINDS}
    for frame in frames:
        for spot in (*_find_missed(frame, run), *_find_boxes(frame, run)):
            spots[spot.kind].append(spot)
    return {kind: sorted(each, key=lambda spot: spot.rank) for kind, each in spots.items()}


def _find_missed(frame: ReportFrame, run: Evaluation) -> Iterator[Spot]:
    found, least = frame.detections[run.name], run.shown.score_threshold
    hits = found.matches.hits
    scores = dict(zip(found.matches.face[hits].tolist(), found.scores[hits].tolist(), strict=True))
    for row, face in enumerate(frame.boxes):
        if not scores.get(row, -np.inf) >= least:
            text = f"only at {scores[row]:.2f}" if row in scores else "not found at all"
            yield Spot("missed", frame.name, face, None, text, -float(area(face[None])[0]))


def _find_boxes(frame: ReportFrame, run: Evaluation) -> Iterator[Spot]:
    found, least = frame.detections[run.name], run.shown.score_threshold
    matches = found.matches
    for row in np.flatnonzero(found.scores >= least).tolist():
        box, score, verdict = found.boxes[row], float(found.scores[row]), matches.verdicts[row]
        iou, place = float(matches.iou[row]), int(matches.face[row])
        face = frame.boxes[place] if place >= 0 and verdict is not Mistake.BACKGROUND else None
        if verdict is not None:
            text = f"{score:.2f}, {_VERDICTS[verdict]}"
            yield Spot("false_alarms", frame.name, face, box, text, -score)
        elif iou < LOOSE_IOU:
            text = f"{score:.2f}, {iou:.0%} shared"
            yield Spot("loose", frame.name, face, box, text, iou)
        else:
            yield Spot("right", frame.name, face, box, f"{score:.2f}", 0.0)


def _choose(kind: str, spots: Sequence[Spot]) -> list[Spot]:
    """Return the first ones; of right ones, which have no order, some at equal distances."""
    if kind != "right" or len(spots) <= MOST:
        return list(spots[:MOST])
    return [spots[place] for place in np.linspace(0, len(spots) - 1, MOST).astype(int)]


def _cut_all(spots: Iterable[Spot], places: Mapping[str, Path]) -> dict[int, Cutout]:
    """Return the pictures of spots by their ``id``; each frame is read once."""
    by_frame: dict[str, list[Spot]] = {}
    for spot in spots:
        by_frame.setdefault(spot.frame, []).append(spot)
    cut = {}
    for name, members in by_frame.items():
        for spot, cutout in _cut_of_frame(places.get(name), members):
            cut[id(spot)] = cutout
    return cut


def _cut_of_frame(place: Path | None, spots: Sequence[Spot]) -> Iterator[tuple[Spot, Cutout]]:
    if place is None:
        return
    try:
        pixels = load_image(place)
    except ImageError:
        return
    for spot in spots:
        cutout = _cut(pixels, spot)
        if cutout is not None:
            yield spot, cutout


def _cut(pixels: Pixels, spot: Spot) -> Cutout | None:
    """Return a spot as a picture; None if it lies outside the frame."""
    size_hw = (pixels.shape[0], pixels.shape[1])
    boxes = np.array([box for box in (spot.face, spot.found) if box is not None])
    union = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])[None]
    sides = union[:, 2:] - union[:, :2]
    least = max(_MARGIN, _LEAST_MARGIN / max(float(sides.max()), 1.0))
    windows = square_windows(windows_around(union, least), size_hw)
    if not in_view(windows, size_hw)[0]:
        return None
    x1, y1, x2, y2 = windows[0].tolist()
    picture = encode_jpeg(shrink(cut_window(pixels, windows[0]), _SIDE), _QUALITY)
    return Cutout(spot, picture, (x1, y1, x2, y2), tuple(_draw(spot)))


def _draw(spot: Spot) -> Iterator[Drawn]:
    """Yield the boxes over a picture, in the styles of the frames."""
    if spot.face is not None:
        yield Drawn("miss" if spot.kind == "missed" else "truth", _as_tuple(spot.face))
    if spot.found is not None:
        yield Drawn("alarm" if spot.kind == "false_alarms" else "hit", _as_tuple(spot.found))


def _as_tuple(box: NDArray[np.float64]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = np.round(box, 1).tolist()
    return x1, y1, x2, y2
