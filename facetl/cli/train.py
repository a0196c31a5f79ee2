"""``facetl train``: from annotated frames to a tuned cascade, in one command."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.annotated import load_frames, require_source, spread
from facetl.cli.console import note, suggest, track
from facetl.cli.ending import ConsoleReporter, resumable
from facetl.cli.optional_pictures import OptionalPictures
from facetl.cli.train_stage import tell_busy_cores
from facetl.cli.training_files import TrainingFiles
from facetl.cli.training_view import TrainingView
from facetl.errors import FacetlError
from facetl.files import remove_folder, write_text

if TYPE_CHECKING:
    from facetl.data.annotations import OnError
    from facetl.data.dataset import FaceDataset
    from facetl.mtcnn.engines import EngineChoice
    from facetl.training.cascade import Cascade
    from facetl.training.plan import CascadePlan
    from facetl.training.time_budget import TimeBudget

MOST_SEARCHED = 200
"""Frames that are searched to choose the score to show from."""


@click.command(short_help="Train the whole cascade on annotated frames.")
@click.argument("data", required=False, type=options.READ, callback=options.expecting("frames"))
@options.weights_out
@options.images_folder
@options.annotation_file
@options.annotation_format
@options.start
@options.epochs_by_stage(*options.EPOCHS.values())
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=1,
    help="2: mine again with the tuned cascade and train again, and so on.",
)
@click.option(
    "--budget",
    type=options.Duration(),
    metavar="TIME",
    help="Take about this long, e.g. 10m: choose epochs and then the patches of each frame; "
    "with --epochs the patches alone.",
)
@click.option(
    "--with-cartoons",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Mix in N frames of the built-in cartoon.",
)
@options.repaint(None)
@options.transfer
@options.seed
@options.workers
@options.device
@options.engine
@options.on_error
@options.resume
@options.force
def train(
    data: Path | None,
    out: Path,
    images: Path | None,
    annotations: Path | None,
    form: str,
    start: str,
    epochs: tuple[int, int, int],
    rounds: int,
    budget: float | None,
    with_cartoons: int,
    repaint: float | None,
    seed: int,
    workers: int,
    device: str,
    engine: EngineChoice,
    on_error: OnError,
    resume: bool,
    force: bool,
    **transfer: Any,
) -> None:
    """Train PNet, RNet and ONet in turn on the annotated frames in DATA.

    Each network learns from what the tuned ones before it really propose: its negatives are
    the false alarms that reach it.  Unfinished work lies in a folder beside the weights; after
    a break the same command with --resume goes on from the last epoch.

    \b
    Examples:
      facetl train cartoons --out cascade.safetensors
      facetl train --images frames --annotations faces.txt --budget 10m --out cascade.safetensors
      facetl train cartoons --out cascade.safetensors --resume
    """
    began = time.perf_counter()
    from facetl.mtcnn.detector import choose_device
    from facetl.mtcnn.engines import choose_engine
    from facetl.training.initialisation import require_start
    from facetl.training.plan import CascadePlan

    require_source(data, images)
    start = options.settle_start(start, transfer["strategy"])
    options.tell_idle_epochs(transfer["strategy"])
    chosen_transfer = options.take_transfer(transfer)
    outputs = CascadeOutputs(out)
    chosen_device = choose_device(device)
    engine = choose_engine(engine, chosen_device)
    require_start(start)
    outputs.find_room(resume=resume, force=force)
    with resumable(outputs.workshop), outputs.tidied():
        dataset = load_frames(data, images, annotations, on_error, form=form)
        if not resume:
            outputs.clear_workshop()
        if with_cartoons:
            drawn = outputs.workshop / "cartoons"
            dataset = _mix_in_cartoons(dataset, with_cartoons, drawn, seed, workers)
        plan = CascadePlan.default(rounds=rounds, start=start, seed=seed).with_epochs(epochs)
        plan = plan.transferring(chosen_transfer).enriched(dataset)
        if repaint is not None:
            plan = plan.repainted(repaint)
        keeps_epochs = options.is_given("epochs") or options.is_given("phase_epochs")
        if not keeps_epochs:
            plan = plan.stretched(dataset)
        time_budget = None
        if budget:
            memory = outputs.workshop / "budget.json"
            how = (chosen_device, keeps_epochs, began)
            time_budget = _start_budget(plan, budget, dataset, memory, *how)
        where = (chosen_device, engine, workers)
        cascade = _run(plan, dataset, outputs.workshop, where, time_budget)
        outputs.save(cascade, dataset)
        if time_budget:
            done = describe_epochs(time_budget.done(cascade.records))
            note(f"budget of {budget:.0f} s: took {time_budget.spent:.0f} s for {done}")
    _say_goodbye(outputs, cascade)


@dataclass(frozen=True)
class CascadeOutputs(TrainingFiles):
    """The files of a cascade's training."""

    @property
    def suspects(self) -> Path:
        """Regions that look like faces and are not annotated."""
        return self.beside("suspects.json")

    @property
    def suspects_sheet(self) -> Path:
        """The same, to look at."""
        return self.beside("suspects.png")

    @property
    def workshop(self) -> Path:
        """The folder of unfinished work; gone when it is finished."""
        return self.weights.with_name(f"{self.weights.name}.work")

    def find_room(self, *, resume: bool, force: bool) -> None:
        """See that there is unfinished work to resume, or nothing in the way of a new training.

        Raises:
            OutputError: if something is in the way, or the training is finished.
        """
        others = (self.suspects, self.suspects_sheet)
        self.require_room(self.workshop, *others, resume=resume, force=force)

    @contextmanager
    def tidied(self) -> Iterator[None]:
        """After an error leave nothing of work that never began."""
        from facetl.training.cascade import Workshop

        try:
            yield
        except FacetlError:
            if not Workshop(self.workshop).has_work:
                self.clear_workshop()
            raise

    def clear_workshop(self) -> None:
        """Give up unfinished work."""
        remove_folder(self.workshop)

    def save(self, cascade: Cascade, dataset: FaceDataset) -> None:
        """Write everything, what was learnt first, and remove the unfinished work."""
        from facetl.mtcnn.weights import save_weights
        from facetl.training.training_log import by_training

        write_text(self.records, "".join(json.dumps(each) + "\n" for each in cascade.records))
        write_text(self.suspects, json.dumps(list(cascade.suspects), indent=1) + "\n")
        save_weights(self.weights, cascade.weights)
        pictures = OptionalPictures()
        self.draw_losses(by_training(cascade.records), pictures)
        with pictures.drawing(self.suspects_sheet):
            self._draw_suspects(cascade, dataset)
        pictures.note_missing()
        self.clear_workshop()

    def _draw_suspects(self, cascade: Cascade, dataset: FaceDataset) -> None:
        """Draw the suspects, if there are any; those of an earlier training go."""
        from facetl.data.images import save_image
        from facetl.training.suspects import draw_suspects

        self.suspects_sheet.unlink(missing_ok=True)
        if cascade.suspects:
            save_image(self.suspects_sheet, draw_suspects(cascade.suspects, dataset))


def _run(
    plan: CascadePlan,
    dataset: FaceDataset,
    folder: Path,
    where: tuple[Any, EngineChoice, int],
    time_budget: TimeBudget | None,
) -> Cascade:
    """Train on a device, by an engine and with so many workers, and choose the score to show from.

    What is not finished lies in the folder.
    """
    from facetl.training.cascade import Training, Workshop

    if not time_budget:
        tell_busy_cores("onet", plan.stages["onet"].training, where[0])
    with TrainingView(plan, dataset) as view:
        if time_budget:
            time_budget.tell = view.replans
        cascade = Training(dataset, plan, Workshop(folder), view, *where, time_budget).run()
    return choose_score(cascade, dataset, *where)


def choose_score(
    cascade: Cascade, dataset: FaceDataset, device: Any, engine: EngineChoice, workers: int
) -> Cascade:
    """Return the cascade with the score from which what it finds is shown; say which.

    It is that of the best F1 on frames that were put aside.  Where these hold too few faces to
    tell, it is that on all frames, but not below the usual one: false alarms are rarer there.
    """
    from facetl.data.images import load_image
    from facetl.evaluation.matching import TrueBoxes
    from facetl.evaluation.tuning.choice import find_score
    from facetl.mtcnn.detector import Detector
    from facetl.search.settings import DETECTION

    frames, told, least = _frames_to_choose_on(dataset, cascade.aside)
    pixels = (load_image(frame.path) for frame in frames)
    detector = Detector(cascade.weights, device, engine)
    faces = TrueBoxes.of((each.boxes for each in frames), (each.ignored for each in frames))
    shown = track(pixels, "choosing the score to show from", len(frames))
    score = find_score(detector, shown, faces, workers)
    if score is None:
        note(f"shown from score {detector.score:g} on; facetl tune chooses on more frames")
        return cascade
    score = max(score, least)
    note(f"shown from score {score:g} on, chosen on {len(frames)} frames {told}")
    settings = detector.settings.override(score=score)
    metadata = {**cascade.weights.metadata, DETECTION: settings.to_json()}
    return replace(cascade, weights=replace(cascade.weights, metadata=metadata))


def _frames_to_choose_on(
    dataset: FaceDataset, aside: Sequence[str]
) -> tuple[FaceDataset, str, float]:
    """Return frames to choose a score on, what they are, and the least score to choose."""
    from facetl.data.dataset import leave_out_unreadable
    from facetl.evaluation.tuning.choice import FEWEST_FACES
    from facetl.results.shown_score import SCORE

    frames = tuple(frame for frame in dataset if frame.name in set(aside))
    chosen = spread(replace(dataset, frames=frames), MOST_SEARCHED)
    if chosen.face_count >= FEWEST_FACES:
        return chosen, "put aside", 0.0
    return leave_out_unreadable(spread(dataset, MOST_SEARCHED)), "learnt from", SCORE


def _mix_in_cartoons(
    dataset: FaceDataset, count: int, folder: Path, seed: int, workers: int
) -> FaceDataset:
    """Return the frames and drawn ones, which lie in ``folder`` afterwards."""
    from facetl.commands.cartoons import CartoonsRequest, cartoons
    from facetl.data.dataset import load_dataset

    if not folder.exists():
        unfinished = folder.with_name("drawing")
        remove_folder(unfinished)
        cartoons(CartoonsRequest(unfinished, count, 1, seed, workers), ConsoleReporter())
        unfinished.rename(folder)
    drawn = load_dataset(folder, part="train")
    return dataset.joined(drawn, prefix="cartoons/")


def _start_budget(
    plan: CascadePlan,
    budget: float,
    dataset: FaceDataset,
    memory: Path,
    device: Any,
    keeps_epochs: bool,
    began: float,
) -> TimeBudget:
    """Return what keeps the training within a budget; say what is planned, or was spent before."""
    from facetl.training.time_budget import TimeBudget
    from facetl.training.time_estimate import reduce_plan, trial_of

    faces = dataset.face_count
    time_budget = TimeBudget(
        *(plan, budget, len(dataset), faces, memory, trial_of(device)),
        keeps_epochs=keeps_epochs,
        began=began,
    )
    if time_budget.is_resumed:
        note(f"budget of {budget:.0f} s: resuming after {time_budget.spent:.0f} s")
    else:
        epochs = describe_epochs(reduce_plan(plan, time_budget.share))
        patches = f"{time_budget.share.patches:.0%} of their patches"
        note(f"budget of {budget:.0f} s: all {len(dataset):,} frames, {epochs}, {patches}")
        if not time_budget.is_enough:
            note(f"the least training is chosen; it takes about {time_budget.foreseen:.0f} s here")
    if time_budget.uses_fewer_threads:
        note("the cores are busy with other work: one thread trains faster than all")
    return time_budget


def describe_epochs(plan: CascadePlan) -> str:
    """Return the epochs of the stages: ``20 + 8 + 10 epochs``."""
    counts = (str(each.training.total_epochs) for each in plan.stages.values())
    return f"{' + '.join(counts)} epochs"


def _say_goodbye(outputs: CascadeOutputs, cascade: Cascade) -> None:
    click.echo(outputs.describe())
    if cascade.suspects:
        written = [each for each in (outputs.suspects, outputs.suspects_sheet) if each.exists()]
        click.echo(
            f"wrote {' and '.join(map(str, written))}: {len(cascade.suspects)} "
            "regions look like faces and are not annotated"
        )
    weights = ("--weights", "pretrained", "--weights", f"tuned={outputs.weights}")
    suggest("detect", "FRAMES", *weights, "--out", "results")
