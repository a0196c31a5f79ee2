"""Overlays: every image once per run, side by side, with what was found drawn on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facetl.cli.console import note
from facetl.cli.truth import load_truth
from facetl.errors import NameTooLongError

if TYPE_CHECKING:
    from facetl.boxes import Boxes
    from facetl.data.annotations import OnError
    from facetl.search.pipeline import NamedImage, Searched

OVERLAYS = "overlays"


class OverlayDrawer:
    """Draws the overlay of each image as soon as it has been searched.

    Args:
        folder: where the overlays go.
        faces: (N, 4) true boxes by name of the image, drawn where they are known.
    """

    def __init__(self, folder: Path, faces: Mapping[str, Boxes]) -> None:
        self.folder = folder
        self._faces = faces
        self._left_out = 0

    def take(self, searched: Searched[NamedImage]) -> None:
        """Draw what the runs found in an image, each in a panel of its own."""
        from facetl.data.images import save_image
        from facetl.data.overlays import TRUTH, draw_boxes, side_by_side

        name, pixels = searched.picture.name, searched.picture.load()
        if name in self._faces:
            pixels = draw_boxes(pixels, self._faces[name], colour=TRUTH, thickness=3)
        panels = [
            (
                f"{run}: {len(frame.detections)} found",
                draw_boxes(pixels, frame.detections.boxes, scores=frame.detections.scores),
            )
            for run, frame in searched.results.items()
        ]
        try:
            save_image(_overlay_path(self.folder, name), side_by_side(panels))
        except NameTooLongError:
            self._left_out += 1

    def finish(self) -> None:
        """Say how many overlays are not there."""
        if self._left_out:
            note(f"overlays left out, as their names would be too long: {self._left_out}")


def _overlay_path(folder: Path, name: str) -> Path:
    """Return where an overlay goes: ``a.png`` and ``a.jpg`` must not overwrite each other."""
    path = folder / name
    writable = path.suffix.lower() in (".jpg", ".jpeg", ".png")
    return path if writable else path.with_name(f"{path.name}.jpg")


def load_faces(
    truth: Path, images: Sequence[NamedImage], on_error: OnError, form: str
) -> dict[str, Boxes]:
    """Return the true faces of the images, whether or not folders are part of their names."""
    from facetl.evaluation.frame_names import UNMATCHED, find_rows
    from facetl.evaluation.scoring import Truth

    boxes = Truth.of(load_truth(truth, on_error, form)).boxes
    names, listed = [image.name for image in images], list(boxes)
    places = zip(names, find_rows(names, listed, "the images"), strict=True)
    return {name: boxes[listed[place]] for name, place in places if place != UNMATCHED}
