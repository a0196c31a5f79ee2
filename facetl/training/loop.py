"""The one training loop: whatever is trained, it goes through here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
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
from facetl.training.gradient_rules import GRADIENT_RULES
from facetl.training.losses import (
    Teacher,
    detection_losses,
    regression_targets,
    weighted_sum,
)
from facetl.training.machine import keep_freed_memory, mixed_precision, own_caches
from facetl.training.patches import Patches
from facetl.training.penalties import AngleLog, Held, Regulariser, flatten
from facetl.training.regularisers import find_regulariser
from facetl.training.sampling import Label
from facetl.training.settings import Phase, TrainingSettings, learning_rate
from facetl.training.stages import release, trained_parameters

VALIDATION_BATCH = 1024
_SAMPLE = 512
"""Patches by which a regulariser learns what the loss of a network is."""


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
    """Train a network in place; yield a checkpoint after every epoch.

    An epoch's record holds ``train``, the mean losses of its steps (hard examples, augmented,
    while the weights move); ``validation``, the losses on patches held out; ``learnt``, the same
    on a sample of the patches trained on: what they differ by is the generalisation gap.

    An unbroken run and one that resumes from any of its checkpoints give the same weights, bit
    for bit, on the same CPU: what is random depends on seed and epoch alone.

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
    _require_size(patches, stage)
    training, validation = _split(patches, settings)
    _require_faces(patches, training)
    keep_freed_memory()
    teacher = Teacher(_place(network)) if stage == "onet" else None  # it alone has landmarks
    setup = _Setup(network, stage, settings, teacher)
    setup = replace(setup, regulariser=_hold(setup, patches, training, source or network))
    learnt = _draw(training, len(validation), settings.seed)
    optimiser = _build_optimiser(network, settings)
    checkpoint = start or Checkpoint.beginning()
    checkpoint.restore(network, optimiser)
    with setup.regulariser.attached(network) if setup.regulariser else nullcontext():
        while not _is_finished(checkpoint, setup.settings):
            epoch, began = checkpoint.epoch + 1, time.perf_counter()
            trained, angles = _train_epoch(setup, patches, training, optimiser, epoch, progress)
            record = {
                "epoch": epoch,
                "train": trained,
                "learnt": _validate(setup, patches, learnt),
                "validation": _validate(setup, patches, validation),
                **({"angles": angles} if angles else {}),
                # what an epoch depends on that a clock has chosen
                **(
                    {"epochs": setup.settings.total_epochs, "threads": torch.get_num_threads()}
                    if replan
                    else {}
                ),
                "learning_rate": optimiser.param_groups[0]["lr"],
                "seconds": round(time.perf_counter() - began, 3),
            }
            checkpoint = checkpoint.after(record, network, optimiser)
            yield checkpoint
            if replan:
                setup = replace(setup, settings=replan(checkpoint))


@dataclass(frozen=True)
class _Setup:
    """What is trained, and by what."""

    network: Network
    stage: Stage
    settings: TrainingSettings
    teacher: Teacher | None
    regulariser: Regulariser | None = None

    def read(self, patches: Patches, indices: Indices) -> Batch:
        """Return patches on the device of the network."""
        return load_batch(patches, indices, _place(self.network))

    def predict(self, batch: Batch, network: Network | None = None) -> _Predictions:
        """Return what the network predicts for a batch, and what is true."""
        with mixed_precision(self.stage, batch.pixels.device):
            outputs = (network or self.network)(normalise(batch.pixels))
        flat = Outputs(*(part.flatten(1).float() for part in outputs))  # PNet gives maps of 1 × 1
        targets = regression_targets(self.stage, batch.offsets, batch.sides)
        landmarks = self.teacher(batch.pixels, batch.labels) if self.teacher else None
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


def _hold(
    setup: _Setup, patches: Patches, training: Indices, source: Network
) -> Regulariser | None:
    """Return what holds the network to a source, of which a copy is kept."""
    transfer = setup.settings.transfer
    regulariser = find_regulariser(transfer.regulariser)
    if regulariser is None:
        return None

    @cache
    def sample() -> Batch:
        return setup.read(patches, _draw(training, _SAMPLE, setup.settings.seed))

    def loss(network: Network) -> Tensor:
        losses = detection_losses(*setup.predict(sample(), network))
        return weighted_sum(losses, setup.settings.loss_weights)

    source = deepcopy(source).requires_grad_(False).eval()
    return regulariser.build(Held(setup.network, setup.stage, transfer, source, loss))


def _draw(indices: Indices, count: int, seed: int) -> Indices:
    """Return at most so many of the indices, drawn at random, in their order."""
    drawn = np.random.default_rng(seed).permutation(len(indices))[:count]
    return indices[np.sort(drawn)]


@torch.no_grad()
def _validate(setup: _Setup, patches: Patches, indices: Indices) -> dict[str, float]:
    """Return losses (over all patches, easy and hard), accuracy, recall and false alarms.

    ``recall`` is the share of positives and ``false_alarms`` that of negatives that score at
    least ``settings.score_threshold``; ``accuracy`` that of both on the right side of 0.5.
    """
    setup.network.eval()
    chunks = (indices[i : i + VALIDATION_BATCH] for i in range(0, len(indices), VALIDATION_BATCH))
    predictions = _Predictions.joined(
        [setup.predict(setup.read(patches, chunk)) for chunk in chunks]
    )
    losses = detection_losses(*predictions)
    total = weighted_sum(losses, setup.settings.loss_weights)
    return {
        "total": float(total),
        **{name: float(loss) for name, loss in losses.items()},
        **_rates(predictions.outputs.scores, predictions.labels, setup.settings.score_threshold),
    }


def _train_epoch(
    setup: _Setup,
    patches: Patches,
    training: Indices,
    optimiser: torch.optim.Optimizer,
    epoch: int,
    progress: Callable[[int, int], object] | None,
) -> tuple[dict[str, float], dict[str, float]]:
    """Run one epoch; return the mean of every loss over its steps, and what the angles were.

    ``total`` is the empirical loss; what the regulariser adds is the ``penalty``.
    """
    setup.network.train()
    settings = setup.settings
    phase, done = _find_phase(settings, epoch)
    release(setup.network, setup.stage, phase.part)
    # a random stream for each epoch: resuming needs no history
    order = np.random.default_rng([settings.seed, epoch])
    chance = torch.Generator().manual_seed(int(order.integers(2**62)))
    labels = (Label.NEGATIVE, Label.POSITIVE, Label.PART)
    shares = dict(zip(labels, settings.shares, strict=True))
    batches = balanced_batches(patches.labels[training], settings.batch_size, shares, order)
    sums: dict[str, float] = {}
    log = AngleLog()
    for step, indices in enumerate(batches):
        so_far = (done + step / len(batches)) / phase.epochs
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(settings.schedule, phase.learning_rate, so_far)
        batch = setup.read(patches, training[indices])
        pixels, offsets = augment(batch.pixels, batch.offsets, settings.augmentation, chance)
        batch = replace(batch, pixels=pixels, offsets=offsets)
        losses = detection_losses(*setup.predict(batch), hard_share=settings.hard_share)
        total = weighted_sum(losses, settings.loss_weights)
        optimiser.zero_grad()
        penalty = _find_gradient(setup, total, batch, settings.transfer.strength(epoch), log)
        optimiser.step()
        for name, loss in {"total": total, **losses, **penalty}.items():
            sums[name] = sums.get(name, 0.0) + loss.item()
        if progress:
            steps = len(batches)
            progress((epoch - 1) * steps + step + 1, settings.total_epochs * steps)
    return {name: value / len(batches) for name, value in sums.items()}, log.summary()


def _find_gradient(
    setup: _Setup, total: Tensor, batch: Batch, strength: float, log: AngleLog
) -> dict[str, Tensor]:
    """Give the parameters the gradient to step against; return the penalty, if there is one."""
    if setup.regulariser is None:
        torch.autograd.backward(total)
        return {}
    parameters = trained_parameters(setup.network)
    penalty = setup.regulariser(parameters, batch.pixels)
    torch.autograd.backward(total)
    gradient = flatten([parameter.grad for parameter in parameters], parameters)
    combine = GRADIENT_RULES[setup.settings.transfer.gradient_rule]
    direction = combine(gradient, penalty.gradient, strength)
    log.add(gradient, penalty.gradient, direction)
    _set_gradient(parameters, direction)
    return {"penalty": strength * penalty.value}


def _set_gradient(parameters: Sequence[nn.Parameter], direction: Tensor) -> None:
    """Give a (P,) direction to the optimiser as the gradient of the parameters."""
    pieces = torch.split(direction, [parameter.numel() for parameter in parameters])
    for parameter, piece in zip(parameters, pieces, strict=True):
        parameter.grad = piece.view(parameter.shape).clone(memory_format=torch.preserve_format)


def _find_phase(settings: TrainingSettings, epoch: int) -> tuple[Phase, int]:
    """Return the phase that an epoch belongs to, and how many of its epochs were before."""
    done = epoch - 1
    for phase in settings.phases:
        if done < phase.epochs:
            return phase, done
        done -= phase.epochs
    raise ValueError(f"expected an epoch up to {settings.total_epochs}, got {epoch}")


def _build_optimiser(network: Network, settings: TrainingSettings) -> torch.optim.Optimizer:
    with own_caches():
        if settings.optimiser == "sgd":
            return torch.optim.SGD(network.parameters(), settings.learning_rate, momentum=0.9)
        return torch.optim.Adam(network.parameters(), settings.learning_rate)


def _is_finished(checkpoint: Checkpoint, settings: TrainingSettings) -> bool:
    before = settings.total_epochs - settings.phases[-1].epochs  # the last phase is never missed
    idle = checkpoint.epoch - max(checkpoint.best_epoch, before)
    return checkpoint.epoch >= settings.total_epochs or 0 < settings.patience <= idle


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


def _place(network: Network) -> torch.device:
    return next(network.parameters()).device
