"""``facetl detect``: one or several sets of weights over the same images and videos.

What only some searches need is imported where it is used, so that the others start sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facetl.boxes import Boxes
from facetl.commands.requests import DetectRequest as DetectRequest
from facetl.cores import usable_cores
from facetl.data.video import Sampling
from facetl.errors import OutputError, UsageError
from facetl.files import refuse_to_overwrite, require_writable
from facetl.mtcnn.detector import Detector
from facetl.recognition.recogniser import NamingDetector, Recogniser
from facetl.reporting import SILENT, Reporter
from facetl.results.export_table import TIMED_EXPORTS
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
from facetl.search.crops import Cropping, find_twins
from facetl.search.drawing import Drawing
from facetl.search.gallery import Gallery
from facetl.search.hiding import HIDDEN
from facetl.search.inputs import Inputs, find_inputs, open_videos
from facetl.search.local import LocalSearch
from facetl.search.pipeline import Searcher, SearchRun
from facetl.search.sinks import find_taken
from facetl.search.sources import Effort, Pictures
from facetl.search.tally import Tally
from facetl.search.video import Viewing

if TYPE_CHECKING:
    from facetl.results.timelines import Timeline

_Search = Callable[[], dict[str, Tally]]
"""Searches everything and returns what each run found, by name."""


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
        from facetl.search.ray_engine import require_ray

        require_ray(request.address)
    if not request.resume:
        refuse_to_overwrite(request.out, force=request.force)
    require_writable(request.out)
    runs = _load_runs(request, reporter)
    drawing = _choose_drawing(request, found, runs, reporter)
    planned = (request, found, drawing, runs, reporter)
    gallery = _choose_gallery(request)
    search = _plan_blocks(*planned) if request.by_blocks else _plan_here(*planned, gallery)
    kept = {name: run_path(request.out, name, _kind_of(request)) for name in request.weights}
    _prepare_place(request, kept.values(), reporter)
    tallies = search()
    if passed_over := found.describe_passed_over():
        reporter.note(passed_over)
    _remove_others(request.out, kept.values(), reporter)
    pages = _write_pages(request, found, gallery, runs, tallies, reporter)
    return DetectResult(
        tallies=tallies,
        runs=kept,
        written=(request.out, *(request.out / folder.name for folder in drawing.folders), *pages),
        exported=_export(request, reporter),
        is_whole=not any(tally.skipped for tally in tallies.values()),
        by_blocks=request.by_blocks,
        are_videos=not found.images,
    )


def _choose_gallery(request: DetectRequest) -> Gallery | None:
    """Return what keeps faces for the page, if there is to be one."""
    if not request.report or _kind_of(request) is not DOCUMENT:
        return None
    return Gallery(list(request.weights))


def _write_pages(
    request: DetectRequest,
    found: Inputs,
    gallery: Gallery | None,
    runs: Sequence[SearchRun],
    tallies: Mapping[str, Tally],
    reporter: Reporter,
) -> list[Path]:
    """Write who is on screen when, and the pages, if there are to be any; return these."""
    timelines = _timelines_of(runs) if request.names and found.videos else {}
    is_new = {"csv": timelines, "json": timelines, "html": timelines and gallery}
    _remove_timelines(request.out, [each for each in is_new if not is_new[each]], reporter)
    if timelines:
        from facetl.results.screen_time import save_timeline_document, save_timeline_table

        save_timeline_table(request.out / "timeline.csv", timelines)
        save_timeline_document(request.out / "timeline.json", timelines)
    if gallery is None:
        return []
    from facetl.commands.search_page import write_search_page, write_timeline_page

    scores = {run.name: run.settings.score for run in runs}
    told = [tally.summarise(name) for name, tally in tallies.items()]
    where, characters = (request.out, request.images, found, gallery), _characters_of(runs)
    facts = (scores, told, reporter.command, characters)
    written = [write_search_page(*where, *facts, has_timeline=bool(timelines))]
    if timelines:
        written.append(write_timeline_page(*where, timelines, characters))
    return written


def _timelines_of(runs: Sequence[SearchRun]) -> dict[str, list[Timeline]]:
    """Return the tracks of the videos that each run has searched, from its score on."""
    from facetl.results.timelines import timelines_of

    found = {run.name: load_run(run.path) for run in runs}
    seen = {name: run.above(run.score) for name, run in found.items() if run.has_videos}
    return {name: timelines_of(run) for name, run in seen.items()}


def _remove_timelines(out: Path, suffixes: Sequence[str], reporter: Reporter) -> None:
    """Remove what an earlier search has written of who is on screen when, and this one does not."""
    places = [out / f"timeline.{suffix}" for suffix in suffixes]
    old = [path for path in places if path.exists()]
    if not old:
        return
    from facetl.commands.search_page import is_search_page

    removed = [path for path in old if is_search_page(path)]
    for path in removed:
        path.unlink()
    if removed:
        reporter.note(f"removed {removed[0]}, which another run had left")


def _kind_of(request: DetectRequest) -> Kind:
    """Return in which kind of file the results are kept."""
    if request.by_blocks:
        return SHARDS
    return LINES if request.stream else DOCUMENT


def _require_fitting(request: DetectRequest, found: Inputs) -> None:
    """Refuse options that do not go with each other, or with what is to be searched."""
    if not found.images and (request.overlays or request.truth):
        raise UsageError("--overlays and --truth are for images; videos have --video")
    if not found.videos and (request.every or request.video or request.skip_still):
        raise UsageError("--every, --video and --skip-still are for videos; found none")
    timed = [kind for kind in request.exports if kind in TIMED_EXPORTS]
    if not found.videos and timed:
        raise UsageError(f"--export {timed[0]} is for videos; found none")
    if request.by_blocks and request.names:
        raise UsageError("--names is for searches on this machine; leave out --engine ray")
    if request.by_blocks and request.stream:
        raise UsageError("--engine ray writes shards as they come; leave out --stream")
    if request.resume and not (request.stream or request.by_blocks):
        raise UsageError("--resume resumes what --stream or --engine ray has written; add --stream")


def _choose_drawing(
    request: DetectRequest, found: Inputs, runs: Sequence[SearchRun], reporter: Reporter
) -> Drawing:
    """Return what is drawn; the true faces are read for it."""
    return Drawing(
        out=request.out.absolute() if request.by_blocks else request.out,
        overlays=request.overlays or request.truth is not None,
        faces=_load_faces(request, found, reporter),
        cropping=_choose_cropping(request),
        twins=find_twins(found.images),
        taken=find_taken(found.images),
        videos=request.video,
        hiding=tuple(how for how in HIDDEN if getattr(request, how)),
        characters=_characters_of(runs),
    )


def _characters_of(runs: Sequence[SearchRun]) -> tuple[str, ...]:
    """Return the names that faces can be given."""
    told = [run.facts["names"]["classes"] for run in runs if "names" in run.facts]
    return tuple(dict.fromkeys(name for classes in told for name in classes))


def _choose_cropping(request: DetectRequest) -> Cropping | None:
    if not request.crops:
        return None
    return Cropping(request.margin, request.align, request.square)


def _load_faces(request: DetectRequest, found: Inputs, reporter: Reporter) -> dict[str, Boxes]:
    """Return the true faces of the images, whether or not folders are part of their names."""
    if request.truth is None:
        return {}
    from facetl.commands.annotated import load_truth
    from facetl.evaluation.frame_names import UNMATCHED, find_rows
    from facetl.evaluation.scoring import Truth

    source, _ = load_truth(request, request.truth, reporter)
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
    settings = request.override(detector.settings)
    facts = {
        "weights": source,
        "weights_fingerprint": detector.fingerprint,
        "parameters": detector.parameters,
        "command": reporter.command,
        "engine": detector.engine,
        "batch_size": request.batch_size,
        "workers": _workers(request),
    }
    searcher: Searcher = detector
    if request.names:
        recogniser = Recogniser.load(request.names, device, engine)
        searcher = NamingDetector(detector, recogniser)
        facts["names"] = recogniser.describe(request.names)
    out = request.out.absolute() if request.by_blocks else request.out
    return SearchRun(name, searcher, settings, facts, run_path(out, name, _kind_of(request)))


def _workers(request: DetectRequest) -> int:
    return usable_cores() if request.workers is None else request.workers


def _plan_here(
    request: DetectRequest,
    found: Inputs,
    drawing: Drawing,
    runs: list[SearchRun],
    reporter: Reporter,
    gallery: Gallery | None,
) -> _Search:
    """Return what searches on this machine."""
    viewing = Viewing(request.every or Sampling(), request.skip_still)
    ready, unreadable = open_videos(found.videos, reporter, beside_images=bool(found.images))
    if found.videos:
        rates = {video.name: round(float(video.facts.rate), 3) for video in ready}
        runs = _add_facts(runs, viewing, frame_rates=rates)
    effort = Effort(runs, request.batch_size, _workers(request), reporter)
    pictures = Pictures(found.images, ready, unreadable, viewing, request.stream)
    search = LocalSearch(pictures, effort, drawing, gallery)
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
    """Return what searches by blocks; there is no page on that."""
    from facetl.search.block_search import BlockSearch, cut_into_blocks
    from facetl.search.fleet import FleetSearch
    from facetl.search.ray_engine import Fleet

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
    """Refuse to resume where runs of another search lie; remove those that would be resumed."""
    if request.force and not request.resume and _kind_of(request) is not DOCUMENT:
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
    from facetl.results.exports import save_exports

    runs = [load_run(path) for path in find_runs(request.out)]
    written = save_exports(request.out, runs, request.exports, reporter=reporter)
    return tuple(map(tuple, written))
