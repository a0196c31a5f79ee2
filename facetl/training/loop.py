"""A network of the cascade learns from patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from facetl.errors import InputError
from facetl.mtcnn.networks import Network, Outputs, normalise
from facetl.mtcnn.stages import INPUT_SIZES, Stage
from facetl.training.augmentation import augment
from facetl.training.batches import (
    Batch,
    Indices,
    balanced_batches,
    load_batch,
    split_by_frame,
)
from facetl.training.checkpoint import Checkpoint
from facetl.training.epochs import Losses, Objective, run_epochs
from facetl.training.losses import (
    Teacher,
    detection_losses,
    regression_targets,
    weighted_sum,
)
from facetl.training.machine import mixed_precision
from facetl.training.patches import Patches
from facetl.training.sampling import Label
from facetl.training.settings import TrainingSettings
from facetl.training.stages import STAGE_FACTS

VALIDATION_BATCH = 1024


class _Predictions(NamedTuple):
    """What a network predicts for N patches, and what is true.

    Attributes:
        outputs: of the network.
        labels: (N,) values of :class:`Label`.
        targets: (N, 4) offsets.
        landmarks: (N, 10) of the teacher, if there is one.
    """

    outputs: Outputs
    labels: Tensor
    targets: Tensor
    landmarks: Tensor | None

    @classmethod
    def joined(cls, parts: Sequence[_Predictions]) -> _Predictions:
        """Return all patches of several parts."""
        outputs, labels, targets, landmarks = zip(*parts, strict=True)
        return cls(
            Outputs(*map(torch.cat, zip(*outputs, strict=True))),
            torch.cat(labels),
            torch.cat(targets),
            None if landmarks[0] is None else torch.cat(landmarks),
        )


def train(
    network: Network,
    stage: Stage,
    patches: Patches,
    settings: TrainingSettings,
    start: Checkpoint | None = None,
    source: Network | None = None,
    progress: Callable[[int, int], object] | None = None,
    replan: Callable[[Checkpoint], TrainingSettings] | None = None,
) -> Iterator[Checkpoint]:
    """Train a network of the cascade in place; yield a checkpoint after every epoch.

    What the checkpoints hold is said at :func:`facetl.training.epochs.run_epochs`; the losses of
    ``train`` are those of hard examples.

    Args:
        network: the network to train, on its device.
        stage: which one it is.
        patches: patches of its size.
        settings: how to train.
        start: the checkpoint to resume from.
        source: what a regulariser holds the network to; by default the network as it comes.
        progress: is called after every step with the number of steps that are done and that of
            all epochs; what it raises ends the training.
        replan: gives the settings of the epochs to come, after each one; they may have another
            number of epochs. The records then hold it, and how many threads there were.

    Raises:
        NonFiniteLossError: as soon as a loss is infinite or not a number.
        InputError: if the patches are those of another stage or of a single frame, or show no face.
    """
    objective = _PatchObjective(network, stage, patches, settings)
    yield from run_epochs(objective, settings, start, source, progress, replan)


class _PatchObjective(Objective):
    """Faces are told from the rest, and their boxes found, in patches."""

    def __init__(
        self, network: Network, stage: Stage, patches: Patches, settings: TrainingSettings
    ) -> None:
        _require_size(patches, stage)
        self.training, self.validation = _split(patches, settings)
        _require_faces(patches, self.training)
        self.network = network
        self.layers = STAGE_FACTS[stage].layers
        self._stage, self._patches, self._settings = stage, patches, settings
        # ONet alone has landmarks
        self._teacher = Teacher(_place(network)) if stage == "onet" else None

    def batches(self, order: np.random.Generator) -> Sequence[Indices]:
        """Return batches with the same share of every class."""
        labels = (Label.NEGATIVE, Label.POSITIVE, Label.PART)
        shares = dict(zip(labels, self._settings.shares, strict=True))
        drawn = balanced_batches(
            self._patches.labels[self.training], self._settings.batch_size, shares, order
        )
        return [self.training[rows] for rows in drawn]

    def losses(self, indices: Indices, chance: torch.Generator) -> Losses:
        """Show some patches to the network, augmented; hard ones count."""
        batch = self._read(indices)
        pixels, offsets = augment(batch.pixels, batch.offsets, self._settings.augmentation, chance)
        batch = replace(batch, pixels=pixels, offsets=offsets)
        predicted = self._predict(batch, self.network)
        losses = detection_losses(*predicted, hard_share=self._settings.hard_share)
        return Losses(pixels, weighted_sum(losses, self._settings.loss_weights), losses)

    def plain_loss(self, indices: Indices, network: nn.Module) -> Tensor:
        """Return the weighted loss on patches as they are, easy and hard."""
        losses = detection_losses(*self._predict(self._read(indices), network))
        return weighted_sum(losses, self._settings.loss_weights)

    def pixels(self, indices: Indices) -> Tensor:
        """Return patches as they are."""
        return self._read(indices).pixels

    def show(self, network: nn.Module, pixels: Tensor) -> Outputs:
        """Run a network of the stage on pixels."""
        with mixed_precision(self._stage, pixels.device):
            outputs: Outputs = network(normalise(pixels))
            return outputs

    @torch.no_grad()
    def measure(self, indices: Indices) -> dict[str, float]:
        """Return losses (over all patches, easy and hard), accuracy, recall and false alarms.

        ``recall`` is the share of positives and ``false_alarms`` that of negatives that score at
        least ``settings.score_threshold``; ``accuracy`` that of both on the right side of 0.5.
        """
        starts = range(0, len(indices), VALIDATION_BATCH)
        chunks = (indices[i : i + VALIDATION_BATCH] for i in starts)
        predictions = _Predictions.joined(
            [self._predict(self._read(chunk), self.network) for chunk in chunks]
        )
        losses, scores = detection_losses(*predictions), predictions.outputs.scores
        return {
            "total": float(weighted_sum(losses, self._settings.loss_weights)),
            **{name: float(loss) for name, loss in losses.items()},
            **_rates(scores, predictions.labels, self._settings.score_threshold),
        }

    def _read(self, indices: Indices) -> Batch:
        """Return patches on the device of the network."""
        return load_batch(self._patches, indices, _place(self.network))

    def _predict(self, batch: Batch, network: nn.Module) -> _Predictions:
        """Return what a network predicts for a batch, and what is true."""
        outputs = self.show(network, batch.pixels)
        flat = Outputs(*(part.flatten(1).float() for part in outputs))  # PNet gives maps of 1 × 1
        targets = regression_targets(self._stage, batch.offsets, batch.sides)
        landmarks = self._teacher(batch.pixels, batch.labels) if self._teacher else None
        return _Predictions(flat, batch.labels, targets, landmarks)


def name_validation_frames(patches: Patches, settings: TrainingSettings) -> list[str]:
    """Return the names of the frames that :func:`train` holds out for validation."""
    _, validation = _split(patches, settings)
    held_out = set(patches.frame_index[validation].tolist())
    return [name for place, name in enumerate(patches.metadata["frames"]) if place in held_out]


def _split(patches: Patches, settings: TrainingSettings) -> tuple[Indices, Indices]:
    """Return the indices of the patches to learn from and of those held out."""
    held_out = np.isin(patches.frame_index, patches.metadata.get("held_out", []))
    if held_out.any() and not held_out.all():
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)
    groups = patches.metadata.get("groups")
    share, seed = settings.validation_share, settings.seed
    return split_by_frame(patches.frame_index, share, seed, groups)


def _rates(scores: Tensor, labels: Tensor, score_threshold: float) -> dict[str, float]:
    positive, negative = scores[labels == Label.POSITIVE], scores[labels == Label.NEGATIVE]
    right = int((positive >= 0.5).sum()) + int((negative < 0.5).sum())
    return {
        "accuracy": right / max(len(positive) + len(negative), 1),
        "recall": int((positive >= score_threshold).sum()) / max(len(positive), 1),
        "false_alarms": int((negative >= score_threshold).sum()) / max(len(negative), 1),
    }


def _require_faces(patches: Patches, training: Indices) -> None:
    if not (patches.labels[training] == Label.POSITIVE).any():
        raise InputError(
            "found no positive patch in the frames left for training; annotate more frames or "
            "hold fewer out for validation"
        )


def _require_size(patches: Patches, stage: Stage) -> None:
    if patches.size != INPUT_SIZES[stage]:
        raise InputError(
            f"found patches of {patches.size} pixels, {stage} learns from {INPUT_SIZES[stage]}; "
            f"prepare patches for {stage}"
        )


def _place(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
