"""Frames that a training on few frames does not learn from, so that it can be measured on them.

A detector is fairly compared with the one before it on frames that neither has learnt from.
Weights therefore record which frames they have learnt from and which were held out, by what is
in the images' files.  The next training holds the same ones out again, and a share of the
frames that are new.  Near-duplicates stay together: whoever has learnt from one of them knows
the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from facetl.data.dataset import FaceDataset
from facetl.data.frame import Frame
from facetl.data.near_duplicates import group_frames
from facetl.training.batches import draw_groups

_RECORD = "held_out"


class KnownFrames(NamedTuple):
    """Which frames weights know, as hashes of their images' files.

    Attributes:
        learnt: frames that the weights, or those they started from, have learnt from.
        held_out: frames that they have not.
    """

    learnt: frozenset[str] = frozenset()
    held_out: frozenset[str] = frozenset()

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> KnownFrames:
        """Return what the metadata of a weights file records; nothing if there is no record."""
        record = metadata.get(_RECORD)
        if not isinstance(record, dict):
            return cls()
        learnt, held_out = (record.get(name, []) for name in cls._fields)
        if not all(isinstance(each, str) for each in (*learnt, *held_out)):
            return cls()
        return cls(frozenset(learnt), frozenset(held_out))

    def plus(self, dataset: FaceDataset, held_out: Collection[str]) -> KnownFrames:
        """Return what weights know that have learnt from all frames but those held out by name."""
        hashes = {frame.name: hash_image(frame) for frame in dataset}
        not_learnt = {hashes[name] for name in held_out}
        learnt = self.learnt | (set(hashes.values()) - not_learnt)
        return KnownFrames(frozenset(learnt), frozenset((self.held_out | not_learnt) - learnt))

    def to_metadata(self) -> dict[str, Any]:
        """Return what a weights file records."""
        return {_RECORD: {name: sorted(getattr(self, name)) for name in self._fields}}


def hash_image(frame: Frame) -> str:
    """Return 16 hex digits of what is in a frame's file; those of nothing if it is gone."""
    content = frame.path.read_bytes() if frame.path.exists() else b""
    return hashlib.sha256(content).hexdigest()[:16]


def choose_held_out(
    dataset: FaceDataset,
    share: float,
    seed: int,
    before: KnownFrames = KnownFrames(),  # noqa: B008
) -> frozenset[str]:
    """Return the names of the frames to hold out: whole groups of near-duplicates.

    Those that were held out before are again, unless a near-duplicate was learnt from; of the
    groups that are new, as many are drawn at random as have a share of their frames, at least
    one if none was held out before.

    Args:
        dataset: the frames; those that cannot be read are in no group.
        share: of the new frames, in [0, 1].
        seed: decides which.
        before: what the weights to start from know.
    """
    frames, groups = group_frames(dataset)
    if len(frames) < 2:
        return frozenset()
    hashes = np.array([hash_image(frame) for frame in frames])
    known = set(groups[np.isin(hashes, list(before.learnt))].tolist())
    again = set(groups[np.isin(hashes, list(before.held_out))].tolist()) - known
    new = groups[~np.isin(groups, list(known | again))]
    count = round(share * len(new))
    drawn: set[int] = set()
    if len(np.unique(new)) > 1 and (count or not again):
        drawn = set(draw_groups(new, max(count, 1), np.random.default_rng(seed)))
    chosen = again | drawn
    return frozenset(
        frame.name for frame, group in zip(frames, groups, strict=True) if int(group) in chosen
    )
