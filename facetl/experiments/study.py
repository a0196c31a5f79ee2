"""What a study compares: methods, starts, numbers of frames and seeds, unfolded into cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

from facetl.experiments.naming import PLAIN, slug
from facetl.mtcnn.networks import Stage
from facetl.training.transfer import Transfer

Target = Literal["pnet", "rnet", "onet", "cascade"]
Start = Literal["pretrained", "shuffled", "inverted"]


@dataclass(frozen=True)
class Cell:
    """One training and its figures.

    Attributes:
        target: what is trained by the method; a stage learns behind plainly tuned ones.
        start: what the weights come from.
        frames: how many frames are learnt from, 0 for all.
        seed: of all chance, the draw of the frames included.
        method: how the weights are transferred.
    """

    target: Target
    start: Start
    frames: int
    seed: int
    method: Transfer = PLAIN

    @property
    def name(self) -> str:
        """How the cell's files are called."""
        count = f"{self.frames}f" if self.frames else "all"
        return f"{self.target}_{self.start}_{count}_seed{self.seed}_{slug(self.method)}"


@dataclass(frozen=True)
class Study:
    """What is compared with what.

    Attributes:
        name: of the file, without its ending.
        description: one sentence.
        targets: what is trained.
        starts: from what.
        frames: numbers of frames, 0 for all.
        seeds: at least one.
        methods: ways of transferring; the plain one is first.
        epochs: of each stage.
    """

    name: str
    description: str
    targets: tuple[Target, ...]
    starts: tuple[Start, ...]
    frames: tuple[int, ...]
    seeds: tuple[int, ...]
    methods: tuple[Transfer, ...]
    epochs: Mapping[Stage, int] = field(default_factory=dict)

    def fitted(self, available: int) -> Study:
        """Return the study for so many frames: counts that there aren't become all of them."""
        frames = tuple(dict.fromkeys(n if n < available else 0 for n in self.frames))
        return replace(self, frames=frames)

    @property
    def cells(self) -> list[Cell]:
        """All cells, those of few frames first.

        From scratch there is no start to be inappropriate: such cells are among the others once.
        """
        cells = [
            Cell(target, _start_of(method, start), frames, seed, method)
            for frames in sorted(self.frames, key=lambda count: count or float("inf"))
            for target, start, method, seed in product(
                self.targets, self.starts, self.methods, self.seeds
            )
        ]
        return list(dict.fromkeys(cells))


def _start_of(method: Transfer, start: Start) -> Start:
    return "pretrained" if method.strategy == "scratch" else start
