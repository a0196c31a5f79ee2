"""Where annotated frames are: files that every other command reads, true at any moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from facetl.annotating.records import FrameRecord
from facetl.boxes import as_boxes
from facetl.data.annotations import Faces
from facetl.data.formats.course import load_annotations, save_annotations
from facetl.data.images import image_paths, name_below
from facetl.data.project import Project
from facetl.files import cannot_write

_TEXT = "{}_annotations.txt"
_NOBODY = Faces(as_boxes([]), ())


class Store(Protocol):
    """Keeps the faces of frames that are done."""

    def picture(self, record: FrameRecord) -> Path:
        """Return where the picture of a frame is."""

    def put(self, record: FrameRecord) -> None:
        """Make the files say what a frame is now.

        Raises:
            AnnotationError: if a face would not be read back as it is.
            OutputError: if a place cannot be written.
        """

    def reconcile(self, records: Iterable[FrameRecord]) -> list[FrameRecord]:
        """Return the frames as the files have them, which are right where they differ."""

    def suggested(self, found: FrameRecord) -> FrameRecord:
        """Return a frame that waits as it is shown, given the boxes that a detector finds."""


class ProjectStore:
    """A project's folders: pictures move from ``waiting`` to ``frames`` once they are done.

    The faces of a frame are written before its picture moves there, and removed after it has
    moved back: a picture that waits although it has lines was on its way, and goes on.
    """

    def __init__(self, project: Project) -> None:
        self._done, self._waiting = project.frames, project.waiting
        self._faces: dict[str, dict[str, Faces]] = {}

    def picture(self, record: FrameRecord) -> Path:
        """Return where the picture of a frame is."""
        done = self._done / record.name
        return done if done.exists() else self._waiting / record.name

    def put(self, record: FrameRecord) -> None:
        """Make text and folders say what a frame is now; see :class:`Store`."""
        name = record.name.partition("/")[2]
        faces = dict(self._of_group(record.group))
        done, waiting = self._done / record.name, self._waiting / record.name
        if record.state == "done":
            faces[name] = Faces(record.corners, tuple(record.labels))
            self._save(record.group, faces)
            _move(waiting, done)
        else:
            _move(done, waiting)
            if faces.pop(name, None) is not None:
                self._save(record.group, faces)

    def reconcile(self, records: Iterable[FrameRecord]) -> list[FrameRecord]:
        """Finish moves that were begun; return the frames that are there, as the files have them.

        Pictures that nobody has heard of are not among them: see :meth:`strangers`.
        """
        return [each for record in records if (each := self._as_found(record))]

    def suggested(self, found: FrameRecord) -> FrameRecord:
        """Return the frame with what is found in it; see :class:`Store`."""
        return found

    def strangers(self, records: Iterable[FrameRecord]) -> tuple[list[str], list[str]]:
        """Return the names of pictures that are in none of the frames: done ones, waiting ones."""
        known = {record.name for record in records}
        done, waiting = (
            [name_below(folder, path) for path in image_paths(folder)]
            for folder in (self._done, self._waiting)
        )
        return [name for name in done if name not in known], [
            name for name in waiting if name not in known
        ]

    def _as_found(self, record: FrameRecord) -> FrameRecord | None:
        done, waiting = self._done / record.name, self._waiting / record.name
        faces = self._of_group(record.group).get(record.name.partition("/")[2])
        if done.is_file() or (waiting.is_file() and faces is not None):
            found = replace(record, state="done").holding(*(faces or _NOBODY))
            if not done.is_file():
                _move(waiting, done)
            return found
        if not waiting.is_file():
            return None
        return replace(record, state="waiting") if record.state == "done" else record

    def _of_group(self, group: str) -> Mapping[str, Faces]:
        if group not in self._faces:
            path = self._done / _TEXT.format(group)
            self._faces[group] = load_annotations(path).faces if path.is_file() else {}
        return self._faces[group]

    def _save(self, group: str, faces: Mapping[str, Faces]) -> None:
        ordered = dict(sorted(faces.items()))
        save_annotations(self._done / _TEXT.format(group), ordered)
        self._faces[group] = ordered


def _move(source: Path, target: Path) -> None:
    if not source.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    except OSError as error:
        raise cannot_write(target, error) from error
