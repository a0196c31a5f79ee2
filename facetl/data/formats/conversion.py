"""Whole data sets written in another format: annotations, and the images where they belong.

::

    coco     annotations.json (with parts annotations/instances_PART.json), images/
    yolo     data.yaml, images/PART/, labels/PART/
    voc      Annotations/, JPEGImages/, with parts ImageSets/Main/PART.txt
    course   images_annotations.txt, images/, with parts in antrenare/ (to train on), val/ and
             validare/ (to test on)

Label Studio's tasks, ``label-studio.json`` with ``label-studio.xml`` and images/, are written to
be corrected there; CVAT reads COCO.

What facetl writes it reads again: names, sizes, frames without faces, labels and parts stay, boxes
too (those of VOC to the pixel); regions to be ignored stay in COCO and VOC, the others cannot hold
them.  A part that is written alone is a data set without parts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from facetl.boxes import THINNEST, clip
from facetl.data.annotations import save_annotations
from facetl.data.formats.coco import save_coco
from facetl.data.formats.corners import whole_size
from facetl.data.formats.label_studio import Region, Task, save_label_studio
from facetl.data.formats.names import image_name, refuse_shared_files, stem_of
from facetl.data.formats.places import VOC_ANNOTATIONS, VOC_IMAGES, VOC_LISTS
from facetl.data.formats.voc import save_voc
from facetl.data.formats.yolo import image_place, save_yolo
from facetl.data.frame import Frame
from facetl.data.images import image_bytes
from facetl.data.layouts import COURSE_FOLDERS
from facetl.data.sources import Format, Part
from facetl.errors import OutputError
from facetl.files import folder_in_place, write_text

Placing = Literal["copy", "link", "none"]
"""What becomes of the images: copied, linked to where they lie, or left where they are."""

FramesByPart = Mapping[Part, Sequence[Frame]]
Place = Callable[[Part, str], str]
"""Where the image of a part's frame goes, relative to the data set's folder."""

WRITABLE = (Format.COCO, Format.YOLO, Format.VOC, Format.COURSE)
SINGLE_FILES = {".json": Format.COCO, ".txt": Format.COURSE}
"""Names that mean a file of annotations alone, not a folder."""
TASKS = "label-studio.json"


def save_dataset(out: Path, form: Format, parts: FramesByPart, placing: Placing = "copy") -> None:
    """Write frames and faces as a data set.

    It is made in a hidden folder and moved in place at the end; of what is at ``out``, entries
    of the same names make way.

    Raises:
        OutputError: if two frames would share a file, if a frame's name cannot be written down,
            if a frame lies where the data set shall go, or if the place cannot be written.
        ImageError: if a frame cannot be read.
    """
    _refuse_clashes(form, parts)
    place = _image_places(form, parts)
    frames = [frame for members in parts.values() for frame in members]
    with _filled_folder(out, frames) as folder:
        _save_annotations(folder, form, parts)
        for part, members in parts.items():
            for frame in members:
                _place_image(frame.path, folder / place(part, frame.name), placing)


def save_tasks(out: Path, parts: FramesByPart, placing: Placing = "copy") -> None:
    """Write frames and faces as tasks for Label Studio.

    Its document root is to be ``out``, or without images the folder to which names are relative.

    Raises:
        OutputError: as :func:`save_dataset`.
        ImageError: if a frame cannot be read.
    """
    _refuse_clashes(Format.COCO, parts)
    place = _image_places(Format.COCO, parts)
    placed = [
        (frame, frame.name if placing == "none" else place(part, frame.name))
        for part in parts
        for frame in parts[part]
    ]
    with _filled_folder(out, [frame for frame, _ in placed]) as folder:
        tasks = [Task(image, frame.size_hw, _regions_of(frame)) for frame, image in placed]
        save_label_studio(folder / TASKS, tasks, "annotations")
        for frame, image in placed:
            _place_image(frame.path, folder / image, placing)


def save_single(out: Path, form: Format, frames: Sequence[Frame]) -> None:
    """Write the annotations of all frames as one file, atomically; COCO or the course's text.

    Raises:
        OutputError: if a frame's name cannot be written down, or the place cannot be written.
    """
    _refuse_odd_frames(frames)
    if form is Format.COCO:
        save_coco(out, frames)
    else:
        save_annotations(out, {frame.name: (frame.boxes, frame.labels) for frame in frames})


def _save_annotations(folder: Path, form: Format, parts: FramesByPart) -> None:
    if form is Format.YOLO:
        save_yolo(folder, parts)
        return
    if form is Format.VOC:
        _save_voc(folder, parts)
        return
    for part, frames in parts.items():
        save_single(folder / _annotation_name(form, part, parts), form, frames)


def _annotation_name(form: Format, part: Part, parts: FramesByPart) -> str:
    if form is Format.COURSE:
        return f"{_course_folder(part, parts)}images_annotations.txt"
    return f"annotations/instances_{part}.json" if len(parts) > 1 else "annotations.json"


def _course_folder(part: Part, parts: FramesByPart) -> str:
    return f"{COURSE_FOLDERS[part]}/" if len(parts) > 1 else ""


def _save_voc(folder: Path, parts: FramesByPart) -> None:
    for part, frames in parts.items():
        save_voc(folder / VOC_ANNOTATIONS, frames, VOC_IMAGES)
        if len(parts) > 1:
            stems = "".join(f"{stem_of(frame.name)}\n" for frame in frames)
            write_text(folder / VOC_LISTS / f"{part}.txt", stems)
    (folder / VOC_ANNOTATIONS).mkdir(exist_ok=True)


def _image_places(form: Format, parts: FramesByPart) -> Place:
    """Return where images go."""
    match form:
        case Format.YOLO:
            return image_place
        case Format.VOC:
            return lambda part, name: f"{VOC_IMAGES}/{name}"
        case Format.COCO if len(parts) > 1:
            return lambda part, name: f"images/{part}/{name}"
        case Format.COCO:
            return lambda part, name: f"images/{name}"
        case _:
            return lambda part, name: f"{_course_folder(part, parts)}images/{name}"


def _refuse_clashes(form: Format, parts: FramesByPart) -> None:
    """Raise if two frames would be written to one file.

    Raises:
        OutputError: naming them.
    """
    groups = [[frame.name for frame in members] for members in parts.values()]
    if form is Format.VOC:  # one folder for all parts
        groups = [[name for group in groups for name in group]]
    for names in groups:
        refuse_shared_files(names, form, stem_of if form in (Format.VOC, Format.YOLO) else str)


def is_nameable(frame: Frame) -> bool:
    """Return whether a file of annotations can say how a frame is called."""
    return image_name(frame.name) == frame.name


def lies_in(frame: Frame, folders: Iterable[str]) -> bool:
    """Return whether a frame's image lies in one of the folders, wherever links lead.

    Args:
        frame: whose image it is.
        folders: where no links are left: as ``os.path.realpath`` has them.
    """
    place = Path(os.path.realpath(frame.path))
    return any(place.is_relative_to(folder) for folder in folders)


def _refuse_odd_frames(frames: Iterable[Frame]) -> None:
    """Raise if a frame is called what no file of annotations can say, or holds what is no face."""
    for frame in frames:
        _refuse_odd_faces(frame)
        if not is_nameable(frame):
            raise OutputError(
                f"found the image name {frame.name!r}, which would not be read back the same; "
                "rename the file"
            )


def _refuse_odd_faces(frame: Frame) -> None:
    """Raise if a face of a frame would not be read back the same."""
    if whole_size(*frame.size_hw) is None:
        raise OutputError(f"{frame.name}: found the size {frame.size_hw}; check the image")
    for box in frame.boxes:
        inside = np.array_equal(clip(box, frame.size_hw), box)  # False for NaN
        if not (inside and (box[2:] - box[:2] > THINNEST).all()):
            raise OutputError(
                f"{frame.name}: found the box {box.tolist()}, expected x1 < x2 and y1 < y2 inside "
                "the image; correct it"
            )


def _regions_of(frame: Frame) -> list[Region]:
    return [
        Region(box, label) for box, label in zip(frame.boxes.tolist(), frame.labels, strict=True)
    ]


@contextmanager
def _filled_folder(out: Path, frames: Sequence[Frame]) -> Iterator[Path]:
    """Give a new folder that becomes ``out``, unless that would cost a frame."""
    _refuse_odd_frames(frames)
    with folder_in_place(out) as folder:
        yield folder
        _refuse_own_frames(out, folder, frames)


def _refuse_own_frames(out: Path, new: Path, frames: Sequence[Frame]) -> None:
    """Raise if a frame lies in what is about to be replaced."""
    replaced = [(out / entry.name).resolve() for entry in new.iterdir()]
    for frame in frames:
        if any(place in frame.path.resolve().parents for place in replaced):
            raise OutputError(f"{out} holds {frame.path} itself; choose another OUT")


def _place_image(source: Path, target: Path, placing: Placing) -> None:
    if placing == "none":
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if placing == "link":
        target.symlink_to(source.resolve())
    else:
        target.write_bytes(image_bytes(source))
