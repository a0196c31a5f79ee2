"""What the cells of a study have in common, and the files in its folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facetl.data.dataset import FaceDataset, fingerprint
from facetl.errors import OutputError
from facetl.experiments.study import (
    PLAIN,
    Cell,
    CropTask,
    PatchTask,
    StartTask,
    Task,
)
from facetl.files import is_occupied, read_json, remove_folder, require_writable, write_text
from facetl.mtcnn.stages import STAGES, Stage
from facetl.recognition.settings import NamingSettings
from facetl.training.plan import CascadePlan
from facetl.training.settings import TrainingSettings
from facetl.training.stages import STAGE_FACTS
from facetl.training.transfer import Transfer

_PATCHES, _STARTS, _CELLS, _UNFINISHED = _FOLDERS = ("patches", "starts", "cells", "work")
_CLAIM = "study.json"
_FORMAT = "facetl-study"


@dataclass(frozen=True)
class Setup:
    """Everything that the cells of a folder have in common.

    Attributes:
        folder: of the study.
        train_frames: frames to learn from.
        test_frames: frames to measure on.
        epochs: of each stage, and of ``names``.
        training: settings of all trainings that differ from the usual.
        device: where networks are trained.
    """

    folder: Path
    train_frames: FaceDataset
    test_frames: FaceDataset
    epochs: Mapping[str, int]
    training: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"

    def claim(self, *, overwrite: bool) -> None:
        """Write into the folder what its cells depend on; refuse cells that depend on other things.

        Args:
            overwrite: whether the cells that are there may be removed.

        Raises:
            OutputError: if the folder's cells were made from other frames or with other settings.
        """
        own = {"format": _FORMAT, "version": 1, **self._facts()}
        found = _read_claim(self.folder)
        if overwrite:
            for name in _FOLDERS:
                remove_folder(self.folder / name)
        elif found and found != own:
            differing = ", ".join(key for key in own if found.get(key) != own[key])
            raise OutputError(
                f"{self.folder} holds a study with other {differing}; choose another --out, or "
                "start over with --force"
            )
        write_text(self.folder / _CLAIM, json.dumps(own, indent=1) + "\n")

    def _facts(self) -> dict[str, Any]:
        """Return all that the results depend on besides a cell, as plain values."""
        defaults = json.dumps(CascadePlan.default().to_json(), sort_keys=True)
        return {
            "training frames": fingerprint(self.train_frames),
            "test frames": fingerprint(self.test_frames),
            "epochs": dict(self.epochs),
            **({"training": dict(self.training)} if self.training else {}),
            "device": self.device,
            "default settings": hashlib.sha256(defaults.encode()).hexdigest()[:16],
        }

    def file_of(self, task: Task) -> Path:
        """Return the file that is there once a task is done."""
        if isinstance(task, PatchTask):
            return self.folder / _PATCHES / f"{task.name}.patches"
        if isinstance(task, CropTask):
            return self.folder / _PATCHES / f"{task.name}.crops.npz"
        if isinstance(task, StartTask):
            return self.folder / _STARTS / f"{task.name}.safetensors"
        return self.folder / _CELLS / f"{task.name}.json"

    def weights_of(self, cell: Cell) -> Path:
        """Return the file of a cell's weights."""
        return self.file_of(cell).with_suffix(".safetensors")

    def files_of(self, task: Task) -> list[Path]:
        """Return all files that a task leaves."""
        weights = [self.weights_of(task)] if isinstance(task, Cell) else []
        return [self.file_of(task), *weights]

    def unfinished(self, cell: Cell) -> Path:
        """Return the folder of a cell's unfinished work, if it is a whole cascade's."""
        return self.folder / _UNFINISHED / cell.name

    def is_done(self, task: Task) -> bool:
        """Return whether a task was done before."""
        return self.file_of(task).exists()

    def plan(self, frames: int, seed: int, method: Transfer = PLAIN) -> CascadePlan:
        """Return how a cascade is trained on so many frames.

        All methods have as many epochs; on few frames there are more, as in ``facetl train``.
        """
        plan = CascadePlan.default(seed=seed, frames=frames or None).transferring(method)
        plan = plan.with_epochs([self.epochs[stage] for stage in STAGES])
        plan = plan.with_training(self.training)
        chosen = plan.choose_frames(self.train_frames)
        views = {stage: self.epochs[stage] * STAGE_FACTS[stage].least_patches for stage in STAGES}
        return plan.enriched(chosen).stretched(chosen, views)

    def settings(
        self, stage: Stage, frames: int, seed: int, method: Transfer = PLAIN
    ) -> TrainingSettings:
        """Return how a single stage is trained."""
        return replace(self.plan(frames, seed, method).stages[stage].training, seed=seed)

    def naming(self, faces: int, seed: int, method: Transfer = PLAIN) -> NamingSettings:
        """Return how characters are learnt from so many faces: few faces get more epochs."""
        usual = NamingSettings(transfer=replace(method, reset_head=True), seed=seed)
        usual = replace(usual, **self.training)
        if "names" in self.epochs:
            usual = usual.with_epochs(self.epochs["names"])
        return usual.stretched(faces)


def require_place(out: Path, *, resume: bool, force: bool) -> None:
    """Check that there is a study to resume, or nothing in the way of a new one.

    Raises:
        OutputError: if something is in the way.
    """
    occupied = is_occupied(out)
    if occupied and not (resume or force):
        raise OutputError(f"{out} exists already; resume with --resume, or start over with --force")
    if occupied and _read_claim(out).get("format") != _FORMAT:
        raise OutputError(f"{out} holds no study of facetl; choose another --out")
    require_writable(out)


def has_begun(out: Path) -> bool:
    """Return whether a folder holds a study, finished or not."""
    return (out / _CLAIM).exists()


def _read_claim(out: Path) -> dict[str, Any]:
    """Return what a folder says that its cells depend on; nothing if it can't be read."""
    try:
        claim = read_json(out / _CLAIM)
    except (OSError, ValueError):
        return {}
    return claim if isinstance(claim, dict) else {}
