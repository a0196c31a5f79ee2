"""The faces of annotated frames cut out, as a network that names characters is shown them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facetl.data.characters import folded
from facetl.data.frame import Frame
from facetl.data.images import load_image
from facetl.data.near_duplicates import group_near_duplicates, stack_thumbnails, thumbnail
from facetl.errors import ImageError
from facetl.run_onnx import cut_resized, squares_around

MARGIN = 0.2
"""What is shown around a face on each side, as a share of its longer side: hair, mostly."""


def room_around(size: int) -> int:
    """Return by how many pixels a crop of a size is larger on each side, to be moved and sized."""
    return size // 4


@dataclass(frozen=True, eq=False)
class FaceCrops:
    """Faces cut out with some room around them.

    Attributes:
        pixels: (N, R, R, 3) uint8, RGB; what lay outside the frame is black.
        labels: (N,) int64 places among the classes.
        frame_index: (N,) int64, which frame each was cut from.
        groups: (F,) int64, the group of near-duplicates of each frame.
        classes: the names.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    frame_index: NDArray[np.int64]
    groups: NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> dict[str, int]:
        """How many faces there are of each class."""
        tally = np.bincount(self.labels, minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, tally, strict=True))

    def __getitem__(self, rows: NDArray[np.int64]) -> FaceCrops:
        """Return some of the faces."""
        return replace(
            self,
            pixels=self.pixels[rows],
            labels=self.labels[rows],
            frame_index=self.frame_index[rows],
        )

    def draw(self, count: int, seed: int) -> FaceCrops:
        """Return at most so many faces of each class, drawn at random."""
        order = np.random.default_rng(seed).permutation(len(self))
        chosen = [order[self.labels[order] == place][:count] for place in range(len(self.classes))]
        return self[np.sort(np.concatenate(chosen))]


def cut_faces(
    frames: Iterable[Frame],
    classes: Sequence[str],
    size: int,
    report: Callable[[ImageError], object] = lambda _: None,
) -> FaceCrops:
    """Return the faces whose labels are among the classes.

    Args:
        frames: annotated; each is read once.
        classes: names; a label means the one that it equals but for case and spaces.
        size: side in pixels of what the network is shown.
        report: is told of each frame that cannot be read.
    """
    places = {folded(name): place for place, name in enumerate(classes)}
    room = room_around(size)
    thumbnails: list[NDArray[np.float32]] = []
    pixels: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    frame_index: list[int] = []
    for frame in frames:
        own = [place_of(label, places) for label in frame.labels]
        rows = [row for row, place in enumerate(own) if place is not None]
        if not rows:
            continue
        try:
            image = load_image(frame.path)
        except ImageError as error:
            report(error)
            continue
        grown = squares_around(frame.boxes[rows], MARGIN, grow=(size + 2 * room) / size)
        cut = cut_resized(image, grown, size + 2 * room)
        pixels.append(np.rint(cut).astype(np.uint8).transpose(0, 2, 3, 1))
        labels += [place for place in own if place is not None]
        frame_index += [len(thumbnails)] * len(rows)
        thumbnails.append(thumbnail(image))
    side = size + 2 * room
    return FaceCrops(
        np.concatenate([np.zeros((0, side, side, 3), np.uint8), *pixels]),
        np.array(labels, np.int64),
        np.array(frame_index, np.int64),
        np.asarray(group_near_duplicates(stack_thumbnails(thumbnails)), np.int64),
        tuple(classes),
    )


def place_of(label: str | None, places: dict[str, int]) -> int | None:
    """Return the place of a label's class, None if it has none."""
    return None if label is None else places.get(folded(label))
