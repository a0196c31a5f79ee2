"""``facetl detect``: one or several sets of weights over the same images and videos."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from facetl.boxes import Boxes
from facetl.commands.annotated import load_truth, note_problems
from facetl.cores import usable_cores
from facetl.data.annotations import OnError
from facetl.data.video import Sampling
from facetl.errors import OutputError, UsageError
from facetl.evaluation.frame_names import UNMATCHED, find_rows
from facetl.evaluation.scoring import Truth
from facetl.files import refuse_to_overwrite, require_writable
from facetl.mtcnn.detector import Detector
from facetl.reporting import SILENT, Reporter
from facetl.results.exports import save_exports
from facetl.results.store import (
    DOCUMENT,
    LINES,
    SHARDS,
    Kind,
    find_runs,
    load_run,
    other_runs,
    remove_run,
    run_path,
)
from facetl.search.block_search import BlockSearch, cut_into_blocks
from facetl.search.crops import Cropping, find_twins
from facetl.search.drawing import Drawing
from facetl.search.fleet import FleetSearch
from facetl.search.inputs import Inputs, find_inputs, open_videos
from facetl.search.local import LocalSearch
from facetl.search.pipeline import BATCH_SIZE, SearchRun
from facetl.search.ray_engine import Fleet, require_ray
from facetl.search.sinks import find_taken
from facetl.search.sources import Effort, Pictures
from facetl.search.tally import Tally
from facetl.search.video import Viewing

RAY = "ray"
"""The name of the engine that searches by shards, on one or many machines."""
SHARD_SIZE = 256

_Search = Callable[[], dict[str, Tally]]
"""Searches everything and returns what each run found, by name."""


@dataclass(frozen=True)
class DetectRequest:
    """What is to be searched, how, and what is to be written.

    Attributes:
        images: files, folders (searched recursively) or videos.
        out: folder of the results.
        weights: a weights file, ``"cartoon"`` or ``"pretrained"``, by name of the run.
        thresholds: least scores in [0, 1] to pass PNet, RNet and ONet; None: those of the weights,
            as for the settings that follow.
        min_face: side in pixels of the smallest face looked for.
        factor: ratio of neighbouring levels of the image pyramid.
        score: least score in [0, 1] of what is drawn, counted, cut out and exported.
        padding: whether windows may leave the image.
        voting: whether all boxes around a face vote on where it is.
        batch_size: pictures searched together.
        workers: batches searched side by side; None: all cores.
        overlays: draw the boxes, one picture per image.
        truth: an annotation file, or a folder of annotated frames, to draw on overlays as well.
        crops: cut the faces out.
        margin: what crops show around the box, as a share of its width and height.
        align: turn crops so that the eyes are level.
        every: which frames of videos are searched; None: all.
        video: write a copy of each video with boxes, scores and tracks drawn on it.
        skip_still: don't search frames of videos that show the same as the one before.
        stream: write JSON lines, picture by picture, which can be resumed.
        resume: resume a search that ``stream`` or the engine ``"ray"`` began and did not end.
        form: the format of ``truth``, ``"auto"`` to recognise it.
        exports: formats of other tools to write too (:mod:`facetl.results.export_table`).
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        engine: what searches, ``"auto"`` to choose it, or ``"ray"``.
        address: of a Ray that runs already; None starts one here.
        shard_size: images in a shard, with Ray.
        on_error: what becomes of bad lines of ``truth``.
        force: overwrite what is at ``out``.
    """

    images: tuple[Path, ...]
    out: Path
    weights: Mapping[str, str] = field(default_factory=lambda: {"cartoon": "cartoon"})
    thresholds: tuple[float, float, float] | None = None
    min_face: float | None = None
    factor: float | None = None
    score: float | None = None
    padding: bool | None = None
    voting: bool | None = None
    batch_size: int = BATCH_SIZE
    workers: int | None = None
    overlays: bool = False
    truth: Path | None = None
    crops: bool = False
    margin: float = 0.2
    align: bool = False
    every: Sampling | None = None
    video: bool = False
    skip_still: bool = False
    stream: bool = False
    resume: bool = False
    form: str = "auto"
    exports: tuple[str, ...] = ()
    device: str = "auto"
    engine: str = "auto"
    address: str | None = None
    shard_size: int = SHARD_SIZE
    on_error: OnError = "strict"
    force: bool = False

    @property
    def by_blocks(self) -> bool:
        """Whether Ray searches."""
        return self.engine == RAY

    @property
    def kind(self) -> Kind:
        """In which kind of file the results are kept."""
        if self.by_blocks:
            return SHARDS
        return LINES if self.stream else DOCUMENT


@dataclass(frozen=True)
class DetectResult:
    """What was found, and where it is.

    Attributes:
        tallies: what each run found, by name.
        runs: the detections file of each run, by name.
        written: the folders of results and of pictures.
        exported: for each run and format, the files or folders.
        is_whole: whether everything could be read.
        by_blocks: whether Ray searched.
        are_videos: whether all that was searched are videos.
    """

    tallies: Mapping[str, Tally]
    runs: Mapping[str, Path]
    written: tuple[Path, ...]
    exported: tuple[tuple[Path, ...], ...]
    is_whole: bool
    by_blocks: bool
    are_videos: bool

    def describe(self) -> list[str]:
        """Return in words what each run found."""
        if self.by_blocks:
            return [tally.describe_shards(name) for name, tally in self.tallies.items()]
        return [tally.describe(name) for name, tally in self.tallies.items()]


def detect(request: DetectRequest, reporter: Reporter = SILENT) -> DetectResult:
    """Find the faces in images and videos; write a detections file for each set of weights.

    Raises:
        UsageError: if what is asked for does not go together.
        InputError: if there is nothing to search, or something cannot be read.
        OutputError: if the results cannot be written, or nothing can be resumed.
    """
    found = find_inputs(request.images)
    _require_fitting(request, found)
    if request.by_blocks:
        require_ray(request.address)
    if not request.resume:
        refuse_to_overwrite(request.out, force=request.force)
    require_writable(request.out)
    drawing = _choose_drawing(request, found, reporter)
    plan = _plan_blocks if request.by_blocks else _plan_here
    search = plan(request, found, drawing, _load_runs(request, reporter), reporter)
    kept = {name: run_path(request.out, name, request.kind) for name in request.weights}
    _prepare_place(request, kept.values(), reporter)
    tallies = search()
    if passed_over := found.describe_passed_over():
        reporter.note(passed_over)
    _remove_others(request.out, kept.values(), reporter)
    return DetectResult(
        tallies=tallies,
        runs=kept,
        written=(request.out, *(request.out / folder.name for folder in drawing.folders)),
        exported=_export(request, reporter),
        is_whole=not any(tally.skipped for tally in tallies.values()),
        by_blocks=request.by_blocks,
        are_videos=not found.images,
    )


def _require_fitting(request: DetectRequest, found: Inputs) -> None:
    """Refuse options that do not go with each other, or with what is to be searched.

    Raises:
        UsageError: saying which.
    """
    if not found.images and (request.overlays or request.truth):
        raise UsageError("--overlays and --truth are for images; videos have --video")
    if not found.videos and (request.every or request.video or request.skip_still):
        raise UsageError("--every, --video and --skip-still are for videos; found none")
    if request.by_blocks and request.stream:
        raise UsageError("--engine ray writes shards as they come; leave out --stream")
    if request.resume and not (request.stream or request.by_blocks):
        raise UsageError("--resume resumes what --stream or --engine ray has written; add --stream")


def _choose_drawing(request: DetectRequest, found: Inputs, reporter: Reporter) -> Drawing:
    """Return what is drawn; the true faces are read for it."""
    return Drawing(
        out=request.out.absolute() if request.by_blocks else request.out,
        overlays=request.overlays or request.truth is not None,
        faces=_load_faces(request, found, reporter),
        cropping=Cropping(request.margin, request.align) if request.crops else None,
        twins=find_twins(found.images),
        taken=find_taken(found.images),
        videos=request.video,
    )


def _load_faces(request: DetectRequest, found: Inputs, reporter: Reporter) -> dict[str, Boxes]:
    """Return the true faces of the images, whether or not folders are part of their names."""
    if request.truth is None:
        return {}
    source = load_truth(request.truth, request.on_error, request.form)
    note_problems(source, reporter, f"{request.truth}: ")
    boxes = Truth.of(source).boxes
    names, listed = [image.name for image in found.images], list(boxes)
    places = zip(names, find_rows(names, listed, "the images"), strict=True)
    return {name: boxes[listed[place]] for name, place in places if place != UNMATCHED}


def _load_runs(request: DetectRequest, reporter: Reporter) -> list[SearchRun]:
    """Return a run for each set of weights."""
    device, engine = request.device, request.engine
    if request.by_blocks:  # whose workers have no GPU unless told so
        device, engine = "cpu" if device == "auto" else device, "auto"
    return [_load_run(request, reporter, name, device, engine) for name in request.weights]


def _load_run(
    request: DetectRequest, reporter: Reporter, name: str, device: str, engine: Any
) -> SearchRun:
    source = request.weights[name]
    detector = Detector.load(source, device, engine)
    settings = detector.settings.override(
        thresholds=request.thresholds,
        min_face=request.min_face,
        factor=request.factor,
        padding=request.padding,
        voting=request.voting,
        score=request.score,
    )
    facts = {
        "weights": source,
        "weights_fingerprint": detector.fingerprint,
        "parameters": detector.parameters,
        "command": reporter.command,
        "engine": detector.engine,
        "batch_size": request.batch_size,
        "workers": _workers(request),
    }
    out = request.out.absolute() if request.by_blocks else request.out
    return SearchRun(name, detector, settings, facts, run_path(out, name, request.kind))


def _workers(request: DetectRequest) -> int:
    return usable_cores() if request.workers is None else request.workers


def _plan_here(
    request: DetectRequest,
    found: Inputs,
    drawing: Drawing,
    runs: list[SearchRun],
    reporter: Reporter,
) -> _Search:
    """Return what searches on this machine.

    Raises:
        VideoError: if nothing can be read.
    """
    viewing = Viewing(request.every or Sampling(), request.skip_still)
    ready, unreadable = open_videos(found.videos, reporter, beside_images=bool(found.images))
    if found.videos:
        rates = {video.name: round(float(video.facts.rate), 3) for video in ready}
        runs = _add_facts(runs, viewing, frame_rates=rates)
    effort = Effort(runs, request.batch_size, _workers(request), reporter)
    pictures = Pictures(found.images, ready, unreadable, viewing, request.stream)
    search = LocalSearch(pictures, effort, drawing)
    if not request.stream:
        return search.write_documents
    return partial(
        search.write_lines, request.out, resume=request.resume, finished=bool(request.exports)
    )


def _plan_blocks(
    request: DetectRequest,
    found: Inputs,
    drawing: Drawing,
    runs: list[SearchRun],
    reporter: Reporter,
) -> _Search:
    """Return what searches by blocks."""
    viewing = Viewing(request.every or Sampling(), request.skip_still)
    blocks = cut_into_blocks(found.images, found.videos, request.shard_size)
    runs = _add_facts(runs, viewing) if found.videos else runs
    search = BlockSearch(runs, len(blocks), request.batch_size, viewing, drawing)
    fleet = Fleet(request.address, request.workers)
    return partial(
        FleetSearch(search, blocks, fleet, reporter).run, request.out, resume=request.resume
    )


def _add_facts(runs: list[SearchRun], viewing: Viewing, **more: Any) -> list[SearchRun]:
    """Return the runs with what results say of videos."""
    seen = {"every": str(viewing.every), "skip_still": viewing.skip_still, **more}
    return [replace(run, facts={**run.facts, **seen}) for run in runs]


def _prepare_place(request: DetectRequest, kept: Collection[Path], reporter: Reporter) -> None:
    """Refuse to resume where runs of another search lie; remove those that would be resumed.

    Raises:
        OutputError: naming the first of them.
    """
    if request.force and not request.resume and request.kind is not DOCUMENT:
        _remove_others(request.out, [], reporter)
    others = other_runs(request.out, kept) if request.resume and not request.force else []
    if others:
        raise OutputError(
            f"{others[0]} belongs to another search; resume that one, choose another --out, or "
            "give it up with --force"
        )


def _remove_others(out: Path, kept: Collection[Path], reporter: Reporter) -> None:
    """Remove all runs that are not among ``kept``, which --force gave up."""
    for other in other_runs(out, kept):
        remove_run(other)
        reporter.note(f"removed {other}, which another run had left")


def _export(request: DetectRequest, reporter: Reporter) -> tuple[tuple[Path, ...], ...]:
    if not request.exports:
        return ()
    runs = [load_run(path) for path in find_runs(request.out)]
    written = save_exports(request.out, runs, request.exports, reporter=reporter)
    return tuple(map(tuple, written))
