"""Detections as Parquet: a folder of shards, for results of many machines.

``tuned.detections.parquet/part-000007.parquet`` holds a row for each image of the eighth block of
a search::

    image       string               as in the detections file
    reason      string               why it was not searched; null if it was
    height      int32
    width       int32
    candidates  map<string, int32>   windows left after each stage
    boxes       list<list<float>>    x1, y1, x2, y2 in pixels, best first
    scores      list<float>
    landmarks   list<list<float>>    x, y of the five points, one after the other
    time        double               of a frame of a video: seconds from the start
    tracks      list<int32>          of a frame of a video: which face each box follows
    carried     bool                 whether the boxes are those of the frame before

What the first line of the JSON lines tells (:mod:`facetl.results.json_lines`) stands in each
shard's metadata under ``facetl``, with the number of the shard, how many there are in all, and the
fingerprint of the block of images.  There are no times in it, so that the same block makes the
same bytes wherever it is searched.  Each shard is whole or absent; a folder that lacks some was
interrupted.

Other tools read the folder as one table: ``pandas.read_parquet("tuned.detections.parquet")``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from facetl.data.interop import import_library
from facetl.errors import DetectionsError
from facetl.files import UNENCODABLE, FileKind, atomic_path, parse_json, require_regular
from facetl.results.detections import FrameResult, Run, Skipped
from facetl.results.json_file import frame_from_json
from facetl.version import VERSION

if TYPE_CHECKING:
    from pyarrow import Schema
    from pyarrow.parquet import ParquetFile, ParquetWriter

_KIND = FileKind("facetl-detections-shard", DetectionsError, "make it again with facetl detect")
_KEY = b"facetl"
_ROWS_HELD = 1024
"""Rows that wait in memory until they are written."""
_LONGEST_TEXT = 100_000_000
"""Bytes of a shard's description that are read; a damaged one may claim any number."""
_DAMAGE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError)


@dataclass(frozen=True)
class ShardHead:
    """What a shard says of itself.

    Attributes:
        name: how the run is called.
        settings: JSON-able settings that the results depend on.
        shard: its number, from 0.
        shards: how many the run has.
        block: fingerprint of the images that were to be searched for it.
    """

    name: str
    settings: dict[str, Any]
    shard: int
    shards: int
    block: str

    def to_json(self) -> dict[str, Any]:
        """Return the head as a shard's metadata has it."""
        return {
            **_KIND.head,
            "facetl": VERSION,
            **asdict(self),
        }

    def continues(self, other: ShardHead) -> bool:
        """Return whether both are shards of one search."""
        return (self.name, self.settings, self.shards) == (other.name, other.settings, other.shards)


class _ShardWriter:
    """Writes the rows of a shard."""

    def __init__(self, file: ParquetWriter) -> None:
        self._file = file
        self._rows: list[dict[str, Any]] = []

    def add(self, frame: FrameResult) -> None:
        """Append what was found in an image."""
        self._append(_row_of(frame))

    def skip(self, skipped: Skipped) -> None:
        """Append that an image could not be searched, and why."""
        self._append({"image": _text(skipped.image), "reason": _text(skipped.reason)})

    def finish(self) -> None:
        """Write the rows that are held."""
        import pyarrow

        if self._rows:
            self._file.write_table(pyarrow.Table.from_pylist(self._rows, self._file.schema))
        self._rows = []

    def _append(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) == _ROWS_HELD:
            self.finish()


@contextmanager
def writing_shard(path: Path, head: ShardHead) -> Iterator[_ShardWriter]:
    """Give a writer of a shard; if the block succeeds, ``path`` holds it.

    If the block raises, no file is left.

    Raises:
        OutputError: if the place cannot be written.
        InputError: if pyarrow is not installed.
    """
    _require_parquet()
    from pyarrow.parquet import ParquetWriter

    schema = _schema().with_metadata({_KEY: json.dumps(head.to_json()).encode()})
    with (
        atomic_path(path) as temporary,
        ParquetWriter(temporary, schema, write_page_checksum=True) as file,
    ):
        writer = _ShardWriter(file)
        yield writer
        writer.finish()


def shard_path(folder: Path, number: int) -> Path:
    """Return where a shard of a run lies."""
    return folder / f"part-{number:06}.parquet"


def find_shards(folder: Path) -> list[Path]:
    """Return the shards in a folder, in their order."""
    found = folder.glob("part-*.parquet")
    return sorted(found, key=lambda path: (len(path.name), path.name))


def load_shards(folder: Path) -> Run:
    """Read a run from its shards.

    Raises:
        DetectionsError: if shards are missing, damaged, or of different searches.
        InputError: if pyarrow is not installed.
    """
    paths = find_shards(folder)
    if not paths:
        raise DetectionsError(f"{folder}: found no shard in it; make them with facetl detect")
    heads = [read_head(path) for path in paths]
    first = heads[0]
    for path, head in zip(paths, heads, strict=True):
        if not head.continues(first):
            raise DetectionsError(
                f"{path}: belongs to another search than {paths[0].name}; search again with --force"
            )
    missing = sorted(set(range(first.shards)) - {head.shard for head in heads})
    if missing or len(paths) > first.shards:
        raise DetectionsError(
            f"{folder}: found {len(paths)} of {first.shards} shards; resume with facetl detect "
            "--engine ray --resume"
        )
    frames: list[FrameResult] = []
    skipped: list[Skipped] = []
    for path in paths:
        for each in read_shard(path):
            (skipped if isinstance(each, Skipped) else frames).append(each)  # type: ignore[arg-type]
    return Run(first.name, first.settings, tuple(frames), tuple(skipped))


def read_head(path: Path) -> ShardHead:
    """Return what a shard says of itself.

    Raises:
        DetectionsError: if it is missing, damaged, or of another format or version.
        InputError: if pyarrow is not installed.
    """
    with _opened(path) as file:
        document = parse_json((file.schema_arrow.metadata or {})[_KEY])
        _KIND.require(document["format"], document["version"], path)
        return _head_from_json(document)


def read_shard(path: Path) -> Iterator[FrameResult | Skipped]:
    """Yield what a shard says of each image, a few rows in memory at a time.

    Raises:
        DetectionsError: if it is missing or damaged.
        InputError: if pyarrow is not installed.
    """
    with _opened(path) as file:
        if not file.schema_arrow.equals(_schema()):
            raise ValueError("found other columns than a shard's")
        for batch in file.iter_batches(_ROWS_HELD):
            for row in batch.to_pylist():
                yield _from_row(row)


class ShardCounts(NamedTuple):
    """How much a shard holds.

    Attributes:
        frames: images that were searched, or got the boxes of the one before.
        boxes: boxes in all of them.
        faces: those of a score or more.
        skipped: why the others could not be searched.
    """

    frames: int
    boxes: int
    faces: int
    skipped: list[str]


def count_shard(path: Path, score: float) -> ShardCounts:
    """Return how much a shard holds, without reading its boxes.

    Args:
        path: the shard.
        score: from which boxes count as faces.

    Raises:
        DetectionsError: if it is missing or damaged.
        InputError: if pyarrow is not installed.
    """
    with _opened(path) as file:
        table = file.read(["reason", "scores"])
        skipped = table["reason"].drop_null().to_pylist()
        found = table["scores"].drop_null().combine_chunks().flatten()
        scores = found.to_numpy(zero_copy_only=False)
        faces = int((scores >= score).sum())
        return ShardCounts(len(table) - len(skipped), len(scores), faces, skipped)


def _require_parquet() -> None:
    """Raise if the library that reads and writes Parquet is missing."""
    import_library("pyarrow", "Parquet")


@contextmanager
def _opened(path: Path) -> Iterator[ParquetFile]:
    """Give an open shard; whatever turns out to be wrong with it in the block is damage."""
    _require_parquet()
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        require_regular(path, sys.maxsize)
        with ParquetFile(
            path,
            page_checksum_verification=True,
            thrift_string_size_limit=_LONGEST_TEXT,
            thrift_container_size_limit=_LONGEST_TEXT,
        ) as file:
            yield file
    except (ArrowException, *_DAMAGE) as error:
        raise DetectionsError(
            f"{path}: damaged or no shard of detections ({type(error).__name__}: "
            f"{' '.join(str(error).split())}); search its images again with facetl detect"
        ) from error


def _schema() -> Schema:
    import pyarrow as pa

    numbers = pa.list_(pa.float32())
    return pa.schema(
        [
            pa.field("image", pa.string(), nullable=False),
            ("reason", pa.string()),
            ("height", pa.int32()),
            ("width", pa.int32()),
            ("candidates", pa.map_(pa.string(), pa.int32())),
            ("boxes", pa.list_(numbers)),
            ("scores", numbers),
            ("landmarks", pa.list_(numbers)),
            ("time", pa.float64()),
            ("tracks", pa.list_(pa.int32())),
            ("carried", pa.bool_()),
        ]
    )


def _row_of(frame: FrameResult) -> dict[str, Any]:
    found = frame.detections
    height, width = frame.size_hw
    return {
        "image": _text(frame.image),
        "height": height,
        "width": width,
        "candidates": list(frame.candidates.items()),
        "boxes": found.boxes.tolist(),
        "scores": found.scores.tolist(),
        "landmarks": found.landmarks.reshape(-1, 10).tolist(),
        "time": frame.time,
        "tracks": frame.tracks,
        "carried": frame.carried,
    }


def _text(text: str) -> str:
    """Return a text with escapes for what UTF-8 cannot hold."""
    return text.encode(errors=UNENCODABLE).decode()


def _from_row(row: Mapping[str, Any]) -> FrameResult | Skipped:
    """Return what a row says of an image."""
    if row["reason"] is not None:
        return Skipped(row["image"], row["reason"])
    told = {name: row[name] for name in ("time", "tracks") if row[name] is not None}
    return frame_from_json(
        {
            "image": row["image"],
            "size_hw": (row["height"], row["width"]),
            "seconds": float("nan"),
            "candidates": dict(row["candidates"]),
            "boxes": row["boxes"],
            "scores": row["scores"],
            "landmarks": row["landmarks"],
            "carried": row["carried"],
            **told,
        }
    )


def _head_from_json(document: Mapping[str, Any]) -> ShardHead:
    head = ShardHead(
        name=str(document["name"]),
        settings=dict(document["settings"]),
        shard=int(document["shard"]),
        shards=int(document["shards"]),
        block=str(document["block"]),
    )
    if not 0 <= head.shard < head.shards:
        raise ValueError(f"found shard {head.shard} of {head.shards}")
    return head
