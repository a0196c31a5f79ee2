"""The frames that a training is measured on, and how its detector compares with the one before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facetl.commands.annotated import chosen_format, spread
from facetl.commands.requests import AnnotatedRequest, TrainRequest
from facetl.data.dataset import FaceDataset, leave_out_unreadable, load_dataset
from facetl.data.images import load_image
from facetl.errors import InputError
from facetl.evaluation.comparison import Comparison, compare_detectors
from facetl.evaluation.matching import TrueBoxes
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.weights import BUILT_IN, Weights, load_weights
from facetl.reporting import plural
from facetl.training.holding_out import KnownFrames, choose_held_out
from facetl.training.settings import FEW_FRAMES

_MOST_MEASURED = 200
"""Frames that both detectors search."""


@dataclass(frozen=True)
class Measuring:
    """What a training is measured on, and against.

    Attributes:
        before: the detector in use so far: built-in weights or a weights file.
        test: the test part of the data; empty if it has none.
        held_out: names of the frames that nothing is learnt from, where they are few.
        known: which frames the detector before knows.
    """

    before: str
    test: FaceDataset
    held_out: frozenset[str]
    known: KnownFrames

    @classmethod
    def plan(cls, request: TrainRequest, dataset: FaceDataset, before: str) -> Measuring:
        """Return the test part of the data; where it has none, hold out some of few frames.

        Of many frames the training itself holds some out.

        Args:
            request: where the frames were read from.
            dataset: the annotated frames, without drawn ones.
            before: the detector in use so far.

        Raises:
            WeightsError: if its file cannot be read.
        """
        known = KnownFrames.of(load_weights(before).metadata)
        test = load_test_part(request, dataset)
        if test.frames or len(dataset) > FEW_FRAMES:
            return cls(before, test, frozenset(), known)
        held_out = choose_held_out(dataset, request.hold_out, request.seed, known)
        return cls(before, test, held_out, known)

    def learnt(self, dataset: FaceDataset) -> FaceDataset:
        """Return the frames that are not held out."""
        return frames_named(dataset, {frame.name for frame in dataset} - self.held_out)

    def split(
        self, dataset: FaceDataset, held_out: Collection[str]
    ) -> tuple[tuple[str, ...], FaceDataset]:
        """Return names of frames to choose the score on, and frames to compare detectors on.

        Frames that are held out choose nothing.  Of those that a training on many frames
        holds out, every second one serves either end.

        Args:
            dataset: the frames of the training, without drawn ones.
            held_out: names of those that it held out by itself.
        """
        if self.test.frames:
            return tuple(held_out), self.test
        if self.held_out:
            return (), frames_named(dataset, self.held_out)
        frames = frames_named(dataset, set(held_out)).frames
        compared = replace(dataset, frames=frames[1::2])
        return tuple(frame.name for frame in frames[::2]), compared

    def record(self, dataset: FaceDataset) -> dict[str, Any]:
        """Return what the new weights record of the frames they know, if some were held out."""
        if not self.held_out:
            return {}
        return self.known.plus(dataset, self.held_out).to_metadata()

    def compare(
        self,
        weights: Weights,
        frames: FaceDataset,
        device: str,
        engine: str,
        workers: int,
    ) -> tuple[str, Comparison] | None:
        """Search frames that were not learnt from with both detectors.

        Args:
            weights: what was trained.
            frames: those that are searched.
            device: where networks run.
            engine: what searches.
            workers: frames searched side by side.

        Returns:
            A line about the frames, and the comparison; None if there are none with a face.
        """
        frames = leave_out_unreadable(spread(frames, _MOST_MEASURED))
        if not frames.face_count:
            return None
        found = compare_detectors(
            (Path(self.before).stem, Detector(load_weights(self.before), device, engine)),
            ("new", Detector(weights, device, engine)),
            lambda: (load_image(frame.path) for frame in frames),
            TrueBoxes.of((each.boxes for each in frames), (each.ignored for each in frames)),
            workers,
        )
        return self._describe(frames), found

    def _describe(self, frames: FaceDataset) -> str:
        """Return in words which frames both detectors search."""
        kind = "test frame" if self.test.frames else "held-out frame"
        is_known = self.test.frames or self.before in BUILT_IN or self.known.learnt
        doubt = "" if is_known else f"; {self.before} may have learnt from them"
        return f"{plural(len(frames), kind)} with {plural(frames.face_count, 'face')}{doubt}"


def frames_named(dataset: FaceDataset, names: Collection[str]) -> FaceDataset:
    """Return the frames of these names, in their order."""
    return replace(dataset, frames=tuple(frame for frame in dataset if frame.name in names))


def load_test_part(request: AnnotatedRequest, dataset: FaceDataset) -> FaceDataset:
    """Return the test part of a data folder; nothing if there is none that can be read."""
    nothing = FaceDataset(())
    if len(request.data) != 1:
        return nothing
    try:
        test = load_dataset(
            request.data[0], part="test", on_error="skip", form=chosen_format(request.form)
        )
    except InputError:
        return nothing
    learnt = {frame.path.resolve() for frame in dataset}
    return nothing if any(frame.path.resolve() in learnt for frame in test) else test
