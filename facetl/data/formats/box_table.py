"""TensorFlow's table of boxes, as Roboflow exports it, and Create ML's JSON.

::

    filename,width,height,class,xmin,ymin,xmax,ymax
    a.jpg,480,360,dad,192,85,359,252

    [{"image": "a.jpg", "annotations": [
        {"label": "dad", "coordinates": {"x": 275.5, "y": 168.5, "width": 167, "height": 167}}]}]

The corners of the table are those of the half-open box; ``x, y`` of Create ML is the centre.  A
table lists no image without faces, and JSON may.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from facetl.data.annotations import AnnotationFile, FaceLine, Kind, OnError, Problem, collect_faces
from facetl.data.formats.base import AnnotationFormat
from facetl.data.formats.corners import is_number, whole_size
from facetl.data.formats.csv_text import rows_of
from facetl.data.formats.foreign import known_as
from facetl.data.formats.json_text import load_json, object_in, objects_in
from facetl.data.formats.names import listed_name
from facetl.data.formats.shapes import RECTANGLE, Point, Shape, numbers_of, read_shape

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class BoxTable(AnnotationFormat):
    """A table with a row a face."""

    name = "csv"
    suffixes = (".csv",)
    subfolder = "annotations"
    names_all_images = False

    def looks_like(self, head: str) -> bool:
        """Return whether a file begins with the names of the columns."""
        return known_as(head) == self.name

    def load(self, path: Path, on_error: OnError = "strict") -> AnnotationFile:
        """Read a table without its images."""
        parsed: list[FaceLine | Problem] = []
        sizes: dict[str, tuple[int, int]] = {}
        for number, row in enumerate(rows_of(path), start=2):
            parsed += _read_row(row, number, path, sizes)
        lines, problems = collect_faces(parsed, path, on_error)
        return AnnotationFile(path, lines, problems, sizes=sizes)


class CreateMl(AnnotationFormat):
    """JSON with the images and their faces."""

    name = "createml"
    suffixes = (".json",)
    subfolder = "annotations"

    def looks_like(self, head: str) -> bool:
        """Return whether a file begins as one for Create ML does."""
        return known_as(head) == self.name

    def load(self, path: Path, on_error: OnError = "strict") -> AnnotationFile:
        """Read a file without its images."""
        parsed: list[FaceLine | Problem] = []
        images: dict[str, None] = {}
        for entry in objects_in(load_json(path), "images", path):
            given = entry.get("image", entry.get("imagefilename"))
            if (name := listed_name(given)) is None:
                found = f"found the image {given!r}"[:100]
                parsed.append(Problem(Kind.WRONG_FIELDS, path, None, found))
                continue
            images[name] = None
            for each in objects_in(entry.get("annotations", []), "annotations", path):
                corners = _corners_around(object_in(each.get("coordinates")))
                shape = Shape(RECTANGLE, corners, each.get("label"), f"image {name}")
                parsed += read_shape(shape, name, path)
        lines, problems = collect_faces(parsed, path, on_error)
        return AnnotationFile(path, lines, problems, tuple(images))


def _read_row(
    row: dict[str, str], number: int, path: Path, sizes: dict[str, tuple[int, int]]
) -> Iterator[FaceLine | Problem]:
    """Yield the face of a row, or what is wrong with it; add the size of its image."""
    name = listed_name(row.get("filename"))
    if name is None:
        found = f"found the file name {row.get('filename')!r}"[:100]
        yield Problem(Kind.WRONG_FIELDS, path, number, found)
        return
    height, width = (row.get(key) or "" for key in ("height", "width"))
    if is_number(height) and is_number(width) and (size := whole_size(float(height), float(width))):
        sizes[name] = size
    words = [(row.get(key) or "").strip() for key in _CORNERS]
    corners: list[object] = [float(word) if is_number(word) else word for word in words]
    shape = Shape(RECTANGLE, (corners[:2], corners[2:]), row.get("class"), name, line=number)
    yield from read_shape(shape, name, path)


def _corners_around(coordinates: dict[str, object]) -> list[Point]:
    """Return two corners of a box that is given by its centre."""
    given = [coordinates.get(key) for key in ("x", "y", "width", "height")]
    if (numbers := numbers_of(*given)) is None:
        return [given[:2], given[2:]]
    x, y, width, height = numbers
    return [(x - width / 2, y - height / 2), (x + width / 2, y + height / 2)]
