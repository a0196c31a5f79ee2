"""Changes that a face survives: mirrored, brighter or darker, another tint, other paint."""

from __future__ import annotations

import torch
from torch import Tensor

from facetl.training.settings import Augmentation

_MIXING = 0.5
"""Standard deviation of the weights of mixed channels: enough to turn skin any colour."""


def augment(
    pixels: Tensor, offsets: Tensor, changes: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return changed pixels and the offsets that belong to them.

    Args:
        pixels: (N, 3, S, S) float32 in 0 to 255.
        offsets: (N, 4) box minus window, as fractions of the window's side.
        changes: how strong they are.
        generator: source of randomness, on the CPU.
    """
    count, place = len(pixels), pixels.device
    mirrored = torch.rand(count, generator=generator) < changes.flip
    brightness = 1 + changes.brightness * _both_ways((count, 1, 1, 1), generator)
    contrast = 1 + changes.contrast * _both_ways((count, 1, 1, 1), generator)
    shift = 127.5 * changes.colour * _both_ways((count, 3, 1, 1), generator)
    pixels, offsets = flip(pixels, offsets, mirrored.to(place))
    mixtures = torch.eye(3)[_draw_channels(count, changes.repaint, generator)]
    if changes.grey or changes.mix:
        mixtures = _draw_mixtures(count, changes, generator) @ mixtures
    pixels = _mix(pixels, mixtures.to(place))
    # brightness, then contrast, then tint, in one multiplication and one addition
    factor, shift = brightness * contrast, 127.5 * (1 - contrast) + shift
    changed = pixels * factor.to(place) + shift.to(place)
    return changed.clamp(0, 255), offsets


def _mix(pixels: Tensor, mixtures: Tensor) -> Tensor:
    """Return (N, 3, S, S) pixels; row i of (N, 3, 3) ``mixtures`` makes the new channel i."""
    rows = (mixtures != torch.eye(3, device=mixtures.device)).flatten(1).any(dim=1).nonzero()[:, 0]
    mixed = pixels.clone()  # in their layout in memory
    mixed[rows] = torch.einsum("nij,njhw->nihw", mixtures[rows], pixels[rows])
    return mixed


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


def _draw_mixtures(count: int, changes: Augmentation, generator: torch.Generator) -> Tensor:
    """Return (N, 3, 3) weights of the channels; each row adds up to 1, so that grey stays grey."""
    lots = torch.rand(count, 1, 1, generator=generator)
    greys = 0.2 + torch.rand(count, 1, 3, generator=generator)  # no channel is left out
    noise = _MIXING * torch.randn(count, 3, 3, generator=generator)
    mixtures = torch.eye(3).repeat(count, 1, 1)
    is_grey, is_mixed = lots < changes.grey, lots >= 1 - changes.mix
    mixtures = torch.where(is_grey, greys / greys.sum(dim=2, keepdim=True), mixtures)
    return torch.where(is_mixed, 1 / 3 + noise - noise.mean(dim=2, keepdim=True), mixtures)


def _both_ways(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return uniform numbers from -1 to 1."""
    return 2 * torch.rand(shape, generator=generator) - 1
