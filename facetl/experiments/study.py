"""What a study compares: methods, starts, frames and seeds, as cells and the tasks they need."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import PurePath
from typing import Any, Literal

from facetl.mtcnn.stages import STAGES, Stage
from facetl.training.transfer import Transfer

Detecting = Literal["pnet", "rnet", "onet", "cascade"]
Target = str
"""A network of the cascade, the cascade, or ``names-`` and the backbone that learns characters."""
Start = str
"""``pretrained``, or an inappropriate start: ``shuffled`` or ``inverted``.  Of names: ``usual``,
``cartoon``, ``pretrained``, ``scratch``, ``shuffled``, or a names file of another show."""
NAMES = "names-"
"""How targets begin that learn characters."""
USUAL = "usual"
"""The start that a backbone has by itself."""

PLAIN = Transfer()
"""Plain fine-tuning: everything learns, nothing is held."""


@dataclass(frozen=True)
class Group:
    """Cells that differ by seed alone.

    Attributes:
        target: what is trained by the method; a stage learns behind plainly tuned ones.
        start: what the weights come from.
        frames: how many frames are learnt from, of names how many faces of each character; 0 for
            all.
        method: how the weights are transferred.
    """

    target: Target
    start: Start
    frames: int
    method: Transfer

    @property
    def plain(self) -> Group:
        """The group of plain fine-tuning that this one is compared with."""
        return replace(self, method=PLAIN)


@dataclass(frozen=True)
class Cell:
    """One training and its figures.

    Attributes:
        target: what is trained by the method.
        start: what the weights come from.
        frames: how many frames are learnt from, 0 for all.
        seed: the random seed, the draw of the frames included.
        method: how the weights are transferred.
    """

    target: Target
    start: Start
    frames: int
    seed: int
    method: Transfer = PLAIN

    @property
    def name(self) -> str:
        """The name of the cell's files."""
        count = f"{self.frames}f" if self.frames else "all"
        start = PurePath(self.start).stem
        return f"{self.target}_{start}_{count}_seed{self.seed}_{_slug(self.method)}"

    @property
    def backbone(self) -> str:
        """What learns characters; empty if none are learnt."""
        return backbone_of(self.target)

    @property
    def group(self) -> Group:
        """What it has in common with the cells of other seeds."""
        return Group(self.target, self.start, self.frames, self.method)

    @property
    def plain(self) -> Cell:
        """The cell that it is compared with: the same but for the method."""
        return replace(self, method=PLAIN)

    @property
    def summed(self) -> Cell:
        """The same cell with the plain sum of the gradients."""
        return replace(self, method=replace(self.method, gradient_rule="sum"))


@dataclass(frozen=True)
class PatchTask:
    """Patches of a stage from some frames, proposed by plainly tuned stages before it."""

    stage: Stage
    frames: int
    seed: int

    @property
    def name(self) -> str:
        """The name of the patch file."""
        return f"{self.stage}_{self.frames or 'all'}f_seed{self.seed}"


@dataclass(frozen=True)
class StartTask:
    """An inappropriate starting point: the network trained on what teaches it nonsense."""

    target: Target
    kind: Start
    frames: int
    seed: int

    @property
    def name(self) -> str:
        """The name of the weights file."""
        return f"{self.target}_{self.kind}_{self.frames or 'all'}f_seed{self.seed}"

    @property
    def examples(self) -> PatchTask | CropTask:
        """What it is trained on."""
        if backbone := backbone_of(self.target):
            return CropTask(backbone, "train")
        return PatchTask(as_stage(self.target), self.frames, self.seed)


@dataclass(frozen=True)
class CropTask:
    """The faces of the frames to learn from, or of those to measure on, cut out for a backbone."""

    backbone: str
    part: Literal["train", "test"]

    @property
    def name(self) -> str:
        """The name of the file of crops."""
        return f"{self.backbone}_{self.part}"


Task = PatchTask | StartTask | CropTask | Cell
Graph = dict[Task, set[Task]]
"""What each task needs to be done before it."""


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
        epochs: of each stage, and of ``names``.
        training: attributes of the settings of all trainings that differ from the usual.
    """

    name: str
    description: str
    targets: tuple[Target, ...]
    starts: tuple[Start, ...]
    frames: tuple[int, ...]
    seeds: tuple[int, ...]
    methods: tuple[Transfer, ...]
    epochs: Mapping[str, int] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def limited_to(self, available: int) -> Study:
        """Return the study for so many frames: counts beyond them become all of them."""
        if any(map(backbone_of, self.targets)):
            return self  # whose numbers are of faces
        frames = tuple(dict.fromkeys(n if n < available else 0 for n in self.frames))
        return replace(self, frames=frames)

    @property
    def cells(self) -> list[Cell]:
        """All cells, those of few frames first.

        From scratch there is no start to be inappropriate: such cells are among the others once.
        """
        cells = [
            Cell(target, _start_of(target, method, start), frames, seed, method)
            for frames in sorted(self.frames, key=lambda count: count or float("inf"))
            for target, start, method, seed in product(
                self.targets, self.starts, self.methods, self.seeds
            )
        ]
        return list(dict.fromkeys(cells))


def backbone_of(target: Target) -> str:
    """Return what learns characters; empty for a target that learns faces."""
    return target.removeprefix(NAMES) if target.startswith(NAMES) else ""


def as_stage(target: Target) -> Stage:
    """Return the stage that a target is, or ends with."""
    (stage,) = (each for each in STAGES if each == ("onet" if target == "cascade" else target))
    return stage


def plan_tasks(cells: Iterable[Cell]) -> Graph:
    """Return the tasks of cells and of all that they need, with their needs."""
    graph: Graph = {}
    waiting: deque[Task] = deque(cells)
    while waiting:
        task = waiting.popleft()
        if task not in graph:
            graph[task] = set(_needs(task))
            waiting.extend(graph[task])
    return graph


def plain_cells_before(stage: Stage, frames: int, seed: int) -> list[Cell]:
    """Return the cells whose networks stand before a stage: plainly tuned on the same frames."""
    before = STAGES[: STAGES.index(stage)]
    return [Cell(each, "pretrained", frames, seed) for each in before]


def _needs(task: Task) -> Iterator[Task]:
    """Yield what a task needs to be done before it."""
    if isinstance(task, PatchTask):
        yield from plain_cells_before(task.stage, task.frames, task.seed)
    elif isinstance(task, CropTask):
        return
    elif isinstance(task, StartTask):
        yield task.examples
    elif task.backbone:
        yield CropTask(task.backbone, "train")
        yield CropTask(task.backbone, "test")
        if task.start == "shuffled":
            yield StartTask(task.target, task.start, task.frames, task.seed)
    elif task.target != "cascade":
        stage = as_stage(task.target)
        yield PatchTask(stage, task.frames, task.seed)
        yield from plain_cells_before(stage, task.frames, task.seed)
        if task.start != "pretrained":
            yield StartTask(task.target, task.start, task.frames, task.seed)


def _start_of(target: Target, method: Transfer, start: Start) -> Start:
    if method.strategy != "scratch":
        return start
    return USUAL if backbone_of(target) else "pretrained"


def of_usual_strength(method: Transfer) -> Transfer:
    """Return a method with the usual strength of its regulariser."""
    return replace(method, alpha=PLAIN.alpha, beta=PLAIN.beta)


def _slug(method: Transfer) -> str:
    """Return a short name of a method, fit for a file: what it has otherwise than plain tuning."""
    words = [method.strategy, *(f"{short}{value}" for short, value in _details(method))]
    return "-".join(word.replace(" ", "").replace(",", "+") for word in words)


def describe_method(method: Transfer, strength: str = "") -> str:
    """Return a short name of a method for people: ``head``, ``l2-sp α 0.1, dtnh``.

    Args:
        method: which.
        strength: what is said in place of the regulariser's strength.
    """
    if method == PLAIN:
        return "plain fine-tuning"
    details = dict(_details(method))
    parts: list[str] = [] if method.strategy == "full" else [method.strategy]
    if method.reset_head:
        parts.append("new head")
    if method.holds:
        beta = f" β {details['b']}" if "b" in details else ""
        own = f"α {details['a']}{beta}"
        parts.append(f"{method.regulariser} {strength or own}")
    parts += [f"{_WORDS[short]} {value}" for short, value in details.items() if short in _WORDS]
    if method.gradient_rule != "sum":
        parts.append(method.gradient_rule)
    return ", ".join(parts)


_WORDS = {"d": "decay", "layers": "on", "epochs": "epochs", "rates": "rates"}


def _details(method: Transfer) -> Iterator[tuple[str, str]]:
    """Yield what distinguishes methods, with a short name each."""
    if method.reset_head:
        yield "newhead", ""
    if method.holds:
        yield "", method.regulariser
        yield "a", f"{method.alpha:.12g}"
        if method.regulariser == "l2-sp" and method.reset_head:
            yield "b", f"{method.beta:.12g}"
        if method.decay != 1:
            yield "d", f"{method.decay:.12g}"
        if method.feature_layers:
            yield "layers", "+".join(method.feature_layers)
        if method.gradient_rule != "sum":
            yield "", method.gradient_rule
    if method.strategy == "gradual":
        if method.phase_epochs != PLAIN.phase_epochs:
            yield "epochs", "+".join(map(str, method.phase_epochs))
        if method.phase_rates != PLAIN.phase_rates:
            yield "rates", "+".join(f"{rate:.12g}" for rate in method.phase_rates)
