"""Tracks in CVAT's XML for videos: boxes at some frames, and those between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from facetl.data.annotations import FaceLine, Kind, Problem
from facetl.data.formats.cvat_shapes import shape_of
from facetl.data.formats.names import image_name
from facetl.data.formats.shapes import read_shape

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_LAST_FRAME = 10_000_000
_LONGEST_GAP = 100_000
"""How many frames may lie between two boxes of a track."""


def frame_name(video: str, number: int) -> str:
    """Return the name of a frame, as ``facetl frames`` writes it."""
    folder = image_name(video) or ""
    return f"{folder}/{number:06d}.png" if folder else f"{number:06d}.png"


def faces_of_track(
    track: Element, number: int, video: str, step: int, path: Path
) -> Iterator[FaceLine | Problem]:
    """Yield the faces of a track, frame by frame, and what is wrong with them.

    Between two boxes the faces lie on a line: CVAT writes them all, other tools the ends alone.

    Args:
        track: the element.
        number: which one of the file it is.
        video: the name of the video; empty if it is not known.
        step: how many frames the annotated ones are apart.
        path: the file.
    """
    where = f"track {track.get('id', number)}"
    before: tuple[int, FaceLine] | None = None
    for element in track:
        frame = _frame_of(element)
        if frame is None:
            found = f"{where}: found the frame {element.get('frame')!r}, expected a whole number"
            yield Problem(Kind.NOT_A_NUMBER, path, None, found)
            continue
        is_outside = element.get("outside") == "1"
        face, problems = _face_at(element, track, frame_name(video, frame), where, path)
        yield from () if is_outside else problems
        if before and face:
            yield from _between(before, (frame, face), video, step, where, path)
        if face and not is_outside:
            yield face
        before = (frame, face) if face and not is_outside else None


def _frame_of(element: Element) -> int | None:
    text = element.get("frame", "")
    return int(text) if text.isdecimal() and len(text) < 9 and int(text) < _LAST_FRAME else None


def _face_at(
    element: Element, track: Element, image: str, where: str, path: Path
) -> tuple[FaceLine | None, list[Problem]]:
    if element.get("label") is None and track.get("label") is not None:
        element.set("label", str(track.get("label")))
    shape = shape_of(element, f"{where}, {image}")
    read = list(read_shape(shape, image, path)) if shape else []
    faces = [each for each in read if isinstance(each, FaceLine)]
    return next(iter(faces), None), [each for each in read if isinstance(each, Problem)]


def _between(
    start: tuple[int, FaceLine],
    end: tuple[int, FaceLine],
    video: str,
    step: int,
    where: str,
    path: Path,
) -> Iterator[FaceLine | Problem]:
    """Yield the faces at the annotated frames between two."""
    (first, face), (last, other) = start, end
    if last - first > _LONGEST_GAP * step:
        found = f"{where}: found no box from frame {first} to frame {last}, too far apart"
        yield Problem(Kind.WRONG_FIELDS, path, None, found)
        return
    for frame in range(first + step, last, step):
        share = (frame - first) / (last - first)
        x1, y1, x2, y2 = (a + share * (b - a) for a, b in zip(face.box, other.box, strict=True))
        yield FaceLine(frame_name(video, frame), (x1, y1, x2, y2), face.label, None)
