"""The patch file: pixels, labels and targets of one stage, larger than memory if need be.

It is a safetensors file, which other tools open too, with five columns of one length N:

============  =======  =============  ====================================================
column        type     shape          meaning
============  =======  =============  ====================================================
windows       float32  (N, 4)         where each patch was cut, in pixels of its frame
offsets       float32  (N, 4)         from the window to the face, fractions of its side
frame_index   int32    (N,)           place of the frame in the metadata's ``frames``
labels        uint8    (N,)           values of :class:`facetl.training.sampling.Label`
pixels        uint8    (N, S, S, 3)   RGB
============  =======  =============  ====================================================

The file's metadata holds one key, ``facetl``: a JSON object with the format's name and version,
the names of the frames and the settings of the maker.  Frame by frame the patches
are kept as parts beside the target (:mod:`facetl.parts`), which are joined at the end; reading
maps the file into memory.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from facetl.errors import PatchesError
from facetl.files import FileKind, atomic_path, parse_json
from facetl.parts import Parts, keeping_parts
from facetl.training.sampling import Label, LabelledWindows
from facetl.version import VERSION

KIND = FileKind("facetl-patches", PatchesError, "prepare the patches again")
_FINGERPRINTED_PATCHES = 1000
PATCH_COUNTS = "patch_counts"
"""Where a weights file's metadata keeps what it was trained on: a row for each training."""

_TYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}
# In the file's order: the widest types first, so that every column is aligned.
_COLUMNS = {
    "windows": "F32",
    "offsets": "F32",
    "frame_index": "I32",
    "labels": "U8",
    "pixels": "U8",
}


def patches_path(folder: Path, stage: str = "pnet") -> Path:
    """Return where the patches of a stage lie in a folder of patches."""
    return folder / f"{stage}.patches"


@dataclass(frozen=True, eq=False)
class Patches:
    """Labelled patches of one stage; the columns may be memory maps.

    Attributes:
        pixels: (N, S, S, 3) uint8, RGB.
        labels: (N,) uint8, values of :class:`Label` other than IGNORED.
        offsets: (N, 4) float32 from the window to the face's true box, as fractions of the
            window's side; zeros for negatives.
        frame_index: (N,) int32, which frame each patch was cut from.
        windows: (N, 4) float32, where it was cut, in pixels of the frame.
        metadata: where the patches came from; ``frames`` names the frames.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    offsets: NDArray[np.float32]
    frame_index: NDArray[np.int32]
    windows: NDArray[np.float32]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, shape in _shapes(len(self.labels), self.size).items():
            column: NDArray[Any] = getattr(self, name)
            expected = f"{name} of shape {shape} and type {_TYPES[_COLUMNS[name]]}"
            if column.shape != shape or column.dtype != _TYPES[_COLUMNS[name]]:
                raise ValueError(f"expected {expected}, got {column.shape} and {column.dtype}")
        if (self.labels >= Label.IGNORED).any():
            raise ValueError(f"expected labels below {int(Label.IGNORED)}, got {self.labels.max()}")
        if (self.frame_index < 0).any():
            raise ValueError(f"expected places of frames from 0 on, got {self.frame_index.min()}")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> int:
        """Side of the patches in pixels."""
        return self.pixels.shape[1] if self.pixels.ndim == 4 else 0

    @property
    def counts(self) -> dict[Label, int]:
        """How many patches there are of each label."""
        tally = np.bincount(self.labels, minlength=len(Label)).tolist()
        return {label: tally[label] for label in Label if label is not Label.IGNORED}

    def describe_counts(self, stage: str) -> dict[str, Any]:
        """Return a row for :data:`PATCH_COUNTS`: how many there are of each label, by its name."""
        return {"stage": stage} | {label.name.lower(): n for label, n in self.counts.items()}

    @property
    def fingerprint(self) -> str:
        """A short hash of metadata and columns; of the pixels a sample, which is read quickly."""
        sample = self.pixels[:: max(len(self) // _FINGERPRINTED_PATCHES, 1)]
        digest = hashlib.sha256(json.dumps(dict(self.metadata), sort_keys=True).encode())
        for column in (self.windows, self.offsets, self.frame_index, self.labels, sample):
            digest.update(column.tobytes())
        return digest.hexdigest()[:16]


class PatchWriter:
    """Takes patches frame by frame; see :func:`writing_patches`.

    Attributes:
        metadata: JSON-able facts about the patches' origin; set it before the end.
    """

    def __init__(self, size: int, parts: Parts) -> None:
        self.metadata: dict[str, Any] = {}
        self._size = size
        self._parts = parts

    @property
    def kept(self) -> Sequence[Any]:
        """The facts of all frames that are written, in order; those from before a break first."""
        return tuple(self._parts.facts)

    def add(
        self,
        frame_index: int,
        pixels: NDArray[np.uint8],
        labelled: LabelledWindows,
        facts: Any = None,
    ) -> None:
        """Append the patches of one frame.

        Args:
            frame_index: place of the frame in the metadata's ``frames``.
            pixels: (N, S, S, 3) uint8.
            labelled: N windows, where the patches were cut.
            facts: JSON-able, to be found in :attr:`kept` if the writing is resumed.

        Raises:
            OutputError: if the disk does not take them.
        """
        patches = Patches(
            pixels=pixels,
            labels=labelled.labels,
            offsets=labelled.offsets.astype(np.float32),
            frame_index=np.full(len(labelled), frame_index, np.int32),
            windows=labelled.windows.astype(np.float32),
        )
        if patches.size != self._size:
            raise ValueError(f"expected patches of {self._size} pixels, got {patches.size}")
        columns = (
            getattr(patches, name).astype(_TYPES[code]).tobytes() for name, code in _COLUMNS.items()
        )
        self._parts.add(facts, b"".join(columns))

    def leave_out(self, facts: Any) -> None:
        """Append a frame that has no patches."""
        self._parts.add(facts, b"")

    def join(self, path: Path) -> None:
        """Write one file with the patches of all frames, column after column."""
        row_bytes = _row_bytes(self._size)
        count = self._parts.size // sum(row_bytes)
        with path.open("wb") as file:
            file.write(_header(count, self._size, self.metadata))
            begins = accumulate(row_bytes[:-1], initial=0)
            places = [file.tell() + count * begin for begin in begins]
            for data in self._parts.read():
                rows, rest = len(data) // sum(row_bytes), memoryview(data)
                for column, size in enumerate(row_bytes):
                    file.seek(places[column])
                    places[column] += file.write(rest[: rows * size])
                    rest = rest[rows * size :]


@contextmanager
def writing_patches(
    path: Path, size: int, task: Mapping[str, Any] | None = None, *, resume: bool = False
) -> Iterator[PatchWriter]:
    """Give a writer of patches of ``size`` pixels; if the block succeeds, ``path`` holds them.

    Memory does not grow with the number of patches.  If the block raises or the process is
    killed, the frames that were written stay beside ``path``, for another call to resume.

    Args:
        path: the patch file.
        size: side of the patches in pixels.
        task: JSON-able: all that the patches depend on.
        resume: resume interrupted work, if there is any.

    Raises:
        OutputError: if the place cannot be written.
        PatchesError: if the interrupted work is another task's.
    """
    described = {"size": size, **(task or {})}
    with keeping_parts(path, described, resume=resume, error=PatchesError) as parts:
        writer = PatchWriter(size, parts)
        yield writer
        with atomic_path(path) as temporary:
            writer.join(temporary)


def load_patches(path: Path | str, stage: str = "pnet") -> Patches:
    """Map a patch file into memory; its pixels are read when they are looked at.

    Args:
        path: the file, or the folder that ``facetl prepare`` made.
        stage: which of the folder's files.

    Raises:
        PatchesError: if it is missing, damaged, no patch file, or of another version.
    """
    path = Path(path)
    file = patches_path(path, stage) if path.is_dir() else path
    if not file.is_file():
        mined = f" --stage {stage} --weights FILE" if stage != "pnet" else ""
        raise PatchesError(
            f"{file} does not exist; make it with: facetl prepare DATA{mined} --out FOLDER"
        )
    metadata = _read_metadata(file)
    try:
        _check_metadata(metadata)
        return Patches(**_map_columns(file), metadata=metadata)
    except (KeyError, TypeError, ValueError) as error:
        raise PatchesError(
            f"{file} has a wrong or missing column ({error}); prepare the patches again"
        ) from error


def _read_metadata(file: Path) -> dict[str, Any]:
    """Check that the file is whole and of our format and version; return its metadata."""
    try:
        with safe_open(file, framework="numpy") as tensors:
            text = (tensors.metadata() or {}).get("facetl", "{}")
        metadata: dict[str, Any] = parse_json(text)
        KIND.require(metadata.pop("format", None), metadata.pop("version", None), file)
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise PatchesError(
            f"{file} is damaged or no patch file ({error}); prepare the patches again"
        ) from error
    return metadata


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    """Raise if what trainings ask the metadata for is not what it should be."""
    for name in ("groups", "held_out"):
        if name in metadata and not _are_places(metadata[name]):
            raise ValueError(f"found {name} that are no whole numbers")
    if not isinstance(metadata.get("recipe", {}), dict):
        raise ValueError("found a recipe that is no object")


def _are_places(values: object) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 2**31 for value in values
    )


def _map_columns(file: Path) -> dict[str, NDArray[Any]]:
    """Return the columns as views of one memory map: safetensors' own slices would copy."""
    raw: NDArray[np.uint8] = np.memmap(file, dtype=np.uint8, mode="r")
    start = 8 + int.from_bytes(raw[:8].tobytes(), "little")
    entries = parse_json(raw[8:start].tobytes())
    columns = {}
    for name in _COLUMNS:
        entry = entries[name]
        begin, end = entry["data_offsets"]
        data = raw[start + begin : start + end].view(_TYPES[entry["dtype"]])
        columns[name] = data.reshape(entry["shape"])
    return columns


def _header(count: int, size: int, metadata: Mapping[str, Any]) -> bytes:
    """Return the head of a safetensors file: a length, then JSON padded to eight bytes."""
    signed = {**KIND.head, "facetl": VERSION, **metadata}
    entries: dict[str, Any] = {"__metadata__": {"facetl": json.dumps(signed)}}
    begin = 0
    for name, shape in _shapes(count, size).items():
        end = begin + math.prod(shape) * _TYPES[_COLUMNS[name]].itemsize
        entries[name] = {"dtype": _COLUMNS[name], "shape": shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _row_bytes(size: int) -> list[int]:
    """Return how many bytes a patch takes in each column."""
    return [
        math.prod(shape) * _TYPES[_COLUMNS[name]].itemsize
        for name, shape in _shapes(1, size).items()
    ]


def _shapes(count: int, size: int) -> dict[str, tuple[int, ...]]:
    return {
        "windows": (count, 4),
        "offsets": (count, 4),
        "frame_index": (count,),
        "labels": (count,),
        "pixels": (count, size, size, 3),
    }
