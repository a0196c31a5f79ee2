"""From a patch file to batches: split by shot, balanced by class, shuffled by a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from facetl.errors import InputError
from facetl.training.patches import Patches
from facetl.training.sampling import Label

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some patches as tensors.

    Attributes:
        pixels: (N, 3, S, S) float32 in 0 to 255, channels last.
        labels: (N,) int64 values of :class:`Label`.
        offsets: (N, 4) float32, box minus window as fractions of the window's side.
        sides: (N,) float32 sides of the windows in pixels of the image.
    """

    pixels: Tensor
    labels: Tensor
    offsets: Tensor
    sides: Tensor


def load_batch(patches: Patches, indices: Indices, device: torch.device) -> Batch:
    """Read the patches at ``indices`` from the memory-mapped file."""
    pixels = torch.from_numpy(patches.pixels[indices]).to(device)
    windows = patches.windows[indices]
    return Batch(
        pixels=pixels.permute(0, 3, 1, 2).float(),
        labels=torch.from_numpy(patches.labels[indices]).to(device).long(),
        offsets=torch.from_numpy(patches.offsets[indices]).to(device),
        sides=torch.from_numpy(windows[:, 2] - windows[:, 0]).to(device).float(),
    )


def split_by_frame(
    frame_index: NDArray[np.integer], share: float, seed: int, groups: ArrayLike | None = None
) -> tuple[Indices, Indices]:
    """Return the indices of training and of validation patches.

    Whole groups of near-duplicate frames go to one side, and so do whole frames: a network that
    has seen one of them knows the others.  Only if all frames are of one group are they divided
    after all, for there is no better way to know when to stop.

    Args:
        frame_index: (N,) the frame that each patch was cut from.
        share: share of the frames to hold out for validation, in [0, 1]; at least one group
            goes to either side.
        seed: decides which.
        groups: (F,) the group of every frame; without them each frame is its own.

    Raises:
        InputError: if there are fewer than two frames to split, or frames without a group.
    """
    frames = np.unique(frame_index)
    if len(frames) < 2:
        raise InputError(
            f"found patches of {len(frames)} frame(s), expected at least 2 to hold one out "
            "for validation; annotate more frames"
        )
    count = min(max(round(share * len(frames)), 1), len(frames) - 1)
    group_of_frame = _groups_of(frames, groups)
    chosen = draw_groups(group_of_frame, count, np.random.default_rng(seed))
    held_out = np.isin(frame_index, frames[np.isin(group_of_frame, chosen)])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def balanced_batches(
    labels: NDArray[np.integer],
    batch_size: int,
    shares: Mapping[Label, float],
    generator: np.random.Generator,
) -> Indices:
    """Return the batches of one epoch, each with the same share of every class.

    An epoch has as many batches as it takes to see ``len(labels)`` patches.  A class that runs
    out is shuffled and starts again; one that is rare is so seen more often, and of one that
    is plentiful another part is seen in every epoch.

    Args:
        labels: (N,) values of :class:`Label`, N > 0.
        batch_size: patches per batch.
        shares: relative share of each class; classes without patches are left out.
        generator: source of randomness.

    Returns:
        (B, batch_size) indices into ``labels``; every row in the order of the file, which is
        read faster that way.

    Raises:
        InputError: if a batch has no room for one of the classes.
    """
    steps = -(-len(labels) // batch_size)
    members = {label: np.flatnonzero(labels == label) for label in shares}
    present = {label: shares[label] for label in shares if shares[label] and len(members[label])}
    drawn = [
        _draw(members[label], steps * count, generator).reshape(steps, count)
        for label, count in _apportion(batch_size, present).items()
    ]
    return np.sort(np.concatenate(drawn, axis=1), axis=1)


def _groups_of(frames: NDArray[np.integer], groups: ArrayLike | None) -> NDArray[np.integer]:
    """Return the group of each frame; the frame itself if there are no groups, or but one."""
    if groups is None:
        return frames
    known = np.asarray(groups, dtype=np.int64)
    if len(known) <= frames.max():
        raise InputError(
            f"found groups of {len(known)} frames and patches of frame {frames.max()}, counted "
            "from 0; prepare the patches again"
        )
    chosen = known[frames]
    return chosen if len(np.unique(chosen)) > 1 else frames


def draw_groups(
    groups: NDArray[np.integer], count: int, generator: np.random.Generator
) -> list[int]:
    """Return groups drawn at random that have ``count`` frames together, or nearly so.

    A group that is larger than what is left to fill is passed over, so that one long shot does
    not become all of the validation; if every group is too large, the smallest is taken.
    """
    names, sizes = np.unique(groups, return_counts=True)
    chosen, room = [], count
    for place in generator.permutation(len(names)):
        if sizes[place] <= room:
            chosen.append(int(names[place]))
            room -= int(sizes[place])
    return chosen or [int(names[sizes.argmin()])]


def _apportion(batch_size: int, shares: Mapping[Label, float]) -> dict[Label, int]:
    """Divide a batch in proportion to ``shares``, in whole numbers that add up."""
    edges = np.rint(np.cumsum([0, *shares.values()]) / sum(shares.values()) * batch_size)
    counts = {label: int(count) for label, count in zip(shares, np.diff(edges), strict=True)}
    for label, count in counts.items():
        if count == 0:
            raise InputError(
                f"a batch of {batch_size} has no room for {label.name.lower()} patches with a "
                f"share of {shares[label]:g} in {sum(shares.values()):g}; choose a larger "
                "--batch-size"
            )
    return counts


def _draw(members: Indices, count: int, generator: np.random.Generator) -> Indices:
    """Return ``count`` members: all of them shuffled, as many times over as it takes."""
    rounds = -(-count // len(members))
    return generator.permuted(np.tile(members, (rounds, 1)), axis=1).ravel()[:count]
