"""What a session knows of each frame: its boxes, where they came from, how far it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, get_args

from facetl.boxes import Boxes, as_boxes
from facetl.errors import AnnotationError

State = Literal["waiting", "done", "skipped"]
STATES: tuple[State, ...] = get_args(State)
Corners = tuple[float, float, float, float]
"""``x1, y1, x2, y2`` in pixels, half open."""

MOST_BOXES = 1000
"""Boxes that a frame may have."""
LONGEST_LABEL = 100
"""Characters of a label."""
_LEAST_SIDE = 1.0
"""Pixels that a box has at least to each side."""


@dataclass(frozen=True)
class Box:
    """A box of a frame.

    Attributes:
        id: its number, which no other box of the frame has or had.
        corners: where it is.
        label: who it is, None where not known.
        score: of the detector that suggested it, in [0, 1]; None for one that a person drew, or
            that stood in the annotations.
        origin: where it was suggested; None for one that was not.
        is_sure: whether the detector is sure of it, or a person has drawn or changed it.
    """

    id: int
    corners: Corners
    label: str | None = None
    score: float | None = None
    origin: Corners | None = None
    is_sure: bool = True

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what ``dataclasses.asdict`` wrote.

        Raises:
            KeyError, TypeError, ValueError: if it is something else.
        """
        origin = content["origin"]
        return cls(
            id=int(content["id"]),
            corners=_corners(content["corners"]),
            label=None if content["label"] is None else str(content["label"]),
            score=None if content["score"] is None else float(content["score"]),
            origin=None if origin is None else _corners(origin),
            is_sure=bool(content["is_sure"]),
        )


@dataclass(frozen=True)
class FrameRecord:
    """A frame of a session.

    Attributes:
        name: ``GROUP/PICTURE``, as ``episode.mp4/000123.png``.
        size_hw: height and width in pixels.
        state: how far it is.
        boxes: its faces, if it is done; else what is suggested, or was changed already.
        touched: whether a person has changed the boxes, so that no suggestion replaces them.
        revision: counts its changes; whoever changes it says which one was seen.
        doubt: how unsure the detector is, 0 or more.
        is_first: whether it is the one of its shot that comes first.
        time: seconds from the start of the video; None for an image.
        shot: number of the shot in its video.
        next_id: of the next box.
    """

    name: str
    size_hw: tuple[int, int]
    state: State = "waiting"
    boxes: tuple[Box, ...] = ()
    touched: bool = False
    revision: int = 0
    doubt: float = 0.0
    is_first: bool = True
    time: float | None = None
    shot: int = 0
    next_id: int = 1

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what ``dataclasses.asdict`` wrote.

        Raises:
            KeyError, TypeError, ValueError: if it is something else.
        """
        if content["state"] not in STATES:
            raise ValueError(f"found the state {content['state']!r}")
        height, width = map(int, content["size_hw"])
        boxes = tuple(map(Box.from_json, content["boxes"]))
        return cls(**{**content, "size_hw": (height, width), "boxes": boxes})

    @property
    def group(self) -> str:
        """The video or folder that it is from."""
        return self.name.partition("/")[0]

    @property
    def corners(self) -> Boxes:
        """(N, 4) where its boxes are."""
        return as_boxes([box.corners for box in self.boxes])

    @property
    def labels(self) -> list[str | None]:
        """N labels of its boxes."""
        return [box.label for box in self.boxes]

    def suggesting(self, boxes: Boxes, scores: Iterable[float], sure: float) -> Self:
        """Return the frame with other suggestions in place of its boxes.

        Args:
            boxes: (N, 4).
            scores: N of them.
            sure: score from which the detector is sure.
        """
        made: list[Box] = []
        for corners, score in zip(boxes.tolist(), scores, strict=True):
            place, own_id = _corners(corners), self.next_id + len(made)
            made.append(Box(own_id, place, None, float(score), place, score >= sure))
        return replace(self, boxes=tuple(made), next_id=self.next_id + len(made))

    def holding(self, boxes: Boxes, labels: Sequence[str | None]) -> Self:
        """Return the frame with boxes that a file of annotations has for it, ids kept if equal."""
        faces = [(_corners(each), label) for each, label in zip(boxes, labels, strict=True)]
        if [(box.corners, box.label) for box in self.boxes] == faces:
            return self
        made = tuple(
            Box(self.next_id + place, corners, label)
            for place, (corners, label) in enumerate(faces)
        )
        return replace(self, boxes=made, next_id=self.next_id + len(made), touched=True)

    def changed(self, given: Sequence[Mapping[str, Any]], state: State) -> Self:
        """Return the frame as a person changed it.

        Args:
            given: for each box its ``id`` (None for a new one), ``corners`` and ``label``.
            state: how far the frame is.

        Raises:
            AnnotationError: if there is no such state, or a box cannot be one.
        """
        if state not in STATES:
            raise AnnotationError(f"found the state {state!r}; give one of {', '.join(STATES)}")
        if len(given) > MOST_BOXES:
            raise AnnotationError(f"found {len(given)} boxes; give at most {MOST_BOXES}")
        known, next_id, boxes = {box.id: box for box in self.boxes}, self.next_id, []
        for each in given:
            own_id = each.get("id")
            old = known.pop(own_id, None) if isinstance(own_id, int) else None
            box = old or Box(next_id, (0, 0, 0, 0))
            next_id += old is None
            corners = fit_corners(each.get("corners"), self.size_hw)
            changed = replace(box, corners=corners, label=clean_label(each.get("label")))
            boxes.append(changed if changed == box else replace(changed, is_sure=True))
        touched = self.touched or tuple(boxes) != self.boxes
        return replace(self, boxes=tuple(boxes), state=state, touched=touched, next_id=next_id)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def fit_corners(given: object, size_hw: tuple[int, int]) -> Corners:
    """Return corners inside a frame.

    Raises:
        AnnotationError: if they are no four finite numbers, or nothing of the box is inside.
    """
    numbers = given if isinstance(given, list | tuple) else ()
    if len(numbers) != 4 or not all(map(_is_finite, numbers)):
        raise AnnotationError(f"found the box {str(given)[:80]}; give four numbers of pixels")
    (height, width), (x1, y1, x2, y2) = size_hw, map(float, numbers)
    corners = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
    if corners[2] - corners[0] < _LEAST_SIDE or corners[3] - corners[1] < _LEAST_SIDE:
        raise AnnotationError(f"found the box {str(given)[:80]}; draw it larger, inside the frame")
    return corners


def clean_label(given: object) -> str | None:
    """Return a label without needless spaces, None for an empty one.

    Raises:
        AnnotationError: if it is no text, or too long.
    """
    if given is None:
        return None
    if not isinstance(given, str) or len(given) > LONGEST_LABEL:
        raise AnnotationError(
            f"found the label {str(given)[:40]!r}, expected at most {LONGEST_LABEL} characters"
        )
    return " ".join(given.split()) or None


def _is_finite(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < 1e9 and math.isfinite(value)  # type: ignore[arg-type]


def _corners(values: Sequence[float]) -> Corners:
    x1, y1, x2, y2 = map(float, values)
    return x1, y1, x2, y2
