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
from facetl.annotating.picking import suggest
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
        workers: parallel ones.
        budget: seconds that a training may take; 0 for as long as needed.
    """

    def __init__(
        self, path: Path, session: Session, load: Load, workers: int = 1, budget: float = 0.0
    ) -> None:
        self.session = session
        self.background = Background()
        self.load = load
        self._path, self._workers, self._budget = path, workers, budget

    @property
    def project(self) -> Project:
        """The project as its file says, which trainings write."""
        return Project.open(self._path)

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

    def use(self, number: int) -> None:
        """Take the detector of a round, 0 for the one before the first; suggest anew with it.

        Raises:
            FacetlError: if there is no such round, or something else is running.
        """
        if not isinstance(self.session.store, ProjectStore):
            raise FacetlError(
                "the boxes here are annotations, which no detector replaces; correct them by hand"
            )
        self.project.using(number)
        self.background.start("suggest", self._suggest)

    def suggest_anew(self, reporter: Reporter) -> None:
        """Suggest boxes by the detector in use, and sort the frames by its doubt."""
        waiting = {
            number: record
            for number, record in enumerate(self.session.frames)
            if record.state != "done"
        }
        self.session.suggest_anew(self.find(waiting, reporter))

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
        return suggest(pictures, run, self._workers, reporter)

    def _retrain(self, report: Report) -> tuple[str, Mapping[str, Any]]:
        finished = retrain(self.project, report, self._budget)
        is_used = self.project.used == finished.number
        if is_used:
            self.suggest_anew(report)
        before = self.project.rounds[-2].number if len(self.project.rounds) > 1 else 0
        outcome = {"round": finished.number, "before": before, "is_used": is_used}
        return describe_round(finished)["words"], outcome

    def _suggest(self, report: Report) -> tuple[str, Mapping[str, Any]]:
        self.suggest_anew(report)
        project = self.project
        return f"using {describe_use(project)}; its boxes are suggested now", {}

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


def retrain(project: Project, report: Report, budget: float = 0.0) -> Round:
    """Train the next round of a project in a process of its own; return it.

    The project's file says afterwards which detector is the better one, and is in use.

    Raises:
        StoppedError: if it was stopped.
        FacetlError: if it fails.
    """
    limits = ["--hold-out", str(HELD_OUT), *(["--budget", f"{budget:g}s"] if budget else [])]
    report.run(["train", *limits, "--force", "--", str(project.path)], _say_plainly)
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
    if not isinstance(session.store, ProjectStore):
        return "once it is mended, train on it with facetl train"
    if not find_spec("torch"):
        return "training needs more: pip install 'facetl[train]'"
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
