"""labelme, and X-AnyLabeling, which writes the same: JSON for each image, beside it.

::

    {"version": "5.5.0", "flags": {}, "imagePath": "a.jpg", "imageData": null,
     "imageHeight": 360, "imageWidth": 480, "shapes": [
        {"label": "dad", "shape_type": "rectangle", "points": [[192, 85], [359, 252]],
         "group_id": null, "flags": {}}]}

(https://github.com/wkentaro/labelme.)  X-AnyLabeling writes all four corners of a rectangle, and
marks shapes as ``difficult``: they are regions to be ignored, and so are such regions written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from facetl.data.annotations import DIFFICULT
from facetl.data.formats.base import FramesByPart
from facetl.data.formats.corners import whole_size
from facetl.data.formats.json_per_image import ImageShapes, JsonPerImage
from facetl.data.formats.json_text import objects_in
from facetl.data.formats.names import class_name, stem_of
from facetl.data.formats.shapes import MASK, RECTANGLE, TURNED, Point, Shape, numbers_of
from facetl.data.frame import Part
from facetl.files import write_text

_KINDS = {"rotation": TURNED, "mask": MASK}
_VERSION = "5.5.0"


class Labels(NamedTuple):
    """What is written about an image.

    Attributes:
        image: its path.
        size_hw: its height and width in pixels.
        boxes: half-open corners in pixels.
        labels: of the faces, one each.
        scores: of the faces; empty if they have none.
        ignored: half-open corners of the regions to be ignored.
    """

    image: str
    size_hw: tuple[int, int]
    boxes: Sequence[Sequence[float]]
    labels: Sequence[str | None]
    scores: Sequence[float] = ()
    ignored: Sequence[Sequence[float]] = ()


class Labelme(JsonPerImage):
    """Files beside the images; written so too, with parts in folders of their own."""

    name = "labelme"
    folders = ("images", "labels", "annotations", "json")
    keeps_ignored = True

    def read_image(self, document: dict[str, Any], path: Path) -> ImageShapes:
        """Return what a file says."""
        shapes = objects_in(document.get("shapes"), "shapes", path)
        size = whole_size(document.get("imageHeight"), document.get("imageWidth"))
        read = [_shape_of(shape, f"shape {n}") for n, shape in enumerate(shapes, start=1)]
        return ImageShapes(document.get("imagePath"), size, read)

    def image_place(self, part: Part, name: str, *, alone: bool) -> str:
        """Return where an image is written."""
        return f"images/{name}" if alone else f"{part}/images/{name}"

    def save(self, folder: Path, parts: FramesByPart, *, with_images: bool) -> None:
        """Write a file beside the place of each image."""
        for part, frames in parts.items():
            for frame in frames:
                labels = Labels(
                    self.image_place(part, frame.name, alone=len(parts) == 1),
                    frame.size_hw,
                    frame.boxes.tolist(),
                    frame.labels,
                    ignored=frame.ignored.tolist(),
                )
                save_labels(folder, labels)


def save_labels(folder: Path, labels: Labels) -> None:
    """Write a file where the image would lie below a folder; ``labels`` has its path there."""
    name = PurePosixPath(labels.image).name
    text = _format_labels(labels._replace(image=name))
    write_text(folder / f"{stem_of(labels.image)}.json", text)


def _format_labels(labels: Labels) -> str:
    """Return the text of a file."""
    scores: Sequence[float | None] = labels.scores or [None] * len(labels.boxes)
    faces = zip(labels.boxes, labels.labels, scores, strict=True)
    shapes = [_describe(box, class_name(label), score) for box, label, score in faces]
    shapes += [{**_describe(box, class_name(None)), DIFFICULT: True} for box in labels.ignored]
    height, width = labels.size_hw
    document: dict[str, Any] = {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": labels.image,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _describe(box: Sequence[float], name: str, score: float | None = None) -> dict[str, Any]:
    x1, y1, x2, y2 = box
    described: dict[str, Any] = {
        "label": name,
        "points": [[x1, y1], [x2, y2]],
        "group_id": None,
        "description": "",
        "shape_type": RECTANGLE,
        "flags": {},
    }
    return described if score is None else {**described, "score": score}


def _shape_of(shape: dict[str, Any], where: str) -> Shape:
    given = str(shape.get("shape_type") or "polygon")[:40]
    kind = _KINDS.get(given, given)
    points = shape.get("points")
    listed: list[Point] = points if isinstance(points, list) else [[None]]
    if kind == "circle" and (around := _around_circle(listed)):
        listed = around
    mark = DIFFICULT if shape.get(DIFFICULT) is True else None
    return Shape(kind, listed, shape.get("label"), where, mark)


def _around_circle(points: Sequence[object]) -> list[Point] | None:
    """Return two corners of the box around a circle, given by its centre and one of its points."""
    pairs = [point if isinstance(point, list) else [point] for point in points]
    numbers = numbers_of(*(side for pair in pairs for side in pair))
    if [len(pair) for pair in pairs] != [2, 2] or numbers is None:
        return None
    x, y, along, down = numbers
    radius = math.hypot(along - x, down - y)
    return [(x - radius, y - radius), (x + radius, y + radius)]
