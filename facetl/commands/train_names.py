"""``facetl train-names``: a network learns the characters of annotated frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facetl.commands.annotated import load_frames
from facetl.commands.measured_training import load_test_part
from facetl.commands.optional_pictures import OptionalPictures
from facetl.commands.requests import TrainNamesRequest as TrainNamesRequest
from facetl.commands.training_files import TrainingFiles
from facetl.data.characters import FEWEST_FACES, UNKNOWN, Characters
from facetl.data.dataset import FaceDataset, fingerprint
from facetl.errors import ImageError, InputError
from facetl.files import write_text
from facetl.mtcnn.devices import choose_device
from facetl.recognition.backbones import arrays_of, build_backbone
from facetl.recognition.crops import FaceCrops, cut_faces
from facetl.recognition.learning import NamingObjective
from facetl.recognition.names_file import NamesWeights
from facetl.recognition.recogniser import names_of
from facetl.recognition.settings import SIZES, NamingSettings
from facetl.reporting import SILENT, Reporter, plural
from facetl.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from facetl.training.epochs import run_epochs
from facetl.training.training_log import without_times


@dataclass(frozen=True)
class Measured:
    """How faces that nothing was learnt from are named.

    Attributes:
        where: which faces they are.
        named: how many are characters'.
        right: how many of these get their name.
        unknown: how many are nobody's.
        rejected: how many of these get no name.
    """

    where: str
    named: int
    right: int
    unknown: int
    rejected: int

    @classmethod
    def of(cls, where: str, crops: FaceCrops, probabilities: np.ndarray[Any, Any]) -> Measured:
        """Count what is right, by (N, C) probabilities of the classes."""
        said = np.array(names_of(probabilities, crops.classes).names, object)
        true = np.array(crops.classes, object)[crops.labels]
        nobody = true == UNKNOWN
        return cls(
            where,
            int((~nobody).sum()),
            int((said == true)[~nobody].sum()),
            int(nobody.sum()),
            int((said == true)[nobody].sum()),
        )

    def describe(self) -> str:
        """Return a line that says it in words."""
        line = f"{self.where}: {self.right} of {plural(self.named, 'face')} named right"
        if self.unknown:
            line += f", {self.rejected} of {self.unknown} unknown faces left without a name"
        return line


@dataclass(frozen=True)
class TrainNamesResult:
    """What was learnt.

    Attributes:
        files: what was written.
        counts: faces learnt from by class.
        measured: on faces held out, and of the test part if the data has one.
    """

    files: TrainingFiles
    counts: dict[str, int]
    measured: Sequence[Measured]


def train_names(request: TrainNamesRequest, reporter: Reporter = SILENT) -> TrainNamesResult:
    """Learn to name the characters of annotated frames; write a names file.

    Raises:
        InputError: if frames or start cannot be read, or fewer than two classes are left.
        OutputError: if something is in the way, or the training to resume is finished.
    """
    files, size = TrainingFiles(request.out), SIZES[request.backbone]
    with reporter.resumable(files.checkpoint):
        files.require_room(request, files.checkpoint, reporter)
        dataset = load_frames(request, reporter)
        classes = _choose_classes(dataset, reporter)
        crops = _cut(dataset, classes, size, reporter)
        if request.faces:
            crops = crops.draw(request.faces, request.settings.seed)
        settings = request.settings
        if not request.keep_epochs:
            settings = settings.stretched(len(crops))
        run = _Run(request, settings, crops, fingerprint(dataset), files, reporter)
        checkpoint, objective = run.train()
        measured = [run.measure_held_out(objective)]
        test = load_test_part(request, dataset)
        if test.face_count:
            measured += run.measure_test(objective, test, size)
        run.save(checkpoint, measured)
    return TrainNamesResult(files, crops.counts, measured)


def _choose_classes(dataset: FaceDataset, reporter: Reporter) -> tuple[str, ...]:
    """Return the characters that have enough faces, and ``unknown`` if any face is called that."""
    found = Characters.of(label for frame in dataset for label in frame.labels)
    if told := found.describe_spellings():
        reporter.note(f"labels that differ in case or spaces are taken for one: {told}")
    if found.unlabelled:
        reporter.note(f"faces without a label, left out: {found.unlabelled}")
    if found.few:
        told = ", ".join(f"{name} ({count})" for name, count in found.few.items())
        reporter.note(f"characters with fewer than {FEWEST_FACES} faces, left out: {told}")
    classes = found.classes
    if len(classes) < 2:
        raise InputError(
            f"found {', '.join(classes) or 'no character'} with {FEWEST_FACES} faces or more, "
            "expected two characters, or one and faces called unknown; label more faces"
        )
    return classes


def _cut(dataset: FaceDataset, classes: Sequence[str], size: int, reporter: Reporter) -> FaceCrops:
    unreadable: list[ImageError] = []
    frames = reporter.track(dataset, "cutting out the faces", len(dataset))
    crops = cut_faces(frames, classes, size, unreadable.append)
    if unreadable:
        reporter.note(f"frames that cannot be read, left out: {len(unreadable)}; {unreadable[0]}")
    if missing := [name for name, count in crops.counts.items() if not count]:
        raise InputError(
            f"found no face of {', '.join(missing)} in the frames that can be read; restore the "
            "images"
        )
    return crops


@dataclass(frozen=True)
class _Run:
    """One training, and what goes into its file."""

    request: TrainNamesRequest
    settings: NamingSettings
    crops: FaceCrops
    data: str
    files: TrainingFiles
    reporter: Reporter

    @property
    def task(self) -> dict[str, Any]:
        """What a checkpoint must be of to be resumed."""
        return {
            "backbone": self.request.backbone,
            "start": self.request.start,
            "classes": list(self.crops.classes),
            "data": self.data,
            "settings": self.settings.to_json(),
            "faces": self.request.faces,
        }

    def train(self) -> tuple[Checkpoint, NamingObjective]:
        """Train, leaving a checkpoint after every epoch."""
        request, settings, path = self.request, self.settings, self.files.checkpoint
        network = build_backbone(
            request.backbone,
            len(self.crops.classes),
            settings.dropout,
            request.start,
            settings.seed,
        ).to(choose_device(request.device))
        objective = NamingObjective(network, request.backbone, self.crops, settings)
        learnt = self.crops[objective.training].counts
        told = ", ".join(f"{count:,} of {name}" for name, count in learnt.items())
        self.reporter.note(f"learning from {plural(sum(learnt.values()), 'face')}: {told}")
        is_begun = request.resume and path.exists()
        start = load_checkpoint(path, self.task) if is_begun else None
        epochs = run_epochs(objective, settings, start)
        checkpoint, done = start, start.epoch if start else 0
        left = settings.total_epochs - done
        for checkpoint in self.reporter.track(epochs, "learning the characters", left):
            save_checkpoint(path, checkpoint, self.task)
        assert checkpoint is not None, "a training has at least one epoch"
        network.load_state_dict(checkpoint.kept(settings.keep))
        return checkpoint, objective

    def measure_held_out(self, objective: NamingObjective) -> Measured:
        """Return how the faces held out are named."""
        held_out = self.crops[objective.validation]
        return Measured.of("faces held out", held_out, objective.predict(held_out).numpy())

    def measure_test(
        self, objective: NamingObjective, test: FaceDataset, size: int
    ) -> list[Measured]:
        """Return how the faces of the test part are named, if any has a label that was learnt."""
        crops = cut_faces(test, _and_unknown(self.crops.classes), size)
        if not len(crops):
            return []
        return [Measured.of("test part", crops, objective.predict(crops).numpy())]

    def save(self, checkpoint: Checkpoint, measured: Sequence[Measured]) -> None:
        """Write the names, the records of all epochs and the loss curves."""
        keep = self.settings.keep
        metadata = {
            **self.task,
            "counts": self.crops.counts,
            "measured": [vars(each) for each in measured],
            "kept_epoch": checkpoint.kept_epoch(keep),
            "records": without_times(checkpoint.records),
        }
        lines = [json.dumps(record) + "\n" for record in checkpoint.records]
        write_text(self.files.records, "".join(lines))
        state = arrays_of(checkpoint.kept(keep))
        NamesWeights(self.request.backbone, self.crops.classes, state, metadata).save(
            self.files.weights
        )
        pictures = OptionalPictures()
        self.files.draw_losses({"names": checkpoint.records}, pictures)
        pictures.note_missing(self.reporter)
        self.files.checkpoint.unlink(missing_ok=True)


def _and_unknown(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the classes with ``unknown``, which faces may be called that nothing is learnt of."""
    return classes if UNKNOWN in classes else (*classes, UNKNOWN)
