"""What a path that a command is given is, and which command it is for, if not for this one."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from glob import glob, has_magic
from itertools import takewhile
from pathlib import Path
from typing import Any

import click

from facetl.errors import InputError
from facetl.files import open_regular


class Kind(StrEnum):
    """What a path may be, in words."""

    FOLDER = "a folder"
    IMAGE = "an image"
    VIDEO = "a video"
    ANNOTATIONS = "an annotation file"
    WEIGHTS = "a weights file"
    DETECTIONS = "a file of detections"
    ARCHIVE = "an archive"


_UNPACK = "unpack it, and give the folder"
_PICK = "pick frames of it to annotate first: facetl frames {path} --out frames"
_SEARCH = "search it first: facetl detect {path} --out results"
_SCORE = "score it with: facetl evaluate {path} --truth FILE_OR_FOLDER"

REMEDIES: Mapping[str, Mapping[Kind, str]] = {
    "images": {
        Kind.ANNOTATIONS: "give the images, and this as --truth to draw it",
        Kind.WEIGHTS: "give the images, and this as --weights",
        Kind.DETECTIONS: _SCORE,
        Kind.ARCHIVE: _UNPACK,
    },
    "image": {
        Kind.FOLDER: "give one image of it",
        Kind.VIDEO: "take a frame of it: facetl frames {path} --out frames",
        Kind.ANNOTATIONS: "give one of its images",
        Kind.WEIGHTS: "give an image, and this as --weights",
        Kind.DETECTIONS: "give one of its images",
        Kind.ARCHIVE: "unpack it, and give one image",
    },
    "videos": {
        Kind.IMAGE: "search it with: facetl detect {path} --out results",
        Kind.ANNOTATIONS: "give videos",
        Kind.WEIGHTS: "give videos, and this as --weights",
        Kind.DETECTIONS: "give the videos that were searched",
        Kind.ARCHIVE: "unpack it, and give the videos in it",
    },
    "frames": {
        Kind.IMAGE: "give a folder of annotated images",
        Kind.VIDEO: _PICK,
        Kind.WEIGHTS: "give annotated frames",
        Kind.DETECTIONS: "correct it first: facetl convert {path} corrections --to cvat",
    },
    "patches": {
        Kind.IMAGE: "cut patches from a folder of frames: facetl prepare FOLDER --out patches",
        Kind.VIDEO: _PICK,
        Kind.ANNOTATIONS: "cut patches first: facetl prepare {path} --out patches",
        Kind.WEIGHTS: "give patches, which facetl prepare makes, and this as --start",
        Kind.DETECTIONS: "give patches, which facetl prepare makes",
        Kind.ARCHIVE: _UNPACK,
    },
    "results": {
        Kind.IMAGE: _SEARCH,
        Kind.VIDEO: _SEARCH,
        Kind.ANNOTATIONS: "give what facetl detect found, and this as --truth",
        Kind.WEIGHTS: "search frames with it first: facetl detect FRAMES --weights {path}",
        Kind.ARCHIVE: _UNPACK,
    },
    "annotated": {
        Kind.IMAGE: _SEARCH,
        Kind.VIDEO: _SEARCH,
        Kind.WEIGHTS: "write the networks for other programs: facetl export --weights {path}",
    },
}
"""By what a command wants: the way out, by what it was given."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_ARCHIVES = (b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a", b"\x1f\x8b", b"\xfd7zXZ", b"BZh")
_HEAD = 4096
_TAR = slice(257, 262)


def wanting(wanted: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a callback that looks at the paths a parameter is given.

    Where only some of several are of a wrong kind, the command shall skip them: none is opened
    after the first that is right.

    Args:
        wanted: a key of :data:`REMEDIES`.
    """

    def look(context: click.Context, parameter: click.Parameter, given: Any) -> Any:
        paths = given if isinstance(given, tuple) else (given,) if given else ()
        for path in paths:
            _require_there(path)
        remedies = [*takewhile(bool, (_remedy(path, wanted) for path in paths))]
        if remedies and len(remedies) == len(paths):
            raise InputError(str(remedies[0]))
        return given

    return look


def what_is(path: Path) -> Kind | None:
    """Return what is at a path, None if that is hard to tell; only its beginning is read."""
    from facetl.data.kinds import TEXT_SUFFIXES, is_video, kind_of
    from facetl.mtcnn.detections import SUFFIXES

    if path.name.endswith(SUFFIXES):
        return Kind.DETECTIONS if path.exists() else None
    if path.is_dir():
        return Kind.FOLDER
    try:
        with open_regular(path, sys.maxsize) as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    suffix = path.suffix.lower()
    if suffix in (".safetensors", ".pt", ".pth"):
        return Kind.WEIGHTS
    if head.startswith(_ARCHIVES) or head[_TAR] == b"ustar":
        return Kind.ARCHIVE
    if is_video(path):
        return Kind.VIDEO
    if suffix in TEXT_SUFFIXES:
        return Kind.DETECTIONS if b'"facetl-detections' in head else Kind.ANNOTATIONS
    return Kind.IMAGE if kind_of(path) == "image" else None


def _remedy(path: Path, wanted: str) -> str | None:
    """Return what a path is and what to do; None if it may be what is wanted."""
    kind = what_is(path)
    remedy = REMEDIES[wanted].get(kind) if kind else None
    return remedy and f"{path} is {kind}; {remedy.format(path=shlex.quote(str(path)))}"


def _require_there(path: Path) -> None:
    """Raise if a path can only be an address, or a pattern that the shell did not replace.

    Raises:
        InputError: saying what to give.
    """
    if path.exists():
        return
    if _URL.match(str(path)):
        address = str(path).replace(":/", "://", 1)  # as it was before it was a path
        raise InputError(f"{address} is an address, and facetl opens none; download it first")
    if has_magic(str(path)):
        found = glob(str(path))  # noqa: PTH207 - Path.glob takes no absolute pattern
        raise InputError(
            f"{path}: {len(found)} files match this pattern; give it without quotes, or the folder"
            if found
            else f"{path}: no file matches this pattern; check the path, or give the folder"
        )
