"""Label Studio: its exports are read; tasks with predictions, to be corrected there, are written.

::

    [{"data": {"image": "/data/local-files/?d=images/a.png"},
      "predictions": [{"model_version": "tuned", "score": 0.9, "result": [{…}, …]}]}]

(https://labelstud.io/guide/predictions.)  Boxes are in per cent of the image.  Images are looked
for in its local storage, relative to the document root
(https://labelstud.io/guide/storage#Local-storage).

A label that begins with ``$`` would mean a field of the task in the interface: every ``$`` becomes
a question mark.

:mod:`facetl.data.formats.label_studio_tasks` reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from facetl.data.annotations import AnnotationFile, OnError
from facetl.data.formats.base import FramesByPart
from facetl.data.formats.coco import Coco, bbox_of
from facetl.data.formats.foreign import known_as
from facetl.data.formats.label_studio_tasks import load_tasks
from facetl.data.formats.names import class_name, class_names
from facetl.files import write_text

_LOCAL_FILES = "/data/local-files/?d="
"""How Label Studio addresses files below its document root."""


class Task(NamedTuple):
    """An image and the faces to start from.

    Attributes:
        image: its path below the document root.
        size_hw: its height and width in pixels.
        boxes: half-open corners in pixels, inside the image.
        labels: of the faces; empty if they have none.
        scores: of the faces; empty if they have none.
    """

    image: str
    size_hw: tuple[int, int]
    boxes: Sequence[Sequence[float]]
    labels: Sequence[str | None] = ()
    scores: Sequence[float] = ()


class LabelStudio(Coco):
    """JSON of Label Studio; written as tasks to be corrected, with images in COCO's folders."""

    name = "label-studio"
    keeps_ignored = False
    suffixes = (".json", ".csv", ".tsv")
    single_suffix = ""

    def looks_like(self, head: str) -> bool:
        """Return whether a file begins as an export in JSON or JSON-MIN does."""
        return known_as(head) == self.name

    def load(self, path: Path, on_error: OnError = "strict") -> AnnotationFile:
        """Read an export without its images."""
        return load_tasks(path, on_error)

    def save(self, folder: Path, parts: FramesByPart, *, with_images: bool) -> None:
        """Write tasks for all frames, and the labelling interface.

        Label Studio's document root is to be ``folder``, or without images the folder to which
        names are relative.
        """
        alone = len(parts) == 1
        tasks = [
            Task(
                self.image_place(part, frame.name, alone=alone) if with_images else frame.name,
                frame.size_hw,
                frame.boxes.tolist(),
                frame.labels,
            )
            for part, frames in parts.items()
            for frame in frames
        ]
        save_label_studio(folder / "label-studio.json", tasks, "annotations")


def save_label_studio(tasks_path: Path, tasks: Sequence[Task], model: str) -> list[Path]:
    """Write tasks, and beside them as .xml the labelling interface; return both paths.

    Args:
        tasks_path: a .json file.
        tasks: what to write.
        model: who suggests the boxes.
    """
    interface_path = tasks_path.with_suffix(".xml")
    document = [_describe_task(task, model) for task in tasks]
    write_text(tasks_path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    write_text(interface_path, _format_interface([each for task in tasks for each in task.labels]))
    return [tasks_path, interface_path]


def _format_interface(labels: Sequence[str | None]) -> str:
    """Return the labelling interface for all labels; for ``face`` if there are none."""
    names = dict.fromkeys(map(_plain, class_names(labels) or [class_name(None)]))
    values = "\n".join(f"    <Label value={quoteattr(name)}/>" for name in names)
    return f"""<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image">
{values}
  </RectangleLabels>
</View>
"""


def _describe_task(task: Task, model: str) -> dict[str, Any]:
    """Return an image and its faces; of several scores the lowest counts."""
    faces = zip_longest(task.boxes, task.labels, task.scores)
    result = [_describe_face(n, *face, task.size_hw) for n, face in enumerate(faces, start=1)]
    prediction: dict[str, Any] = {"model_version": model, "result": result}
    if task.scores:
        prediction["score"] = min(task.scores)
    return {"data": {"image": _LOCAL_FILES + quote(task.image)}, "predictions": [prediction]}


def _describe_face(
    number: int,
    box: Sequence[float],
    label: str | None,
    score: float | None,
    size_hw: tuple[int, int],
) -> dict[str, Any]:
    height, width = size_hw
    x, y, w, h = bbox_of(box)
    described = {
        "id": f"face{number}",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {
            "x": 100 * x / width,
            "y": 100 * y / height,
            "width": 100 * w / width,
            "height": 100 * h / height,
            "rotation": 0,
            "rectanglelabels": [_plain(class_name(label))],
        },
    }
    return described if score is None else {**described, "score": score}


def _plain(name: str) -> str:
    return name.replace("$", "?")
