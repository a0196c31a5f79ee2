"""Which image a name in an annotation file means, whichever tool wrote it.

The rule, one for all formats and commands:

1. The name of an image means that image.
2. Otherwise the image is meant whose path has the longest end in common with the name, folder by
   folder; of equally long ones the image of which nothing is left over.  Letters are compared in
   one normal form of Unicode, so it does not matter how accents are composed.
3. Where that leaves none or several, what a labelling tool makes of names is undone: the name is
   taken after ``?d=``, without the query of an address, with ``%20`` as the blank that it stands
   for, and without the eight hexadecimal digits that Label Studio puts before it.
4. Where that leaves none or several, case is ignored; then the image's suffix; and last of all
   what Label Studio does to the names of files that are uploaded: blanks become ``_``, and brackets
   and the like are dropped.

An image is taken only if it is the only one that fits, and if no other name means it: of two names
that mean one image by their ends, neither does.  Where any name of a file is an image's own,
folders that differ are different folders: one path has to be the end of the other.  Frames of two
videos, ``a.mp4/000001.png`` and ``b.mp4/000001.png``, are never the same.

Names are compared with the images that there are; they are never opened.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from unicodedata import normalize
from urllib.parse import unquote

from facetl.data.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES

_Parts = tuple[str, ...]
"""A path as its folders and its last name."""

_PREFIX = re.compile(r"^[0-9a-f]{8}(?:__|-)(?=.)")
"""What Label Studio puts before the names of images that were uploaded."""
_DEEPEST = 30
"""How many folders at the end of a path are compared."""
_NEAR = 1_000
"""How many names to each side, by alphabet, are compared to find the nearest."""
_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def match_names(names: Collection[str], images: Collection[str]) -> dict[str, str]:
    """Return the image that each name means, by the rule at the head of this module.

    Args:
        names: as an annotation file has them, each once.
        images: the names of the images that there are, each once.

    Returns:
        The image by name; names that mean none are left out, and no image is there twice.
    """
    present = frozenset(images)
    same = {name: name for name in names if name in present}
    rest = [name for name in names if name not in present]
    if not rest or not present:
        return same
    find = _finder(images, apart=bool(same))
    found = {name: image for name in rest if (image := find(name)) and image not in same}
    claims = Counter(found.values())
    return same | {name: image for name, image in found.items() if claims[image] == 1}


def nearest_names(name: str, images: Collection[str], most: int = 2) -> str:
    """Return the image names that are most like a name, for a message; may be empty."""
    ends = {each.rpartition("/")[2]: each for each in images}
    last = name.replace("\\", "/").rpartition("/")[2]
    like = _most_like(name, images, most) or [ends[end] for end in _most_like(last, ends, most)]
    return " and ".join(like)


def _most_like(name: str, others: Collection[str], most: int) -> list[str]:
    """Return the names most like one; of very many only those next to it by alphabet count."""
    ordered = sorted(others)
    place = bisect(ordered, name)
    return get_close_matches(name, ordered[max(place - _NEAR, 0) : place + _NEAR], n=most)


def without_query(name: str) -> str:
    """Return an address without what follows its path; any other name as it is."""
    return re.split(r"[?#]", name, maxsplit=1)[0] if _ADDRESS.match(name) else name


class _Ends:
    """Images by all ends of their paths, compared in one form.

    Attributes:
        paths: the parts of each image's path, in the form.
        whole: the image whose whole path an end is; None where several are equal.
        ends: the image whose path has an end; None where several have it.
    """

    def __init__(self, images: Collection[str], form: Callable[[_Parts], _Parts]) -> None:
        self.paths = {image: form(_split(image)) for image in images}
        self.whole: dict[_Parts, str | None] = {}
        self.ends: dict[_Parts, str | None] = {}
        for image, parts in self.paths.items():
            self.whole[parts] = None if parts in self.whole else image
            for start in range(len(parts)):
                end = parts[start:]
                self.ends[end] = None if end in self.ends else image

    def find(self, parts: _Parts, *, apart: bool) -> str | None:
        """Return the only image that has the longest end in common; None if there is none."""
        common = 0
        while common < len(parts) and parts[-common - 1 :] in self.ends:
            common += 1
        if not common:
            return None
        end = parts[-common:]
        image = self.whole.get(end, self.ends[end])
        fits = image and _may_be_one(parts, self.paths[image], common, apart=apart)
        return image if fits else None


def _finder(images: Collection[str], *, apart: bool) -> Callable[[str], str | None]:
    """Return what finds the image that a name means; tables are made when first needed."""

    @cache
    def ends(form: Callable[[_Parts], _Parts]) -> _Ends:
        return _Ends(images, form)

    def find(name: str) -> str | None:
        tries = (
            ends(form).find(form(parts), apart=apart)
            for form in _FORMS
            for parts in _readings(name)
        )
        return next(filter(None, tries), None)

    return find


def _may_be_one(name: _Parts, image: _Parts, common: int, *, apart: bool) -> bool:
    """Return whether paths with an end in common may be one: one of them ends there, or may."""
    if common in (len(name), len(image)):
        return True
    ours, theirs = name[-common - 1], image[-common - 1]
    videos = all(folder.lower().endswith(VIDEO_SUFFIXES) for folder in (ours, theirs))
    return not apart and not videos


def _readings(name: str) -> Iterator[_Parts]:
    """Yield a name's parts as given, and without what tools add to names."""
    yield _split(name)
    path = name.partition("?d=")[2] or without_query(name)
    decoded = _split(unquote(path))
    yield decoded
    yield (*decoded[:-1], *(_PREFIX.sub("", last) for last in decoded[-1:]))


def _split(name: str) -> _Parts:
    parts = name.replace("\\", "/").split("/")
    return tuple(part for part in parts if part not in ("", ".", ".."))[-_DEEPEST:]


def _composed(parts: _Parts) -> _Parts:
    return tuple(part if part.isascii() else normalize("NFC", part) for part in parts)


def folded(name: str) -> str:
    """Return a name in the form that all names have which differ in case or accents alone."""
    if name.isascii():
        return name.lower()
    return normalize("NFC", normalize("NFC", name).casefold())


def _folded(parts: _Parts) -> _Parts:
    return tuple(map(folded, parts))


def _stemmed(parts: _Parts) -> _Parts:
    *folders, last = _folded(parts) or ("",)
    suffix = next((each for each in _BY_LENGTH if last.endswith(each)), "")
    return (*folders, last.removesuffix(suffix))


def _uploaded(parts: _Parts) -> _Parts:
    *folders, last = _folded(parts) or ("",)
    return (*folders, re.sub(r"[^-\w.]", "", last.strip().replace(" ", "_")))


_FORMS: Sequence[Callable[[_Parts], _Parts]] = (_composed, _folded, _stemmed, _uploaded)
"""How paths are compared, the strictest way first."""
_BY_LENGTH = sorted(IMAGE_SUFFIXES, key=len, reverse=True)
