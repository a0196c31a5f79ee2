"""ZIP files as labelling tools offer for download: the one annotation file in them is read."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from facetl.errors import AnnotationError

ZIP = b"PK\x03\x04"
"""How a ZIP begins."""
MAX_BYTES = 2**28
"""How large an annotation file in a ZIP may be when unpacked."""

_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, ValueError),
)
_SUFFIXES = (".json", ".txt", ".xml", ".csv", ".yaml", ".yml")
_MOST_NAMED = 3


def read_member(path: Path, most: int | None = None) -> bytes:
    """Return the bytes of the one annotation file in a ZIP: its one JSON, or its one text.

    Args:
        path: the ZIP.
        most: how many bytes of the file are wanted; None for all.

    Raises:
        AnnotationError: if it holds none or several, is damaged or encrypted, or the file is too
            large.
    """
    try:
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(_choose(path, archive.namelist())) as stream,
        ):
            data = stream.read(MAX_BYTES + 1 if most is None else min(most, MAX_BYTES))
    except _DAMAGES as error:
        raise AnnotationError(f"{path} is a damaged ZIP ({error}); download it again") from error
    except RuntimeError as error:
        raise AnnotationError(
            f"{path} is an encrypted ZIP; unpack it and give what it holds"
        ) from error
    if len(data) > MAX_BYTES:
        raise AnnotationError(
            f"{path} is a ZIP whose annotations grow beyond {MAX_BYTES:,} bytes; unpack it and "
            "give what it holds"
        )
    return data


def _choose(path: Path, names: Sequence[str]) -> str:
    """Return the name of the one annotation file.

    Raises:
        AnnotationError: if there is none, or not one alone.
    """
    if any(name.startswith(("xl/", "word/", "ppt/")) for name in names):
        raise AnnotationError(f"{path} is an Office file; save it as plain text or as COCO JSON")
    files = [name for name in names if _may_be_annotations(PurePosixPath(name))]
    jsons = [name for name in files if name.lower().endswith(".json")]
    for chosen in (jsons, files):
        if len(chosen) == 1 and chosen[0].lower().endswith((".json", ".txt")):
            return chosen[0]
    shown = ", ".join(files[:_MOST_NAMED]) + (", …" if len(files) > _MOST_NAMED else "")
    raise AnnotationError(
        f"{path} is a ZIP that holds {shown or 'no annotation file'}; unpack it and give the folder"
    )


def _may_be_annotations(name: PurePosixPath) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in name.parts)
    fits = name.suffix.lower() in _SUFFIXES and not name.stem.lower().startswith("readme")
    return fits and not hidden
