"""Changes that a face survives: mirrored, brighter or darker, another tint."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from facetl.errors import InputError


@dataclass(frozen=True)
class Augmentation:
    """How strongly patches are changed.

    Attributes:
        flip: probability of mirroring left and right, in [0, 1].
        brightness: factors are drawn from 1 minus to 1 plus this, in [0, 1].
        colour: each channel is shifted by up to this share of 127.5, either way, in [0, 1].

    Raises:
        InputError: if one of them is out of range.
    """

    flip: float = 0.5
    brightness: float = 0.15
    colour: float = 0.2

    def __post_init__(self) -> None:
        for name, strength in asdict(self).items():
            if not 0 <= strength <= 1:
                raise InputError(f"found {name} {strength}, expected 0 to 1")

    def __call__(
        self, pixels: Tensor, offsets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return changed pixels and the offsets that belong to them.

        Args:
            pixels: (N, 3, S, S) float32 in 0 to 255.
            offsets: (N, 4) box minus window, as fractions of the window's side.
            generator: source of all chance, on the CPU.
        """
        count = len(pixels)
        mirrored = torch.rand(count, generator=generator) < self.flip
        factor = 1 + self.brightness * _both_ways((count, 1, 1, 1), generator)
        shift = 127.5 * self.colour * _both_ways((count, 3, 1, 1), generator)
        pixels, offsets = flip(pixels, offsets, mirrored.to(pixels.device))
        changed = pixels * factor.to(pixels.device) + shift.to(pixels.device)
        return changed.clamp(0, 255), offsets


def flip(pixels: Tensor, offsets: Tensor, mirrored: Tensor) -> tuple[Tensor, Tensor]:
    """Return pixels and offsets with the patches that (N,) ``mirrored`` selects mirrored.

    In a mirrored window the right edge of the box is the old left one, seen from the other side.
    """
    turned = torch.stack([-offsets[:, 2], offsets[:, 1], -offsets[:, 0], offsets[:, 3]], dim=1)
    return (
        torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels),
        torch.where(mirrored[:, None], turned, offsets),
    )


def _both_ways(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return uniform numbers from -1 to 1."""
    return 2 * torch.rand(shape, generator=generator) - 1
