"""How far a training is: who is informed of it, and in which words."""

from __future__ import annotations

from collections.abc import Iterator

from facetl.mtcnn.networks import build_network
from facetl.mtcnn.stages import Stage
from facetl.training.checkpoint import Checkpoint
from facetl.training.plan import CascadePlan, Step
from facetl.training.preparation import FrameCut, Preparation, Unreadable
from facetl.training.settings import TrainingSettings
from facetl.training.stages import STAGE_FACTS

LINE = 80
"""Columns that the line of an epoch may take."""


class Watcher:
    """Is called as a training gets on; this one does nothing."""

    def replans(self, step: Step, plan: CascadePlan, left: float) -> None:
        """Take another plan for a step that is begun and those after it, and its seconds."""

    def skips(self, step: Step) -> None:
        """Take a step that was finished before."""

    def cutting(
        self, step: Step, frames: Iterator[FrameCut | Unreadable]
    ) -> Iterator[FrameCut | Unreadable]:
        """Wrap the stream of frames that patches are cut from."""
        return frames

    def has_cut(self, step: Step, preparation: Preparation) -> None:
        """Take the patches of a step."""

    def has_trained(self, step: Step, checkpoint: Checkpoint) -> None:
        """Take another epoch."""


def describe_parts(stage: Stage, settings: TrainingSettings) -> str:
    """Return a few words about how many parameters learn, phase by phase."""
    network = build_network(stage)
    layers = STAGE_FACTS[stage].layers
    counts = [f"{layers.count_parameters(network, phase.part):,}" for phase in settings.phases]
    whole = layers.count_parameters(network, "full")
    return f"{', then '.join(counts)} of {whole:,} parameters learn"


def describe_epoch(checkpoint: Checkpoint, settings: TrainingSettings, room: int = LINE) -> str:
    """Return one line about the last epoch; a star marks the best so far.

    Args:
        checkpoint: after the epoch.
        settings: of the training.
        room: columns that the line may take; what has no room is left out.
    """
    record = checkpoint.records[-1]
    trained, validated = record["train"], record["validation"]
    star = " *" if checkpoint.best_epoch == checkpoint.epoch else ""
    line = f"epoch {record['epoch']:>2}/{settings.total_epochs}  loss {trained['total']:.4f}"
    facts = (
        f"validation {validated['total']:.4f}",
        f"recall {validated['recall']:.3f}",
        f"false alarms {validated['false_alarms']:.3f}",
        f"{record['seconds']:.1f} s",
    )
    for fact in facts:
        if len(line) + len("  ") + len(fact) + len(star) <= room:
            line = f"{line}  {fact}"
    return f"{line}{star}"
