"""The three networks of MTCNN.

Zhang, Zhang, Li and Qiao, "Joint face detection and alignment using multitask cascaded
convolutional networks", IEEE Signal Processing Letters 2016, figure 2, in the variant whose
pretrained weights facenet-pytorch ships: per-channel PReLU, ceil-mode pooling, and dense layers
that see the transposed feature map, as it was converted from Caffe.  Layer names are those of
the pretrained weights.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from facetl.mtcnn.native import NATIVE, Pooling
from facetl.mtcnn.stages import Stage


class Outputs(NamedTuple):
    """What a network says of N windows (PNet: of (B, ·, h, w) windows of a picture).

    Attributes:
        logits: (N, 2) raw scores, no face and face.
        offsets: (N, 4) box minus window, as fractions of the window's side.
        landmarks: (N, 10) five x, then five y, as fractions of the window; without columns
            before ONet.
    """

    logits: Tensor
    offsets: Tensor
    landmarks: Tensor

    @property
    def scores(self) -> Tensor:
        """Probability of a face, in [0, 1]."""
        return self.logits.softmax(dim=1)[:, 1]


def normalise(pixels: Tensor) -> Tensor:
    """Map pixels from 0 to 255 onto -1 to 1, the range that the pretrained networks know."""
    return (pixels - 127.5) * 0.0078125


class PNet(nn.Module):
    """The proposal network: classifies every 12-pixel window of a picture, 2 pixels apart."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 10, kernel_size=3)
        self.prelu1 = nn.PReLU(10)
        self.pool1 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv2 = nn.Conv2d(10, 16, kernel_size=3)
        self.prelu2 = nn.PReLU(16)
        self.conv3 = nn.Conv2d(16, 32, kernel_size=3)
        self.prelu3 = nn.PReLU(32)
        self.conv4_1 = nn.Conv2d(32, 2, kernel_size=1)
        self.conv4_2 = nn.Conv2d(32, 4, kernel_size=1)

    def forward(self, pixels: Tensor) -> Outputs:
        """Judge (B, 3, H, W) normalised pixels; logits (B, 2, h, w), offsets (B, 4, h, w)."""
        features = _activate_and_pool(self.conv1(pixels), self.prelu1, self.pool1)
        features = self.prelu2(self.conv2(features))
        features = self.prelu3(self.conv3(features))
        return Outputs(self.conv4_1(features), self.conv4_2(features), features[:, :0])


class RNet(nn.Module):
    """The refinement network: classifies windows of 24 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 28, kernel_size=3)
        self.prelu1 = nn.PReLU(28)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = nn.Conv2d(28, 48, kernel_size=3)
        self.prelu2 = nn.PReLU(48)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3 = nn.Conv2d(48, 64, kernel_size=2)
        self.prelu3 = nn.PReLU(64)
        self.dense4 = nn.Linear(576, 128)
        self.prelu4 = nn.PReLU(128)
        self.dense5_1 = nn.Linear(128, 2)
        self.dense5_2 = nn.Linear(128, 4)

    def forward(self, pixels: Tensor) -> Outputs:
        """Judge (N, 3, 24, 24) normalised pixels."""
        features = _activate_and_pool(self.conv1(pixels), self.prelu1, self.pool1)
        features = _activate_and_pool(self.conv2(features), self.prelu2, self.pool2)
        features = self.prelu3(self.conv3(features))
        features = self.prelu4(self.dense4(_flatten_transposed(features)))
        return Outputs(self.dense5_1(features), self.dense5_2(features), features[:, :0])


class ONet(nn.Module):
    """The output network: classifies windows of 48 pixels and places five landmarks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3)
        self.prelu1 = nn.PReLU(32)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3)
        self.prelu2 = nn.PReLU(64)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3 = nn.Conv2d(64, 64, kernel_size=3)
        self.prelu3 = nn.PReLU(64)
        self.pool3 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv4 = nn.Conv2d(64, 128, kernel_size=2)
        self.prelu4 = nn.PReLU(128)
        self.dense5 = nn.Linear(1152, 256)
        self.prelu5 = nn.PReLU(256)
        self.dense6_1 = nn.Linear(256, 2)
        self.dense6_2 = nn.Linear(256, 4)
        self.dense6_3 = nn.Linear(256, 10)

    def describe(self, pixels: Tensor) -> Tensor:
        """Return (N, 256) features of (N, 3, 48, 48) normalised pixels: the hidden layer."""
        features = _activate_and_pool(self.conv1(pixels), self.prelu1, self.pool1)
        features = _activate_and_pool(self.conv2(features), self.prelu2, self.pool2)
        features = _activate_and_pool(self.conv3(features), self.prelu3, self.pool3)
        features = self.prelu4(self.conv4(features))
        hidden: Tensor = self.prelu5(self.dense5(_flatten_transposed(features)))
        return hidden

    def forward(self, pixels: Tensor) -> Outputs:
        """Judge (N, 3, 48, 48) normalised pixels."""
        features = self.describe(pixels)
        return Outputs(self.dense6_1(features), self.dense6_2(features), self.dense6_3(features))


Network = PNet | RNet | ONet
_PRECISIONS, _POOLS = (torch.float32, torch.bfloat16), ((2, 2), (3, 2))
"""Numbers of the maps that the kernels pool, and sides and strides of windows."""
_LEAST_CHANNELS = 16
"""Channels that the kernels need: PNet's 10 fill no vector."""
_CLASSES: dict[Stage, type[Network]] = {"pnet": PNet, "rnet": RNet, "onet": ONet}


if hasattr(os, "register_at_fork"):
    # torch's other threads stay behind in the parent, and OpenMP would wait for them for ever
    os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


def build_network(stage: Stage) -> Network:
    """Return the network of a stage with random weights, 32-bit numbers on the processor.

    Weights and activations are kept channels last: torch's max pooling is several times faster
    in that layout than in the usual one.
    """
    with torch.device("cpu"):  # whatever the program's usual device is
        network = _CLASSES[stage]()
    return network.float().to(memory_format=torch.channels_last)


def _activate_and_pool(features: Tensor, prelu: nn.PReLU, pool: nn.MaxPool2d) -> Tensor:
    """Return ``pool(prelu(features))``."""
    is_known = (pool.kernel_size, pool.stride) in _POOLS and features.dtype in _PRECISIONS
    is_wide = features.shape[1] >= _LEAST_CHANNELS
    can_run = not (torch.is_inference_mode_enabled() or NATIVE.why_not(features.device.type))
    pooled: Tensor
    if is_known and is_wide and can_run:
        pooled = _ActivateAndPool.apply(features, prelu.weight, pool)
    else:
        pooled = pool(prelu(features))
    return pooled


def _flatten_transposed(features: Tensor) -> Tensor:
    """Flatten (N, C, H, W) in the order W, H, C that the converted dense layers expect."""
    return features.permute(0, 3, 2, 1).flatten(1)


class _ActivateAndPool(torch.autograd.Function):
    """``pool(prelu(features))`` by the kernels, several times faster than by torch.

    They go through the maps once, and once more for the gradients.  What is computed in between has
    32 bits, also where maps have 16.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, slopes: Tensor, pool: nn.MaxPool2d) -> Tensor:
        """Return the pooled activations of (N, C, H, W) features with (C,) slopes."""
        features = features.contiguous(memory_format=torch.channels_last)
        slopes = slopes.float().contiguous()
        count, channels, height, width = features.shape
        shape = (_count_windows(height, pool), _count_windows(width, pool))
        how = Pooling(count, height, width, channels, pool.kernel_size, *shape)
        pooled = _empty_maps(features, (count, channels, *shape))
        places = _empty_maps(features, pooled.shape, torch.uint8)
        half, threads = features.dtype == torch.bfloat16, torch.get_num_threads()
        tensors = (features, slopes, pooled, places)
        how.pool(*(each.data_ptr() for each in tensors), half=half, threads=threads)
        ctx.save_for_backward(features, slopes, places)
        ctx.how = how
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the gradients of features and slopes."""
        features, slopes, places = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_features = torch.empty_like(features)
        of_slopes = slopes.new_empty(len(features), len(slopes))
        half, threads = features.dtype == torch.bfloat16, torch.get_num_threads()
        tensors = (features, slopes, gradient, places, of_features, of_slopes)
        ctx.how.pool_backward(*(each.data_ptr() for each in tensors), half=half, threads=threads)
        return of_features, of_slopes.sum(0), None


def _count_windows(side: int, pool: nn.MaxPool2d) -> int:
    """Return how many windows fit; in ceil mode one that begins in the map may end beyond."""
    kernel, stride = int(pool.kernel_size), int(pool.stride)  # type: ignore[arg-type]
    whole = (side - kernel) // stride
    beyond = pool.ceil_mode and whole * stride + kernel < side and (whole + 1) * stride < side
    return whole + 1 + beyond


def _empty_maps(like: Tensor, shape: Sequence[int], dtype: torch.dtype | None = None) -> Tensor:
    how: Any = {"dtype": dtype or like.dtype, "device": like.device}
    return torch.empty(shape, **how, memory_format=torch.channels_last)
