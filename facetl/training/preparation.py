"""From annotated frames to a patch file: frames are cut side by side, patches written in order.

Each frame has its own source of chance, made of the seed and the frame's name, so the result
depends neither on the number of workers nor on which other frames there are.
"""

from __future__ import annotations

import multiprocessing
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facetl.boxes import as_boxes
from facetl.data.dataset import FaceDataset, Frame, fingerprint
from facetl.data.images import Pixels, load_image
from facetl.errors import ImageError, InputError
from facetl.mtcnn.crops import cut_windows
from facetl.mtcnn.networks import INPUT_SIZES
from facetl.training.patches import writing_patches
from facetl.training.sampling import (
    Label,
    LabelledWindows,
    Match,
    Recipe,
    choose_windows,
    draw_candidates,
    faces_without_positive,
    label_windows,
)

CLASSES = (Label.POSITIVE, Label.PART, Label.NEGATIVE)

FRAMES_AT_ONCE = 16
"""Frames that a worker takes in one go."""


@dataclass(frozen=True, eq=False)
class CutFrame:
    """The patches of one frame, or why there are none.

    Attributes:
        labelled: the windows that were chosen.
        pixels: (N, S, S, 3) uint8, what the network sees in them.
        faces_without_positive: by rule of matching, how many faces gave no positive.
        problem: one line about an unreadable image; None if all went well.
    """

    labelled: LabelledWindows
    pixels: NDArray[np.uint8]
    faces_without_positive: dict[Match, int]
    problem: str | None = None


@dataclass
class Summary:
    """What a preparation made; grows frame by frame.

    Attributes:
        frames: frames that were cut.
        faces: faces in them.
        counts: patches of each class.
        faces_without_positive: by rule of matching, how many faces gave no positive.
        problems: one line for each image that could not be read.
    """

    frames: int = 0
    faces: int = 0
    counts: Counter[Label] = field(default_factory=Counter)
    faces_without_positive: Counter[Match] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, frame: Frame, cut: CutFrame) -> None:
        """Count one more frame."""
        if cut.problem is not None:
            self.problems.append(cut.problem)
            return
        self.frames += 1
        self.faces += len(frame.boxes)
        self.counts.update(Label(label) for label in cut.labelled.labels.tolist())
        self.faces_without_positive.update(cut.faces_without_positive)


def prepare_patches(
    dataset: FaceDataset,
    path: Path,
    recipe: Recipe | None = None,
    *,
    seed: int = 1,
    workers: int = 1,
    track: Callable[[Iterable[CutFrame]], Iterable[CutFrame]] = iter,
) -> Summary:
    """Cut the patches of PNet from annotated frames and write them to a patch file.

    Args:
        dataset: the frames and their faces.
        path: the patch file to write, atomically.
        recipe: how many windows of each class; the defaults if left out.
        seed: of all chance.
        workers: processes; the result does not depend on it.
        track: shows the progress over the frames, which it passes on.

    Raises:
        InputError: if the dataset has no face, or no image could be read.
        OutputError: if the place cannot be written.
    """
    recipe = recipe or Recipe()
    if not dataset.face_count:
        raise InputError(f"found no face in {len(dataset)} frames; annotate some, one line a face")
    size, summary = INPUT_SIZES["pnet"], Summary()
    cuts = track(cut_frames(dataset.frames, recipe, size, seed, workers))
    with writing_patches(path, size) as writer:
        for place, (frame, cut) in enumerate(zip(dataset.frames, cuts, strict=True)):
            writer.add(place, cut.pixels, cut.labelled)
            summary.add(frame, cut)
        if not summary.frames:
            raise InputError(f"none of the {len(dataset)} images could be read")
        writer.metadata = {
            "stage": "pnet",
            "seed": seed,
            "recipe": recipe.as_dict(),
            "data": fingerprint(dataset),
            "frames": [frame.name for frame in dataset.frames],
            "counts": {label.name.lower(): summary.counts[label] for label in CLASSES},
        }
    return summary


def cut_frames(
    frames: Iterable[Frame], recipe: Recipe, size: int, seed: int, workers: int
) -> Iterator[CutFrame]:
    """Yield the patches of each frame, in order, cut by ``workers`` processes."""
    cut = partial(cut_frame, recipe=recipe, size=size, seed=seed)
    if workers == 1:
        yield from map(cut, frames)
        return
    # Spawned, not forked: a forked copy of a process whose libraries run threads may hang.
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, torch.set_num_threads, (1,)) as pool:
        yield from pool.imap(cut, frames, chunksize=FRAMES_AT_ONCE)


def cut_frame(frame: Frame, recipe: Recipe, size: int, seed: int) -> CutFrame:
    """Return the labelled patches of one frame; an unreadable image gives none and a problem."""
    try:
        image = load_image(frame.path)
    except ImageError as error:
        return _no_patches(size, str(error))
    rng = np.random.default_rng([seed, zlib.crc32(frame.name.encode())])
    candidates = draw_candidates(frame.boxes, frame.size_hw, recipe, rng)
    labelled = choose_windows(candidates, frame.boxes, recipe)
    rules: tuple[Match, ...] = ("square", "box")
    missed = {
        rule: faces_without_positive(candidates.around, frame.boxes, recipe.bands, rule)
        for rule in rules
    }
    return CutFrame(labelled, cut_pixels(image, labelled, size), missed)


def cut_pixels(image: Pixels, labelled: LabelledWindows, size: int) -> NDArray[np.uint8]:
    """Return (N, size, size, 3) uint8: the detector's own crops, rounded to whole numbers."""
    patches = cut_windows(image, labelled.windows, size).round().to(torch.uint8)
    return np.ascontiguousarray(patches.permute(0, 2, 3, 1).numpy())


def _no_patches(size: int, problem: str) -> CutFrame:
    nothing = label_windows(as_boxes([]), as_boxes([]))
    return CutFrame(nothing, np.zeros((0, size, size, 3), np.uint8), {}, problem)
