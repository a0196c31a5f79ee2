"""What has to be done for a study, and in what order: patches, starts and cells."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from facetl.experiments.naming import PLAIN
from facetl.experiments.study import Cell, Start
from facetl.mtcnn.networks import STAGES, Stage


@dataclass(frozen=True)
class PatchTask:
    """Patches of a stage from some frames, proposed by plainly tuned stages before it."""

    stage: Stage
    frames: int
    seed: int

    @property
    def name(self) -> str:
        """How the patch file is called."""
        return f"{self.stage}_{self.frames or 'all'}f_seed{self.seed}"


@dataclass(frozen=True)
class StartTask:
    """An inappropriate starting point: the network trained on patches that teach it nonsense."""

    stage: Stage
    kind: Start
    frames: int
    seed: int

    @property
    def name(self) -> str:
        """How the weights file is called."""
        return f"{self.stage}_{self.kind}_{self.frames or 'all'}f_seed{self.seed}"


Task = PatchTask | StartTask | Cell
Graph = dict[Task, set[Task]]
"""What each task needs to be done before it."""


def plan_tasks(cells: Iterable[Cell]) -> Graph:
    """Return the tasks of cells and of all that they need, with their needs."""
    graph: Graph = {}
    waiting: deque[Task] = deque(cells)
    while waiting:
        task = waiting.popleft()
        if task not in graph:
            graph[task] = set(needs(task))
            waiting.extend(graph[task])
    return graph


def needs(task: Task) -> Iterator[Task]:
    """Yield what a task needs to be done before it."""
    if isinstance(task, PatchTask):
        yield from plain_cells_before(task.stage, task.frames, task.seed)
    elif isinstance(task, StartTask):
        yield PatchTask(task.stage, task.frames, task.seed)
    elif task.target != "cascade":
        yield PatchTask(task.target, task.frames, task.seed)
        yield from plain_cells_before(task.target, task.frames, task.seed)
        if task.start != "pretrained":
            yield StartTask(task.target, task.start, task.frames, task.seed)


def plain_cells_before(stage: Stage, frames: int, seed: int) -> list[Cell]:
    """Return the cells whose networks stand before a stage: plainly tuned on the same frames."""
    before = STAGES[: STAGES.index(stage)]
    return [Cell(each, "pretrained", frames, seed) for each in before]


def plain_twin(cell: Cell) -> Cell:
    """Return the cell that another is compared with: the same but for the method."""
    return replace(cell, method=PLAIN)


def summed_twin(cell: Cell) -> Cell:
    """Return the same cell with the plain sum of the gradients."""
    return replace(cell, method=replace(cell.method, gradient_rule="sum"))
