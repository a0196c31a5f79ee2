"""What names may be in annotation files: of images, and of classes."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath

from facetl.data.name_matching import without_query
from facetl.errors import OutputError

FACE = "face"
"""The class of faces without a label: read as no label, and written where there is none."""

_UNNAMEABLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, broken Unicode, and ends of lines."""
_LONGEST_NAME, _LONGEST_PATH = 255, 2_000
"""In bytes: what usual file systems allow, with room for the folder."""


def image_name(text: object) -> str | None:
    """Return the relative path that an annotation file means, with slashes and without dots.

    None if it is none, is absolute, or climbs out of its folder: such a path is never opened.
    """
    if not isinstance(text, str) or not is_plain(text):
        return None
    slashed = text.replace("\\", "/")
    if slashed.startswith("/") or PureWindowsPath(text).drive:
        return None
    name = posixpath.normpath(slashed)
    return None if name == "." or PurePosixPath(name).parts[0] == ".." else name


def listed_name(text: object) -> str | None:
    """Return the name that an annotation file gives an image, to be matched with those there are.

    It has slashes, and no dots if it is relative; it may be absolute or climb, as other machines'
    paths do, so it is only compared with other names.  None if no file may have that name.
    """
    if not isinstance(text, str):
        return None
    name = without_query(text)
    if not is_plain(name) or not name.replace("\\", "/").strip("./"):
        return None
    return image_name(name) or name.replace("\\", "/")


def leads_out(name: str) -> bool:
    """Return whether a possible name of a file is absolute, or climbs out of its folder."""
    return is_plain(name) and image_name(name) is None


def stem_of(name: str) -> str:
    """Return an image's name without its suffix, as its own file of annotations is named."""
    return str(PurePosixPath(name).with_suffix(""))


def refuse_shared_files(
    names: Sequence[str], form: str, files: Sequence[str] | None = None
) -> None:
    """Raise if two images would share a file: with their stem alone, ``a.jpg`` and ``a.png``.

    Args:
        names: of the images.
        form: the name of the format.
        files: the file of each image there; None for files named after their stems.

    Raises:
        OutputError: naming the images.
    """
    files = [*map(stem_of, names)] if files is None else files
    shared, count = Counter(files).most_common(1)[0] if files else ("", 0)
    if count > 1:
        sharing = (name for name, file in zip(names, files, strict=True) if file == shared)
        found = " and ".join(sharing)
        raise OutputError(
            f"{found} would share one file in the format {form}; rename one, or write them apart"
        )


def class_label(text: str) -> str | None:
    """Return the label that a class's name stands for: None for ``face``, or for nothing.

    White space becomes single blanks, and unprintable characters question marks.
    """
    label = _printable(text)
    return None if label in ("", FACE) else label


def class_name(label: str | None) -> str:
    """Return the class as which a label is written."""
    return _printable(label or "") or FACE


def class_names(labels: Sequence[str | None]) -> list[str]:
    """Return the classes of all labels, each once, in the order of the alphabet."""
    return sorted({class_name(label) for label in labels})


def is_plain(text: str) -> bool:
    """Return whether a file may have a name: one line, no control characters, not too long."""
    if not text.strip() or any(unicodedata.category(char) in _UNNAMEABLE for char in text):
        return False
    encoded = text.encode("utf-8")
    return len(encoded) <= _LONGEST_PATH and max(map(len, encoded.split(b"/"))) <= _LONGEST_NAME


def _printable(text: str) -> str:
    words = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in words)
