"""Windows to learn from: drawn around faces and elsewhere, then labelled by their overlap.

What annotators excluded is neither face nor background: a window of which a region to be ignored
covers as much as the negatives' limit of overlap, intersection over the window's own area, is no
negative.  Such a region has no positives and no part faces; those of the faces beside or inside
it stay what they are.

The bands are those of MTCNN (Zhang et al. 2016, section III-B): positives, part faces and
negatives, with an unused gap between the last two.  A square window can never reach an
intersection over union of 0.65 with an elongated face, so by default overlap is measured
against the face's square, as the later stages of the cascade see it.  Regression targets
always point to the true box.

Everything is drawn in bulk: far more windows than needed, of which the first few of each class
are kept.  Corners are whole pixels, because crops are; so pixels and targets agree.  The later
stages learn from what the earlier ones propose (:func:`pool_proposals`): hard negatives are the
false alarms that really reach them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes, area, as_boxes, clip, coverage, iou, offsets, square
from facetl.training.recipe import Bands, Match, Recipe

SMALLEST_SIDE = 12
"""Side in pixels of the smallest window: what the first network sees without enlarging."""

LEAST_VISIBLE = 0.5
"""Share of a window that must lie inside the frame.

With less than half of it left, a window no longer resembles what it is labelled as.
"""

OVERSAMPLING = 10
"""Candidates drawn for each window wanted."""

_SHIFT = 0.25  # of the face's side, either way
_LOG_SCALE = 0.35  # sides from e^-0.35 to e^0.35 of the face's side
_LOG_SCALE_NEAR = 1.2  # hard negatives: from a third to three times the face's side


class Label(IntEnum):
    """What a window is to the networks; a patch file holds all but IGNORED."""

    NEGATIVE = 0
    POSITIVE = 1
    PART = 2
    IGNORED = 3


@dataclass(frozen=True, eq=False)
class LabelledWindows:
    """Windows with what the networks should say about them, as columns of one length.

    Attributes:
        windows: (N, 4) square windows in the image.
        labels: (N,) uint8, values of :class:`Label`.
        offsets: (N, 4) from the window to the true box of its face, as fractions of the
            window's side; zeros for negatives and ignored windows.
        face_index: (N,) which face the window overlaps most; -1 in a frame without faces.
    """

    windows: Boxes
    labels: NDArray[np.uint8]
    offsets: Boxes
    face_index: NDArray[np.intp]

    def __post_init__(self) -> None:
        shapes = [column.shape for column in self._columns()]
        count = len(self.labels)
        if shapes != [(count, 4), (count,), (count, 4), (count,)]:
            raise ValueError(f"expected shapes (N, 4), (N,), (N, 4), (N,), got {shapes}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: slice | NDArray[np.bool_] | NDArray[np.intp]) -> LabelledWindows:
        """Return some of the windows; all columns go together."""
        return LabelledWindows(*(column[chosen] for column in self._columns()))

    def of(self, label: Label) -> LabelledWindows:
        """Return the windows with this label."""
        return self[self.labels == label]

    def first_per_face(self, count: int) -> LabelledWindows:
        """Return at most the first ``count`` windows of each face, face by face."""
        faces = np.unique(self.face_index)
        firsts = [np.flatnonzero(self.face_index == face)[:count] for face in faces]
        return self[np.concatenate([np.zeros(0, np.intp), *firsts])]

    @classmethod
    def joined(cls, groups: Sequence[LabelledWindows]) -> LabelledWindows:
        """Return the windows of all groups, one group after the other."""
        return cls(*map(np.concatenate, zip(*(group._columns() for group in groups), strict=True)))

    def _columns(self) -> list[NDArray[Any]]:
        return [getattr(self, column.name) for column in fields(self)]


@dataclass(frozen=True, eq=False)
class Pool:
    """Windows of one frame to choose from, not labelled yet: (N, 4) each, visible enough.

    Attributes:
        around: where positives and parts are taken from.
        near: where the first negatives are taken from, the hardest first.
        anywhere: where the rest of the negatives is taken from.
    """

    around: Boxes
    near: Boxes
    anywhere: Boxes


def draw_pool(
    faces: Boxes, size_hw: tuple[int, int], recipe: Recipe, rng: np.random.Generator
) -> Pool:
    """Draw windows of one frame: ``OVERSAMPLING`` times as many as the recipe asks for.

    Around faces they are shifted and scaled a little, near faces so much that they just touch;
    anywhere they lie inside the frame, of all sizes.

    Args:
        faces: (N, 4) true boxes of all faces of the frame.
        size_hw: height and width of the frame in pixels.
        recipe: how many windows of each class.
        rng: source of randomness.
    """
    per_face = OVERSAMPLING * (recipe.positives + recipe.parts)
    per_frame = OVERSAMPLING * recipe.negatives
    around = _draw_around(np.repeat(faces, per_face, axis=0), rng)
    near = _draw_near(faces[rng.integers(len(faces), size=per_frame)], rng) if len(faces) else faces
    anywhere = _draw_anywhere(per_frame, size_hw, rng)
    return Pool(*(_visible(windows, size_hw) for windows in (around, near, anywhere)))


def pool_proposals(
    proposals: Boxes, drawn: Pool, size_hw: tuple[int, int], rng: np.random.Generator
) -> Pool:
    """Put the proposals of the earlier stages before the windows drawn at random.

    Hard negative mining: negatives are the proposals with the best scores that show no face.
    Positives and parts are taken from the proposals in random order.  Where there are too few,
    the drawn windows make up for them.

    Args:
        proposals: (N, 4) windows, best score first.
        drawn: windows of the same frame from :func:`draw_pool`.
        size_hw: height and width of the frame in pixels.
        rng: source of randomness.
    """
    seen = _visible(proposals, size_hw)
    around = np.concatenate([rng.permutation(seen), drawn.around])
    return Pool(around, np.concatenate([seen, drawn.near]), drawn.anywhere)


def choose_windows(
    pool: Pool, faces: Boxes, recipe: Recipe, ignored: Boxes | None = None
) -> LabelledWindows:
    """Label the windows of one frame and keep as many of each class as the recipe says."""
    around, near, anywhere = (
        label_windows(windows, faces, recipe.bands, recipe.match, ignored)
        for windows in (pool.around, pool.near, pool.anywhere)
    )
    hard = near.of(Label.NEGATIVE)[: round(recipe.negatives * recipe.near_share)]
    easy = anywhere.of(Label.NEGATIVE)[: recipe.negatives - len(hard)]
    positives = around.of(Label.POSITIVE).first_per_face(recipe.positives)
    parts = around.of(Label.PART).first_per_face(recipe.parts)
    return LabelledWindows.joined([positives, parts, hard, easy])


def label_windows(
    windows: Boxes,
    faces: Boxes,
    bands: Bands | None = None,
    match: Match = "square",
    ignored: Boxes | None = None,
) -> LabelledWindows:
    """Label any square windows of one frame by their overlap with its faces.

    Each window belongs to the face that it overlaps most.  Under ``square``, overlap is
    measured against the faces' squares, and a negative must stay below its limit with every
    face's square and every face's box; under ``box``, both are measured against boxes alone.
    Of a negative, no region to be ignored may cover as much as that limit.

    Args:
        windows: (N, 4) windows, not empty.
        faces: (M, 4) true boxes, all faces of the frame.
        bands: limits of overlap; MTCNN's own by default.
        match: what overlap is measured against.
        ignored: (K, 4) regions to be ignored, all of the frame; None for none.
    """
    bands = bands or Bands()
    covered = coverage(windows, as_boxes([]) if ignored is None else ignored) >= bands.negative
    if not len(faces):
        return _all_background(windows, covered)
    overlap = _match_overlap(windows, faces, match)
    face_index = overlap.argmax(axis=1)
    highest = overlap.max(axis=1)
    background = np.maximum(highest, iou(windows, faces).max(axis=1)) < bands.negative
    labels = np.select(
        [highest >= bands.positive, highest >= bands.part, background & ~covered],
        [Label.POSITIVE, Label.PART, Label.NEGATIVE],
        default=Label.IGNORED,
    ).astype(np.uint8)
    is_face = (labels == Label.POSITIVE) | (labels == Label.PART)
    targets = np.where(is_face[:, None], offsets(windows, faces[face_index]), 0.0)
    return LabelledWindows(windows, labels, targets, face_index)


def faces_without_positive(windows: Boxes, faces: Boxes, bands: Bands, match: Match) -> int:
    """Count the faces to which none of the windows is a positive under the rule ``match``."""
    if not len(faces):
        return 0
    overlap = _match_overlap(windows, faces, match)
    positive = overlap.max(axis=1) >= bands.positive
    return len(faces) - len(np.unique(overlap[positive].argmax(axis=1)))


def _match_overlap(windows: Boxes, faces: Boxes, match: Match) -> Boxes:
    """Return the (N, M) IoU of N windows with M faces, as the rule has it."""
    return iou(windows, square(faces) if match == "square" else faces)


def _all_background(windows: Boxes, covered: NDArray[np.bool_]) -> LabelledWindows:
    """Return windows of a frame without faces: negatives, where nothing is to be ignored."""
    count = len(windows)
    labels = np.where(covered, Label.IGNORED, Label.NEGATIVE).astype(np.uint8)
    return LabelledWindows(windows, labels, np.zeros((count, 4)), np.full(count, -1, np.intp))


def _draw_around(faces: Boxes, rng: np.random.Generator) -> Boxes:
    """Return one shifted and scaled square for each of (N, 4) faces."""
    centres, sides = _centres_and_sides(faces)
    shifts = rng.uniform(-_SHIFT, _SHIFT, centres.shape) * sides[:, None]
    scales = np.exp(rng.uniform(-_LOG_SCALE, _LOG_SCALE, sides.shape))
    return _windows(centres + shifts, sides * scales)


def _draw_near(faces: Boxes, rng: np.random.Generator) -> Boxes:
    """Return one square for each of (N, 4) faces that touches the face's square."""
    centres, sides = _centres_and_sides(faces)
    new_sides = sides * np.exp(rng.uniform(-_LOG_SCALE_NEAR, _LOG_SCALE_NEAR, sides.shape))
    reach = (sides + new_sides) / 2
    shifts = rng.uniform(-1, 1, centres.shape) * reach[:, None]
    return _windows(centres + shifts, new_sides)


def _draw_anywhere(count: int, size_hw: tuple[int, int], rng: np.random.Generator) -> Boxes:
    """Return squares inside the frame, their sides log-uniform up to its shorter edge."""
    height, width = size_hw
    shorter = min(size_hw)
    sides = np.exp(rng.uniform(np.log(min(SMALLEST_SIDE, shorter)), np.log(shorter), count))
    room = np.array([width, height]) - sides[:, None]
    return _windows(rng.uniform(0, 1, (count, 2)) * room + sides[:, None] / 2, sides)


def _centres_and_sides(faces: Boxes) -> tuple[Boxes, NDArray[np.floating[Any]]]:
    """Return the (N, 2) centres and (N,) sides of the faces' squares."""
    return (faces[:, :2] + faces[:, 2:]) / 2, (faces[:, 2:] - faces[:, :2]).max(axis=1)


def _windows(centres: Boxes, sides: NDArray[np.floating[Any]]) -> Boxes:
    """Return (N, 4) squares with corners on whole pixels, none smaller than SMALLEST_SIDE."""
    sides = np.maximum(np.rint(sides), SMALLEST_SIDE)[:, None]
    top_left = np.rint(centres - sides / 2)
    return np.concatenate([top_left, top_left + sides], axis=1)


def _visible(windows: Boxes, size_hw: tuple[int, int]) -> Boxes:
    # A window wholly outside is clipped to one without area, on the border.  An untrained network
    # may propose windows turned inside out, or too small to be sure to hold a pixel.
    windows = windows[(windows[:, 2:] - windows[:, :2] >= 2).all(axis=1)]
    return windows[area(clip(windows, size_hw)) >= LEAST_VISIBLE * area(windows)]
