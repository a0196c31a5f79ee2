"""What writes a run for other tools, by the name of the format.

An export is a function that takes a folder and a run, writes the run there and returns the files
or folders that it wrote.  Adding one takes such a function, anywhere, and a line here: nothing is
imported before it is used, so that ``--help`` can list the names.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from facetl.results.detections import Run

    Export = Callable[[Path, Run], list[Path]]

EXPORTS = {
    "csv": "facetl.results.exports:save_csv",
    "coco": "facetl.results.exports:save_coco_results",
    "yolo": "facetl.results.exports:save_yolo_text",
    "npy": "facetl.results.exports:save_arrays",
    "cvat": "facetl.results.exports:save_cvat",
    "label-studio": "facetl.results.exports:save_label_studio",
    "labelme": "facetl.results.exports:save_labelme",
}
"""Where each export's function is: its module and its name."""

TIMED_EXPORTS = {
    "tracks-csv": "facetl.results.track_exports:save_track_table",
    "tracks-json": "facetl.results.track_exports:save_track_document",
    "vtt": "facetl.results.track_exports:save_webvtt",
    "srt": "facetl.results.track_exports:save_subrip",
    "ffmetadata": "facetl.results.track_exports:save_chapters",
    "after-effects": "facetl.results.track_exports:save_key_frames",
    "edl": "facetl.results.marker_exports:save_edl",
    "fcpxml": "facetl.results.marker_exports:save_fcpxml",
}
"""Those of tracks with times, which only videos have."""
EXPORTS |= TIMED_EXPORTS


def load_export(name: str) -> Export:
    """Return the function of an export."""
    module, _, function = EXPORTS[name].partition(":")
    return cast("Export", getattr(import_module(module), function))
