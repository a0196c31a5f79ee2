"""Changes that a face survives: mirrored, brighter or darker, another tint, other paint."""

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
        contrast: distances from middle grey are multiplied by 1 minus to 1 plus this, in [0, 1].
        colour: each channel is shifted by up to this share of 127.5, either way, in [0, 1].
        repaint: probability of exchanging the colour channels at random, in [0, 1]: green
            people and red skies, as other cartoons have them.

    Raises:
        InputError: if one of them is out of range.
    """

    flip: float = 0.5
    brightness: float = 0.15
    contrast: float = 0.15
    colour: float = 0.2
    repaint: float = 0.05

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
        count, place = len(pixels), pixels.device
        mirrored = torch.rand(count, generator=generator) < self.flip
        brightness = 1 + self.brightness * _both_ways((count, 1, 1, 1), generator)
        contrast = 1 + self.contrast * _both_ways((count, 1, 1, 1), generator)
        shift = 127.5 * self.colour * _both_ways((count, 3, 1, 1), generator)
        pixels, offsets = flip(pixels, offsets, mirrored.to(place))
        pixels = repaint(pixels, _draw_channels(count, self.repaint, generator).to(place))
        # brightness, then contrast, then tint, in one multiplication and one addition
        factor, shift = brightness * contrast, 127.5 * (1 - contrast) + shift
        changed = pixels * factor.to(place) + shift.to(place)
        return changed.clamp(0, 255), offsets


def repaint(pixels: Tensor, channels: Tensor) -> Tensor:
    """Return (N, 3, S, S) pixels with their channels in the order that (N, 3) ``channels`` say."""
    own = torch.arange(3, device=channels.device)
    rows = (channels != own).any(dim=1).nonzero()
    painted = pixels.clone()  # in their layout in memory
    painted[rows[:, 0]] = pixels[rows, channels[rows[:, 0]]]
    return painted


def flip(pixels: Tensor, offsets: Tensor, mirrored: Tensor) -> tuple[Tensor, Tensor]:
    """Return pixels and offsets with the patches that (N,) ``mirrored`` selects mirrored.

    In a mirrored window the right edge of the box is the old left one, seen from the other side.
    """
    turned = torch.stack([-offsets[:, 2], offsets[:, 1], -offsets[:, 0], offsets[:, 3]], dim=1)
    return (
        torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels),
        torch.where(mirrored[:, None], turned, offsets),
    )


def _draw_channels(count: int, share: float, generator: torch.Generator) -> Tensor:
    """Return (N, 3) orders of the channels: their own, or for some rows a random one."""
    own = torch.arange(3).expand(count, 3)
    random = torch.rand(count, 3, generator=generator).argsort(dim=1)
    chosen = torch.rand(count, 1, generator=generator) < share
    return torch.where(chosen, random, own)


def _both_ways(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return uniform numbers from -1 to 1."""
    return 2 * torch.rand(shape, generator=generator) - 1
