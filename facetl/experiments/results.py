"""The figures of a study: read from its cells, gathered over seeds, compared with plain tuning."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from scipy import stats

from facetl.errors import InputError
from facetl.experiments.runner import KIND
from facetl.experiments.setup import Setup
from facetl.experiments.study import (
    Cell,
    Group,
    Target,
    backbone_of,
    describe_method,
    of_usual_strength,
)
from facetl.files import read_json
from facetl.training.training_log import check_records, is_figure

_CONFIDENCE = 0.95
AP = ("0.3", "0.5", "0.7", "0.5:0.95")
OF_NAMES = ("accuracy", "named", "rejected", "test_loss", "train_loss")


def figures_of(target: Target) -> tuple[str, ...]:
    """Return the names of the figures that cells of a target have."""
    own = OF_NAMES if backbone_of(target) else (*AP, "photographs")
    return (*own, "gap", "seconds")


def compared(target: Target) -> str:
    """Return the figure by which methods are compared with plain fine-tuning."""
    return "accuracy" if backbone_of(target) else "0.5"


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a cell.

    Attributes:
        cell: which.
        figures: on the test frames: AP by IoU threshold, and ``photographs``, AP at IoU 0.5 on
            photographs of a face; of names ``OF_NAMES`` on true boxes, but ``train_loss``.
        seconds: of its training.
        trained_parameters: how many (``gradual``: in the last phase).
        records: one per epoch.
    """

    cell: Cell
    figures: Mapping[str, float]
    seconds: float
    trained_parameters: int
    records: Sequence[Mapping[str, Any]]

    def figure(self, name: str) -> float:
        """Return a figure of :func:`figures_of`.

        ``gap``, the generalisation gap, is what the loss of the last epoch is higher on validation
        examples than on as many of those learnt from; ``train_loss`` the loss on the latter.
        """
        last = self.records[-1]
        if name in self.figures:
            return self.figures[name]
        if name == "train_loss":
            return float(last["learnt"]["total"])
        if name == "gap":
            return float(last["validation"]["total"] - last["learnt"]["total"])
        return {"seconds": self.seconds}[name]


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds (NaN for a single one)."""

    mean: float
    deviation: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value; the deviation has n − 1 in its denominator."""
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
        return cls(float(np.mean(values)), deviation, len(values))

    @property
    def half_width(self) -> float:
        """Half the width of Student's 95 % confidence interval of the mean; NaN for one value."""
        if self.count < 2:
            return math.nan
        quantile = stats.t.ppf((1 + _CONFIDENCE) / 2, self.count - 1)
        return float(quantile) * self.deviation / math.sqrt(self.count)

    @property
    def differs_from_zero(self) -> bool:
        """Whether the mean lies outside the confidence interval around zero."""
        return abs(self.mean) > self.half_width  # False with NaN


@dataclass(frozen=True)
class Row:
    """The figures of a group, or of several that differ by the regulariser's strength.

    Attributes:
        group: which.
        chosen: whether it has for each seed the cell of that strength whose loss on the examples
            held out is least (nested choice); the group is then that of the usual strength.
        figures: spreads of the figures of :func:`figures_of`.
        differences: the same figures minus those of plain fine-tuning, paired by seed; empty
            for plain fine-tuning itself, and where it is missing.
        against_sum: with another gradient rule, the same figures minus those with the plain sum.
        trained_parameters: how many.
    """

    group: Group
    chosen: bool
    figures: Mapping[str, Spread]
    differences: Mapping[str, Spread]
    against_sum: Mapping[str, Spread]
    trained_parameters: int

    @property
    def name(self) -> str:
        """The method in words."""
        return describe_method(self.group.method, "of chosen strength" if self.chosen else "")


Item = TypeVar("Item")
Key = TypeVar("Key")


def gather(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Return the items by their keys, all in their order."""
    gathered: dict[Key, list[Item]] = {}
    for item in items:
        gathered.setdefault(key(item), []).append(item)
    return gathered


def load_results(setup: Setup, cells: Iterable[Cell]) -> list[Result]:
    """Read the results of those cells that are done.

    Raises:
        InputError: if a file is damaged.
    """
    return [_load_cell(setup.file_of(cell), cell) for cell in cells if setup.is_done(cell)]


def summarise(results: Sequence[Result]) -> list[Row]:
    """Return a row for each group, in the order of the results, and then those of nested choice."""
    by_cell = {result.cell: result for result in results}
    groups = gather(results, lambda result: result.cell.group)
    rows = [_summarise(group, members, by_cell) for group, members in groups.items()]
    families = gather(groups, lambda group: replace(group, method=of_usual_strength(group.method)))
    return rows + [
        _summarise(family, best, by_cell, chosen=True)
        for family, members in families.items()
        if len(members) > 1 and (best := _choose([groups[member] for member in members]))
    ]


def _choose(groups: Sequence[Sequence[Result]]) -> list[Result]:
    """Return for each seed that all groups have the result with the least loss held out."""
    by_seed = gather((each for group in groups for each in group), lambda each: each.cell.seed)
    return [
        min(results, key=lambda result: result.records[-1]["validation"]["total"])
        for results in by_seed.values()
        if len(results) == len(groups)
    ]


def _summarise(
    group: Group, members: list[Result], by_cell: Mapping[Cell, Result], *, chosen: bool = False
) -> Row:
    names = figures_of(group.target)
    return Row(
        group=group,
        chosen=chosen,
        figures={name: Spread.of([member.figure(name) for member in members]) for name in names},
        differences=_differ(members, lambda cell: cell.plain, by_cell),
        against_sum=_differ(members, lambda cell: cell.summed, by_cell),
        trained_parameters=members[0].trained_parameters,
    )


def _differ(
    members: list[Result], twin_of: Callable[[Cell], Cell], by_cell: Mapping[Cell, Result]
) -> dict[str, Spread]:
    """Return how much the figures differ from those of the cells' twins; empty without twins."""
    pairs = [
        (member, by_cell[twin])
        for member in members
        if (twin := twin_of(member.cell)) != member.cell and twin in by_cell
    ]
    if not pairs:
        return {}
    return {
        name: Spread.of([one.figure(name) - other.figure(name) for one, other in pairs])
        for name in figures_of(members[0].cell.target)
    }


def _photographs(ap: Mapping[str, float]) -> dict[str, float]:
    """Return the figure of photographs, if a cell has one."""
    return {"photographs": ap["0.5"]} if ap else {}


def _load_cell(path: Path, cell: Cell) -> Result:
    """Read the result of a cell."""
    try:
        content = read_json(path)
        KIND.require(content["format"], content["version"], path)
        if content["cell"] != json.loads(json.dumps(asdict(cell))):
            raise ValueError("it is the result of another cell")
        result = Result(
            cell=cell,
            figures={**content["ap"], **_photographs(content["photographs"])},
            seconds=float(content["seconds"]),
            trained_parameters=int(content["trained_parameters"]),
            records=check_records(content["records"]),
        )
        for name in figures_of(cell.target):
            if not is_figure(result.figure(name)):
                raise ValueError(f"found {result.figure(name)!r} as {name}")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: not a readable cell ({error}); {KIND.remedy}") from error
    return result
