"""What an annotation format is: how it looks, how its parts are found, read and written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from facetl.data.annotations import AnnotationFile, OnError
from facetl.data.formats.folders import files_with, find_images, is_like
from facetl.data.frame import Frame, Part
from facetl.errors import InputError

FramesByPart = Mapping[Part, Sequence[Frame]]

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """A folder of images and its annotations.

    Attributes:
        images: the folder, to which the images' names are relative.
        annotations: the file or folder with the faces.
        read: reads them, given the names of the images; wrong lines are only noted.
        prefix: what goes before the images' names.
        listing: a text that lists which of the images are meant; None if all are.
    """

    images: Path
    annotations: Path
    read: Callable[[Collection[str]], AnnotationFile] = field(compare=False, repr=False)
    prefix: str = ""
    listing: Path | None = None


class NoSuchPartError(InputError):
    """The frames have parts, but not the requested one."""


class AnnotationFormat:
    """One way to write annotations down; a line in :mod:`facetl.data.formats.table` adds it.

    The methods here fit a format with one file that names all its images.  Such a format needs
    ``looks_like`` and ``load`` to be read, ``image_place`` and ``save`` to be written.

    Attributes:
        name: as given to ``--format`` and ``--to``.
        suffixes: of its files, in lower case.
        subfolder: where its files may also lie; empty if only in the data set's folder.
        is_folder: its annotations are a folder, not a file.
        has_file_per_image: each image has its own file, named after it; boxes cannot be read
            without the images.
        names_all_images: an image without faces is named too, even where no image lies beside it.
        keeps_ignored: it can mark regions to be ignored.
        single_suffix: of a file that holds a whole data set; empty if there is no such file.
    """

    name: str
    suffixes: tuple[str, ...] = ()
    subfolder = ""
    is_folder = False
    has_file_per_image = False
    names_all_images = True
    keeps_ignored = False
    single_suffix = ""

    def looks_like(self, head: str) -> bool:
        """Return whether a file is in this format, from its beginning."""
        raise NotImplementedError

    def find(self, folder: Path) -> list[Path]:
        """Return the annotations of this format in a folder, without reading them whole."""
        files = files_with(folder, *self.suffixes)
        if self.subfolder:
            files += files_with(folder / self.subfolder, *self.suffixes)
        return [path for path in files if is_like(path, self.looks_like)]

    def load(self, path: Path, on_error: OnError = "strict") -> AnnotationFile:
        """Read a file without its images; not where each image has its own file.

        Raises:
            AnnotationError: if the file is broken; under ``strict``, if any entry is wrong.
        """
        raise NotImplementedError

    def sources(
        self, annotations: Path, images: Path | None, below: Path | None, part: Part
    ) -> list[Source]:
        """Return the images that annotations belong to, and how they are read.

        Args:
            annotations: a file, or a folder of files.
            images: the folder of images, if it is known.
            below: where to look for images otherwise; None for beside the annotations.
            part: the part, where the annotations are of several.

        Raises:
            InputError: if it is not clear which images are meant, or the part is missing.
            AnnotationError: if the annotations are broken.
        """
        file = self.load(annotations, "skip")
        names = file.images or list(file.faces)
        folder = images or find_images(below or annotations.parent, annotations, names)
        return [Source(folder, annotations, lambda _: file)]

    def image_place(self, part: Part, name: str, *, alone: bool) -> str:
        """Return where an image is written, relative to the data set's folder.

        Args:
            part: the part that it belongs to.
            name: its name.
            alone: there is no other part.
        """
        raise NotImplementedError

    def save(self, folder: Path, parts: FramesByPart, *, with_images: bool) -> None:
        """Write the annotations of all parts into a folder.

        Args:
            folder: the data set's.
            parts: what to write.
            with_images: the images are written too, to ``image_place``.

        Raises:
            AnnotationError: if a face would not be read back the same.
            OutputError: if the place cannot be written.
        """
        raise NotImplementedError

    def save_single(self, path: Path, frames: Sequence[Frame]) -> None:
        """Write the annotations of all frames to one file, atomically, if there is such a file.

        Raises:
            AnnotationError: if a face would not be read back the same.
            OutputError: if the place cannot be written.
        """
        raise NotImplementedError


def folder_of(annotations: Path) -> Path:
    """Return the folder of files that have one each for an image: given itself, or by a file."""
    return annotations.parent if annotations.is_file() else annotations


def choose_part(present: Mapping[Part, T], part: Part) -> T | None:
    """Return a part of those present; None if it is missing.

    ``val`` stands in for a missing ``test``, and a part without others for any.
    """
    if part == "test" and part not in present:
        part = "val"
    only = next(iter(present.values())) if len(present) == 1 else None
    return present.get(part, only)
