"""Which frame is meant: names in detections and in the truth, brought together.

One tool says ``validare/001.jpg``, the other ``001.jpg``.  Names that are equal are the same
frame.  Only where no name at all is equal are base names compared, and then each must be the
only one of its kind on both sides: a guess between two frames would spoil every figure.  Frames
of two videos, ``a.mp4/000001.png`` and ``b.mp4/000001.png``, are never the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from facetl.data.images import VIDEO_SUFFIXES
from facetl.errors import InputError
from facetl.evaluation.matching import Indices

NOWHERE = -1
"""The place of a frame that is not on the roll."""


def find_places(names: Sequence[str], roll: Sequence[str], whose: str) -> Indices:
    """Return the (N,) place of each name on the roll, :data:`NOWHERE` where it has none.

    Args:
        names: the frames of a run, each once.
        roll: the frames to be found, each once.
        whose: the name of the run, for messages.

    Raises:
        InputError: if base names must decide and cannot, or if nothing at all is in common.
    """
    places = {name: place for place, name in enumerate(roll)}
    if names and roll and not any(name in places for name in names):
        places = _places_by_base_name(names, roll, whose)
    return np.array([places.get(name, NOWHERE) for name in names], dtype=np.intp)


def _places_by_base_name(names: Sequence[str], roll: Sequence[str], whose: str) -> dict[str, int]:
    ours, theirs = _by_base_name(names), _by_base_name(roll)
    places = {name: place for place, name in enumerate(roll)}
    shared = [
        base
        for base in ours
        if base in theirs and _may_be_one_video(ours[base][0], theirs[base][0])
    ]
    if not shared:
        raise InputError(
            f"{whose} and the truth have no frame in common: found {names[0]!r} in the run and "
            f"{roll[0]!r} in the truth; give the --truth of the frames that were searched"
        )
    for base in shared:
        if len(ours[base]) > 1 or len(theirs[base]) > 1:
            raise InputError(
                f"cannot tell which frame is {base!r}: found {_listed(ours[base])} in {whose} and "
                f"{_listed(theirs[base])} in the truth; run facetl detect on the folder whose "
                "names the truth uses"
            )
    return {ours[base][0]: places[theirs[base][0]] for base in shared}


def _may_be_one_video(ours: str, theirs: str) -> bool:
    """Return whether names may mean one frame: frames of different videos have equal numbers."""
    videos = {
        folder.name
        for folder in (PurePosixPath(ours).parent, PurePosixPath(theirs).parent)
        if folder.suffix.lower() in VIDEO_SUFFIXES
    }
    return len(videos) < 2


def _by_base_name(names: Sequence[str]) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for name in names:
        groups[PurePosixPath(name.replace("\\", "/")).name].append(name)
    return dict(groups)


def _listed(names: Sequence[str]) -> str:
    shown = " and ".join(repr(name) for name in names[:2])
    return shown if len(names) <= 2 else f"{shown} and {len(names) - 2} more"
