"""Cells of a study that learn characters: crops cut once, trainings, accuracy on true boxes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from facetl.data.characters import UNKNOWN, Characters
from facetl.errors import InputError
from facetl.experiments.setup import Setup
from facetl.experiments.study import USUAL, Cell, CropTask, StartTask, backbone_of
from facetl.files import atomic_path
from facetl.recognition.backbones import BACKBONES, arrays_of, build_backbone
from facetl.recognition.crops import FaceCrops, cut_faces
from facetl.recognition.learning import NamingObjective
from facetl.recognition.names_file import NamesWeights
from facetl.recognition.settings import SIZES
from facetl.training.checkpoint import Checkpoint
from facetl.training.epochs import run_epochs


@dataclass(frozen=True)
class Measured:
    """What a cell leaves.

    Attributes:
        figures: on the test frames: AP by IoU threshold, or of names by what they are called in
            ``facetl.experiments.results.OF_NAMES``.
        parameters: how many numbers learnt.
        records: one per epoch.
        photographs: AP on photographs of a face by IoU threshold; of names none.
    """

    figures: Mapping[str, float]
    parameters: int
    records: Sequence[Mapping[str, Any]]
    photographs: Mapping[str, float] = field(default_factory=dict)


def cut_crops(task: CropTask, setup: Setup) -> None:
    """Cut out the faces of characters that have enough of them to learn from.

    Raises:
        InputError: if fewer than two classes are left, or no face to measure on.
    """
    known = Characters.of(label for frame in setup.train_frames for label in frame.labels)
    classes = known.classes
    if len(classes) < 2:
        raise InputError(
            f"found {', '.join(classes) or 'no character'} in the frames to learn from, expected "
            "two names; label more faces"
        )
    frames = setup.train_frames if task.part == "train" else setup.test_frames
    crops = cut_faces(frames, classes, SIZES[task.backbone])
    if not len(crops):
        raise InputError(
            "found no face of these characters in the frames to measure on; give others with --test"
        )
    with atomic_path(setup.file_of(task)) as path, path.open("wb") as file:
        np.savez(file, **{**vars(crops), "classes": np.array(classes)})


def train_bad_names(task: StartTask, setup: Setup) -> None:
    """Train a backbone on names that are exchanged at random."""
    backbone = backbone_of(task.target)
    crops = _load_crops(CropTask(backbone, "train"), setup)
    crops = crops.draw(task.frames, task.seed) if task.frames else crops
    order = np.random.default_rng(task.seed).permutation(len(crops))
    crops = replace(crops, labels=crops.labels[order])
    _, checkpoint, _ = _train(backbone, USUAL, crops, setup.naming(len(crops), task.seed), setup)
    state = arrays_of(checkpoint.kept("last"))
    NamesWeights(backbone, crops.classes, state).save(setup.file_of(task))


def run_names(cell: Cell, setup: Setup) -> Measured:
    """Train by the cell's method, and name the true faces of the test frames."""
    crops = _load_crops(CropTask(cell.backbone, "train"), setup)
    crops = crops.draw(cell.frames, cell.seed) if cell.frames else crops
    start = cell.start
    if start == "shuffled":
        start = str(setup.file_of(StartTask(cell.target, start, cell.frames, cell.seed)))
    settings = setup.naming(len(crops), cell.seed, cell.method)
    start = "scratch" if settings.transfer.layout.is_random else start
    objective, checkpoint, parameters = _train(cell.backbone, start, crops, settings, setup)
    kept = checkpoint.kept(settings.keep)
    objective.network.load_state_dict(kept)
    names = NamesWeights(cell.backbone, crops.classes, arrays_of(kept))
    names.save(setup.weights_of(cell))
    test = _load_crops(CropTask(cell.backbone, "test"), setup)
    return Measured(_measure(objective, test), parameters, checkpoint.records)


def _train(
    backbone: str, start: str, crops: FaceCrops, settings: Any, setup: Setup
) -> tuple[NamingObjective, Checkpoint, int]:
    asked = None if start == USUAL else start
    network = build_backbone(
        backbone, len(crops.classes), settings.dropout, asked, settings.seed
    ).to(setup.device)
    objective = NamingObjective(network, backbone, crops, settings)
    (last,) = deque(run_epochs(objective, settings), maxlen=1)
    part = settings.phases[-1].part
    return objective, last, BACKBONES[backbone].layers.count_parameters(network, part)


def _measure(objective: NamingObjective, test: FaceCrops) -> dict[str, float]:
    """Return accuracy over all classes, over the characters, over the unknown, and the loss."""
    probabilities, labels = objective.predict(test), torch.from_numpy(test.labels)
    right = (probabilities.argmax(dim=1) == labels).float()
    nobody = torch.tensor([name == UNKNOWN for name in test.classes])[labels]
    loss = functional.nll_loss(probabilities.clamp_min(1e-12).log(), labels)
    return {
        "accuracy": float(right.mean()),
        "named": float(right[~nobody].mean()) if (~nobody).any() else 0.0,
        "rejected": float(right[nobody].mean()) if nobody.any() else 0.0,
        "test_loss": float(loss),
    }


def _load_crops(task: CropTask, setup: Setup) -> FaceCrops:
    with np.load(setup.file_of(task), allow_pickle=False) as arrays:
        columns = {name: arrays[name] for name in arrays.files}
    return FaceCrops(**{**columns, "classes": tuple(map(str, columns["classes"]))})
