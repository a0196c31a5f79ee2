"""What each stage of the cascade is trained by: its layers, its settings, its patches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from facetl.mtcnn.stages import Stage
from facetl.training.recipe import Recipe
from facetl.training.settings import Augmentation, TrainingSettings
from facetl.training.strategies import Part

if TYPE_CHECKING:
    from torch import nn

    from facetl.mtcnn.networks import Network


@dataclass(frozen=True)
class _StageFacts:
    """What is special of a stage in training.

    Attributes:
        title: what people call the network.
        head: the output layers that say whether there is a face, and where.
        last_block: what the output layers look at; ONet's landmarks go along with it.
        feature_layers: layers whose feature maps are held by default: what the output layers
            are made from.
        least_patches: patches that few frames are made to give, as far as they can.
        enough_views: patches that it is shown at least, counting repetitions, if frames are few.
        training: how it is trained, unless something else is asked for.
        recipe: how many windows it learns from.
    """

    title: str
    head: tuple[str, ...]
    last_block: tuple[str, ...]
    feature_layers: tuple[str, ...]
    least_patches: int
    enough_views: int
    training: TrainingSettings = field(default_factory=TrainingSettings)
    recipe: Recipe = field(default_factory=Recipe)


STAGE_FACTS: dict[Stage, _StageFacts] = {
    "pnet": _StageFacts(
        title="PNet, the proposal network",
        head=("conv4_1", "conv4_2"),
        last_block=("conv3", "prelu3"),
        feature_layers=("conv3",),
        least_patches=50_000,
        enough_views=800_000,
        training=TrainingSettings(augmentation=Augmentation(contrast=0.0, repaint=0.0)),
    ),
    "rnet": _StageFacts(
        title="RNet, the refinement network",
        head=("dense5_1", "dense5_2"),
        last_block=("dense4", "prelu4"),
        feature_layers=("conv3", "dense4"),
        least_patches=50_000,
        enough_views=400_000,
        training=TrainingSettings(epochs=8, batch_size=512, learning_rate=2e-3, keep="last"),
        recipe=Recipe(negatives=25, near_share=1.0),
    ),
    "onet": _StageFacts(
        title="ONet, the output network",
        head=("dense6_1", "dense6_2"),
        last_block=("dense5", "prelu5", "dense6_3"),
        feature_layers=("conv4", "dense5"),
        least_patches=25_000,
        enough_views=200_000,
        training=TrainingSettings(
            epochs=10,
            batch_size=128,
            learning_rate=1e-3,
            box_weight=4.0,
            shares=(2.0, 3.0, 1.0),
            keep="last",
        ),
        recipe=Recipe(positives=8, parts=4, negatives=10, near_share=1.0),
    ),
}


def _layers_of(network: Network, stage: Stage, part: Part) -> tuple[str, ...]:
    """Return the names of the layers of a part of a network."""
    facts = STAGE_FACTS[stage]
    if part == "head":
        return facts.head
    if part == "last-block":
        return (*facts.last_block, *facts.head)
    return tuple(name for name, _ in network.named_children())


def release(network: Network, stage: Stage, part: Part) -> None:
    """Let a part of a network learn; freeze the rest of it."""
    learning = _layers_of(network, stage, part)
    for name, layer in network.named_children():
        layer.requires_grad_(name in learning)


def trained_parameters(network: Network) -> list[nn.Parameter]:
    """Return the parameters that learn, in the network's order."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def count_parameters(network: Network, stage: Stage, part: Part) -> int:
    """Return how many numbers a part of a network holds."""
    layers = dict(network.named_children())
    return sum(
        parameter.numel()
        for name in _layers_of(network, stage, part)
        for parameter in layers[name].parameters()
    )
