"""The files that a training leaves, all named after its weights file, and room for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facetl.commands.optional_pictures import OptionalPictures
from facetl.commands.requests import (
    PrepareRequest,
    TrainNamesRequest,
    TrainRequest,
    TrainStageRequest,
)
from facetl.errors import OutputError
from facetl.files import lock_place, plot_paths, refuse_to_overwrite, require_writable
from facetl.locks import clear
from facetl.mtcnn.stages import Stage
from facetl.reporting import Reporter
from facetl.training.settings import TrainingSettings
from facetl.training.time_estimate import gain_of_one_thread

if TYPE_CHECKING:
    from facetl.evaluation.report.figures import Figure


@dataclass(frozen=True)
class TrainingFiles:
    """What a training leaves.

    Attributes:
        weights: the weights file.
    """

    weights: Path

    @property
    def records(self) -> Path:
        """One JSON record per epoch, a line each."""
        return self.weights.with_suffix(".jsonl")

    @property
    def curves(self) -> Path:
        """The losses by epoch, as a picture; as a drawing beside it."""
        return self._beside("losses.png")

    @property
    def suspects(self) -> Path:
        """Regions that look like faces and are not annotated; from whole cascades alone."""
        return self._beside("suspects.json")

    @property
    def suspects_sheet(self) -> Path:
        """The same, to look at."""
        return self._beside("suspects.png")

    @property
    def checkpoint(self) -> Path:
        """Where the training of a stage stands; gone when it is finished."""
        return self.weights.with_name(f"{self.weights.name}.checkpoint")

    @property
    def workshop(self) -> Path:
        """The folder of a cascade's unfinished work; gone when it is finished."""
        return self.weights.with_name(f"{self.weights.name}.work")

    def _beside(self, ending: str) -> Path:
        return self.weights.with_name(f"{self.weights.stem}_{ending}")

    def draw_losses(
        self, trainings: Mapping[str, Sequence[Mapping[str, Any]]], pictures: OptionalPictures
    ) -> None:
        """Draw and write the losses of trainings, given by name as records of their epochs."""

        def draw() -> Figure:
            from facetl.evaluation.report.plots import plot_losses

            return plot_losses(trainings)

        pictures.save_figure(self.curves, draw)

    def describe(self) -> str:
        """Return a line that says what was written."""
        curves = self.curves.exists()
        return f"wrote {self.weights}" + (
            f", {self.records} and {self.curves}" if curves else f" and {self.records}"
        )

    def require_room(
        self,
        request: TrainRequest | TrainStageRequest | TrainNamesRequest,
        unfinished: Path,
        reporter: Reporter,
    ) -> None:
        """See that there is unfinished work to resume, or nothing in the way of a new training.

        Args:
            request: whether an unfinished one is resumed, and whether what is there may go.
            unfinished: where an earlier, unfinished one would lie.
            reporter: takes a note if there is nothing to resume.

        Raises:
            OutputError: if something is in the way, or the training to resume is finished.
        """
        written = [self.weights, self.records, *plot_paths(self.curves)]
        if isinstance(request, TrainRequest):
            written += [self.suspects, self.suspects_sheet]
        lock_place()
        for path in (unfinished, *written):
            clear(path)
        kept = unfinished if unfinished.exists() else None
        if not require_room(request, written, kept, "an unfinished training", "train"):
            reporter.note(f"found no {unfinished} to resume; starting over")


def require_room(
    request: PrepareRequest | TrainRequest | TrainStageRequest | TrainNamesRequest,
    written: Sequence[Path],
    unfinished: Path | None,
    what: str,
    verb: str,
) -> bool:
    """See that there is unfinished work to resume, or nothing in the way of what is written.

    Args:
        request: whether unfinished work is resumed, and whether what is there may go.
        written: the files that are written, the first of them the last.
        unfinished: where unfinished work lies, if there is any.
        what: what that is.
        verb: what is done anew otherwise.

    Returns:
        Whether there is what the request expects; not, if it would resume what never began.

    Raises:
        OutputError: if something is in the way, or what shall be resumed is finished.
    """
    if request.resume and unfinished:
        return True
    if request.resume and written[0].exists() and not request.force:
        raise OutputError(
            f"{written[0]} is finished, there is nothing to resume; {verb} again with --force"
        )
    if unfinished and not request.force:
        raise OutputError(
            f"{unfinished} holds {what}; resume with --resume or start over with --force"
        )
    for path in written:
        refuse_to_overwrite(path, force=request.force)
    require_writable(written[0].parent)
    return not request.resume


def note_busy_cores(
    stage: Stage, settings: TrainingSettings, device: Any, reporter: Reporter
) -> None:
    """Say so where one thread is clearly faster than all, because other work keeps the cores busy.

    It is not taken unasked: with another number of threads the last digits are others.
    """
    gain = gain_of_one_thread(stage, settings, device)
    if gain > 1:
        reporter.note(
            "the cores are busy with other work: with one thread, OMP_NUM_THREADS=1, training is "
            f"about {gain:.0f} times as fast"
        )
