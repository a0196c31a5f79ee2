"""What is in a data set: how many faces there are, how large, where, of whom, in which colours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facetl.boxes import Boxes, area, iou
from facetl.data.characters import folded
from facetl.data.frame import Frame
from facetl.data.images import Pixels, load_image
from facetl.data.near_duplicates import (
    NEAR_TWIN,
    Thumbnails,
    group_near_duplicates,
    nearest_distances,
    stack_thumbnails,
    thumbnail,
)
from facetl.errors import ImageError

Floats = NDArray[np.float64]

HUES, SATURATIONS = 36, 10
GRID_HW = (36, 48)
"""Rows and columns of the heat map of places."""
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
TWIN_IOU = 0.7
"""Two boxes in one frame that overlap so much are probably one face, annotated twice."""
LONGEST_ASPECT = 3.0
"""Boxes longer than that, or wider, are rarely faces."""
_SAMPLED = 64
"""Rows and columns of a face that are looked at, at most."""


class FrameLook(NamedTuple):
    """What the pixels of a frame show.

    Attributes:
        thumbnail: (432,) grey values, by which near-duplicates are known.
        colours: (HUES, SATURATIONS) shares of the pixels of a face by hue and saturation, summed
            over its faces.
    """

    thumbnail: NDArray[np.float32]
    colours: NDArray[np.float32]


@dataclass(frozen=True)
class Oddity:
    """Something that is rarely meant, in words; how often; and the first frame that has it."""

    what: str
    count: int
    first: str


@dataclass(frozen=True, eq=False)
class Summary:
    """What is in some frames, of which F could be read, with N faces.

    Attributes:
        name: what the frames are called.
        frames: all that there are.
        unreadable: how many of them have pixels that cannot be read.
        faces_per_frame: the number of frames by how many faces they have.
        image_sizes: the number of frames by width and height.
        labels: the number of faces by label; None for those without one.
        sizes: (N,) √(width · height) in pixels.
        aspects: (N,) width / height.
        places: GRID_HW, in [0, 1]: the share of faces that cover a cell of the frame.
        colours: (HUES, SATURATIONS) mean share of a face's pixels; zeros if no face was seen.
        alike: (F,) a number for each frame that can be read; near-duplicates have the same.
        oddities: what is rarely meant.
    """

    name: str
    frames: int
    unreadable: int
    faces_per_frame: Mapping[int, int]
    image_sizes: Mapping[tuple[int, int], int]
    labels: Mapping[str | None, int]
    sizes: Floats
    aspects: Floats
    places: Floats
    colours: Floats
    alike: NDArray[np.intp]
    oddities: tuple[Oddity, ...]

    @property
    def faces(self) -> int:
        """How many faces there are."""
        return len(self.sizes)

    @property
    def near_duplicates(self) -> int:
        """How many frames would go if one of those that are alike were kept."""
        return len(self.alike) - len(np.unique(self.alike))

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "name": self.name,
            "frames": self.frames,
            "unreadable": self.unreadable,
            "without_faces": self.faces_per_frame.get(0, 0),
            "near_duplicates": self.near_duplicates,
            "faces": self.faces,
            "faces_per_frame": {str(count): n for count, n in self.faces_per_frame.items()},
            "image_sizes": [[*size, count] for size, count in self.image_sizes.items()],
            "labels": [{"label": each, "faces": n} for each, n in self.labels.items()],
            "size_quantiles": _quantiles(self.sizes),
            "aspect_quantiles": _quantiles(self.aspects),
            "places": self.places.round(4).tolist(),
            "hue_saturation": self.colours.round(5).tolist(),
            "mean_hue_saturation": mean_colour(self.colours),
            "oddities": [asdict(each) for each in self.oddities],
        }


def look_at(frame: Frame) -> FrameLook | None:
    """Read the pixels of a frame; return what they show, None if they cannot be read."""
    try:
        pixels = load_image(frame.path)
    except ImageError:
        return None
    colours = np.zeros((HUES, SATURATIONS), np.float32)
    for box in frame.boxes:
        colours += _hues_and_saturations(pixels, box)
    return FrameLook(thumbnail(pixels), colours)


def summarise(
    name: str, frames: Sequence[Frame], looks: Sequence[FrameLook | None], tiny: float
) -> Summary:
    """Return what is in some frames.

    Args:
        name: what they are called.
        frames: with their faces.
        looks: what the pixels of each show.
        tiny: faces smaller than this, √(width · height) in pixels, are odd.
    """
    boxes = np.concatenate([frame.boxes for frame in frames] or [np.zeros((0, 4))])
    seen = [look for look in looks if look]
    colours = np.zeros((HUES, SATURATIONS))
    for look in seen:
        colours += look.colours
    return Summary(
        name=name,
        frames=len(frames),
        unreadable=len(looks) - len(seen),
        faces_per_frame=dict(sorted(Counter(len(frame.boxes) for frame in frames).items())),
        image_sizes=dict(Counter(frame.size_hw[::-1] for frame in frames).most_common()),
        labels=dict(Counter(label for frame in frames for label in frame.labels).most_common()),
        sizes=face_sizes(boxes),
        aspects=face_aspects(boxes),
        places=_places(frames),
        colours=colours / max(float(colours.sum()), 1),
        alike=group_near_duplicates(stack_thumbnails(look.thumbnail for look in seen)),
        oddities=tuple(_find_oddities(frames, tiny)),
    )


def face_sizes(boxes: Boxes) -> Floats:
    """Return √(width · height) of (N, 4) boxes."""
    return np.asarray(np.sqrt(area(boxes)))


def face_aspects(boxes: Boxes) -> Floats:
    """Return width / height of (N, 4) boxes; of a box without height, infinity."""
    sides = boxes[:, 2:] - boxes[:, :2]
    unknown = np.full(len(boxes), np.inf)
    return np.asarray(np.divide(sides[:, 0], sides[:, 1], out=unknown, where=sides[:, 1] > 0))


def similar_labels(labels: Iterable[str | None]) -> list[list[str]]:
    """Return groups of labels that differ only in case or spaces, in the order of the first."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in dict.fromkeys(labels):
        if label is not None:
            groups[folded(label)].append(label)
    return [group for group in groups.values() if len(group) > 1]


def count_seen_before(looks: Iterable[FrameLook | None], others: Thumbnails) -> int:
    """Return how many frames almost repeat one of the (N, 432) others."""
    thumbnails = stack_thumbnails(look.thumbnail for look in looks if look)
    return int((nearest_distances(thumbnails, others) < NEAR_TWIN).sum())


def mean_colour(colours: Floats) -> tuple[float, float] | None:
    """Return the mean hue in degrees, weighed by saturation, and the mean saturation, 0 to 1.

    Args:
        colours: (HUES, SATURATIONS) shares, whose sum is 1; without any colour, None is returned.
    """
    if not colours.any():
        return None
    saturations = (np.arange(SATURATIONS) + 0.5) / SATURATIONS
    hues = 2j * np.pi * (np.arange(HUES) + 0.5) / HUES
    turn = np.angle((colours * saturations * np.exp(hues)[:, None]).sum())
    return float(np.degrees(turn) % 360), float((colours * saturations).sum())


def _quantiles(values: Floats) -> dict[str, float]:
    """Return quantiles by their share; none of no values."""
    if not len(values):
        return {}
    found = np.quantile(values, QUANTILES)
    return {
        f"{share:g}": round(float(value), 3) for share, value in zip(QUANTILES, found, strict=True)
    }


def _hues_and_saturations(pixels: Pixels, box: Floats) -> Floats:
    """Return the (HUES, SATURATIONS) shares of the pixels of a face; zeros if it has none."""
    x1, y1, x2, y2 = (int(edge) for edge in (*np.floor(box[:2]), *np.ceil(box[2:])))
    crop = pixels[y1:y2, x1:x2]
    steps = [max(side // _SAMPLED, 1) for side in crop.shape[:2]]
    crop = np.ascontiguousarray(crop[:: steps[0], :: steps[1]])
    if not crop.size:
        return np.zeros((HUES, SATURATIONS))
    colours = np.asarray(Image.fromarray(crop).convert("HSV"), np.intp)
    hues, saturations = colours[..., 0] * HUES // 256, colours[..., 1] * SATURATIONS // 256
    counts = np.bincount((hues * SATURATIONS + saturations).ravel(), minlength=HUES * SATURATIONS)
    return np.asarray(counts.reshape(HUES, SATURATIONS) / counts.sum())


def _places(frames: Sequence[Frame]) -> Floats:
    """Return the share of the faces that cover each cell of a grid over the frame."""
    counts, faces = np.zeros(GRID_HW), 0
    rows, columns = GRID_HW
    for frame in frames:
        height, width = frame.size_hw
        scale = np.array([columns / width, rows / height] * 2)
        for x1, y1, x2, y2 in frame.boxes * scale:
            counts[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] += 1
            faces += 1
    return np.asarray(counts / max(faces, 1))


def _find_oddities(frames: Sequence[Frame], tiny: float) -> list[Oddity]:
    """Return what is rarely meant, of each kind how often it is found."""
    found: dict[str, list[str]] = defaultdict(list)
    for frame in frames:
        aspects = face_aspects(frame.boxes)
        long = (aspects > LONGEST_ASPECT) | (aspects < 1 / LONGEST_ASPECT)
        kinds = {
            f"boxes over another box (IoU {TWIN_IOU:g} or more)": _count_twins(frame.boxes),
            f"faces smaller than {tiny:g} pixels": int((face_sizes(frame.boxes) < tiny).sum()),
            f"boxes {LONGEST_ASPECT:g} times as wide as high, or as high as wide": int(long.sum()),
        }
        for kind, count in kinds.items():
            found[kind] += [frame.name] * count
    return [Oddity(kind, len(names), names[0]) for kind, names in found.items() if names]


def _count_twins(boxes: Boxes) -> int:
    """Return how many boxes overlap an earlier one of their frame so much that one is too many."""
    return int((np.tril(iou(boxes, boxes), -1) >= TWIN_IOU).any(axis=1).sum())
