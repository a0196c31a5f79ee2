"""Which files are images, which are videos: by their content; names are a first guess.

A folder of a hundred thousand frames is not opened file by file: a file with the suffix of an
image counts as one, a file with that of a text as neither, and of all other files the first bytes
decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from facetl.errors import InputError
from facetl.files import read_beginning

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff"),
    *(".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".hif", ".avif"),
)
"""Suffixes, in lower case, of the files that count as images."""

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts"),
    *(".wmv", ".flv", ".ogv", ".3gp", ".vob", ".mts", ".qt", ".f4v", ".asf", ".rm", ".rmvb"),
    *(".ogm", ".m2v", ".divx", ".3g2", ".mpe", ".m1v", ".m2t", ".mxf", ".dv"),
)
"""Suffixes, in lower case, of the files that are videos unless they hold something else."""

_SOUND_SUFFIXES = (".m4a", ".m4b", ".ogg", ".oga", ".opus", ".mka", ".wma")
"""Suffixes of video containers that hold only sound."""

TEXT_SUFFIXES = (".txt", ".json", ".xml", ".csv", ".yaml", ".yml")
"""Suffixes, in lower case, of texts: annotations often lie beside the frames, one for each."""

HEAD = 1024
"""Bytes at a file's beginning that determine what it is."""

_MediaType = Literal["image", "video"]

_IMAGE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|II\*\0|MM\0\*|II\+\0|MM\0\+|RIFF....WEBP"
    rb"|BM....\0\0\0\0....[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"
    rb"|P[1-6](?:\s|#[^\r\n]*[\r\n])+\d+(?:\s|#[^\r\n]*[\r\n])+\d"
    rb"|....ftyp(?:avi[fs]|he[iv][cxms]|m[is]f[12])",
    re.DOTALL,
)
"""JPEG, PNG, GIF, TIFF, WebP, BMP, PNM, AVIF and HEIF."""

_VIDEO = re.compile(
    # MP4 and QuickTime (words of English only after a binary length), Matroska, AVI, FLV, ASF,
    # Ogg, RealMedia
    rb"....(?:ftyp|moov|mdat)|\0...(?:wide|free|skip|pnot)|\x1a\x45\xdf\xa3"
    rb"|RIFF....(?:AVI|AMV|CDXA)|FLV\x01|\x30\x26\xb2\x75\x8e\x66\xcf\x11|OggS|\.RMF"
    # MPEG streams: transport with and without time codes, program, elementary of five kinds
    rb"|G.{187}G.{187}G|.{4}G.{191}G.{191}G|\0\0\x01[\xba\xb3\xb0]"
    rb"|\0\0\0\x01[\x09\x27\x67\x40\x42\x46]"
    # MXF, DV, recordings of Windows, IVF, NUT, raw frames
    rb"|\x06\x0e\x2b\x34|\x1f\x07\0|\xb7\xd8\x00\x20\x37\x49\xda\x11|DKIF|nut/multimedia"
    rb"|YUV4MPEG2",
    re.DOTALL,
)


@dataclass(frozen=True)
class _FolderContents:
    """What is below a folder, without hidden files.

    Attributes:
        images: in the order of their names, as are the videos.
        videos: files that hold videos.
        linked_folders: links to folders, which are not followed: they may form a circle.
        others: everything else.
    """

    images: tuple[Path, ...]
    videos: tuple[Path, ...]
    linked_folders: int
    others: int


def media_type(path: Path) -> _MediaType | None:
    """Return what a file is by its content, or by its name if the content says nothing.

    A text is no video, whatever its name: ``.ts`` are programs too, and playlists are no videos.
    """
    if (head := read_beginning(path, HEAD)) is None:
        return None
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES and (not head or b"\0" in head):
        return media_type_of_head(head) or "video"
    return media_type_of_head(head) or ("image" if suffix in IMAGE_SUFFIXES else None)


def media_type_of_head(head: bytes) -> _MediaType | None:
    """Return what a file with such a beginning is."""
    if _IMAGE.match(head):
        return "image"
    return "video" if _VIDEO.match(head) else None


def is_video(path: Path) -> bool:
    """Return whether a file is a video, or would be one if it were not damaged."""
    kind = media_type(path)
    return kind == "video" or (kind is None and path.suffix.lower() in VIDEO_SUFFIXES)


def scan_folder(folder: Path) -> _FolderContents:
    """Return what is below a folder.

    Raises:
        InputError: if there is no such folder.
    """
    images: list[Path] = []
    videos: list[Path] = []
    links = others = 0
    for path in _visible(folder):
        if path.is_dir():
            links += path.is_symlink()
        elif path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            images.append(path)
        elif kind := _kind_of_entry(path):
            (images if kind == "image" else videos).append(path)
        else:
            others += 1
    return _FolderContents(tuple(sorted(images)), tuple(sorted(videos)), links, others)


def image_paths(folder: Path) -> list[Path]:
    """Return the files below a folder with the suffix of an image, by name, without hidden ones.

    Raises:
        InputError: if there is no such folder.
    """
    named = (path for path in _visible(folder) if path.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(path for path in named if path.is_file())


def _visible(folder: Path) -> Iterator[Path]:
    """Yield everything below a folder but what is hidden, or what macOS puts into archives."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the folder that holds the images")
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if not any(part.startswith(".") or part == "__MACOSX" for part in parts):
            yield path


def _kind_of_entry(path: Path) -> _MediaType | None:
    """Return what a file in a folder is that has no suffix of an image."""
    is_neither = path.suffix.lower() in (*_SOUND_SUFFIXES, *TEXT_SUFFIXES)
    return None if is_neither or not path.is_file() else media_type(path)
