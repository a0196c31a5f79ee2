"""What a person does beside drawing boxes: retrain, keep or undo it, and search everything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from posixpath import normpath
from typing import Any
from urllib.parse import unquote

from facetl.annotating.jobs import Background, Report
from facetl.annotating.picking import Picking, pick_more, suggest
from facetl.annotating.records import FrameRecord
from facetl.annotating.session import Session
from facetl.annotating.store import ProjectStore
from facetl.data.media_types import is_video
from facetl.data.project import Project, Round
from facetl.errors import FacetlError
from facetl.files import address_from
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.stages import STAGES
from facetl.reporting import Reporter, plural
from facetl.search.inputs import find_inputs
from facetl.search.pipeline import SearchRun

FEWEST = 5
"""Frames that are done before a training makes sense."""
HELD_OUT = 0.2
"""Fraction of the frames that are held out, to compare the detectors on."""
_REPORT = "report.html"
_EPOCH = re.compile(rf"^\[({'|'.join(STAGES)})\] epoch (\d+)/(\d+) .*?(\d+ (?:s|min) left)$")

Load = Callable[[str], Detector]
"""Loads the detector of weights."""


class Service:
    """A project, its session, and what goes on in the background.

    Args:
        path: the project's folder.
        session: the frames.
        load: loads detectors, given their weights.
        picking: how frames are picked.
        budget: seconds that a training may take; 0 for as long as needed.
    """

    def __init__(
        self, path: Path, session: Session, load: Load, picking: Picking, budget: float = 0.0
    ) -> None:
        self.session = session
        self.background = Background()
        self.load = load
        self._path, self._picking, self._budget = path, picking, budget

    @property
    def project(self) -> Project:
        """The project as its file says, which trainings write."""
        return Project.open(self._path)

    @property
    def is_mending(self) -> bool:
        """Whether the frames are those of a data set, mended where they are."""
        return not isinstance(self.session.store, ProjectStore)

    @property
    def report(self) -> Path | None:
        """The page on the last search with the detector in use, if there is one."""
        path = self.project.results / _REPORT
        return path if path.is_file() else None

    def linked_files(self) -> dict[str, Path]:
        """Return what the page on the last search links to, by the paths that its links lead to.

        They are relative to the page, which is served at the top: no ``..`` leads above it.
        """
        project = self.project
        sources = [source for source in project.sources if source.exists()]
        if not sources:
            return {}
        found = find_inputs(sources)
        paths = [each.path for each in (*found.videos, *found.images)]
        linked = {address_from(project.results, path): path for path in paths}
        return {normpath(f"/{unquote(link)}"): path for link, path in linked.items() if link}

    def to_json(self) -> dict[str, Any]:
        """Return what the page shows beside the frames."""
        project = self.project
        return {
            "name": self._path.name,
            "used": project.used,
            "rounds": [describe_round(each) for each in project.rounds],
            "job": self.background.to_json(),
            "report": self.report is not None,
            "searchable": bool(project.sources),
            "is_mending": self.is_mending,
            "obstacle": find_obstacle(self.session),
        }

    def retrain(self) -> None:
        """Train in the background on all frames that are done.

        Raises:
            FacetlError: if that cannot be, or something else is running.
        """
        if obstacle := find_obstacle(self.session):
            raise FacetlError(obstacle)
        self.background.start("retrain", self._retrain)

    def search(self) -> None:
        """Search everything that the frames are from, in the background.

        Raises:
            FacetlError: if something else is running.
        """
        self.background.start("search", self._search)

    def more(self) -> None:
        """Pick more frames in the background, by the detector in use.

        Raises:
            FacetlError: if all frames are here already, or something else is running.
        """
        if self.is_mending:
            raise FacetlError("all frames of the data set are here; there are no more to pick")
        self.background.start("pick", self._pick)

    def use(self, number: int) -> None:
        """Take the detector of a round, 0 for the one before the first; suggest anew with it.

        Raises:
            FacetlError: if there is no such round, or something else is running.
        """
        self.project.using(number)
        self.background.start("suggest", self._suggest)

    def pick_more(self, reporter: Reporter) -> int:
        """Add frames that are unlike all that the project has; return how many.

        Raises:
            InputError: if what the frames are from is gone, or cannot be read.
            OutputError: if the project cannot be written.
        """
        project = self.project
        detector = self.load(project.weights)
        return pick_more(project, self.session, detector, self._picking, reporter)

    def suggest_anew(self, reporter: Reporter) -> None:
        """Suggest boxes by the detector in use, and sort the frames by its doubt."""
        waiting = {
            number: record
            for number, record in enumerate(self.session.frames)
            if record.state != "done"
        }
        found = self.find(waiting, reporter)
        suggested = {number: self.session.store.suggested(each) for number, each in found.items()}
        self.session.suggest_anew(suggested)

    def find(
        self, records: Mapping[int, FrameRecord], reporter: Reporter
    ) -> dict[int, FrameRecord]:
        """Return frames with what the detector in use suggests, those that can be read."""
        detector = self.load(self.project.weights)
        run = SearchRun("", detector, detector.settings)
        pictures = {
            number: (record, self.session.store.picture(record))
            for number, record in records.items()
        }
        return suggest(pictures, run, self._picking.workers, reporter)

    def _retrain(self, report: Report) -> tuple[str, Mapping[str, Any]]:
        data = self.project.sources[0] if self.is_mending else self.project.path
        finished = retrain(self.project, report, self._budget, data)
        is_used = self.project.used == finished.number
        if is_used:
            self.suggest_anew(report)
        before = self.project.rounds[-2].number if len(self.project.rounds) > 1 else 0
        weights = str(self.project.weights_of(finished.number))
        outcome = {
            "round": finished.number, "before": before, "is_used": is_used, "weights": weights
        }  # fmt: skip
        return describe_round(finished)["words"], outcome

    def _suggest(self, report: Report) -> tuple[str, Mapping[str, Any]]:
        self.suggest_anew(report)
        project = self.project
        outcome = (
            "what it sees otherwise is doubtful now"
            if self.is_mending
            else "its boxes are suggested now"
        )
        return f"using {describe_use(project)}; {outcome}", {}

    def _pick(self, report: Report) -> tuple[str, Mapping[str, Any]]:
        count = self.pick_more(report)
        none = "found no frame that is unlike those picked; look at more with a smaller --every"
        return f"picked {plural(count, 'more frame')}" if count else none, {}

    def _search(self, report: Report) -> tuple[str, Mapping[str, Any]]:
        project = self.project
        sources = [str(source) for source in project.sources]
        name = f"round-{project.used}" if project.used else Path(project.start).stem
        weights = ("--weights", f"{name}={project.weights}")
        where = ["--out", str(project.results), "--force"]
        if any(source.is_file() and is_video(source) for source in project.sources):
            where.append("--skip-still")  # cartoons hold their pictures
        last = report.run(["detect", *weights, *where, "--", *sources])
        found = next((line for line in last if line.startswith(name)), last[0] if last else "")
        return found, {"folder": str(project.results)}


def retrain(
    project: Project, report: Report, budget: float = 0.0, data: Path | None = None
) -> Round:
    """Train the next round of a project in a process of its own; return it.

    The project's file says afterwards which detector is the better one, and is in use.

    Args:
        project: where the detector goes.
        report: is told how far it is.
        budget: seconds; 0 for as long as needed.
        data: the data set that the project's frames are of; None: they are in the project.

    Raises:
        StoppedError: if it was stopped.
        FacetlError: if it fails.
    """
    limits = ["--hold-out", str(HELD_OUT), *(["--budget", f"{budget:g}s"] if budget else [])]
    out = ["--out", str(project.weights_of(project.next_round)), "--force"]
    report.run(["train", *limits, *out, "--", str(data or project.path)], _say_plainly)
    trained = Project.open(project.path)
    if trained.next_round == project.next_round:
        raise FacetlError("the training recorded no round; see the terminal")
    return trained.rounds[-1]


def _say_plainly(line: str) -> str | None:
    """Return what a line of a training says, without what only experts understand."""
    if not (found := _EPOCH.match(line)):
        return None
    stage, epoch, epochs, left = found.groups()
    return f"network {STAGES.index(stage) + 1} of {len(STAGES)}, pass {epoch} of {epochs}, {left}"


def find_obstacle(session: Session) -> str:
    """Return in words why nothing can be trained; empty if it can be."""
    if not find_spec("torch"):
        return "training needs more: pip install 'facetl[train]'"
    if not isinstance(session.store, ProjectStore):  # all of it is annotated
        lacking = FEWEST - len(session.frames)
        return f"found {plural(len(session.frames), 'frame')}; training needs {FEWEST}" * (
            lacking > 0
        )
    lacking = FEWEST - session.count("done")
    return f"{plural(lacking, 'more frame')} to do before retraining" if lacking > 0 else ""


def describe_use(project: Project) -> str:
    """Return in words which detector is in use."""
    return f"the detector of round {project.used}" if project.used else project.start


def describe_round(finished: Round) -> dict[str, Any]:
    """Return what a training brought, in words and as figures."""
    compared = finished.comparison
    words = f"trained on {plural(finished.frames, 'frame')}"
    if not compared:
        words += "; no face was held out, so nobody knows whether it is better"
        return {"number": finished.number, "words": words, "is_better": True}
    before, after, faces = compared["before"], compared["after"], compared["faces"]
    words = (
        f"before: {before['found']} of {faces} faces found, "
        f"{plural(before['false_alarms'], 'false alarm')}; "
        f"now {after['found']} and {after['false_alarms']} "
        f"(on {plural(compared['frames'], 'frame')} that were held out)"
    )
    return {"number": finished.number, "words": words, "is_better": compared["is_better"]}
