"""Detections as JSON lines: a file that grows image by image, and can be gone on with.

::

    {"format": "facetl-detections-lines", "version": 1, "facetl": "0.1.0", "name": "tuned",
     "settings": {…}}
    {"image": "001.jpg", "size_hw": [360, 480], "candidates": {…}, "boxes": …, …}
    {"image": "002.jpg", "reason": "…"}
    {"end": 2}

The first line is the head, the last one the end, with the number of images; between them stands
a line for each image, searched or skipped, in their order.  A file without its end was broken
off: whole lines of it count.  There are no times in it, so that the same search makes the same
bytes, broken off and gone on with or not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from facetl.errors import DetectionsError, OutputError
from facetl.files import UNENCODABLE
from facetl.mtcnn.detections import (
    FrameResult,
    Run,
    Skipped,
    frame_from_json,
    frame_to_json,
)
from facetl.version import VERSION

FORMAT = "facetl-detections-lines"
FORMAT_VERSION = 1


class LinesWriter:
    """Appends to a detections file image by image; a context manager.

    Every line is handed to the system as soon as it is known: a process that is killed leaves
    whole lines, and perhaps the beginning of one.

    Args:
        path: the file; what :func:`recover` has left in it is gone on with.
        name: how the run is called.
        settings: JSON-able settings that the results depend on.
    """

    def __init__(self, path: Path, name: str, settings: Mapping[str, Any]) -> None:
        self._path = path
        self._head = describe_head(name, settings)

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open(
                "a", encoding="utf-8", errors=UNENCODABLE, newline="\n", buffering=1
            )
            if self._file.tell() == 0:
                self._write(self._head)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self._count = _count_lines(self._path) - 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if error is None:
                self._write({"end": self._count})

    def add(self, frame: FrameResult) -> None:
        """Append what was found in an image."""
        document = frame_to_json(frame)
        del document["seconds"]
        self._add(document)

    def skip(self, skipped: Skipped) -> None:
        """Append that an image could not be searched, and why."""
        self._add({"image": skipped.image, "reason": skipped.reason})

    def _add(self, document: Mapping[str, Any]) -> None:
        self._write(document)
        self._count += 1

    def _write(self, document: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(document, ensure_ascii=False) + "\n")
        except OSError as error:
            raise _unwritable(self._path, error) from error


@dataclass(frozen=True)
class Found:
    """What stands in a broken-off file.

    Attributes:
        images: names of the images that have a whole line, in order.
        ends: after each of them, how many bytes of the file are good; first after the head.
    """

    images: tuple[str, ...]
    ends: tuple[int, ...]


def recover(heads: Mapping[Path, Mapping[str, Any]], images: Sequence[str]) -> int:
    """Cut the files of a broken-off search back to the images that all of them know.

    Args:
        heads: for each file, the head that the search to be gone on with would write.
        images: the names of all images to be searched, in order.

    Returns:
        How many images are done; 0 where there is no file.

    Raises:
        OutputError: if a file is finished, or belongs to another search.
        DetectionsError: if a file is damaged before its end.
    """
    found = {path: _find(path, head) for path, head in heads.items() if path.exists()}
    if len(found) < len(heads):
        for path in found:
            path.unlink()
        return 0
    done = min(len(each.images) for each in found.values())
    for path, each in found.items():
        if each.images[:done] != tuple(images[:done]):
            raise OutputError(
                f"{path}: holds other images than are to be searched; resume with the same "
                "images, or start anew with --force"
            )
    for path, each in found.items():
        os.truncate(path, each.ends[done])
    return done


def load_lines(path: Path) -> Run:
    """Read a detections file of JSON lines.

    Raises:
        DetectionsError: if the file is missing, damaged, unfinished, or of another format.
    """
    documents = _documents(path)
    head = _check_head(path, next(documents, {}))
    frames: list[FrameResult] = []
    skipped: list[Skipped] = []
    for number, document in enumerate(documents, start=2):
        if "end" in document:
            return Run(head["name"], head["settings"], tuple(frames), tuple(skipped))
        try:
            _read_into(frames, skipped, document)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _damaged(path, number, error) from error
    raise DetectionsError(f"{path}: is not finished; go on with facetl detect --stream --resume")


def _read_into(frames: list[FrameResult], skipped: list[Skipped], document: dict[str, Any]) -> None:
    if "reason" in document:
        skipped.append(Skipped(str(document["image"]), str(document["reason"])))
    else:
        frames.append(frame_from_json({**document, "seconds": float("nan")}))


def describe_head(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first line of a file."""
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "facetl": VERSION,
        "name": name,
        "settings": dict(settings),
    }


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield _parse(path, number, line)
    except OSError as error:
        raise DetectionsError(
            f"{path} cannot be read ({error.strerror}); make it with facetl detect --stream"
        ) from error


def _check_head(path: Path, head: dict[str, Any]) -> dict[str, Any]:
    found = (head.get("format"), head.get("version"))
    if found != (FORMAT, FORMAT_VERSION):
        raise DetectionsError(
            f"{path}: found format {found[0]!r} version {found[1]!r}, expected {FORMAT!r} "
            f"version {FORMAT_VERSION}; make it again with facetl detect --stream"
        )
    if not isinstance(head.get("name"), str) or not isinstance(head.get("settings"), dict):
        raise _damaged(path, 1, ValueError("no name or no settings"))
    return head


def _find(path: Path, head: Mapping[str, Any]) -> Found:
    """Return what stands in a file that was broken off.

    Raises:
        OutputError: if it is finished, or another search's.
        DetectionsError: if a whole line is damaged.
    """
    images, ends = [], []
    place = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break  # it was being written
            document = _parse(path, number, line)
            place += len(line)
            if number == 1:
                _require_same(path, document, head)
            elif "end" in document:
                raise OutputError(
                    f"{path} is finished, there is nothing to resume; search anew with --force"
                )
            else:
                images.append(str(document["image"]))
            ends.append(place)
    return Found(tuple(images), tuple(ends) or (0,))


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return a whole line as what it says: the head first, then images or the end."""
    try:
        document = json.loads(line)
        if not isinstance(document, dict):
            raise ValueError(f"found {str(document)[:40]!r}, expected a JSON object")
        if number > 1 and "end" not in document:
            str(document["image"])
        return document
    except (ValueError, LookupError, RecursionError) as error:
        raise _damaged(path, number, error) from error


def _damaged(path: Path, number: int, error: Exception) -> DetectionsError:
    return DetectionsError(
        f"{path}:{number}: damaged detections ({type(error).__name__}: {error}); start anew with "
        "facetl detect --stream --force"
    )


def _require_same(path: Path, found: Mapping[str, Any], head: Mapping[str, Any]) -> None:
    expected = json.loads(json.dumps(head))
    if dict(found) != expected:
        raise OutputError(
            f"{path}: belongs to a search with other weights or settings; resume with the same "
            "command, or start anew with --force"
        )


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} cannot be written ({error.strerror or error}); make room, then go on with --resume"
    )
