"""What each stage of the cascade is trained by: its layers, its settings, its patches."""

from __future__ import annotations

from dataclasses import dataclass, field

from facetl.mtcnn.stages import Stage
from facetl.training.layer_groups import LayerGroups
from facetl.training.recipe import Recipe
from facetl.training.settings import Augmentation, TrainingSettings


@dataclass(frozen=True)
class _StageFacts:
    """What is special of a stage in training.

    Attributes:
        title: what people call the network.
        layers: its head says whether there is a face, and where; ONet's landmarks go along with
            its last block.
        least_patches: patches that few frames are made to give, as far as they can.
        enough_views: patches that it is shown at least, counting repetitions, if frames are few.
        training: how it is trained, unless something else is asked for.
        recipe: how many windows it learns from.
    """

    title: str
    layers: LayerGroups
    least_patches: int
    enough_views: int
    training: TrainingSettings = field(default_factory=TrainingSettings)
    recipe: Recipe = field(default_factory=Recipe)


STAGE_FACTS: dict[Stage, _StageFacts] = {
    "pnet": _StageFacts(
        title="PNet, the proposal network",
        layers=LayerGroups(
            head=("conv4_1", "conv4_2"),
            last_block=("conv3", "prelu3"),
            features=("conv3",),
        ),
        least_patches=50_000,
        enough_views=800_000,
        training=TrainingSettings(augmentation=Augmentation(contrast=0.0, repaint=0.0)),
    ),
    "rnet": _StageFacts(
        title="RNet, the refinement network",
        layers=LayerGroups(
            head=("dense5_1", "dense5_2"),
            last_block=("dense4", "prelu4"),
            features=("conv3", "dense4"),
        ),
        least_patches=50_000,
        enough_views=400_000,
        training=TrainingSettings(epochs=8, batch_size=512, learning_rate=2e-3, keep="last"),
        recipe=Recipe(negatives=25, near_share=1.0),
    ),
    "onet": _StageFacts(
        title="ONet, the output network",
        layers=LayerGroups(
            head=("dense6_1", "dense6_2"),
            last_block=("dense5", "prelu5", "dense6_3"),
            features=("conv4", "dense5"),
            other_outputs=("dense6_3",),
        ),
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
