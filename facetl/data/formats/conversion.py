"""Whole data sets written in any format: annotations, and the images where they belong.

What facetl writes it reads again: names, sizes, frames without faces, labels and parts stay, boxes
too (those of VOC to the pixel), regions to be ignored where the format keeps them.  A part that is
written alone is a data set without parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from facetl.boxes import THINNEST, clip
from facetl.data.choices import Placing
from facetl.data.formats.base import FramesByPart
from facetl.data.formats.corners import whole_size
from facetl.data.formats.names import image_name, refuse_shared_files, stem_of
from facetl.data.formats.table import load_format
from facetl.data.frame import Frame
from facetl.data.images import image_bytes
from facetl.errors import OutputError
from facetl.files import folder_in_place


def save_dataset(out: Path, form: str, parts: FramesByPart, placing: Placing = "copy") -> None:
    """Write frames and faces as a data set.

    It is made in a hidden folder and moved into place at the end; entries of the same names at
    ``out`` are replaced.

    Args:
        out: the folder.
        form: the name of the format.
        parts: what to write.
        placing: what becomes of the images.

    Raises:
        OutputError: if two frames would share a file, if a frame's name cannot be written down,
            if a frame lies where the data set shall go, or if the place cannot be written.
        ImageError: if a frame cannot be read.
    """
    target, alone = load_format(form), len(parts) == 1
    placed = [
        (frame, target.image_place(part, frame.name, alone=alone))
        for part, frames in parts.items()
        for frame in frames
    ]
    files = [stem_of(place) if target.has_file_per_image else place for _, place in placed]
    refuse_shared_files([frame.name for frame, _ in placed], target.name, files)
    _refuse_odd_frames([frame for frame, _ in placed])
    with folder_in_place(out) as folder:
        target.save(folder, parts, with_images=placing != "none")
        for frame, place in placed:
            _place_image(frame.path, folder / place, placing)
        _refuse_own_frames(out, folder, [frame for frame, _ in placed])


def save_single(out: Path, form: str, frames: Sequence[Frame]) -> None:
    """Write the annotations of all frames as one file, atomically.

    Args:
        out: the file.
        form: the name of a format that has such a file.
        frames: what to write.

    Raises:
        OutputError: if a frame's name cannot be written down, or the place cannot be written.
    """
    _refuse_odd_frames(frames)
    load_format(form).save_single(out, frames)


def is_nameable(frame: Frame) -> bool:
    """Return whether a file of annotations can hold the name of a frame."""
    return image_name(frame.name) == frame.name


def _refuse_odd_frames(frames: Iterable[Frame]) -> None:
    """Raise if no file of annotations can hold a frame's name, or one of its boxes is no face."""
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
