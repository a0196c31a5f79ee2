"""The bench on which tasks are done: frames, the folder of the study, and how things are trained.

Every task runs on one thread of torch, so that its result does not depend on how many others run
beside it, and leaves one file, written last and at once: what is there is done.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facetl.boxes import Boxes, as_boxes
from facetl.data.dataset import FaceDataset, fingerprint
from facetl.data.forgetting import photographs
from facetl.data.images import Pixels, load_image
from facetl.errors import InputError
from facetl.evaluation.matching import Ranking, TrueBoxes
from facetl.evaluation.metrics import measure
from facetl.experiments.naming import PLAIN
from facetl.experiments.study import Cell, Target
from facetl.experiments.tasks import PatchTask, StartTask, Task, plain_cells_before
from facetl.files import FileKind, remove_folder, write_text
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.networks import STAGES, Stage, build_network
from facetl.mtcnn.weights import PRETRAINED, State, Weights, load_weights, save_weights
from facetl.training.cascade import TUNED, Silent, Training, Workshop
from facetl.training.checkpoint import Checkpoint
from facetl.training.initialisation import build_starting_network, build_training_network
from facetl.training.loop import train
from facetl.training.mining import Miner, mining_settings
from facetl.training.patches import Patches, load_patches
from facetl.training.plan import AT_LEAST, CascadePlan
from facetl.training.preparation import prepare_patches
from facetl.training.settings import TrainingSettings
from facetl.training.strategies import count_parameters
from facetl.training.transfer import Transfer

KIND = FileKind("facetl-cell", InputError, "delete the file and go on with --resume")


@dataclass(frozen=True)
class Bench:
    """Everything that tasks have in common.

    Attributes:
        folder: of the study.
        train_frames: frames to learn from.
        test_frames: frames to measure on.
        epochs: of each stage.
        device: where networks are trained.
    """

    folder: Path
    train_frames: FaceDataset
    test_frames: FaceDataset
    epochs: Mapping[Stage, int]
    device: str = "cpu"

    def to_json(self) -> dict[str, Any]:
        """Return all that the results depend on besides a cell, as plain values."""
        defaults = json.dumps(CascadePlan.default().to_json(), sort_keys=True)
        return {
            "training frames": fingerprint(self.train_frames),
            "test frames": fingerprint(self.test_frames),
            "epochs": dict(self.epochs),
            "device": self.device,
            "default settings": hashlib.sha256(defaults.encode()).hexdigest()[:16],
        }

    def file_of(self, task: Task) -> Path:
        """Return the file that is there once a task is done."""
        if isinstance(task, PatchTask):
            return self.folder / "patches" / f"{task.name}.patches"
        if isinstance(task, StartTask):
            return self.folder / "starts" / f"{task.name}.safetensors"
        return self.folder / "cells" / f"{task.name}.json"

    def weights_of(self, cell: Cell) -> Path:
        """Return where the weights of a cell lie."""
        return self.file_of(cell).with_suffix(".safetensors")

    def files_of(self, task: Task) -> list[Path]:
        """Return all files that a task leaves."""
        weights = [self.weights_of(task)] if isinstance(task, Cell) else []
        return [self.file_of(task), *weights]

    def workshop_of(self, cell: Cell) -> Path:
        """Return where the unfinished work of a cell lies, if it is a whole cascade's."""
        return self.folder / "work" / cell.name

    def plan(self, frames: int, seed: int, method: Transfer = PLAIN) -> CascadePlan:
        """Return how a cascade is trained on so many frames.

        All methods have as many epochs; on few frames there are more, as in ``facetl train``.
        """
        plan = CascadePlan.default(seed=seed, frames=frames or None).transferring(method)
        plan = plan.with_epochs([self.epochs[stage] for stage in STAGES])
        chosen = plan.choose_frames(self.train_frames)
        views = {stage: self.epochs[stage] * AT_LEAST[stage] for stage in STAGES}
        return plan.enriched(chosen).stretched(chosen, views)

    def settings(
        self, stage: Stage, frames: int, seed: int, method: Transfer = PLAIN
    ) -> TrainingSettings:
        """Return how a single stage is trained."""
        return replace(self.plan(frames, seed, method).stages[stage].training, seed=seed)

    def is_done(self, task: Task) -> bool:
        """Return whether a task was done before."""
        return self.file_of(task).exists()


def do(task: Task, bench: Bench) -> None:
    """Do a task whose needs are done."""
    with one_thread():
        if isinstance(task, PatchTask):
            cut_patches(task, bench)
        elif isinstance(task, StartTask):
            spoil_start(task, bench)
        else:
            run_cell(task, bench)


def cut_patches(task: PatchTask, bench: Bench) -> None:
    """Cut the patches of a stage, proposed by the plainly tuned stages before it."""
    plan = bench.plan(task.frames, task.seed)
    recipe = plan.stages[task.stage].recipe
    before = _stages_before(task.stage, task.frames, task.seed, bench)
    miner = None
    if before:
        detector = Detector(Weights(before), bench.device)
        miner = Miner(detector, task.stage, settings=mining_settings(recipe))
    prepare_patches(
        plan.choose_frames(bench.train_frames),
        bench.file_of(task),
        recipe,
        stage=task.stage,
        miner=miner,
        seed=task.seed,
        resume=True,
    )


def spoil_start(task: StartTask, bench: Bench) -> None:
    """Train the pretrained network on nonsense: labels by lot, or negatives of the pictures."""
    patches = load_patches(bench.file_of(PatchTask(task.stage, task.frames, task.seed)), task.stage)
    settings = bench.settings(task.stage, task.frames, task.seed)
    network = build_starting_network(task.stage, PRETRAINED, task.seed).to(bench.device)
    spoilt = shuffle_labels(patches, task.seed) if task.kind == "shuffled" else invert(patches)
    checkpoint = _last(train(network, task.stage, spoilt, settings))
    save_weights(bench.file_of(task), Weights({task.stage: checkpoint.kept("last")}))


def shuffle_labels(patches: Patches, seed: int) -> Patches:
    """Return patches whose labels and offsets belong to other patches, drawn by lot."""
    order = np.random.default_rng(seed).permutation(len(patches))
    return replace(patches, labels=patches.labels[order], offsets=patches.offsets[order])


def invert(patches: Patches) -> Patches:
    """Return patches like the negatives of photographs: dark is bright, blue is yellow."""
    return replace(patches, pixels=255 - patches.pixels)


def run_cell(cell: Cell, bench: Bench) -> None:
    """Train by the cell's method, measure, and write weights and figures."""
    trained = _train_cascade(cell, bench) if cell.target == "cascade" else _train_stage(cell, bench)
    fronts = _stages_before(cell.target, cell.frames, cell.seed, bench)
    result = {
        **KIND.head,
        "cell": asdict(cell),
        "trained_parameters": trained.parameters,
        "seconds": round(sum(record["seconds"] for record in trained.records), 3),
        "ap": measure_ap({**fronts, **trained.stages}, cell.target, bench),
        "photographs": measure_photographs(trained.stages, cell.target, bench.device),
        "records": trained.records,
    }
    save_weights(bench.weights_of(cell), Weights(trained.stages))
    write_text(bench.file_of(cell), json.dumps(result, indent=1) + "\n")
    remove_folder(bench.workshop_of(cell))


@dataclass(frozen=True)
class _Trained:
    """What a cell's training leaves."""

    stages: dict[Stage, State]
    records: list[dict[str, Any]]
    parameters: int


def _train_stage(cell: Cell, bench: Bench) -> _Trained:
    stage = _only_stage(cell.target)
    patches = load_patches(bench.file_of(PatchTask(stage, cell.frames, cell.seed)), stage)
    settings = bench.settings(stage, cell.frames, cell.seed, cell.method)
    start = PRETRAINED
    if cell.start != "pretrained":
        start = str(bench.file_of(StartTask(stage, cell.start, cell.frames, cell.seed)))
    network = build_training_network(stage, start, settings).to(bench.device)
    checkpoint = _last(train(network, stage, patches, settings))
    records = [{"stage": stage, **record} for record in checkpoint.records]
    parameters = count_parameters(network, stage, settings.phases[-1].part)
    return _Trained({stage: checkpoint.kept(settings.keep)}, records, parameters)


def _train_cascade(cell: Cell, bench: Bench) -> _Trained:
    """Train all stages by the method, each behind those that were trained by it."""
    if cell.start != "pretrained":
        raise InputError(f"found the start {cell.start} for a whole cascade; choose single stages")
    plan = bench.plan(cell.frames, cell.seed, cell.method)
    frames = plan.choose_frames(bench.train_frames)
    workshop, device = Workshop(bench.workshop_of(cell)), torch.device(bench.device)
    cascade = Training(frames, replace(plan, frames=None), workshop, Silent(), device).run()
    parameters = sum(
        count_parameters(build_network(stage), stage, each.training.phases[-1].part)
        for stage, each in plan.stages.items()
    )
    return _Trained(dict(cascade.weights.stages), list(cascade.records), parameters)


def measure_ap(stages: Mapping[Stage, State], target: Target, bench: Bench) -> dict[str, float]:
    """Return AP on the test frames of the cascade as far as the target, by IoU threshold."""
    frames = bench.test_frames
    pictures = ((load_image(frame.path), frame.boxes, frame.ignored) for frame in frames)
    return _measure(stages, target, bench.device, pictures)


def measure_photographs(
    stages: Mapping[Stage, State], target: Target, device: str
) -> dict[str, float]:
    """Return AP on photographs of a face, with pretrained stages before what was trained."""
    nothing = as_boxes([])
    pictures = ((picture.pixels, picture.boxes, nothing) for picture in photographs())
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
    detector, last = Detector(Weights(stages), device), _only_stage(target)
    found, truth, ignored = [], [], []
    for pixels, boxes, regions in pictures:
        found.append(detector.find_with_last(last, pixels, TUNED))
        truth.append(boxes)
        ignored.append(regions)
    return _score(found, TrueBoxes.of(truth, ignored))


def _score(found: list[tuple[Boxes, Any]], truth: TrueBoxes) -> dict[str, float]:
    boxes, scores = zip(*found, strict=True)
    frame_index = np.repeat(np.arange(len(found)), [len(each) for each in boxes])
    ranking = Ranking(np.concatenate(boxes), np.concatenate(scores), frame_index)
    return measure(ranking, truth, len(found)).ap


def _stages_before(target: Target, frames: int, seed: int, bench: Bench) -> dict[Stage, State]:
    """Return the plainly tuned stages before a single one; a cascade brings its own."""
    if target == "cascade":
        return {}
    cells = plain_cells_before(_only_stage(target), frames, seed)
    return {
        stage: state
        for cell in cells
        for stage, state in load_weights(bench.weights_of(cell)).stages.items()
    }


def _only_stage(target: Target) -> Stage:
    """Return the stage that a target ends with."""
    return "onet" if target == "cascade" else target


def _last(checkpoints: Iterator[Checkpoint]) -> Checkpoint:
    """Return the last checkpoint, without keeping the others."""
    (last,) = deque(checkpoints, maxlen=1)
    return last


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch work on a single thread for as long as the block lasts."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
