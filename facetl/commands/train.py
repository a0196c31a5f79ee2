"""From annotated frames to a trained cascade."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from facetl.cartoons import ANY
from facetl.commands.annotated import load_frames, spread
from facetl.commands.cartoons import CartoonsRequest, cartoons
from facetl.commands.measured_training import Measuring
from facetl.commands.optional_pictures import OptionalPictures
from facetl.commands.requests import TrainRequest as TrainRequest
from facetl.commands.training_files import TrainingFiles, note_busy_cores
from facetl.data.dataset import FaceDataset, leave_out_unreadable, load_dataset
from facetl.data.images import load_image, save_image
from facetl.data.project import Project, Round, is_project
from facetl.errors import FacetlError
from facetl.evaluation.comparison import Comparison
from facetl.evaluation.matching import TrueBoxes
from facetl.evaluation.tuning.choice import FEWEST_FACES, find_score
from facetl.files import absolute, remove_folder, write_text
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.devices import choose_device
from facetl.mtcnn.engines import choose_engine
from facetl.mtcnn.weights import CARTOON, PRETRAINED, save_weights
from facetl.reporting import SILENT, Reporter
from facetl.search.settings import DETECTION
from facetl.training.cascade import Cascade, Training, Workshop
from facetl.training.initialisation import SCRATCH, require_start, settle_start
from facetl.training.plan import CascadePlan
from facetl.training.progress import Watcher
from facetl.training.suspects import draw_suspects
from facetl.training.time_budget import TimeBudget
from facetl.training.time_estimate import trial_of
from facetl.training.training_log import by_training

_MOST_SEARCHED = 200
"""Frames that are searched to choose the score to show from."""

Watch = Callable[[CascadePlan, FaceDataset], AbstractContextManager[Watcher]]
"""Gives, for as long as a plan is trained on frames, what is called as it gets on."""


@dataclass(frozen=True)
class TrainResult:
    """What was trained.

    Attributes:
        files: what was written.
        cascade: the trained cascade.
        compared: with the detector in use before, and on which frames, in words; None if there
            are no frames for it.
        before: the detector in use before: built-in weights or a weights file.
    """

    files: TrainingFiles
    cascade: Cascade
    compared: tuple[str, Comparison] | None
    before: str

    @property
    def is_better(self) -> bool:
        """Whether the new detector is the better one, as far as can be told."""
        return self.compared is None or self.compared[1].is_better

    @property
    def better(self) -> str:
        """The better detector of the two, as ``--weights`` takes it."""
        return str(self.files.weights) if self.is_better else self.before

    def describe(self) -> list[str]:
        """Return in words how the detector compares with the one before it."""
        if self.compared is None:
            return []
        frames, comparison = self.compared
        return [f"on {frames}:", *comparison.describe()]


def watch_nothing(plan: CascadePlan, dataset: FaceDataset) -> AbstractContextManager[Watcher]:
    """Return a watcher that shows nothing."""
    return nullcontext(Watcher())


def train(
    request: TrainRequest, reporter: Reporter = SILENT, watch: Watch = watch_nothing
) -> TrainResult:
    """Train all stages, each on what those before it propose, and choose the score to show from.

    Args:
        request: what is trained.
        reporter: see :class:`Reporter`.
        watch: shows how far the training is.

    Raises:
        UsageError: if start and strategy do not go together.
        InputError: if frames or weights cannot be read.
        OutputError: if something is in the way, or the training to resume is finished.
        NonFiniteLossError: as soon as a loss is infinite or not a number.
    """
    began = time.perf_counter() if request.began is None else request.began
    project = _find_project(request)
    request = _start_in(project, request)
    require_start(settle_start(request.start, request.transfer))
    device = choose_device(request.device)
    machine = _Machine(device, choose_engine(request.engine, device), request.workers)
    files = TrainingFiles(request.out)
    files.require_room(request, files.workshop, reporter)
    with reporter.resumable(files.workshop), _tidied(files.workshop):
        dataset = _load(request, files, reporter)
        real = _leave_out_drawn(dataset, request)
        start = settle_start(request.start, request.transfer, len(real))
        measuring = Measuring.plan(request, real, _detector_before(project, start))
        plan = _make_plan(request, start, dataset, measuring)
        budget = _start_budget(request, plan, dataset, machine, began)
        if budget:
            _describe_budget(budget, reporter)
        else:
            note_busy_cores("onet", plan.stages["onet"].training, device, reporter)
        with watch(plan, dataset) as watcher:
            if budget:
                budget.on_plan = watcher.replans
            task = (dataset, plan, Workshop(files.workshop), watcher, *machine, budget)
            cascade = Training(*task, measuring.held_out).run()
        cascade, compared = _measure(cascade, dataset, real, measuring, machine, reporter)
        _save(files, cascade, dataset, reporter)
        if budget:
            done = _describe_epochs(budget.done(cascade.records))
            reporter.note(f"budget of {budget.seconds:.0f} s: took {budget.spent:.0f} s for {done}")
    result = TrainResult(files, cascade, compared, measuring.before)
    if project:
        _record(project, real, result)
    return result


class _Machine(NamedTuple):
    """Where networks run, what searches frames, and with how many workers."""

    device: Any
    engine: str
    workers: int


def _find_project(request: TrainRequest) -> Project | None:
    """Return the project that the frames are of, or are annotated for, if its next round is due."""
    if len(request.data) != 1:
        return None
    data, out = request.data[0], request.out
    folder = data if is_project(data) else out.parents[min(2, len(out.parents) - 1)]
    if not is_project(folder):
        return None
    project = Project.open(folder)
    is_of_project = folder == data or Path(absolute(data)) in project.sources
    return project if is_of_project and out == project.weights_of(project.next_round) else None


def _start_in(project: Project | None, request: TrainRequest) -> TrainRequest:
    """Return the request with the detector in use as the start, if there is a project."""
    if project is None or request.start or request.transfer.layout.is_random:
        return request
    return replace(request, start=project.weights)


def _detector_before(project: Project | None, start: str) -> str:
    """Return the detector in use so far: the start if it knows cartoons, else the usual one."""
    if project:
        return project.weights
    return CARTOON if start in (SCRATCH, PRETRAINED) else start


def _leave_out_drawn(dataset: FaceDataset, request: TrainRequest) -> FaceDataset:
    """Return the frames without those of the built-in cartoon that were added at the end."""
    return replace(dataset, frames=dataset.frames[: len(dataset) - request.with_cartoons])


def _measure(
    cascade: Cascade,
    dataset: FaceDataset,
    real: FaceDataset,
    measuring: Measuring,
    machine: _Machine,
    reporter: Reporter,
) -> tuple[Cascade, tuple[str, Comparison] | None]:
    """Choose the score to show from, and compare the cascade with the detector before it.

    Returns:
        The cascade, which records what it has learnt from; the comparison.
    """
    held_out, frames = measuring.split(real, cascade.held_out)
    cascade = replace(cascade, held_out=held_out)
    cascade = choose_score(cascade, measuring.learnt(dataset), *machine, reporter)
    record = measuring.record(real)
    weights = replace(cascade.weights, metadata={**cascade.weights.metadata, **record})
    return replace(cascade, weights=weights), measuring.compare(weights, frames, *machine)


def _record(project: Project, dataset: FaceDataset, result: TrainResult) -> None:
    """Add the round to the project; its detector is in use from now on if it is the better one."""
    comparison = result.compared[1].to_json() if result.compared else {}
    finished = Round(project.next_round, len(dataset), dataset.face_count, comparison)
    project.recorded(finished, in_use=result.is_better)


@contextmanager
def _tidied(workshop: Path) -> Iterator[None]:
    """After an error leave nothing of work that never began."""
    try:
        yield
    except FacetlError:
        if not Workshop(workshop).has_work:
            remove_folder(workshop)
        raise


def _save(files: TrainingFiles, cascade: Cascade, dataset: FaceDataset, reporter: Reporter) -> None:
    """Write everything, what was learnt first, and remove the unfinished work."""
    write_text(files.records, "".join(json.dumps(each) + "\n" for each in cascade.records))
    write_text(files.suspects, json.dumps(list(cascade.suspects), indent=1) + "\n")
    save_weights(files.weights, cascade.weights)
    pictures = OptionalPictures()
    files.draw_losses(by_training(cascade.records), pictures)
    with pictures.drawing(files.suspects_sheet):
        files.suspects_sheet.unlink(missing_ok=True)  # of an earlier training
        if cascade.suspects:
            save_image(files.suspects_sheet, draw_suspects(cascade.suspects, dataset))
    pictures.note_missing(reporter)
    remove_folder(files.workshop)


def _make_plan(
    request: TrainRequest, start: str, dataset: FaceDataset, measuring: Measuring
) -> CascadePlan:
    """Return what is trained on the frames, and how, before a budget reduces it."""
    plan = CascadePlan.default(rounds=request.rounds, start=start, seed=request.seed)
    if request.epochs:
        plan = plan.with_epochs(request.epochs)
    plan = plan.transferring(request.transfer).enriched(dataset)
    plan = plan.recoloured(request.skin)
    plan = plan.augmented(repaint=request.repaint, grey=request.grey, mix=request.mix)
    plan = plan.keeping_last() if measuring.held_out else plan
    return plan if request.keep_epochs else plan.stretched(dataset).shortened(dataset)


def choose_score(
    cascade: Cascade,
    dataset: FaceDataset,
    device: Any,
    engine: str,
    workers: int,
    reporter: Reporter = SILENT,
) -> Cascade:
    """Return the cascade with the score from which what it finds is shown; report which.

    It is that of the best F1 on frames that were held out.  Where these hold too few faces, it
    is that on all frames, but not below that of the weights at the start: false alarms are rarer
    on frames that were trained on.
    """
    frames, held_out = _frames_to_choose_on(dataset, cascade.held_out)
    pixels = (load_image(frame.path) for frame in frames)
    detector = Detector(cascade.weights, device, engine)
    faces = TrueBoxes.of((each.boxes for each in frames), (each.ignored for each in frames))
    shown = reporter.track(pixels, "choosing the score to show from", len(frames))
    score = find_score(detector, shown, faces, workers)
    if score is None:
        reporter.note(f"shown from score {detector.score:g} on; facetl tune chooses on more frames")
        return cascade
    score = score if held_out else max(score, detector.score)
    described = "held out" if held_out else "trained on"
    reporter.note(f"shown from score {score:g} on, chosen on {len(frames)} frames {described}")
    settings = detector.settings.override(score=score)
    metadata = {**cascade.weights.metadata, DETECTION: settings.to_json()}
    return replace(cascade, weights=replace(cascade.weights, metadata=metadata))


def _frames_to_choose_on(dataset: FaceDataset, names: Sequence[str]) -> tuple[FaceDataset, bool]:
    """Return frames to choose a score on, and whether they were held out."""
    frames = tuple(frame for frame in dataset if frame.name in set(names))
    chosen = spread(replace(dataset, frames=frames), _MOST_SEARCHED)
    if chosen.face_count >= FEWEST_FACES:
        return chosen, True
    return leave_out_unreadable(spread(dataset, _MOST_SEARCHED)), False


def _load(request: TrainRequest, files: TrainingFiles, reporter: Reporter) -> FaceDataset:
    """Return the frames, with those of the cartoon; an unfinished training goes if need be."""
    dataset = load_frames(request, reporter)
    if not request.resume:
        remove_folder(files.workshop)
    if not request.with_cartoons:
        return dataset
    folder = files.workshop / "cartoons"
    if not folder.exists():
        unfinished = folder.with_name("drawing")
        remove_folder(unfinished)
        count, seed, workers = request.with_cartoons, request.seed, request.workers
        cartoons(CartoonsRequest(unfinished, count, 1, seed, workers, ANY), reporter)
        unfinished.rename(folder)
    return _join_drawn(dataset, load_dataset(folder, part="train"))


def _join_drawn(dataset: FaceDataset, drawn: FaceDataset) -> FaceDataset:
    """Return both; the drawn frames have a prefix that makes their names differ from all others."""
    names = {frame.name for frame in dataset}
    prefix = "cartoons/"
    while any(prefix + frame.name in names for frame in drawn):
        prefix = f"drawn-{prefix}"
    return dataset.joined(drawn, prefix=prefix)


def _start_budget(
    request: TrainRequest, plan: CascadePlan, dataset: FaceDataset, machine: _Machine, began: float
) -> TimeBudget | None:
    """Return what keeps the training within its budget, if it has one."""
    if not request.budget:
        return None
    return TimeBudget(
        plan=plan,
        seconds=request.budget,
        frames=len(dataset),
        faces=dataset.face_count,
        path=TrainingFiles(request.out).workshop / "budget.json",
        measure=trial_of(machine.device),
        keeps_epochs=request.keep_epochs,
        began=began,
    )


def _describe_budget(budget: TimeBudget, reporter: Reporter) -> None:
    """Report what is planned, or was spent before."""
    head = f"budget of {budget.seconds:.0f} s"
    if budget.is_resumed:
        reporter.note(f"{head}: resuming after {budget.spent:.0f} s")
    else:
        epochs = _describe_epochs(budget.plan.reduced(budget.share))
        patches = f"{budget.share.patches:.0%} of their patches"
        reporter.note(f"{head}: all {budget.frames:,} frames, {epochs}, {patches}")
        if not budget.is_enough:
            reporter.note(
                f"the least training is chosen; it takes about {budget.foreseen:.0f} s here"
            )
    if budget.uses_fewer_threads:
        reporter.note("the cores are busy with other work: one thread trains faster than all")


def _describe_epochs(plan: CascadePlan) -> str:
    """Return the epochs of the stages: ``20 + 8 + 10 epochs``."""
    counts = (str(each.training.total_epochs) for each in plan.stages.values())
    return f"{' + '.join(counts)} epochs"
