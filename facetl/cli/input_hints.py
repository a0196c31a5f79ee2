"""What a path that a command is given is, and which command it is for, if not for this one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from enum import StrEnum
from glob import glob, has_magic
from itertools import takewhile
from pathlib import Path
from typing import Any

import click

from facetl.errors import InputError
from facetl.files import read_beginning


class InputKind(StrEnum):
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

REMEDIES: Mapping[str, Mapping[InputKind, str]] = {
    "images": {
        InputKind.ANNOTATIONS: "give the images, and this as --truth to draw it",
        InputKind.WEIGHTS: "give the images, and this as --weights",
        InputKind.DETECTIONS: _SCORE,
        InputKind.ARCHIVE: _UNPACK,
    },
    "image": {
        InputKind.FOLDER: "give one image of it",
        InputKind.VIDEO: "take a frame of it: facetl frames {path} --out frames",
        InputKind.ANNOTATIONS: "give one of its images",
        InputKind.WEIGHTS: "give an image, and this as --weights",
        InputKind.DETECTIONS: "give one of its images",
        InputKind.ARCHIVE: "unpack it, and give one image",
    },
    "videos": {
        InputKind.IMAGE: "search it with: facetl detect {path} --out results",
        InputKind.ANNOTATIONS: "give videos",
        InputKind.WEIGHTS: "give videos, and this as --weights",
        InputKind.DETECTIONS: "give the videos that were searched",
        InputKind.ARCHIVE: "unpack it, and give the videos in it",
    },
    "frames": {
        InputKind.IMAGE: "give a folder of annotated images",
        InputKind.VIDEO: _PICK,
        InputKind.WEIGHTS: "give annotated frames",
        InputKind.DETECTIONS: "correct it first: facetl convert {path} corrections --to cvat",
    },
    "patches": {
        InputKind.IMAGE: "cut patches from a folder of frames: facetl prepare FOLDER --out patches",
        InputKind.VIDEO: _PICK,
        InputKind.ANNOTATIONS: "cut patches first: facetl prepare {path} --out patches",
        InputKind.WEIGHTS: "give patches, which facetl prepare makes, and this as --start",
        InputKind.DETECTIONS: "give patches, which facetl prepare makes",
        InputKind.ARCHIVE: _UNPACK,
    },
    "results": {
        InputKind.IMAGE: _SEARCH,
        InputKind.VIDEO: _SEARCH,
        InputKind.ANNOTATIONS: "give what facetl detect found, and this as --truth",
        InputKind.WEIGHTS: "search frames with it first: facetl detect FRAMES --weights {path}",
        InputKind.ARCHIVE: _UNPACK,
    },
    "annotated": {
        InputKind.IMAGE: _SEARCH,
        InputKind.VIDEO: _SEARCH,
        InputKind.WEIGHTS: "write the networks for other programs: facetl export --weights {path}",
    },
}
"""By what a command expects: what to do instead, by what it was given."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_ARCHIVES = (b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a", b"\x1f\x8b", b"\xfd7zXZ", b"BZh")
_HEAD = 4096
_TAR = slice(257, 262)


def expecting(wanted: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a callback that looks at the paths a parameter is given.

    Of several folders of frames, each must be one.  Of others, those of a wrong kind are skipped
    by the command, unless all are: none is opened after the first that is right.

    Args:
        wanted: a key of :data:`REMEDIES`.
    """

    def look(context: click.Context, parameter: click.Parameter, given: Any) -> Any:
        paths = given if isinstance(given, tuple) else (given,) if given else ()
        for path in paths:
            _require_there(path)
        remedies = (_remedy(path, wanted) for path in paths)
        wrong = [*filter(None, remedies)] if wanted == "frames" else [*takewhile(bool, remedies)]
        if wrong and (wanted == "frames" or len(wrong) == len(paths)):
            raise InputError(str(wrong[0]))
        return given

    return look


def input_kind(path: Path) -> InputKind | None:
    """Return what is at a path, None if that is hard to tell; only its beginning is read."""
    from facetl.data.media_types import TEXT_SUFFIXES, is_video, media_type
    from facetl.results.store import SUFFIXES

    if path.name.endswith(SUFFIXES):
        return InputKind.DETECTIONS if path.exists() else None
    if path.is_dir():
        return InputKind.FOLDER
    if (head := read_beginning(path, _HEAD)) is None:
        return None
    suffix = path.suffix.lower()
    if suffix in (".safetensors", ".pt", ".pth"):
        return InputKind.WEIGHTS
    if head.startswith(_ARCHIVES) or head[_TAR] == b"ustar":
        return InputKind.ARCHIVE
    if is_video(path):
        return InputKind.VIDEO
    if suffix in TEXT_SUFFIXES:
        return InputKind.DETECTIONS if b'"facetl-detections' in head else InputKind.ANNOTATIONS
    return InputKind.IMAGE if media_type(path) == "image" else None


def _remedy(path: Path, wanted: str) -> str | None:
    """Return what a path is and what to do; None if it may be what is wanted."""
    kind = input_kind(path)
    remedy = REMEDIES[wanted].get(kind) if kind else None
    return remedy and f"{path} is {kind}; {remedy.format(path=shlex.quote(str(path)))}"


def _require_there(path: Path) -> None:
    """Raise if a path can only be an address, or a pattern that the shell did not replace."""
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
