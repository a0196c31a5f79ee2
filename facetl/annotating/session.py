"""A session of annotating: what was changed, kept on disk after every change, and undone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from facetl.annotating.carrying import carry
from facetl.annotating.records import Box, FrameRecord, State
from facetl.annotating.store import Store
from facetl.errors import FacetlError, InputError
from facetl.files import FileKind, read_json, write_text

SESSION = FileKind("facetl-annotating", InputError, "move it away to begin anew")
_BOX = tuple(each.name for each in fields(Box))
_RECENT = 9
"""Labels that have a key of their own."""


class StaleError(FacetlError):
    """Somebody else has changed what was seen: another tab, or another person."""


@dataclass(frozen=True)
class _Before:
    """What a frame was before a change."""

    number: int
    state: State
    touched: bool
    boxes: tuple[Box, ...]

    @classmethod
    def of(cls, number: int, record: FrameRecord) -> _Before:
        return cls(number, record.state, record.touched, record.boxes)

    def to_json(self) -> list[Any]:
        boxes = [[getattr(box, name) for name in _BOX] for box in self.boxes]
        return [self.number, self.state, self.touched, boxes]

    @classmethod
    def from_json(cls, content: Sequence[Any]) -> _Before:
        number, state, touched, boxes = content
        made = tuple(Box.from_json(dict(zip(_BOX, each, strict=True))) for each in boxes)
        return cls(int(number), state, bool(touched), made)


class Session:
    """The frames of a project, in the order in which they are to be looked at.

    All methods may be called by several threads.  What cannot be written is not changed.

    Args:
        path: where the session is kept, beside the files of the store.
        store: where frames and faces are.

    Attributes:
        frames: by their numbers, which do not change.
        order: the numbers, in the order of the strip.
        edition: counts all changes.
        labels: those used last, the newest first.
    """

    def __init__(self, path: Path, store: Store) -> None:
        self.store = store
        self.frames: list[FrameRecord] = []
        self.order: list[int] = []
        self.edition = 0
        self.labels: list[str] = []
        self._path = path
        self._history: list[list[_Before]] = []
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path, store: Store) -> Session:
        """Read a session, if there is one, and see that it says what the files say.

        Raises:
            InputError: if its file is damaged.
        """
        session = cls(path, store)
        if path.exists():
            session._load()
        return session

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return bool(self._history)

    def count(self, state: State) -> int:
        """Return how many frames are in a state."""
        return sum(record.state == state for record in self.frames)

    def add(self, records: Iterable[FrameRecord]) -> None:
        """Add frames whose pictures are in their places."""
        with self._lock:
            self.frames.extend(records)
            self._sort()
            self._save()

    def change(
        self, number: int, revision: int, boxes: Sequence[Mapping[str, Any]], state: State
    ) -> list[int]:
        """Change a frame, as a person has it; return the numbers of all frames that changed.

        Others change where what was corrected is suggested in them.

        Raises:
            StaleError: if the frame has changed since the revision that was seen.
            AnnotationError: if the boxes cannot be kept.
            OutputError: if they cannot be written.
        """
        with self._lock:
            before = self.frames[number]
            if before.revision != revision:
                raise StaleError("this frame was changed elsewhere; here it is as it is now")
            after = before.changed(boxes, state)
            changes = {number: after}
            if state == "done" and before.state != "done":
                others = {
                    place: each
                    for place, each in enumerate(self.frames)
                    if place != number and each.state == "waiting" and not each.touched
                }
                changes |= carry(before, after, others)
            self._note_labels(before, after)
            self._apply(changes)
            return list(changes)

    def undo(self, edition: int) -> list[int]:
        """Undo the last change; return the numbers of the frames, that which was changed first.

        Raises:
            StaleError: if anything has changed since the edition that was seen.
            InputError: if there is nothing to undo.
            OutputError: if it cannot be written.
        """
        with self._lock:
            if edition != self.edition:
                raise StaleError("something was changed elsewhere; look before you undo it")
            if not self._history:
                raise InputError("found nothing to undo; all changes are undone")
            entry = self._history[-1]
            records = {each.number: self._restored(each) for each in entry}
            self._apply(records, keep=False)
            return list(records)

    def suggest_anew(self, found: Mapping[int, FrameRecord]) -> None:
        """Take other suggestions for frames that wait and that nobody has touched; sort anew."""
        with self._lock:
            for number, record in found.items():
                own = self.frames[number]
                if own.state == "waiting" and not own.touched:
                    self.frames[number] = replace(record, revision=own.revision + 1)
                else:
                    self.frames[number] = replace(own, doubt=record.doubt)
            self._sort()
            self.edition += 1
            self._save()

    def _restored(self, before: _Before) -> FrameRecord:
        return replace(
            self.frames[before.number],
            state=before.state,
            touched=before.touched,
            boxes=before.boxes,
        )

    def _apply(self, records: Mapping[int, FrameRecord], *, keep: bool = True) -> None:
        """Write changed frames, the files first; a change that fails is none."""
        old = {number: self.frames[number] for number in records}
        for number, record in records.items():
            if "done" in (record.state, old[number].state):
                self.store.put(record)
        for number, record in records.items():
            self.frames[number] = replace(record, revision=old[number].revision + 1)
        if keep:
            self._history.append([_Before.of(number, each) for number, each in old.items()])
        else:
            self._history.pop()
        self.edition += 1
        self._save()

    def _note_labels(self, before: FrameRecord, after: FrameRecord) -> None:
        known = {(box.id, box.label) for box in before.boxes}
        for box in after.boxes:
            if box.label and (box.id, box.label) not in known:
                others = [label for label in self.labels if label != box.label]
                self.labels = [box.label, *others][:_RECENT]

    def _sort(self) -> None:
        """Put those that wait before those that are skipped, the most doubtful first.

        Those that are done stay before all others, as they were.
        """
        places = {number: place for place, number in enumerate(self.order)}
        ranks = {"done": 0, "waiting": 1, "skipped": 2}

        def key(number: int) -> tuple[Any, ...]:
            record = self.frames[number]
            if record.state == "done":
                return (0, False, places.get(number, len(places)), number)
            return (ranks[record.state], not record.is_first, -record.doubt, number)

        self.order = sorted(range(len(self.frames)), key=key)

    def _save(self) -> None:
        content = {
            **SESSION.head,
            "edition": self.edition,
            "labels": self.labels,
            "order": self.order,
            "frames": [record.to_json() for record in self.frames],
            "history": [[each.to_json() for each in entry] for entry in self._history],
        }
        write_text(self._path, json.dumps(content, ensure_ascii=False) + "\n")

    def _load(self) -> None:
        try:
            content = read_json(self._path)
            SESSION.require(content.get("format"), content.get("version"), self._path)
            frames = [FrameRecord.from_json(each) for each in content["frames"]]
            history = [list(map(_Before.from_json, entry)) for entry in content["history"]]
            order, labels = content["order"], list(map(str, content["labels"]))
            if sorted(order) != list(range(len(frames))):
                raise ValueError("found another order than that of the frames")
            if any(each.number >= len(frames) for entry in history for each in entry):
                raise ValueError("found a frame that there is not")
            edition = int(content["edition"])
        except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            raise InputError(f"{self._path}: damaged ({error}); {SESSION.remedy}") from error
        self.frames, self.order, self.labels, self.edition = frames, order, labels, edition
        self._history = history
        self._reconcile()

    def _reconcile(self) -> None:
        """Take over what the files say; frames that are gone leave no number behind."""
        found = {record.name: record for record in self.store.reconcile(self.frames)}
        kept = [number for number, record in enumerate(self.frames) if record.name in found]
        renumbered = {old: new for new, old in enumerate(kept)}
        self.frames = [found[self.frames[number].name] for number in kept]
        self.order = [renumbered[number] for number in self.order if number in renumbered]
        self._history = [
            kept_entry
            for entry in self._history
            if (
                kept_entry := [
                    replace(each, number=renumbered[each.number])
                    for each in entry
                    if each.number in renumbered
                ]
            )
        ]
