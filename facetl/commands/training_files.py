"""The files that a training leaves, all named after its weights file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facetl.commands.optional_pictures import OptionalPictures
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
    """What every training leaves.

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
        return self.beside("losses.png")

    def beside(self, ending: str) -> Path:
        """Return the path of a file that is named after the weights."""
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
        self, unfinished: Path, *others: Path, resume: bool, force: bool, reporter: Reporter
    ) -> None:
        """See that there is unfinished work to resume, or nothing in the way of a new training.

        Args:
            unfinished: where an earlier, unfinished one would lie.
            others: files that are written besides those of every training.
            resume: whether an unfinished one is resumed.
            force: whether what is there may go.
            reporter: takes a note if there is nothing to resume.

        Raises:
            OutputError: if something is in the way, or the training to resume is finished.
        """
        written = (self.weights, self.records, *plot_paths(self.curves), *others)
        lock_place()
        for path in (unfinished, *written):
            clear(path)
        if resume and unfinished.exists():
            return
        if resume and self.weights.exists() and not force:
            raise OutputError(
                f"{self.weights} is finished, there is nothing to resume; train again with --force"
            )
        if unfinished.exists() and not force:
            raise OutputError(
                f"{unfinished} holds an unfinished training; resume with --resume or start "
                "over with --force"
            )
        for path in written:
            refuse_to_overwrite(path, force=force)
        require_writable(self.weights.parent)
        if resume:
            reporter.note(f"found no {unfinished} to resume; starting over")


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
