"""A project: a folder that keeps the frames of a show, their faces, and the detectors trained.

::

    episode.faces/
      project.json            what the frames are from, the rounds, which of them is in use
      frames/                 annotated frames, and their faces in the course's text
      waiting/                frames that were picked and are not annotated yet
      rounds/1/               cascade.safetensors, and results/ that ``facetl detect`` found with it
      rounds/2/               …; rounds/0/results/ is of the weights before the first round

A round is a training on the frames annotated so far.  Commands that are given the folder find in
it what they need: ``facetl train`` the frames and the weights to start from, ``facetl detect``,
given what the frames are from, the weights in use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from facetl.errors import InputError, OutputError
from facetl.files import absolute, parse_json, write_text

_FILE = "project.json"
_ENDING = ".faces"
_WEIGHTS = "cascade.safetensors"


@dataclass(frozen=True)
class Round:
    """One training of a project.

    Attributes:
        number: counted from 1.
        frames: how many annotated frames there were.
        faces: how many faces they had.
        comparison: how it compares with the detector in use before; empty if nothing was held
            out.
    """

    number: int
    frames: int
    faces: int
    comparison: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Project:
    """A project as its file tells; changes write the file and return the project anew.

    Attributes:
        path: the folder.
        sources: what the frames are from: videos, or folders of images.
        start: the weights before the first round: built-in ones or a file.
        rounds: the trainings, the oldest first.
        used: the number of the round whose detector is in use; 0: ``start`` is.
    """

    path: Path
    sources: tuple[Path, ...] = ()
    start: str = "cartoon-large"
    rounds: tuple[Round, ...] = ()
    used: int = 0

    @classmethod
    def create(cls, path: Path, sources: Sequence[Path] = (), start: str | None = None) -> Self:
        """Make a project in a folder, which may hold other things.

        Raises:
            OutputError: if there is one already, or it cannot be written.
        """
        if is_project(path):
            raise OutputError(f"{path} is a project already; open it, or choose another folder")
        project = cls(path, tuple(Path(absolute(source)) for source in sources), start or cls.start)
        project.frames.mkdir(parents=True, exist_ok=True)
        project.waiting.mkdir(exist_ok=True)
        project._save()
        return project

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a project.

        Raises:
            InputError: if there is none, or its file is damaged.
        """
        file = path / _FILE
        try:
            content = parse_json(file.read_text("utf-8"))
            sources = tuple(map(Path, content["sources"]))
            rounds = tuple(Round(**each) for each in content["rounds"])
            project = cls(path, sources, str(content["start"]), rounds, int(content["used"]))
        except OSError as error:
            raise InputError(
                f"{path} is no project ({error.strerror}); make one with facetl annotate"
            ) from error
        except (LookupError, TypeError, ValueError) as error:
            raise InputError(f"{file}: damaged ({error}); restore it") from error
        if project.used not in (0, *(each.number for each in rounds)):
            raise InputError(f"{file}: damaged (found no round {project.used}); restore it")
        return project

    @property
    def frames(self) -> Path:
        """The folder of the annotated frames."""
        return self.path / "frames"

    @property
    def waiting(self) -> Path:
        """The folder of the frames that are not annotated yet."""
        return self.path / "waiting"

    @property
    def results(self) -> Path:
        """Where the detections of the weights in use go."""
        return self._folder(self.used) / "results"

    @property
    def weights(self) -> str:
        """The detector in use: built-in weights or a weights file."""
        return str(self.weights_of(self.used)) if self.used else self.start

    @property
    def next_round(self) -> int:
        """The number of the round to train."""
        return max((each.number for each in self.rounds), default=0) + 1

    def weights_of(self, number: int) -> Path:
        """Return the weights file of a round, whether or not it is trained yet."""
        return self._folder(number) / _WEIGHTS

    def recorded(self, finished: Round, *, in_use: bool) -> Self:
        """Add a round that is trained, and say whether its detector is in use from now on.

        Raises:
            OutputError: if the file cannot be written.
        """
        rounds = (*(each for each in self.rounds if each.number != finished.number), finished)
        used = finished.number if in_use else self.used
        return replace(self, rounds=rounds, used=used)._save()

    def using(self, number: int) -> Self:
        """Take the detector of another round; 0: the one before the first.

        Raises:
            InputError: if there is no such round.
            OutputError: if the file cannot be written.
        """
        if number not in (0, *(each.number for each in self.rounds)):
            raise InputError(
                f"{self.path} has no round {number}; its project.json lists those it has"
            )
        return replace(self, used=number)._save()

    def _folder(self, number: int) -> Path:
        return self.path / "rounds" / str(number)

    def _save(self) -> Self:
        content = {
            "sources": [str(source) for source in self.sources],
            "start": self.start,
            "used": self.used,
            "rounds": [asdict(each) for each in self.rounds],
        }
        write_text(self.path / _FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        return self


def is_project(path: Path) -> bool:
    """Return whether a folder is a project."""
    try:
        return (path / _FILE).is_file()
    except OSError:  # a name may be too long
        return False


def place_beside(path: Path) -> Path:
    """Return the folder for what is found in a video, an image or a folder: ``NAME.faces``."""
    return path.with_name(f"{path.name if path.is_dir() else path.stem}{_ENDING}")


def find_project(paths: Sequence[Path]) -> Project | None:
    """Return the project of what is to be searched, if it has one.

    It is that beside the only path, if the path is what its frames are from.

    Raises:
        InputError: if its file is damaged.
    """
    if len(paths) != 1 or paths[0].name in ("", ".."):
        return None
    place = place_beside(paths[0])
    if not is_project(place):
        return None
    project = Project.open(place)
    return project if Path(absolute(paths[0])) in project.sources else None
