"""True faces named by the names file of a run: what naming does where the boxes are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facetl.boxes import Boxes
from facetl.data.characters import UNKNOWN, Characters, folded, sureness
from facetl.data.dataset import FaceDataset
from facetl.data.images import Pixels, load_image
from facetl.data.near_duplicates import NEAR_TWIN, UNLIKE
from facetl.data.overlays import contact_sheet, cut_out
from facetl.errors import FacetlError, ImageError
from facetl.evaluation.naming import Confusion, Naming
from facetl.evaluation.scoring import Evaluation
from facetl.recognition.recogniser import Recogniser
from facetl.reporting import Reporter, plural

_CELL = 128
"""Side in pixels of a face of the sheet."""
_COLUMNS = 6
_MOST_RIGHT, _MOST_WRONG = 4, 12
"""Faces of a character on the sheet that are named right, and wrong."""


@dataclass(frozen=True)
class NamedFace:
    """A true face, and what it was called.

    Attributes:
        true: its label.
        said: what it was called.
        score: how sure that was, in [0, 1].
        frame: the image that it is in.
        box: (1, 4) half-open pixels.
        distance: of its frame to the nearest training frame, NaN if not known.
    """

    true: str
    said: str
    score: float
    frame: Path
    box: Boxes
    distance: float

    @property
    def is_right(self) -> bool:
        """Whether the name is the true one."""
        return folded(self.true) == folded(self.said)


def name_true_boxes(
    evaluation: Evaluation,
    source: FaceDataset,
    distances: Mapping[str, float],
    reporter: Reporter,
) -> tuple[Evaluation, list[NamedFace]]:
    """Return an evaluation with how the true faces are named, and the faces.

    Where the names file of the run is gone or has changed, the evaluation stays as it is.

    Args:
        evaluation: of a run with names.
        source: the true faces, with their frames.
        distances: of frames to the nearest training frame, by name, if they were compared.
        reporter: is told what is not measured.
    """
    told = evaluation.settings.get("names")
    recogniser = _load_recogniser(told) if isinstance(told, dict) else None
    if evaluation.naming is None or recogniser is None:
        if evaluation.naming is not None:
            reporter.note(
                f"{evaluation.name}: the names file is gone or has changed, so true boxes are not "
                "named"
            )
        return evaluation, []
    faces = _name_faces(recogniser, source, distances, reporter)
    naming = _with_true_boxes(evaluation.naming, faces)
    return replace(evaluation, naming=naming), faces


def draw_sheet(faces: Sequence[NamedFace]) -> Pixels:
    """Return a sheet of faces that are named wrong and right, the wrong ones first.

    For each character the surest mistakes and the least sure right ones are shown.

    Args:
        faces: at least one.
    """
    chosen: list[NamedFace] = []
    for name in sorted({face.true for face in faces}, key=lambda name: (name == UNKNOWN, name)):
        own = [face for face in faces if face.true == name]
        wrong = sorted((each for each in own if not each.is_right), key=lambda each: -each.score)
        right = sorted((each for each in own if each.is_right), key=lambda each: each.score)
        chosen += wrong[:_MOST_WRONG] + right[:_MOST_RIGHT]
    chosen.sort(key=lambda each: each.is_right)
    titles = [each.true for each in chosen]
    captions = [
        f"✓ {each.score:.2f}" if each.is_right else f"✗ {each.said} {each.score:.2f}"
        for each in chosen
    ]
    pictures = [cut_out(load_image(f.frame), f.box, _CELL, margin=0.25) for f in chosen]
    return contact_sheet(pictures, _COLUMNS, titles=titles, captions=captions)


def _load_recogniser(told: Mapping[str, Any]) -> Recogniser | None:
    try:
        recogniser = Recogniser.load(Path(str(told.get("file"))))
    except FacetlError:
        return None
    same = recogniser.weights.fingerprint == told.get("fingerprint")
    return recogniser if same else None


def _name_faces(
    recogniser: Recogniser,
    source: FaceDataset,
    distances: Mapping[str, float],
    reporter: Reporter,
) -> list[NamedFace]:
    faces: list[NamedFace] = []
    unreadable = 0
    for frame in reporter.track(source, "naming the true faces", len(source)):
        rows = [row for row, label in enumerate(frame.labels) if label is not None]
        if not rows:
            continue
        try:
            image = load_image(frame.path)
        except ImageError:
            unreadable += len(rows)
            continue
        named = recogniser.name_boxes(image, frame.boxes[rows])
        for row, said, likely in zip(rows, named.names, named.scores.tolist(), strict=True):
            score = sureness(said, likely)
            distance = distances.get(frame.name, float("nan"))
            label, box = str(frame.labels[row]), frame.boxes[[row]]
            faces.append(NamedFace(label, said, score, frame.path, box, distance))
    if unreadable:
        told = plural(unreadable, "true face")
        reporter.note(f"{told} in frames that cannot be read, not named")
    return faces


def _with_true_boxes(naming: Naming, faces: Sequence[NamedFace]) -> Naming:
    parts = {
        "all": faces,
        "near_twins": [face for face in faces if face.distance < NEAR_TWIN],
        "unlike": [face for face in faces if face.distance >= UNLIKE],
    }
    known = [*naming.characters]
    names = {folded(name) for name in known}
    said = Characters.of(face.said for face in faces).counts
    characters = [*known, *(name for name in said if folded(name) not in names)]
    return replace(
        naming,
        on_true_boxes={
            part: Confusion.of([(folded(f.true), folded(f.said)) for f in own], characters)
            for part, own in parts.items()
            if own
        },
    )
