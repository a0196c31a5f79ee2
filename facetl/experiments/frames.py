"""Which frames a study learns from, and on which it measures."""

from __future__ import annotations

import numpy as np

from facetl.data.dataset import FaceDataset
from facetl.data.near_duplicates import group_near_duplicates, load_thumbnails, stack_thumbnails
from facetl.errors import InputError
from facetl.training.batches import split_by_frame

TEST_SHARE = 0.2
"""Share of the frames to measure on, where there are no others."""


def put_aside(dataset: FaceDataset) -> tuple[FaceDataset, FaceDataset]:
    """Return frames to learn from and frames to measure on; near-duplicates stay together.

    Raises:
        InputError: if there is but one frame, or none can be read.
    """
    thumbnails = load_thumbnails(dataset)
    readable = [frame for frame in dataset if frame.name in thumbnails]
    if not readable:
        raise InputError(f"none of the {len(dataset)} frames can be read; restore the images")
    groups = group_near_duplicates(stack_thumbnails(thumbnails[frame.name] for frame in readable))
    train, test = split_by_frame(np.arange(len(readable)), TEST_SHARE, 1, groups)
    return (
        FaceDataset(tuple(readable[place] for place in train)),
        FaceDataset(tuple(readable[place] for place in test)),
    )


def require_apart(train: FaceDataset, test: FaceDataset) -> None:
    """Raise unless there are faces to measure on, in frames that are not learnt from.

    Raises:
        InputError: naming a frame that is among both.
    """
    learnt = {frame.path.resolve() for frame in train}
    both = [frame.path for frame in test if frame.path.resolve() in learnt]
    if both:
        raise InputError(
            f"found {len(both)} frames to measure on among those to learn from, such as {both[0]}; "
            "give others with --test"
        )
    if not test.face_count:
        raise InputError(
            f"found no face in the {len(test)} frames to measure on; give others with --test"
        )
