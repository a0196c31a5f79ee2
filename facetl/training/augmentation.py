"""Changes that a face survives: mirrored, cut off by the frame, other light, other paint."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from facetl.errors import InputError

DEEPEST_CUT = 0.35
"""How much of a face's width or height an edge takes away at most."""


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
        edge: probability of letting the frame end inside the patch, in [0, 1]: black beyond an
            edge that takes up to ``DEEPEST_CUT`` of the face away.  For networks that see
            windows padded.

    Raises:
        InputError: if one of them is out of range.
    """

    flip: float = 0.5
    brightness: float = 0.15
    contrast: float = 0.15
    colour: float = 0.2
    repaint: float = 0.05
    edge: float = 0.0

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
        rows, takes = _draw_edges(count, self.edge, generator)
        pixels, offsets = cut_off(pixels, offsets, rows.to(place), takes.to(place))
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


def cut_off(pixels: Tensor, offsets: Tensor, rows: Tensor, takes: Tensor) -> tuple[Tensor, Tensor]:
    """Return pixels and offsets with the frame ending inside some of the patches.

    What lies beyond the new edge becomes black, and the box ends at the edge, as an annotator
    would have it.

    Args:
        pixels: (N, 3, S, S).
        offsets: (N, 4) box minus window, as fractions of the window's side.
        rows: (M,) which patches.
        takes: (M, 4) how much of the box's width or height is taken away on the left, at the
            top, on the right and at the bottom; 0: no edge there.
    """
    size = pixels.shape[-1]
    box = offsets[rows] + offsets.new_tensor([0.0, 0.0, 1.0, 1.0])
    depths = takes * (box[:, 2:] - box[:, :2]).repeat(1, 2)
    first = _whole_pixels((box[:, :2] + depths[:, :2]).where(takes[:, :2] > 0, 0), size)
    last = _whole_pixels((box[:, 2:] - depths[:, 2:]).where(takes[:, 2:] > 0, 1), size)
    centres = (torch.arange(size, device=pixels.device) + 0.5) / size
    inside = (centres > first[..., None]) & (centres < last[..., None])
    cut = pixels.clone()  # in their layout in memory
    cut[rows] = pixels[rows] * (inside[:, 1, :, None] & inside[:, 0, None, :])[:, None]
    starts = torch.where(first > 0, box[:, :2].maximum(first), box[:, :2])
    ends = torch.where(last < 1, box[:, 2:].minimum(last), box[:, 2:])
    moved = offsets.clone()
    moved[rows] = torch.cat([starts, ends - 1], dim=1)
    return cut, moved


def _whole_pixels(places: Tensor, size: int) -> Tensor:
    """Return places in a patch, as shares of its side, at the nearest line between pixels."""
    return (places.clamp(0, 1) * size).round() / size


def _draw_edges(count: int, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the patches that the frame ends in, and how much one edge takes of their faces."""
    rows = (torch.rand(count, generator=generator) < share).nonzero()[:, 0]
    sides = torch.randint(4, (len(rows),), generator=generator)
    depths = DEEPEST_CUT * torch.rand(len(rows), generator=generator)
    return rows, torch.nn.functional.one_hot(sides, 4) * depths[:, None]


def _draw_channels(count: int, share: float, generator: torch.Generator) -> Tensor:
    """Return (N, 3) orders of the channels: their own, or for some rows a random one."""
    own = torch.arange(3).expand(count, 3)
    random = torch.rand(count, 3, generator=generator).argsort(dim=1)
    chosen = torch.rand(count, 1, generator=generator) < share
    return torch.where(chosen, random, own)


def _both_ways(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return uniform numbers from -1 to 1."""
    return 2 * torch.rand(shape, generator=generator) - 1
