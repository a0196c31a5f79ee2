"""The files that a training leaves, all named after its weights file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facetl.cli.console import note
from facetl.cli.optional_pictures import OptionalPictures
from facetl.errors import OutputError
from facetl.files import lock_place, plot_paths, refuse_to_overwrite, require_writable
from facetl.locks import clear


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
        with pictures.drawing(*plot_paths(self.curves)):
            from facetl.evaluation.report.plots import plot_losses, save_plot

            save_plot(self.curves, plot_losses(trainings))

    def describe(self) -> str:
        """Return a line that says what was written."""
        curves = self.curves.exists()
        return f"wrote {self.weights}" + (
            f", {self.records} and {self.curves}" if curves else f" and {self.records}"
        )

    def require_room(self, unfinished: Path, *others: Path, resume: bool, force: bool) -> None:
        """See that there is unfinished work to resume, or nothing in the way of a new training.

        Args:
            unfinished: where an earlier, unfinished one would lie.
            others: files that are written besides those of every training.
            resume: whether an unfinished one is to be gone on with.
            force: whether what is there may go.

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
                f"{self.weights} is finished, there is nothing to resume; train anew with --force"
            )
        if unfinished.exists() and not force:
            raise OutputError(
                f"{unfinished} holds an unfinished training; go on with --resume or start "
                "anew with --force"
            )
        for path in written:
            refuse_to_overwrite(path, force=force)
        require_writable(self.weights.parent)
        if resume:
            note(f"found no {unfinished} to go on from; starting anew")
