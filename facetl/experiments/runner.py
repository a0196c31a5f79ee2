"""Doing the tasks of a study: patches, starts, and the trainings with their figures.

Every task runs on one thread of torch, so that its result does not depend on how many others run
beside it, and leaves one file, written last and at once: what is there is done.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from facetl.boxes import Boxes, as_boxes
from facetl.data.forgetting import photographs
from facetl.data.images import Pixels, load_image
from facetl.errors import InputError
from facetl.evaluation.matching import Ranking, TrueBoxes
from facetl.evaluation.metrics import measure
from facetl.experiments.names import Measured, cut_crops, run_names, train_bad_names
from facetl.experiments.setup import Setup
from facetl.experiments.study import (
    Cell,
    CropTask,
    PatchTask,
    StartTask,
    Target,
    Task,
    as_stage,
    backbone_of,
    plain_cells_before,
)
from facetl.files import FileKind, remove_folder, write_text
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.networks import build_network
from facetl.mtcnn.stages import Stage
from facetl.mtcnn.weights import PRETRAINED, State, Weights, load_weights, save_weights
from facetl.training.cascade import TUNED, Training, Workshop
from facetl.training.checkpoint import Checkpoint
from facetl.training.initialisation import build_starting_network, build_training_network
from facetl.training.loop import train
from facetl.training.machine import keeping_threads
from facetl.training.mining import Miner
from facetl.training.patches import Patches, load_patches
from facetl.training.preparation import prepare_patches
from facetl.training.progress import Watcher
from facetl.training.stages import STAGE_FACTS

KIND = FileKind("facetl-cell", InputError, "delete the file and resume with --resume")


def do_task(task: Task, setup: Setup) -> None:
    """Do a task whose needs are done."""
    with keeping_threads(1):
        if isinstance(task, PatchTask):
            _cut_patches(task, setup)
        elif isinstance(task, StartTask) and backbone_of(task.target):
            train_bad_names(task, setup)
        elif isinstance(task, StartTask):
            _train_start(task, setup)
        elif isinstance(task, CropTask):
            cut_crops(task, setup)
        elif task.backbone:
            _write_cell(task, setup, run_names(task, setup))
        else:
            _run_cell(task, setup)


def _cut_patches(task: PatchTask, setup: Setup) -> None:
    """Cut the patches of a stage, proposed by the plainly tuned stages before it."""
    plan = setup.plan(task.frames, task.seed)
    recipe = plan.stages[task.stage].recipe
    before = _stages_before(task.stage, task.frames, task.seed, setup)
    miner = None
    if before:
        detector = Detector(Weights(before), setup.device)
        miner = Miner(detector, task.stage, padding=recipe.padding)
    prepare_patches(
        plan.choose_frames(setup.train_frames),
        setup.file_of(task),
        recipe,
        stage=task.stage,
        miner=miner,
        seed=task.seed,
        resume=True,
    )


def _train_start(task: StartTask, setup: Setup) -> None:
    """Train the pretrained network on nonsense: random labels, or negatives of the pictures."""
    stage = as_stage(task.target)
    patches = load_patches(setup.file_of(task.examples), stage)
    settings = setup.settings(stage, task.frames, task.seed)
    network = build_starting_network(stage, PRETRAINED, task.seed).to(setup.device)
    taught = _shuffle_labels(patches, task.seed) if task.kind == "shuffled" else _invert(patches)
    checkpoint = _last(train(network, stage, taught, settings))
    save_weights(setup.file_of(task), Weights({stage: checkpoint.kept("last")}))


def _shuffle_labels(patches: Patches, seed: int) -> Patches:
    """Return patches whose labels and offsets belong to other patches, at random."""
    order = np.random.default_rng(seed).permutation(len(patches))
    return replace(patches, labels=patches.labels[order], offsets=patches.offsets[order])


def _invert(patches: Patches) -> Patches:
    """Return patches like the negatives of photographs: dark is bright, blue is yellow."""
    return replace(patches, pixels=255 - patches.pixels)


def _run_cell(cell: Cell, setup: Setup) -> None:
    """Train by the cell's method, measure, and write weights and figures."""
    trained = _train_cascade(cell, setup) if cell.target == "cascade" else _train_stage(cell, setup)
    fronts = _stages_before(cell.target, cell.frames, cell.seed, setup)
    measured = Measured(
        figures=_measure_ap({**fronts, **trained.stages}, cell.target, setup),
        parameters=trained.parameters,
        records=trained.records,
        photographs=_measure_photographs(trained.stages, cell.target, setup.device),
    )
    save_weights(setup.weights_of(cell), Weights(trained.stages))
    _write_cell(cell, setup, measured)
    remove_folder(setup.unfinished(cell))


def _write_cell(cell: Cell, setup: Setup, measured: Measured) -> None:
    """Write the figures of a cell."""
    result = {
        **KIND.head,
        "cell": asdict(cell),
        "trained_parameters": measured.parameters,
        "seconds": round(sum(record["seconds"] for record in measured.records), 3),
        "ap": measured.figures,
        "photographs": measured.photographs,
        "records": measured.records,
    }
    write_text(setup.file_of(cell), json.dumps(result, indent=1) + "\n")


@dataclass(frozen=True)
class _Trained:
    """What a cell's training leaves."""

    stages: dict[Stage, State]
    records: list[dict[str, Any]]
    parameters: int


def _train_stage(cell: Cell, setup: Setup) -> _Trained:
    stage = as_stage(cell.target)
    patches = load_patches(setup.file_of(PatchTask(stage, cell.frames, cell.seed)), stage)
    settings = setup.settings(stage, cell.frames, cell.seed, cell.method)
    start = PRETRAINED
    if cell.start != "pretrained":
        start = str(setup.file_of(StartTask(stage, cell.start, cell.frames, cell.seed)))
    network = build_training_network(stage, start, settings).to(setup.device)
    checkpoint = _last(train(network, stage, patches, settings))
    records = [{"stage": stage, **record} for record in checkpoint.records]
    parameters = STAGE_FACTS[stage].layers.count_parameters(network, settings.phases[-1].part)
    return _Trained({stage: checkpoint.kept(settings.keep)}, records, parameters)


def _train_cascade(cell: Cell, setup: Setup) -> _Trained:
    """Train all stages by the method, each behind those that were trained by it."""
    if cell.start != "pretrained":
        raise InputError(f"found the start {cell.start} for a whole cascade; choose single stages")
    plan = setup.plan(cell.frames, cell.seed, cell.method)
    frames = plan.choose_frames(setup.train_frames)
    workshop, device = Workshop(setup.unfinished(cell)), setup.device
    cascade = Training(frames, replace(plan, frames=None), workshop, Watcher(), device).run()
    parameters = sum(
        STAGE_FACTS[stage].layers.count_parameters(
            build_network(stage), each.training.phases[-1].part
        )
        for stage, each in plan.stages.items()
    )
    return _Trained(dict(cascade.weights.stages), list(cascade.records), parameters)


def _measure_ap(stages: Mapping[Stage, State], target: Target, setup: Setup) -> dict[str, float]:
    """Return AP on the test frames of the cascade as far as the target, by IoU threshold."""
    frames = setup.test_frames
    pictures = ((load_image(frame.path), frame.boxes, frame.ignored) for frame in frames)
    return _measure(stages, target, setup.device, pictures)


def _measure_photographs(
    stages: Mapping[Stage, State], target: Target, device: str
) -> dict[str, float]:
    """Return AP on photographs of a face, with pretrained stages before what was trained."""
    nothing = as_boxes([])
    pictures = ((pixels, box, nothing) for pixels, box in photographs())
    return _measure(stages, target, device, pictures)


def _measure(
    stages: Mapping[Stage, State],
    target: Target,
    device: str,
    pictures: Iterable[tuple[Pixels, Boxes, Boxes]],
) -> dict[str, float]:
    """Return AP on pictures with true boxes and regions to be ignored.

    A stage that is missing is pretrained.
    """
    detector, last = Detector(Weights(stages), device), as_stage(target)
    found, truth, ignored = [], [], []
    for pixels, boxes, regions in pictures:
        found.append(detector.find_with_last(last, pixels, TUNED))
        truth.append(boxes)
        ignored.append(regions)
    ranking = Ranking.of(*zip(*found, strict=True))
    return measure(ranking, TrueBoxes.of(truth, ignored), len(found)).ap


def _stages_before(target: Target, frames: int, seed: int, setup: Setup) -> dict[Stage, State]:
    """Return the plainly tuned stages before a single one; a cascade brings its own."""
    if target == "cascade":
        return {}
    cells = plain_cells_before(as_stage(target), frames, seed)
    return {
        stage: state
        for cell in cells
        for stage, state in load_weights(setup.weights_of(cell)).stages.items()
    }


def _last(checkpoints: Iterator[Checkpoint]) -> Checkpoint:
    """Return the last checkpoint, without keeping the others."""
    (last,) = deque(checkpoints, maxlen=1)
    return last
