"""Retrain one network on patches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import facetl.training.loop as training
from facetl.commands.optional_pictures import OptionalPictures
from facetl.commands.requests import TrainStageRequest as TrainStageRequest
from facetl.commands.training_files import TrainingFiles, note_busy_cores
from facetl.files import write_text
from facetl.mtcnn.devices import choose_device
from facetl.mtcnn.networks import Network
from facetl.mtcnn.stages import Stage
from facetl.mtcnn.weights import State, Weights, load_weights, save_weights
from facetl.reporting import SILENT, Reporter
from facetl.search.settings import DETECTION, Settings
from facetl.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from facetl.training.initialisation import build_training_network, fingerprint_start, settle_start
from facetl.training.patches import PATCH_COUNTS, Patches, load_patches
from facetl.training.progress import describe_epoch, describe_parts
from facetl.training.settings import TrainingSettings
from facetl.training.stages import STAGE_FACTS
from facetl.training.training_log import without_times


@dataclass(frozen=True)
class TrainStageResult:
    """What was trained.

    Attributes:
        files: what was written.
        checkpoint: where the training ended.
    """

    files: TrainingFiles
    checkpoint: Checkpoint


def train_stage(request: TrainStageRequest, reporter: Reporter = SILENT) -> TrainStageResult:
    """Train a stage on patches; write its weights, records and loss curves.

    After an interruption, the weights so far are written too.

    Raises:
        UsageError: if start and strategy do not go together.
        InputError: if patches or weights cannot be read, or are another stage's.
        OutputError: if something is in the way, or the training to resume is finished.
        NonFiniteLossError: as soon as a loss is infinite or not a number.
    """
    stage, settings = request.stage, request.settings or STAGE_FACTS[request.stage].training
    start = settle_start(request.start, settings.transfer)
    patches = load_patches(request.patches, stage)
    joined = load_weights(request.join) if request.join else None
    device = choose_device(request.device)
    network = build_training_network(stage, start, settings).to(device)
    run = _Run(
        stage=stage,
        patches=patches,
        settings=settings,
        task={
            "stage": stage,
            "start": fingerprint_start(start),
            "patches": patches.fingerprint,
            "settings": settings.to_json(),
        },
        files=TrainingFiles(request.out),
        others={name: each for name, each in _stages_of(joined).items() if name != stage},
        detection=recommend_settings(stage, patches, joined),
        reporter=reporter,
    )
    with reporter.resumable(run.files.checkpoint):
        path = run.files.checkpoint
        run.files.require_room(request, path, reporter)
        is_begun = request.resume and path.exists()
        checkpoint = load_checkpoint(path, run.task) if is_begun else None
        note_busy_cores(stage, settings, device, reporter)
        checkpoint = run.train(network, checkpoint)
    return TrainStageResult(run.files, checkpoint)


def recommend_settings(stage: Stage, patches: Patches, joined: Weights | None) -> Settings:
    """Return how to search: as the joined stages do, but for what the new one was taught.

    RNet and ONet want their windows as their patches were cut, and a retrained ONet's boxes
    vote.  PNet by itself changes nothing: what pretrained stages see stays as they know it.
    A retrained ONet's scores are new: they are shown from the usual one on, until facetl tune
    has chosen, which takes frames, not patches.
    """
    settings = joined.settings if joined else Settings()
    if stage == "pnet":
        return settings
    padding = bool(patches.metadata.get("recipe", {}).get("padding", False))
    if stage == "onet":
        settings = replace(settings, voting=True, score=Settings().score)
    return replace(settings, padding=padding)


@dataclass(frozen=True)
class _Run:
    """One training, and what goes into its weights file besides the stage."""

    stage: Stage
    patches: Patches
    settings: TrainingSettings
    task: dict[str, Any]
    files: TrainingFiles
    others: Mapping[Stage, State]
    detection: Settings
    reporter: Reporter

    def train(self, network: Network, start: Checkpoint | None) -> Checkpoint:
        """Train, leaving a checkpoint after every epoch and the weights at the end."""
        checkpoint, settings = start, self.settings
        epochs = training.train(network, self.stage, self.patches, settings, start)
        try:
            for number, checkpoint in enumerate(epochs):
                self._save_checkpoint(checkpoint)
                if number == 0:  # not before: what is wrong with the patches is said by itself
                    self.reporter.note(f"{self.stage}: {describe_parts(self.stage, settings)}")
                self.reporter.note(describe_epoch(checkpoint, settings))
        except KeyboardInterrupt as interruption:
            if checkpoint is not None:
                self._save_checkpoint(checkpoint)  # saving may have been interrupted
                self._save_results(checkpoint)
                self._note_kept(checkpoint, interruption)
            raise
        assert checkpoint is not None, "a training has at least one epoch"
        self._save_results(checkpoint)
        self.files.checkpoint.unlink(missing_ok=True)
        return checkpoint

    def _save_checkpoint(self, checkpoint: Checkpoint) -> None:
        save_checkpoint(self.files.checkpoint, checkpoint, self.task)

    def _save_results(self, checkpoint: Checkpoint) -> None:
        """Write the weights to keep, the records of all epochs and the loss curves."""
        keep = self.settings.keep
        metadata = {
            **self.task,
            DETECTION: self.detection.to_json(),
            PATCH_COUNTS: [self.patches.describe_counts(self.stage)],
            "best_epoch": checkpoint.best_epoch,
            "kept_epoch": checkpoint.kept_epoch(keep),
            "records": without_times(checkpoint.records),
        }
        lines = [json.dumps(record) + "\n" for record in checkpoint.records]
        write_text(self.files.records, "".join(lines))
        stages = {**self.others, self.stage: checkpoint.kept(keep)}
        save_weights(self.files.weights, Weights(stages, metadata))
        pictures = OptionalPictures()
        self.files.draw_losses({self.stage: checkpoint.records}, pictures)
        pictures.note_missing(self.reporter)

    def _note_kept(self, checkpoint: Checkpoint, interruption: KeyboardInterrupt) -> None:
        kept = f"the weights of epoch {checkpoint.kept_epoch(self.settings.keep)}"
        resuming = self.reporter.resuming
        interruption.add_note(
            f"{self.files.weights} holds {kept}"
            + (f"; resume with: {resuming}" if resuming else "")
        )


def _stages_of(weights: Weights | None) -> Mapping[Stage, State]:
    return weights.stages if weights else {}
