"""What a detector found: faces, frames and runs."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from numbers import Integral
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from facetl.data.formats.names import FACE
from facetl.data.interop import as_table, import_library
from facetl.errors import DetectionsError, ImageError, printable
from facetl.results.origin import Origin
from facetl.results.shown_score import SCORE, recorded_score

if TYPE_CHECKING:
    from facetl.data.images import PilImage, Pixels
    from facetl.data.interop import DataFrame, SupervisionDetections
    from facetl.data.pictures import Picture

_LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
"""The five points of a face, in order, left and right as seen in the image."""
Floats = NDArray[np.float32]
_WIDEST = 640
"""Longest side in pixels of the picture that a notebook shows."""
_MOST_LINES = 10
"""Faces that a notebook lists where it has no picture."""


@dataclass(frozen=True)
class Face:
    """One face that was found.

    Attributes:
        box: ``x1, y1, x2, y2`` in pixels, half open; may leave the image a little.
        score: in [0, 1].
        landmarks: five ``(x, y)``, in the order of ``_LANDMARKS``.
        track: of a frame of a video, the number of the face that it follows, if it follows one.
        name: the character that it was recognised as, ``unknown`` if none; None if nobody asked.
        name_score: probability of the character that it is likeliest to be, in [0, 1].
    """

    box: tuple[float, ...]
    score: float
    landmarks: tuple[tuple[float, ...], ...]
    track: int | None = None
    name: str | None = None
    name_score: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Detections:
    """The faces found in one image, best score first.

    ``found[0]`` is a :class:`Face`, and so is each of ``for face in found``; a slice, a mask or
    an index array gives fewer detections.

    Attributes:
        boxes: (N, 4) float32, ``x1, y1, x2, y2`` in pixels; may leave the image a little.
        scores: (N,) float32 in [0, 1].
        landmarks: (N, 5, 2) float32, ``x, y`` of the left eye, right eye, nose and the left and
            right corner of the mouth, as seen in the image.
        origin: which image it was, if that is known.
        names: N characters that the faces were recognised as, ``unknown`` where none; None if
            nobody asked.
        name_scores: (N,) float32 probabilities of the likeliest characters, in [0, 1].
        likeliest: N characters that the faces are likeliest to be, those called ``unknown`` too;
            None if that is not known.
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats
    origin: Origin | None = field(default=None, kw_only=True)
    names: tuple[str, ...] | None = field(default=None, kw_only=True)
    name_scores: Floats | None = field(default=None, kw_only=True)
    likeliest: tuple[str, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        count = len(self.scores)
        if (self.names is None) != (self.name_scores is None):
            raise ValueError("expected names and their scores, or neither")
        for told in (self.names, self.name_scores, self.likeliest):
            if told is not None and len(told) != count:
                raise ValueError(f"expected {count} names with scores, got {len(told)}")
        expected = {"boxes": (count, 4), "scores": (count,), "landmarks": (count, 5, 2)}
        for name, shape in expected.items():
            found = getattr(self, name).shape
            if found != shape:
                raise ValueError(f"expected {name} of shape {shape}, got {found}")

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        return f"<Detections: {self._describe()}>"

    def _describe(self) -> str:
        """Return how many faces there are, where, and the best score."""
        count = f"{len(self) or 'no'} face{'s' * (len(self) != 1)}"
        best = f", best score {self.scores.max():.3f}" if len(self) else ""
        size = "{1}×{0} pixels".format(*self.size_hw) if self.size_hw else ""
        where = " of ".join(filter(None, [repr(self.image) if self.image else "", size]))
        return count + f" in {where}" * bool(where) + best

    @overload
    def __getitem__(self, keep: int | np.integer[Any]) -> Face: ...

    @overload
    def __getitem__(
        self, keep: slice | NDArray[Any] | Sequence[int] | Sequence[bool]
    ) -> Detections: ...

    def __getitem__(self, keep: Any) -> Face | Detections:
        """Return the face of a number, or what an index array, a mask or a slice selects."""
        boxes, scores, landmarks = self.boxes[keep], self.scores[keep], self.landmarks[keep]
        names, likeliest = _select(self.names, keep), _select(self.likeliest, keep)
        name_scores = None if self.name_scores is None else self.name_scores[keep]
        if isinstance(keep, Integral) and not isinstance(keep, bool):
            points = tuple(map(tuple, landmarks.tolist()))
            name_score = None if name_scores is None else name_scores.item()
            box = tuple(boxes.tolist())
            return Face(box, scores.item(), points, name=names, name_score=name_score)
        found = Detections(boxes, scores, landmarks, origin=self.origin)
        return replace(found, names=names, name_scores=name_scores, likeliest=likeliest)

    def __iter__(self) -> Iterator[Face]:
        return (self[place] for place in range(len(self)))

    def above(self, score: float) -> Detections:
        """Return the detections of a score or more."""
        return self[self.scores >= score]

    @property
    def image(self) -> str | None:
        """The path of the image, None if it was in memory or is not known."""
        return str(self.origin.path) if self.origin and self.origin.path else None

    @property
    def size_hw(self) -> tuple[int, int] | None:
        """Height and width of the image in pixels, None if they are not known."""
        return self.origin.size_hw if self.origin else None

    def crop(
        self, image: Picture | None = None, *, margin: float = 0.2, min_score: float = 0.0
    ) -> list[Pixels]:
        """Return the faces cut out, an (H, W, 3) array each, best first.

        Their colours are in the order of the array that was searched, else RGB.  A face wholly
        outside the image gives an array without pixels.

        Args:
            image: what to cut from; by default the image that was searched, if it is on disk or
                still in memory.  Detections keep no image.
            margin: what is shown around the box on every side, as a share of its width and height.
            min_score: least score.

        Raises:
            ImageError: if the image is gone, cannot be read, or has another size.
        """
        from facetl.data.crops import cut_all

        origin = self.origin or Origin(None)
        crops = cut_all(origin.pixels(image), self.above(min_score).boxes, margin)
        return [np.ascontiguousarray(crop[:, :, ::-1]) for crop in crops] if origin.bgr else crops

    def plot(self, image: Picture | None = None, *, min_score: float | None = None) -> PilImage:
        """Return the image with boxes, names if there are any, and scores on it, as a PIL image.

        Args:
            image: what to draw on; by default the image that was searched, if it is on disk or
                still in memory.  Detections keep no image.
            min_score: least score; by default that from which the commands show what the weights
                find.

        Raises:
            ImageError: if the image is gone, cannot be read, or has another size.
        """
        from facetl.data.images import as_pil
        from facetl.data.overlays import draw_boxes
        from facetl.results.captions import captions_of, colours_of_faces

        origin = self.origin or Origin(None)
        shown = self.above(origin.shown_from if min_score is None else min_score)
        colours, labels = colours_of_faces(shown), captions_of(shown)
        pixels = origin.pixels(image)
        return as_pil(draw_boxes(pixels, shown.boxes, colour=colours, labels=labels))

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the picture if there is one, else the first faces."""
        from facetl.data.images import encode_small

        line = f"<div>{escape(printable(self._describe()))}</div>"
        try:
            picture = encode_small(np.asarray(self.plot()), _WIDEST)
        except ImageError:
            faces = "\n".join(map(str, self[:_MOST_LINES]))
            return f"{line}<pre>{escape(faces)}</pre>" if faces else line
        return f'{line}<img src="data:image/webp;base64,{b64encode(picture).decode()}">'

    def to_supervision(self, classes: Sequence[str] | None = None) -> SupervisionDetections:
        """Return the faces as a ``supervision.Detections``.

        ``xyxy`` are the boxes, ``confidence`` the scores, ``data["landmarks"]`` the landmarks.  The
        only class is ``face``; where faces were named, classes are the names, and
        ``data["name_score"]`` has their scores.

        Args:
            classes: the names in the order of ``class_id``, so that it means the same in several
                pictures; by default those in this one, in the order of the alphabet.

        Raises:
            InputError: if supervision is not installed.
            ValueError: if a face has a name that is not among the classes.
        """
        names = self.names if self.names is not None else (FACE,) * len(self)
        known = list(classes) if classes is not None else sorted(set(names))
        scores = {} if self.name_scores is None else {"name_score": self.name_scores}
        found: SupervisionDetections = import_library("supervision").Detections(
            xyxy=self.boxes,
            confidence=self.scores,
            class_id=np.array([known.index(name) for name in names], dtype=int),
            data={"class_name": np.array(names, str), "landmarks": self.landmarks, **scores},
        )
        return found

    def to_pandas(self) -> DataFrame:
        """Return the faces as a ``pandas.DataFrame``, a row for each, best first.

        The columns are ``x1 y1 x2 y2 score``, then ``left_eye_x left_eye_y`` and so on for
        ``_LANDMARKS``; where faces were named, ``name`` and ``name_score`` after them.

        Raises:
            InputError: if pandas is not installed.
        """
        return as_table({**self._columns(), **self._name_columns()})

    def _name_columns(self) -> dict[str, Any]:
        """Return the names and their scores, if there are any."""
        if self.names is None or self.name_scores is None:
            return {}
        return {"name": list(self.names), "name_score": self.name_scores}

    def _columns(self) -> dict[str, Floats]:
        corners = dict(zip(("x1", "y1", "x2", "y2"), self.boxes.T, strict=True))
        points = {
            f"{name}_{axis}": self.landmarks[:, place, number]
            for place, name in enumerate(_LANDMARKS)
            for number, axis in enumerate("xy")
        }
        return {**corners, "score": self.scores, **points}

    @classmethod
    def empty(cls) -> Detections:
        """Return no detections."""
        return cls.from_lists([], [], [])

    @classmethod
    def from_lists(cls, boxes: Any, scores: Any, landmarks: Any) -> Detections:
        """Build detections from nested lists of numbers.

        Raises:
            ValueError: if the shapes do not fit together.
        """
        count = len(scores)
        shapes = ((count, 4), (count,), (count, 5, 2))
        with np.errstate(over="ignore"):  # what no float32 can hold becomes infinite
            arrays = [np.asarray(each, dtype=np.float32) for each in (boxes, scores, landmarks)]
        return cls(*(a.reshape(s) for a, s in zip(arrays, shapes, strict=True)))


@dataclass(frozen=True)
class FrameResult:
    """What one run found in one image.

    What no reader takes is not made: numbers that are not finite, or counts that 32 bits do not
    hold, raise a ``ValueError`` that names the image.

    Attributes:
        image: name of the image, relative to the folder that was searched.
        size_hw: height and width in pixels.
        detections: the faces.
        candidates: how many windows were left after each stage: ``pnet``, ``rnet``, ``onet``.
        seconds: time that the detector took, without reading the image; where several images
            are searched side by side, its share of it.
        time: of a frame of a video, seconds from the start; None for an image.
        tracks: of a frame of a video, for each detection the number of the face that it follows
            over frames, None if it follows none; None for an image.
        carried: whether the frame shows the same as the one before, whose detections it got.
    """

    image: str
    size_hw: tuple[int, int]
    detections: Detections
    candidates: dict[str, int]
    seconds: float
    time: float | None = None
    tracks: tuple[int | None, ...] | None = None
    carried: bool = False

    @property
    def faces(self) -> tuple[Face, ...]:
        """The faces, each with its track."""
        tracks = self.tracks or (None,) * len(self.detections)
        pairs = zip(self.detections, tracks, strict=True)
        return tuple(replace(face, track=track) for face, track in pairs)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return self.detections._repr_html_()

    def __post_init__(self) -> None:
        if self.tracks is not None and len(self.tracks) != len(self.detections):
            raise ValueError(f"expected {len(self.detections)} tracks, got {len(self.tracks)}")
        try:
            self._check_numbers()
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{self.image}: {error}") from error

    def _check_numbers(self) -> None:
        """Raise if a number is not finite, or too large for what it counts."""
        for name in ("boxes", "scores", "landmarks"):
            if not np.isfinite(getattr(self.detections, name)).all():
                raise ValueError(f"found {name} that are not finite numbers")
        if self.time is not None and not math.isfinite(self.time):
            raise ValueError("found a time that is no finite number")
        tracks = [track for track in self.tracks or () if track is not None]
        for number in (*self.size_hw, *self.candidates.values(), *tracks):
            _check_count(number)

    def above(self, score: float) -> FrameResult:
        """Return the same with the detections of a score or more alone."""
        keep = np.flatnonzero(self.detections.scores >= score)
        tracks = None if self.tracks is None else tuple(self.tracks[row] for row in keep)
        return replace(self, detections=self.detections[keep], tracks=tracks)


@dataclass(frozen=True)
class Skipped:
    """An image that could not be searched, and why."""

    image: str
    reason: str


@dataclass(frozen=True, repr=False)
class Run:
    """One set of weights over a list of images.

    Attributes:
        name: how the run is called in tables and plots.
        settings: JSON-able settings that made it.
        frames: the images, in order.
        skipped: the images that could not be read.
    """

    name: str
    settings: dict[str, Any]
    frames: tuple[FrameResult, ...]
    skipped: tuple[Skipped, ...] = ()

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"<Run {self.name!r}: {self.count} faces in {len(self.frames)} frames{skipped}>"

    @property
    def score(self) -> float:
        """Least score in [0, 1] of what is shown; the usual one if the settings tell none."""
        told = recorded_score(self.settings)
        return SCORE if told is None else told

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that faces were given, in the order of the alphabet; none if nobody asked."""
        named = (frame.detections.names or () for frame in self.frames)
        return tuple(sorted({name for names in named for name in names}))

    @property
    def has_videos(self) -> bool:
        """Whether any frame is one of a video."""
        return any(frame.time is not None for frame in self.frames)

    def above(self, score: float) -> Run:
        """Return the same with the detections of a score or more alone."""
        return replace(self, frames=tuple(frame.above(score) for frame in self.frames))

    def refuse_twins(self) -> None:
        """Raise if a frame occurs twice.

        Raises:
            DetectionsError: naming it.
        """
        seen: set[str] = set()
        for frame in self.frames:
            if frame.image in seen:
                raise DetectionsError(
                    f"{self.name}: found the frame {frame.image!r} twice; run facetl detect again, "
                    "on each frame once"
                )
            seen.add(frame.image)

    @property
    def count(self) -> int:
        """How many boxes there are in all frames."""
        return sum(len(frame.detections) for frame in self.frames)

    @property
    def searched(self) -> tuple[FrameResult, ...]:
        """The frames that were searched: all but those whose detections were carried over."""
        return tuple(frame for frame in self.frames if not frame.carried)

    @property
    def candidates_per_frame(self) -> dict[str, float]:
        """Mean number of windows after each stage of a search, by stage; empty without frames."""
        frames = self.searched
        stages = dict.fromkeys(stage for frame in frames for stage in frame.candidates)
        return {
            stage: float(np.mean([frame.candidates.get(stage, 0) for frame in frames]))
            for stage in stages
        }

    @property
    def seconds_per_frame(self) -> float:
        """Mean time that the detector took to search a frame, NaN without frames."""
        seconds = [frame.seconds for frame in self.searched]
        return float(np.mean(seconds)) if seconds else float("nan")

    def to_pandas(self) -> DataFrame:
        """Return all faces as a ``pandas.DataFrame``, a row for each, in the order of the frames.

        The columns are ``image``, of a video ``time`` and ``track``, then those of
        :meth:`Detections.to_pandas`.  A frame without faces has no row.

        Raises:
            InputError: if pandas is not installed.
        """
        faces = [(frame, row) for frame in self.frames for row in range(len(frame.detections))]
        columns: dict[str, Any] = {"image": [frame.image for frame, _ in faces]}
        if any(frame.time is not None for frame in self.frames):
            columns["time"] = [frame.time for frame, _ in faces]
        if any(frame.tracks is not None for frame in self.frames):
            columns["track"] = [frame.tracks and frame.tracks[row] for frame, row in faces]
        parts = [Detections.empty(), *(frame.detections for frame in self.frames)]
        for name in parts[0]._columns():
            columns[name] = np.concatenate([part._columns()[name] for part in parts])
        if any(frame.detections.names is not None for frame in self.frames):
            named = [frame.detections[row] for frame, row in faces]
            columns["name"] = [face.name for face in named]
            columns["name_score"] = [face.name_score for face in named]
        return as_table(columns)


def _select(names: tuple[str, ...] | None, keep: Any) -> Any:
    """Return some of the names, or the one of a number; None of None."""
    if names is None:
        return None
    kept = np.array(names, object)[keep]
    return tuple(kept.tolist()) if isinstance(kept, np.ndarray) else kept


def _check_count(value: int) -> None:
    """Raise if this is no number of windows or pixels, and none of a face."""
    if not 0 <= int(value) < 2**31:
        raise ValueError("found a count that is negative, or 2³¹ and more")
