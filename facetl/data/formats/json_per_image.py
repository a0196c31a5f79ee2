"""Data sets in which each image has JSON of its own: those of labelme and Supervisely."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from facetl.data.annotations import AnnotationFile, FaceLine, Kind, Problem, collect_faces
from facetl.data.formats.base import AnnotationFormat, Source, folder_of
from facetl.data.formats.folders import files_with, find_entry, has_suffix, is_like
from facetl.data.formats.foreign import known_as
from facetl.data.formats.json_text import load_json, object_in
from facetl.data.formats.names import listed_name
from facetl.data.formats.shapes import Shape, read_shape
from facetl.data.frame import Part
from facetl.data.images import image_paths, name_below
from facetl.errors import AnnotationError

_SUFFIX = ".json"


@dataclass
class ImageShapes:
    """What the file of one image says.

    Attributes:
        name: of the image, relative to the file's own folder.
        size_hw: of the image, None if the file does not say it.
        shapes: what was drawn.
    """

    name: object
    size_hw: tuple[int, int] | None
    shapes: list[Shape] = field(default_factory=list)


class JsonPerImage(AnnotationFormat):
    """A folder of JSON files, one an image.

    Attributes:
        folders: where the files may lie instead of the data set's own folder.
        images_folder: where the images may lie then.
    """

    is_folder = True
    has_file_per_image = True
    suffixes = (_SUFFIX,)
    folders: tuple[str, ...] = ()
    images_folder = "images"

    def looks_like(self, head: str) -> bool:
        """Return whether a file begins as one of the format does."""
        return known_as(head) == self.name

    def read_image(self, document: dict[str, Any], path: Path) -> ImageShapes:
        """Return what a file says.

        Raises:
            AnnotationError: if it is no file of the format.
        """
        raise NotImplementedError

    def find(self, folder: Path) -> list[Path]:
        """Return the folder of the files: the data set's own, or one in it."""
        if any(is_like(path, self.looks_like) for path in files_with(folder, _SUFFIX)[:2]):
            return [folder]
        for name in self.folders:
            place = find_entry(folder, name)
            if place and place.is_dir():
                first = next((path for path in _files_below(place)), None)
                if first and is_like(first, self.looks_like):
                    return [place]
        return []

    def sources(
        self, annotations: Path, images: Path | None, below: Path | None, part: Part
    ) -> list[Source]:
        """Return the images and their files; or of a single file, its image alone."""
        folder = folder_of(annotations)
        files = None if folder == annotations else [annotations]
        read = partial(self._load_folder, folder, files)
        return [Source(images or below or self.images_beside(folder), annotations, read)]

    def images_beside(self, folder: Path) -> Path:
        """Return where the images of a folder of files lie: there, in a folder beside, or above."""
        if image_paths(folder) or folder.name.lower() not in self.folders:
            return folder
        place = find_entry(folder.parent, self.images_folder)
        return place if place and place.is_dir() else folder.parent

    def _load_folder(
        self, folder: Path, files: list[Path] | None, names: Collection[str]
    ) -> AnnotationFile:
        parsed: list[FaceLine | Problem] = []
        sizes: dict[str, tuple[int, int]] = {}
        images: dict[str, None] = {}
        for path in files or _files_below(folder):
            try:
                said = self.read_image(object_in(load_json(path)), path)
            except AnnotationError as error:
                found = f"found a file that cannot be read: {error}"
                parsed.append(Problem(Kind.WRONG_FIELDS, path, None, found))
                continue
            name = _find_name(said.name, name_below(folder, path.parent / "x"), names)
            if name is None:
                found = f"found the image {said.name!r}"[:100]
                parsed.append(Problem(Kind.WRONG_FIELDS, path, None, found))
                continue
            images[name] = None
            if said.size_hw:
                sizes[name] = said.size_hw
            for shape in said.shapes:
                parsed += read_shape(shape, name, path, own_file=True)
        lines, problems = collect_faces(parsed, folder, "skip")
        return AnnotationFile(folder, lines, problems, tuple(images), sizes, frozenset(images))


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the JSON files below a folder, in the order of their names."""
    yield from sorted(path for path in folder.rglob(f"*{_SUFFIX}") if has_suffix(path, _SUFFIX))


def _find_name(given: object, place: str, images: Collection[str]) -> str | None:
    """Return the image that a file in some place means, or its name if there is none."""
    name = listed_name(given)
    if name is None:
        return None
    parent = PurePosixPath(place).parent
    joined = posixpath.normpath(str(parent / name))
    options = (joined, name, str(parent / PurePosixPath(name).name))
    return next((each for each in options if each in images), joined)
