"""The detections file: one JSON document a run.

::

    {"format": "facetl-detections", "version": 1, "facetl": "0.1.0", "name": "tuned",
     "settings": {…},
     "frames": [{"image": "001.jpg", "size_hw": [360, 480], "seconds": 0.03,
                 "candidates": {"pnet": 120, "rnet": 9, "onet": 1},
                 "boxes": [[x1, y1, x2, y2]], "scores": [s], "landmarks": [[[x, y] * 5]]}],
     "skipped": [{"image": "002.jpg", "reason": "…"}]}

A frame of a video has two keys more, ``"time": 4.92`` (seconds from the start) and
``"tracks": [7]`` (for each box the number of the face that it follows, ``null`` if none).  One that
shows the same as the frame before was not searched: its boxes are carried over, it has
``"carried": true``, no candidates and 0 seconds.

Where faces were named there are three keys more: ``"likeliest": ["dexter"]``, the character that
each face is likeliest to be; ``"name_scores": [0.98]``, the probability of that; and ``"names":
["dexter"]``, the same where it is likely enough, else ``unknown``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from facetl.errors import DetectionsError
from facetl.files import UNENCODABLE, FileKind, atomic_path, read_json
from facetl.results.detections import Detections, Floats, FrameResult, Run, Skipped
from facetl.version import VERSION

KIND = FileKind("facetl-detections", DetectionsError, "make it again with facetl detect")


class _RunWriter:
    """Writes a detections file frame by frame; in memory it holds only what was skipped."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._skipped: list[Skipped] = []
        self._separator = ""

    def add(self, frame: FrameResult) -> None:
        """Append what was found in a frame."""
        self._file.write(self._separator + _as_text(frame_to_json(frame)))
        self._separator = ", "

    def skip(self, skipped: Skipped) -> None:
        """Remember what could not be searched."""
        self._skipped.append(skipped)

    def finish(self) -> None:
        """Close the frames; write what was skipped."""
        skipped = [{"image": each.image, "reason": each.reason} for each in self._skipped]
        self._file.write(f'], "skipped": {_as_text(skipped)}}}\n')


@contextmanager
def writing_run(path: Path, name: str, settings: dict[str, Any]) -> Iterator[_RunWriter]:
    """Give a writer of a detections file; if the block succeeds, ``path`` holds it.

    If the block raises, no file is left.

    Args:
        path: the file.
        name: how the run is called.
        settings: JSON-able settings that made it.

    Raises:
        OutputError: if the place cannot be written.
    """
    head = {
        **KIND.head,
        "facetl": VERSION,
        "name": name,
        "settings": settings,
    }
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", errors=UNENCODABLE) as file,
    ):
        file.write(_as_text(head)[:-1] + ', "frames": [')
        writer = _RunWriter(file)
        yield writer
        writer.finish()


def save_run(path: Path, run: Run) -> None:
    """Write a run as a detections file, atomically."""
    with writing_run(path, run.name, run.settings) as writer:
        for frame in run.frames:
            writer.add(frame)
        for skipped in run.skipped:
            writer.skip(skipped)


def load_document(path: Path) -> Run:
    """Read a detections file that is one JSON document.

    Raises:
        DetectionsError: if the file is missing, damaged, or of another format or version.
    """
    try:
        document = read_json(path)
        KIND.require(document["format"], document["version"], path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DetectionsError(
            f"{path}: not a detections file ({error}); make one with facetl detect"
        ) from error
    try:
        return _run_from_json(document)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DetectionsError(
            f"{path}: damaged detections ({type(error).__name__}: {error}); "
            "make it again with facetl detect"
        ) from error


def shortest_decimals(values: Floats) -> NDArray[np.float64]:
    """Return the shortest decimals that read back as the same float32, in the same shape.

    Through float64 alone 0.9 would become 0.8999999761581421.
    """
    shortest = np.array([float(str(value)) for value in values.flat], dtype=np.float64)
    return shortest.reshape(values.shape)


def frame_to_json(frame: FrameResult) -> dict[str, Any]:
    """Return what was found in an image as the detections file has it."""
    document = {
        "image": frame.image,
        "size_hw": list(frame.size_hw),
        "seconds": frame.seconds,
        "candidates": frame.candidates,
        "boxes": shortest_decimals(frame.detections.boxes).tolist(),
        "scores": shortest_decimals(frame.detections.scores).tolist(),
        "landmarks": shortest_decimals(frame.detections.landmarks).tolist(),
    }
    if frame.time is not None:
        document["time"] = frame.time
    if frame.tracks is not None:
        document["tracks"] = list(frame.tracks)
    if frame.detections.names is not None and frame.detections.name_scores is not None:
        document["names"] = list(frame.detections.names)
        document["name_scores"] = shortest_decimals(frame.detections.name_scores).tolist()
    if frame.detections.likeliest is not None:
        document["likeliest"] = list(frame.detections.likeliest)
    if frame.carried:
        document["carried"] = True
    return document


def _as_text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)


def _run_from_json(document: dict[str, Any]) -> Run:
    return Run(
        name=str(document["name"]),
        settings=dict(document["settings"]),
        frames=tuple(frame_from_json(frame) for frame in document["frames"]),
        skipped=tuple(Skipped(s["image"], s["reason"]) for s in document["skipped"]),
    )


def frame_from_json(frame: dict[str, Any]) -> FrameResult:
    """Return what was found in an image from how the detections file has it.

    Raises:
        LookupError, TypeError, ValueError, AttributeError, OverflowError: if it is damaged.
    """
    height, width = frame["size_hw"]
    found = Detections.from_lists(frame["boxes"], frame["scores"], frame["landmarks"])
    if "names" in frame:
        found = replace(
            found,
            names=tuple(map(str, frame["names"])),
            name_scores=np.asarray(frame["name_scores"], np.float32),
            likeliest=tuple(map(str, frame["likeliest"])) if "likeliest" in frame else None,
        )
    return FrameResult(
        image=str(frame["image"]),
        size_hw=(int(height), int(width)),
        detections=found,
        candidates={stage: int(each) for stage, each in frame["candidates"].items()},
        seconds=float(frame["seconds"]),
        time=float(frame["time"]) if "time" in frame else None,
        tracks=tuple(None if track is None else int(track) for track in frame["tracks"])
        if "tracks" in frame
        else None,
        carried=bool(frame.get("carried", False)),
    )
