"""A network learns to name characters from crops of their faces."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facetl.errors import InputError
from facetl.recognition.backbones import BACKBONES
from facetl.recognition.crops import FaceCrops, room_around
from facetl.recognition.settings import SIZES, NamingSettings
from facetl.training.augmentation import augment
from facetl.training.batches import Indices, split_by_frame
from facetl.training.epochs import Losses, Objective

_AT_ONCE = 256
"""Crops that are named together where nothing is learnt."""


class NamingObjective(Objective):
    """Characters are told apart in crops of their faces.

    Args:
        network: built by :func:`facetl.recognition.backbones.build_backbone`.
        backbone: its name.
        crops: of its size.
        settings: how it is trained.

    Raises:
        InputError: if there are faces of fewer than two frames.
    """

    def __init__(
        self, network: nn.Module, backbone: str, crops: FaceCrops, settings: NamingSettings
    ) -> None:
        self.network, self.layers = network, BACKBONES[backbone].layers
        self._normalise, self._size = BACKBONES[backbone].normalise, SIZES[backbone]
        self._crops, self._settings = crops, settings
        self.training, self.validation = _split(crops, settings)

    def batches(self, order: np.random.Generator) -> Sequence[Indices]:
        """Return all faces to learn from, shuffled, in batches of nearly equal size."""
        count = max(round(len(self.training) / self._settings.batch_size), 1)
        return np.array_split(order.permutation(self.training), count)

    def losses(self, indices: Indices, chance: torch.Generator) -> Losses:
        """Show some faces to the network, augmented."""
        pixels = self._look(indices, chance)
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's own stream
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=chance)))
            scores = self.show(self.network, pixels)
        total = functional.cross_entropy(scores, self._labels(indices))
        return Losses(pixels, total, {})

    def plain_loss(self, indices: Indices, network: nn.Module) -> Tensor:
        """Return the cross-entropy of faces as they are."""
        return functional.cross_entropy(self._score(indices, network), self._labels(indices))

    def pixels(self, indices: Indices) -> Tensor:
        """Return faces as they are."""
        return self._look(indices)

    def show(self, network: nn.Module, pixels: Tensor) -> Tensor:
        """Return the (N, C) raw scores of a network."""
        scores: Tensor = network(self._normalise(pixels))
        return scores.float()

    @torch.no_grad()
    def measure(self, indices: Indices) -> dict[str, float]:
        """Return the cross-entropy and the accuracy on faces as they are."""
        scores, labels = self._score(indices, self.network), self._labels(indices)
        return {
            "total": float(functional.cross_entropy(scores, labels)),
            "accuracy": float((scores.argmax(dim=1) == labels).float().mean()),
        }

    @torch.no_grad()
    def predict(self, crops: FaceCrops) -> Tensor:
        """Return (N, C) probabilities of other faces."""
        self.network.eval()
        other = copy(self)
        other._crops = crops
        return other._score(np.arange(len(crops)), self.network).softmax(dim=1).cpu()

    def _labels(self, indices: Indices) -> Tensor:
        return torch.from_numpy(self._crops.labels[indices]).to(self._place)

    def _score(self, indices: Indices, network: nn.Module) -> Tensor:
        """Return the (N, C) raw scores of faces as they are."""
        chunks = [indices[i : i + _AT_ONCE] for i in range(0, len(indices), _AT_ONCE)]
        return torch.cat([self.show(network, self._look(chunk)) for chunk in chunks])

    def _look(self, indices: Indices, chance: torch.Generator | None = None) -> Tensor:
        """Return (N, 3, S, S) pixels: the middle of the crops, or augmented views."""
        pixels = torch.from_numpy(self._crops.pixels[indices]).to(self._place)
        pixels = pixels.permute(0, 3, 1, 2).float()
        if chance is None:
            room, size = room_around(self._size), self._size
            return pixels[:, :, room : room + size, room : room + size]
        pixels = _move(pixels, self._size, self._settings, chance)
        nowhere = pixels.new_zeros(len(pixels), 4)
        return augment(pixels, nowhere, self._settings.augmentation, chance)[0]

    @property
    def _place(self) -> torch.device:
        return next(self.network.parameters()).device


def _move(pixels: Tensor, size: int, settings: NamingSettings, chance: torch.Generator) -> Tensor:
    """Return views of crops, moved and sized at random: (N, 3, size, size)."""
    count, side = len(pixels), pixels.shape[-1]
    drawn = 2 * torch.rand(count, 3, generator=chance) - 1
    scale = size / side * torch.exp(settings.zoom * drawn[:, 0])
    shifts = 2 * settings.shift * size / side * drawn[:, 1:]
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0] = affine[:, 1, 1] = scale
    affine[:, :, 2] = shifts
    shape = [count, 3, size, size]
    grid = functional.affine_grid(affine.to(pixels.device), shape, align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False)


def _split(crops: FaceCrops, settings: NamingSettings) -> tuple[Indices, Indices]:
    """Return the faces to learn from and those held out; every class is learnt."""
    share, seed = settings.validation_share, settings.seed
    training, validation = split_by_frame(crops.frame_index, share, seed, crops.groups)
    missing = set(crops.labels.tolist()) - set(crops.labels[training].tolist())
    rows = np.isin(crops.labels[validation], list(missing))
    training = np.sort(np.concatenate([training, validation[rows]]))
    if rows.all():
        raise InputError(
            f"found faces of {len(np.unique(crops.frame_index))} frames, too few to hold any out; "
            "annotate more frames"
        )
    return training, validation[~rows]
