"""Detections as JSON lines: a file that grows image by image, and can be resumed.

::

    {"format": "facetl-detections-lines", "version": 1, "facetl": "0.1.0", "name": "tuned",
     "settings": {…}}
    {"image": "001.jpg", "size_hw": [360, 480], "candidates": {…}, "boxes": …, …}
    {"image": "002.jpg", "reason": "…"}
    {"end": 2}

The first line is the head, the last one the end, with the number of images; between them stands
a line for each image, searched or skipped, in their order.  A file without its end was
interrupted: whole lines of it count.  There are no times in it, so that the same search makes the
same bytes, interrupted and resumed or not.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO

from facetl.errors import DetectionsError, OutputError
from facetl.files import (
    MAKE_ROOM,
    UNENCODABLE,
    FileKind,
    about_to_write,
    cannot_write,
    note_written,
    open_regular,
    parse_json,
)
from facetl.results.detections import FrameResult, Run, Skipped
from facetl.results.json_file import frame_from_json, frame_to_json
from facetl.version import VERSION

_KIND = FileKind(
    "facetl-detections-lines", DetectionsError, "make it again with facetl detect --stream"
)
LONGEST_LINE = 2**28
"""Bytes of a line that are read: no image has so many faces."""


class _LinesWriter:
    """Appends to a detections file image by image; :func:`writing_lines` gives one.

    Every line is handed to the system as soon as it is known: a process that is killed leaves
    whole lines, and perhaps the beginning of one.

    Args:
        path: the file, for messages.
        file: the same, open, every line written at once.
        count: how many images have a line already.
    """

    def __init__(self, path: Path, file: IO[str], count: int) -> None:
        self._path = path
        self._file = file
        self._count = count

    def add(self, frame: FrameResult) -> None:
        """Append what was found in an image."""
        document = frame_to_json(frame)
        del document["seconds"]
        self._add(document)

    def skip(self, skipped: Skipped) -> None:
        """Append that an image could not be searched, and why."""
        self._add({"image": skipped.image, "reason": skipped.reason})

    def write(self, document: Mapping[str, Any]) -> None:
        """Append a line that is not an image's: the head or the end."""
        try:
            self._file.write(json.dumps(document, ensure_ascii=False) + "\n")
        except OSError as error:
            raise cannot_write(self._path, error, MAKE_ROOM) from error

    def finish(self) -> None:
        """Append the end."""
        self.write({"end": self._count})

    def _add(self, document: Mapping[str, Any]) -> None:
        self.write(document)
        self._count += 1


@contextmanager
def writing_lines(
    path: Path, name: str, settings: Mapping[str, Any], done: int = 0
) -> Iterator[_LinesWriter]:
    """Give a writer that appends to a detections file; if the block succeeds, it gets its end.

    Args:
        path: the file; what :func:`recover` has left in it stays.
        name: how the run is called.
        settings: JSON-able settings that the results depend on.
        done: how many images :func:`recover` has left.

    Raises:
        OutputError: if the place cannot be written.
    """
    about_to_write()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8", errors=UNENCODABLE, newline="\n", buffering=1)
    except OSError as error:
        raise cannot_write(path, error, MAKE_ROOM) from error
    with file:
        writer = _LinesWriter(path, file, done)
        if file.tell() == 0:
            writer.write(describe_head(name, settings))
        yield writer
        writer.finish()
    note_written(path)


@dataclass(frozen=True)
class _Found:
    """What stands in an interrupted file.

    Attributes:
        images: names of the images that have a whole line, in order.
        ends: after each of them, how many bytes of the file are good; first after the head.
        is_finished: whether the file has its end.
    """

    images: tuple[str, ...]
    ends: tuple[int, ...]
    is_finished: bool


def recover(
    heads: Mapping[Path, Mapping[str, Any]],
    restart: Callable[[Sequence[str]], int | None],
    *,
    finished: bool = False,
) -> _Found:
    """Cut the files of an interrupted search back to the pictures that all of them know.

    The end of a file that is finished is cut off too: it is written again.

    Args:
        heads: for each file, the head that the search to be resumed would write.
        restart: tells how many of the pictures that are done need not be searched again, by their
            names; None if the search is of other pictures.
        finished: take files that are all finished as well, for what comes after the search.

    Returns:
        What stands in each of the files now; nothing where there is no file.

    Raises:
        OutputError: if all files are finished, one belongs to another search, or one is missing
            while others hold images.
        DetectionsError: if a file is damaged before its end.
    """
    try:
        found = {path: _find(path, head) for path, head in heads.items() if path.exists()}
    except OSError as error:
        raise OutputError(
            f"{error.filename} cannot be resumed ({error.strerror}); start over with --force"
        ) from error
    if len(found) < len(heads):
        _require_empty(found, next(path for path in heads if path not in found))
        for path in found:
            path.unlink()
        return _Found((), (0,), False)
    ended = all(each.is_finished for each in found.values())
    if ended and not finished:
        raise OutputError(
            f"{next(iter(found))} is finished, there is nothing to resume; search again with "
            "--force"
        )
    common = min((each.images for each in found.values()), key=len)
    kept = restart(common)
    for path, each in found.items():
        if kept is None or each.images[: len(common)] != common:
            raise OutputError(
                f"{path}: holds other images than are to be searched; resume with the same "
                "images, or start over with --force"
            )
    done = len(common) if ended or kept is None else kept
    for path, each in found.items():
        os.truncate(path, each.ends[done])
    return _Found(common[:done], each.ends[: done + 1], ended)


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
        found = _read(path, number, document)
        if isinstance(found, Skipped):
            skipped.append(found)
        else:
            frames.append(found)
    raise DetectionsError(f"{path}: is not finished; resume with facetl detect --stream --resume")


def read_recovered(path: Path) -> Iterator[FrameResult | Skipped]:
    """Yield what stands in a file that :func:`recover` has cut back, image by image.

    Raises:
        DetectionsError: if a line is damaged.
    """
    for number, document in enumerate(_documents(path), start=1):
        if number > 1:  # after the head
            yield _read(path, number, document)


def _read(path: Path, number: int, document: dict[str, Any]) -> FrameResult | Skipped:
    """Return what an image's line says; the seconds of a frame are not a number."""
    try:
        if "reason" in document:
            return Skipped(str(document["image"]), str(document["reason"]))
        return frame_from_json({**document, "seconds": float("nan")})
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _damaged(path, number, error) from error


def describe_head(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first line of a file."""
    return {
        **_KIND.head,
        "facetl": VERSION,
        "name": name,
        "settings": dict(settings),
    }


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with open_regular(path, sys.maxsize) as file:
            for number, line in enumerate(_lines_of(file), start=1):
                try:
                    yield _parse(path, number, line)
                except DetectionsError:
                    if number == 1 or line.endswith(b"\n"):
                        raise
                    return  # it was being written
    except OSError as error:
        raise DetectionsError(
            f"{path} cannot be read ({error.strerror}); make it with facetl detect --stream"
        ) from error


def _lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file; one that is too long comes in pieces, which say nothing."""
    return iter(partial(file.readline, LONGEST_LINE), b"")


def _check_head(path: Path, head: dict[str, Any]) -> dict[str, Any]:
    _KIND.require(head.get("format"), head.get("version"), path)
    if not isinstance(head.get("name"), str) or not isinstance(head.get("settings"), dict):
        raise _damaged(path, 1, ValueError("no name or no settings"))
    return head


def _find(path: Path, head: Mapping[str, Any]) -> _Found:
    """Return what stands in the file of an interrupted search."""
    images, ends = [], []
    place, is_finished = 0, False
    with open_regular(path, sys.maxsize) as file:
        for number, line in enumerate(_lines_of(file), start=1):
            if not line.endswith(b"\n"):
                break  # it was being written
            document = _parse(path, number, line)
            place += len(line)
            if number == 1:
                _require_same(path, document, head)
            elif "end" in document:
                is_finished = True
                break
            else:
                images.append(str(document["image"]))
            ends.append(place)
    return _Found(tuple(images), tuple(ends) or (0,), is_finished)


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return a whole line as what it says: the head first, then images or the end."""
    try:
        document = parse_json(line)
        if not isinstance(document, dict):
            raise ValueError(f"found {str(document)[:40]!r}, expected a JSON object")
        if number > 1 and "end" not in document:
            str(document["image"])
        return document
    except (ValueError, LookupError) as error:
        raise _damaged(path, number, error) from error


def _damaged(path: Path, number: int, error: Exception) -> DetectionsError:
    return DetectionsError(
        f"{path}:{number}: damaged detections ({type(error).__name__}: {error}); start over with "
        "facetl detect --stream --force"
    )


def _require_empty(found: Mapping[Path, _Found], missing: Path) -> None:
    """Refuse to give up images that are done because a file beside them is missing.

    A search that was killed while it made its files leaves some of them, without an image.
    """
    for path, each in found.items():
        if each.images:
            raise OutputError(
                f"{missing} is not there, and {path} holds {len(each.images)} images already; "
                "resume with the same --weights, or start over with --force"
            )


def _require_same(path: Path, found: Mapping[str, Any], head: Mapping[str, Any]) -> None:
    expected = json.loads(json.dumps(head))
    if dict(found) != expected:
        require_same_score(path, found, expected)
        raise OutputError(
            f"{path}: belongs to a search with other weights or settings; resume with the same "
            "command, or start over with --force"
        )


def require_same_score(path: Path, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuse to resume a search that differs in nothing but the score it is shown from.

    A file tells one score for all its images.

    Args:
        path: the file, for messages.
        found: its head, with the ``settings``.
        expected: the head that the search to be resumed would write.

    Raises:
        OutputError: naming the score to resume with.
    """
    settings = found.get("settings")
    score = settings.get("score") if isinstance(settings, dict) else None
    others = {**expected, "settings": {**expected["settings"], "score": score}}
    if isinstance(score, int | float) and dict(found) == others:
        raise OutputError(
            f"{path}: belongs to a search with another score; resume with --score {score}, and "
            "choose another afterwards with --score of facetl convert or facetl evaluate, or start "
            "over with --force"
        )
