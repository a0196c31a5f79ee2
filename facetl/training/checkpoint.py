"""The state of a training: enough to resume it with the same result as if it had never stopped."""

from __future__ import annotations

import copy
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facetl.errors import WeightsError
from facetl.files import FileKind, write_bytes
from facetl.mtcnn.weights import load_plain
from facetl.parts import describe_differences
from facetl.training.settings import Keep

State = dict[str, Tensor]
"""A network's parameters by their names."""

KIND = FileKind("facetl-checkpoint", WeightsError, "start over with --force")


@dataclass(frozen=True)
class Checkpoint:
    """A training after ``epoch`` epochs.

    Attributes:
        epoch: epochs done.
        weights: the network as it is.
        optimiser: state of the optimiser.
        best_epoch: epoch with the lowest total validation loss; 0 before the first.
        best_weights: the network as it was then.
        records: one JSON-able record per epoch.
    """

    epoch: int
    weights: State
    optimiser: dict[str, Any]
    best_epoch: int
    best_weights: State
    records: tuple[dict[str, Any], ...]

    @classmethod
    def beginning(cls) -> Checkpoint:
        """Return the state before the first epoch."""
        return cls(0, {}, {}, 0, {}, ())

    @property
    def best_record(self) -> dict[str, Any]:
        """The record of the best epoch so far."""
        return self.records[self.best_epoch - 1]

    def kept(self, keep: Keep) -> State:
        """Return the weights that are worth keeping so far."""
        return self.weights if keep == "last" else self.best_weights

    def kept_epoch(self, keep: Keep) -> int:
        """Return the epoch of the weights that are worth keeping so far."""
        return self.epoch if keep == "last" else self.best_epoch

    def after(
        self, record: dict[str, Any], network: nn.Module, optimiser: torch.optim.Optimizer
    ) -> Checkpoint:
        """Return the state after one more epoch."""
        weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        best = not self.records or _loss(record) < _loss(self.best_record)
        return Checkpoint(
            epoch=record["epoch"],
            weights=weights,
            optimiser=copy.deepcopy(optimiser.state_dict()),
            best_epoch=record["epoch"] if best else self.best_epoch,
            best_weights=weights if best else self.best_weights,
            records=(*self.records, record),
        )

    def restore(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Put network and optimiser into this state; the beginning leaves them as they are.

        Raises:
            WeightsError: if they don't fit each other.
        """
        if not self.epoch:
            return
        try:
            network.load_state_dict(self.weights)
            optimiser.load_state_dict(self.optimiser)
        except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise WeightsError(
                f"the checkpoint does not fit the network ({type(error).__name__}); start over "
                "with --force"
            ) from error


def save_checkpoint(path: Path, checkpoint: Checkpoint, task: dict[str, Any]) -> None:
    """Write a checkpoint and the JSON-able description of its task, atomically."""
    document = {
        **KIND.head,
        "task": task,
        "checkpoint": {**vars(checkpoint), "records": list(checkpoint.records)},
    }
    buffer = io.BytesIO()
    torch.save(document, buffer)
    write_bytes(path, buffer.getbuffer())


def load_checkpoint(path: Path, task: dict[str, Any]) -> Checkpoint:
    """Read a checkpoint of the same task.

    Raises:
        WeightsError: if the file is damaged or belongs to another task: other patches, another
            starting point or other settings.
    """
    try:
        document = load_plain(path)
        found = document["format"], document["version"]
        found_task, values = dict(document["task"]), document["checkpoint"]
    except MemoryError:
        raise  # there is nothing wrong with the file
    except Exception as error:  # torch raises half a dozen unrelated types on a bad file
        raise WeightsError(
            f"{path}: not a readable checkpoint ({type(error).__name__}); start over with --force"
        ) from error
    KIND.require(*found, path)
    if differing := describe_differences(found_task, task):
        raise WeightsError(
            f"{path}: belongs to a training with {differing}; resume with the same "
            "command, or start over with --force"
        )
    try:
        checkpoint = Checkpoint(**{**values, "records": tuple(values["records"])})
        _check(checkpoint)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise WeightsError(
            f"{path}: damaged checkpoint ({type(error).__name__}: {error}); start over with --force"
        ) from error
    return checkpoint


def _check(checkpoint: Checkpoint) -> None:
    """Raise if a checkpoint that was read is not what :meth:`Checkpoint.after` makes."""
    epochs = [record["epoch"] for record in checkpoint.records]
    if epochs != list(range(1, checkpoint.epoch + 1)):
        raise ValueError(f"found records of the epochs {epochs} after epoch {checkpoint.epoch}")
    if checkpoint.epoch and not 1 <= checkpoint.best_epoch <= checkpoint.epoch:
        raise ValueError(f"found {checkpoint.best_epoch} as the best epoch")
    for record in checkpoint.records:
        _loss(record)
    for state in (checkpoint.weights, checkpoint.best_weights):
        if not all(tensor.isfinite().all() for tensor in state.values()):
            raise ValueError("found weights that are no finite numbers")


def _loss(record: dict[str, Any]) -> float:
    return float(record["validation"]["total"])
