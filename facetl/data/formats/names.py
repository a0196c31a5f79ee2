"""What names may be in annotation files: of images, and of classes."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath

FACE = "face"
"""The class that says no more than that something is a face: read as no label, and written
where there is none."""

_LONGEST_NAME, _LONGEST_PATH = 255, 4_000
"""In bytes: what usual file systems allow, with room for the folder."""


def image_name(text: object) -> str | None:
    """Return the relative path that an annotation file means, with slashes and without dots.

    None if it is none, is absolute, or climbs out of its folder: such a path is never opened.
    """
    if not isinstance(text, str) or not _is_plain(text):
        return None
    slashed = text.replace("\\", "/")
    if slashed.startswith("/") or PureWindowsPath(text).drive:
        return None
    name = posixpath.normpath(slashed)
    return None if name == "." or PurePosixPath(name).parts[0] == ".." else name


def class_label(text: str) -> str | None:
    """Return the label that a class's name stands for: None for ``face``, or for nothing.

    White space becomes single blanks, and what nobody can print a question mark.
    """
    label = _printable(text)
    return None if label in ("", FACE) else label


def class_name(label: str | None) -> str:
    """Return the class as which a label is written."""
    return _printable(label or "") or FACE


def class_names(labels: Sequence[str | None]) -> list[str]:
    """Return the classes of all labels, each once, in the order of the alphabet."""
    return sorted({class_name(label) for label in labels})


def _is_plain(text: str) -> bool:
    """Return whether a file may be called so: nothing that cannot be printed, no endless words."""
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    short = len(encoded) <= _LONGEST_PATH and max(map(len, encoded.split(b"/"))) <= _LONGEST_NAME
    return bool(text.strip()) and text.isprintable() and short


def _printable(text: str) -> str:
    words = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in words)
