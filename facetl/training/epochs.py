"""The one training loop: whatever network is trained, it goes through here."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from facetl.training.batches import Indices
from facetl.training.checkpoint import Checkpoint
from facetl.training.gradient_rules import GRADIENT_RULES
from facetl.training.layer_groups import LayerGroups, trained_parameters
from facetl.training.machine import keep_freed_memory, own_caches
from facetl.training.penalties import AngleLog, Held, Regulariser, flatten
from facetl.training.regularisers import find_regulariser
from facetl.training.settings import EpochSettings, Phase, learning_rate

_SAMPLE = 512
"""Examples by which a regulariser learns what the loss of a network is."""


class Losses(NamedTuple):
    """What a step lowers.

    Attributes:
        pixels: (N, 3, S, S) what the network was shown, 0 to 255.
        total: scalar, the empirical loss.
        parts: scalars of which it is the weighted sum.
    """

    pixels: Tensor
    total: Tensor
    parts: Mapping[str, Tensor]


class Objective(ABC):
    """What a network learns, and from which examples.

    Attributes:
        network: the network, on its device.
        layers: which of its layers are spoken of.
        training: (N,) indices of the examples to learn from.
        validation: (M,) indices of those held out.
    """

    network: nn.Module
    layers: LayerGroups
    training: Indices
    validation: Indices

    @abstractmethod
    def batches(self, order: np.random.Generator) -> Sequence[Indices]:
        """Return the indices of the examples of each step of an epoch."""

    @abstractmethod
    def losses(self, indices: Indices, chance: torch.Generator) -> Losses:
        """Show some examples to the network, augmented."""

    @abstractmethod
    def plain_loss(self, indices: Indices, network: nn.Module) -> Tensor:
        """Return the scalar loss of another network of the kind on examples as they are."""

    @abstractmethod
    def pixels(self, indices: Indices) -> Tensor:
        """Return (N, 3, S, S) pixels of examples as they are, 0 to 255."""

    @abstractmethod
    def show(self, network: nn.Module, pixels: Tensor) -> object:
        """Run a network of the kind on (N, 3, S, S) pixels, 0 to 255, as in training."""

    @abstractmethod
    def measure(self, indices: Indices) -> dict[str, float]:
        """Return the losses, ``total`` among them, and rates on examples as they are."""


def run_epochs(
    objective: Objective,
    settings: EpochSettings,
    start: Checkpoint | None = None,
    source: nn.Module | None = None,
    progress: Callable[[int, int], object] | None = None,
    replan: Callable[[Checkpoint], EpochSettings] | None = None,
) -> Iterator[Checkpoint]:
    """Train the network of an objective in place; yield a checkpoint after every epoch.

    An epoch's record holds ``train``, the mean losses of its steps (augmented, while the weights
    move); ``validation``, the losses on what is held out; ``learnt``, the same on a sample of
    what is trained on: what they differ by is the generalisation gap.

    An unbroken run and one that resumes from any of its checkpoints give the same weights, bit
    for bit, on the same CPU: what is random depends on seed and epoch alone.

    Args:
        objective: what is learnt.
        settings: how to train.
        start: the checkpoint to resume from.
        source: what a regulariser holds the network to; by default the network as it comes.
        progress: is called after every step with the number of steps that are done and that of
            all epochs; what it raises ends the training.
        replan: gives the settings of the epochs to come, after each one; they may have another
            number of epochs. The records then hold it, and how many threads there were.
    """
    network = objective.network
    keep_freed_memory()
    regulariser = _hold(objective, settings, source or network)
    learnt = _draw(objective.training, len(objective.validation), settings.seed)
    optimiser = _build_optimiser(network, settings)
    checkpoint = start or Checkpoint.beginning()
    checkpoint.restore(network, optimiser)
    with regulariser.attached(network) if regulariser else nullcontext():
        while not _is_finished(checkpoint, settings):
            epoch, began = checkpoint.epoch + 1, time.perf_counter()
            run = _Epoch(objective, settings, regulariser, optimiser, epoch)
            trained, angles = run.train(progress)
            network.eval()
            record = {
                "epoch": epoch,
                "train": trained,
                "learnt": objective.measure(learnt),
                "validation": objective.measure(objective.validation),
                **({"angles": angles} if angles else {}),
                # what an epoch depends on that a clock has chosen
                **(
                    {"epochs": settings.total_epochs, "threads": torch.get_num_threads()}
                    if replan
                    else {}
                ),
                "learning_rate": optimiser.param_groups[0]["lr"],
                "seconds": round(time.perf_counter() - began, 3),
            }
            checkpoint = checkpoint.after(record, network, optimiser)
            yield checkpoint
            if replan:
                settings = replan(checkpoint)


@dataclass(frozen=True)
class _Epoch:
    """One epoch of a training."""

    objective: Objective
    settings: EpochSettings
    regulariser: Regulariser | None
    optimiser: torch.optim.Optimizer
    epoch: int

    def train(
        self, progress: Callable[[int, int], object] | None
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Run it; return the mean of every loss over its steps, and what the angles were.

        ``total`` is the empirical loss; what the regulariser adds is the ``penalty``.
        """
        objective, settings = self.objective, self.settings
        phase, done = _find_phase(settings, self.epoch)
        objective.layers.release(objective.network, phase.part)
        set_training_mode(objective.network)
        # a random stream for each epoch: resuming needs no history
        order = np.random.default_rng([settings.seed, self.epoch])
        chance = torch.Generator().manual_seed(int(order.integers(2**62)))
        batches = objective.batches(order)
        sums: dict[str, float] = {}
        log = AngleLog()
        for step, indices in enumerate(batches):
            so_far = (done + step / len(batches)) / phase.epochs
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(settings.schedule, phase.learning_rate, so_far)
            losses = objective.losses(indices, chance)
            self.optimiser.zero_grad()
            penalty = self._find_gradient(losses, log)
            self.optimiser.step()
            for name, loss in {"total": losses.total, **losses.parts, **penalty}.items():
                sums[name] = sums.get(name, 0.0) + loss.item()
            if progress:
                steps = len(batches)
                progress((self.epoch - 1) * steps + step + 1, settings.total_epochs * steps)
        return {name: value / len(batches) for name, value in sums.items()}, log.summary()

    def _find_gradient(self, losses: Losses, log: AngleLog) -> dict[str, Tensor]:
        """Give the parameters the gradient to step against; return the penalty, if any."""
        if self.regulariser is None:
            torch.autograd.backward(losses.total)
            return {}
        transfer = self.settings.transfer
        strength = transfer.strength(self.epoch)
        parameters = trained_parameters(self.objective.network)
        penalty = self.regulariser(parameters, losses.pixels)
        torch.autograd.backward(losses.total)
        gradient = flatten([parameter.grad for parameter in parameters], parameters)
        direction = GRADIENT_RULES[transfer.gradient_rule](gradient, penalty.gradient, strength)
        log.add(gradient, penalty.gradient, direction)
        _set_gradient(parameters, direction)
        return {"penalty": strength * penalty.value}


def set_training_mode(network: nn.Module) -> None:
    """Put a network into training mode; frozen batch normalisation keeps its statistics."""
    network.train()
    for module in network.modules():
        if isinstance(module, _BatchNorm) and not module.weight.requires_grad:
            module.eval()


def _hold(objective: Objective, settings: EpochSettings, source: nn.Module) -> Regulariser | None:
    """Return what holds the network to a source, of which a copy is kept."""
    transfer = settings.transfer
    regulariser = find_regulariser(transfer.regulariser)
    if regulariser is None:
        return None

    @cache
    def sample() -> Indices:
        return _draw(objective.training, _SAMPLE, settings.seed)

    def loss(network: nn.Module) -> Tensor:
        return objective.plain_loss(sample(), network)

    source = deepcopy(source).requires_grad_(False).eval()
    return regulariser.build(
        Held(
            network=objective.network,
            layers=objective.layers,
            transfer=transfer,
            source=source,
            loss=loss,
            show=objective.show,
            pixels=lambda: objective.pixels(sample()),
        )
    )


def _draw(indices: Indices, count: int, seed: int) -> Indices:
    """Return at most so many of the indices, drawn at random, in their order."""
    drawn = np.random.default_rng(seed).permutation(len(indices))[:count]
    return indices[np.sort(drawn)]


def _set_gradient(parameters: Sequence[nn.Parameter], direction: Tensor) -> None:
    """Give a (P,) direction to the optimiser as the gradient of the parameters."""
    pieces = torch.split(direction, [parameter.numel() for parameter in parameters])
    for parameter, piece in zip(parameters, pieces, strict=True):
        parameter.grad = piece.view(parameter.shape).clone(memory_format=torch.preserve_format)


def _find_phase(settings: EpochSettings, epoch: int) -> tuple[Phase, int]:
    """Return the phase that an epoch belongs to, and how many of its epochs were before."""
    done = epoch - 1
    for phase in settings.phases:
        if done < phase.epochs:
            return phase, done
        done -= phase.epochs
    raise ValueError(f"expected an epoch up to {settings.total_epochs}, got {epoch}")


def _build_optimiser(network: nn.Module, settings: EpochSettings) -> torch.optim.Optimizer:
    with own_caches():
        if settings.optimiser == "sgd":
            return torch.optim.SGD(network.parameters(), settings.learning_rate, momentum=0.9)
        return torch.optim.Adam(network.parameters(), settings.learning_rate)


def _is_finished(checkpoint: Checkpoint, settings: EpochSettings) -> bool:
    before = settings.total_epochs - settings.phases[-1].epochs  # the last phase is never missed
    idle = checkpoint.epoch - max(checkpoint.best_epoch, before)
    return checkpoint.epoch >= settings.total_epochs or 0 < settings.patience <= idle
