"""The annotation formats by name; a format is loaded when it is needed.

Whoever adds one writes a module with a class like those here, and a line in :data:`FORMATS`.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, NamedTuple

from facetl.errors import InputError

if TYPE_CHECKING:
    from facetl.data.formats.base import AnnotationFormat


class Row(NamedTuple):
    """Where a format's class is, ``MODULE:CLASS``, and what can be done with the format."""

    home: str
    is_read: bool = True
    is_written: bool = True


FORMATS = {
    "coco": Row("facetl.data.formats.coco:Coco"),
    "yolo": Row("facetl.data.formats.yolo:Yolo"),
    "voc": Row("facetl.data.formats.voc:Voc"),
    "wider": Row("facetl.data.formats.wider:Wider", is_written=False),
    "course": Row("facetl.data.formats.course:Course"),
    "cvat": Row("facetl.data.formats.cvat:Cvat"),
    "label-studio": Row("facetl.data.formats.label_studio:LabelStudio"),
    "labelme": Row("facetl.data.formats.labelme:Labelme"),
    "via": Row("facetl.data.formats.via:Via", is_written=False),
    "csv": Row("facetl.data.formats.box_table:BoxTable", is_written=False),
    "createml": Row("facetl.data.formats.box_table:CreateMl", is_written=False),
    "supervisely": Row("facetl.data.formats.supervisely:Supervisely", is_written=False),
}
"""All formats, in the order in which a file is compared with them; for CVAT, COCO is
written."""

COURSE = "course"
"""The format of a text that looks like no other."""


def readable() -> list[str]:
    """Return the names of the formats that are read."""
    return [name for name, row in FORMATS.items() if row.is_read]


def writable() -> list[str]:
    """Return the names of the formats that are written."""
    return [name for name, row in FORMATS.items() if row.is_written]


def load_format(name: str) -> AnnotationFormat:
    """Return a format by its name.

    Raises:
        InputError: if there is no such format.
    """
    if name not in FORMATS:
        raise InputError(f"{name!r} is no annotation format; choose from {', '.join(FORMATS)}")
    found: AnnotationFormat = resolve_name(FORMATS[name].home)()
    return found
