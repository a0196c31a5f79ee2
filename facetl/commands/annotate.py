"""``facetl annotate``: a page in the browser, from an episode to its own detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from facetl.annotating.mending import (
    KEPT,
    DatasetStore,
    annotated_record,
    find_dataset,
)
from facetl.annotating.picking import Picking
from facetl.annotating.records import FrameRecord, State
from facetl.annotating.server import serve
from facetl.annotating.service import Service
from facetl.annotating.session import Session
from facetl.annotating.store import ProjectStore
from facetl.commands.requests import AnnotateRequest as AnnotateRequest
from facetl.data.formats.base import Source
from facetl.data.images import image_size
from facetl.data.project import Project, is_project
from facetl.errors import InputError
from facetl.files import require_writable
from facetl.mtcnn.detector import Detector
from facetl.reporting import SILENT, Reporter
from facetl.search.inputs import find_inputs

_SESSION = "annotate.json"


@dataclass(frozen=True)
class AnnotateResult:
    """What there is at the end.

    Attributes:
        project: the project.
        done: frames that are done.
        waiting: frames that wait.
        skipped: frames that were skipped.
    """

    project: Project
    done: int
    waiting: int
    skipped: int


def annotate(
    request: AnnotateRequest,
    opened: Callable[[str], object],
    reporter: Reporter = SILENT,
) -> AnnotateResult:
    """Pick frames, and serve the page on which they are annotated until somebody interrupts.

    Args:
        request: what is annotated.
        opened: is told the address of the page, once there is one.
        reporter: see :class:`Reporter`.

    Raises:
        InputError: if there is nothing to annotate.
        OutputError: if the project cannot be written, or the port is taken.
    """
    service = prepare(request, reporter)
    with suppress(KeyboardInterrupt):  # everything is on disk already
        serve(service, request.port, opened)
    session = service.session
    counts = (session.count("done"), session.count("waiting"), session.count("skipped"))
    return AnnotateResult(service.project, *counts)


def prepare(request: AnnotateRequest, reporter: Reporter = SILENT) -> Service:
    """Open or make the project; pick frames if none wait in it.

    Raises:
        InputError: if there is nothing to annotate.
        OutputError: if the project cannot be written.
    """
    require_writable(request.out)
    sources = _find_dataset(request)
    project = _open_project(request)
    load = partial(Detector.load, device=request.device, engine=request.engine)
    store = DatasetStore(sources) if sources else ProjectStore(project)
    session = Session.open(project.path / _SESSION, store)
    picking = Picking(request.count, request.every, request.workers)
    service = Service(project.path, session, load, picking, request.budget)
    if isinstance(store, DatasetStore):
        _add_annotated(session, store, service, reporter)
    else:
        _add_frames(store, service, reporter)
    if not session.frames:
        raise InputError(
            f"{request.sources[0]}: found no frame to pick, all are blank, blurred or alike; look "
            "at more with a smaller --every"
        )
    return service


def _find_dataset(request: AnnotateRequest) -> list[Source]:
    """Return what is annotated already in the only source; nothing if it is not a data set."""
    given = request.sources
    if len(given) == 1 and is_project(given[0]):
        given = Project.open(given[0]).sources
    return find_dataset(given[0]) if len(given) == 1 and given[0].exists() else []


def _add_annotated(
    session: Session, store: DatasetStore, service: Service, reporter: Reporter
) -> None:
    """Add frames of a data set that the session lacks, with what the detector sees otherwise."""
    known = {record.name for record in session.frames}
    records = {
        number: annotated_record(name, frame)
        for number, (name, frame) in enumerate(store.frames.items())
        if name not in known
    }
    if not records:
        return
    reporter.note(f"mending in place: each file keeps a copy of how it was, *{KEPT}")
    found = service.find(records, reporter)
    session.add(store.suggested(found.get(number, record)) for number, record in records.items())


def _add_frames(store: ProjectStore, service: Service, reporter: Reporter) -> None:
    """Take in pictures that lie in the project, and pick frames if none wait."""
    session = service.session
    done, waiting = store.strangers(session.frames)
    _take_in(session, done, waiting)
    if not session.count("waiting"):
        _pick_if_any(service, reporter)
    elif waiting:
        service.suggest_anew(reporter)


def _pick_if_any(service: Service, reporter: Reporter) -> None:
    """Pick frames; what is annotated already can be looked at without what it is from."""
    project = service.project
    if any(source.exists() for source in project.sources):
        service.pick_more(reporter)
    else:
        reporter.note(f"{project.path}: found no source to pick more frames from")


def _open_project(request: AnnotateRequest) -> Project:
    if is_project(request.out):
        project = Project.open(request.out)
        if request.weights and request.weights != project.weights:
            raise InputError(
                f"{request.out} has the detector {project.weights} in use; leave out --weights, or "
                "choose another --out"
            )
        return project
    find_inputs(request.sources)  # complains before anything is made
    return Project.create(request.out, request.sources, request.weights)


def _take_in(session: Session, done: Sequence[str], waiting: Sequence[str]) -> None:
    """Add pictures that somebody has put into the project's folders, done or not."""
    states: dict[str, State] = dict.fromkeys(done, "done")
    states |= dict.fromkeys(waiting, "waiting")
    records = [FrameRecord(name, (1, 1), state) for name, state in states.items()]
    sized = [
        replace(record, size_hw=image_size(session.store.picture(record))) for record in records
    ]
    if sized:
        session.add(session.store.reconcile(sized))
