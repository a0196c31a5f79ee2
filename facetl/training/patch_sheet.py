"""A picture of patches to look at: what the network is shown, and what it is asked to say."""

from __future__ import annotations

import numpy as np

from facetl.boxes import shift
from facetl.data.images import Pixels
from facetl.data.overlays import (
    TRUTH,
    contact_sheet,
    draw_boxes,
    enlarge_pixels,
    side_by_side,
)
from facetl.training.patches import Patches
from facetl.training.sampling import Label

_TITLES = {
    Label.POSITIVE: "{:,} positives, and where the face is",
    Label.PART: "{:,} part faces, and where the face is",
    Label.NEGATIVE: "{:,} negatives",
}
_ENLARGE = 5
_BORDER = 15
_PAPER = 96


def draw_patches(patches: Patches, *, rows: int = 8, columns: int = 6, seed: int = 0) -> Pixels:
    """Return a sheet with random patches of each class, side by side.

    Patches are enlarged with square pixels; the box that a positive or part face should be
    moved to is drawn over it and reaches out where the face does.

    Raises:
        ValueError: if there is no patch at all.
    """
    rng = np.random.default_rng(seed)
    panels = []
    for label, title in _TITLES.items():
        places = np.flatnonzero(patches.labels == label)
        chosen = rng.permutation(places)[: rows * columns]
        if len(chosen):
            cells = [_draw_patch(patches, place) for place in chosen]
            panels.append((title.format(len(places)), contact_sheet(cells, columns)))
    return side_by_side(panels)


def _draw_patch(patches: Patches, place: int) -> Pixels:
    pixels = enlarge_pixels(np.asarray(patches.pixels[place]), _ENLARGE)
    cell = np.pad(pixels, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)), constant_values=_PAPER)
    if patches.labels[place] == Label.NEGATIVE:
        return cell
    window = np.array([[_BORDER, _BORDER, _BORDER + len(pixels), _BORDER + len(pixels)]], float)
    return draw_boxes(cell, shift(window, patches.offsets[[place]]), colour=TRUTH)
