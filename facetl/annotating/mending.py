"""A data set that is annotated already: looked through, and mended where it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facetl.annotating.records import FrameRecord
from facetl.boxes import Boxes, as_boxes, iou
from facetl.data.annotations import Faces, read_head, read_text
from facetl.data.dataset import load_sources
from facetl.data.discovery import find_parts, recognise
from facetl.data.formats.base import Source
from facetl.data.formats.coco import Coco, load_document
from facetl.data.formats.coco import replace_faces as replace_in_coco
from facetl.data.formats.course import Course, NoAnnotationsError
from facetl.data.formats.course import replace_faces as replace_in_course
from facetl.data.frame import Frame
from facetl.errors import AnnotationError
from facetl.files import atomic_path, write_text

KEPT = ".bak"
"""What the name of a copy ends in that is as annotations were before."""
_SAME = 0.3
"""IoU from which detector and annotation mean the same face."""


@dataclass(frozen=True)
class _Place:
    """Where the faces of a frame are written.

    Attributes:
        frame: as it was before anything was mended.
        image: its name in the annotations.
        source: the images and their annotations.
    """

    frame: Frame
    image: str
    source: Source


class DatasetStore:
    """Keeps pictures where they are, and writes the annotations of those that are done.

    Beside a file is kept how it was when it was first opened, with ``.bak`` at the end of its name.

    Attributes:
        frames: of the data set, by their names.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._places: dict[str, _Place] = {}
        for source in sources:
            _keep(source.annotations)
            original = _as_it_was(source)
            for frame in load_sources([original]):
                name = f"{source.images.name}/{frame.name}"
                if name in self._places:
                    raise AnnotationError(f"{name}: found in two parts; mend them one by one")
                image = frame.name.removeprefix(source.prefix)
                self._places[name] = _Place(frame, image, source)

    @property
    def frames(self) -> dict[str, Frame]:
        """The frames as they were before anything was mended, by their names."""
        return {name: place.frame for name, place in self._places.items()}

    def picture(self, record: FrameRecord) -> Path:
        """Return where the picture of a frame is."""
        return self._places[record.name].frame.path

    def put(self, record: FrameRecord) -> None:
        """Write the faces of a frame; those that it had before if it is not done."""
        place = self._places[record.name]
        faces = Faces(place.frame.boxes, place.frame.labels)
        if record.state == "done":
            faces = Faces(record.corners, tuple(record.labels))
        path = place.source.annotations
        if path.suffix == Coco.single_suffix:
            document = load_document(path)
            replace_in_coco(document, place.image, faces, record.size_hw)
            write_text(path, json.dumps(document, ensure_ascii=False) + "\n")
        else:
            text = replace_in_course(read_text(path), place.image, faces, record.size_hw)
            write_text(path, text)

    def reconcile(self, records: Iterable[FrameRecord]) -> list[FrameRecord]:
        """Return the frames that are there, as the annotations have them where they differ."""
        sources = {id(each.source): each.source for each in self._places.values()}
        faces = {
            f"{source.images.name}/{frame.name}": (frame.boxes, frame.labels)
            for source in sources.values()
            for frame in load_sources([source])
        }
        return [
            self._as_found(record, Faces(*faces[record.name]))
            for record in records
            if record.name in faces
        ]

    def suggested(self, found: FrameRecord) -> FrameRecord:
        """Return the frame as it is annotated, doubtful where a detector finds it otherwise."""
        frame = self._places[found.name].frame
        return compare(annotated_record(found.name, frame, found), found)

    def _as_found(self, record: FrameRecord, faces: Faces) -> FrameRecord:
        """Return a frame as the annotations have it, if it is done or they were changed."""
        before = self._places[record.name].frame
        is_as_before = (
            before.labels == faces.labels and before.boxes.tolist() == faces.boxes.tolist()
        )
        if record.state != "done" and is_as_before:
            return record
        return replace(record, state="done").holding(*faces)


def find_dataset(folder: Path) -> list[Source]:
    """Return the images and annotations of a folder; nothing if there are no annotations.

    Raises:
        InputError: if it is not clear what is annotated where.
        AnnotationError: if the annotations are of a format that cannot be mended in place.
    """
    if not folder.is_dir():
        return []
    try:
        parts = find_parts(folder)
    except NoAnnotationsError:
        return []
    sources = [source for sources in parts.values() for source in sources]
    for source in sources:
        _require_mendable(folder, source)
    are_faces = [
        source.annotations.suffix == Coco.single_suffix
        or Course().looks_like(read_head(source.annotations))
        for source in sources
    ]
    return sources if any(are_faces) else []


def compare(record: FrameRecord, found: FrameRecord) -> FrameRecord:
    """Return an annotated frame with what a detector sees otherwise, as doubtful boxes.

    Args:
        record: with the annotated boxes; the detector doubts those that it does not see.
        found: the same frame with what the detector suggests, of which the sure boxes count.
    """
    overlaps = iou(record.corners, found.corners)
    seen = overlaps.max(axis=1, initial=0) >= _SAME
    unknown = overlaps.max(axis=0, initial=0) < _SAME
    boxes = [
        replace(box, is_sure=bool(is_seen)) for box, is_seen in zip(record.boxes, seen, strict=True)
    ]
    next_id = record.next_id
    for box, is_unknown in zip(found.boxes, unknown, strict=True):
        if is_unknown and box.is_sure:
            boxes.append(replace(box, id=next_id, is_sure=False))
            next_id += 1
    doubt = float(len(boxes) - np.count_nonzero(seen))
    return replace(record, boxes=tuple(boxes), next_id=next_id, doubt=doubt)


def annotated_record(name: str, frame: Frame, before: FrameRecord | None = None) -> FrameRecord:
    """Return an annotated frame as it stands; its boxes have no number that one before had."""
    boxes: Boxes = as_boxes(frame.boxes)
    record = replace(before or FrameRecord(name, frame.size_hw), boxes=())
    return replace(record.holding(boxes, frame.labels), touched=False)


def _as_it_was(source: Source) -> Source:
    """Return images with the annotations as they were before anything was mended."""
    kept = _kept(source.annotations)
    found = Coco() if source.annotations.suffix == Coco.single_suffix else Course()
    return replace(source, annotations=kept, read=lambda _: found.load(kept, "skip"))


def _kept(path: Path) -> Path:
    return path.with_name(path.name + KEPT)


def _keep(path: Path) -> None:
    """Copy annotations before they are changed for the first time."""
    if not _kept(path).exists():
        with atomic_path(_kept(path)) as temporary:
            shutil.copyfile(path, temporary)


def _require_mendable(folder: Path, source: Source) -> None:
    """Refuse annotations that cannot be written back as they are."""
    path = source.annotations
    is_plain = path.is_file() and path.suffix.lower() in (".json", ".txt")
    if not is_plain or not isinstance(recognise(path), Coco | Course):
        raise AnnotationError(
            f"{path}: only COCO and the course's text are mended where they are; write a copy: "
            f"facetl convert {folder} mended --to coco"
        )
    names = {line.image for line in source.read([]).lines}
    if strange := sorted(name for name in names if not (source.images / name).is_file()):
        raise AnnotationError(
            f"{path}: found {strange[0]}, which is not in {source.images} under that name; write "
            f"a copy that names the images as they are: facetl convert {folder} mended --to coco"
        )
