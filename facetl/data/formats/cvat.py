"""CVAT: its XML is read, for images and for videos; what is written for it is COCO.

::

    <annotations>
      <image name="a.jpg" width="480" height="360">
        <box label="dad" xtl="192.0" ytl="85.0" xbr="359.0" ybr="252.0" rotation="30.0"/>
      </image>
    </annotations>

    <annotations>
      <meta><task><source>episode.mp4</source></task></meta>
      <track label="dad"><box frame="0" outside="0" keyframe="1" xtl="192.0" …/></track>
    </annotations>

(https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/.)  A box is turned about its
centre.  Frames of a video count from 0, as those that ``facetl frames`` writes do: frame 12 is
``episode.mp4/000012.png``.  If no image is called so, the one is meant with that number at the end
of its name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from facetl.data.annotations import AnnotationFile, FaceLine, Kind, OnError, Problem, collect_faces
from facetl.data.formats.base import Source
from facetl.data.formats.coco import Coco
from facetl.data.formats.corners import is_number, whole_size
from facetl.data.formats.cvat_shapes import shape_of
from facetl.data.formats.cvat_tracks import faces_of_track
from facetl.data.formats.foreign import known_as
from facetl.data.formats.names import listed_name
from facetl.data.formats.shapes import read_shape
from facetl.data.formats.xml_text import elements_of
from facetl.data.frame import Part
from facetl.data.name_matching import match_names

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NUMBER = re.compile(r"(\d{1,9})\D*$")


class Cvat(Coco):
    """XML for images or for videos; written as COCO, which CVAT imports as "COCO 1.0"."""

    name = "cvat"
    suffixes = (".xml",)

    def looks_like(self, head: str) -> bool:
        """Return whether a file begins as CVAT's XML does."""
        return known_as(head) == self.name

    def load(self, path: Path, on_error: OnError = "strict") -> AnnotationFile:
        """Read a file without its images."""
        parsed: list[FaceLine | Problem] = []
        sizes: dict[str, tuple[int, int]] = {}
        images: list[str] = []
        video = step = ""
        tracks = 0
        for element in elements_of(path, "image", "track", "source", "frame_filter"):
            if element.tag == "image":
                parsed += _read_image(element, path, images, sizes)
            elif element.tag == "track":
                tracks += 1
                parsed += faces_of_track(element, tracks, video, _step_of(step), path)
            elif element.tag == "source":
                video = (element.text or "").strip()
            else:
                step = element.text or ""
        lines, problems = collect_faces(parsed, path, on_error)
        listed = None if tracks and not images else tuple(dict.fromkeys(images))
        return AnnotationFile(path, lines, problems, listed, sizes, frozenset(images))

    def sources(
        self, annotations: Path, images: Path | None, below: Path | None, part: Part
    ) -> list[Source]:
        """Return the images that the file means; frames of a video by their numbers."""
        (source,) = super().sources(annotations, images, below, part)
        file = source.read(())
        if file.images is not None:
            return [source]
        return [replace(source, read=lambda names: _with_names(file, names))]


def _step_of(text: str) -> int:
    """Return the step in a filter of frames, ``step=5``; 1 where there is none."""
    found = re.search(r"step\s*=\s*(\d{1,6})", text)
    return max(int(found[1]), 1) if found else 1


def _read_image(
    element: Element, path: Path, images: list[str], sizes: dict[str, tuple[int, int]]
) -> Iterator[FaceLine | Problem]:
    """Yield the faces of an image; add its name and size."""
    given = element.get("name")
    name = listed_name(given)
    if name is None:
        yield Problem(Kind.WRONG_FIELDS, path, None, f"found the image name {given!r}")
        return
    images.append(name)
    height, width = (element.get(key, "") for key in ("height", "width"))
    if is_number(height) and is_number(width) and (size := whole_size(float(height), float(width))):
        sizes[name] = size
    for child in element:
        if shape := shape_of(child, f"image {name}"):
            yield from read_shape(shape, name, path)


def _with_names(file: AnnotationFile, names: Collection[str]) -> AnnotationFile:
    """Return the annotations of a video with the names of the images that there are.

    Faces in frames that have no image are left out, and counted once a frame; that no frame has an
    image is an error.
    """
    listed = dict.fromkeys(line.image for line in file.lines)
    matched = match_names(listed, names)
    taken = {*matched.values()}
    numbered = [
        (found, name) for name in names if name not in taken and (found := _number_of(name))
    ]
    counts = Counter(number for number, _ in numbered)
    by_number = {int(number): name for number, name in numbered if counts[number] == 1}
    if not matched:
        matched = {
            name: by_number[number]
            for name in listed
            if (number := int(PurePosixPath(name).stem)) in by_number
        }
    lost = [name for name in listed if name not in matched]
    kind = Kind.NO_FRAME if matched else Kind.MISSING
    left_out = [Problem(kind, file.path, None, f"found no image of {name}") for name in lost]
    return replace(
        file,
        lines=tuple(
            replace(line, image=matched[line.image]) for line in file.lines if line.image in matched
        ),
        problems=(*file.problems, *left_out),
    )


def _number_of(name: str) -> str:
    """Return the number at the end of a name; empty if there is none."""
    found = _NUMBER.search(PurePosixPath(name).stem)
    return str(int(found[1])) if found else ""
